//! One cell (a participant's trials of one condition and load), scored in every way side by side.

use crate::angle::{circular_sd_deg, wrap_deg};
use crate::dprime::{Counts, DPrimeFit, LogTable, count};
use crate::mixture::{self, Mixture, Parts, Resampler, Response};
use crate::quantile::{interval_95, mean, median, sd};
use crate::stream::Streams;

/// One trial.
#[derive(Clone, Debug, PartialEq)]
pub struct Trial {
    /// The probed item, degrees.
    pub target_deg: f64,
    /// The answer, degrees; `None` where none was given.
    pub response_deg: Option<f64>,
    /// The items that were not probed, degrees.
    pub nontargets_deg: Vec<f64>,
    /// From the probe to the answer.
    pub rt_s: Option<f64>,
}

/// A participant's trials of one condition and load.
#[derive(Clone, Debug, PartialEq)]
pub struct Cell {
    /// The participant's code.
    pub participant: String,
    /// The condition's name.
    pub condition: String,
    /// How many items, as the table writes it.
    pub load: String,
    /// Its trials, missing responses included.
    pub trials: Vec<Trial>,
}

/// How often things are drawn, and from which seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Names every stream together with the cell.
    pub seed: u64,
    /// How often missing responses are filled at random (the study: 1,000).
    pub imputations: u32,
    /// Resamples of trials for the intervals.
    pub bootstraps: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self { seed: 1, imputations: 1_000, bootstraps: 1_000 }
    }
}

/// Response times in seconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Times {
    /// How many there are.
    pub n: usize,
    /// Mean.
    pub mean_s: f64,
    /// Median.
    pub median_s: f64,
    /// Standard deviation (n - 1); NaN of one.
    pub sd_s: f64,
}

/// What a cell comes to. Measures are of the observed responses unless they say `imputed`.
#[derive(Clone, Debug, PartialEq)]
pub struct Score {
    /// Trials, those without a response included.
    pub n: usize,
    /// Trials without a response.
    pub missing: usize,
    /// d' by maximum likelihood; `None` without a response.
    pub d_prime: Option<DPrimeFit>,
    /// Its bootstrap interval, 95 %.
    pub d_prime_ci: Option<[f64; 2]>,
    /// Mean d' with missing responses filled at random; the same as `d_prime` where none is missing.
    pub d_prime_imputed: Option<f64>,
    /// Bootstrap interval, each resample filled once.
    pub d_prime_imputed_ci: Option<[f64; 2]>,
    /// Circular SD of the errors, degrees.
    pub circular_sd_deg: Option<f64>,
    /// Its bootstrap interval.
    pub circular_sd_ci: Option<[f64; 2]>,
    /// Mean circular SD with missing responses filled at random.
    pub circular_sd_imputed_deg: Option<f64>,
    /// Target, non-target and guess where there are non-targets, otherwise target and guess.
    pub mixture: Option<Mixture>,
    /// Which of the two `mixture` is.
    pub parts: Parts,
    /// Intervals of kappa, p_target, p_nontarget, p_guess.
    pub mixture_ci: Option<[[f64; 2]; 4]>,
    /// Target and guess alone.
    pub mixture_two: Option<Mixture>,
    /// Response times.
    pub rt: Option<Times>,
    /// d' of every resample, NaN where it had no response.
    pub d_prime_draws: Vec<f64>,
    /// The share of guesses (two parts) of every resample, for the capacity.
    pub p_guess_draws: Vec<f64>,
}

/// Scores one cell. The same cell, table and settings give the same score, to the bit.
#[must_use]
pub fn score(cell: &Cell, table: &LogTable, settings: &Settings) -> Score {
    let responses: Vec<Response> = cell
        .trials
        .iter()
        .filter_map(|trial| {
            let response = trial.response_deg?;
            Some(Response {
                error_deg: wrap_deg(response - trial.target_deg),
                to_nontargets_deg: trial.nontargets_deg.iter().map(|n| wrap_deg(response - n)).collect(),
            })
        })
        .collect();
    let errors: Vec<f64> = responses.iter().map(|r| r.error_deg).collect();
    let missing = cell.trials.len() - errors.len();
    let streams = |what| Streams::new(settings.seed, &[&cell.participant, &cell.condition, &cell.load, what]);
    let observed = count(errors.iter().copied());
    let d_prime = table.fit(&observed);
    let resultant = Resultant::of(&errors);

    let filled = d_prime.map(|fit| match missing {
        0 => (fit.d_prime, circular_sd_deg(errors.iter().copied())),
        _ => impute(&observed, &resultant, missing, table, &streams("imputation"), settings.imputations),
    });
    let draws = resample(&errors, missing, table, &streams("bootstrap"), settings.bootstraps);

    let three = !responses.is_empty() && responses.iter().all(|r| !r.to_nontargets_deg.is_empty());
    let parts = if three { Parts::Three } else { Parts::Two };
    let mixture_two = mixture::fit(&responses, Parts::Two);
    let mixture = if three { mixture::fit(&responses, Parts::Three) } else { mixture_two };
    let refits = |three: bool, start: Option<Mixture>, what| -> Vec<Mixture> {
        let Some(start) = start else { return Vec::new() };
        let mut resampler = Resampler::new(&responses, three, start);
        let streams = streams(what);
        (0..u64::from(settings.bootstraps)).map(|k| resampler.refit(&mut streams.replicate(k))).collect()
    };
    let two = refits(false, mixture_two, "two parts");
    let all = if three { refits(true, mixture, "three parts") } else { two.clone() };

    let times: Vec<f64> = cell.trials.iter().filter_map(|t| t.rt_s).collect();
    Score {
        n: cell.trials.len(),
        missing,
        d_prime,
        d_prime_ci: d_prime.and_then(|_| interval_95(&draws.d_prime)),
        d_prime_imputed: filled.map(|f| f.0),
        d_prime_imputed_ci: d_prime.and_then(|_| interval_95(&draws.d_prime_filled)),
        circular_sd_deg: d_prime.map(|_| circular_sd_deg(errors.iter().copied())),
        circular_sd_ci: d_prime.and_then(|_| interval_95(&draws.circular_sd_deg)),
        circular_sd_imputed_deg: filled.map(|f| f.1),
        mixture,
        parts,
        mixture_ci: mixture_intervals(&all),
        mixture_two,
        rt: (!times.is_empty()).then(|| Times {
            n: times.len(),
            mean_s: mean(&times),
            median_s: median(&times),
            sd_s: sd(&times),
        }),
        d_prime_draws: draws.d_prime,
        p_guess_draws: two.iter().map(|m| m.p_guess).collect(),
    }
}

fn mixture_intervals(refits: &[Mixture]) -> Option<[[f64; 2]; 4]> {
    let of = |value: fn(&Mixture) -> f64| interval_95(&refits.iter().map(value).collect::<Vec<_>>());
    Some([of(|m| m.kappa)?, of(|m| m.p_target)?, of(|m| m.p_nontarget)?, of(|m| m.p_guess)?])
}

/// Sums of cosines and sines: a circular SD in the making.
#[derive(Clone, Copy, Default)]
struct Resultant {
    cos: f64,
    sin: f64,
    n: f64,
}

impl Resultant {
    fn of(errors_deg: &[f64]) -> Self {
        let mut all = Self::default();
        errors_deg.iter().for_each(|e| all.add(e.to_radians().sin_cos()));
        all
    }

    fn add(&mut self, (sin, cos): (f64, f64)) {
        self.cos += cos;
        self.sin += sin;
        self.n += 1.0;
    }

    fn circular_sd_deg(&self) -> f64 {
        crate::angle::sd_of_resultant_deg(self.cos.hypot(self.sin) / self.n)
    }
}

/// Mean d' and circular SD with `missing` responses drawn from the whole circle, `times` over.
fn impute(
    observed: &Counts,
    resultant: &Resultant,
    missing: usize,
    table: &LogTable,
    streams: &Streams,
    times: u32,
) -> (f64, f64) {
    let (mut d_prime, mut sd) = (0.0, 0.0);
    for k in 0..u64::from(times) {
        let mut stream = streams.replicate(k);
        let (mut counts, mut all) = (*observed, *resultant);
        for _ in 0..missing {
            let guess_deg = 360.0 * stream.unit();
            add(&mut counts, crate::angle::distance(guess_deg));
            all.add(guess_deg.to_radians().sin_cos());
        }
        d_prime += table.fit(&counts).map_or(f64::NAN, |fit| fit.d_prime);
        sd += all.circular_sd_deg();
    }
    (d_prime / f64::from(times), sd / f64::from(times))
}

fn add(counts: &mut Counts, distance: usize) {
    if let Some(slot) = counts.get_mut(distance) {
        *slot += 1;
    }
}

struct Draws {
    d_prime: Vec<f64>,
    d_prime_filled: Vec<f64>,
    circular_sd_deg: Vec<f64>,
}

/// Resamples all trials, missing ones too, so that an interval knows how uncertain the missing rate is.
fn resample(errors_deg: &[f64], missing: usize, table: &LogTable, streams: &Streams, times: u32) -> Draws {
    let known: Vec<(usize, (f64, f64))> =
        errors_deg.iter().map(|e| (crate::angle::distance(*e), e.to_radians().sin_cos())).collect();
    let mut draws = Draws { d_prime: Vec::new(), d_prime_filled: Vec::new(), circular_sd_deg: Vec::new() };
    let total = errors_deg.len() + missing;
    for k in 0..u64::from(times) {
        let mut stream = streams.replicate(k);
        let mut counts: Counts = count([]);
        let (mut all, mut gone) = (Resultant::default(), 0);
        for _ in 0..total {
            match known.get(stream.below(total)) {
                Some((distance, direction)) => {
                    add(&mut counts, *distance);
                    all.add(*direction);
                }
                None => gone += 1,
            }
        }
        let d_prime = |counts: &Counts| table.fit(counts).map_or(f64::NAN, |fit| fit.d_prime);
        let seen = d_prime(&counts);
        draws.d_prime.push(seen);
        draws.circular_sd_deg.push(all.circular_sd_deg());
        if gone > 0 {
            (0..gone).for_each(|_| add(&mut counts, crate::angle::distance(360.0 * stream.unit())));
            draws.d_prime_filled.push(d_prime(&counts));
        } else {
            draws.d_prime_filled.push(seen);
        }
    }
    draws
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::kernel::Kernel;
    use crate::simulate::Observer;
    use crate::tcc::Quadrature;
    use std::sync::OnceLock;

    fn table() -> &'static LogTable {
        static TABLE: OnceLock<LogTable> = OnceLock::new();
        TABLE.get_or_init(|| LogTable::new(Kernel::named("naka35").unwrap(), Quadrature::Exact))
    }

    fn cell(n: usize, missing: usize, d_prime: f64, nontargets: usize) -> Cell {
        let observer = Observer::new(table().kernel(), d_prime);
        let mut stream = Streams::new(4, &["cell"]).replicate(nontargets as u64);
        let trials = (0..n)
            .map(|k| {
                let target_deg = (360.0 * stream.unit()).floor();
                Trial {
                    target_deg,
                    response_deg: (k >= missing)
                        .then(|| (target_deg + observer.error_deg(&mut stream)) % 360.0),
                    nontargets_deg: (0..nontargets).map(|_| 360.0 * stream.unit()).collect(),
                    rt_s: Some(0.5 + stream.unit()),
                }
            })
            .collect();
        Cell { participant: "P01".into(), condition: "steep".into(), load: "3".into(), trials }
    }

    const QUICK: Settings = Settings { seed: 9, imputations: 200, bootstraps: 200 };

    #[test]
    fn both_ways_with_missing_responses_stand_side_by_side() {
        let s = score(&cell(100, 10, 2.0, 2), table(), &QUICK);
        let fit = s.d_prime.unwrap();
        let [low, high] = s.d_prime_ci.unwrap();
        assert_eq!((s.n, s.missing, s.parts), (100, 10, Parts::Three));
        assert!(low < fit.d_prime && fit.d_prime < high && high - low > 0.3 && high - low < 1.0, "{s:?}");
        // The fill biases down by about 0.35 at 10 %.
        let bias = s.d_prime_imputed.unwrap() - fit.d_prime;
        assert!((-0.6..-0.15).contains(&bias), "{bias}");
        assert!(s.circular_sd_imputed_deg.unwrap() > s.circular_sd_deg.unwrap());
        let [_, target, ..] = s.mixture_ci.unwrap();
        let p = s.mixture.unwrap().p_target;
        assert!(target[0] <= p && p <= target[1]);
        assert_eq!(s.rt.unwrap().n, 100);
    }

    #[test]
    fn the_same_seed_gives_the_same_score_and_another_does_not() {
        let c = cell(60, 5, 1.5, 0);
        let first = score(&c, table(), &QUICK);
        assert_eq!(format!("{first:?}"), format!("{:?}", score(&c, table(), &QUICK)));
        let other = score(&c, table(), &Settings { seed: 10, ..QUICK });
        assert_ne!(first.d_prime_ci, other.d_prime_ci);
        assert_eq!(first.d_prime, other.d_prime);
        assert_eq!(first.parts, Parts::Two);
    }

    #[test]
    fn nothing_missing_needs_no_fill_and_nothing_there_gives_no_figure() {
        let whole = score(&cell(50, 0, 2.0, 1), table(), &QUICK);
        assert_eq!(whole.d_prime_imputed, whole.d_prime.map(|f| f.d_prime));
        assert_eq!(whole.d_prime_imputed_ci, whole.d_prime_ci);
        for c in [cell(8, 8, 2.0, 1), Cell { trials: vec![], ..cell(1, 0, 1.0, 0) }] {
            let none = score(&c, table(), &QUICK);
            assert_eq!((none.d_prime, none.d_prime_imputed, none.mixture), (None, None, None));
            assert_eq!((none.d_prime_ci, none.circular_sd_deg, none.mixture_ci), (None, None, None));
        }
    }
}
