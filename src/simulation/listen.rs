//! Hears what a running `tras` delivers: the current and the events that say what profile it belongs to.
//!
//! Its own thread, because resolving and opening streams block for seconds, which the publisher's pace does not
//! allow. Out: a channel of [`Heard`]. The listener keeps looking until both streams are there, and follows them
//! when they come back.

use serde::{Deserialize, Serialize};

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
use lsl::{ContinuousResolver, Pullable, StreamInlet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// Something heard.
#[derive(Clone, Debug, PartialEq)]
pub enum Heard {
    /// One sample of current: its stamp on this machine's LSL clock, how long it lasts (s), and its value (mA).
    Current(f64, f64, f32),
    /// The stimulator plays this exponent at this root mean square (mA), from now on; `None`: nothing.
    Drive(Option<(f64, f64)>),
}

/// Names of the streams to hear.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Names {
    /// The current's, `tras-current`.
    pub current: String,
    /// The events', `tras-events`.
    pub events: String,
}

impl Names {
    /// The streams that belong to the current outlet called `current`.
    #[must_use]
    pub fn of_current(current: &str) -> Self {
        let stem = current.strip_suffix("-current").unwrap_or(current);
        Self { current: current.into(), events: format!("{stem}-events") }
    }
}

/// A running listener; ends when dropped.
pub struct Listener {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
    heard: Receiver<Heard>,
}

/// Room for 8 s of current at 2,000 Hz; what does not fit is left out.
const QUEUE: usize = 16_384;

impl Listener {
    /// Starts listening.
    ///
    /// # Errors
    /// Where the thread cannot be started.
    pub fn start(names: Names) -> std::io::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let (sender, heard) = bounded(QUEUE);
        let flag = Arc::clone(&stop);
        let thread =
            std::thread::Builder::new().name("listen".into()).spawn(move || run(&names, &sender, &flag))?;
        Ok(Self { stop, thread: Some(thread), heard })
    }

    /// What has been heard since the last call.
    pub fn heard(&self) -> impl Iterator<Item = Heard> + '_ {
        self.heard.try_iter()
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// An inlet that finds its stream when it appears; liblsl itself recovers one that comes back.
struct Seeker {
    resolver: ContinuousResolver,
    inlet: Option<StreamInlet>,
    correction_s: f64,
    /// Time between samples; 0 for events.
    period_s: f64,
}

impl Seeker {
    fn new(name: &str) -> Result<Self, lsl::Error> {
        let resolver = ContinuousResolver::new_with_prop("name", name, 5.0)?;
        Ok(Self { resolver, inlet: None, correction_s: 0.0, period_s: 0.0 })
    }

    /// The inlet, where the stream has been found.
    fn inlet(&mut self) -> Option<&StreamInlet> {
        if self.inlet.is_none()
            && let Ok(found) = self.resolver.results()
            && let Some(info) = found.first()
            && let Ok(inlet) = StreamInlet::new(info, 30, 0, true)
            && inlet.open_stream(2.0).is_ok()
        {
            // A sender that has just begun may not answer in time: on the same machine 0 is right anyway.
            self.correction_s = inlet.time_correction(2.0).unwrap_or(0.0);
            self.period_s = if info.nominal_srate() > 0.0 { 1.0 / info.nominal_srate() } else { 0.0 };
            self.inlet = Some(inlet);
        }
        self.inlet.as_ref()
    }
}

fn run(names: &Names, sender: &Sender<Heard>, stop: &AtomicBool) {
    let (Ok(mut current), Ok(mut events)) = (Seeker::new(&names.current), Seeker::new(&names.events)) else {
        eprintln!("tras simulate: LSL cannot look for `{}`; the participant will not respond", names.current);
        return;
    };
    let mut value: Vec<f32> = vec![0.0];
    while !stop.load(Ordering::Relaxed) {
        let mut idle = true;
        if let Some(inlet) = events.inlet() {
            while let Ok((sample, stamp)) = Pullable::<String>::pull_sample(inlet, 0.0)
                && stamp != 0.0
            {
                idle = false;
                if let Some(drive) = sample.first().and_then(|text| drive_of(text))
                    && matches!(sender.try_send(Heard::Drive(drive)), Err(TrySendError::Disconnected(_)))
                {
                    return;
                }
            }
        }
        let _ = current.inlet();
        let (correction_s, period_s) = (current.correction_s, current.period_s);
        if let Some(inlet) = &current.inlet {
            while let Ok(stamp_s) = inlet.pull_sample_buf(&mut value, 0.0)
                && stamp_s != 0.0
            {
                idle = false;
                let current_ma = value.first().copied().unwrap_or(0.0);
                let heard = Heard::Current(stamp_s + correction_s, period_s, current_ma);
                if matches!(sender.try_send(heard), Err(TrySendError::Disconnected(_))) {
                    return;
                }
            }
        }
        if idle {
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

/// What an event says of the current: `{"event":"current","exponent":1.8,"rms_ma":0.16}`. `None` for other
/// events and for what is no JSON; an exponent or rms that is missing, null or 0 means that nothing flows.
#[must_use]
pub fn drive_of(json: &str) -> Option<Option<(f64, f64)>> {
    let event: serde_json::Value = serde_json::from_str(json).ok()?;
    if event.get("event")?.as_str()? != "current" {
        return None;
    }
    let number = |key: &str| event.get(key).and_then(serde_json::Value::as_f64);
    Some(number("exponent").zip(number("rms_ma")).filter(|(_, rms_ma)| *rms_ma > 0.0))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn events_of_the_current_are_understood_and_others_left() {
        assert_eq!(drive_of(r#"{"event":"current","exponent":1.8,"rms_ma":0.16}"#), Some(Some((1.8, 0.16))));
        assert_eq!(drive_of(r#"{"event":"current","exponent":null,"rms_ma":0}"#), Some(None));
        assert_eq!(drive_of(r#"{"event":"current"}"#), Some(None));
        for other in [r#"{"event":"state","to":"armed"}"#, "", "{", "[1]", "3"] {
            assert_eq!(drive_of(other), None, "{other}");
        }
        assert_eq!(Names::of_current("lab-current").events, "lab-events");
    }
}
