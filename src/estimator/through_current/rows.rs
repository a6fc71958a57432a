//! The regressors: for each EEG sample what the current could have put into it, raw and whitened.
//!
//! In: the current at each sample's position, `before` samples ahead. Out: a row of columns in the order of
//! [`super::settings::Counts::ends`]: taps from the latest (the current `before` samples ahead) to the oldest,
//! slow low-passes of the current, a constant; then what the tests ask for: lags beyond the taps, second- and
//! third-order terms, and the current times slow sines and cosines.
//!
//! Whitening is one filter for the EEG and for every regressor (generalised least squares), so one Gram matrix serves
//! all channels. It works on the signals that the columns are made of; lags of a whitened signal are whitened lags.

use std::f64::consts::PI;

use super::algebra::dot;
use super::reference::Terms;
use super::settings::{CURVED_LAGS, Counts, FAR, MODULATIONS, poles};

/// Mean square of the current, in mA², below which nothing flows: 1 uA of RMS.
pub(super) const SILENT_MA2: f64 = 1e-6;

/// A signal's past, newest first.
#[derive(Debug)]
struct Line {
    /// Twice the length, so that the past is always one slice.
    values: Vec<f64>,
    at: usize,
}

impl Line {
    fn new(len: usize) -> Self {
        Self { values: vec![0.0; 2 * len], at: 0 }
    }

    fn push(&mut self, value: f64) {
        let len = self.values.len() / 2;
        self.at = if self.at == 0 { len - 1 } else { self.at - 1 };
        self.values[self.at] = value;
        self.values[self.at + len] = value;
    }

    /// Newest first.
    fn past(&self) -> &[f64] {
        &self.values[self.at..self.at + self.values.len() / 2]
    }

    fn set(&mut self, lag: usize, value: f64) {
        let len = self.values.len() / 2;
        let place = (self.at + lag) % len;
        self.values[place] = value;
        self.values[place + len] = value;
    }

    fn back(&self, lag: usize) -> f64 {
        self.past().get(lag).copied().unwrap_or(0.0)
    }
}

/// The slow part's basis: the orthonormal responses with given poles (Takenaka and Malmquist; Ninness & Gustafsson 1997,
/// IEEE Trans Autom Control 42:515), each a low-pass behind the all-passes of those before it. Low-passes themselves are so
/// alike that the normal equations could not tell them apart.
#[derive(Debug)]
struct Slow {
    poles: Vec<f64>,
    out: Vec<f64>,
    /// Input of each stage, one sample ago.
    before: Vec<f64>,
}

impl Slow {
    fn new(rate_hz: f64) -> Self {
        let poles = poles(rate_hz).to_vec();
        Self { out: vec![0.0; poles.len()], before: vec![0.0; poles.len() + 1], poles }
    }

    fn reset(&mut self) {
        self.out.fill(0.0);
        self.before.fill(0.0);
    }

    fn step(&mut self, input: f64) {
        let mut x = input;
        for (k, (pole, out)) in self.poles.iter().zip(&mut self.out).enumerate() {
            *out = pole * *out + (1.0 - pole * pole).sqrt() * x;
            // The next stage's input: this one's through an all-pass.
            let next = -pole * x + self.before[k] + pole * self.before[k + 1];
            self.before[k] = x;
            x = next;
        }
        if let Some(last) = self.before.last_mut() {
            *last = x;
        }
    }
}

/// The rows of the regression.
#[derive(Debug)]
pub(super) struct Rows {
    counts: Counts,
    slow: Slow,
    /// Lags of the far columns, from the newest.
    far: [usize; 4],
    /// The current, newest first, from `before` samples ahead.
    current: Line,
    /// The same, whitened.
    white_current: Line,
    /// Signals of one column each, and their whitening history: poles, constant, square, cube, modulations.
    history: Vec<Line>,
    /// Second- and third-order terms, newest first, from `lead` samples ahead.
    curved: [Line; 2],
    white_curved: [Line; 2],
    step_rad: f64,
    phase_rad: f64,
    scratch: Vec<f64>,
}

impl Rows {
    pub(super) fn new(counts: &Counts, rate_hz: f64, window_s: f64) -> Self {
        let taps = counts.taps();
        // Lags count from the newest, which lies `lead` samples ahead of the EEG's sample.
        let far = FAR.map(|x| (counts.lead() as f64 + x * taps as f64).round().max(0.0) as usize);
        let longest = far.iter().copied().max().unwrap_or(0).max(counts.lead() + taps) + 1;
        let singles = counts.poles + 1 + 2 + 2 * MODULATIONS;
        Self {
            slow: Slow::new(rate_hz),
            far,
            current: Line::new(longest + counts.whitening + 1),
            white_current: Line::new(longest + 1),
            history: (0..singles).map(|_| Line::new(counts.whitening + 1 + CURVED_LAGS)).collect(),
            curved: [Line::new(counts.lead() + 1), Line::new(counts.lead() + 1)],
            white_curved: [Line::new(CURVED_LAGS), Line::new(CURVED_LAGS)],
            // From one cycle in a window to twelve: 0.25 to 3 Hz in 4 s, breath and heart.
            step_rad: 2.0 * PI / (window_s * rate_hz),
            phase_rad: 0.0,
            scratch: vec![0.0; singles],
            counts: *counts,
        }
    }

    /// Forgets the past: after a jump of either clock.
    pub(super) fn reset(&mut self) {
        self.slow.reset();
        let lines = self.history.iter_mut().chain(&mut self.white_curved).chain(&mut self.curved);
        for line in lines.chain([&mut self.current, &mut self.white_current]) {
            line.values.fill(0.0);
        }
    }

    /// The whitening filter has changed: what is kept whitened is whitened anew, so that no row mixes two filters.
    pub(super) fn rewhiten(&mut self, whitening: &[f64]) {
        let len = self.white_current.values.len() / 2;
        for lag in 0..len {
            let value = filter(self.current.past().get(lag..).unwrap_or_default(), whitening);
            self.white_current.set(lag, value);
        }
        let first = self.counts.poles + 1;
        for (k, white) in self.white_curved.iter_mut().enumerate() {
            let Some(line) = self.history.get(first + k) else { continue };
            for lag in 0..CURVED_LAGS {
                white.set(lag, filter(line.past().get(lag..).unwrap_or_default(), whitening));
            }
        }
    }

    /// Takes the current and its curved terms `lead` samples ahead of the EEG's sample (`unit_per_ma` brings it to unit
    /// power), and writes the sample's row of the path's raw
    /// columns and of all whitened columns. `whitening`: the filter's coefficients of past samples.
    pub(super) fn step(
        &mut self,
        ahead: Terms,
        unit_per_ma: f64,
        whitening: &[f64],
        raw: &mut [f64],
        white: &mut [f64],
    ) {
        let Self { counts, .. } = self;
        let (lead, taps, before) = (counts.lead(), counts.taps(), counts.before);
        self.current.push(ahead[0]);
        let filtered = filter(self.current.past(), whitening);
        self.white_current.push(filtered);
        // The newest tap is `before` samples ahead of the EEG's sample.
        let first = lead - before;
        let now_ma = self.current.back(lead);
        for (line, value) in self.curved.iter_mut().zip([ahead[1], ahead[2]]) {
            line.push(value);
        }
        let unit = now_ma * unit_per_ma;

        // Signals of one column.
        self.slow.step(now_ma);
        let poles = counts.poles;
        let (signals, rest) = self.scratch.split_at_mut(poles);
        signals.copy_from_slice(&self.slow.out);
        rest[0] = 1.0;
        rest[1] = self.curved[0].back(lead);
        rest[2] = self.curved[1].back(lead);
        self.phase_rad = (self.phase_rad + self.step_rad) % (2.0 * PI);
        for (k, pair) in rest[3..].chunks_exact_mut(2).enumerate() {
            let (sin, cos) = ((k + 1) as f64 * self.phase_rad).sin_cos();
            pair[0] = unit * cos;
            pair[1] = unit * sin;
        }
        for (slot, line) in self.scratch.iter_mut().zip(&mut self.history) {
            line.push(*slot);
            *slot = filter(line.past(), whitening);
        }
        for (line, &value) in self.white_curved.iter_mut().zip(&self.scratch[poles + 1..]) {
            line.push(value);
        }

        raw[..taps].copy_from_slice(&self.current.past()[first..first + taps]);
        raw[taps..taps + poles].copy_from_slice(&self.slow.out);
        raw[taps + poles] = 1.0;
        let [path, far, curved, all] = counts.ends();
        white[..taps].copy_from_slice(&self.white_current.past()[first..first + taps]);
        white[taps..path].copy_from_slice(&self.scratch[..=poles]);
        for (slot, lag) in white[path..far].iter_mut().zip(self.far) {
            *slot = self.white_current.back(lag);
        }
        for (slots, line) in white[far..curved].chunks_exact_mut(CURVED_LAGS).zip(&self.white_curved) {
            slots.copy_from_slice(&line.past()[..CURVED_LAGS]);
        }
        white[curved..all].copy_from_slice(&self.scratch[poles + 3..]);
    }
}

impl Counts {
    /// Samples that the current must be known ahead of the EEG's.
    pub(super) fn lead(&self) -> usize {
        // The earliest far lag lies before the taps.
        let earliest = FAR.iter().copied().fold(0.0, f64::min) * self.taps() as f64;
        self.before + (-earliest - self.before as f64).max(0.0).ceil() as usize + 1
    }
}

/// One sample of the whitened signal: the newest of `past` plus the filter over the older ones.
pub(super) fn filter(past: &[f64], whitening: &[f64]) -> f64 {
    let Some((newest, older)) = past.split_first() else { return 0.0 };
    newest + dot(older, whitening)
}
