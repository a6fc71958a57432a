//! What the program tells the laboratory: LSL streams of estimates, of the current as delivered, and of events.
//!
//! In: estimates, current, events from the observing thread. Out: three streams that LabRecorder and any other
//! LSL reader can take. Outlets are not `Send`: open them in the thread that pushes. Nothing here is on the path
//! of a sample; pushing never waits for a reader.

#[cfg(target_os = "linux")]
pub mod child;
pub mod describe;
pub mod prompt;
#[cfg(target_os = "linux")]
mod reach;
#[cfg(target_os = "linux")]
pub mod remote;

use crate::acquisition::{Channel, StreamDescription};
use crate::estimator::{Contamination, Estimate};
use describe::{declare, hostname};
use lsl::{ChannelFormat, ExPushable, IRREGULAR_RATE, StreamOutlet};
use serde::{Deserialize, Serialize};

/// What each target contributes to the estimates' channels: suffix of the label, unit, type.
const ESTIMATE_FIELDS: [(&str, &str, &str); 6] = [
    ("exponent", "none", "Exponent"),
    ("se", "none", "StandardError"),
    ("offset", "log10(uV^2/Hz)", "Offset"),
    ("r2", "none", "RSquared"),
    ("valid", "boolean", "Validity"),
    ("contamination", "0 clean, 1 settling, 2 stimulating", "Contamination"),
];

/// What one target contributes to a row: exponent, standard error, offset, R^2, valid, contamination.
pub type Cells = [f64; ESTIMATE_FIELDS.len()];

/// The cells of an estimate.
#[must_use]
pub fn cells(estimate: &Estimate) -> Cells {
    let fit = &estimate.fit;
    let contamination = match estimate.contamination {
        Contamination::Clean => 0.0,
        Contamination::Settling => 1.0,
        Contamination::Stimulating => 2.0,
    };
    let valid = f64::from(u8::from(fit.invalid.is_none()));
    [fit.exponent, fit.exponent_se, fit.offset, fit.r_squared, valid, contamination]
}

/// Seconds (or hundreds of samples, for irregular streams) that a reader may lag before it loses data.
const BUFFER: i32 = 360;

/// How our streams are named.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutletSettings {
    /// Beginning of every stream's name: `tras` gives `tras-estimates`, `tras-current`, `tras-events`.
    pub prefix: String,
    /// Elements to add to every stream's XML description (participant's code, session, method, ...).
    pub notes: Vec<(String, String)>,
}

impl Default for OutletSettings {
    fn default() -> Self {
        Self { prefix: "tras".into(), notes: Vec::new() }
    }
}

/// Why an outlet could not be opened, or a value not pushed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OutletError {
    /// The settings make no stream.
    #[error("LSL outlets: {0}")]
    Settings(String),
    /// LSL refused. The run can go on without the stream.
    #[error("LSL outlet `{stream}`: {reason}")]
    Lsl {
        /// The stream's name.
        stream: String,
        /// LSL's own words.
        reason: String,
    },
}

/// The open streams.
pub struct Outlets {
    estimates: Named,
    /// None where nothing stimulates.
    current: Option<Named>,
    events: Named,
    markers: Named,
    rate_hz: f64,
    /// One row of estimates in the making: values, and which targets have given theirs.
    row: Vec<f64>,
    filled: Vec<bool>,
    row_stamp_s: f64,
    sample: Vec<f32>,
}

struct Named {
    name: String,
    outlet: StreamOutlet,
}

impl Named {
    fn open(
        settings: &OutletSettings,
        what: &str,
        kind: &str,
        rate_hz: f64,
        format: ChannelFormat,
        channels: Vec<Channel>,
    ) -> Result<Self, OutletError> {
        let name = format!("{}-{what}", settings.prefix);
        let stream = StreamDescription {
            // The same after a restart, so that a recorder takes up the returned stream, and another on every
            // machine.
            source_id: format!("{name}@{}", hostname()),
            name: name.clone(),
            kind: kind.into(),
            hostname: String::new(),
            rate_hz,
            channels,
        };
        let mut notes = vec![("software", format!("tras {}", env!("CARGO_PKG_VERSION")))];
        notes.extend(settings.notes.iter().map(|(key, value)| (key.as_str(), value.clone())));
        let fault =
            |reason: lsl::Error| OutletError::Lsl { stream: name.clone(), reason: reason.to_string() };
        let info = declare(&stream, format, &notes).map_err(fault)?;
        let outlet = StreamOutlet::new(&info, 0, BUFFER).map_err(fault)?;
        Ok(Self { name, outlet })
    }

    fn push<T>(&self, data: &T, stamp_s: f64, through: bool) -> Result<(), OutletError>
    where
        StreamOutlet: ExPushable<T>,
    {
        prompt::push(&self.outlet, data, stamp_s, through)
            .map_err(|reason| OutletError::Lsl { stream: self.name.clone(), reason: reason.to_string() })
    }
}

impl Outlets {
    /// Opens the streams: estimates of `regions` (one set of channels each, in the order of
    /// [`Estimate::target`]), current at `rate_hz` (the device's; without one there is no such stream), events.
    ///
    /// # Errors
    /// [`OutletError::Settings`] without a region, with an empty prefix, with a note whose name XML cannot have
    /// or with a rate that is not positive; [`OutletError::Lsl`] where LSL cannot make the stream.
    pub fn open(
        settings: &OutletSettings,
        regions: &[String],
        rate_hz: impl Into<Option<f64>>,
    ) -> Result<Self, OutletError> {
        let rate_hz = rate_hz.into();
        let wrong = |what: String| Err(OutletError::Settings(what));
        if settings.prefix.trim().is_empty() {
            return wrong("the prefix is empty; give one, `tras` for instance".into());
        }
        if regions.is_empty() {
            return wrong("no region or channel is estimated".into());
        }
        if let Some(rate_hz) = rate_hz.filter(|rate_hz| !(rate_hz.is_finite() && *rate_hz > 0.0)) {
            return wrong(format!("current at {rate_hz} Hz: the device's rate must be positive"));
        }
        let name_like = |key: &str| {
            key.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
                && key.chars().all(|c| c.is_ascii_alphanumeric() || "_-.".contains(c))
        };
        if let Some((key, _)) = settings.notes.iter().find(|(key, _)| !name_like(key)) {
            return wrong(format!("note `{key}`: a name has letters, digits, `_`, `-` and `.`"));
        }
        let channel =
            |label: String, unit: &str, kind: &str| Channel { label, unit: unit.into(), kind: kind.into() };
        let estimate_channels: Vec<Channel> = regions
            .iter()
            .flat_map(|region| {
                ESTIMATE_FIELDS
                    .iter()
                    .map(move |(field, unit, kind)| channel(format!("{region}.{field}"), unit, kind))
            })
            .collect();
        let width = estimate_channels.len();
        Ok(Self {
            estimates: Named::open(
                settings,
                "estimates",
                "Aperiodic",
                IRREGULAR_RATE,
                ChannelFormat::Double64,
                estimate_channels,
            )?,
            current: rate_hz
                .map(|rate_hz| {
                    Named::open(
                        settings,
                        "current",
                        "Stimulation",
                        rate_hz,
                        ChannelFormat::Float32,
                        vec![channel("current".into(), "milliamperes", "Stimulation")],
                    )
                })
                .transpose()?,
            events: Named::open(
                settings,
                "events",
                "Markers",
                IRREGULAR_RATE,
                ChannelFormat::String,
                vec![channel("event".into(), "json", "Markers")],
            )?,
            markers: Named::open(
                settings,
                "markers",
                "Markers",
                IRREGULAR_RATE,
                ChannelFormat::String,
                vec![channel("marker".into(), "", "Markers")],
            )?,
            rate_hz: rate_hz.unwrap_or(1.0),
            row: vec![f64::NAN; width],
            filled: vec![false; regions.len()],
            row_stamp_s: f64::NAN,
            sample: vec![0.0],
        })
    }

    /// Sends a short marker: `block/3/start`.
    ///
    /// # Errors
    /// [`OutletError::Lsl`] where LSL fails.
    pub fn push_marker(&mut self, stamp_s: f64, text: &str) -> Result<(), OutletError> {
        self.markers.push(&vec![text.to_owned()], stamp_s, true)
    }

    /// Takes in one target's estimate. A row of all targets goes out when every target has given its estimate
    /// of one time, or when one of another time comes; targets without one stand as NaN, not valid.
    ///
    /// # Errors
    /// [`OutletError::Settings`] for a target that was not declared, [`OutletError::Lsl`] where LSL fails.
    pub fn push_estimate(&mut self, estimate: &Estimate) -> Result<(), OutletError> {
        self.push_cells(estimate.target, estimate.stamp_s, &cells(estimate))
    }

    /// The same from the cells of the row.
    ///
    /// # Errors
    /// As [`Outlets::push_estimate`].
    pub fn push_cells(&mut self, target: usize, stamp_s: f64, values: &Cells) -> Result<(), OutletError> {
        let targets = self.filled.len();
        let Some(filled) = self.filled.get(target).copied() else {
            return Err(OutletError::Settings(format!(
                "estimate of target {target}, but there are {targets}"
            )));
        };
        if filled || (stamp_s != self.row_stamp_s && self.filled.contains(&true)) {
            self.flush_estimates()?;
        }
        for (slot, value) in self.row.iter_mut().skip(target * values.len()).zip(values) {
            *slot = *value;
        }
        self.row_stamp_s = stamp_s;
        if let Some(mark) = self.filled.get_mut(target) {
            *mark = true;
        }
        if self.filled.iter().all(|filled| *filled) { self.flush_estimates() } else { Ok(()) }
    }

    /// Sends the row in hand, if there is one. For the end of a run.
    ///
    /// # Errors
    /// [`OutletError::Lsl`] where LSL fails.
    pub fn flush_estimates(&mut self) -> Result<(), OutletError> {
        if !self.filled.contains(&true) {
            return Ok(());
        }
        for (cells, filled) in self.row.chunks_exact_mut(ESTIMATE_FIELDS.len()).zip(&self.filled) {
            if let (false, [rest @ .., valid, contamination]) = (*filled, cells) {
                rest.fill(f64::NAN);
                *valid = 0.0;
                *contamination = f64::NAN;
            }
        }
        self.filled.fill(false);
        self.estimates.push(&self.row, self.row_stamp_s, true)
    }

    /// Sends current as delivered: sample i flowed at `stamp0_s + i / rate`.
    ///
    /// # Errors
    /// [`OutletError::Lsl`] where LSL fails.
    pub fn push_current(&mut self, stamp0_s: f64, current_ma: &[f32]) -> Result<(), OutletError> {
        let Some(current) = &mut self.current else { return Ok(()) };
        for (i, value) in current_ma.iter().enumerate() {
            if let Some(slot) = self.sample.first_mut() {
                *slot = *value;
            }
            let stamp_s = stamp0_s + i as f64 / self.rate_hz;
            current.push(&self.sample, stamp_s, i + 1 == current_ma.len())?;
        }
        Ok(())
    }

    /// Sends one event; `json` is one JSON object.
    ///
    /// # Errors
    /// [`OutletError::Lsl`] where LSL fails.
    pub fn push_event(&mut self, stamp_s: f64, json: &str) -> Result<(), OutletError> {
        self.events.push(&vec![json], stamp_s, true)
    }
}
