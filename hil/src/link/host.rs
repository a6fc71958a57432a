//! The host's end: the program's own stimulate stage and adapter, once a millisecond in a thread of its own, as
//! `runtime::live` runs them. Every call to the device is noted as it goes by; nothing is changed.

use std::io::{Error, Result};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tras::controller::Decision;
use tras::current::{Current, Setup};
use tras::limits::HostLimits;
use tras::noise::Profile;
use tras::realtime::{self, Granted};
use tras::runtime::observation::Notes;
use tras::runtime::stages::closed_loop::Command;
use tras::runtime::stages::stimulate::{BurstSettings, StimulateStage};
use tras::stimulator::linked::{Line, Linked};
use tras::stimulator::{Latched, Stimulator, Stop};
use tras::watch::CurrentWatch;

use super::calls::{Calls, Noted};
use super::machine::{self, Threads};
use crate::lock;

/// Between two steps, as in `runtime::live`.
const NAP: Duration = Duration::from_millis(1);
/// The priority that `runtime::live` asks for.
const PRIORITY: i32 = 80;
/// The configuration's shortest ramps, in s.
const RAMP_S: f64 = 5.0;
/// A burst that has not come to rest for so long after its end never will, in s.
const REST_WITHIN_S: f64 = 10.0;
/// Largest |current| in mA: the default.
pub(super) const PEAK_MA: f64 = 0.5;

/// How a burst ends.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum End {
    /// By its ramp, as scheduled.
    Finish,
    /// By a command to the device.
    Stop(Stop),
}

/// A burst to be played.
#[derive(Clone, Copy, Debug)]
pub(super) struct Burst {
    /// χ.
    pub exponent: f64,
    /// From its start to its end, ramp up included.
    pub seconds: f64,
    /// How it ends.
    pub end: End,
}

/// A burst that was played. Times are seconds since the epoch that the host was given.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    /// What was asked for.
    pub burst: Burst,
    /// When it was started.
    pub from_s: f64,
    /// When its end was called.
    pub to_s: f64,
}

/// What a run of the host left.
pub(super) struct Run {
    /// What went to the device.
    pub calls: Calls,
    /// The bursts, as far as they came.
    pub spans: Vec<Span>,
    /// Of the stimulate thread.
    pub granted: Granted,
    /// Processor time of stimulate and I/O thread over the time that they ran.
    pub cpu: Threads,
    /// Why it ended early.
    pub broken: Option<String>,
}

/// Plays `bursts` on `device`, in a thread of its own at an ordinary nice value; `refuse`: it may not ask for
/// real time, as on a stock machine. Ends early where the device latches a fault or is lost.
///
/// # Errors
/// The device cannot be connected to.
pub(super) fn play<L: Line + 'static>(
    device: Linked<L>,
    bursts: Vec<Burst>,
    refuse: bool,
    epoch: Instant,
) -> Result<Run> {
    let thread = std::thread::Builder::new().name("tras-stimulate".into()).spawn(move || {
        machine::be_ordinary();
        if refuse {
            machine::give_up_real_time()?;
        }
        run(device, &bursts, epoch)
    })?;
    thread.join().map_err(|_| Error::other("the host's thread has died"))?
}

fn run<L: Line + 'static>(mut device: Linked<L>, bursts: &[Burst], epoch: Instant) -> Result<Run> {
    let now_s = || epoch.elapsed().as_secs_f64();
    let limits = HostLimits::for_electrode(35.0);
    let setup = Setup { ramp_up_s: RAMP_S, ramp_down_s: RAMP_S, ..Setup::new(limits, 5) };
    let current = Current::new(&setup).map_err(Error::other)?;
    let seconds = bursts.iter().map(|burst| burst.seconds + RAMP_S + 1.0).sum();
    let calls = Arc::new(Mutex::new(Calls::for_seconds(seconds)));
    device.connect(&limits.to_device(), Latched::Refuse, now_s()).map_err(Error::other)?;
    let noted = Noted { inner: device, calls: calls.clone() };
    let watch = Arc::new(CurrentWatch::default());
    let (notes, heard) = Notes::channel(1_024);
    let burst =
        BurstSettings { profile: Profile::Steep, peak_ma: PEAK_MA, rms_ma: PEAK_MA / 3.0, start_kohm: 10.0 };
    let mut decision = Decision {
        id: 1,
        estimate_id: 0,
        at_s: now_s(),
        exponent: 1.0,
        peak_ma: PEAK_MA,
        flow: true,
        bounded: false,
        through: false,
    };
    let mut stage =
        StimulateStage::new(burst, current, Box::new(noted), decision, watch.clone(), notes, now_s());

    let granted = realtime::promote(PRIORITY);
    let before = Threads::now();
    let (mut spans, mut broken) = (Vec::new(), None);
    for &burst in bursts {
        decision = Decision { id: decision.id + 1, exponent: burst.exponent, ..decision };
        stage.command(Command::Decide(decision), now_s());
        stage.command(Command::Start, now_s());
        let (from_s, mut ended_s) = (now_s(), None);
        while ended_s.is_none() || watch.flowing() {
            let at_s = now_s();
            if ended_s.is_none() && at_s >= from_s + burst.seconds {
                ended_s = Some(at_s);
                match burst.end {
                    End::Finish => stage.command(Command::Finish, at_s),
                    End::Stop(how) => stage.command(Command::Stop(how), at_s),
                }
            }
            stage.step(true, now_s(), &mut |_| {});
            heard.try_iter().for_each(drop);
            let status = lock(&calls).status;
            broken = status.and_then(|s| {
                let fault = s.fault.map(|f| format!("{:?} ({}) latched", f.code, f.value));
                s.lost.map(str::to_owned).or(fault)
            });
            if ended_s.is_some_and(|ended_s| now_s() > ended_s + REST_WITHIN_S + RAMP_S) {
                broken = broken.or(Some("it did not come to rest".into()));
            }
            if broken.is_some() {
                break;
            }
            std::thread::sleep(NAP);
        }
        spans.push(Span { burst, from_s, to_s: ended_s.unwrap_or_else(now_s) });
        if broken.is_some() {
            break;
        }
    }
    let cpu = Threads::now().since(&before);
    stage.disarm(now_s());
    let until = Instant::now() + Duration::from_millis(200);
    while Instant::now() < until {
        stage.step(true, now_s(), &mut |_| {});
        std::thread::sleep(NAP);
    }
    drop(stage);
    let calls = std::mem::take(&mut *lock(&calls));
    Ok(Run { calls, spans, granted, cpu, broken })
}
