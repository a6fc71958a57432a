//! The virtual participant as an LSL stream: sample k leaves at start + k / rate and is stamped with that time.
//!
//! One thread, the caller's: it makes each sample, lets the faults at it, and pushes it. In: settings, a stop
//! flag, and what the [`super::listen`] thread hears of the current. Out: the stream, and counts.

use super::SimulationError;
use super::faults::{Fault, Injector};
use super::listen::{Heard, Listener, Names};
use super::pace::{Clock, Lateness, LslClock, due_s, wait_until};
use super::participant::{Participant, ParticipantSettings};
use super::source::{CurrentBuffer, describe};
use crate::outlets::{describe::declare, prompt};
use lsl::{ChannelFormat, StreamOutlet};
use std::sync::atomic::AtomicBool;

/// The artefact reaches the published EEG this long after the current flowed, because the current is heard over
/// the network first. A real head answers at once; everything that waits for a settled EEG waits longer.
pub const RESPONSE_DELAY_S: f64 = 0.25;
/// From opening the stream to its first sample, so that a reader that is waiting can connect.
const LEAD_S: f64 = 0.2;
/// Readers may lag this many seconds before they lose data.
const BUFFER_S: i32 = 360;

/// What to publish, and how.
#[derive(Clone, Debug, PartialEq)]
pub struct PublishSettings {
    /// The stream's name.
    pub name: String,
    /// What the participant is like.
    pub participant: ParticipantSettings,
    /// Seed of everything random.
    pub seed: u64,
    /// Samples pushed together, as amplifiers with blocks do; each has its own stamp.
    pub chunk: u32,
    /// Length in seconds; `None`: until stopped.
    pub seconds: Option<f64>,
    /// What is to go wrong.
    pub faults: Vec<Fault>,
    /// Streams of a running `tras` to respond to.
    pub respond_to: Option<Names>,
}

/// What was published.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Published {
    /// Samples made.
    pub made: u64,
    /// Samples sent; fewer than made where faults withheld some.
    pub sent: u64,
    /// How late chunks left.
    pub lateness: Lateness,
    /// The participant's exponent at the end.
    pub exponent: f64,
    /// Samples of current heard, and those of them that came too late.
    pub current_heard: u64,
    /// See `current_heard`.
    pub current_late: u64,
}

/// Publishes until `stop` is set or the time is over; calls `watch` about once a second.
///
/// # Errors
/// [`SimulationError::Arguments`] for settings that make no sense, [`SimulationError::Fault`] where LSL fails.
pub fn publish(
    settings: &PublishSettings,
    stop: &AtomicBool,
    mut watch: impl FnMut(&Published),
) -> Result<Published, SimulationError> {
    let wrong = |what: String| Err(SimulationError::Arguments(what));
    if settings.name.trim().is_empty() {
        return wrong("the stream's name is empty".into());
    }
    let rate_hz = settings.participant.rate_hz;
    if settings.chunk == 0 || f64::from(settings.chunk) > 10.0 * rate_hz {
        return wrong(format!("chunk of {} samples: give 1 to 10 s of samples", settings.chunk));
    }
    let labels = &settings.participant.labels;
    let mut injector =
        Injector::new(&settings.faults, rate_hz, labels).map_err(SimulationError::Arguments)?;
    let mut participant = Participant::new(&settings.participant, settings.seed)?;
    let listener = settings.respond_to.clone().map(Listener::start).transpose();
    let listener = listener.map_err(|e| SimulationError::Fault(format!("cannot start the listener: {e}")))?;
    let mut outlet = Some(open(settings)?);

    let clock = LslClock;
    let start_s = clock.now_s() + LEAD_S;
    let end = settings.seconds.map_or(u64::MAX, |seconds| (seconds * rate_hz).round() as u64);
    let mut current = CurrentBuffer::new(start_s, rate_hz, 2.0);
    let mut drive = None;
    let mut frame = vec![0.0_f32; labels.len()];
    let mut published = Published::default();
    let mut next_watch_s = start_s + 1.0;
    let mut failure = None;

    while published.made < end {
        let chunk = u64::from(settings.chunk).min(end - published.made);
        let deadline_s = due_s(start_s, rate_hz, published.made + chunk - 1);
        if !wait_until(&clock, deadline_s, stop) {
            break;
        }
        published.lateness.note(deadline_s, clock.now_s());
        for heard in listener.iter().flat_map(Listener::heard) {
            match heard {
                Heard::Drive(now) => drive = now,
                Heard::Current(stamp_s, period_s, current_ma) => {
                    published.current_heard += 1;
                    current.put(stamp_s + RESPONSE_DELAY_S, period_s, current_ma);
                }
            }
        }
        for i in 0..chunk {
            let stamp_s = due_s(start_s, rate_hz, published.made);
            participant.next_sample(drive, current.take(), &mut frame);
            published.made += 1;
            match (injector.is_lost(), outlet.is_some()) {
                (true, true) => outlet = None,
                (false, false) => outlet = Some(open(settings)?),
                _ => {}
            }
            let through = i + 1 == chunk;
            injector.pass(stamp_s, &mut frame, |stamp_s, frame| {
                if let Some(outlet) = &outlet {
                    match prompt::push(outlet, frame, stamp_s, through) {
                        Ok(()) => published.sent += 1,
                        Err(error) => failure = Some(error),
                    }
                }
            });
        }
        if let Some(error) = failure {
            return Err(SimulationError::Fault(format!("LSL outlet `{}`: {error}", settings.name)));
        }
        if deadline_s >= next_watch_s {
            next_watch_s = deadline_s + 1.0;
            published.exponent = participant.exponent();
            published.current_late = current.late();
            watch(&published);
        }
    }
    published.exponent = participant.exponent();
    published.current_late = current.late();
    // Closing at once would cut off what readers have not fetched yet.
    clock.sleep(0.3);
    Ok(published)
}

fn open(settings: &PublishSettings) -> Result<StreamOutlet, SimulationError> {
    let stream = describe(&settings.participant, &settings.name, settings.seed);
    let notes = [
        ("software", format!("tras {} simulate", env!("CARGO_PKG_VERSION"))),
        ("reference", "none (simulated, common average free)".to_owned()),
        ("simulated", "true".to_owned()),
        ("exponent", settings.participant.exponent.to_string()),
        ("seed", settings.seed.to_string()),
    ];
    let fault =
        |error: lsl::Error| SimulationError::Fault(format!("LSL outlet `{}`: {error}", settings.name));
    let info = declare(&stream, ChannelFormat::Float32, &notes).map_err(fault)?;
    StreamOutlet::new(&info, 0, BUFFER_S).map_err(fault)
}
