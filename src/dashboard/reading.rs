//! What may be said of an exponent at this moment. A number that is not of now is never called valid: it has an age, and
//! the reason stands before it.

use super::draw::text;
use super::draw::theme::Role;
use super::panels::ExponentPoint;
use super::state::View;
use crate::acquisition::state::StreamState;
use crate::estimator::{Contamination, Reason};

/// Without a new estimate for so long, and for three hops, the newest one is not of now, in s.
const LATE_S: f64 = 1.0;
const LATE_HOPS: f64 = 3.0;

/// How the newest exponent stands.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Standing {
    /// Valid, clean, of now.
    Valid,
    /// Nothing was estimated yet.
    Nothing,
    /// It would tell a condition.
    Hidden,
    /// The stream is not live.
    Stream(StreamState),
    /// Stimulation is held: its data are not good enough to steer.
    Held,
    /// No estimate has come for so many seconds.
    Late(f64),
    /// Its window was touched by current, or lies in the blind gap after it.
    Touched(Contamination),
    /// Its window is clean, and gives no valid number.
    Invalid(Reason),
}

/// An exponent and what may be said of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reading {
    /// How the newest one stands.
    pub standing: Standing,
    /// The number that can be shown: the newest where it is valid, else the newest that was valid and clean.
    pub point: Option<ExponentPoint>,
    /// Its age in s.
    pub age_s: f64,
}

impl Reading {
    /// Of the steering region.
    #[must_use]
    pub fn of(view: &View) -> Self {
        let e = &view.exponents;
        let seen = |point: &&ExponentPoint| !(view.blinded && point.contamination != Contamination::Clean);
        Self::judge(view, e.points.iter().rfind(seen), e.last_clean.as_ref())
    }

    /// Of any target: its newest estimate, and its newest clean one.
    #[must_use]
    pub fn judge(view: &View, newest: Option<&ExponentPoint>, clean: Option<&ExponentPoint>) -> Self {
        let e = &view.exponents;
        let now_s = e.points.back().map_or(f64::NAN, |point| point.stamp_s + e.age_s);
        let age_of = |point: &ExponentPoint| now_s - point.stamp_s;
        let late_s = newest.map_or(0.0, age_of);
        let standing = match (view.stream.state, newest) {
            _ if view.hidden => Standing::Hidden,
            (state @ (StreamState::Waiting | StreamState::Lost | StreamState::Ended), _) => {
                Standing::Stream(state)
            }
            _ if view.stimulation.held.is_some() => Standing::Held,
            (StreamState::Live, None) => Standing::Nothing,
            (StreamState::Live, Some(_)) if late_s > LATE_S.max(LATE_HOPS * e.hop_s) => {
                Standing::Late(late_s)
            }
            (StreamState::Live, Some(point)) => match (point.contamination, point.invalid) {
                (Contamination::Clean, None) => Standing::Valid,
                (Contamination::Clean, Some(reason)) => Standing::Invalid(reason),
                (touched, _) => Standing::Touched(touched),
            },
        };
        let point = if standing == Standing::Valid { newest } else { clean };
        Self { standing, point: point.copied(), age_s: point.map_or(f64::NAN, age_of) }
    }

    /// Why the newest one is not valid, and how that stands out; empty where it is.
    #[must_use]
    pub fn reason(&self) -> (String, Role) {
        match self.standing {
            Standing::Valid => (String::new(), Role::Good),
            Standing::Nothing => ("no estimate yet".to_owned(), Role::Quiet),
            Standing::Hidden => ("in a block: hidden (blinded)".to_owned(), Role::Quiet),
            Standing::Stream(StreamState::Lost) => ("stream LOST".to_owned(), Role::Alarm),
            Standing::Stream(StreamState::Ended) => ("stream ended".to_owned(), Role::Warn),
            Standing::Stream(_) => ("no stream yet".to_owned(), Role::Warn),
            Standing::Held => ("HELD".to_owned(), Role::Warn),
            Standing::Late(since_s) => (format!("no estimate for {}", text::age(since_s)), Role::Warn),
            Standing::Touched(Contamination::Settling) => ("settling after current".to_owned(), Role::Quiet),
            Standing::Touched(_) => ("under current".to_owned(), Role::Quiet),
            Standing::Invalid(reason) => (reason.as_str().to_owned(), Role::Warn),
        }
    }

    /// The number with its standard error, `plus_minus` between them; empty without one.
    #[must_use]
    pub fn value(&self, plus_minus: &str) -> String {
        let Some(point) = &self.point else { return String::new() };
        let mut value = text::number(point.exponent, 2);
        if point.se.is_finite() {
            value.push_str(&format!(" {plus_minus} {}", text::number(point.se, 2)));
        }
        value
    }

    /// `1.56 +- 0.05 valid`, or `under current; last clean 1.56 +- 0.05, 14 s ago`: the whole reading in parts that
    /// stand out differently, to be joined by a space each.
    #[must_use]
    pub fn parts(&self, plus_minus: &str) -> Vec<(String, Role)> {
        let value = self.value(plus_minus);
        if self.standing == Standing::Valid {
            return vec![(value, Role::Strong), ("valid".to_owned(), Role::Good)];
        }
        let (reason, role) = self.reason();
        if value.is_empty() {
            return vec![(reason, role)];
        }
        vec![
            (format!("{reason};"), role),
            (format!("last clean {value}, {} ago", text::age(self.age_s)), Role::Quiet),
        ]
    }
}

impl std::fmt::Display for Reading {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let parts: Vec<String> = self.parts("+-").into_iter().map(|(words, _)| words).collect();
        f.write_str(&parts.join(" "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(stamp_s: f64, contamination: Contamination, invalid: Option<Reason>) -> ExponentPoint {
        ExponentPoint { stamp_s, exponent: 1.56, se: 0.05, invalid, contamination }
    }

    /// A live view whose last clean estimate is of 100 s and whose newest is of 114 s.
    fn view(contamination: Contamination, invalid: Option<Reason>) -> View {
        let mut view = View::default();
        view.stream.state = StreamState::Live;
        let clean = point(100.0, Contamination::Clean, None);
        view.exponents.last_clean = Some(clean);
        view.exponents.points.extend([clean, point(114.0, contamination, invalid)]);
        view.exponents.age_s = 0.01;
        view
    }

    #[test]
    fn only_a_clean_number_of_now_is_valid_and_every_other_has_its_age() {
        let live = view(Contamination::Clean, None);
        assert_eq!(Reading::of(&live).to_string(), "1.56 +- 0.05 valid");
        let current = view(Contamination::Stimulating, None);
        assert_eq!(Reading::of(&current).to_string(), "under current; last clean 1.56 +- 0.05, 14.0 s ago");
        // Under current the estimator finds few clean segments: the reason is the current.
        let few = view(Contamination::Stimulating, Some(Reason::TooFewSegments));
        assert_eq!(Reading::of(&few), Reading::of(&current));
        let invalid = Reading::of(&view(Contamination::Clean, Some(Reason::PoorFit))).to_string();
        assert!(
            invalid.starts_with(Reason::PoorFit.as_str()) && invalid.ends_with("14.0 s ago"),
            "{invalid}"
        );
    }

    #[test]
    fn lost_held_late_and_hidden_numbers_are_not_valid() {
        let mut all = [(); 4].map(|()| {
            let mut view = view(Contamination::Clean, None);
            view.exponents.last_clean = view.exponents.points.back().copied();
            view
        });
        let [lost, held, late, hidden] = &mut all;
        lost.stream.state = StreamState::Lost;
        held.stimulation.held = Some("the newest EEG is 0.72 s old".to_owned());
        late.exponents.age_s = 5.0;
        hidden.hidden = true;
        let words = all.map(|view| Reading::of(&view).to_string());
        assert_eq!(
            words,
            [
                "stream LOST; last clean 1.56 +- 0.05, 10 ms ago",
                "HELD; last clean 1.56 +- 0.05, 10 ms ago",
                "no estimate for 5.0 s; last clean 1.56 +- 0.05, 5.0 s ago",
                "in a block: hidden (blinded); last clean 1.56 +- 0.05, 10 ms ago",
            ]
        );
    }

    #[test]
    fn without_any_clean_estimate_only_the_reason_is_told() {
        let mut view = view(Contamination::Stimulating, None);
        view.exponents.last_clean = None;
        assert_eq!(Reading::of(&view).to_string(), "under current");
        assert_eq!(Reading::of(&View::default()).to_string(), "no stream yet");
    }
}
