//! One fault after another on the emulated board in full stimulation: how long to zero, how much until then,
//! and that nothing starts again by itself. Judged by what the head sees; a broken bound fails the run.
//!
//! Times are the device's, counted in ticks of 0.5 ms: on a busy machine its clock runs slow.

use std::io::{Error, Result};
use std::path::Path;
use std::time::{Duration, Instant};

use tras_wire::{DeviceMessage, FaultCode, Header, HostMessage, Limits, Samples, State};

use crate::emulator::{Emulator, hurry};
use crate::head::VirtualHead;
use crate::host::Host;
use crate::line::Line;

const LIMITS: Limits = Limits { peak_ma: 0.5, dc_ma: 0.02, ..tras_device::hard::LIMITS };
/// Samples in the device's queue and on the way to it: 50 ms.
const LEAD: u64 = 100;
/// A tick, in ms.
const TICK_MS: f64 = 0.5;
/// The analogue clamp, in mA: what a broken DAC can do until the relay is open.
const CLAMP_MA: f32 = 2.2;
/// One step of the DAC, in mA.
const STEP_MA: f32 = 0.0013;

/// A bench with everything on it.
struct Rig {
    head: VirtualHead,
    line: Line,
    host: Host,
    _emulator: Emulator,
}

/// What a fault must lead to.
enum Outcome {
    /// Zero within so many ms of the device's time, with one of these latched.
    Zero(f64, &'static [FaultCode]),
    /// Nothing: the current goes on.
    GoesOn,
}

struct Scenario {
    name: &'static str,
    /// The state in which it happens.
    during: State,
    largest_ma: f32,
    outcome: Outcome,
    happen: fn(&mut Rig) -> Result<()>,
}

impl Rig {
    fn start(image: &Path, name: &str) -> Result<Self> {
        let directory = std::env::temp_dir().join(format!("tras-hil-{}-{name}", std::process::id()));
        let emulator = Emulator::start(image, &directory)?;
        let head = VirtualHead::start(emulator.analogue.try_clone()?);
        let (line, end) = Line::socket(emulator.link.try_clone()?)?;
        let mut host = Host::new(end)?;
        host.listen(Duration::from_millis(500))?;
        match host.arm(&LIMITS)? {
            DeviceMessage::Acknowledge { .. } => Ok(Self { head, line, host, _emulator: emulator }),
            other => Err(Error::other(format!("{name}: arming: {other:?}"))),
        }
    }

    fn play(&mut self, seconds: f64) -> Result<()> {
        self.host.play(Duration::from_secs_f64(seconds), LEAD)
    }

    /// Only heartbeats.
    fn beat(&mut self, seconds: f64) -> Result<()> {
        let until = Instant::now() + Duration::from_secs_f64(seconds);
        while Instant::now() < until {
            self.host.beat(Duration::from_millis(50))?;
            self.host.receive()?;
        }
        Ok(())
    }
}

/// What can latch when nothing comes from the host any more: whichever runs out first.
const SILENCE: &[FaultCode] = &[FaultCode::Underrun, FaultCode::SequenceGap, FaultCode::Heartbeat];

fn scenarios() -> Vec<Scenario> {
    use Outcome::{GoesOn, Zero};
    let limit_ma = LIMITS.peak_ma + STEP_MA;
    let new = |name, outcome, happen| Scenario {
        name,
        during: State::Stimulating,
        largest_ma: limit_ma,
        outcome,
        happen,
    };
    let cut: fn(&mut Rig) -> Result<()> = |r| {
        r.line.set(|s| s.cut = true);
        r.play(1.5)
    };
    vec![
        Scenario { during: State::RampUp, ..new("cable-pulled-in-ramp", Zero(360.0, SILENCE), cut) },
        new("cable-pulled", Zero(360.0, SILENCE), cut),
        new("host-stopped", Zero(360.0, SILENCE), |_| {
            std::thread::sleep(Duration::from_millis(1_500));
            Ok(())
        }),
        new("heartbeat-lost", Zero(360.0, &[FaultCode::Heartbeat]), |r| {
            r.host.silent = true;
            r.play(1.5)
        }),
        new("queue-starved", Zero(360.0, &[FaultCode::Underrun]), |r| r.beat(1.5)),
        // Beyond its credit: the device takes what fits, and a host that is a whole queue ahead has lost count.
        new("queue-flooded", Zero(360.0, &[FaultCode::SequenceGap]), |r| {
            r.host.play(Duration::from_secs_f64(1.5), 600)
        }),
        new("bytes-flipped", GoesOn, |r| {
            r.line.set(|s| s.flipped_ppm = 200);
            r.play(3.0)
        }),
        new("bytes-lost", GoesOn, |r| {
            r.line.set(|s| s.lost_ppm = 200);
            r.play(3.0)
        }),
        new("chunks-repeated", GoesOn, |r| {
            r.line.set(|s| s.repeated = true);
            r.play(1.5)
        }),
        new("garbage", GoesOn, |r| {
            // 40 ms of the emulator's line: it must come through between two samples.
            r.line.set(|s| {
                s.injected = (0..600_u32).map(|k| (k.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
            });
            r.play(1.5)
        }),
        new("older-session", GoesOn, |r| {
            let right = r.host.header;
            r.host.header = Header { nonce: right.nonce ^ 0x5A, sequence: right.sequence + 100 };
            let current_ma = [1.9; 32].into_iter().collect();
            let index = r.host.index;
            r.host.send(&HostMessage::Samples(Samples { burst: 1, index, current_ma }))?;
            r.host.header = right;
            r.play(1.5)
        }),
        new("sample-above-limit", Zero(110.0, &[FaultCode::Peak]), |r| {
            let current_ma = [0.6; 4].into_iter().collect();
            let index = r.host.index;
            r.host.send(&HostMessage::Samples(Samples { burst: 1, index, current_ma }))?;
            r.play(1.5)
        }),
        Scenario {
            largest_ma: CLAMP_MA + STEP_MA,
            ..new("dac-stuck-high", Zero(15.0, &[FaultCode::OverCurrent, FaultCode::Readback]), |r| {
                r.head.set(|h| h.stuck_code = Some(4_095));
                r.play(1.5)
            })
        },
        Scenario {
            largest_ma: CLAMP_MA + STEP_MA,
            ..new("dac-stuck-low", Zero(15.0, &[FaultCode::OverCurrent, FaultCode::Readback]), |r| {
                r.head.set(|h| h.stuck_code = Some(0));
                r.play(1.5)
            })
        },
        new("readback-10-percent", Zero(220.0, &[FaultCode::Readback]), |r| {
            r.head.set(|h| h.gain = 0.9);
            r.play(1.5)
        }),
        new("readback-gone", Zero(170.0, &[FaultCode::Readback]), |r| {
            r.head.set(|h| h.blind = true);
            r.play(1.5)
        }),
        new("electrode-open", Zero(220.0, &[FaultCode::Readback]), |r| {
            r.head.set(|h| h.kohm = 1e6);
            r.play(1.5)
        }),
        new("electrode-short", Zero(410.0, &[FaultCode::ImpedanceJump, FaultCode::ImpedanceLow]), |r| {
            r.head.set(|h| h.kohm = 0.2);
            r.play(1.5)
        }),
        new("impedance-rising", Zero(6_000.0, &[FaultCode::ImpedanceHigh]), |r| {
            for _ in 0..80 {
                r.head.set(|h| h.kohm = (h.kohm * 1.025).min(25.0));
                r.play(0.1)?;
            }
            Ok(())
        }),
        new("e-stop", Zero(15.0, &[FaultCode::EStop]), |r| {
            r.head.set(|h| h.e_stop = true);
            r.play(1.5)
        }),
    ]
}

/// Runs all, or the one of this name, and prints the table.
///
/// # Errors
/// QEMU is missing, or a bound is broken.
pub fn run(image: &Path, only: Option<&str>) -> Result<()> {
    if !hurry() {
        println!("not allowed ahead of other processes: on a busy machine the emulated board may starve");
    }
    println!("{:<22} {:>9} {:>9} {:>9}  latched", "fault", "zero ms", "peak mA", "uC");
    let mut broken = 0;
    for scenario in scenarios().iter().filter(|s| only.is_none_or(|name| name == s.name)) {
        if let Err(e) = run_one(image, scenario) {
            println!("{:<22} BROKEN: {e}", scenario.name);
            broken += 1;
        }
    }
    if broken > 0 { Err(Error::other(format!("{broken} bounds broken"))) } else { Ok(()) }
}

fn run_one(image: &Path, scenario: &Scenario) -> Result<()> {
    let mut rig = Rig::start(image, scenario.name)?;
    // Readings every 2 ms: the line bears no more, the board has one each tick.
    rig.head.set(|h| h.every = 4);
    rig.play(1.0)?;
    let ready =
        |rig: &Rig| rig.host.telemetry.is_some_and(|t| t.state == scenario.during || t.fault.is_some());
    let until = Instant::now() + Duration::from_secs(20);
    while !ready(&rig) && Instant::now() < until {
        rig.play(0.1)?;
    }
    let state = rig.host.telemetry.map(|t| (t.state, t.fault));
    if state != Some((scenario.during, None)) {
        return Err(Error::other(format!("not in {:?} before it: {state:?}", scenario.during)));
    }
    let from = rig.head.look(|s| s.ticks.len());
    (scenario.happen)(&mut rig)?;
    let goes_on = matches!(scenario.outcome, Outcome::GoesOn);
    if !goes_on {
        // What was cut is joined again: nothing may start from that, and the fault is told.
        rig.line.set(|s| *s = Default::default());
        rig.host.listen(Duration::from_millis(300))?;
    }
    let fault = rig.host.telemetry.and_then(|t| t.fault);

    let (zero, peak_ma, charge_uc, last_on) = rig.head.look(|s| {
        let after = s.ticks.get(from..).unwrap_or_default();
        let zero = after.iter().position(|t| !t.relay_closed);
        let peak_ma = after.iter().map(|t| t.current_ma.abs()).fold(0.0, f32::max);
        let until = zero.unwrap_or(after.len());
        let sum_ma: f64 = after.iter().take(until).map(|t| f64::from(t.current_ma.abs())).sum();
        let last_on = after.iter().rposition(|t| t.relay_closed);
        (zero, peak_ma, sum_ma * TICK_MS, last_on)
    });
    let zero_ms = zero.map(|ticks| ticks as f64 * TICK_MS);
    let shown = zero_ms.map_or("goes on".to_owned(), |ms| format!("{ms:.1}"));
    let latched = fault.map_or("-".to_owned(), |f| format!("{:?} {:.3}", f.code, f.value));
    println!("{:<22} {shown:>9} {peak_ma:>9.4} {charge_uc:>9.1}  {latched}", scenario.name);

    if peak_ma > scenario.largest_ma {
        return Err(Error::other(format!("{peak_ma} mA is above {} mA", scenario.largest_ma)));
    }
    match (&scenario.outcome, zero_ms) {
        (Outcome::GoesOn, None) if fault.is_none() => Ok(()),
        (Outcome::GoesOn, _) => Err(Error::other("it should have gone on")),
        (Outcome::Zero(..), None) => Err(Error::other("the relay never opened")),
        (Outcome::Zero(bound_ms, _), Some(ms)) if ms > *bound_ms => {
            Err(Error::other(format!("zero after {ms} ms, {bound_ms} allowed")))
        }
        (Outcome::Zero(_, codes), _) if !fault.is_some_and(|f| codes.contains(&f.code)) => {
            Err(Error::other(format!("latched {latched}, expected one of {codes:?}")))
        }
        (Outcome::Zero(..), _) if last_on >= zero => Err(Error::other("the relay closed again")),
        (Outcome::Zero(..), _) => Ok(()),
    }
}
