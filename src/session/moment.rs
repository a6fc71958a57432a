//! A moment on both clocks: the wall's, which a person or a time server can set, and the run's, which only counts.

/// A moment.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Moment {
    /// Seconds since 1970, UTC, by the wall clock.
    pub unix_s: f64,
    /// Seconds by the run's own clock, which nobody sets.
    pub run_s: f64,
}

impl Moment {
    /// Now, with the run's clock as the caller reads it.
    #[must_use]
    pub fn now(run_s: f64) -> Self {
        Self { unix_s: crate::clock::unix_s(), run_s }
    }
}

/// Seconds since 1970 as ISO 8601 in UTC, with milliseconds: `2026-11-25T15:57:01.250Z`.
#[must_use]
pub fn iso_8601(unix_s: f64) -> String {
    let ms = (unix_s * 1e3).round() as i64;
    let (days, ms) = (ms.div_euclid(86_400_000), ms.rem_euclid(86_400_000));
    let (year, month, day) = civil(days);
    let (s, ms) = (ms / 1_000, ms % 1_000);
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}.{ms:03}Z", s / 3_600, s / 60 % 60, s % 60)
}

/// As [`iso_8601`] in the form of an XDF file's `datetime`, which other programs take apart by the place of its last
/// five characters: `2026-11-25T15:57:01.250+0000`.
#[must_use]
pub fn xdf_datetime(unix_s: f64) -> String {
    iso_8601(unix_s).replace('Z', "+0000")
}

/// Year, month and day of a day counted from 1970-01-01, in the Gregorian calendar. Counted in eras of 400 years
/// that begin on 1 March, so that the leap day is the last of its year.
fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    (year, month, day_of_year - (153 * from_march + 2) / 5 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_moments_as_everyone_does() {
        for (unix_s, text) in [
            (0.0, "1970-01-01T00:00:00.000Z"),
            (951_782_400.0, "2000-02-29T00:00:00.000Z"),
            (1_709_251_199.999, "2024-02-29T23:59:59.999Z"),
            (4_107_542_400.0, "2100-03-01T00:00:00.000Z"),
            (1_795_622_221.25, "2026-11-25T15:57:01.250Z"),
            (-1.0, "1969-12-31T23:59:59.000Z"),
        ] {
            assert_eq!(iso_8601(unix_s), text);
        }
    }
}
