//! Samples as a source yields them in; frames in microvolts with what is known to be wrong with them out.
//!
//! Channels are picked, scaled to µV, looked at one by one ([`Quality`]), re-referenced and narrowed to
//! `f32`; stamps are brought to this machine's clock and smoothed ([`Dejitter`]). Quality is judged before
//! the re-reference ([`Montage`]), on what the amplifier gave.
//!
//! Values are never replaced: a spoilt value goes out as it came, NaN included, and its channel is in
//! [`FrameHeader::spoilt`]. Deadline: a frame before the next sample (1 ms at 1 kHz); it takes about
//! 3 µs for 64 channels. Missed, the samples wait in the inlet and their age shows it.

use std::fmt;

use super::dejitter::Dejitter;
use super::frame::{Facts, FrameHeader};
use super::montage::Montage;
use super::quality::{Causes, Quality, SpoiltCounts};
use super::settings::{AcquisitionError, AcquisitionSettings};
use super::{Channel, StreamDescription};
use crate::units::hz;

/// A measured rate beyond this share of the nominal one is told; beyond the second, no stamp counts as settled.
const RATE_TOLD: f64 = 0.01;
const RATE_REFUSED: f64 = 0.05;

/// What has come in so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Samples received.
    pub received: u64,
    /// Samples known to be missing.
    pub lost: u64,
    /// Gaps that they are missing in.
    pub gaps: u64,
    /// Discontinuities of the raw stamp, gaps among them.
    pub stamp_jumps: u64,
    /// Times the stream came back.
    pub resumes: u64,
    /// Frames with at least one spoilt channel.
    pub spoilt_frames: u64,
}

/// A stream that does not run at the rate that it says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RateOff {
    /// What it says of itself, Hz.
    pub nominal_hz: f64,
    /// What its stamps show, Hz.
    pub measured_hz: f64,
    /// So far from what windows are cut by that none is valid.
    pub refused: bool,
}

impl fmt::Display for RateOff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let refused =
            if self.refused { "; no estimate is valid until windows are cut by that rate" } else { "" };
        write!(
            f,
            "the stream says {} of itself, its stamps run at {}{refused}",
            hz(self.nominal_hz),
            hz(self.measured_hz)
        )
    }
}

/// Conditions the samples of one stream.
#[derive(Clone, Debug)]
pub struct Conditioner {
    width: usize,
    montage: Montage,
    values_uv: Vec<f64>,
    out_uv: Vec<f32>,
    rate_hz: f64,
    /// The rate that windows are cut by: the stream's word, until somebody knows better.
    used_hz: f64,
    dejitter: Dejitter,
    quality: Quality,
    next: FrameHeader,
    counts: Counts,
}

impl Conditioner {
    /// For the stream as described.
    ///
    /// # Errors
    /// [`AcquisitionError`] where the rate is irregular, a label is not in the stream or twice in the
    /// setting, there is no EEG channel, or a unit cannot be told.
    pub fn new(stream: &StreamDescription, settings: &AcquisitionSettings) -> Result<Self, AcquisitionError> {
        if !(stream.rate_hz.is_finite() && stream.rate_hz > 0.0) {
            let what = "its sampling rate is irregular (0 Hz); a spectrum needs a regular one".to_owned();
            return Err(AcquisitionError::Unusable { stream: stream.name.clone(), what });
        }
        let montage = Montage::new(stream, settings)?;
        Ok(Self {
            width: stream.channels.len(),
            values_uv: vec![0.0; montage.inputs()],
            out_uv: vec![0.0; montage.chosen().len()],
            dejitter: if settings.exact_stamps {
                Dejitter::exact(stream.rate_hz)
            } else {
                Dejitter::new(stream.rate_hz, settings.settle_s)
            },
            rate_hz: stream.rate_hz,
            used_hz: stream.rate_hz,
            quality: Quality::new(montage.inputs(), stream.rate_hz, settings.range_uv),
            next: FrameHeader::default(),
            counts: Counts::default(),
            montage,
        })
    }

    /// The chosen channels, in the order of a frame's values.
    #[must_use]
    pub fn channels(&self) -> &[Channel] {
        self.montage.chosen()
    }

    /// Conditions a batch from [`super::Source::poll`]: `values` sample-major and as wide as the stream,
    /// one raw stamp each, the correction to this machine's clock, and when the batch arrived on that clock
    /// (NaN where that means nothing, as for a file). Hands each frame to `each`. A remainder of `values`
    /// that is no whole sample is not looked at. Never allocates.
    pub fn push(
        &mut self,
        values: &[f64],
        stamps_s: &[f64],
        correction_s: f64,
        arrived_s: f64,
        mut each: impl FnMut(&FrameHeader, &[f32]),
    ) {
        for (sample, &raw_s) in values.chunks_exact(self.width.max(1)).zip(stamps_s) {
            let header = self.condition(sample, raw_s, correction_s, arrived_s);
            each(&header, &self.out_uv);
        }
    }

    /// The source came back: the next frame is marked, and the stamps must settle anew.
    pub fn resumed(&mut self) {
        self.counts.resumes += 1;
        self.next.facts.insert(Facts::RESUMED);
        self.flushed();
    }

    /// The inlet was flushed: the smoother of stamps starts anew.
    pub fn flushed(&mut self) {
        self.dejitter.restart();
        self.quality.discontinuity();
    }

    /// What has come in so far.
    #[must_use]
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// Spoilt samples by cause, over the chosen channels and those of the reference.
    #[must_use]
    pub fn spoilt(&self) -> &SpoiltCounts {
        self.quality.counts()
    }

    /// Which of the chosen channels, and behind them those of the reference, were bad since this was last asked.
    pub fn take_causes(&mut self) -> Causes {
        self.quality.take_causes()
    }

    /// The rate that the stamps show, Hz, beside the nominal one; `None` until it is known.
    #[must_use]
    pub fn measured_rate_hz(&self) -> Option<f64> {
        self.dejitter.rate_is_known().then(|| self.dejitter.rate_hz())
    }

    /// The rate that the stream says of itself, Hz.
    #[must_use]
    pub fn nominal_rate_hz(&self) -> f64 {
        self.rate_hz
    }

    /// From now on windows are cut by `rate_hz`: frames of a stream that runs at it are settled.
    pub fn use_rate(&mut self, rate_hz: f64) {
        self.used_hz = rate_hz;
    }

    /// What the stamps show where it is beyond 1 % of what the stream says.
    #[must_use]
    pub fn rate_off(&self) -> Option<RateOff> {
        let (nominal_hz, measured_hz) = (self.rate_hz, self.measured_rate_hz()?);
        let off = (measured_hz / nominal_hz - 1.0).abs();
        (off > RATE_TOLD).then_some(RateOff { nominal_hz, measured_hz, refused: self.is_refused() })
    }

    /// What an operator should know of the rate: that it is not what the stream says, beyond 1 %.
    #[must_use]
    pub fn rate_warning(&self) -> Option<String> {
        let off = self.rate_off()?;
        let rebuilt = self.used_hz != self.rate_hz && !off.refused;
        let so = if rebuilt {
            format!("; windows were cut by {} since that was known", hz(self.used_hz))
        } else {
            String::new()
        };
        Some(format!("{off}{so}"))
    }

    /// Whether the stamps' rate is too far from the one that windows are cut by.
    fn is_refused(&self) -> bool {
        self.dejitter.rate_is_known() && (self.dejitter.rate_hz() / self.used_hz - 1.0).abs() > RATE_REFUSED
    }

    /// One sample; its values are left in `out_uv`.
    fn condition(&mut self, sample: &[f64], raw_s: f64, correction_s: f64, arrived_s: f64) -> FrameHeader {
        let stamp = self.dejitter.push(raw_s + correction_s, arrived_s);
        let mut header = FrameHeader { index: self.counts.received, ..self.next };
        self.next = FrameHeader::default();
        header.raw_stamp_s = raw_s;
        header.stamp_s = stamp.smooth_s;
        header.lost_before = header.lost_before.saturating_add(stamp.lost_before);
        header.facts.insert(stamp.facts);
        // A window of so many samples would last another time, and its spectrum lie elsewhere.
        if self.is_refused() {
            header.facts.insert(Facts::UNSETTLED);
        }
        if stamp.facts.intersects(Facts::BREAKS) {
            self.quality.discontinuity();
        }
        self.montage.scale(sample, &mut self.values_uv);
        let verdict = self.quality.inspect(&self.values_uv);
        if verdict.repeated {
            header.facts.insert(Facts::REPEATED);
        }
        let (reference_uv, usable) = self.montage.reference_uv(&self.values_uv, &verdict.spoilt);
        for (channel, (out_uv, value_uv)) in self.out_uv.iter_mut().zip(&self.values_uv).enumerate() {
            *out_uv = (value_uv - reference_uv) as f32;
            if verdict.spoilt.contains(channel) || !usable {
                header.spoilt.insert(channel);
            }
        }
        self.counts.received += 1;
        self.counts.lost += u64::from(header.lost_before);
        self.counts.gaps += u64::from(header.facts.intersects(Facts::GAP));
        self.counts.stamp_jumps += u64::from(header.facts.intersects(Facts::STAMP_JUMP));
        self.counts.spoilt_frames += u64::from(!header.spoilt.is_empty());
        header
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]
    use super::super::settings::Reference;
    use super::*;
    use crate::acquisition::stream_of as stream;

    fn settings() -> AcquisitionSettings {
        AcquisitionSettings { settle_s: 0.0, ..AcquisitionSettings::default() }
    }

    fn frames(c: &mut Conditioner, samples: &[Vec<f64>], from: usize) -> Vec<(FrameHeader, Vec<f32>)> {
        let mut out = Vec::new();
        for (k, sample) in samples.iter().enumerate() {
            let at_s = (from + k) as f64 / 100.0;
            c.push(sample, &[at_s], 0.5, at_s + 0.5, |h, v| out.push((*h, v.to_vec())));
        }
        out
    }

    /// Two unrelated lively channels on large offsets, one constant trigger.
    fn lively(n: usize) -> Vec<Vec<f64>> {
        (0..n)
            .map(|k| {
                let t = k as f64 / 100.0;
                vec![
                    4.0e-3 + 2e-5 * (61.0 * t).sin(),
                    4200.0 + 20.0 * (47.0 * t).cos() + 3.0 * (170.0 * t).sin(),
                    0.0,
                ]
            })
            .collect()
    }

    #[test]
    fn channels_are_picked_scaled_and_counted() {
        let stream = stream(&[("Fz", "V", "EEG"), ("Cz", "uV", "eeg"), ("TRIG", "", "TRIG")]);
        let mut c = Conditioner::new(&stream, &settings()).unwrap();
        assert_eq!(c.channels().len(), 2);
        let samples = lively(200);
        let out = frames(&mut c, &samples, 0);
        for (k, (head, values)) in out.iter().enumerate() {
            assert_eq!((head.index, head.raw_stamp_s), (k as u64, k as f64 / 100.0));
            assert!((head.stamp_s - head.raw_stamp_s - 0.5).abs() < 1e-9);
            assert!((f64::from(values[0]) - 1e6 * samples[k][0]).abs() < 1e-3);
            assert!((f64::from(values[1]) - samples[k][1]).abs() < 1e-3);
            assert!(head.spoilt.is_empty());
        }
        let after = frames(&mut c, &samples[..10], 250);
        assert_eq!(after[0].0.lost_before, 50);
        assert!(after[0].0.facts.intersects(Facts::GAP));
        assert_eq!(
            *c.counts(),
            Counts { received: 210, lost: 50, gaps: 1, stamp_jumps: 1, ..Counts::default() }
        );
    }

    #[test]
    fn the_named_order_holds_and_references_are_subtracted() {
        let stream = stream(&[("Fz", "V", "EEG"), ("Cz", "uV", "EEG"), ("M1", "mV", "")]);
        let mut wanted = AcquisitionSettings { channels: vec!["cz".into(), "FZ".into()], ..settings() };
        wanted.reference = Reference::Channels(vec!["M1".into()]);
        let mut c = Conditioner::new(&stream, &wanted).unwrap();
        let mut samples = lively(100);
        samples.iter_mut().enumerate().for_each(|(k, s)| s[2] = 0.01 * (k as f64).sin());
        let out = frames(&mut c, &samples, 0);
        let (_, values) = &out[50];
        assert!((f64::from(values[0]) - samples[50][1] + 1e3 * samples[50][2]).abs() < 1e-2);
        assert!((f64::from(values[1]) - 1e6 * samples[50][0] + 1e3 * samples[50][2]).abs() < 1e-2);
        // A spoilt reference spoils all.
        samples[0][2] = f64::NAN;
        let out = frames(&mut c, &samples[..1], 100);
        assert_eq!(out[0].0.spoilt.len(), 2);
    }

    #[test]
    fn a_spoilt_channel_does_not_step_the_average() {
        let channels = [("A", "uV", ""), ("B", "uV", ""), ("C", "uV", ""), ("D", "uV", "")];
        let wanted = AcquisitionSettings { reference: Reference::Average, ..settings() };
        let mut c = Conditioner::new(&stream(&channels), &wanted).unwrap();
        let wave = |k: usize, c: usize| 1000.0 * c as f64 + 5.0 * ((k * (c + 3)) as f64 / 7.0).sin();
        let mut samples: Vec<Vec<f64>> = (0..300).map(|k| (0..4).map(|c| wave(k, c)).collect()).collect();
        samples[200][3] = f64::NAN;
        samples[220][3] = 1e6;
        let out = frames(&mut c, &samples, 0);
        for k in [200, 220] {
            assert!(out[k].0.spoilt.contains(3) && out[k].0.spoilt.len() == 1, "{k}: {:?}", out[k].0);
            assert!((out[k].1[0] - out[k - 1].1[0]).abs() < 10.0);
        }
        assert!(out[200].1[3].is_nan());
        // Half of them gone: nothing is left to refer to.
        samples[250][0] = f64::NAN;
        samples[250][1] = f64::NAN;
        let out = frames(&mut c, &samples[250..251], 300);
        assert_eq!(out[0].0.spoilt.len(), 4);
    }

    #[test]
    fn an_irregular_rate_is_refused() {
        let irregular = StreamDescription { rate_hz: 0.0, ..stream(&[("Fz", "uV", "")]) };
        let error = Conditioner::new(&irregular, &settings()).map(|_| ()).unwrap_err();
        assert!(error.to_string().contains("irregular"));
    }

    proptest::proptest! {
        /// Whatever numbers come, nothing panics, and what is not finite is marked.
        #[test]
        fn any_numbers(values in proptest::collection::vec(proptest::num::f64::ANY, 2..200), stamps in proptest::collection::vec(proptest::num::f64::ANY, 1..100)) {
            let wanted = AcquisitionSettings { reference: Reference::Average, ..settings() };
            let mut c = Conditioner::new(&stream(&[("Fz", "V", ""), ("Cz", "uV", "")]), &wanted).unwrap();
            let mut seen = 0;
            c.push(&values, &stamps, 0.0, f64::NAN, |head, out| {
                for (channel, value) in values.chunks_exact(2).nth(seen).unwrap().iter().enumerate() {
                    assert!(value.is_finite() || head.spoilt.contains(channel));
                }
                assert_eq!(out.len(), 2);
                seen += 1;
            });
            proptest::prop_assert_eq!(seen, (values.len() / 2).min(stamps.len()));
        }
    }

    #[test]
    fn a_resume_is_marked_on_the_next_frame_only() {
        let mut c = Conditioner::new(&stream(&[("Fz", "uV", ""), ("Cz", "uV", "")]), &settings()).unwrap();
        let samples: Vec<Vec<f64>> = lively(50).into_iter().map(|s| s[..2].to_vec()).collect();
        frames(&mut c, &samples, 0);
        c.resumed();
        let out = frames(&mut c, &samples, 350);
        assert!(out[0].0.facts.intersects(Facts::RESUMED) && out[0].0.lost_before == 300);
        assert!(!out[1].0.facts.intersects(Facts::BREAKS));
        assert_eq!(c.counts().resumes, 1);
    }
}
