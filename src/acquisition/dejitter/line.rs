//! A straight line through stamps over the sample count: least squares with exponential forgetting (recursive least
//! squares, as liblsl's own smoother). The sums are kept about the newest sample, so that nothing grows with the
//! length of a session; the slope leans on a given period until the data know better.

/// Half-time of the forgetting in seconds of data: long against jitter, short against thermal drift of a
/// quartz. The value of liblsl's smoother (`tuning.SmoothingHalftime`).
const HALF_TIME_S: f64 = 90.0;
/// Jitter that the slope's prior reckons with, seconds.
const JITTER_S: f64 = 0.005;

/// The line of one stream.
#[derive(Clone, Debug)]
pub(super) struct Line {
    /// What the slope leans on.
    period_s: f64,
    forget: f64,
    /// Jitter's variance over the variance of the period.
    ridge: f64,
    /// Stamp that a line of slope `period_s` has at the newest sample; departures are counted from it.
    nominal_s: f64,
    /// Sums over past samples, the newest at x = 0: weights, x, x², y, x y; y is departure from nominal.
    s0: f64,
    s1: f64,
    s2: f64,
    b0: f64,
    b1: f64,
}

impl Line {
    /// Leans on `period_s`, which may be off by a share of `spread`.
    pub(super) fn new(period_s: f64, spread: f64) -> Self {
        let forget = 0.5_f64.powf(period_s / HALF_TIME_S);
        let ridge = (JITTER_S / (spread * period_s)).powi(2);
        Self { period_s, forget, ridge, nominal_s: 0.0, s0: 0.0, s1: 0.0, s2: 0.0, b0: 0.0, b1: 0.0 }
    }

    /// Begins anew at `stamp_s`, which counts as so many samples; the slope that was found is leaned on.
    pub(super) fn begin(&mut self, stamp_s: f64, weight: f64, spread: f64) {
        *self = Self { nominal_s: stamp_s, s0: weight, ..Self::new(self.slope_s(), spread) };
    }

    /// Goes on to the next sample.
    pub(super) fn advance(&mut self) {
        self.nominal_s += self.period_s;
        // The newest sample moves to x = 0: every past x becomes one less.
        self.s2 += self.s0 - 2.0 * self.s1;
        self.s1 -= self.s0;
        self.b1 -= self.b0;
        for sum in [&mut self.s0, &mut self.s1, &mut self.s2, &mut self.b0, &mut self.b1] {
            *sum *= self.forget;
        }
    }

    /// Takes the newest sample's stamp.
    pub(super) fn add(&mut self, stamp_s: f64) {
        self.s0 += 1.0;
        self.b0 += stamp_s - self.nominal_s;
    }

    /// Where the line is at the newest sample.
    pub(super) fn here_s(&self) -> f64 {
        self.nominal_s + self.fit().0
    }

    /// Where it will be at the next.
    pub(super) fn next_s(&self) -> f64 {
        let (level, slope) = self.fit();
        self.nominal_s + self.period_s + level + slope
    }

    /// From one sample to the next, seconds.
    pub(super) fn slope_s(&self) -> f64 {
        self.period_s + self.fit().1
    }

    /// Level and slope at the newest sample, relative to the nominal line.
    fn fit(&self) -> (f64, f64) {
        let s2 = self.s2 + self.ridge;
        let det = self.s0 * s2 - self.s1 * self.s1;
        if det > 0.0 {
            ((self.b0 * s2 - self.b1 * self.s1) / det, (self.s0 * self.b1 - self.s1 * self.b0) / det)
        } else {
            (0.0, 0.0)
        }
    }
}
