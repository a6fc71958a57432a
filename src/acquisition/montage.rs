//! Which channels of a stream are taken, what makes microvolts of them, and what they are measured against.
//!
//! A spoilt channel of the reference must not reach all the others. In the average its last good value
//! stands for it, so that its offset stays and no step arises in the rest; where half of the average, or any
//! named reference channel, is spoilt, the reference is of no use for that frame.

use super::frame::{ChannelSet, MAX_CHANNELS};
use super::kinds::{Guess, distinct_labels, guess};
use super::settings::{AcquisitionError, AcquisitionSettings, Reference};
use super::{Channel, StreamDescription};
use crate::units::scale_to_uv;

/// One channel that is looked at: its place in the sender's sample, and its factor to µV.
#[derive(Clone, Copy, Debug)]
struct Input {
    at: usize,
    scale_uv: f64,
}

/// The channels of one stream that are taken.
#[derive(Clone, Debug)]
pub struct Montage {
    chosen: Vec<Channel>,
    /// The chosen channels first, then those that only serve as reference.
    inputs: Vec<Input>,
    /// Indices into `inputs` that the reference is the mean of; empty for none.
    reference: Vec<usize>,
    average: bool,
    last_good_uv: Vec<f64>,
}

impl Montage {
    /// Finds the channels that the settings name.
    ///
    /// # Errors
    /// [`AcquisitionError`] where a label is not in the stream or is named twice, there is no EEG channel,
    /// there are too many, or a unit cannot be told.
    pub fn new(stream: &StreamDescription, settings: &AcquisitionSettings) -> Result<Self, AcquisitionError> {
        let mut stream = stream.clone();
        // Two channels of one label could not be told apart in any table or pane.
        distinct_labels(&mut stream.channels);
        let stream = &stream;
        let unusable = |what: String| AcquisitionError::Unusable { stream: stream.name.clone(), what };
        let mut taken = match settings.channels.as_slice() {
            [] => eeg_channels(stream).ok_or_else(|| {
                unusable(
                    "none of its channels is of type EEG; name those to take in stream.channels".to_owned(),
                )
            })?,
            labels => find_all(stream, labels, "stream.channels")?,
        };
        let chosen: Vec<Channel> = taken.iter().filter_map(|&at| stream.channels.get(at).cloned()).collect();
        let mut reference: Vec<usize> = Vec::new();
        match &settings.reference {
            Reference::None => {}
            Reference::Average if chosen.len() < 2 => {
                let what = "the average of a single channel is that channel, and leaves nothing".to_owned();
                return Err(AcquisitionError::Setting { key: "stream.reference".into(), what });
            }
            Reference::Average => reference.extend(0..chosen.len()),
            Reference::Channels(labels) => {
                for at in find_all(stream, labels, "stream.reference")? {
                    let place = taken.iter().position(|&t| t == at).unwrap_or_else(|| {
                        taken.push(at);
                        taken.len() - 1
                    });
                    reference.push(place);
                }
            }
        }
        if taken.len() > MAX_CHANNELS {
            let count = taken.len();
            return Err(unusable(format!(
                "{count} channels, {MAX_CHANNELS} at most; choose by stream.channels"
            )));
        }
        let inputs =
            taken.iter().filter_map(|&at| Some((at, stream.channels.get(at)?))).map(|(at, channel)| {
                let scale_uv =
                    scale_to_uv(&stream.name, &channel.label, &channel.unit, settings.unit.as_deref())?;
                Ok(Input { at, scale_uv })
            });
        let inputs: Vec<Input> = inputs.collect::<Result<_, AcquisitionError>>()?;
        let average = settings.reference == Reference::Average;
        Ok(Self { chosen, last_good_uv: vec![f64::NAN; inputs.len()], inputs, reference, average })
    }

    /// The chosen channels.
    #[must_use]
    pub fn chosen(&self) -> &[Channel] {
        &self.chosen
    }

    /// How many channels are looked at: the chosen first, then those that only serve as reference.
    #[must_use]
    pub fn inputs(&self) -> usize {
        self.inputs.len()
    }

    /// Picks and scales one sample of the sender's.
    pub fn scale(&self, sample: &[f64], values_uv: &mut [f64]) {
        for (value_uv, input) in values_uv.iter_mut().zip(&self.inputs) {
            *value_uv = sample.get(input.at).map_or(f64::NAN, |raw| raw * input.scale_uv);
        }
    }

    /// The reference's potential, µV, and whether the channels may be used against it.
    pub fn reference_uv(&mut self, values_uv: &[f64], spoilt: &ChannelSet) -> (f64, bool) {
        let (mut sum_uv, mut known, mut bad) = (0.0, 0usize, 0usize);
        for &at in &self.reference {
            let (Some(good_uv), Some(&value_uv)) = (self.last_good_uv.get_mut(at), values_uv.get(at)) else {
                continue;
            };
            if spoilt.contains(at) {
                bad += 1;
            } else {
                *good_uv = value_uv;
            }
            if good_uv.is_finite() {
                (sum_uv, known) = (sum_uv + *good_uv, known + 1);
            }
        }
        let usable = if self.average { 2 * bad < self.reference.len().max(1) } else { bad == 0 };
        (if known > 0 { sum_uv / known as f64 } else { 0.0 }, usable)
    }
}

/// Indices of the EEG channels: those of that type; where none has it, those that are not surely something else.
fn eeg_channels(stream: &StreamDescription) -> Option<Vec<usize>> {
    let typed = stream.channels.iter().any(|c| c.kind.trim().eq_ignore_ascii_case("EEG"));
    let is_eeg = |c: &Channel| match guess(c) {
        Guess::Eeg => !typed || !c.kind.trim().is_empty(),
        Guess::Unknown => !typed,
        Guess::Other => false,
    };
    let found: Vec<usize> =
        stream.channels.iter().enumerate().filter(|(_, c)| is_eeg(c)).map(|(at, _)| at).collect();
    (!found.is_empty()).then_some(found)
}

/// Indices of the channels with these labels, upper or lower case.
fn find_all(
    stream: &StreamDescription,
    labels: &[String],
    key: &str,
) -> Result<Vec<usize>, AcquisitionError> {
    let wrong = |what: String| AcquisitionError::Setting { key: key.to_owned(), what };
    let mut found = Vec::with_capacity(labels.len());
    for label in labels {
        let alike = |c: &Channel| c.label.trim().eq_ignore_ascii_case(label.trim());
        let Some(at) = stream.channels.iter().position(alike) else {
            let there: Vec<&str> = stream.channels.iter().map(|c| c.label.as_str()).collect();
            let what =
                format!("stream \"{}\" has no channel \"{label}\"; it has {}", stream.name, there.join(", "));
            return Err(wrong(what));
        };
        if found.contains(&at) {
            return Err(wrong(format!("channel \"{label}\" is listed twice")));
        }
        found.push(at);
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::acquisition::stream_of as stream;

    #[test]
    fn what_is_surely_no_eeg_is_not_taken_and_labels_are_distinct() {
        let labels = |channels: &[(&str, &str, &str)]| {
            let montage = Montage::new(&stream(channels), &AcquisitionSettings::default()).unwrap();
            montage.chosen().iter().map(|c| c.label.clone()).collect::<Vec<String>>()
        };
        assert_eq!(
            labels(&[("C3", "uV", ""), ("EMG chin", "uV", ""), ("SpO2", "%", ""), ("C4", "uV", "")]),
            ["C3", "C4"]
        );
        assert_eq!(labels(&[("C3", "uV", "EEG"), ("X", "uV", ""), ("Y", "uV", "MISC")]), ["C3"]);
        assert_eq!(labels(&[("C3", "uV", ""), ("X", "uV", ""), ("Y", "uV", "EMG")]), ["C3", "X"]);
        assert_eq!(
            labels(&[("T8-P8", "uV", ""), ("T8-P8", "uV", ""), ("", "uV", "")]),
            ["T8-P8", "T8-P8-2", "3"]
        );
    }

    #[test]
    fn what_cannot_be_taken_is_refused_by_name() {
        let good = stream(&[("Fz", "uV", ""), ("Cz", "uV", "")]);
        let err = |stream: &StreamDescription, settings: &AcquisitionSettings| {
            Montage::new(stream, settings).map(|_| ()).unwrap_err().to_string()
        };
        let pick = |labels: &[&str]| AcquisitionSettings {
            channels: labels.iter().map(|l| (*l).to_owned()).collect(),
            ..AcquisitionSettings::default()
        };
        assert!(err(&good, &pick(&["Oz"])).contains("Fz, Cz"));
        assert!(err(&good, &pick(&["Fz", "fz"])).contains("twice"));
        assert!(
            err(&stream(&[("a", "uV", "AUX")]), &AcquisitionSettings::default()).contains("stream.channels")
        );
        assert!(
            err(&stream(&[("a", "counts", "")]), &AcquisitionSettings::default()).contains("stream.unit")
        );
        let one = AcquisitionSettings { reference: Reference::Average, ..pick(&["Fz"]) };
        assert!(err(&good, &one).contains("stream.reference"));
        let stated = AcquisitionSettings { unit: Some("mV".into()), ..AcquisitionSettings::default() };
        assert!(Montage::new(&stream(&[("a", "counts", "")]), &stated).is_ok());
    }
}
