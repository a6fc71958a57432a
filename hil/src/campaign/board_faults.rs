//! Everything that goes wrong between `tras run` and a head on the board, each with its bound.
//!
//! Bounds in ms are those of `docs/safety.md` and a few ms of grace: a dry queue (100 ms) and its fade (100 ms),
//! or the heartbeat (250 ms) and its ramp (100 ms), whichever ends later; a measured fault within its time of
//! measurement and 100 ms of ramp; a cut below 5 ms after the readings that show it.

use std::io::{Error, Result};
use std::thread::sleep;
use std::time::Duration;

use tras_wire::{Decoder, FaultCode, HostMessage, MAX_FRAME, Samples, encode};

use super::{
    board::Board,
    stage::{During, Needs, Outcome, Scenario, Scene},
};

/// The session's peak, in mA, and one step of the DAC.
const LARGEST_MA: f32 = 0.5 + 0.0013;
/// The analogue clamp, in mA: what a broken DAC can do until the relay is open.
const CLAMP_MA: f32 = 2.2 + 0.0013;
/// Nothing comes any more: queue, heartbeat, ramp.
const SILENT_MS: f64 = 360.0;
/// Frames of an older session that come again: its hello, limits, arming, and its first samples.
const OLD_FRAMES: usize = 14;
/// Samples of the forged frames, beyond any credit.
const FORGED: usize = 640;

/// A fault in full stimulation that ends the run with code 4.
pub(super) fn fault(
    name: &'static str,
    outcome: Outcome,
    happen: fn(&mut Scene<Board>) -> Result<()>,
) -> Scenario<Board> {
    Scenario {
        name,
        during: During::Block,
        outcome,
        largest_ma: LARGEST_MA,
        codes: match outcome {
            Outcome::GoesOn | Outcome::Plays => &[0],
            Outcome::Either => &[0, 4],
            _ => &[4],
        },
        patient: false,
        emulator: false,
        needs: Needs::Nothing,
        before: |_, _| Ok(()),
        happen,
    }
}

fn cut(scene: &mut Scene<Board>) -> Result<()> {
    scene.instrument.line.set(|spoil| spoil.cut = true);
    Ok(())
}

/// What is broken before the session, so that no current ever flows.
fn never(name: &'static str) -> Scenario<Board> {
    Scenario { during: During::Start, emulator: true, ..fault(name, Outcome::Never, |_| Ok(())) }
}

/// All scenes on a board, in the order of the table.
#[must_use]
pub(super) fn all() -> Vec<Scenario<Board>> {
    use Outcome::{Either, GoesOn, Plays, Zero};
    let on_head = |name, bound_ms, happen| Scenario { emulator: true, ..fault(name, Zero(bound_ms), happen) };
    let patient = |scenario| Scenario { patient: true, ..scenario };
    vec![
        fault("no-fault", Plays, |_| Ok(())),
        Scenario { during: During::Ramp, ..fault("cable-pulled-in-ramp", Zero(SILENT_MS), cut) },
        patient(fault("cable-pulled", Zero(SILENT_MS), cut)),
        Scenario { codes: &[137], ..fault("host-killed", Zero(SILENT_MS), Scene::kill) },
        patient(fault("host-stopped-and-resumed", Zero(SILENT_MS), Scene::stop_and_resume)),
        // The loop is missed for 250 ms before its current ends.
        patient(fault("loop-thread-frozen", Zero(520.0), |scene| scene.freeze("tras-loop"))),
        fault("stimulate-thread-frozen", Zero(SILENT_MS), |scene| scene.freeze("tras-stimulate")),
        fault("io-thread-frozen", Zero(SILENT_MS), |scene| scene.freeze("tras-serial")),
        Scenario {
            // Old data is no fault: the block is given up by the soft ramp of 1 s.
            codes: &[0],
            ..fault("acquire-thread-frozen", Zero(1_800.0), |scene| scene.freeze("tras-acquire"))
        },
        fault("bytes-flipped", GoesOn, |scene| {
            scene.instrument.line.set(|spoil| spoil.flipped_ppm = 200);
            Ok(())
        }),
        fault("bytes-lost", GoesOn, |scene| {
            scene.instrument.line.set(|spoil| spoil.lost_ppm = 200);
            Ok(())
        }),
        fault("frames-repeated", GoesOn, |scene| {
            // The emulated line carries little more than a current needs: readings make room for the repeats.
            if let Ok(head) = scene.instrument.head() {
                head.set(|head| head.every = 16);
            }
            scene.instrument.line.set(|spoil| spoil.repeated = true);
            Ok(())
        }),
        fault("frames-reordered", Either, |scene| {
            scene.instrument.line.set(|spoil| spoil.reordered = true);
            Ok(())
        }),
        // A hello ends whatever session there is, whoever says it; the rest is of a session that is over.
        Scenario {
            before: |board, before| before.session(board),
            ..fault("older-session-replayed", Zero(130.0), |scene| replay(scene, true))
        },
        Scenario {
            before: |board, before| before.session(board),
            ..fault("older-frames-replayed", GoesOn, |scene| replay(scene, false))
        },
        fault("garbage-burst", GoesOn, |scene| {
            // 30 ms of the emulated line: it must come through between two samples.
            let noise = (0..600_u32).map(|k| (k.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
            scene.instrument.line.set(|spoil| spoil.injected = noise);
            Ok(())
        }),
        fault("garbage-at-full-speed", Either, |scene| {
            scene.instrument.line.set(|spoil| spoil.flooded = true);
            Ok(())
        }),
        fault("queue-starved", Zero(SILENT_MS), |scene| {
            scene.instrument.line.set(|spoil| spoil.starved = true);
            Ok(())
        }),
        fault("queue-flooded", Either, flood_the_queue),
        patient(on_head("board-reset", 15.0, |scene| {
            scene.instrument.emulated.as_ref().map_or(Ok(()), |e| e.emulator.reset())
        })),
        on_head("board-reset-keeps-its-counters", 15.0, reset_and_count),
        // Before each arming the stage drives the closed shunt: with the relay welded nobody is armed.
        Scenario {
            before: |board, _| {
                board.head()?.set(|head| head.welded = true);
                Ok(())
            },
            happen: Scene::fault_told,
            ..never("relay-welded")
        },
        // DAC and ADC by the same wrong supply see each other right; VREFINT tells within 100 ms, readback 50 later.
        Scenario {
            largest_ma: 1.02 * LARGEST_MA + 0.052,
            ..on_head("vdda-2-percent-low", 500.0, |scene| {
                scene.instrument.head()?.set(|head| head.vdda_v = 0.98 * 3.3);
                Ok(())
            })
        },
        Scenario {
            largest_ma: 1.02 * LARGEST_MA + 0.052,
            ..on_head("vdda-2-percent-high", 500.0, |scene| {
                scene.instrument.head()?.set(|head| head.vdda_v = 1.02 * 3.3);
                Ok(())
            })
        },
        Scenario {
            before: |board, _| {
                board.head()?.set(|head| head.vdda_v = 0.98 * 3.3);
                Ok(())
            },
            ..never("vdda-2-percent-low-before")
        },
        Scenario {
            largest_ma: CLAMP_MA,
            ..on_head("dac-stuck-high", 15.0, |scene| {
                scene.instrument.head()?.set(|head| head.stuck_code = Some(4_095));
                Ok(())
            })
        },
        Scenario {
            largest_ma: CLAMP_MA,
            ..on_head("dac-stuck-low", 15.0, |scene| {
                scene.instrument.head()?.set(|head| head.stuck_code = Some(0));
                Ok(())
            })
        },
        // Small currents hide a gain: the mean of 50 ms must be large enough to show it.
        on_head("readback-10-percent", 800.0, |scene| {
            scene.instrument.head()?.set(|head| head.gain = 0.9);
            Ok(())
        }),
        on_head("electrode-opened", 400.0, |scene| {
            scene.instrument.head()?.set(|head| head.kohm = 1e6);
            Ok(())
        }),
        on_head("electrode-shorted", 900.0, |scene| {
            scene.instrument.head()?.set(|head| head.kohm = 0.2);
            Ok(())
        }),
        on_head("impedance-rising", 8_000.0, |scene| {
            for _ in 0..75 {
                scene.instrument.head()?.set(|head| head.kohm = (head.kohm * 1.025).min(25.0));
                sleep(Duration::from_millis(100));
            }
            Ok(())
        }),
        on_head("emergency-stop", 15.0, |scene| {
            scene.instrument.head()?.set(|head| head.e_stop = true);
            Ok(())
        }),
        // These two play on a board whose clock is wrong from the start: see `speed`.
        Scenario { emulator: true, ..fault("clock-1-percent-fast", Plays, |_| Ok(())) },
        Scenario { emulator: true, ..fault("clock-1-percent-slow", Plays, |_| Ok(())) },
        Scenario {
            during: During::Start,
            codes: &[3],
            before: |board, _| {
                board.line.set(|spoil| spoil.limits_altered = true);
                Ok(())
            },
            ..fault("limits-altered-in-flight", Outcome::Never, |_| Ok(()))
        },
    ]
}

/// How fast the emulated board's clock goes in this scene.
#[must_use]
pub(super) fn speed(name: &str) -> f64 {
    match name {
        "clock-1-percent-fast" => 1.01,
        "clock-1-percent-slow" => 0.99,
        _ => 1.0,
    }
}

/// The reset button in mid-burst: what has flowed is told afterwards as well, and that there was a reset.
fn reset_and_count(scene: &mut Scene<Board>) -> Result<()> {
    let newest =
        |scene: &Scene<Board>| scene.instrument.line.heard(|tap| tap.telemetry.last().map(|(_, t)| *t));
    let before = newest(scene);
    if let Some(e) = &scene.instrument.emulated {
        e.emulator.reset()?;
    }
    sleep(Duration::from_secs(1));
    let after = newest(scene);
    let (Some(before), Some(after)) = (before, after) else { return Err(Error::other("no telemetry")) };
    let reset = after.fault.is_some_and(|fault| fault.code == FaultCode::Reset);
    if reset && before.total_charge_mc > 0.0 && after.total_charge_mc >= before.total_charge_mc {
        println!(
            "board-reset-keeps-its-counters: {:.4} mC before the reset, {:.4} mC after it, E20 latched",
            before.total_charge_mc, after.total_charge_mc
        );
        return Ok(());
    }
    Err(Error::other(format!("before the reset {before:?}, after it {after:?}")))
}

/// The first frames that were ever heard on this line come again, with their hello or without: they are of a session
/// that ended before this one.
fn replay(scene: &mut Scene<Board>, hello: bool) -> Result<()> {
    let old: Vec<Vec<u8>> =
        scene.instrument.line.heard(|tap| tap.frames.iter().take(OLD_FRAMES).cloned().collect());
    let is_hello = |frame: &[u8]| {
        let mut decoder = Decoder::default();
        let heard = frame.iter().filter_map(|&byte| decoder.push::<HostMessage>(byte)).last();
        matches!(heard, Some(Ok(frame)) if frame.message == HostMessage::Hello)
    };
    let frames = old.iter().filter(|frame| hello || !is_hello(frame));
    let bytes: Vec<u8> = frames.flatten().copied().collect();
    scene.instrument.line.set(|spoil| spoil.injected = bytes);
    Ok(())
}

/// Frames that the device must take for the host's own, with the right session and new numbers, and far more
/// samples than it has room for.
fn flood_the_queue(scene: &mut Scene<Board>) -> Result<()> {
    let (header, (burst, index)) = scene.instrument.line.heard(|tap| (tap.header, tap.samples));
    let mut forged = Vec::new();
    for k in 0..FORGED / 32 {
        let message = HostMessage::Samples(Samples {
            burst,
            index: index + 32 * k as u64,
            current_ma: [0.4; 32].into_iter().collect(),
        });
        let mut header = header;
        header.sequence = header.sequence.wrapping_add(1 + k as u32);
        let mut bytes = [0; MAX_FRAME];
        let n = encode(header, &message, &mut bytes).unwrap_or(0);
        forged.extend_from_slice(bytes.get(..n).unwrap_or_default());
    }
    scene.instrument.line.set(|spoil| spoil.injected = forged);
    Ok(())
}
