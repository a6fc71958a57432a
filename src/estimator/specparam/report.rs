//! What a fit has come to: the line, the peaks, and how well both describe the spectrum.

use super::{Line, Mode, Specparam};
use crate::artefact::median;
use crate::{Fit, MAX_PEAKS, Peak, Peaks, Reason, adjusted_r_squared};

impl Specparam {
    pub(super) fn report(&mut self, line: Line) -> Fit {
        self.aperiodic.evaluate(line, &mut self.flat);
        for (model, peak) in self.flat.iter_mut().zip(&self.peak_model) {
            *model += peak;
        }
        let (r_squared, mae) = goodness(&self.log_power, &self.flat, &self.kept);
        let bins = self.kept.iter().filter(|kept| **kept).count();
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
        let (bends, twice) = (self.settings.mode != Mode::Fixed, self.settings.mode == Mode::Doublexp);
        let parameters = 2 + usize::from(bends) + usize::from(twice) + 3 * self.guesses.len();
        let pivot_hz = self.pivot_hz;
        let knee_hz = if bends && line.knee > 0.0 { line.knee.powf(1.0 / line.exponent) } else { f64::NAN };
        Fit {
            exponent: line.exponent,
            offset: line.offset,
            knee: bends.then_some(line.knee),
            r_squared,
            mae,
            adjusted_r_squared: adjusted_r_squared(r_squared, bins, parameters),
            median_error: self.median_error(),
            pivot_hz,
            pivot_offset: line.offset
                - line.before * pivot_hz.log10()
                - (line.knee + pivot_hz.powf(line.exponent)).log10(),
            exponent0: twice.then_some(line.before),
            knee_hz,
            peaks: reported,
            invalid: None,
            ..Fit::failed(Reason::NotConverged)
        }
    }

    /// Median absolute difference of data and model (in `flat`) over the bins that count.
    fn median_error(&mut self) -> f64 {
        let bins = self.log_power.iter().zip(&self.flat).zip(&self.kept);
        let mut count = 0;
        for (slot, ((data, model), _)) in self.unit.iter_mut().zip(bins.filter(|(_, kept)| **kept)) {
            *slot = (data - model).abs();
            count += 1;
        }
        median(self.unit.get_mut(..count).unwrap_or_default())
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
