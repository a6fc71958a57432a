//! That the removal of the current's artefact held on one amplifier, montage and stimulator: what `tras certify
//! --through-current` has found in a recording, signed by this machine. Without one that fits, nothing that is estimated
//! under current steers.

use std::fmt::Write as _;
use std::path::Path;

use ed25519_dalek::{SigningKey, VerifyingKey};
use serde::Deserialize;

use super::signed;

/// How to come by another.
const AGAIN: &str = "certify again with `tras certify --through-current`";

/// A certificate.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ThroughCertificate {
    /// Name of the amplifier's stream.
    pub amplifier: String,
    /// Its samples in a second.
    pub rate_hz: f64,
    /// The montage: labels of the channels that were used, in their order.
    pub channels: Vec<String>,
    /// Which stimulator, as [`crate::config::StimulatorConfig::identity`] names it.
    pub stimulator: String,
    /// The fit range, in Hz: what is removed above it was not looked at.
    pub range_hz: [f64; 2],
    /// The window, in s.
    pub window_s: f64,
    /// What carried the current, in the words of whoever certified: resistors, a phantom, a head.
    pub load: String,
    /// Windows under current whose path was learnt, and how many of them were proven.
    pub windows: u64,
    /// See `windows`.
    pub proven: u64,
    /// The largest that was removed, in dB.
    pub removed_db: f64,
    /// Mean exponent of the proven windows less that of the clean ones, where there were some.
    pub bias: Option<f64>,
    /// The recording, by its sha256.
    pub recording: String,
    /// When, in s since 1970 and in words.
    pub certified_unix_s: f64,
    /// See `certified_unix_s`.
    pub certified_at: String,
}

#[derive(Deserialize)]
struct Body {
    through_current: ThroughCertificate,
}

/// What a run has, to be compared with what was certified.
#[derive(Clone, Copy, Debug)]
pub struct Here<'a> {
    /// Name of the amplifier's stream; `None` where no stream is open yet.
    pub amplifier: Option<&'a str>,
    /// Its samples in a second.
    pub rate_hz: Option<f64>,
    /// Labels of the chosen channels.
    pub channels: Option<&'a [String]>,
    /// Which stimulator.
    pub stimulator: &'a str,
    /// The fit range, in Hz.
    pub range_hz: [f64; 2],
    /// The window, in s.
    pub window_s: f64,
}

impl ThroughCertificate {
    /// As the text of a file, signed.
    #[must_use]
    pub fn signed(&self, key: &SigningKey) -> String {
        signed::sign(&self.body(), key)
    }

    fn body(&self) -> String {
        let quoted = |text: &str| toml::Value::String(text.to_owned()).to_string();
        let channels: Vec<String> = self.channels.iter().map(|label| quoted(label)).collect();
        let [low, high] = self.range_hz;
        let mut text = format!(
            "# Found by `tras certify --through-current`. Name this file in the configuration: through_current.certificate\n\
             [through_current]\namplifier = {}\nrate_hz = {:?}\nchannels = [{}]\nstimulator = {}\n\
             range_hz = [{low:?}, {high:?}]\nwindow_s = {:?}\nload = {}\nwindows = {}\nproven = {}\nremoved_db = {:.1}\n",
            quoted(&self.amplifier),
            self.rate_hz,
            channels.join(", "),
            quoted(&self.stimulator),
            self.window_s,
            quoted(&self.load),
            self.windows,
            self.proven,
            self.removed_db,
        );
        // Writing into a String cannot fail.
        if let Some(bias) = self.bias {
            let _ = writeln!(text, "bias = {bias:.4}");
        }
        let _ = writeln!(text, "recording = {}", quoted(&self.recording));
        let _ = writeln!(text, "certified_unix_s = {:.0}.0", self.certified_unix_s);
        let _ = writeln!(text, "certified_at = {}", quoted(&self.certified_at));
        text
    }

    /// Reads a file that this machine has signed; `key` is its own, where it has one.
    ///
    /// # Errors
    /// It cannot be read, was changed, was signed by another machine, or is none: what to do, for a person.
    pub fn read(path: &Path, key: Option<&VerifyingKey>) -> Result<Self, String> {
        Self::parse(&signed::read(path)?, key)
    }

    fn parse(text: &str, key: Option<&VerifyingKey>) -> Result<Self, String> {
        let body = signed::open(text, key, "amplifier", AGAIN)?;
        let body: Body = toml::from_str(body).map_err(|e| format!("is no certificate: {}", e.message()))?;
        let found = body.through_current;
        let numbers = [found.rate_hz, found.window_s, found.removed_db, found.certified_unix_s];
        if numbers.iter().all(|number| number.is_finite()) && found.proven <= found.windows {
            Ok(found)
        } else {
            Err(format!("holds a number that is none: {AGAIN}"))
        }
    }

    /// Refuses a run on anything else than what was certified.
    ///
    /// # Errors
    /// The first thing that differs.
    pub fn fits(&self, here: &Here<'_>) -> Result<(), String> {
        let other = |what: &str, was: &str, is: &str| {
            Err(format!("was made for the {what} {was}, and this run has {is}: {AGAIN} on this one"))
        };
        if let Some(name) = here.amplifier.filter(|name| *name != self.amplifier) {
            return other("amplifier", &format!("{:?}", self.amplifier), &format!("{name:?}"));
        }
        if let Some(hz) = here.rate_hz.filter(|hz| (hz / self.rate_hz - 1.0).abs() > 1e-3) {
            return other("rate", &format!("{} Hz", self.rate_hz), &format!("{hz} Hz"));
        }
        if let Some(labels) = here.channels.filter(|labels| *labels != self.channels) {
            return other("montage", &self.channels.join(", "), &labels.join(", "));
        }
        if here.stimulator != self.stimulator {
            return other("stimulator", &self.stimulator, here.stimulator);
        }
        if here.range_hz != self.range_hz || here.window_s != self.window_s {
            let words = |[low, high]: [f64; 2], s: f64| format!("{low}..{high} Hz in {s} s");
            return other(
                "windows",
                &words(self.range_hz, self.window_s),
                &words(here.range_hz, here.window_s),
            );
        }
        Ok(())
    }

    /// Refuses one that is older than `days`, or from the future, at `unix_s`.
    ///
    /// # Errors
    /// How old it is.
    pub fn is_recent(&self, unix_s: f64, days: f64) -> Result<(), String> {
        let age = (unix_s - self.certified_unix_s) / 86_400.0;
        if (-0.01..=days).contains(&age) {
            return Ok(());
        }
        Err(format!("is of {}, {age:.1} days ago; at most {days} are allowed: {AGAIN}", self.certified_at))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn one() -> ThroughCertificate {
        ThroughCertificate {
            amplifier: "actiCHamp \"2\"".into(),
            rate_hz: 500.0,
            channels: vec!["Fz".into(), "Cz".into()],
            stimulator: "serial 0483:5740".into(),
            range_hz: [2.0, 35.0],
            window_s: 4.0,
            load: "phantom 3".into(),
            windows: 400,
            proven: 390,
            removed_db: 41.2,
            bias: Some(-0.021),
            recording: "ab12".into(),
            certified_unix_s: 1.764e9,
            certified_at: "2025-11-24T16:00:00Z".into(),
        }
    }

    fn here(channels: &[String]) -> Here<'_> {
        Here {
            amplifier: Some("actiCHamp \"2\""),
            rate_hz: Some(500.0),
            channels: Some(channels),
            stimulator: "serial 0483:5740",
            range_hz: [2.0, 35.0],
            window_s: 4.0,
        }
    }

    #[test]
    fn what_was_signed_is_read_and_one_changed_figure_is_refused() {
        let key = SigningKey::from_bytes(&[7; 32]);
        let text = one().signed(&key);
        let own = key.verifying_key();
        assert_eq!(ThroughCertificate::parse(&text, Some(&own)).unwrap(), one());
        for (from, to) in
            [("390", "400"), ("\"Cz\"", "\"Pz\""), ("41.2", "81.2"), ("1764000000", "1794000000")]
        {
            assert!(text.contains(from), "{text}");
            let why = ThroughCertificate::parse(&text.replacen(from, to, 1), Some(&own)).unwrap_err();
            assert!(why.contains("was changed"), "{from}: {why}");
        }
        let other = SigningKey::from_bytes(&[8; 32]).verifying_key();
        assert!(ThroughCertificate::parse(&text, Some(&other)).unwrap_err().contains("another machine"));
        assert!(ThroughCertificate::parse(&text, None).unwrap_err().contains("signed nothing yet"));
    }

    #[test]
    fn another_amplifier_montage_stimulator_or_window_is_refused() {
        let (own, fewer) = (one().channels, vec!["Fz".to_owned()]);
        assert_eq!(one().fits(&here(&own)), Ok(()));
        assert_eq!(
            one().fits(&Here { amplifier: None, rate_hz: None, channels: None, ..here(&own) }),
            Ok(())
        );
        for (other, what) in [
            (Here { amplifier: Some("eego"), ..here(&own) }, "amplifier"),
            (Here { rate_hz: Some(512.0), ..here(&own) }, "rate"),
            (here(&fewer), "montage"),
            (Here { stimulator: "serial /dev/ttyACM0", ..here(&own) }, "stimulator"),
            (Here { range_hz: [2.0, 45.0], ..here(&own) }, "windows"),
        ] {
            assert!(one().fits(&other).is_err_and(|why| why.contains(what)), "{what}");
        }
    }

    #[test]
    fn one_that_is_too_old_or_of_tomorrow_is_refused() {
        let day_s = 86_400.0;
        assert!(one().is_recent(1.764e9 + 29.0 * day_s, 30.0).is_ok());
        assert!(one().is_recent(1.764e9 + 31.0 * day_s, 30.0).is_err_and(|why| why.contains("31.0 days")));
        assert!(one().is_recent(1.764e9 - day_s, 30.0).is_err());
    }
}
