//! The exponent followed over windows: a Kalman filter of a random walk (Kalman 1960, J Basic Eng 82:35; Durbin &
//! Koopman, Time Series Analysis by State Space Methods, 2012, section 2.2, the local level model).
//!
//! State: the exponent, which drifts by a normal step of variance `drift^2 x seconds`. Measurement: each valid
//! window's exponent with its standard error. Windows that overlap share data: their errors are not independent, so
//! a window that brings only `hop / window` of new data counts with its variance divided by that share. Where no
//! window is valid the interval widens.

mod learnt;

pub use learnt::LearntTracker;

/// How fast the exponent drifts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Drift {
    /// Learnt from the windows: [`LearntTracker`].
    Learnt,
    /// Believed, per root second: [`Tracker`].
    Believed(f64),
}

/// Where the belief begins that a drift is learnt from, per root second.
pub const USUAL_DRIFT: f64 = 0.04;

/// The filter of one target, of either kind.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::large_enum_variant, reason = "a few of them, made once; a box would not be Copy")]
pub enum Follower {
    /// See [`Drift::Learnt`].
    Learnt(LearntTracker),
    /// See [`Drift::Believed`].
    Believed(Tracker),
}

/// How the exponent is believed to move.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TrackSettings {
    /// Standard deviation of the exponent's drift over 1 s; over t seconds it is this times sqrt(t).
    pub drift_per_sqrt_s: f64,
    /// Share of a window that is new against the one before, above 0 and at most 1: hop / window.
    pub new_share: f64,
    /// Standard error of a window where the method gives none.
    pub default_se: f64,
}

/// Standard error that a fit of `window_s` seconds over `range_hz` may be assumed to have where its method states
/// none: 1.5 times Whittle's bound [T (f2 - f1) Var(ln f)]^(-1/2), f uniform over the range. specparam with the tRAS
/// settings was measured at 1.4 to 1.5 times that bound.
#[must_use]
pub fn assumed_se(window_s: f64, range_hz: (f64, f64)) -> f64 {
    let (low, high) = (range_hz.0.max(1e-6), range_hz.1);
    // Moments of ln f under a uniform f: antiderivatives f (ln f - 1) and f (ln^2 f - 2 ln f + 2).
    let first = |f: f64| f * (f.ln() - 1.0);
    let second = |f: f64| f * (f.ln().powi(2) - 2.0 * f.ln() + 2.0);
    let width = high - low;
    let mean = (first(high) - first(low)) / width;
    let variance = (second(high) - second(low)) / width - mean * mean;
    1.5 / (window_s * width * variance).sqrt()
}

/// Where the filter believes the exponent is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tracked {
    /// The exponent.
    pub exponent: f64,
    /// Its standard deviation.
    pub sd: f64,
}

/// The filter of one target.
#[derive(Clone, Copy, Debug)]
pub struct Tracker {
    settings: TrackSettings,
    /// Mean, variance, and when.
    state: Option<(f64, f64, f64)>,
}

impl Tracker {
    /// A filter that knows nothing yet.
    #[must_use]
    pub fn new(settings: TrackSettings) -> Self {
        Self { settings, state: None }
    }

    /// Takes what the window that ends at `at_s` has shown: the exponent and its standard error (NaN: none is
    /// stated), or `None` where it is not valid. Returns where the exponent is now believed to be, `None` before
    /// the first valid window.
    pub fn step(&mut self, at_s: f64, measured: Option<(f64, f64)>) -> Option<Tracked> {
        if let Some((_, variance, last_s)) = &mut self.state {
            let passed_s = (at_s - *last_s).max(0.0);
            if passed_s.is_finite() {
                *variance += self.settings.drift_per_sqrt_s.powi(2) * passed_s;
                *last_s = at_s.max(*last_s);
            }
        }
        if let Some((exponent, se)) = measured.filter(|(exponent, _)| exponent.is_finite()) {
            let se = if se.is_finite() && se > 0.0 { se } else { self.settings.default_se };
            let noise = se * se / self.settings.new_share.clamp(1e-6, 1.0);
            self.state = Some(match self.state {
                // Nothing was known: the first window is believed as it stands.
                None => (exponent, se * se, at_s),
                Some((mean, variance, last_s)) => {
                    let gain = variance / (variance + noise);
                    (mean + gain * (exponent - mean), (1.0 - gain) * variance, last_s)
                }
            });
        }
        self.state.map(|(exponent, variance, _)| Tracked { exponent, sd: variance.sqrt() })
    }
}

impl Follower {
    /// A filter that knows nothing yet, of windows of `window_s` every `hop_s` over `range_hz`.
    #[must_use]
    pub fn new(drift: Drift, window_s: f64, hop_s: f64, range_hz: (f64, f64)) -> Self {
        let settings = TrackSettings {
            drift_per_sqrt_s: if let Drift::Believed(drift) = drift { drift } else { USUAL_DRIFT },
            new_share: (hop_s / window_s).min(1.0),
            default_se: assumed_se(window_s, range_hz),
        };
        match drift {
            Drift::Learnt => Self::Learnt(LearntTracker::new(settings, window_s)),
            Drift::Believed(_) => Self::Believed(Tracker::new(settings)),
        }
    }

    /// See [`Tracker::step`].
    pub fn step(&mut self, at_s: f64, measured: Option<(f64, f64)>) -> Option<Tracked> {
        match self {
            Self::Learnt(tracker) => tracker.step(at_s, measured),
            Self::Believed(tracker) => tracker.step(at_s, measured),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use rand::SeedableRng;
    use rand_distr::{Distribution, StandardNormal};

    const SETTINGS: TrackSettings = TrackSettings { drift_per_sqrt_s: 0.02, new_share: 1.0, default_se: 0.2 };

    #[test]
    fn the_variance_settles_where_riccati_says() {
        let mut tracker = Tracker::new(SETTINGS);
        let mut last = None;
        for k in 0..500 {
            last = tracker.step(f64::from(k) * 4.0, Some((1.0, 0.15)));
        }
        // p = p' r / (p' + r) with p' = p + q.
        let (q, r) = (0.02_f64.powi(2) * 4.0, 0.15_f64.powi(2));
        let p = 0.5 * (-q + (q * q + 4.0 * q * r).sqrt());
        assert!((last.unwrap().sd.powi(2) - p).abs() < 1e-12);
    }

    #[test]
    fn the_interval_covers_a_drifting_exponent() {
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(3);
        let mut normal = || -> f64 { StandardNormal.sample(&mut rng) };
        let (mut covered, mut total, mut truth) = (0, 0, 1.0);
        let mut tracker = Tracker::new(SETTINGS);
        for k in 0..20_000 {
            truth += 0.02 * 2.0 * normal();
            let measured = (k % 5 != 0).then(|| (truth + 0.15 * normal(), 0.15));
            if let Some(found) = tracker.step(f64::from(k) * 4.0, measured) {
                total += 1;
                covered += i32::from((found.exponent - truth).abs() < 1.96 * found.sd);
            }
        }
        let share = f64::from(covered) / f64::from(total);
        assert!((0.94..0.96).contains(&share), "{share}");
    }

    #[test]
    fn it_widens_while_nothing_is_valid_and_starts_with_the_first() {
        let mut tracker = Tracker::new(SETTINGS);
        assert_eq!(tracker.step(0.0, None), None);
        assert_eq!(tracker.step(4.0, Some((f64::NAN, 0.1))), None);
        let first = tracker.step(8.0, Some((1.2, f64::NAN))).unwrap();
        assert!((first.sd - 0.2).abs() < 1e-12);
        let later = tracker.step(108.0, None).unwrap();
        assert!((later.sd.powi(2) - (0.04 + 0.0004 * 100.0)).abs() < 1e-12);
        assert!((later.exponent - 1.2).abs() < 1e-12);
    }

    #[test]
    fn the_assumed_error_follows_the_bound() {
        // 0.253 / sqrt(T) over 2..35 Hz, times 1.5.
        assert!((assumed_se(4.0, (2.0, 35.0)) / 1.5 - 0.127).abs() < 1e-3);
        assert!((assumed_se(16.0, (1.0, 50.0)) / 1.5 - 0.043).abs() < 1e-3);
    }
}
