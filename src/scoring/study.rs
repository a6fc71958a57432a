//! What a study of a given size could find: paired differences of d' with the known errors of d'.

use crate::quantile::{mean, sd};
use crate::regression::t_two_sided_p;
use crate::stream::Streams;

/// Trials, and the standard error of d' at 1, 2 and 3 with the kernel `naka35`.
const ERRORS: [(f64, [f64; 3]); 3] =
    [(50.0, [0.144, 0.216, 0.409]), (100.0, [0.104, 0.145, 0.267]), (200.0, [0.078, 0.107, 0.192])];

/// The standard error of d' from `trials` trials: between the known ones by straight lines in the logarithms, beyond
/// them by the square root of the trials.
#[must_use]
pub fn standard_error(d_prime: f64, trials: f64) -> f64 {
    let at = |errors: &[f64; 3]| {
        let place = (d_prime - 1.0).clamp(0.0, 2.0);
        let [one, two, three] = errors.map(f64::ln);
        if place < 1.0 { one + place * (two - one) } else { two + (place - 1.0) * (three - two) }
    };
    let [few, middle, many] = &ERRORS;
    let (a, b) = if trials < middle.0 { (few, middle) } else { (middle, many) };
    if trials < few.0 || trials > many.0 {
        let end = if trials < few.0 { few } else { many };
        return at(&end.1).exp() * (end.0 / trials).sqrt();
    }
    let share = (trials / a.0).ln() / (b.0 / a.0).ln();
    (at(&a.1) + share * (at(&b.1) - at(&a.1))).exp()
}

/// A study to simulate: every participant has a d' of their own and an effect of their own.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Plan {
    /// How many.
    pub participants: usize,
    /// Trials of each condition and participant.
    pub trials: f64,
    /// Mean d' under sham, and its SD between participants.
    pub d_prime: (f64, f64),
    /// Mean difference of d' between two conditions, and its SD between participants.
    pub effect: (f64, f64),
}

/// What the simulated studies found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Power {
    /// Share of studies whose paired t test says p < 0.05.
    pub power: f64,
    /// Its standard error, by the number of studies simulated.
    pub error: f64,
    /// Half the mean width of the 95 % interval of the difference.
    pub half_width: f64,
}

/// Simulates `studies` studies.
#[must_use]
pub fn power(plan: &Plan, studies: u32, seed: u64) -> Power {
    // Not by the participants' number: studies of different sizes then share their first participants.
    let streams = Streams::new(seed, &["power"]);
    let freedom = plan.participants.saturating_sub(1) as f64;
    let t_975 = crate::regression::t_quantile_975(freedom.max(1.0));
    let (mut found, mut width) = (0_u32, 0.0);
    for k in 0..studies {
        let mut stream = streams.replicate(u64::from(k));
        let differences: Vec<f64> = (0..plan.participants)
            .map(|_| {
                let sham = (plan.d_prime.0 + plan.d_prime.1 * stream.normal()).max(0.1);
                let under = (sham + plan.effect.0 + plan.effect.1 * stream.normal()).max(0.1);
                let measured = |d: f64, z: f64| d + z * standard_error(d, plan.trials);
                let (a, b) = (stream.normal(), stream.normal());
                measured(under, a) - measured(sham, b)
            })
            .collect();
        let error = sd(&differences) / (plan.participants as f64).sqrt();
        if error > 0.0 {
            found += u32::from(t_two_sided_p(mean(&differences) / error, freedom) < 0.05);
            width += t_975 * error;
        }
    }
    let share = f64::from(found) / f64::from(studies.max(1));
    Power {
        power: share,
        error: (share * (1.0 - share) / f64::from(studies.max(1))).sqrt(),
        half_width: width / f64::from(studies.max(1)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn standard_errors_are_the_known_ones_and_lie_between_them() {
        for (trials, errors) in ERRORS {
            for (d, known) in [1.0, 2.0, 3.0].into_iter().zip(errors) {
                assert!((standard_error(d, trials) - known).abs() < 1e-12);
            }
        }
        let between = standard_error(2.0, 120.0);
        assert!(between < 0.145 && between > 0.107, "{between}");
        assert!((standard_error(2.0, 800.0) - 0.107 / 2.0).abs() < 1e-12);
    }

    #[test]
    fn power_is_five_per_cent_without_an_effect_and_grows_with_it() {
        let plan = Plan { participants: 20, trials: 120.0, d_prime: (2.0, 0.5), effect: (0.0, 0.1) };
        let none = power(&plan, 2_000, 1);
        assert!((none.power - 0.05).abs() < 0.015, "{none:?}");
        let some = power(&Plan { effect: (0.15, 0.1), ..plan }, 1_000, 1);
        let more = power(&Plan { participants: 40, effect: (0.15, 0.1), ..plan }, 1_000, 1);
        assert!(some.power > 0.5 && more.power > some.power + 0.1, "{some:?} {more:?}");
        assert!(more.half_width < some.half_width);
    }
}
