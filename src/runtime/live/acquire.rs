//! The acquire thread: opens the source, then drains it into the two rings.

use std::{sync::Arc, time::Duration};

use super::control::Control;
use crate::{acquisition::Source, clock, ring::FrameProducer, runtime::stages::acquire::AcquireStage};

/// Between two looks at the source.
const NAP: Duration = Duration::from_millis(1);

/// Repeats the stage until told to quit. Real time: neither allocates nor locks.
pub fn run<S: Source>(
    stage: &mut AcquireStage<S>,
    to_loop: &mut FrameProducer,
    to_record: &mut FrameProducer,
    control: &Arc<Control>,
) {
    while !control.quits() {
        let state = stage.step(&mut clock::now_s, &mut |header, samples_uv| {
            // The loop first: its latency counts, the recording's does not. Overruns are the rings' to count.
            to_loop.push(header, samples_uv);
            to_record.push(header, samples_uv);
        });
        control.set_stream(state);
        std::thread::sleep(NAP);
    }
}
