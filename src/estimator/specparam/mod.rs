//! specparam (formerly FOOOF): the algorithm of fooof 1.1.1, in the same steps, to the same minimum.
//!
//! Donoghue et al. 2020, Nat Neurosci 23:1655. All in log10 power over the fit range:
//! aperiodic line through everything, again through the bins at or below it ([`aperiodic`]); candidate peaks
//! in what stands above ([`crate::estimator::peaks`]); all of them fitted together ([`gaussians`]); and the
//! line once more through the spectrum without them.

mod aperiodic;
mod gaussians;
mod knee;
mod trust;

pub use aperiodic::{Line, Mode};

use super::peaks::{self, Gaussian, SearchLimits};
use super::spectrum::LineNoise;
use super::{Fit, MAX_PEAKS, Method, Peak, Peaks, Reason, Spectrum};
use aperiodic::Aperiodic;
use gaussians::JointFit;

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
        if self.peak_width_hz.0 < 2.0 * step_hz {
            warnings.push(format!(
                "the smallest peak width, {} Hz, is under twice the resolution of the spectrum, {step_hz:.3} Hz: \
                 single noisy bins will be taken for peaks",
                self.peak_width_hz.0
            ));
        }
        warnings
    }
}

/// The most guesses that are searched for, whatever the settings: bounds the memory.
const MOST_GUESSES: usize = 64;

/// The method, with its buffers. The first fit on a new frequency grid sizes them; after that nothing allocates.
#[derive(Debug)]
pub struct Specparam {
    settings: SpecparamSettings,
    limits: SearchLimits,
    /// First bin of the range in the spectrum that was seen last, and that spectrum's grid.
    grid: Option<Grid>,
    freqs_hz: Vec<f64>,
    kept: Vec<bool>,
    log_power: Vec<f64>,
    flat: Vec<f64>,
    peak_model: Vec<f64>,
    guesses: Vec<Gaussian>,
    aperiodic: Aperiodic,
    joint: JointFit,
}

/// Which frequencies the buffers are made for.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Grid {
    first_hz: f64,
    last_hz: f64,
    bins: usize,
    /// Where the fit range begins.
    start: usize,
}

impl Specparam {
    /// A method with `settings`.
    ///
    /// # Errors
    /// Names the setting that is wrong.
    pub fn new(settings: SpecparamSettings) -> Result<Self, String> {
        settings.check()?;
        let limits = SearchLimits {
            max_n_peaks: settings.max_n_peaks.min(MOST_GUESSES),
            min_peak_height: settings.min_peak_height,
            peak_threshold: settings.peak_threshold,
            sigma_limits_hz: (settings.peak_width_hz.0 / 2.0, settings.peak_width_hz.1 / 2.0),
        };
        Ok(Self {
            limits,
            grid: None,
            freqs_hz: Vec::new(),
            kept: Vec::new(),
            log_power: Vec::new(),
            flat: Vec::new(),
            peak_model: Vec::new(),
            guesses: Vec::with_capacity(limits.max_n_peaks),
            aperiodic: Aperiodic::new(settings.mode),
            joint: JointFit::new(limits.sigma_limits_hz),
            settings,
        })
    }

    /// The settings.
    #[must_use]
    pub fn settings(&self) -> &SpecparamSettings {
        &self.settings
    }

    /// Sizes everything for the bins of `freqs_hz` in the range. 0 Hz has no logarithm and is left out.
    fn prepare(&mut self, freqs_hz: &[f64]) {
        let (Some(&first_hz), Some(&last_hz)) = (freqs_hz.first(), freqs_hz.last()) else { return };
        let bins = freqs_hz.len();
        if self.grid.is_some_and(|g| g.first_hz == first_hz && g.last_hz == last_hz && g.bins == bins) {
            return;
        }
        let (low_hz, high_hz) = self.settings.range_hz;
        let start = freqs_hz.partition_point(|&f| f < low_hz || f <= 0.0);
        let end = freqs_hz.partition_point(|&f| f <= high_hz).max(start);
        self.grid = Some(Grid { first_hz, last_hz, bins, start });
        self.freqs_hz.clear();
        self.freqs_hz.extend_from_slice(freqs_hz.get(start..end).unwrap_or_default());
        let noise = self.settings.line_noise;
        self.kept.clear();
        self.kept.extend(self.freqs_hz.iter().map(|&f| !noise.is_some_and(|n| n.covers(f))));
        let count = self.freqs_hz.len();
        for buffer in [&mut self.log_power, &mut self.flat, &mut self.peak_model] {
            buffer.clear();
            buffer.resize(count, 0.0);
        }
        self.aperiodic.prepare(&self.freqs_hz);
        self.joint.prepare(&self.freqs_hz, &self.kept, self.limits.max_n_peaks);
    }

    /// log10 of the power in the range; `false` where a bin has none. Bins left out are interpolated.
    fn take_log(&mut self, spectrum: &Spectrum<'_>) -> bool {
        let start = self.grid.map_or(0, |g| g.start);
        let Some(power) = spectrum.power.get(start..start + self.freqs_hz.len()) else { return false };
        for ((log, &power), &kept) in self.log_power.iter_mut().zip(power).zip(&self.kept) {
            *log = power.log10();
            if kept && !log.is_finite() {
                return false;
            }
        }
        if self.settings.line_noise.is_some() {
            interpolate(&mut self.log_power, &self.kept);
        }
        true
    }

    fn run(&mut self) -> Result<Fit, Reason> {
        let first = self.aperiodic.fit_all(&self.log_power, &self.kept, &self.log_power)?;
        self.aperiodic.subtract(first, &self.log_power, &mut self.flat);
        let robust = self.aperiodic.fit_low(&self.log_power, &self.kept, &self.flat, first)?;
        self.aperiodic.subtract(robust, &self.log_power, &mut self.flat);
        let flat = &mut self.peak_model; // borrowed as scratch: the search consumes what it is given
        flat.copy_from_slice(&self.flat);
        peaks::search(&self.freqs_hz, flat, &self.kept, &self.limits, &mut self.guesses);
        self.peak_model.fill(0.0);
        if !self.guesses.is_empty() {
            self.joint.fit(&self.flat, &mut self.guesses)?;
            self.joint.model(&self.guesses, &mut self.peak_model);
        }
        // `flat` now holds the spectrum without its peaks.
        for ((rest, log), peak) in self.flat.iter_mut().zip(&self.log_power).zip(&self.peak_model) {
            *rest = log - peak;
        }
        let line = self.aperiodic.fit_all(&self.flat, &self.kept, &self.log_power)?;
        Ok(self.report(line))
    }

    fn report(&mut self, line: Line) -> Fit {
        self.aperiodic.evaluate(line, &mut self.flat);
        for (model, peak) in self.flat.iter_mut().zip(&self.peak_model) {
            *model += peak;
        }
        let (r_squared, mae) = goodness(&self.log_power, &self.flat, &self.kept);
        let mut reported = Peaks::default();
        while self.guesses.len() > MAX_PEAKS {
            let lowest =
                self.guesses.iter().enumerate().min_by(|a, b| a.1.height_log10.total_cmp(&b.1.height_log10));
            let Some((at, _)) = lowest else { break };
            self.guesses.remove(at);
        }
        for gaussian in &self.guesses {
            reported.push(Peak {
                centre_hz: gaussian.centre_hz,
                power_log10: self.nearest(gaussian.centre_hz),
                bandwidth_hz: 2.0 * gaussian.sigma_hz,
            });
        }
        reported.sort();
        Fit {
            exponent: line.exponent,
            exponent_se: f64::NAN,
            offset: line.offset,
            knee: (self.settings.mode == Mode::Knee).then_some(line.knee),
            r_squared,
            mae,
            peaks: reported,
            invalid: None,
        }
    }

    /// All peaks together at the bin nearest to `centre_hz`.
    fn nearest(&self, centre_hz: f64) -> f64 {
        let mut best = (f64::INFINITY, 0.0);
        for (&freq_hz, &model) in self.freqs_hz.iter().zip(&self.peak_model) {
            let away_hz = (freq_hz - centre_hz).abs();
            if away_hz < best.0 {
                best = (away_hz, model);
            }
        }
        best.1
    }
}

impl Method for Specparam {
    fn name(&self) -> &'static str {
        "specparam"
    }

    fn fit(&mut self, spectrum: &Spectrum<'_>, _target: usize) -> Fit {
        self.prepare(spectrum.freqs_hz);
        if self.kept.iter().filter(|&&kept| kept).count() < 4 || !self.take_log(spectrum) {
            return Fit::failed(Reason::BadSpectrum);
        }
        match self.run() {
            Ok(fit) if fit.exponent.is_finite() && fit.offset.is_finite() => fit,
            Ok(_) => Fit::failed(Reason::NotConverged),
            Err(reason) => Fit::failed(reason),
        }
    }
}

/// Squared correlation and mean absolute difference of the bins that count.
fn goodness(data: &[f64], model: &[f64], kept: &[bool]) -> (f64, f64) {
    let counted = || data.iter().zip(model).zip(kept).filter(|(_, kept)| **kept).map(|((d, m), _)| (*d, *m));
    let (mut n, mut sum_d, mut sum_m, mut error) = (0.0, 0.0, 0.0, 0.0);
    for (d, m) in counted() {
        n += 1.0;
        sum_d += d;
        sum_m += m;
        error += (d - m).abs();
    }
    let (mean_d, mean_m) = (sum_d / n, sum_m / n);
    let (mut dd, mut mm, mut dm) = (0.0, 0.0, 0.0);
    for (d, m) in counted() {
        dd += (d - mean_d) * (d - mean_d);
        mm += (m - mean_m) * (m - mean_m);
        dm += (d - mean_d) * (m - mean_m);
    }
    (dm * dm / (dd * mm), error / n)
}

/// Fills bins that do not count with a straight line between their neighbours that do.
fn interpolate(values: &mut [f64], kept: &[bool]) {
    let mut at = 0;
    while at < values.len() {
        if kept.get(at).copied().unwrap_or(true) {
            at += 1;
            continue;
        }
        let gap = kept.iter().skip(at).take_while(|kept| !**kept).count();
        let before = at.checked_sub(1).and_then(|i| values.get(i)).copied();
        let after = values.get(at + gap).copied();
        let (Some(left), Some(right)) = (before.or(after), after.or(before)) else { return };
        for (step, value) in values.iter_mut().skip(at).take(gap).enumerate() {
            #[expect(clippy::cast_precision_loss, reason = "bins are few")]
            let share = (step + 1) as f64 / (gap + 1) as f64;
            *value = left + share * (right - left);
        }
        at += gap;
    }
}
