//! The stimulate thread: one step of the stimulate stage every millisecond, at the highest priority.

use std::{sync::Arc, time::Duration};

use crossbeam_channel::Receiver;
use ringbuf::{HeapProd, traits::Producer};

use super::control::Control;
use crate::{
    clock,
    runtime::{
        observation::Halt,
        stages::{closed_loop::Command, stimulate::StimulateStage},
    },
    stimulator::{Delivered, Stop},
};

/// Between two steps. The device holds at least 20 ms.
const NAP: Duration = Duration::from_millis(1);

/// Everything that the thread owns.
pub struct StimulateThread {
    /// What it repeats.
    stage: StimulateStage,
    /// Commands of the loop.
    commands: Receiver<Command>,
    /// Delivered samples out, for the recording.
    delivered: HeapProd<Delivered>,
    /// Delivered samples that found no room there.
    delivered_dropped: u64,
    /// Shared words.
    control: Arc<Control>,
}

impl StimulateThread {
    /// A thread that takes `commands` and tells what was delivered.
    pub fn new(
        stage: StimulateStage,
        commands: Receiver<Command>,
        delivered: HeapProd<Delivered>,
        control: Arc<Control>,
    ) -> Self {
        Self { stage, commands, delivered, delivered_dropped: 0, control }
    }

    /// Repeats the stage until told to quit. Real time: neither allocates nor locks. Gives how many delivered
    /// samples found no room.
    pub fn run(&mut self) -> u64 {
        let (mut stopped, mut cut) = (false, false);
        while !self.control.quits() {
            let now_s = clock::now_s();
            // Past the loop, so that neither its backlog nor its death delays a stop.
            if (self.control.stopped() || self.control.ending()) && !stopped {
                stopped = true;
                self.stage.lock(Stop::Soft, Halt::Operator, now_s);
            }
            if self.control.cuts() && !cut {
                cut = true;
                self.stage.lock(Stop::Cut, Halt::Operator, now_s);
            }
            if self.control.take_pause() {
                self.stage.command(Command::Stop(Stop::Soft), now_s);
            }
            while let Ok(command) = self.commands.try_recv() {
                self.stage.command(command, now_s);
            }
            let (ring, dropped) = (&mut self.delivered, &mut self.delivered_dropped);
            self.stage.step(self.control.loop_alive(now_s), now_s, &mut |sample| {
                *dropped += u64::from(ring.try_push(sample).is_err());
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
