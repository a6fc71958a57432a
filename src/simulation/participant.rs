//! The virtual participant: an EEG whose aperiodic exponent is known, because it was made that way.
//!
//! Each channel is a sum: coloured background (partly shared between neighbours), rhythms in bursts, blinks,
//! mains hum, drift, and the artefact of whatever current is delivered. Core code: no clock, no I/O, no
//! allocation after construction; the same settings and seed give the same samples, whatever the sizes of the
//! blocks in which they are asked for.

use super::background::{Colour, ColourFilter, EXPONENT_RANGE};
use super::montage;
use super::nuisance::{Blinks, Drift, DriftLaw, Mains};
use super::response::{Response, ResponseSettings, Stimulus, current_at};
use super::rhythm::{Rhythm, RhythmSettings};
use crate::acquisition::frame::MAX_CHANNELS;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;
use serde::{Deserialize, Serialize};

/// Samples between two looks at the exponent. The filters' coefficients move in steps this short.
const UPDATE: u64 = 8;
/// Seconds run before the first sample, so that the slowest section has settled.
const WARM_UP_S: f64 = 12.0;
/// Foci of the sources that electrodes share.
const SHARED_FOCI: [&str; 4] = ["Fz", "Oz", "C5", "C6"];

/// A change of the resting exponent at a time.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExponentChange {
    /// When it begins, in seconds from the participant's first sample.
    pub at_s: f64,
    /// The new resting exponent.
    pub exponent: f64,
    /// How long the change takes, in seconds.
    pub over_s: f64,
}

/// What a participant is like.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ParticipantSettings {
    /// Sampling rate in Hz.
    pub rate_hz: f64,
    /// Electrode labels, one a channel.
    pub labels: Vec<String>,
    /// Resting exponent, 0..=3.
    pub exponent: f64,
    /// Later values of the resting exponent, by time.
    pub changes: Vec<ExponentChange>,
    /// Root mean square of the background between 1 Hz and 45 Hz (0.45 of a lower rate), in microvolts. It is the
    /// same for every exponent.
    pub background_uv: f64,
    /// Share of the background's variance that neighbouring electrodes have in common, 0..1.
    pub shared: f64,
    /// Oscillations.
    pub rhythms: Vec<RhythmSettings>,
    /// Blinks a minute.
    pub blinks_per_minute: f64,
    /// Height of a blink at the forehead, in microvolts.
    pub blink_uv: f64,
    /// Mains frequency in Hz; 0: no hum.
    pub line_hz: f64,
    /// Peak of the hum's fundamental, in microvolts.
    pub line_uv: f64,
    /// Root mean square of the electrodes' drift, in microvolts.
    pub drift_uv: f64,
    /// How current acts.
    pub response: ResponseSettings,
}

impl Default for ParticipantSettings {
    fn default() -> Self {
        Self {
            rate_hz: 250.0,
            labels: montage::labels(8),
            exponent: 1.5,
            changes: Vec::new(),
            background_uv: 12.0,
            shared: 0.5,
            rhythms: vec![RhythmSettings::alpha(10.0), RhythmSettings::theta(5.0)],
            blinks_per_minute: 12.0,
            blink_uv: 120.0,
            line_hz: 50.0,
            line_uv: 2.0,
            drift_uv: 10.0,
            response: ResponseSettings::default(),
        }
    }
}

impl ParticipantSettings {
    /// Background alone, at `rate_hz` on `channels` channels: for measuring an estimator.
    #[must_use]
    pub fn bare(rate_hz: f64, channels: usize, exponent: f64) -> Self {
        Self {
            rate_hz,
            labels: montage::labels(channels),
            exponent,
            rhythms: Vec::new(),
            blinks_per_minute: 0.0,
            line_hz: 0.0,
            drift_uv: 0.0,
            ..Self::default()
        }
    }

    /// Checks the settings.
    ///
    /// # Errors
    /// What is wrong, and what would be right.
    pub fn check(&self) -> Result<(), SettingsError> {
        let wrong = |what: String| Err(SettingsError(what));
        let channels = self.labels.len();
        if !(1..=MAX_CHANNELS).contains(&channels) {
            return wrong(format!("{channels} channels: a participant has 1 to {MAX_CHANNELS}"));
        }
        if !(1.0..=100_000.0).contains(&self.rate_hz) {
            return wrong(format!("rate {} Hz: give 1 to 100000 Hz", self.rate_hz));
        }
        let exponents = self.changes.iter().map(|c| c.exponent).chain([self.exponent]);
        for exponent in exponents {
            if !(EXPONENT_RANGE.0..=EXPONENT_RANGE.1).contains(&exponent) {
                return wrong(format!("exponent {exponent}: give 0 to 3"));
            }
        }
        let times = self.changes.iter().flat_map(|c| [c.at_s, c.over_s]);
        let amplitudes =
            [self.background_uv, self.blink_uv, self.line_uv, self.drift_uv, self.blinks_per_minute];
        let rhythms =
            self.rhythms.iter().flat_map(|r| [r.rms_uv, r.centre_hz, r.width_hz, r.on_share, r.burst_s]);
        let response = self.response;
        let rest = [self.line_hz, response.rise_s, response.fade_s, response.full_rms_ma];
        for value in times.chain(amplitudes).chain(rhythms).chain(rest) {
            if !(0.0..=1e6).contains(&value) {
                return wrong(format!("{value}: times, amplitudes and frequencies are 0 to 1000000"));
            }
        }
        for (name, value) in [("shared", self.shared), ("response gain", response.gain)] {
            if !(0.0..=1.0).contains(&value) {
                return wrong(format!("{name} {value}: give 0 to 1"));
            }
        }
        if !response.artefact_uv_per_ma.is_finite() {
            return wrong(format!("artefact {} uV/mA: give a number", response.artefact_uv_per_ma));
        }
        Ok(())
    }

    /// The resting exponent at `t_s` seconds.
    #[must_use]
    pub fn exponent_at(&self, t_s: f64) -> f64 {
        let mut exponent = self.exponent;
        for change in &self.changes {
            let done = if change.over_s > 0.0 {
                ((t_s - change.at_s) / change.over_s).clamp(0.0, 1.0)
            } else {
                f64::from(u8::from(t_s >= change.at_s))
            };
            exponent += done * (change.exponent - exponent);
        }
        exponent
    }
}

/// Settings that no participant can have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("virtual participant: {0}")]
pub struct SettingsError(pub String);

/// How strongly each part is seen on one channel.
#[derive(Clone, Debug)]
struct Electrode {
    shared: [f64; SHARED_FOCI.len()],
    own: f64,
    blink: f64,
    line: f64,
    current_uv_per_ma: f64,
    drift: Drift,
}

/// The running participant. See the module.
#[derive(Clone, Debug)]
pub struct Participant {
    settings: ParticipantSettings,
    colour: Colour,
    filter: ColourFilter,
    electrodes: Vec<Electrode>,
    rhythms: Vec<Rhythm>,
    /// Strength of each rhythm at each electrode, electrode by electrode.
    rhythm_maps: Vec<f64>,
    rhythm_now: Vec<f64>,
    blinks: Blinks,
    line: Mains,
    drift: DriftLaw,
    response: Response,
    samples: u64,
    applied: f64,
    /// Separate streams of random numbers, so that switching one part off leaves the others as they were.
    background_rng: ChaCha8Rng,
    rhythm_rng: ChaCha8Rng,
    nuisance_rng: ChaCha8Rng,
}

impl Participant {
    /// Makes a participant; everything that it will ever need is allocated here.
    ///
    /// # Errors
    /// [`SettingsError`] where the settings make no sense.
    pub fn new(settings: &ParticipantSettings, seed: u64) -> Result<Self, SettingsError> {
        settings.check()?;
        let rate_hz = settings.rate_hz;
        let places = montage::places(&settings.labels);
        let map = |focus: &str, width| {
            montage::topography(&places, montage::place(focus).unwrap_or([0.0, 0.0, 1.0]), width)
        };
        let shared: Vec<Vec<f64>> = SHARED_FOCI.iter().map(|focus| map(focus, 0.6)).collect();
        // Current enters under one electrode and leaves under the other; in between the field is between.
        let (enters, leaves) = (map("Fz", 0.7), map("Pz", 0.7));
        let blink = map("Fpz", 0.45);
        let rhythm_by_focus: Vec<Vec<f64>> = settings.rhythms.iter().map(|r| map(&r.focus, 0.6)).collect();
        let at = |values: &[f64], i: usize| values.get(i).copied().unwrap_or(0.0);
        let mut coupling = stream(seed, 3);
        let electrodes: Vec<Electrode> = (0..places.len())
            .map(|i| {
                let seen: Vec<f64> = shared.iter().map(|source| at(source, i)).collect();
                let power: f64 = seen.iter().map(|w| w * w).sum();
                let scale = (settings.shared / power.max(1e-12)).sqrt();
                let hum: f64 = coupling.random_range(0.5..1.5);
                Electrode {
                    shared: std::array::from_fn(|k| at(&seen, k) * scale),
                    own: (1.0 - settings.shared).sqrt(),
                    blink: at(&blink, i),
                    line: hum,
                    // An even part too: no electrode of a real montage is quite free of the artefact.
                    current_uv_per_ma: settings.response.artefact_uv_per_ma
                        * (0.2 + 0.8 * (at(&enters, i) - at(&leaves, i))),
                    drift: Drift::default(),
                }
            })
            .collect();
        let rhythm_maps =
            (0..places.len()).flat_map(|i| rhythm_by_focus.iter().map(move |r| at(r, i))).collect();
        let colour = Colour::new(rate_hz);
        let filter = ColourFilter::new(&colour, places.len());
        let mut participant = Self {
            colour,
            filter,
            electrodes,
            rhythms: settings.rhythms.iter().map(|r| Rhythm::new(r, rate_hz)).collect(),
            rhythm_maps,
            rhythm_now: vec![0.0; settings.rhythms.len()],
            blinks: Blinks::new(settings.blinks_per_minute, settings.blink_uv, rate_hz),
            line: Mains::new(settings.line_hz, settings.line_uv, rate_hz),
            drift: DriftLaw::new(settings.drift_uv, rate_hz),
            response: Response::new(settings.response),
            samples: 0,
            applied: f64::NAN,
            background_rng: stream(seed, 0),
            rhythm_rng: stream(seed, 1),
            nuisance_rng: stream(seed, 2),
            settings: settings.clone(),
        };
        participant.follow_exponent();
        for _ in 0..(WARM_UP_S * rate_hz) as usize {
            participant.background(|_, _| ());
        }
        Ok(participant)
    }

    /// What the participant is like.
    #[must_use]
    pub fn settings(&self) -> &ParticipantSettings {
        &self.settings
    }

    /// The next `out.len() / channels` samples in microvolts, sample-major, into `out`; they follow the last ones
    /// without a gap. `stimulus` is the current that flows meanwhile. Does not allocate.
    pub fn next_block(&mut self, stimulus: Option<&Stimulus<'_>>, out: &mut [f32]) {
        let channels = self.electrodes.len();
        let count = out.len() / channels;
        let drive = stimulus.and_then(|s| s.exponent.map(|exponent| (exponent, s.rms_ma)));
        let current = stimulus.map_or(&[][..], |s| s.current_ma);
        for (i, frame) in out.chunks_exact_mut(channels).enumerate() {
            self.next_sample(drive, current_at(current, i, count), frame);
        }
    }

    /// The next sample of every channel in microvolts. `drive` is exponent and root mean square (mA) of the
    /// running profile, `current_ma` the mean current over this sample's time. Does not allocate.
    pub fn next_sample(&mut self, drive: Option<(f64, f64)>, current_ma: f64, frame: &mut [f32]) {
        let rate_hz = self.settings.rate_hz;
        let rest = self.settings.exponent_at(self.samples as f64 / rate_hz);
        self.response.pass(1.0 / rate_hz, drive, rest);
        if self.samples.is_multiple_of(UPDATE) {
            self.follow_exponent();
        }
        self.samples += 1;
        for (now, rhythm) in self.rhythm_now.iter_mut().zip(&mut self.rhythms) {
            *now = rhythm.step(&mut self.rhythm_rng);
        }
        let blink = self.blinks.step(&mut self.nuisance_rng);
        let hum = self.line.step(&mut self.nuisance_rng);
        let rhythms = self.rhythm_now.len();
        self.background(|channel, value| {
            if let Some(slot) = frame.get_mut(channel) {
                *slot = value as f32;
            }
        });
        for (i, (electrode, slot)) in self.electrodes.iter_mut().zip(frame).enumerate() {
            let map = self.rhythm_maps.get(i * rhythms..(i + 1) * rhythms).unwrap_or_default();
            let oscillation: f64 = map.iter().zip(&self.rhythm_now).map(|(weight, now)| weight * now).sum();
            let drift = electrode.drift.step(self.drift, &mut self.nuisance_rng);
            let rest_uv = oscillation
                + electrode.blink * blink
                + electrode.line * hum
                + drift
                + electrode.current_uv_per_ma * current_ma;
            *slot = (f64::from(*slot) + rest_uv) as f32;
        }
    }

    /// One sample of every channel's background, handed to `put`.
    fn background(&mut self, mut put: impl FnMut(usize, f64)) {
        let rng = &mut self.background_rng;
        let shared: [f64; SHARED_FOCI.len()] = std::array::from_fn(|_| rng.sample(StandardNormal));
        for (channel, electrode) in self.electrodes.iter().enumerate() {
            let own: f64 = rng.sample(StandardNormal);
            let white: f64 =
                electrode.own * own + electrode.shared.iter().zip(&shared).map(|(w, x)| w * x).sum::<f64>();
            put(channel, self.filter.step(channel, white));
        }
    }

    /// Brings the filters to the exponent of the moment, where it has moved.
    fn follow_exponent(&mut self) {
        let exponent = self.exponent();
        let moved = (exponent - self.applied).abs();
        if moved.is_nan() || moved > 1e-4 {
            self.filter.set(&self.colour, exponent, self.settings.background_uv);
            self.applied = exponent;
        }
    }

    /// The true exponent at the moment, with what stimulation has done to it.
    #[must_use]
    pub fn exponent(&self) -> f64 {
        let rest = self.settings.exponent_at(self.samples as f64 / self.settings.rate_hz);
        (rest + self.response.shift()).clamp(EXPONENT_RANGE.0, EXPONENT_RANGE.1)
    }

    /// Expected one-sided density of the background in uV^2/Hz at `freq_hz`, at the moment.
    #[must_use]
    pub fn background_density(&self, freq_hz: f64) -> f64 {
        self.colour.density(freq_hz, self.exponent(), self.settings.background_uv)
    }

    /// Artefact on `channel` in microvolts for each mA.
    #[must_use]
    pub fn artefact_uv_per_ma(&self, channel: usize) -> f64 {
        self.electrodes.get(channel).map_or(0.0, |e| e.current_uv_per_ma)
    }

    /// Samples made so far.
    #[must_use]
    pub fn samples(&self) -> u64 {
        self.samples
    }
}

/// Random numbers of one purpose: ChaCha8's own streams do not overlap.
fn stream(seed: u64, purpose: u64) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(purpose);
    rng
}
