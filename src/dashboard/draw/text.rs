//! Numbers and names in a few characters, whatever they are.

/// A number with `decimals`, `--` where it is not finite, and with an exponent where it would be too long.
#[must_use]
pub fn number(value: f64, decimals: usize) -> String {
    if !value.is_finite() {
        "--".to_owned()
    } else if value.abs() >= 1e6 {
        format!("{value:.1e}")
    } else {
        // Never "-0.00".
        let text = format!("{value:.decimals$}");
        if text.starts_with('-') && !text.bytes().any(|byte| (b'1'..=b'9').contains(&byte)) {
            text.trim_start_matches('-').to_owned()
        } else {
            text
        }
    }
}

/// Seconds as `m:ss` or `h:mm:ss`.
#[must_use]
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "bounded just above the cast")]
pub fn clock(seconds: f64) -> String {
    if !seconds.is_finite() {
        return "--".to_owned();
    }
    let whole = seconds.clamp(0.0, 359_999.0) as u32;
    let (hours, minutes, seconds) = (whole / 3600, whole / 60 % 60, whole % 60);
    if hours > 0 { format!("{hours}:{minutes:02}:{seconds:02}") } else { format!("{minutes}:{seconds:02}") }
}

/// An age: ms below one second, then s, then a clock.
#[must_use]
pub fn age(seconds: f64) -> String {
    if !seconds.is_finite() {
        "--".to_owned()
    } else if seconds < 1.0 {
        format!("{:.0} ms", seconds.max(0.0) * 1e3)
    } else if seconds < 100.0 {
        format!("{seconds:.1} s")
    } else {
        clock(seconds)
    }
}

/// A count in at most five characters.
#[must_use]
#[allow(clippy::cast_precision_loss, reason = "three digits are shown")]
pub fn count(value: u64) -> String {
    match value {
        0..100_000 => value.to_string(),
        100_000..10_000_000 => format!("{}k", value / 1000),
        _ => format!("{:.0e}", value as f64),
    }
}

/// The beginning of `text` in at most `width` characters, without control characters. Names come from other
/// machines.
#[must_use]
pub fn clip(text: &str, width: usize) -> String {
    let mut plain = text.chars().filter(|c| !c.is_control());
    let mut clipped: String = plain.by_ref().take(width).collect();
    if plain.next().is_some() && width > 0 {
        clipped.pop();
        clipped.push('~');
    }
    clipped
}

/// The next of 1, 2, 5 times a power of ten that is at least `value`; 1 where `value` is no positive number.
#[must_use]
pub fn nice(value: f64) -> f64 {
    if !(value.is_finite() && value > 1e-12 && value < 1e12) {
        return 1.0;
    }
    let decade = 10_f64.powf(value.log10().floor());
    [1.0, 2.0, 5.0, 10.0]
        .into_iter()
        .map(|step| step * decade)
        .find(|&step| step >= value * 0.999)
        .unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stay_short_and_honest() {
        assert_eq!(number(f64::NAN, 2), "--");
        assert_eq!(number(-0.001, 2), "0.00");
        assert_eq!(number(-0.01, 2), "-0.01");
        assert_eq!(number(1e300, 2), "1.0e300");
        assert_eq!(clock(f64::INFINITY), "--");
        assert_eq!(clock(3_725.9), "1:02:05");
        assert_eq!(age(0.012), "12 ms");
        assert_eq!(count(12_345_678), "1e7");
    }

    #[test]
    fn names_lose_control_characters_and_length() {
        assert_eq!(clip("a\u{1b}[2Jb", 9), "a[2Jb");
        assert_eq!(clip("abcdef", 4), "abc~");
        assert_eq!(clip("äöü", 3), "äöü");
        assert_eq!(clip("abc", 0), "");
    }

    #[test]
    fn scales_are_round() {
        assert_eq!(nice(37.0), 50.0);
        assert_eq!(nice(50.0), 50.0);
        assert_eq!(nice(0.012), 0.02);
        assert_eq!(nice(f64::NAN), 1.0);
        assert_eq!(nice(-3.0), 1.0);
    }
}
