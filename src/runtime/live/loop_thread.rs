//! The loop thread: frames out of the ring, one step of the loop stage after another.

use std::{sync::Arc, time::Duration};

use crossbeam_channel::Sender;

use ringbuf::{HeapCons, traits::Consumer};

use super::{control::Control, refit::Refits};
use crate::{
    clock,
    ring::FrameConsumer,
    runtime::stages::closed_loop::{Command, LoopStage},
    stimulator::Delivered,
};

/// The longest between two looks at the plan; a frame wakes the thread by itself.
const LOOK_EVERY: Duration = Duration::from_millis(2);

/// Everything that the thread owns.
pub(super) struct LoopThread {
    /// What it repeats.
    stage: LoopStage,
    /// Frames in.
    ring: FrameConsumer,
    /// Delivered current in.
    delivered: HeapCons<Delivered>,
    /// Commands out.
    commands: Sender<Command>,
    /// Shared words.
    control: Arc<Control>,
    /// Commands that found no room.
    commands_dropped: u64,
    /// Estimators for another rate.
    refits: Refits,
    /// The frame at hand.
    values: Vec<f32>,
}

impl LoopThread {
    /// A thread that takes frames from `ring`.
    pub(super) fn new(
        stage: LoopStage,
        ring: FrameConsumer,
        delivered: HeapCons<Delivered>,
        commands: Sender<Command>,
        control: Arc<Control>,
        refits: Refits,
    ) -> Self {
        let values = vec![0.0; ring.width()];
        Self { stage, ring, delivered, commands, control, commands_dropped: 0, refits, values }
    }

    /// Repeats the stage until told to quit. Real time: neither allocates nor locks.
    pub(super) fn run(&mut self) {
        while !self.control.quits() {
            let rung = self.control.loop_bell.seen();
            let now_s = clock::now_s();
            self.control.beat(now_s);
            if let Some(why) = self.control.halts() {
                self.stage.end(why, now_s);
            }
            if let Some(mut refitted) = self.refits.take() {
                self.stage.refit(&mut refitted.estimator, refitted.rate_hz, now_s);
                self.control.set_rate(refitted.rate_hz);
                self.refits.give_back(refitted);
            }
            let taken = self.take_frames();
            for command in self.stage.plan(self.control.stream(), now_s) {
                self.command(command);
            }
            if self.stage.done() {
                self.control.report_done();
            }
            if taken == 0 {
                self.control.loop_bell.wait(rung, LOOK_EVERY);
            }
        }
    }

    /// Takes frames up to the next hop, or all that wait.
    fn take_frames(&mut self) -> usize {
        let mut taken = 0;
        while let Some(sample) = self.delivered.try_pop() {
            self.stage.delivered(&sample);
        }
        while let Some(header) = self.ring.pop(&mut self.values) {
            taken += 1;
            let now_s = clock::now_s();
            if self.stage.frame(&header, &self.values, now_s) {
                // A longer backlog means that a newer window is waiting.
                if self.ring.len() >= self.stage.hop_frames() {
                    self.stage.skip();
                    continue;
                }
                let commands = &self.commands;
                let mut dropped = 0;
                self.stage.hop(now_s, &mut |decision| {
                    dropped += u64::from(commands.try_send(Command::Decide(decision)).is_err());
                    clock::now_s()
                });
                self.commands_dropped += dropped;
                self.control.observe_bell.ring();
                break;
            }
        }
        taken
    }

    fn command(&mut self, command: Command) {
        // The channel holds far more than the stimulate thread leaves in it; if that thread hangs, the
        // device's heartbeat ends the current.
        self.commands_dropped += u64::from(self.commands.try_send(command).is_err());
    }
}
