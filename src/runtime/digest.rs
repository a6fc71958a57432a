//! Adds up the notes of a run into its summary. Both runtimes feed it.

use super::{
    events,
    latency::{Latency, LatencyUs},
    observation::{Halt, Note, Stamped},
    summary::{EstimateTally, Summary},
};
use crate::{
    acquisition::{conditioner::Counts, state::StreamState},
    limits::{Dose, SlowMean},
};

/// The most faults that a summary lists; a device that flaps must not fill the memory.
const MOST_FAULTS: usize = 100;

/// What has been seen so far.
#[derive(Default)]
pub struct Digest {
    steer: usize,
    /// The current's mean over 10 s, its largest size so far, and from where it deserves a warning, in mA.
    dc: Option<SlowMean>,
    dc_ma: f64,
    dc_warn_ma: f64,
    estimates: EstimateTally,
    stimulation_exponent: Option<f64>,
    decisions: u64,
    underruns: u64,
    lost_since_s: Option<f64>,
    faults: Vec<String>,
    /// The current, as the device delivered it.
    delivered: Dose,
    rate_hz: f64,
    began_s: f64,
    /// When and why nothing started any more, before the run ended.
    halted: Option<(f64, String)>,
    latency: Latency,
    since_stamp: Latency,
    skipped: u64,
}

impl Digest {
    /// `steer`: index of the steering region; `rate_hz` of the current; a 10 s mean of more than `dc_warn_ma`
    /// is a warning; the run began at `began_s`.
    #[must_use]
    pub fn new(steer: usize, rate_hz: f64, dc_warn_ma: f64, began_s: f64) -> Self {
        Self { steer, dc: Some(SlowMean::new(rate_hz)), dc_warn_ma, rate_hz, began_s, ..Self::default() }
    }

    /// Takes a note in.
    pub fn note(&mut self, stamped: &Stamped) {
        match stamped.note {
            Note::Estimate(estimate) if estimate.target == self.steer => self.estimates.push(&estimate),
            Note::Hop { took_s, since_stamp_s, skipped } => {
                self.latency.record_s(took_s);
                self.since_stamp.record_s(since_stamp_s);
                self.skipped = skipped;
            }
            Note::Decision(decision) => {
                self.decisions += 1;
                self.stimulation_exponent = Some(decision.exponent);
            }
            Note::Device(status) => self.underruns = self.underruns.max(status.underruns),
            Note::Halted(why) if events::lasts(why) && !matches!(why, Halt::Ends(_)) => {
                let at_s = stamped.at_s - self.began_s;
                self.halted.get_or_insert_with(|| (at_s, events::halt_words(why)));
            }
            Note::Stream(StreamState::Lost) => self.lost_since_s = Some(stamped.at_s),
            Note::Stream(StreamState::Live) => self.lost_since_s = None,
            _ => {}
        }
        if let Some(words) = events::fault_words(stamped, self.began_s)
            && self.faults.len() < MOST_FAULTS
        {
            self.faults.push(words);
        }
    }

    /// Takes a delivered sample in, in mA.
    pub fn delivered(&mut self, current_ma: f32) {
        self.delivered.push(f64::from(current_ma), self.rate_hz);
        if let Some(dc) = &mut self.dc {
            self.dc_ma = self.dc_ma.max(dc.push(f64::from(current_ma)).abs());
        }
    }

    /// Adds a fault that no note tells of.
    pub fn fault(&mut self, words: String) {
        self.faults.push(words);
    }

    /// From the last sample of a window in the ring to its decision queued.
    #[must_use]
    pub fn latency(&self) -> LatencyUs {
        self.latency.summary()
    }

    /// Hops passed over because a newer window was waiting.
    #[must_use]
    pub fn skipped(&self) -> u64 {
        self.skipped
    }

    /// Index of the steering region.
    #[must_use]
    pub fn steer(&self) -> usize {
        self.steer
    }

    /// The faults so far.
    #[must_use]
    pub fn faults(&self) -> &[String] {
        &self.faults
    }

    /// The summary of it all. `counts`: acquisition's; `overruns`: frames that our ring dropped; `active_s`: seconds with
    /// current as the host's limiter counts them, which every limit and ledger goes by. (A device rounds the quiet
    /// ends of a ramp to zero.)
    #[must_use]
    pub fn summary(&self, counts: &Counts, overruns: u64, active_s: f64) -> Summary {
        let mut summary = Summary {
            samples_received: counts.received,
            samples_lost: counts.lost + overruns,
            gaps: counts.gaps + counts.resumes,
            frames_spoilt: counts.spoilt_frames,
            stimulation_exponent: self.stimulation_exponent,
            decisions: self.decisions,
            underruns: self.underruns,
            faults: self.faults.clone(),
            halted: self.halted.clone(),
            loop_latency_us: self.latency(),
            stamp_latency_us: self.since_stamp.summary(),
            ..Summary::default()
        };
        self.estimates.fill(&mut summary);
        summary.stimulation_seconds = active_s;
        if active_s > 0.0 {
            summary.current_rms_ma = (self.delivered.sum_squares_ma2 / (active_s * self.rate_hz)).sqrt();
        }
        summary.current_peak_ma = self.delivered.peak_ma;
        summary.charge_c = self.delivered.total_charge_mc * 1e-3;
        summary.current_dc_ua = self.dc_ma * 1e3;
        if self.dc_ma > self.dc_warn_ma {
            summary.warnings.push(format!(
                "the mean current over 10 s reached {:.1} uA (limits.dc_warn_ua = {:.1})",
                self.dc_ma * 1e3,
                self.dc_warn_ma * 1e3
            ));
        }
        if let Some(since_s) = self.lost_since_s {
            let at_s = since_s - self.began_s;
            summary
                .faults
                .push(format!("the EEG stream was lost {at_s:.1} s into the run and did not come back"));
        }
        summary
    }
}
