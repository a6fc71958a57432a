//! What a specparam fit looks for.

use super::Mode;
use crate::spectrum::LineNoise;

/// What a fit looks for. [`Default`] is fooof's own.
#[derive(Clone, Debug, PartialEq)]
pub struct SpecparamSettings {
    /// Lowest and highest frequency of the fit in Hz, both included.
    pub range_hz: (f64, f64),
    /// Whether the aperiodic line bends.
    pub mode: Mode,
    /// Smallest and largest bandwidth of a peak in Hz; a bandwidth is two standard deviations.
    pub peak_width_hz: (f64, f64),
    /// The most peaks that are searched for, before overlapping ones are dropped.
    pub max_n_peaks: usize,
    /// Lowest height of a peak in log10 power.
    pub min_peak_height: f64,
    /// Lowest height of a peak in standard deviations of the flattened spectrum.
    pub peak_threshold: f64,
    /// Mains frequency whose bins, and those of its harmonics, are left out.
    pub line_noise: Option<LineNoise>,
}

impl Default for SpecparamSettings {
    fn default() -> Self {
        Self {
            range_hz: (1.0, 40.0),
            mode: Mode::Fixed,
            peak_width_hz: (0.5, 12.0),
            max_n_peaks: usize::MAX,
            min_peak_height: 0.0,
            peak_threshold: 2.0,
            line_noise: None,
        }
    }
}

impl SpecparamSettings {
    /// Those of the tRAS working-memory study.
    #[must_use]
    pub fn tras() -> Self {
        Self {
            range_hz: (2.0, 35.0),
            peak_width_hz: (1.0, 8.0),
            max_n_peaks: 12,
            min_peak_height: 0.05,
            ..Self::default()
        }
    }

    /// What cannot be fitted with.
    ///
    /// # Errors
    /// Names the setting and what it must be.
    pub fn check(&self) -> Result<(), String> {
        let (low, high) = self.range_hz;
        if !(low >= 0.0 && high > low && high.is_finite()) {
            return Err(format!(
                "fit range {low}..{high} Hz: the low end must be >= 0 and below the high end"
            ));
        }
        let (narrow, wide) = self.peak_width_hz;
        if !(narrow > 0.0 && wide > narrow && wide.is_finite()) {
            return Err(format!(
                "peak width {narrow}..{wide} Hz: the low limit must be > 0 and below the high"
            ));
        }
        if !(self.min_peak_height >= 0.0 && self.peak_threshold >= 0.0) {
            return Err("minimum peak height and peak threshold must be >= 0".into());
        }
        Ok(())
    }

    /// What a user should know before trusting fits to bins that are `step_hz` apart.
    #[must_use]
    pub fn warnings(&self, step_hz: f64) -> Vec<String> {
        let mut warnings = Vec::new();
        // The study's own width on its own segments is no news with every run; `tras check` tells it.
        let chosen = self.peak_width_hz != Self::tras().peak_width_hz;
        if chosen && self.peak_width_hz.0 < 2.0 * step_hz {
            warnings.push(format!(
                "the smallest peak width, {} Hz, is under twice the resolution of the spectrum, {step_hz:.3} Hz: \
                 single noisy bins will be taken for peaks",
                self.peak_width_hz.0
            ));
        }
        warnings
    }
}
