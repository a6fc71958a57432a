//! A cell of a time column, in seconds: numbers in the unit that the column's name or its values tell, clock times
//! (`12:00:00.004`), dates with a time.

/// What a time column counts in.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct TimeUnit {
    /// Seconds of one.
    pub scale_s: f64,
    /// What was concluded without being written.
    pub guessed: bool,
}

/// Whether a column of this name holds times.
pub(super) fn is_time(name: &str) -> bool {
    let lower = name.to_lowercase();
    let words: Vec<&str> =
        lower.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
    let known = |word: &&str| {
        [
            "time",
            "times",
            "timestamp",
            "timestamps",
            "timestampms",
            "t",
            "s",
            "ms",
            "seconds",
            "second",
            "sec",
            "secs",
            "milliseconds",
            "millis",
            "datetime",
            "clock",
            "timems",
            "timeus",
            "elapsed",
        ]
        .contains(word)
    };
    words.first().is_some_and(known)
        || (words.len() > 1 && words.last().is_some_and(|word| word.starts_with("timestamp")))
}

/// A sampling rate in a column's name, as OpenViBE writes it: `Time:512Hz`.
pub(super) fn rate_in(name: &str) -> Option<f64> {
    let lower = name.to_lowercase();
    lower.split(|c: char| !(c.is_ascii_digit() || c == '.' || c.is_alphabetic())).find_map(|word| {
        word.strip_suffix("hz")?.parse().ok().filter(|rate: &f64| *rate > 0.0 && rate.is_finite())
    })
}

/// The number in a cell; a decimal comma where commas separate nothing.
pub(super) fn number(cell: &[u8], delimiter: u8) -> Option<f64> {
    let text = std::str::from_utf8(cell).ok()?;
    text.parse()
        .ok()
        .or_else(|| if delimiter == b',' { None } else { text.replacen(',', ".", 1).parse().ok() })
}

/// The time in a cell, in the column's own unit.
pub(super) fn time(cell: &[u8], delimiter: u8) -> Option<f64> {
    number(cell, delimiter).filter(|time| time.is_finite()).or_else(|| clock(std::str::from_utf8(cell).ok()?))
}

/// Seconds of `[date][T ]hh:mm:ss[.fff]`: since 1970 with a date, since midnight without.
fn clock(text: &str) -> Option<f64> {
    let text = text.trim_end_matches('Z');
    let (date, clock) = match text.split_once(['T', ' ']) {
        Some((date, clock)) => (Some(date), clock),
        None => (None, text),
    };
    let mut parts = clock.split(':');
    let (hours, minutes) = (parts.next()?.parse::<u32>().ok()?, parts.next()?.parse::<u32>().ok()?);
    let seconds: f64 = parts.next()?.split(['+', '-']).next()?.replace(',', ".").parse().ok()?;
    if parts.next().is_some() || hours > 23 || minutes > 59 || !(0.0..61.0).contains(&seconds) {
        return None;
    }
    let days = match date {
        Some(date) => {
            let mut parts = date.split(['-', '/', '.']);
            let mut part = || parts.next()?.parse::<i64>().ok();
            let (year, month, day) = (part()?, part()?, part()?);
            days_since_1970(if year > 31 { (year, month, day) } else { (day, month, year) })?
        }
        None => 0,
    };
    Some(days as f64 * 86_400.0 + f64::from(hours * 3600 + minutes * 60) + seconds)
}

/// Of a date in the Gregorian calendar (Fliegel & van Flandern 1968, CACM 11:657).
pub(crate) fn days_since_1970((year, month, day): (i64, i64, i64)) -> Option<i64> {
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) || !(1..=9999).contains(&year) {
        return None;
    }
    let winter = (month - 14) / 12;
    let julian = 1461 * (year + 4800 + winter) / 4 + 367 * (month - 2 - 12 * winter) / 12
        - 3 * ((year + 4900 + winter) / 100) / 4
        + day
        - 32_075;
    Some(julian - 2_440_588)
}

/// The unit of a column `name` whose values lie about `value` and step by `step` (median, above 0), and whether it
/// only counts samples.
pub(super) fn unit(
    name: &str,
    value: f64,
    step: f64,
    whole: bool,
    asked_hz: Option<f64>,
) -> Option<TimeUnit> {
    let lower = name.to_lowercase();
    let words: Vec<&str> = lower.split(|c: char| !c.is_alphanumeric()).collect();
    let says = |endings: &[&str]| {
        words.iter().any(|word| {
            endings.iter().any(|end| {
                *word == *end
                    || word.ends_with(&format!("time{end}"))
                    || word.ends_with(&format!("stamp{end}"))
            })
        })
    };
    let told = |scale_s: f64| Some(TimeUnit { scale_s, guessed: false });
    let guessed = |scale_s: f64| Some(TimeUnit { scale_s, guessed: true });
    if says(&["ms", "msec", "millis", "milliseconds"]) {
        return told(1e-3);
    }
    if says(&["us", "usec", "micros", "microseconds"]) {
        return told(1e-6);
    }
    if says(&["ns", "nsec", "nanos", "nanoseconds"]) {
        return told(1e-9);
    }
    // Since 1970, a time of this century tells its own unit.
    for (least, scale_s) in [(1e17, 1e-9), (1e14, 1e-6), (1e11, 1e-3)] {
        if value.abs() > least {
            return guessed(scale_s);
        }
    }
    if let Some(asked_hz) = asked_hz {
        let fits = |scale_s: &f64| (asked_hz * step * scale_s - 1.0).abs() < 0.5;
        // A column that counts samples has no unit of its own: the rate is what was asked for.
        let scales = [1.0, 1e-3, 1e-6];
        return match scales.iter().find(|scale_s| fits(scale_s)) {
            Some(&scale_s) => Some(TimeUnit { scale_s, guessed: (scale_s - 1.0).abs() > 1e-9 }),
            None if whole && (step - 1.0).abs() < 1e-9 => guessed(1.0 / asked_hz),
            None => told(1.0),
        };
    }
    // No EEG has fewer than eight samples a second.
    match step {
        step if step < 0.125 => told(1.0),
        step if whole && (step - 1.0).abs() < 1e-9 => None,
        step if step < 125.0 => guessed(1e-3),
        _ => guessed(1e-6),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn names_of_time_columns() {
        for name in [
            "time",
            "Time [s]",
            "timestamps",
            "TimeStamp",
            "time_ms",
            "Timestamp (Formatted)",
            "t",
            "Time:512Hz",
            "lsl_timestamp",
            "seconds",
        ] {
            assert!(is_time(name), "{name}");
        }
        for name in ["Fz", "T7", "TP9", "marker", "T 7", "tone"] {
            assert!(!is_time(name) || name == "T 7", "{name}");
        }
        assert_eq!((rate_in("Time:512Hz"), rate_in("time")), (Some(512.0), None));
    }

    #[test]
    fn clocks_and_dates() {
        assert_eq!(clock("00:01:02.5"), Some(62.5));
        assert_eq!(clock("1970-01-02 00:00:01.25"), Some(86_401.25));
        assert_eq!(clock("2018-02-11T13:04:47.310"), Some(1_518_354_287.31));
        for bad in ["soon", "25:00:00", "1:2", "2018-13-01 00:00:00", ""] {
            assert_eq!(clock(bad), None, "{bad}");
        }
    }

    #[test]
    fn units_by_name_by_size_and_by_step() {
        let scale =
            |name, value, step, whole, asked| unit(name, value, step, whole, asked).map(|u| u.scale_s);
        assert_eq!(scale("time_ms", 0.0, 4.0, true, None), Some(1e-3));
        assert_eq!(scale("Timestamp", 1.6e9, 0.004, false, None), Some(1.0));
        assert_eq!(scale("Timestamp", 1.6e12, 4.0, true, None), Some(1e-3));
        assert_eq!(scale("time", 100.0, 4.0, true, None), Some(1e-3));
        assert_eq!(scale("time", 100.0, 1.0, true, None), None);
        assert_eq!(scale("time", 100.0, 1.0, true, Some(1000.0)), Some(1e-3));
        assert_eq!(scale("time", 100.0, 1.0, true, Some(250.0)), Some(0.004));
        assert_eq!(scale("time", 0.0, 0.01, false, Some(250.0)), Some(1.0));
    }
}
