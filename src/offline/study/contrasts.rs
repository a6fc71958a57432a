//! Paired differences between two conditions over participants, and the regression of the change of d' on the change
//! of the exponent and the exponent at rest.

use serde_json::{Value, json};
use tras_scoring::quantile::{mean, sd};
use tras_scoring::regression::{Regression, regress, t_quantile_975, t_two_sided_p};

use super::join::{Joined, Row};

/// A mean difference over participants.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Difference {
    /// Participants with both.
    pub n: usize,
    /// Mean.
    pub value: f64,
    /// 95 % interval by Student's t; NaN with one participant.
    pub ci: [f64; 2],
    /// Two-sided p of the paired t test.
    pub p: f64,
}

/// One participant's differences.
#[derive(Clone, Debug, PartialEq)]
pub struct Own {
    /// The participant's code.
    pub participant: String,
    /// Of d'.
    pub d_prime: f64,
    /// Of d' with missing responses filled at random.
    pub d_prime_imputed: Option<f64>,
    /// Of the exponent at rest after blocks.
    pub exponent: Option<f64>,
    /// Exponent at rest before the first block.
    pub exponent_rest: Option<f64>,
}

/// One condition against another.
#[derive(Clone, Debug, PartialEq)]
pub struct Contrast {
    /// The conditions: the first less the second.
    pub conditions: (String, String),
    /// Each participant's differences.
    pub own: Vec<Own>,
    /// Of d', of d' filled at random, of the exponent.
    pub differences: [Option<Difference>; 3],
    /// Change of d' on change of exponent and exponent at rest, or why there is none.
    pub regression: Result<Regression, String>,
}

/// Compares `first` with `second`.
#[must_use]
pub fn contrast(joined: &Joined, first: &str, second: &str) -> Contrast {
    let find = |who: &str, condition: &str| -> Option<&Row> {
        joined.rows.iter().find(|r| r.participant == who && r.condition == condition)
    };
    let own: Vec<Own> = joined
        .rows
        .iter()
        .filter(|row| row.condition == first)
        .filter_map(|a| {
            let b = find(&a.participant, second)?;
            Some(Own {
                participant: a.participant.clone(),
                d_prime: a.d_prime? - b.d_prime?,
                d_prime_imputed: a.d_prime_imputed.zip(b.d_prime_imputed).map(|(a, b)| a - b),
                exponent: a.exponent_after.zip(b.exponent_after).map(|(a, b)| a - b),
                exponent_rest: a.exponent_rest,
            })
        })
        .collect();
    let over = |of: fn(&Own) -> Option<f64>| difference(&own.iter().filter_map(of).collect::<Vec<_>>());
    let whole: Vec<(f64, f64, f64)> =
        own.iter().filter_map(|o| Some((o.d_prime, o.exponent?, o.exponent_rest?))).collect();
    let column = |of: fn(&(f64, f64, f64)) -> f64| whole.iter().map(of).collect::<Vec<f64>>();
    Contrast {
        conditions: (first.to_owned(), second.to_owned()),
        differences: [over(|o| Some(o.d_prime)), over(|o| o.d_prime_imputed), over(|o| o.exponent)],
        regression: regress(&column(|w| w.0), &[column(|w| w.1), column(|w| w.2)]),
        own,
    }
}

fn difference(values: &[f64]) -> Option<Difference> {
    let n = values.len();
    if n == 0 {
        return None;
    }
    let (value, freedom) = (mean(values), n as f64 - 1.0);
    let error = sd(values) / (n as f64).sqrt();
    let half = if n > 1 { t_quantile_975(freedom) * error } else { f64::NAN };
    Some(Difference { n, value, ci: [value - half, value + half], p: t_two_sided_p(value / error, freedom) })
}

/// The names of the coefficients, in their order.
pub const COEFFICIENTS: [&str; 3] = ["intercept", "change of exponent", "exponent at rest"];

impl Contrast {
    /// As JSON.
    #[must_use]
    pub fn json(&self) -> Value {
        let told =
            |d: Option<Difference>| d.map(|d| json!({ "n": d.n, "mean": d.value, "ci": d.ci, "p": d.p }));
        let [d_prime, imputed, exponent] = self.differences;
        json!({
            "contrast": format!("{} - {}", self.conditions.0, self.conditions.1),
            "d_prime": told(d_prime), "d_prime_imputed": told(imputed), "exponent": told(exponent),
            "regression": match &self.regression {
                Ok(r) => json!({
                    "n": r.n, "r_squared": r.r_squared,
                    "coefficients": COEFFICIENTS.iter().zip(&r.coefficients)
                        .map(|(name, c)| ((*name).to_owned(), json!({ "value": c.value, "se": c.se, "ci": c.ci })))
                        .collect::<serde_json::Map<_, _>>(),
                }),
                Err(why) => json!(why),
            },
        })
    }

    /// In words.
    #[must_use]
    pub fn words(&self) -> String {
        let mut text = format!("{} - {}\n", self.conditions.0, self.conditions.1);
        let names =
            ["d', observed responses", "d', missing filled at random", "exponent at rest after blocks"];
        for (name, difference) in names.into_iter().zip(self.differences) {
            text += &match difference {
                Some(d) if d.n > 1 => format!(
                    "  {name:<30} {:+.3} (95 % {:+.3} to {:+.3}), n {}, p {:.3}\n",
                    d.value, d.ci[0], d.ci[1], d.n, d.p
                ),
                Some(d) => format!("  {name:<30} {:+.3}, one participant\n", d.value),
                None => format!("  {name:<30} no participant has both\n"),
            };
        }
        match &self.regression {
            Ok(r) => {
                text += &format!("  change of d' on (n {}, R2 {:.2}):\n", r.n, r.r_squared);
                for (name, c) in COEFFICIENTS.iter().zip(&r.coefficients) {
                    text += &format!(
                        "    {name:<28} {:+.3} (95 % {:+.3} to {:+.3})\n",
                        c.value, c.ci[0], c.ci[1]
                    );
                }
            }
            Err(why) => text += &format!("  no {why}\n"),
        }
        text
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn study() -> Joined {
        let mut rows = Vec::new();
        for k in 0..12 {
            let x = f64::from(k);
            let (rest, change) = (1.0 + 0.1 * (x * 1.7).sin(), 0.2 * (x * 2.3).cos());
            for (condition, exponent, d) in
                [("steep", 1.2 + change, 2.0 + 0.5 * change - 0.4 * rest), ("flat", 1.2, 2.0)]
            {
                rows.push(Row {
                    participant: format!("P{k:02}"),
                    condition: condition.into(),
                    d_prime: Some(d),
                    exponent_rest: Some(rest),
                    exponent_after: Some(exponent),
                    ..Row::default()
                });
            }
        }
        Joined { rows, ..Joined::default() }
    }

    #[test]
    fn differences_are_paired_and_the_regression_finds_what_was_put_in() {
        let c = contrast(&study(), "steep", "flat");
        assert_eq!(c.own.len(), 12);
        let r = c.regression.as_ref().unwrap();
        let found: Vec<f64> = r.coefficients.iter().map(|c| c.value).collect();
        for (found, put) in found.iter().zip([0.0, 0.5, -0.4]) {
            assert!((found - put).abs() < 1e-9, "{found} {put}");
        }
        assert_eq!(c.differences[1], None);
        assert!(c.words().contains("no participant has both") && c.json()["d_prime"]["n"] == 12);
    }

    #[test]
    fn too_few_participants_are_told() {
        let mut few = study();
        few.rows.truncate(2);
        let c = contrast(&few, "steep", "flat");
        assert!(c.words().contains("one participant") && c.words().contains("needed"), "{}", c.words());
        assert!(contrast(&few, "steep", "sham").own.is_empty());
    }
}
