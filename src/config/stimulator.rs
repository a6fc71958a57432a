//! `[stimulator]`: the way the current leaves.

use serde::Serialize;

use super::section::{Section, within};
use crate::stimulator::audio::certificate::{Certificate, NO_METER, OLD_DAYS, is_plausible};

/// Which adapter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum StimulatorKind {
    /// A model of the device, in this process; nothing leaves.
    Simulated,
    /// The firmware, over a serial port.
    Serial,
    /// An audio output into a current source with an analogue input.
    Audio,
    /// No stimulator at all.
    None,
}

impl StimulatorKind {
    /// Whether current reaches a person.
    #[must_use]
    pub fn is_real(self) -> bool {
        matches!(self, Self::Serial | Self::Audio)
    }
}

/// The way the current leaves.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StimulatorConfig {
    /// Which adapter.
    pub kind: StimulatorKind,
    /// Samples a second that the device takes. Audio: frames a second to open the output at; left out, its own.
    pub rate_hz: f64,
    /// How much the device's queue is kept filled, in ms; at least 20, or a pause of the host is heard.
    pub queue_ms: f64,
    /// Serial: the port, for instance `/dev/ttyACM0`.
    pub port: Option<String>,
    /// Serial: USB vendor and product, for instance `0483:5740`, instead of a port; of several boards one is
    /// chosen by its serial number, `0483:5740:3571`.
    pub usb_id: Option<String>,
    /// Audio: name of the output.
    pub device: Option<String>,
    /// Audio: which channel of the output carries the current, from 1.
    pub channel: Option<u32>,
    /// Audio: mA that the current source delivers for each volt at its input.
    pub scale_ma_per_v: Option<f64>,
    /// Audio: volts at the output at digital full scale, measured.
    pub full_scale_v: Option<f64>,
    /// Audio: corner of the output's roll-off at low frequencies in Hz, measured; it is compensated.
    pub rolloff_hz: Option<f64>,
    /// Audio: the file that `tras calibrate audio -o` has written and signed, seen from the configuration's own folder.
    /// Its values are taken; those written beside it must be near them.
    pub calibration: Option<String>,
    /// What the operator must know of that file, once it was read.
    #[serde(skip)]
    pub calibration_notes: Vec<String>,
    /// Audio: the operator states that the current source limits by itself. Without it audio is refused, because
    /// that path has no independent watchdog.
    pub external_limits: bool,
}

impl StimulatorConfig {
    pub(super) fn read(s: &mut Section<'_, '_, '_>) -> Self {
        let kinds = [
            ("simulated", StimulatorKind::Simulated),
            ("serial", StimulatorKind::Serial),
            ("audio", StimulatorKind::Audio),
            ("none", StimulatorKind::None),
        ];
        let config = Self {
            kind: s.choice("kind", StimulatorKind::Simulated, &kinds),
            rate_hz: s.number("rate_hz", 2000.0, within(200.0, 192_000.0, "Hz")),
            queue_ms: s.number("queue_ms", 100.0, within(20.0, 1000.0, "ms")),
            port: s.text("port"),
            usb_id: s.text("usb_id"),
            device: s.text("device"),
            channel: s.is_set("channel").then(|| s.count("channel", 1, 1, 256)),
            scale_ma_per_v: s.number_opt("scale_ma_per_v", within(1e-3, 100.0, "mA/V")),
            full_scale_v: s.number_opt("full_scale_v", within(1e-3, 20.0, "V")),
            rolloff_hz: s.number_opt("rolloff_hz", within(0.01, 10.0, "Hz")),
            calibration: s.text("calibration"),
            calibration_notes: Vec::new(),
            external_limits: s.flag("external_limits", false),
        };
        // Known here whether or not it is set, so that a misspelling finds it.
        if !s.is_set("channel") {
            let _ = s.integer_opt("channel", 1, 256);
        }
        config.foreign_keys(s);
        config.own_keys(s);
        s.done();
        config
    }

    /// Which stimulator this is, for what was measured on it.
    #[must_use]
    pub fn identity(&self) -> String {
        let place = match self.kind {
            StimulatorKind::Serial => self.port.clone().or_else(|| self.usb_id.clone()),
            StimulatorKind::Audio => self.device.clone(),
            StimulatorKind::Simulated | StimulatorKind::None => None,
        };
        let kind = match self.kind {
            StimulatorKind::Simulated => "simulated",
            StimulatorKind::Serial => "serial",
            StimulatorKind::Audio => "audio",
            StimulatorKind::None => "none",
        };
        place.map_or_else(|| kind.to_owned(), |place| format!("{kind} {place}"))
    }

    /// The rate at which an audio output is to be opened; `None`: its own. Below 8 kHz the key is not meant for the
    /// output: the stream of samples has 2,000 a second.
    #[must_use]
    pub fn audio_rate_hz(&self) -> Option<u32> {
        (self.rate_hz >= 8_000.0).then_some(self.rate_hz as u32)
    }

    /// A key of another kind is a mistake: the file says one thing and does another.
    fn foreign_keys(&self, s: &mut Section<'_, '_, '_>) {
        let serial = ["port", "usb_id"].map(|key| (key, StimulatorKind::Serial, "serial"));
        let audio = [
            "device",
            "channel",
            "scale_ma_per_v",
            "full_scale_v",
            "rolloff_hz",
            "calibration",
            "external_limits",
        ]
        .map(|key| (key, StimulatorKind::Audio, "audio"));
        for (key, kind, name) in serial.into_iter().chain(audio) {
            // What is `false` by default may be written down.
            let set = if key == "external_limits" { self.external_limits } else { s.is_set(key) };
            if set && self.kind != kind {
                s.problem(
                    key,
                    format!("belongs to kind = \"{name}\" only"),
                    "take it out, or change the kind",
                );
            }
        }
    }

    fn own_keys(&self, s: &mut Section<'_, '_, '_>) {
        match self.kind {
            StimulatorKind::Serial => {
                match (s.is_set("port"), s.is_set("usb_id")) {
                    (false, false) => {
                        s.problem(
                            "port",
                            "is missing",
                            "name the port, or the board's usb_id (see `tras devices`)",
                        );
                    }
                    (true, true) => s.problem("usb_id", "stands beside port", "keep one of the two"),
                    _ => {}
                }
                if self.usb_id.as_deref().is_some_and(|id| !is_usb_id(id)) {
                    let what = format!("\"{}\" is no USB id", self.usb_id.as_deref().unwrap_or_default());
                    s.problem(
                        "usb_id",
                        what,
                        "write vendor:product in hexadecimal, for instance \"0483:5740\"",
                    );
                }
            }
            StimulatorKind::Audio => {
                for (key, todo) in [
                    ("device", "name the output (see `tras devices`); the default output is never taken"),
                    ("channel", "give the output's channel, from 1"),
                    (
                        "scale_ma_per_v",
                        "give the mA for each volt of the current source, measured into 1 kOhm",
                    ),
                    ("full_scale_v", "give the volts at digital full scale, measured"),
                ] {
                    let measured = self.calibration.is_some() && key.contains("scale");
                    if !s.is_set(key) && !measured {
                        s.problem(key, "is missing", todo);
                    }
                }
                if !self.external_limits {
                    s.problem(
                        "external_limits",
                        "audio has no independent watchdog",
                        "set it to true only where the current source behind it limits current by itself",
                    );
                }
            }
            StimulatorKind::Simulated | StimulatorKind::None => {}
        }
    }
}

impl StimulatorConfig {
    /// Takes the measured values; `unix_s` is now.
    ///
    /// # Errors
    /// It is of another output, or a value that was written down cannot be the one that was measured: key, what, todo.
    pub fn take_calibration(
        &mut self,
        found: &Certificate,
        unix_s: f64,
    ) -> Result<(), (&'static str, String, &'static str)> {
        let here = (self.device.as_deref(), self.channel);
        if here != (Some(found.device.as_str()), Some(found.channel)) {
            let what = format!("is of {:?}, channel {}", found.device, found.channel);
            return Err(("calibration", what, "name the file of this output, or measure this output"));
        }
        let measured = [
            ("scale_ma_per_v", self.scale_ma_per_v, Some(found.scale_ma_per_v), "mA/V"),
            ("full_scale_v", self.full_scale_v, Some(found.full_scale_v), "V"),
            ("rolloff_hz", self.rolloff_hz, found.rolloff_hz, "Hz"),
        ];
        for (key, written, measured, unit) in measured {
            let Some(written) = written else { continue };
            if !measured.is_some_and(|measured| is_plausible(written, measured)) {
                let (at, meter) = (&found.measured_at, &found.meter);
                let measured = measured.map_or("none".to_owned(), |measured| format!("{measured} {unit}"));
                let what =
                    format!("{written} {unit} is not what was measured on {at} with {meter}: {measured}");
                return Err((
                    key,
                    what,
                    "correct it or take it out; if source or output were changed, measure again",
                ));
            }
        }
        (self.scale_ma_per_v, self.full_scale_v) = (Some(found.scale_ma_per_v), Some(found.full_scale_v));
        self.rolloff_hz = found.rolloff_hz;
        let days = found.age_days(unix_s);
        if !(0.0..OLD_DAYS).contains(&days) {
            self.calibration_notes.push(format!(
                "stimulator.calibration: measured on {} ({days:.0} days ago): measure again",
                found.measured_at
            ));
        }
        if found.meter == NO_METER {
            self.calibration_notes
                .push("stimulator.calibration: nobody has said with which meter".to_owned());
        }
        Ok(())
    }
}

fn is_usb_id(text: &str) -> bool {
    crate::stimulator::serial::Place::usb(text).is_some()
}
