//! The stimulate thread: one step of the stimulate stage every millisecond, at the highest priority.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use crossbeam_channel::Receiver;
use ringbuf::{HeapProd, traits::Producer};

use super::control::Control;
use crate::{
    clock,
    runtime::{
        ended::EndedBy,
        observation::Halt,
        stages::{closed_loop::Command, stimulate::StimulateStage},
    },
    stimulator::{Delivered, Stop},
};

/// Between two steps. The device holds at least 20 ms.
const NAP: Duration = Duration::from_millis(1);

/// A turn that took longer was a stall of the whole process, in s; then the others get so long to show signs of life.
const OWN_STALL_S: f64 = 0.5;
const GRACE_S: f64 = 3.0;

/// Everything that the thread owns.
pub(super) struct StimulateThread {
    /// What it repeats.
    stage: StimulateStage,
    /// Commands of the loop.
    commands: Receiver<Command>,
    /// Delivered samples out, for the recording.
    delivered: HeapProd<Delivered>,
    /// The same for the loop, which sees through them; a sample that is missing there is a hole in what it knows.
    to_loop: HeapProd<Delivered>,
    /// Delivered samples that found no room there.
    delivered_dropped: u64,
    /// Shared words.
    control: Arc<Control>,
    /// Ctrl-C and SIGTERM so far, written by the signal handler itself: no other thread stands between.
    signals: Arc<AtomicUsize>,
}

impl StimulateThread {
    /// A thread that takes `commands` and tells what was delivered.
    pub(super) fn new(
        stage: StimulateStage,
        commands: Receiver<Command>,
        delivered: HeapProd<Delivered>,
        to_loop: HeapProd<Delivered>,
        control: Arc<Control>,
        signals: Arc<AtomicUsize>,
    ) -> Self {
        Self { stage, commands, delivered, to_loop, delivered_dropped: 0, control, signals }
    }

    /// Repeats the stage until told to quit. Real time: neither allocates nor locks. Gives how many delivered
    /// samples found no room.
    pub(super) fn run(&mut self) -> u64 {
        let (mut stopped, mut cut, mut ended) = (false, false, false);
        let mut turned_s = clock::now_s();
        // After a stall of our own the others have not had their turn yet either.
        let mut trust_from_s = turned_s;
        while !self.control.quits() {
            let now_s = clock::now_s();
            if now_s - std::mem::replace(&mut turned_s, now_s) > OWN_STALL_S {
                trust_from_s = now_s + GRACE_S;
            }
            match self.signals.load(Ordering::SeqCst) {
                0 => {}
                1 => self.control.end_run(EndedBy::Signal),
                _ => {
                    self.control.end_run(EndedBy::Signal);
                    self.control.cut_current();
                }
            }
            let stalled = self.control.stalled(now_s).filter(|_| now_s > trust_from_s);
            let stalled = stalled.map(|thread| Halt::Stalled(thread.name()));
            if let Some(why) = self.control.daily(self.stage.active_s()).or(stalled)
                && !(ended || stopped)
            {
                ended = true;
                self.stage.lock(Stop::Soft, why, now_s);
            }
            // Past the loop, so that neither its backlog nor its death delays a stop.
            if let Some(why) = self.control.halts().filter(|_| !stopped) {
                stopped = true;
                self.stage.lock(Stop::Soft, why, now_s);
            }
            if self.control.cuts() && !cut {
                cut = true;
                self.stage.lock(Stop::Cut, self.control.halts().unwrap_or(Halt::Operator), now_s);
            }
            if self.control.take_pause() {
                self.stage.command(Command::Stop(Stop::Soft), now_s);
            }
            while let Ok(command) = self.commands.try_recv() {
                self.stage.command(command, now_s);
            }
            let (ring, dropped) = (&mut self.delivered, &mut self.delivered_dropped);
            let to_loop = &mut self.to_loop;
            self.stage.step(self.control.loop_alive(now_s), now_s, &mut |sample| {
                *dropped += u64::from(ring.try_push(sample).is_err());
                // The device's own count shows what found no room.
                let _ = to_loop.try_push(sample);
            });
            self.control.set_active_s(self.stage.active_s());
            if self.control.ending() && self.stage.at_rest() {
                self.stage.disarm(now_s);
                self.control.report_safe();
            }
            std::thread::sleep(NAP);
        }
        self.delivered_dropped
    }
}
