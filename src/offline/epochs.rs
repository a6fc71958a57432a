//! Windows cut at markers: each is filled from its own beginning and fitted alone.
//!
//! Frames of an epoch are kept until it is whole; then an estimator of the epoch's length, fresh each time, takes them and
//! fits every target once. Epochs may overlap. One that the recording does not hold from its beginning is left out; one
//! with a gap inside has a row that is not valid.

use std::sync::Arc;

use super::current::Timeline;
use super::lane::Readouts;
use super::markers::{Epoch, Marker};
use super::table::Row;
use crate::acquisition::frame::FrameHeader;
use crate::estimator::settings::Settings;
use crate::estimator::window::{Estimator, Target};
use crate::estimator::{Estimate, assemble};

/// Where windows are cut, and what is told of them.
pub struct Cut<'a> {
    /// Relative to markers.
    pub epochs: &'a [Epoch],
    /// The recording's.
    pub markers: Vec<Marker>,
    /// Fields of markers that have a column.
    pub fields: &'a [String],
    /// Whether the table has a column for what windows saw of the current.
    pub tells: bool,
    /// What samples saw of it, where that is known.
    pub timeline: Option<Arc<Timeline>>,
}

/// The epochs of one recording.
pub struct EpochLane {
    kinds: Vec<Kind>,
    /// Those to come: when they begin, of which kind, at which marker; the last comes first.
    to_come: Vec<(f64, usize, usize)>,
    open: Vec<Open>,
    markers: Vec<Marker>,
    readouts: Readouts,
    fields: Vec<String>,
    tells: bool,
    timeline: Option<Arc<Timeline>>,
    step_s: f64,
    /// Epochs whose beginning the recording does not hold.
    left_out: u64,
}

struct Kind {
    epoch: Epoch,
    estimator: Estimator,
}

/// An epoch that is being filled.
struct Open {
    kind: usize,
    marker: usize,
    headers: Vec<FrameHeader>,
    samples_uv: Vec<f32>,
}

impl EpochLane {
    /// For the windows that `cut` says, of a recording at `rate_hz` with so many channels.
    ///
    /// # Errors
    /// The settings do not fit an epoch's length.
    pub fn new(
        e: &Settings,
        readouts: &Readouts,
        targets: &[Target],
        channels: usize,
        rate_hz: f64,
        cut: Cut<'_>,
    ) -> Result<Self, String> {
        let Cut { epochs, markers, fields, tells, timeline } = cut;
        let mut kinds = Vec::with_capacity(epochs.len());
        for epoch in epochs {
            let length_s = epoch.length_s();
            // As long as the epoch, and one window of it.
            let e = Settings {
                window_s: length_s,
                hop_s: length_s,
                segment_s: e.segment_s.min(length_s),
                ..e.clone()
            };
            let settings = assemble::estimator_settings(&e, targets.to_vec());
            let estimator = assemble::method(&e, &settings, rate_hz)
                .and_then(|method| Estimator::new(settings, rate_hz, channels, method))
                .map_err(|what| format!("--epochs {}: {what}", epoch.label()))?;
            kinds.push(Kind { epoch: epoch.clone(), estimator });
        }
        let mut to_come: Vec<(f64, usize, usize)> = Vec::new();
        for (nth, marker) in markers.iter().enumerate() {
            for (kind, Kind { epoch, .. }) in kinds.iter().enumerate() {
                if epoch.marker == marker.name {
                    to_come.push((marker.at_s + epoch.range_s.0, kind, nth));
                }
            }
        }
        to_come.sort_by(|a, b| b.0.total_cmp(&a.0).then(b.2.cmp(&a.2)).then(b.1.cmp(&a.1)));
        Ok(Self {
            kinds,
            to_come,
            open: Vec::new(),
            markers,
            readouts: readouts.clone(),
            fields: fields.to_vec(),
            tells,
            timeline,
            step_s: 1.0 / rate_hz,
            left_out: 0,
        })
    }

    /// What a user should know about the settings.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        self.kinds.iter().flat_map(|kind| kind.estimator.warnings().iter().cloned()).collect()
    }

    /// Epochs whose marker the recording does not have, in a sentence.
    #[must_use]
    pub fn missing(&self) -> Option<String> {
        let without = |kind: &&Kind| !self.markers.iter().any(|marker| marker.name == kind.epoch.marker);
        let names: Vec<&str> =
            self.kinds.iter().filter(without).map(|kind| kind.epoch.marker.as_str()).collect();
        (!names.is_empty()).then(|| format!("there is no marker {}", names.join(", ")))
    }

    /// Takes a frame, and adds a row for each target of every epoch that ends with it.
    pub fn push(&mut self, frame: &FrameHeader, frame_uv: &[f32], rows: &mut Vec<Row>) {
        // Half a sample of tolerance: stamps and onsets are measured.
        while let Some((from_s, kind, marker)) =
            self.to_come.pop_if(|(from_s, ..)| *from_s <= frame.stamp_s + self.step_s / 2.0)
        {
            if frame.stamp_s - from_s > self.step_s * 1.5 {
                self.left_out += 1;
                continue;
            }
            self.open.push(Open { kind, marker, headers: Vec::new(), samples_uv: Vec::new() });
        }
        let mut whole = Vec::new();
        for (at, open) in self.open.iter_mut().enumerate() {
            open.headers.push(*frame);
            open.samples_uv.extend_from_slice(frame_uv);
            let wanted = self.kinds.get(open.kind).map_or(0, |kind| kind.estimator.window_samples());
            if open.headers.len() >= wanted {
                whole.push(at);
            }
        }
        for (taken, at) in whole.into_iter().enumerate() {
            let open = self.open.remove(at - taken);
            self.fit(&open, frame_uv.len(), rows);
        }
    }

    /// The recording has ended. Gives how many epochs it does not hold whole.
    #[must_use]
    pub fn end(self) -> u64 {
        self.left_out + (self.open.len() + self.to_come.len()) as u64
    }

    fn fit(&mut self, open: &Open, width: usize, rows: &mut Vec<Row>) {
        let (Some(kind), Some(marker)) = (self.kinds.get_mut(open.kind), self.markers.get(open.marker))
        else {
            return;
        };
        kind.estimator.reset();
        for (header, samples_uv) in open.headers.iter().zip(open.samples_uv.chunks_exact(width.max(1))) {
            let seen = self.timeline.as_ref().map(|timeline| timeline.at(header.stamp_s)).unwrap_or_default();
            kind.estimator.push(header, samples_uv, seen);
        }
        let now_s = open.headers.last().map_or(0.0, |header| header.stamp_s);
        let found: Vec<Estimate> = kind.estimator.estimates(now_s).to_vec();
        let mut texts = vec![kind.epoch.label(), super::table::cell(marker.at_s)];
        texts.extend(self.fields.iter().map(|name| marker.field(name).to_owned()));
        for estimate in found {
            let mut extras = Vec::with_capacity(self.readouts.bands.len());
            for band in &self.readouts.bands {
                let spectrum = kind.estimator.spectrum(estimate.target);
                extras.push(spectrum.map_or(f64::NAN, |s| band.adjusted_power_log10(&s, &estimate.fit)));
            }
            let contamination = self.timeline.is_some().then_some(estimate.contamination);
            let seen = self.tells.then(|| contamination.map_or("", |c| c.as_str()).to_owned());
            let texts = seen.into_iter().chain(texts.iter().cloned()).collect();
            rows.push(Row { extras, texts, ..Row::of(&estimate, contamination) });
        }
    }
}
