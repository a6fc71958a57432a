//! What is on the screen, as plain data. The runtime writes it through these methods; drawing only reads.
//!
//! Everything has a fixed size, so that a session of hours costs no more than one of minutes.

use std::collections::VecDeque;

use super::history::History;
use super::trace::Trace;
use crate::estimator::Estimate;

pub use super::panels::{
    ExponentPoint, ExponentView, LatencyView, SpectrumView, StimulationView, StreamView, TargetView,
    ThroughPoint,
};

/// Channels whose traces are kept; the screen scrolls through them.
pub const MAX_TRACES: usize = 64;
/// Seconds of EEG on screen.
pub const EEG_SPAN_S: f64 = 6.0;
/// Seconds of current on screen: a ramp and more.
pub const CURRENT_SPAN_S: f64 = 30.0;
/// Slices of a trace: more than a wide terminal has points.
pub const COLUMNS: usize = 360;
/// Estimates that the history keeps: two minutes at ten a second.
pub const MAX_HISTORY: usize = 1200;
/// Seconds of exponents on screen.
pub const HISTORY_SPAN_S: f64 = 120.0;
/// Events and faults that are kept.
pub const MAX_EVENTS: usize = 64;

/// Something that happened, for the list.
#[derive(Clone, Debug, PartialEq)]
pub struct EventLine {
    /// Seconds since the start of the session.
    pub elapsed_s: f64,
    /// What happened.
    pub text: String,
}

/// Everything that the screen shows.
#[derive(Clone, Debug)]
pub struct View {
    /// The command: `demo`, `run`, `monitor`.
    pub command: String,
    /// Seconds since the start of the session.
    pub elapsed_s: f64,
    /// Hides profile, exponent and current, and whatever would give them away.
    pub blinded: bool,
    /// Estimates of now would tell a condition: none is shown.
    pub hidden: bool,
    /// The stream.
    pub stream: StreamView,
    /// One trace a channel, at most [`MAX_TRACES`].
    pub eeg: Vec<Trace>,
    /// The last spectrum.
    pub spectrum: SpectrumView,
    /// The exponents.
    pub exponents: ExponentView,
    /// Every region and channel that is estimated, in the order of their targets.
    pub targets: Vec<TargetView>,
    /// The exponents of the steering region over hours.
    pub history: History,
    /// The current as delivered, in mA.
    pub current: Trace,
    /// Stimulation.
    pub stimulation: StimulationView,
    /// Latency of the loop.
    pub latency: LatencyView,
    /// Where the recording goes; empty where there is none.
    pub recording: String,
    /// Observations that the recorder or outlets had to drop.
    pub dropped: u64,
    /// Latched faults, newest last.
    pub faults: VecDeque<EventLine>,
    /// What a session by a protocol says, all of it.
    pub words: Vec<String>,
    /// Events, newest last.
    pub events: VecDeque<EventLine>,
    /// Those of them that an operator without a screen is told at once, newest last, and how many there were.
    pub told: VecDeque<EventLine>,
    /// See `told`.
    pub told_count: usize,
}

impl Default for View {
    fn default() -> Self {
        Self {
            command: String::new(),
            elapsed_s: 0.0,
            blinded: false,
            hidden: false,
            stream: StreamView::default(),
            eeg: Vec::new(),
            spectrum: SpectrumView::default(),
            exponents: ExponentView::default(),
            targets: Vec::new(),
            history: History::default(),
            current: Trace::new(CURRENT_SPAN_S, COLUMNS),
            stimulation: StimulationView::default(),
            latency: LatencyView::default(),
            recording: String::new(),
            dropped: 0,
            faults: VecDeque::new(),
            words: Vec::new(),
            events: VecDeque::new(),
            told: VecDeque::new(),
            told_count: 0,
        }
    }
}

impl View {
    /// Takes a stream's name, rate and channel labels, and starts its traces anew.
    pub fn set_stream(&mut self, name: &str, rate_hz: f64, channels: &[String]) {
        self.stream.name = name.to_owned();
        self.stream.rate_hz = rate_hz;
        self.stream.channels = channels.to_vec();
        self.eeg = vec![Trace::new(EEG_SPAN_S, COLUMNS); channels.len().min(MAX_TRACES)];
    }

    /// Adds one frame: a value in uV for each chosen channel. Channels beyond [`MAX_TRACES`] are not shown.
    pub fn push_frame(&mut self, stamp_s: f64, values_uv: &[f32]) {
        for (trace, &value) in self.eeg.iter_mut().zip(values_uv) {
            trace.push(stamp_s, value);
        }
    }

    /// Adds one sample of current as the device delivered it.
    pub fn push_current(&mut self, stamp_s: f64, current_ma: f32) {
        self.current.push(stamp_s, current_ma);
    }

    /// Takes the spectrum from which the next estimate of the steering region is made, linear power in uV²/Hz.
    pub fn set_spectrum(&mut self, freqs_hz: &[f64], power: &[f64]) {
        self.spectrum.bins.clear();
        let positive = freqs_hz.iter().zip(power).filter(|&(&freq, &power)| freq > 0.0 && power > 0.0);
        self.spectrum.bins.extend(positive.map(|(&freq, &power)| (freq, power.log10())));
    }

    /// Adds an estimate of the steering region, and shows its line and peaks on the spectrum.
    pub fn push_estimate(&mut self, estimate: &Estimate) {
        let fit = &estimate.fit;
        self.spectrum.offset = fit.offset;
        self.spectrum.exponent = fit.exponent;
        self.spectrum.knee = fit.knee;
        self.spectrum.r_squared = fit.r_squared;
        self.spectrum.peaks.clear();
        self.spectrum.peaks.extend_from_slice(fit.peaks.as_slice());
        self.spectrum.contamination = estimate.contamination;
        self.exponents.count += 1;
        self.exponents.valid += u64::from(fit.invalid.is_none());
        let point = ExponentPoint::of(estimate);
        if point.is_clean() {
            self.exponents.last_clean = Some(point);
        }
        self.history.push(&point);
        self.exponents.points.push_back(point);
        while self.exponents.points.len() > MAX_HISTORY {
            self.exponents.points.pop_front();
        }
    }

    /// Takes an estimate of any region or channel into the list of all.
    pub fn push_target(&mut self, estimate: &Estimate) {
        let Some(target) = self.targets.get_mut(estimate.target) else { return };
        let point = ExponentPoint::of(estimate);
        target.newest = Some(point);
        if point.is_clean() {
            target.last_clean = Some(point);
        }
    }

    /// Takes the curves of `frozen`, so that a paused screen still shows every state, fault and number of now.
    pub fn take_curves(&mut self, frozen: &mut Self) {
        std::mem::swap(&mut self.eeg, &mut frozen.eeg);
        std::mem::swap(&mut self.spectrum, &mut frozen.spectrum);
        std::mem::swap(&mut self.exponents.points, &mut frozen.exponents.points);
        std::mem::swap(&mut self.history, &mut frozen.history);
        std::mem::swap(&mut self.current, &mut frozen.current);
    }

    /// Adds a line to the list of events.
    pub fn push_event(&mut self, text: impl Into<String>) {
        push_bounded(&mut self.events, self.elapsed_s, text.into());
    }

    /// Logs something that an operator without a screen is told at once too.
    pub fn tell(&mut self, text: impl Into<String>) {
        let text = text.into();
        push_bounded(&mut self.told, self.elapsed_s, text.clone());
        self.told_count += 1;
        self.push_event(text);
    }

    /// Shows a latched fault until [`View::clear_faults`].
    pub fn push_fault(&mut self, text: impl Into<String>) {
        push_bounded(&mut self.faults, self.elapsed_s, text.into());
    }

    /// Takes the faults off the screen, once they have been acknowledged.
    pub fn clear_faults(&mut self) {
        self.faults.clear();
    }
}

fn push_bounded(lines: &mut VecDeque<EventLine>, elapsed_s: f64, text: String) {
    lines.push_back(EventLine { elapsed_s, text });
    while lines.len() > MAX_EVENTS {
        lines.pop_front();
    }
}
