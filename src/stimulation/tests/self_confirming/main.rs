//! A loop must not confirm itself: where what it removes is wrong, the proof sees it within two windows; `make
//! bench-self-confirming` does the same with 200 seeds, and looks whether a head that does not respond leaves a loop where it was.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests")]

mod circle;

use circle::Circle;
use tras_estimator::through_current::Wrong;

const ARTEFACT_UV: f64 = 1000.0;

#[test]
fn what_is_wrong_on_purpose_is_seen_within_two_windows() {
    for seed in 1..=2 {
        let circle = Circle {
            seed,
            rest: 1.2,
            target: 1.6,
            start: 1.5,
            wrong: (90.0, Wrong::Nothing),
            seconds: 105.0,
        };
        let right = circle.run(ARTEFACT_UV);
        assert!(
            right.proven(90.0, 104.0) > 20,
            "{} proven of a path that is right",
            right.proven(90.0, 104.0)
        );
        for wrong in [Wrong::Times(0.0), Wrong::Times(0.9), Wrong::Times(1.1), Wrong::Late(1)] {
            let outcome = Circle { wrong: (90.0, wrong), ..circle }.run(ARTEFACT_UV);
            let seen_s = outcome.seen_after_s(90.0);
            assert!(seen_s.is_some_and(|s| s <= 8.0), "{wrong:?}: {seen_s:?}");
            assert_eq!(outcome.proven(98.0, 105.0), 0, "{wrong:?}");
        }
    }
}

#[test]
fn a_removal_that_was_never_on_proves_nothing() {
    let circle = Circle {
        seed: 3,
        rest: 1.2,
        target: 1.6,
        start: 1.5,
        wrong: (0.0, Wrong::Times(0.0)),
        seconds: 80.0,
    };
    let outcome = circle.run(ARTEFACT_UV);
    assert!(outcome.windows.len() > 100);
    assert_eq!(outcome.proven(8.0, 80.0), 0);
    assert_eq!(outcome.given, 1.5, "nothing steered");
}
