//! What the page says of a trial, judged: the row's outcome with its flags.

use serde_json::Value;

use super::clock::PageClock;
use super::record::Outcome;
use super::settings::TaskSettings;

/// Flags of the page after which a trial must not be used.
const BREAKING: [&str; 4] = ["slept", "hidden", "focus_lost", "resized"];
/// All flags that a page may send.
const KNOWN: [&str; 5] = ["slept", "hidden", "focus_lost", "resized", "slow_screen"];

/// The outcome of the trial that `message` reports.
#[must_use]
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked to lie within")]
pub fn outcome(message: &Value, clock: &PageClock, settings: &TaskSettings, practice: bool) -> Outcome {
    let number = |key: &str| message.get(key).and_then(Value::as_f64).filter(|v| v.is_finite());
    let stamp = |key: &str| number(key).and_then(|ms| clock.stamp_s(ms));
    let count = |key: &str| number(key).map_or(0, |v| v.clamp(0.0, 1e6) as u32);
    let response_deg =
        number("deg").filter(|deg| (0.0..360.0).contains(deg)).map(|deg| deg.round() as u16 % 360);
    let rt_s =
        number("rt_ms").filter(|ms| *ms >= 0.0).map(|ms| ms / 1_000.0).filter(|_| response_deg.is_some());
    let frame_ms = number("frame_ms");
    let mut flags: Vec<String> = Vec::new();
    let told = message.get("flags").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    for flag in told.filter(|flag| KNOWN.contains(flag)) {
        flags.push(flag.to_owned());
    }
    let dropped = count("dropped");
    if dropped > 0 {
        flags.push("dropped_frames".into());
    }
    let between = |from: &str, to: &str| number(from).zip(number(to)).map(|(a, b)| b - a);
    let slack = 1.5 * frame_ms.unwrap_or(17.0);
    let wrong =
        [(between("sample", "delay"), settings.sample_ms), (between("delay", "probe"), settings.delay_ms)]
            .into_iter()
            .any(|(shown, wanted)| shown.is_none_or(|ms| (ms - wanted).abs() > slack));
    if wrong {
        flags.push("times_wrong".into());
    }
    let broken = flags.iter().any(|f| BREAKING.contains(&f.as_str()));
    let status = match (broken, practice, response_deg) {
        (true, ..) => "broken",
        (_, true, _) => "practice",
        (_, _, Some(_)) => "done",
        (_, _, None) => "missed",
    };
    Outcome {
        status,
        flags,
        response_deg,
        rt_s,
        stamps_s: [stamp("start"), stamp("sample"), stamp("delay"), stamp("probe"), stamp("t")],
        frame_ms,
        frames: count("frames"),
        dropped,
        longest_ms: number("longest_ms"),
        clock: clock.offset().map(|o| (o.offset_s, o.trip_ms)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::clock::Offset;
    use serde_json::json;

    fn judged(change: &[(&str, Value)], practice: bool) -> Outcome {
        let mut clock = PageClock::default();
        clock.take(Offset { offset_s: 100.0, trip_ms: 0.5, told_s: 0.0 });
        let mut message = json!({
            "deg": 359.6, "t": 3_500.0, "rt_ms": 600.5, "start": 1_000.0, "sample": 1_500.0, "delay": 2_000.0,
            "probe": 2_900.0, "frames": 150, "dropped": 0, "longest_ms": 16.9, "frame_ms": 16.67, "flags": [],
        });
        for (key, value) in change {
            message[*key] = value.clone();
        }
        outcome(&message, &clock, &TaskSettings::default(), practice)
    }

    #[test]
    fn a_whole_trial() {
        let o = judged(&[], false);
        assert_eq!((o.status, o.response_deg, o.rt_s), ("done", Some(0), Some(0.6005)));
        assert_eq!(o.stamps_s[3], Some(102.9));
        assert!(o.flags.is_empty());
        assert_eq!(judged(&[], true).status, "practice");
    }

    #[test]
    fn what_a_browser_does_wrong_is_flagged() {
        let of = |key: &'static str, value: Value| {
            let o = judged(&[(key, value)], false);
            (o.status, o.flags.join(" "))
        };
        assert_eq!(of("deg", Value::Null), ("missed", String::new()));
        assert_eq!(of("deg", json!(400)), ("missed", String::new()));
        assert_eq!(of("dropped", json!(2)), ("done", "dropped_frames".into()));
        assert_eq!(of("delay", json!(2_040.0)), ("done", "times_wrong".into()));
        assert_eq!(of("flags", json!(["slow_screen", "<b>"])), ("done", "slow_screen".into()));
        for flag in BREAKING {
            assert_eq!(of("flags", json!([flag])), ("broken", flag.into()));
        }
        assert_eq!(judged(&[("flags", json!(["hidden"]))], true).status, "broken");
    }
}
