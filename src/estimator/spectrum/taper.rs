//! Tapers of the Welch estimate, periodic as spectral estimates want them (scipy's `get_window`, `sym=False`).

use std::f64::consts::TAU;

/// A window function.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Taper {
    /// Raised cosine: the field's usual one.
    #[default]
    Hann,
    /// Raised cosine on a pedestal.
    Hamming,
    /// Lower side lobes, wider main lobe: for steep spectra.
    Blackman,
    /// Half a sine: of half-overlapping segments the one that wastes least; leaks more than Hann's, so only for what is
    /// whitened.
    Cosine,
    /// None: leaks.
    Boxcar,
}

impl Taper {
    /// Its `len` values.
    #[must_use]
    pub fn values(self, len: usize) -> Vec<f64> {
        #[expect(clippy::cast_precision_loss, reason = "segments are far below 2^52 samples")]
        let turn = TAU / len as f64;
        (0..len)
            .map(|n| {
                #[expect(clippy::cast_precision_loss, reason = "as above")]
                let angle = turn * n as f64;
                match self {
                    Self::Hann => 0.5 - 0.5 * angle.cos(),
                    Self::Hamming => 0.54 - 0.46 * angle.cos(),
                    Self::Blackman => 0.42 - 0.5 * angle.cos() + 0.08 * (2.0 * angle).cos(),
                    Self::Cosine => (0.5 * angle).sin(),
                    Self::Boxcar => 1.0,
                }
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_periodic_hann_starts_at_zero_and_peaks_in_the_middle() {
        let hann = Taper::Hann.values(8);
        let exact = [0.0, 0.146_446_609_406_726, 0.5, 0.853_553_390_593_274, 1.0];
        assert!(hann.iter().zip(exact).all(|(a, b)| (a - b).abs() < 1e-14), "{hann:?}");
        assert!((Taper::Blackman.values(8).iter().sum::<f64>() - 3.36).abs() < 1e-12);
    }
}
