//! What a fit is made of: a line that may bend at a knee, a floor under it, and peaks above it, each with what was
//! known of it before.

/// Peaks that one fit holds at most.
pub const MAX_COMPONENTS: usize = 6;
/// Parameters: level, exponent, floor, knee, and three a peak.
pub const MAX_PARAMETERS: usize = 4 + 3 * MAX_COMPONENTS;
/// Standard deviations a peak may take, natural log of Hz.
pub const LN_SIGMA_LIMITS: (f64, f64) = (-0.92, 1.4);

/// ln of the frequencies in Hz that a knee may have: 0.3 to 40.
pub const LN_KNEE_LIMITS: (f64, f64) = (-1.2, 3.7);
/// A line that hardly falls has no knee.
pub const LEAST_KNEE_CHI: f64 = 0.2;

/// A Gaussian prior; flat where the precision is 0.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Prior {
    /// Mean.
    pub mean: f64,
    /// 1 / variance.
    pub precision: f64,
}

impl Prior {
    /// From mean and standard deviation.
    #[must_use]
    pub fn new(mean: f64, sd: f64) -> Self {
        Self { mean, precision: 1.0 / (sd * sd) }
    }
}

/// One additive peak: amplitude (relative to the line's power at the pivot), centre in Hz, ln of its standard
/// deviation in Hz.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Component {
    /// Amplitude, centre, ln sigma.
    pub value: [f64; 3],
    /// Their priors.
    pub prior: [Prior; 3],
}

/// A parameter that a fit may have: a floor, a knee.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Term {
    /// What it is.
    pub value: f64,
    /// What was known of it.
    pub prior: Prior,
}

/// The parameters of one fit. In vectors and matrices they stand in this order: level, exponent, floor where there is
/// one, knee where there is one, and amplitude, centre and ln sigma of each peak.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Parameters {
    /// ln power of the line at the pivot.
    pub level: f64,
    /// Exponent; above the knee where there is one.
    pub chi: f64,
    /// White noise under all, relative to the line's power at the pivot.
    pub floor: Option<Term>,
    /// ln of the knee's frequency in Hz.
    pub knee: Option<Term>,
    pub(super) components: [Component; MAX_COMPONENTS],
    pub(super) count: usize,
}

impl Parameters {
    /// A line without peaks.
    #[must_use]
    pub fn line(level: f64, chi: f64) -> Self {
        Self { level, chi, ..Self::default() }
    }

    /// The peaks.
    #[must_use]
    pub fn components(&self) -> &[Component] {
        self.components.get(..self.count).unwrap_or_default()
    }

    /// The peaks.
    pub fn components_mut(&mut self) -> &mut [Component] {
        self.components.get_mut(..self.count).unwrap_or_default()
    }

    /// Adds a peak; `false` where there is no room.
    pub fn push(&mut self, component: Component) -> bool {
        let Some(slot) = self.components.get_mut(self.count) else { return false };
        *slot = component;
        self.count += 1;
        true
    }

    /// Takes a peak out.
    pub fn remove(&mut self, index: usize) {
        if index < self.count {
            self.components.copy_within(index + 1..self.count, index);
            self.count -= 1;
        }
    }

    /// How many parameters there are.
    #[must_use]
    pub fn dimension(&self) -> usize {
        self.first_peak() + 3 * self.count
    }

    /// Where the floor stands.
    #[must_use]
    pub fn floor_at(&self) -> Option<usize> {
        self.floor.map(|_| 2)
    }

    /// Where the knee stands.
    #[must_use]
    pub fn knee_at(&self) -> Option<usize> {
        self.knee.map(|_| 2 + usize::from(self.floor.is_some()))
    }

    /// Where the peaks begin.
    #[must_use]
    pub fn first_peak(&self) -> usize {
        2 + usize::from(self.floor.is_some()) + usize::from(self.knee.is_some())
    }

    /// Value and prior of parameter `d`; level and exponent have no prior.
    #[must_use]
    pub fn prior(&self, d: usize) -> Option<(f64, Prior)> {
        if self.floor_at() == Some(d) {
            return self.floor.map(|term| (term.value, term.prior));
        }
        if self.knee_at() == Some(d) {
            return self.knee.map(|term| (term.value, term.prior));
        }
        let at = d.checked_sub(self.first_peak())?;
        let component = self.components().get(at / 3)?;
        Some((component.value.get(at % 3).copied()?, component.prior.get(at % 3).copied()?))
    }

    /// The line at `freq_hz` over its own power at the pivot.
    #[must_use]
    pub fn line_at(&self, freq_hz: f64, pivot_hz: f64) -> f64 {
        let knee_hz = self.knee.map_or(0.0, |knee| knee.value.exp());
        let fall = |f: f64| f.powf(self.chi) + if knee_hz > 0.0 { knee_hz.powf(self.chi) } else { 0.0 };
        fall(pivot_hz) / fall(freq_hz)
    }

    /// What the priors add to the objective.
    #[must_use]
    pub fn penalty(&self) -> f64 {
        let cost = |value: f64, prior: &Prior| 0.5 * prior.precision * (value - prior.mean).powi(2);
        let terms = [self.floor, self.knee].into_iter().flatten().map(|term| cost(term.value, &term.prior));
        let peaks = self.components().iter().flat_map(|c| c.value.iter().zip(&c.prior));
        terms.sum::<f64>() + peaks.map(|(value, prior)| cost(*value, prior)).sum::<f64>()
    }

    /// The largest part of `step` that no parameter finds too long.
    pub(super) fn longest(&self, step: &[f64; MAX_PARAMETERS]) -> f64 {
        let mut scale: f64 = 1.0;
        let first = self.first_peak();
        for (d, &size) in step.iter().enumerate().take(self.dimension()) {
            let most = match (d, d.wrapping_sub(first) % 3) {
                (0, _) => 2.0,
                (1, _) => 1.0,
                _ if self.knee_at() == Some(d) => 0.7,
                _ if self.floor_at() == Some(d) => continue,
                (_, 1) => 1.5,
                (_, 2) => 0.7,
                _ => continue,
            };
            if size.abs() * scale > most {
                scale = most / size.abs();
            }
        }
        scale
    }

    /// These parameters a part of `step` further, within their limits.
    pub(super) fn advanced(&self, step: &[f64; MAX_PARAMETERS], scale: f64) -> Self {
        let mut next = *self;
        let mut steps = step.iter().map(|s| s * scale);
        next.level += steps.next().unwrap_or(0.0);
        next.chi += steps.next().unwrap_or(0.0);
        if let Some(floor) = &mut next.floor {
            floor.value = (floor.value + steps.next().unwrap_or(0.0)).max(0.0);
        }
        if let Some(knee) = &mut next.knee {
            let (low, high) = LN_KNEE_LIMITS;
            knee.value = (knee.value + steps.next().unwrap_or(0.0)).clamp(low, high);
            next.chi = next.chi.max(LEAST_KNEE_CHI);
        }
        for component in next.components_mut() {
            for value in &mut component.value {
                *value += steps.next().unwrap_or(0.0);
            }
            let [amplitude, _, ln_sigma] = &mut component.value;
            *amplitude = amplitude.max(0.0);
            *ln_sigma = ln_sigma.clamp(LN_SIGMA_LIMITS.0, LN_SIGMA_LIMITS.1);
        }
        next
    }
}
