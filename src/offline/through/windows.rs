//! The windows of a recording under current: frames without what follows it, and what is fitted to them.
//!
//! In: frames as the lane has them, and the rows of its windows. Out: the same rows in the same order; those of
//! windows under current are the second estimator's. Cleaned frames come later than the frames themselves, so
//! rows wait.

use std::collections::VecDeque;

use super::delivered::Delivered;
use super::{Figures, Prepared};
use crate::acquisition::frame::FrameHeader;
use crate::estimator::settings::Settings;
use crate::estimator::through_current::{Proof, Remover, Settings as RemoverSettings, Unproven};
use crate::estimator::window::{Estimator, Target};
use crate::estimator::{Contamination, Estimate, Spectrum, assemble};
use crate::offline::table::Row;

/// Rows of the windows that end with one frame.
#[derive(Debug)]
struct Waiting {
    last_sample: u64,
    rows: Vec<Row>,
}

/// See the module.
pub(in crate::offline) struct Windows {
    /// `None` where the current cannot be removed: then rows are as they were.
    removal: Option<Removal>,
    withheld: Option<&'static str>,
    nothing_known: Option<&'static str>,
    waiting: VecDeque<Waiting>,
    targets: Vec<Target>,
    first_target: usize,
}

struct Removal {
    remover: Remover,
    delivered: Delivered,
    estimator: Estimator,
    /// Cleaned frames of one call, and their values.
    headers: Vec<FrameHeader>,
    values_uv: Vec<f32>,
    channels: usize,
    /// The current cannot be read any further.
    broken: bool,
}

/// The estimate that takes a row's place.
pub(in crate::offline) struct Seen<'a> {
    pub(in crate::offline) estimate: Estimate,
    pub(in crate::offline) figures: Figures,
    pub(in crate::offline) spectrum: Option<Spectrum<'a>>,
}

impl Windows {
    /// For `targets` (channels of the lane) at `rate_hz`.
    ///
    /// # Errors
    /// Names the setting that does not fit the recording.
    pub(in crate::offline) fn new(
        e: &Settings,
        prepared: Prepared,
        targets: &[Target],
        first_target: usize,
        rate_hz: f64,
        channels: usize,
    ) -> Result<Self, String> {
        let removal = match prepared.delivered {
            None => None,
            Some(delivered) => {
                let (top_hz, current_hz) = (e.range_hz[1], delivered.rate_hz());
                let remover =
                    RemoverSettings::new(channels, rate_hz, top_hz, current_hz, e.window_s, e.hop_s);
                let remover = Remover::new(remover)?;
                let settings = assemble::estimator_settings(e, targets.to_vec());
                let method = assemble::method(e, &settings, remover.rate_hz())?;
                let estimator = Estimator::new(settings, remover.rate_hz(), channels, method)?;
                Some(Removal {
                    remover,
                    delivered,
                    estimator,
                    headers: Vec::new(),
                    values_uv: Vec::new(),
                    channels,
                    broken: false,
                })
            }
        };
        let Prepared { withheld, nothing_known, .. } = prepared;
        let (waiting, targets) = (VecDeque::new(), targets.to_vec());
        Ok(Self { removal, withheld, nothing_known, waiting, targets, first_target })
    }

    /// Takes a frame, and the rows of the windows that end with it. Hands out the rows that are ready, `replace` having
    /// made those of windows under current anew.
    pub(in crate::offline) fn push(
        &mut self,
        frame: &FrameHeader,
        samples_uv: &[f32],
        rows: Vec<Row>,
        replace: &mut dyn FnMut(&mut Row, &Seen<'_>),
        ready: &mut Vec<Row>,
    ) {
        if !rows.is_empty() {
            self.waiting.push_back(Waiting { last_sample: frame.index, rows });
        }
        let Some(removal) = &mut self.removal else { return self.finish(ready) };
        removal.take(frame, samples_uv);
        let mut at = 0;
        for header in &removal.headers {
            let values = removal.values_uv.get(at..at + removal.channels).unwrap_or_default();
            at += removal.channels;
            removal.estimator.push(header, values, Contamination::Clean);
            // A window ends with the newest cleaned frame that is not younger than its own last.
            let Some(waiting) = self.waiting.front() else { continue };
            if header.index < waiting.last_sample {
                continue;
            }
            let Some(mut waiting) = self.waiting.pop_front() else { continue };
            for row in &mut waiting.rows {
                let target = row.target.saturating_sub(self.first_target);
                let estimate = removal.estimator.estimate(target, header.stamp_s);
                if row.contamination == Some(Contamination::Stimulating) {
                    let channels = self.targets.get(target).map_or(&[][..], |t| t.channels.as_slice());
                    let mut proof = removal.remover.proof(channels);
                    if removal.broken {
                        proof = Proof::failed(Unproven::NoTelemetry);
                    }
                    let figures = Figures { proof, withheld: self.withheld };
                    let spectrum = removal.estimator.spectrum(target);
                    replace(row, &Seen { estimate, figures, spectrum });
                }
            }
            ready.append(&mut waiting.rows);
        }
        self.veto(ready);
    }

    /// The recording has ended: what still waits can no more be cleaned.
    pub(in crate::offline) fn finish(&mut self, ready: &mut Vec<Row>) {
        for mut waiting in std::mem::take(&mut self.waiting) {
            ready.append(&mut waiting.rows);
        }
        self.veto(ready);
    }

    fn veto(&self, rows: &mut [Row]) {
        if self.nothing_known.is_some() {
            rows.iter_mut().for_each(|row| row.withheld = self.nothing_known);
        }
    }
}

impl Removal {
    fn take(&mut self, frame: &FrameHeader, samples_uv: &[f32]) {
        self.headers.clear();
        self.values_uv.clear();
        // A file that breaks off was told of when it was opened: from here on nobody knows the current.
        self.broken = self.broken || self.delivered.tell(frame.stamp_s, &mut self.remover).is_err();
        self.remover.frame(frame, samples_uv);
        let (headers, values_uv) = (&mut self.headers, &mut self.values_uv);
        self.remover.poll(&mut |header, cleaned_uv| {
            headers.push(*header);
            values_uv.extend_from_slice(cleaned_uv);
        });
    }
}
