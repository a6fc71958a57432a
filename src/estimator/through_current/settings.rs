//! What the removal is made from, and the counts that follow.

use super::decimate;

/// Time before and after an EEG sample whose current can reach it through the fast part of the path, in s. The
/// negative side takes up what is left of the delay, the anti-alias filter's ringing, and the mains filter's.
const BEFORE_S: f64 = 0.08;
const AFTER_S: f64 = 0.136;
/// Corners of the slow part in Hz: high-passes of amplifiers (0.016 to 1 Hz) and the charging of electrodes. Sums of
/// responses with these poles come within 1e-5 of any first- or second-order one between them, in the fit range.
const POLES_HZ: [f64; 10] = [10.5, 6.5, 4.0, 2.4, 1.4, 0.8, 0.4, 0.16, 0.05, 0.016];
/// Length of the whitening filter in s: it must show alpha and mains, not more.
const WHITENING_S: f64 = 0.12;

/// What the removal is made from.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Channels of a frame.
    pub channels: usize,
    /// Samples of the EEG in a second.
    pub rate_hz: f64,
    /// Top of the range that is fitted, in Hz: the EEG is thinned to what it needs.
    pub top_hz: f64,
    /// Samples of the current in a second, by the device's own count.
    pub current_rate_hz: f64,
    /// Length of a window, in s.
    pub window_s: f64,
    /// From one estimate to the next, in s.
    pub hop_s: f64,
    /// Memory of the path that follows changes, in s.
    pub fast_memory_s: f64,
    /// Memory of the path that learns what lasts, in s.
    pub slow_memory_s: f64,
    /// Weight of the slow memory's samples beside the fast one's.
    pub slow_weight: f64,
    /// Probability of an unspoilt window to fail one of the tests by chance.
    pub false_alarm: f64,
}

impl Settings {
    /// The defaults for a stream and a stimulator.
    #[must_use]
    pub fn new(
        channels: usize,
        rate_hz: f64,
        top_hz: f64,
        current_rate_hz: f64,
        window_s: f64,
        hop_s: f64,
    ) -> Self {
        Self {
            channels,
            rate_hz,
            top_hz,
            current_rate_hz,
            window_s,
            hop_s,
            fast_memory_s: 10.0,
            slow_memory_s: 30.0,
            slow_weight: 0.5,
            false_alarm: 0.01,
        }
    }
}

/// Everything in samples and columns.
#[derive(Clone, Copy, Debug)]
pub(super) struct Counts {
    pub(super) channels: usize,
    /// Frames of the stream for one that is worked on, and the rate of these.
    pub(super) thin: usize,
    pub(super) rate_hz: f64,
    /// Share of their band that the low-pass leaves.
    pub(super) band: f64,
    /// Samples in a block: a hop.
    pub(super) block: usize,
    /// Samples from one estimate to the next: tests are made as often.
    pub(super) hop: usize,
    /// Blocks in a window.
    pub(super) blocks: usize,
    /// Taps before and after the sample.
    pub(super) before: usize,
    pub(super) after: usize,
    pub(super) poles: usize,
    /// Order of the whitening filter.
    pub(super) whitening: usize,
}

/// Lags beyond the taps whose use would show that the path is longer than the model: in taps' lengths.
pub(super) const FAR: [f64; 4] = [-0.6, 0.8, 1.2, 1.8];
/// Lags of the second- and third-order terms.
pub(super) const CURVED_LAGS: usize = 3;
/// Frequencies of the slow changes of gain that are looked for: a sine and a cosine each.
pub(super) const MODULATIONS: usize = 12;

impl Counts {
    pub(super) fn new(settings: &Settings) -> Result<Self, String> {
        let Settings { channels, current_rate_hz, window_s, hop_s, .. } = *settings;
        let thin = decimate::factor(settings.rate_hz, settings.top_hz);
        let rate_hz = settings.rate_hz / thin as f64;
        for (name, value, low, high) in [
            ("EEG rate", settings.rate_hz, 2.2 * settings.top_hz, 50_000.0),
            ("top of the fit range", settings.top_hz, 5.0, 500.0),
            ("current rate", current_rate_hz, 20.0, 400_000.0),
            ("window", window_s, 0.5, 120.0),
            ("hop", hop_s, 0.01, window_s),
            ("fast memory", settings.fast_memory_s, 1.0, 120.0),
            ("slow memory", settings.slow_memory_s, 1.0, 600.0),
        ] {
            if !(low..=high).contains(&value) {
                return Err(format!("through the current: {name} {value} must lie in {low}..{high}"));
            }
        }
        if channels == 0 {
            return Err("through the current: no channels".to_owned());
        }
        let samples = |seconds: f64| (seconds * rate_hz).round().max(1.0) as usize;
        // A block of a quarter of a second at most: the path is corrected that often.
        let block = samples(hop_s.min(0.25));
        Ok(Self {
            channels,
            thin,
            rate_hz,
            band: decimate::LowPass::new(settings.top_hz).share(rate_hz),
            block,
            hop: samples(hop_s),
            blocks: samples(window_s).div_ceil(block),
            before: samples(BEFORE_S).max(3),
            after: samples(AFTER_S).max(6),
            poles: POLES_HZ.len(),
            whitening: samples(WHITENING_S).clamp(8, 32),
        })
    }

    pub(super) fn taps(&self) -> usize {
        self.before + 1 + self.after
    }

    /// Columns of the path: taps, poles, a constant.
    pub(super) fn path(&self) -> usize {
        self.taps() + self.poles + 1
    }

    /// Where each group of columns ends: path, far lags, curved terms, modulations.
    pub(super) fn ends(&self) -> [usize; 4] {
        let path = self.path();
        let far = path + FAR.len();
        let curved = far + 2 * CURVED_LAGS;
        [path, far, curved, curved + 2 * MODULATIONS]
    }

    pub(super) fn columns(&self) -> usize {
        self.ends()[3]
    }
}

/// The poles in the z plane.
pub(super) fn poles(rate_hz: f64) -> [f64; POLES_HZ.len()] {
    POLES_HZ.map(|hz| (-2.0 * std::f64::consts::PI * hz / rate_hz).exp())
}
