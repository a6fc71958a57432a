//! The acquire thread: one step of the acquire stage whenever samples come, into the loop's ring and the recording's.

use std::{sync::Arc, time::Duration};

use super::control::Control;
use crate::{
    acquisition::{Source, conditioner::Counts},
    clock,
    ring::FrameProducer,
    runtime::stages::acquire::AcquireStage,
};

/// The longest between two looks at the source: samples wake the thread by themselves.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// Everything that the thread owns.
pub(super) struct AcquireThread<S> {
    /// What it repeats.
    pub stage: AcquireStage<S>,
    /// Frames out, for the loop.
    pub to_loop: FrameProducer,
    /// Frames out, for observers.
    pub to_record: FrameProducer,
    /// Shared words.
    pub control: Arc<Control>,
}

/// What it has counted.
pub(super) struct Acquired {
    /// Samples, losses, gaps.
    pub counts: Counts,
    /// Frames that found no room on their way to the loop.
    pub overruns: u64,
    /// The rate that the stream says of itself, and the one that its stamps show, in Hz.
    pub rates_hz: (f64, Option<f64>),
    /// What the source has to say.
    pub warnings: Vec<String>,
}

impl<S: Source> AcquireThread<S> {
    /// Repeats the stage until told to quit. Real time: neither allocates nor locks.
    pub(super) fn run(&mut self) -> Acquired {
        while !self.control.quits() {
            self.control.rate_hz().into_iter().for_each(|rate_hz| self.stage.use_rate(rate_hz));
            let (to_loop, to_record) = (&mut self.to_loop, &mut self.to_record);
            let state = self.stage.step(&mut clock::now_s, &mut |header, samples_uv| {
                // The loop first: its latency counts, the recording's does not. Overruns are the rings' to count.
                to_loop.push(header, samples_uv);
                to_record.push(header, samples_uv);
            });
            self.control.set_stream(state);
            self.control.loop_bell.ring();
            self.stage.source().wait(LOOK_EVERY);
        }
        Acquired {
            counts: *self.stage.conditioner().counts(),
            overruns: self.to_loop.overruns(),
            rates_hz: {
                let conditioner = self.stage.conditioner();
                (conditioner.nominal_rate_hz(), conditioner.measured_rate_hz())
            },
            warnings: {
                let rate = self.stage.conditioner().rate_warning();
                self.stage.source().warnings().into_iter().chain(rate).collect()
            },
        }
    }
}
