//! specparam (formerly FOOOF): the algorithm of fooof 1.1.1, in the same steps, to the same minimum.
//!
//! Donoghue et al. 2020, Nat Neurosci 23:1655. All in log10 power over the fit range:
//! aperiodic line through everything, again through the bins at or below it ([`aperiodic`]); candidate peaks
//! in what stands above ([`crate::peaks`]); all of them fitted together ([`gaussians`]); and the
//! line once more through the spectrum without them.

mod aperiodic;
mod double;
mod gaussians;
mod knee;
mod report;
mod settings;
mod trust;

pub use aperiodic::{Line, Mode};
pub use settings::SpecparamSettings;

use super::lanes::log10;
use super::peaks::{self, Gaussian, SearchLimits};
use super::{Fit, Method, Reason, Spectrum};
use aperiodic::Aperiodic;
use gaussians::JointFit;

/// The most guesses that are searched for, whatever the settings: bounds the memory.
const MOST_GUESSES: usize = 64;

/// The method, with its buffers. The first fit on a new frequency grid sizes them; after that nothing allocates.
#[derive(Debug)]
pub struct Specparam {
    settings: SpecparamSettings,
    limits: SearchLimits,
    /// Bins of the spectrum that was seen last, and where in it the range begins.
    bins: usize,
    start: usize,
    /// Whether they are evenly spaced: nothing else can be fitted.
    even: bool,
    freqs_hz: Vec<f64>,
    /// Geometric mean of the bins in the range.
    pivot_hz: f64,
    kept: Vec<bool>,
    log_power: Vec<f64>,
    flat: Vec<f64>,
    peak_model: Vec<f64>,
    unit: Vec<f64>,
    guesses: Vec<Gaussian>,
    aperiodic: Aperiodic,
    joint: JointFit,
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
            bins: 0,
            start: 0,
            even: false,
            freqs_hz: Vec::new(),
            pivot_hz: f64::NAN,
            kept: Vec::new(),
            log_power: Vec::new(),
            flat: Vec::new(),
            peak_model: Vec::new(),
            unit: Vec::new(),
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
        let same = freqs_hz.len() == self.bins
            && freqs_hz.get(self.start..self.start + self.freqs_hz.len()) == Some(self.freqs_hz.as_slice());
        if same && self.bins > 0 {
            return;
        }
        let (low_hz, high_hz) = self.settings.range_hz;
        self.bins = freqs_hz.len();
        self.start = freqs_hz.partition_point(|&f| f < low_hz || f <= 0.0);
        let end = freqs_hz.partition_point(|&f| f <= high_hz).max(self.start);
        self.freqs_hz.clear();
        self.freqs_hz.extend_from_slice(freqs_hz.get(self.start..end).unwrap_or_default());
        // numpy's `isclose`, as fooof asks.
        let steps = || self.freqs_hz.iter().zip(self.freqs_hz.iter().skip(1)).map(|(a, b)| b - a);
        let first_hz = steps().next().unwrap_or(f64::NAN);
        self.even = first_hz > 0.0 && steps().all(|step| (step - first_hz).abs() <= 1e-8 + 1e-5 * first_hz);
        #[expect(clippy::cast_precision_loss, reason = "bins are few")]
        let bins = self.freqs_hz.len() as f64;
        self.pivot_hz = (self.freqs_hz.iter().map(|f| f.ln()).sum::<f64>() / bins).exp();
        let noise = self.settings.line_noise;
        self.kept.clear();
        self.kept.extend(self.freqs_hz.iter().map(|&f| !noise.is_some_and(|n| n.covers(f))));
        let count = self.freqs_hz.len();
        for buffer in [&mut self.log_power, &mut self.flat, &mut self.peak_model, &mut self.unit] {
            buffer.clear();
            buffer.resize(count, 0.0);
        }
        self.aperiodic.prepare(&self.freqs_hz);
        self.joint.prepare(&self.freqs_hz, &self.kept, self.limits.max_n_peaks);
    }

    /// log10 of the power in the range; `false` where a bin has none. Bins left out are interpolated.
    #[inline(always)]
    fn take_log(&mut self, spectrum: &Spectrum<'_>) -> bool {
        let Some(power) = spectrum.power.get(self.start..self.start + self.freqs_hz.len()) else {
            return false;
        };
        for (log, &power) in self.log_power.iter_mut().zip(power) {
            *log = log10(power);
        }
        if self.log_power.iter().zip(&self.kept).any(|(log, kept)| *kept && !log.is_finite()) {
            return false;
        }
        if self.settings.line_noise.is_some() {
            interpolate(&mut self.log_power, &self.kept);
        }
        true
    }

    /// The fit on the prepared grid, by wide registers where the processor has them.
    fn run(&mut self, spectrum: &Spectrum<'_>) -> Result<Fit, Reason> {
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx2") {
            // SAFETY: the processor has just said that it has what the function is compiled for.
            return unsafe { self.run_wide(spectrum) };
        }
        self.run_anywhere(spectrum)
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2")]
    fn run_wide(&mut self, spectrum: &Spectrum<'_>) -> Result<Fit, Reason> {
        self.run_anywhere(spectrum)
    }

    /// Inlined with all that it calls, so that each of its callers is compiled for its own registers. Products and sums
    /// are not contracted: all give the same answer to the last bit.
    #[inline(always)]
    fn run_anywhere(&mut self, spectrum: &Spectrum<'_>) -> Result<Fit, Reason> {
        if !self.take_log(spectrum) {
            return Err(Reason::BadSpectrum);
        }
        let first = self.aperiodic.fit_all(&self.log_power, &self.kept, &self.log_power)?;
        self.aperiodic.subtract(first, &self.log_power, &mut self.flat);
        let robust = self.aperiodic.fit_low(&self.log_power, &self.kept, &self.flat, first)?;
        self.aperiodic.subtract(robust, &self.log_power, &mut self.flat);
        let flat = &mut self.peak_model; // borrowed as scratch: the search consumes what it is given
        flat.copy_from_slice(&self.flat);
        peaks::search(&self.freqs_hz, flat, &self.kept, &self.limits, &mut self.unit, &mut self.guesses);
        if self.guesses.is_empty() {
            // The third line would be the first: through the same bins, from the same guess.
            self.peak_model.fill(0.0);
            self.flat.copy_from_slice(&self.log_power);
            return Ok(self.report(first));
        }
        self.joint.fit(&self.flat, &mut self.guesses)?;
        self.joint.model(&self.guesses, &mut self.peak_model);
        // `flat` now holds the spectrum without its peaks.
        for ((rest, log), peak) in self.flat.iter_mut().zip(&self.log_power).zip(&self.peak_model) {
            *rest = log - peak;
        }
        let line = self.aperiodic.fit_all(&self.flat, &self.kept, &self.log_power)?;
        Ok(self.report(line))
    }
}

impl Method for Specparam {
    fn name(&self) -> &'static str {
        "specparam"
    }

    fn warnings(&self, bin_hz: f64) -> Vec<String> {
        self.settings.warnings(bin_hz)
    }

    fn fit(&mut self, spectrum: &Spectrum<'_>, _target: usize) -> Fit {
        self.prepare(spectrum.freqs_hz);
        if !self.even || self.kept.iter().filter(|&&kept| kept).count() < 4 {
            return Fit::failed(Reason::BadSpectrum);
        }
        match self.run(spectrum) {
            Ok(fit) if fit.exponent.is_finite() && fit.offset.is_finite() => fit,
            Ok(_) => Fit::failed(Reason::NotConverged),
            Err(reason) => Fit::failed(reason),
        }
    }
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]
    use super::*;
    use crate::spectrum::LineNoise;
    use proptest::prelude::*;

    fn freqs() -> Vec<f64> {
        (0..=160).map(|k| f64::from(k) * 0.5).collect()
    }

    fn fit(settings: SpecparamSettings, freqs_hz: &[f64], power: &[f64]) -> Fit {
        let spectrum = Spectrum { freqs_hz, power, segments: 7, gamma_shape: 6.0 };
        Specparam::new(settings).unwrap().fit(&spectrum, 0)
    }

    /// 10^(1.2 - 1.4 log10 f), alpha at 10 Hz.
    fn clean(freqs: &[f64]) -> Vec<f64> {
        let alpha = Gaussian { centre_hz: 10.0, height_log10: 0.8, sigma_hz: 1.2 };
        freqs.iter().map(|f| 10_f64.powf(1.2 - 1.4 * f.max(0.25).log10() + alpha.at(*f))).collect()
    }

    #[test]
    fn a_clean_spectrum_gives_back_what_it_is_made_of() {
        let fit = fit(SpecparamSettings::tras(), &freqs(), &clean(&freqs()));
        assert!((fit.exponent - 1.4).abs() < 5e-3 && (fit.offset - 1.2).abs() < 5e-3, "{fit:?}");
        let [alpha] = fit.peaks.as_slice() else { panic!("{fit:?}") };
        assert!((alpha.centre_hz - 10.0).abs() < 0.01 && (alpha.power_log10 - 0.8).abs() < 0.01);
        assert!((alpha.bandwidth_hz - 2.4).abs() < 0.05 && fit.r_squared > 0.999 && fit.mae < 0.002);
    }

    #[test]
    fn mains_left_out_neither_bends_the_line_nor_is_a_peak() {
        let settings = SpecparamSettings { range_hz: (2.0, 70.0), ..SpecparamSettings::tras() };
        let mut power = clean(&freqs());
        for (f, p) in freqs().iter().zip(&mut power) {
            if (f - 50.0).abs() <= 1.0 {
                *p *= 300.0;
            }
        }
        let noise = LineNoise { mains_hz: 50.0, half_width_hz: 1.0 };
        let with = fit(SpecparamSettings { line_noise: Some(noise), ..settings.clone() }, &freqs(), &power);
        assert!((with.exponent - 1.4).abs() < 5e-3 && with.peaks.as_slice().len() == 1, "{with:?}");
        assert!(fit(settings, &freqs(), &power).peaks.as_slice().len() > 1);
    }

    #[test]
    fn what_cannot_be_fitted_is_invalid_with_its_reason() {
        let reason = |freqs: &[f64], power: &[f64]| fit(SpecparamSettings::tras(), freqs, power).invalid;
        let (f, good) = (freqs(), clean(&freqs()));
        for bad in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            let mut power = good.clone();
            power[20] = bad;
            assert_eq!(reason(&f, &power), Some(Reason::BadSpectrum), "{bad}");
        }
        assert_eq!(reason(&f, &good[..30]), Some(Reason::BadSpectrum), "shorter than its frequencies");
        assert_eq!(reason(&[], &[]), Some(Reason::BadSpectrum));
        assert_eq!(reason(&f[..6], &good[..6]), Some(Reason::BadSpectrum), "two bins in the range");
        let mut uneven = f.clone();
        uneven[30] += 0.1;
        assert_eq!(reason(&uneven, &good), Some(Reason::BadSpectrum));
        // A bin outside the range does not matter.
        let mut power = good;
        (power[0], power[150]) = (0.0, f64::NAN);
        assert_eq!(reason(&f, &power), None);
    }

    /// The fit that is compiled for wide registers is the one that is not, to the last bit.
    #[test]
    #[cfg(target_arch = "x86_64")]
    fn wide_registers_change_no_bit() {
        if !is_x86_feature_detected!("avx2") {
            return;
        }
        let freqs_hz = freqs();
        let mut state = 1_u64;
        let mut noise = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as f64 / f64::from(1_u32 << 31) - 0.5
        };
        let mut peaks = 0;
        for mode in [Mode::Fixed, Mode::Knee] {
            let mut method = Specparam::new(SpecparamSettings { mode, ..SpecparamSettings::tras() }).unwrap();
            for _ in 0..100 {
                let power: Vec<f64> =
                    clean(&freqs_hz).iter().map(|p| p * 10_f64.powf(0.4 * noise())).collect();
                let spectrum = Spectrum { freqs_hz: &freqs_hz, power: &power, segments: 7, gamma_shape: 6.0 };
                method.prepare(&freqs_hz);
                let narrow = method.run_anywhere(&spectrum);
                // SAFETY: asked for above.
                let wide = unsafe { method.run_wide(&spectrum) };
                // `Debug` of a number is what reads back as itself.
                assert_eq!(format!("{narrow:?}"), format!("{wide:?}"));
                peaks += narrow.map_or(0, |fit| fit.peaks.as_slice().len());
            }
        }
        assert!(peaks > 600, "{peaks}: the joint fit was hardly used");
    }

    #[test]
    fn one_method_serves_changing_grids() {
        let mut method = Specparam::new(SpecparamSettings::tras()).unwrap();
        for step in [0.5, 0.25, 1.0, 0.5] {
            let freqs_hz: Vec<f64> = (0..=(80.0 / step) as usize).map(|k| k as f64 * step).collect();
            let power = clean(&freqs_hz);
            let spectrum = Spectrum { freqs_hz: &freqs_hz, power: &power, segments: 1, gamma_shape: 1.0 };
            assert!((method.fit(&spectrum, 0).exponent - 1.4).abs() < 1e-2, "{step}");
        }
    }

    #[test]
    fn settings_that_make_no_sense_are_refused() {
        let refuse = |settings: SpecparamSettings| Specparam::new(settings).unwrap_err();
        let tras = SpecparamSettings::tras;
        assert!(refuse(SpecparamSettings { range_hz: (35.0, 2.0), ..tras() }).contains("fit range"));
        assert!(refuse(SpecparamSettings { peak_width_hz: (8.0, 1.0), ..tras() }).contains("peak width"));
        assert!(refuse(SpecparamSettings { min_peak_height: f64::NAN, ..tras() }).contains("height"));
    }

    proptest! {
        /// Any spectrum ends in a finite fit or a reason, in either mode; never in a panic or a hang.
        #[test]
        fn any_spectrum(
            logs in prop::collection::vec(-12.0_f64..12.0, 161),
            knee: bool,
            inf_peaks: bool,
            height in 0.0_f64..2.0,
        ) {
            let power: Vec<f64> = logs.iter().map(|l| 10_f64.powf(*l)).collect();
            let settings = SpecparamSettings {
                mode: if knee { Mode::Knee } else { Mode::Fixed },
                max_n_peaks: if inf_peaks { usize::MAX } else { 6 },
                min_peak_height: height,
                ..SpecparamSettings::default()
            };
            let fit = fit(settings, &freqs(), &power);
            prop_assert!(fit.invalid.is_some() || (fit.exponent.is_finite() && fit.mae.is_finite()));
        }
    }
}
