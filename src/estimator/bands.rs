//! Power of a frequency band above the aperiodic line, from a fit and the spectrum that it was made to.
//!
//! Aperiodic-adjusted power: the mean over the band's bins of log10 power minus the aperiodic line, as the
//! flattened spectrum of Donoghue et al. 2020 (Nat Neurosci 23:1655, equation 1 with the peaks left in). It is 0
//! where a band holds nothing but the aperiodic part, and says by how many factors of ten it holds more.

use super::{Fit, Spectrum};

/// A named band.
#[derive(Clone, Debug, PartialEq)]
pub struct Band {
    /// Name, for tables.
    pub name: String,
    /// Lowest and highest frequency in Hz, both included (as `fooof.utils.trim_spectrum`).
    pub range_hz: (f64, f64),
}

/// The bands that have a name everywhere (the tRAS study's; beta to where its fit range ends well above).
pub const NAMED: [(&str, (f64, f64)); 4] =
    [("delta", (1.0, 4.0)), ("theta", (4.0, 8.0)), ("alpha", (8.0, 13.0)), ("beta", (13.0, 30.0))];

impl Band {
    /// From `theta`, one of [`NAMED`], or `name=lo-hi`, such as `mu=9-12`.
    ///
    /// # Errors
    /// Says what is wrong with the text.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = |what: &str| format!("band \"{text}\" {what}; write name=lo-hi in Hz, as in mu=9-12");
        let Some((name, range)) = text.split_once('=') else {
            let known = NAMED.iter().find(|(name, _)| name.eq_ignore_ascii_case(text.trim()));
            return match known {
                Some(&(name, range_hz)) => Ok(Self { name: name.to_owned(), range_hz }),
                None => Err(wrong("is none of delta, theta, alpha, beta")),
            };
        };
        let name = name.trim();
        let plain = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
        if name.is_empty() || !name.chars().all(plain) {
            return Err(wrong("needs a name of letters, digits, _ and -"));
        }
        let (low, high) = range.split_once('-').ok_or_else(|| wrong("has no range"))?;
        match (low.trim().parse::<f64>(), high.trim().parse::<f64>()) {
            (Ok(low), Ok(high)) if low >= 0.0 && high > low && high.is_finite() => {
                Ok(Self { name: name.to_owned(), range_hz: (low, high) })
            }
            _ => Err(wrong("has no range of two numbers, the lower first")),
        }
    }

    /// The part of the band inside the fit range, where the aperiodic line is known.
    #[must_use]
    pub fn within(&self, fit_range_hz: (f64, f64)) -> Self {
        let (low, high) = (self.range_hz.0.max(fit_range_hz.0), self.range_hz.1.min(fit_range_hz.1));
        Self { name: self.name.clone(), range_hz: (low, high) }
    }

    /// Mean log10 power above the aperiodic line of `fit` over the band's bins of `spectrum`. NaN where the fit has
    /// no line, the band no bin, or a bin no power.
    #[must_use]
    pub fn adjusted_power_log10(&self, spectrum: &Spectrum<'_>, fit: &Fit) -> f64 {
        let (low, high) = self.range_hz;
        let (mut sum, mut bins) = (0.0, 0.0);
        for (&freq_hz, &power) in spectrum.freqs_hz.iter().zip(spectrum.power) {
            if freq_hz > 0.0 && freq_hz >= low - 1e-9 && freq_hz <= high + 1e-9 {
                sum += power.log10() - line_log10(fit, freq_hz);
                bins += 1.0;
            }
        }
        let mean = sum / bins;
        if mean.is_finite() { mean } else { f64::NAN }
    }
}

/// log10 power of the aperiodic part at `freq_hz`: offset - log10(f^exponent), or - log10(knee + f^exponent).
#[must_use]
pub fn line_log10(fit: &Fit, freq_hz: f64) -> f64 {
    match fit.knee {
        Some(knee) => fit.offset - (knee + freq_hz.powf(fit.exponent)).log10(),
        None => fit.offset - fit.exponent * freq_hz.log10(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::float_cmp, reason = "tests")]
    use super::*;
    use crate::Reason;

    #[test]
    fn names_and_ranges_are_read() {
        assert_eq!(Band::parse("theta").unwrap().range_hz, (4.0, 8.0));
        assert_eq!(Band::parse("mu=9-12.5").unwrap(), Band { name: "mu".into(), range_hz: (9.0, 12.5) });
        for wrong in ["gamma", "x=", "x=9", "x=12-9", "x=nan-4", "=4-8", "a b=4-8", "x=-4-8"] {
            assert!(Band::parse(wrong).unwrap_err().contains(wrong), "{wrong}");
        }
    }

    #[test]
    fn only_what_stands_above_the_line_counts() {
        let freqs_hz: Vec<f64> = (0..80).map(|k| f64::from(k) * 0.5).collect();
        let power: Vec<f64> = freqs_hz
            .iter()
            .map(|&f| 10f64.powf(1.3 - 1.5 * f.log10() + if (4.0..=8.0).contains(&f) { 0.4 } else { 0.0 }))
            .collect();
        let spectrum = Spectrum { freqs_hz: &freqs_hz, power: &power, segments: 1, gamma_shape: 1.0 };
        let fit = Fit { exponent: 1.5, offset: 1.3, ..Fit::failed(Reason::PoorFit) };
        let theta = Band::parse("theta").unwrap().adjusted_power_log10(&spectrum, &fit);
        assert!((theta - 0.4).abs() < 1e-12);
        let beta = Band::parse("beta").unwrap().adjusted_power_log10(&spectrum, &fit);
        assert!(beta.abs() < 1e-12);
        assert!(Band::parse("x=100-200").unwrap().adjusted_power_log10(&spectrum, &fit).is_nan());
        assert_eq!(Band::parse("delta").unwrap().within((2.0, 35.0)).range_hz, (2.0, 4.0));
    }
}
