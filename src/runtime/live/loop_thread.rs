//! The loop thread: frames out of the ring, one step of the loop stage after another.

use std::{sync::Arc, time::Duration};

use crossbeam_channel::Sender;

use super::control::Control;
use crate::{
    ring::FrameConsumer,
    runtime::{
        observation::Halt,
        stages::closed_loop::{Command, LoopStage},
    },
};

/// Between two looks at an empty ring. It bounds the wait of a finished window from below, and costs a few
/// percent of a core.
const NAP: Duration = Duration::from_micros(50);

/// Everything that the thread owns.
pub struct LoopThread {
    /// What it repeats.
    pub stage: LoopStage,
    /// Frames in.
    pub ring: FrameConsumer,
    /// Commands out.
    pub commands: Sender<Command>,
    /// Shared words.
    pub control: Arc<Control>,
    /// Frames in a hop: a longer backlog means that a newer window is waiting.
    pub hop_frames: usize,
    /// Commands that found no room.
    pub commands_dropped: u64,
}

impl LoopThread {
    /// Repeats the stage until told to quit. Real time: neither allocates nor locks.
    pub fn run(&mut self, values: &mut [f32]) {
        while !self.control.quits() {
            let now_s = lsl::local_clock();
            self.control.beat(now_s);
            if self.control.ending() || self.control.stopped() {
                self.stage.end(Halt::Operator, now_s);
            }
            let took_frames = self.take_frames(values);
            if let Some(command) = self.stage.plan(self.control.stream(), now_s) {
                self.command(command);
            }
            if self.stage.done() {
                self.control.report_done();
            }
            if !took_frames {
                std::thread::sleep(NAP);
            }
        }
    }

    /// Takes frames up to the next hop, or all that wait.
    fn take_frames(&mut self, values: &mut [f32]) -> bool {
        let mut took = false;
        while let Some(header) = self.ring.pop(values) {
            took = true;
            let now_s = lsl::local_clock();
            if self.stage.frame(&header, values, now_s) {
                if self.ring.len() >= self.hop_frames {
                    self.stage.skip();
                    continue;
                }
                let commands = &self.commands;
                let mut dropped = 0;
                self.stage.hop(now_s, &mut |decision| {
                    dropped += u64::from(commands.try_send(Command::Decide(decision)).is_err());
                    lsl::local_clock()
                });
                self.commands_dropped += dropped;
                break;
            }
        }
        took
    }

    fn command(&mut self, command: Command) {
        // The channel holds far more than the stimulate thread leaves in it; if that thread hangs, the
        // device's heartbeat ends the current.
        self.commands_dropped += u64::from(self.commands.try_send(command).is_err());
    }
}
