//! EEG as BrainVision: `.eeg` (32-bit floats, multiplexed, microvolts), `.vhdr`, `.vmrk`.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

use super::BidsError;
use crate::acquisition::frame::{Facts, FrameHeader};
use crate::session::recorded::{Happened, Recorded, What};

/// What was written.
#[derive(Clone, Debug)]
pub(super) struct Data {
    /// The `.vhdr`.
    pub header: PathBuf,
    pub samples: u64,
    pub rate_hz: f64,
    /// Places in the file before which samples are missing, and how many.
    pub gaps: Vec<(u64, u64)>,
    /// The session's clock at every [`STAMP_EVERY`]th sample and at each gap: place and stamp.
    stamps: Vec<(u64, f64)>,
    /// Samples of each channel that were no EEG.
    pub spoilt: Vec<u64>,
}

/// A stamp is kept for so many samples; those between follow at the rate.
const STAMP_EVERY: u64 = 256;

impl Data {
    /// The first stamp.
    pub(super) fn began_s(&self) -> f64 {
        self.stamps.first().map_or(0.0, |(_, stamp_s)| *stamp_s)
    }

    /// The place of a moment in the file, from 0; a moment in a gap has that of the sample after it.
    pub(super) fn place(&self, at_s: f64) -> f64 {
        let after = self.stamps.partition_point(|(_, stamp_s)| *stamp_s <= at_s);
        let next = self.stamps.get(after).map_or(self.samples as f64, |(place, _)| *place as f64);
        match after.checked_sub(1).and_then(|before| self.stamps.get(before)) {
            Some((place, stamp_s)) => (*place as f64 + (at_s - stamp_s) * self.rate_hz).min(next),
            None => (at_s - self.began_s()) * self.rate_hz,
        }
    }
}

/// Writes all three files as `stem_eeg`, and checks the length of the data: no validator does.
pub(super) fn write(recorded: &Recorded, folder: &Path, stem: &str) -> Result<Data, BidsError> {
    let eeg = recorded.eeg()?;
    let name = |ending: &str| format!("{stem}_eeg.{ending}");
    let path = folder.join(name("eeg"));
    let mut data = Data {
        header: folder.join(name("vhdr")),
        samples: 0,
        rate_hz: eeg.rate_hz,
        gaps: Vec::new(),
        stamps: Vec::new(),
        spoilt: vec![0; eeg.channels.len()],
    };
    let mut out = BufWriter::new(File::create(&path).map_err(BidsError::file(&path))?);
    let mut frames = recorded.frames()?;
    let (mut header, mut values) = (FrameHeader::default(), vec![0.0_f32; eeg.channels.len()]);
    let mut last: Option<u64> = None;
    while frames.next(&mut header, &mut values)? {
        // Missing: by the count of the amplifier, by a break, or because it is still sealed.
        let unread = last.map_or(0, |last| header.index.saturating_sub(last + 1));
        let missing = unread + u64::from(header.lost_before);
        if last.is_some() && (missing > 0 || header.facts.intersects(Facts::BREAKS)) {
            data.gaps.push((data.samples, missing));
            data.stamps.push((data.samples, header.stamp_s));
        } else if data.samples.is_multiple_of(STAMP_EVERY) {
            data.stamps.push((data.samples, header.stamp_s));
        }
        last = Some(header.index);
        for (channel, (value, spoilt)) in values.iter().zip(&mut data.spoilt).enumerate() {
            out.write_all(&value.to_le_bytes()).map_err(BidsError::file(&path))?;
            *spoilt += u64::from(header.spoilt.contains(channel));
        }
        data.samples += 1;
    }
    out.flush().map_err(BidsError::file(&path))?;
    drop(out);
    let length = path.metadata().map_err(BidsError::file(&path))?.len();
    let expected = data.samples * eeg.channels.len() as u64 * 4;
    if length != expected {
        let what = format!(
            "has {length} bytes, {} samples of {} channels are {expected}",
            data.samples,
            eeg.channels.len()
        );
        return Err(BidsError::refused(&path, what));
    }
    super::write(&data.header, &header_text(recorded, &data, &name("eeg"), &name("vmrk"))?)?;
    let markers = markers_text(recorded, &data, &name("eeg"));
    super::write(&folder.join(name("vmrk")), &markers)?;
    Ok(data)
}

fn header_text(
    recorded: &Recorded,
    data: &Data,
    data_file: &str,
    marker_file: &str,
) -> Result<String, BidsError> {
    let eeg = recorded.eeg()?;
    let mut text = format!(
        "BrainVision Data Exchange Header File Version 1.0\n; written by tras {}\n\n[Common Infos]\nCodepage=UTF-8\n\
         DataFile={data_file}\nMarkerFile={marker_file}\nDataFormat=BINARY\nDataOrientation=MULTIPLEXED\n\
         NumberOfChannels={}\n; in microseconds\nSamplingInterval={}\n\n[Binary Infos]\nBinaryFormat=IEEE_FLOAT_32\n\n\
         [Channel Infos]\n; name, reference, resolution, unit\n",
        env!("CARGO_PKG_VERSION"),
        eeg.channels.len(),
        1e6 / data.rate_hz,
    );
    for (number, channel) in (1..).zip(&eeg.channels) {
        let _ = writeln!(text, "Ch{number}={},,1,µV", escaped(&channel.label));
    }
    Ok(text)
}

fn markers_text(recorded: &Recorded, data: &Data, data_file: &str) -> String {
    let mut text = format!(
        "BrainVision Data Exchange Marker File, Version 1.0\n\n[Common Infos]\nCodepage=UTF-8\nDataFile={data_file}\n\n\
         [Marker Infos]\n; type, description, position from 1, length, channel (0: all), date of a new segment\n\
         Mk1=New Segment,,1,1,0,{}\n",
        began(recorded)
    );
    let mut marks: Vec<(u64, String)> =
        data.gaps.iter().map(|(place, _)| (place + 1, "New Segment,".to_owned())).collect();
    for Happened { at_s, what } in recorded.happened() {
        let (kind, description) = match what {
            What::Marker(text) => ("Stimulus", text),
            What::OwnMarker(text) => ("Comment", text),
            What::Event(_) => continue,
        };
        let place = data.place(at_s).round();
        // A marker outside of the data has no position in it.
        if place >= 0.0 && place < data.samples as f64 {
            marks.push((place as u64 + 1, format!("{kind},{}", escaped(&description))));
        }
    }
    marks.sort_by_key(|(place, _)| *place);
    for (number, (place, mark)) in (2..).zip(marks) {
        let _ = writeln!(text, "Mk{number}={mark},{place},1,0");
    }
    text
}

/// `YYYYMMDDhhmmssuuuuuu`; zeros where the recording does not say.
fn began(recorded: &Recorded) -> String {
    let text = recorded.began().unwrap_or_default();
    let text = text.split(['+', 'Z']).next().unwrap_or_default();
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    format!("{digits:0<20}").chars().take(20).collect()
}

/// A comma ends a field, so it is written `\1`; a line break ends the line.
fn escaped(text: &str) -> String {
    super::cell(text).replace(',', "\\1")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_have_a_place_across_gaps() {
        let data = Data {
            header: PathBuf::new(),
            samples: 600,
            rate_hz: 100.0,
            gaps: vec![(300, 50)],
            stamps: vec![(0, 10.0), (256, 12.56), (300, 13.5), (512, 15.62)],
            spoilt: Vec::new(),
        };
        for (at_s, place) in
            [(10.0, 0.0), (12.0, 200.0), (12.99, 299.0), (13.2, 300.0), (14.0, 350.0), (9.0, -100.0)]
        {
            assert!((data.place(at_s) - place).abs() < 1e-6, "{at_s}: {}", data.place(at_s));
        }
    }
}
