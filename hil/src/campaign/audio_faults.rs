//! Everything that goes wrong on the audio path, each with its bound.
//!
//! Bounds in ms are those of the device in the callback (a queue of 200 ms and its fade, or the heartbeat and
//! its ramp) and 300 ms for the buffers of the server and of its monitor.

use std::io::Result;
use std::thread::sleep;
use std::time::Duration;

use super::{
    sink::Sink,
    stage::{During, Needs, Outcome, Scenario, Scene},
};

/// The session's peak, in mA, and the rounding of 32 bits.
const LARGEST_MA: f32 = 0.5 + 1e-4;
/// Nothing comes any more.
const SILENT_MS: f64 = 700.0;

fn fault(name: &'static str, outcome: Outcome, happen: fn(&mut Scene<Sink>) -> Result<()>) -> Scenario<Sink> {
    Scenario {
        name,
        during: During::Block,
        outcome,
        largest_ma: LARGEST_MA,
        codes: if matches!(outcome, Outcome::Plays | Outcome::GoesOn) { &[0] } else { &[4] },
        patient: false,
        emulator: true,
        needs: Needs::Nothing,
        before: |_, _| Ok(()),
        happen,
    }
}

fn kill_server(scene: &mut Scene<Sink>) -> Result<()> {
    scene.instrument.kill_server();
    Ok(())
}

/// All scenes on the audio path, in the order of the table.
#[must_use]
pub(super) fn all() -> Vec<Scenario<Sink>> {
    use Outcome::{Plays, Zero};
    let patient = |scenario| Scenario { patient: true, ..scenario };
    vec![
        fault("audio-no-fault", Plays, |_| Ok(())),
        Scenario { codes: &[137], ..fault("audio-host-killed", Zero(SILENT_MS), Scene::kill) },
        patient(fault("audio-host-stopped-and-resumed", Zero(SILENT_MS), Scene::stop_and_resume)),
        fault("audio-loop-thread-frozen", Zero(850.0), |scene| scene.freeze("tras-loop")),
        fault("audio-stimulate-thread-frozen", Zero(SILENT_MS), |scene| scene.freeze("tras-stimulate")),
        Scenario {
            during: During::Ramp,
            ..fault("audio-server-killed-in-ramp", Zero(SILENT_MS), kill_server)
        },
        patient(fault("audio-server-killed", Zero(SILENT_MS), kill_server)),
        fault("audio-server-stopped-and-resumed", Zero(SILENT_MS), |scene| {
            scene.instrument.signal_server(libc::SIGSTOP);
            sleep(Duration::from_millis(1_500));
            scene.instrument.signal_server(libc::SIGCONT);
            Ok(())
        }),
        patient(fault("audio-device-removed", Zero(SILENT_MS), |scene| scene.instrument.plug(false))),
    ]
}
