//! 200 loops around heads that do not respond, with what they remove made wrong on purpose, and right. Prints how soon the
//! proof saw it; fails where one was not seen within two windows.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    missing_docs,
    reason = "a bench"
)]

#[path = "../tests/self_confirming/circle.rs"]
mod circle;

use circle::{Circle, Outcome};
use tras_estimator::through_current::Wrong;

const ARTEFACT_UV: f64 = 1000.0;
const WRONG_S: f64 = 90.0;
const TWO_WINDOWS_S: f64 = 8.0;

/// Runs `seeds` loops on as many threads as there are processors.
fn run(seeds: u64, make: impl Fn(u64) -> Circle + Sync) -> Vec<Outcome> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from) as u64;
    std::thread::scope(|scope| {
        let make = &make;
        let workers: Vec<_> = (0..threads)
            .map(|worker| {
                let own = (1..=seeds).filter(move |seed| seed % threads == worker);
                scope.spawn(move || own.map(|seed| make(seed).run(ARTEFACT_UV)).collect::<Vec<_>>())
            })
            .collect();
        workers.into_iter().flat_map(|worker| worker.join().expect("a loop")).collect()
    })
}

fn main() {
    let seeds = std::env::args().skip(1).find_map(|a| a.parse().ok()).unwrap_or(200);
    let (mut unseen, mut moved_most) = (0, 0.0_f64);
    let base = Circle {
        seed: 0,
        rest: 1.2,
        target: 1.6,
        start: 1.5,
        wrong: (WRONG_S, Wrong::Nothing),
        seconds: 105.0,
    };
    for (name, wrong) in [
        ("removal off", Wrong::Times(0.0)),
        ("path 0.9 of itself", Wrong::Times(0.9)),
        ("path 1.1 of itself", Wrong::Times(1.1)),
        ("path turned", Wrong::Times(-1.0)),
        ("path one sample (8 ms) late", Wrong::Late(1)),
    ] {
        let outcomes = run(seeds, |seed| Circle { seed, wrong: (WRONG_S, wrong), ..base });
        let seen: Vec<f64> = outcomes.iter().filter_map(|o| o.seen_after_s(WRONG_S)).collect();
        let in_time = seen.iter().filter(|s| **s <= TWO_WINDOWS_S).count();
        let still = outcomes.iter().filter(|o| o.proven(WRONG_S + TWO_WINDOWS_S, base.seconds) > 0).count();
        let worst = seen.iter().copied().fold(0.0, f64::max);
        let before: usize = outcomes.iter().map(|o| o.proven(50.0, WRONG_S)).sum();
        let all = outcomes.iter().flat_map(|o| &o.windows).filter(|w| (50.0..WRONG_S).contains(&w.0)).count();
        println!(
            "{name:<30} seen within two windows in {in_time} of {seeds}, at the latest after {worst:.1} s; a window proven \\
             later in {still}; proven before {:.0} %",
            100.0 * before as f64 / all.max(1) as f64
        );
        unseen += seeds as usize - in_time + still;
    }
    let off = run(seeds, |seed| Circle { seed, wrong: (0.0, Wrong::Times(0.0)), seconds: 60.0, ..base });
    let proven: usize = off.iter().map(|o| o.proven(8.0, 60.0)).sum();
    println!("{:<30} {proven} windows proven in {seeds} loops", "removal never on");
    unseen += proven;
    for start in [0.8, 2.2] {
        let right = run(seeds, |seed| Circle {
            seed,
            target: 1.2,
            start,
            wrong: (0.0, Wrong::Nothing),
            seconds: 150.0,
            ..base
        });
        let moved: Vec<f64> = right.iter().map(|o| o.given - o.given_alone).collect();
        let mean = moved.iter().sum::<f64>() / moved.len() as f64;
        let most = moved.iter().map(|m| m.abs()).fold(0.0, f64::max);
        moved_most = moved_most.max(most);
        println!(
            "no answer, EEG at its target    current from {start}: after 140 s {mean:+.3} from where the same EEG without current \
             leaves the law, {most:.3} at most"
        );
    }
    assert!(unseen == 0, "{unseen} loops steered on their own current unseen");
    assert!(moved_most < 0.5, "a loop moved by {moved_most:.3} without an answer");
}
