//! What a calibration has found, as a file that a configuration names: measured values, when, with which meter, and
//! the signature of the machine that measured. Nothing of it is copied by hand, and a changed digit is refused.

use std::{fmt::Write as _, path::Path};

use ed25519_dalek::{SigningKey, VerifyingKey};
use serde::Deserialize;

use crate::session::signed;

/// Measured and written down may differ by this factor: a source's manual is right to a few percent, and a slip of the
/// point is a factor of ten.
pub const PLAUSIBLE: f64 = 1.2;
/// Where nobody has said with what it was measured.
pub const NO_METER: &str = "not named";
/// After so many days it is told that the calibration is old.
pub const OLD_DAYS: f64 = 180.0;
/// How to come by another.
const AGAIN: &str = "measure again with `tras calibrate audio -o FILE`";

/// A calibration.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Certificate {
    /// The output.
    pub device: String,
    /// Its channel, from 1.
    pub channel: u32,
    /// mA for each volt.
    pub scale_ma_per_v: f64,
    /// Volts at digital full scale.
    pub full_scale_v: f64,
    /// Corner of the roll-off in Hz, where there is one.
    pub rolloff_hz: Option<f64>,
    /// When, in s since 1970 and in words.
    pub measured_unix_s: f64,
    /// See `measured_unix_s`.
    pub measured_at: String,
    /// With what: make, model, number.
    pub meter: String,
    /// RMS asked for and RMS read, in the meter's unit.
    pub readings: Vec<[f64; 2]>,
}

#[derive(Deserialize)]
struct Body {
    calibration: Certificate,
}

impl Certificate {
    /// As the text of a file, signed.
    #[must_use]
    pub fn signed(&self, key: &SigningKey) -> String {
        signed::sign(&self.body(), key)
    }

    fn body(&self) -> String {
        let quoted = |text: &str| toml::Value::String(text.to_owned()).to_string();
        let mut text = format!(
            "# Measured by `tras calibrate audio`. Name this file in the configuration: stimulator.calibration\n[calibration]\n\
             device = {}\nchannel = {}\nscale_ma_per_v = {:.5}\nfull_scale_v = {:.5}\n",
            quoted(&self.device),
            self.channel,
            self.scale_ma_per_v,
            self.full_scale_v
        );
        // Writing into a String cannot fail.
        if let Some(corner_hz) = self.rolloff_hz {
            let _ = writeln!(text, "rolloff_hz = {corner_hz:.3}");
        }
        let _ = writeln!(text, "measured_unix_s = {:.0}.0", self.measured_unix_s);
        let _ =
            writeln!(text, "measured_at = {}\nmeter = {}", quoted(&self.measured_at), quoted(&self.meter));
        let pairs: Vec<String> = self.readings.iter().map(|[x, y]| format!("[{x:.6}, {y:.6}]")).collect();
        let _ = writeln!(text, "readings = [{}]", pairs.join(", "));
        text
    }

    /// Reads a file that this machine has signed; `key` is its own, where it has one.
    ///
    /// # Errors
    /// It cannot be read, was changed, was signed by another machine, or holds no numbers: what to do, for a person.
    pub fn read(path: &Path, key: Option<&VerifyingKey>) -> Result<Self, String> {
        Self::parse(&signed::read(path)?, key)
    }

    fn parse(text: &str, key: Option<&VerifyingKey>) -> Result<Self, String> {
        let body = signed::open(text, key, "output", AGAIN)?;
        let body: Body = toml::from_str(body).map_err(|e| format!("is no calibration: {}", e.message()))?;
        let found = body.calibration;
        let numbers = [found.scale_ma_per_v, found.full_scale_v, found.rolloff_hz.unwrap_or(1.0)];
        let sound = numbers.iter().all(|number| number.is_finite() && *number > 0.0);
        if sound { Ok(found) } else { Err(format!("holds a number that is none: {AGAIN}")) }
    }

    /// How old it is, in days; below zero where a clock was set back since.
    #[must_use]
    pub fn age_days(&self, unix_s: f64) -> f64 {
        (unix_s - self.measured_unix_s) / 86_400.0
    }
}

/// Whether a value that was written down can be the one that was measured.
#[must_use]
pub fn is_plausible(written: f64, measured: f64) -> bool {
    (1.0 / PLAUSIBLE..=PLAUSIBLE).contains(&(written / measured))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn one() -> Certificate {
        Certificate {
            device: "out \"A\" \u{1b}[2J".into(),
            channel: 2,
            scale_ma_per_v: 2.1,
            full_scale_v: 1.0,
            rolloff_hz: Some(0.3),
            measured_unix_s: 1.764e9,
            measured_at: "2025-11-24T16:00:00Z".into(),
            meter: "Fluke 87V 12345".into(),
            readings: vec![[0.1, 0.105], [0.2, 0.21]],
        }
    }

    #[test]
    fn what_was_signed_is_read_and_one_changed_digit_is_refused() {
        let key = SigningKey::from_bytes(&[7; 32]);
        let text = one().signed(&key);
        let own = key.verifying_key();
        assert_eq!(Certificate::parse(&text, Some(&own)).unwrap(), one());
        for (from, to) in
            [("2.10000", "21.0000"), ("87V", "87X"), ("channel = 2", "channel = 1"), ("0.300", "0.301")]
        {
            let why = Certificate::parse(&text.replacen(from, to, 1), Some(&own)).unwrap_err();
            assert!(why.contains("was changed"), "{from}: {why}");
        }
        let more = text.replace("\n[signature]", "\n[stimulator]\nscale_ma_per_v = 20\n\n[signature]");
        assert!(Certificate::parse(&more, Some(&own)).unwrap_err().contains("was changed"));
    }

    #[test]
    fn a_file_of_another_machine_or_without_a_signature_is_refused() {
        let (key, other) = (SigningKey::from_bytes(&[7; 32]), SigningKey::from_bytes(&[8; 32]));
        let text = one().signed(&key);
        let refused = |text: &str, own: Option<&VerifyingKey>| Certificate::parse(text, own).unwrap_err();
        assert!(refused(&text, Some(&other.verifying_key())).contains("another machine"));
        assert!(refused(&text, None).contains("signed nothing yet"));
        for nonsense in [
            "",
            "[calibration]\nscale_ma_per_v = 2\n",
            &text.replace("signed =", "signd ="),
            "\n[signature]\n",
        ] {
            assert!(refused(nonsense, Some(&key.verifying_key())).contains("no signature"), "{nonsense}");
        }
        let zero = Certificate { scale_ma_per_v: 0.0, ..one() }.signed(&key);
        assert!(refused(&zero, Some(&key.verifying_key())).contains("a number that is none"));
    }

    #[test]
    fn a_slip_of_the_point_is_not_plausible() {
        assert!(is_plausible(2.0, 2.1) && is_plausible(2.0, 1.7));
        for written in [20.0, 0.2, 2.6, f64::NAN, -2.0] {
            assert!(!is_plausible(written, 2.1), "{written}");
        }
    }
}
