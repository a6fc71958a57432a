//! XDF recordings: what is written comes back, and damage costs no more than what it touched.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use proptest::prelude::*;
use tras::acquisition::Channel;
use tras::acquisition::recording::OpenOptions;
use tras::acquisition::recording::xdf::format::{BOUNDARY, Format};
use tras::acquisition::recording::xdf::survey;
use tras::recorder::xdf::{StreamInfo, Values, XdfWriter};
use tras_test_support::recordings::{file, read, refusal};

fn info(name: &str, kind: &str, rate_hz: f64, format: Format, channels: usize) -> StreamInfo {
    StreamInfo {
        name: name.into(),
        kind: kind.into(),
        rate_hz,
        format,
        channels: (0..channels)
            .map(|c| Channel { label: format!("<{c}>"), unit: "uV".into(), kind: "EEG".into() })
            .collect(),
        source_id: "id&1".into(),
        hostname: "here".into(),
        desc: Vec::new(),
    }
}

/// `chunks` chunks of 10 samples of two channels at 100 Hz, a boundary and a marker after each tenth, and
/// clock offsets of 2 s.
fn recording(chunks: usize) -> Vec<u8> {
    let mut writer = XdfWriter::new(Vec::new(), None).unwrap();
    let eeg = writer.add_stream(&info("amp", "EEG", 100.0, Format::Float32, 2)).unwrap();
    let markers = writer.add_stream(&info("task", "Markers", 0.0, Format::Text, 1)).unwrap();
    for chunk in 0..chunks {
        let stamps_s: Vec<f64> = (0..10).map(|i| 50.0 + (chunk * 10 + i) as f64 * 0.01).collect();
        let values: Vec<f32> = (0..20).map(|i| (chunk * 20 + i) as f32).collect();
        writer.samples(eeg, &stamps_s, Values::Float32(&values)).unwrap();
        if chunk % 10 == 9 {
            writer.samples(markers, &[stamps_s[9]], Values::Text(&["block \u{b5} & <1>"])).unwrap();
            writer.clock_offset(eeg, stamps_s[9], 2.0).unwrap();
            writer.clock_offset(markers, stamps_s[9], -1.0).unwrap();
            writer.boundary().unwrap();
        }
    }
    writer.close().unwrap()
}

#[test]
fn what_is_written_comes_back_on_the_recorders_clock() {
    let (_folder, path) = file("rec.xdf", &recording(30));
    let whole = read(&path, &OpenOptions::default(), 7).unwrap();
    let description = whole.recording.description();
    assert_eq!(
        (description.name.as_str(), description.kind.as_str(), description.rate_hz),
        ("amp", "EEG", 100.0)
    );
    assert_eq!((description.source_id.as_str(), description.hostname.as_str()), ("id&1", "here"));
    assert_eq!(
        description.channels[1],
        Channel { label: "<1>".into(), unit: "uV".into(), kind: "EEG".into() }
    );
    assert_eq!(whole.recording.samples(), Some(300));
    assert_eq!(whole.recording.notes(), [""; 0]);
    let wanted: Vec<f64> = (0..600).map(f64::from).collect();
    assert_eq!(whole.values, wanted);
    for (index, stamp_s) in whole.stamps_s.iter().enumerate() {
        assert!((stamp_s - (52.0 + index as f64 * 0.01)).abs() < 1e-9);
    }
    let annotations = whole.recording.annotations();
    assert_eq!(annotations.len(), 3);
    assert_eq!(annotations[0].text, "block \u{b5} & <1>");
    assert!((annotations[0].onset_s - (50.99 - 1.0)).abs() < 1e-9);
}

#[test]
fn every_format_and_deduced_stamps_come_back() {
    let mut writer = XdfWriter::new(Vec::new(), Some("2026-11-20T09:00:00Z")).unwrap();
    let formats = [Format::Double64, Format::Int32, Format::Int64, Format::Float32];
    let ids: Vec<_> =
        formats.iter().map(|f| writer.add_stream(&info(f.name(), "Misc", 1000.0, *f, 3)).unwrap()).collect();
    // More than 255 samples a chunk, and a chunk of more than 65,536 bytes.
    for (id, format) in ids.iter().zip(formats) {
        for first in [0, 9000] {
            let stamp_s = 7.0 + f64::from(first) * 0.001;
            let numbers = (first * 3..(first + 9000) * 3).map(|i| i - 1000);
            match format {
                Format::Double64 => {
                    let v: Vec<f64> = numbers.map(f64::from).collect();
                    writer.regular_samples(*id, stamp_s, Values::Double64(&v)).unwrap();
                }
                Format::Int32 => {
                    let v: Vec<i32> = numbers.collect();
                    writer.regular_samples(*id, stamp_s, Values::Int32(&v)).unwrap();
                }
                Format::Int64 => {
                    let v: Vec<i64> = numbers.map(i64::from).collect();
                    writer.regular_samples(*id, stamp_s, Values::Int64(&v)).unwrap();
                }
                _ => {
                    let v: Vec<f32> = numbers.map(|i| i as f32).collect();
                    writer.regular_samples(*id, stamp_s, Values::Float32(&v)).unwrap();
                }
            }
        }
    }
    let (_folder, path) = file("rec.xdf", &writer.close().unwrap());
    for format in formats {
        let options = OpenOptions { stream: Some(format.name().into()), ..OpenOptions::default() };
        let whole = read(&path, &options, 500).unwrap();
        assert_eq!(whole.stamps_s.len(), 18_000);
        assert!(whole.values.iter().enumerate().all(|(i, v)| *v == i as f64 - 1000.0), "{}", format.name());
        let off = |(i, stamp_s): (usize, &f64)| (stamp_s - 7.0 - i as f64 * 0.001).abs();
        assert!(whole.stamps_s.iter().enumerate().map(off).fold(0.0, f64::max) < 1e-9);
    }
    let names = refusal("rec.xdf", &std::fs::read(&path).unwrap(), &OpenOptions::default());
    assert!(names.contains("several streams") && names.contains("\"int32\""), "{names}");
}

/// A chunk with a length of `width` bytes.
fn chunk(width: u8, tag: u16, content: &[u8]) -> Vec<u8> {
    let mut bytes = vec![width];
    bytes.extend(&(content.len() as u64 + 2).to_le_bytes()[..usize::from(width)]);
    bytes.extend(tag.to_le_bytes());
    bytes.extend(content);
    bytes
}

#[test]
fn files_of_others_with_any_width_of_length_and_small_integers() {
    for (format, size) in [("int16", 2), ("int8", 1)] {
        for width in [1, 4, 8] {
            let header = format!(
                "<?xml version=\"1.0\"?><info><name>b &amp; c</name><type>eeg</type><channel_count>2</channel_count>\
                 <nominal_srate>10.0000</nominal_srate><channel_format>{format}</channel_format></info>"
            );
            // A count, a stamped sample, one that follows it at the nominal rate.
            let mut samples = vec![1, 0, 0, 0, width];
            samples.extend(&2_u64.to_le_bytes()[..usize::from(width)]);
            samples.push(8);
            samples.extend(5.0_f64.to_le_bytes());
            samples.extend([-3_i16, 100].iter().flat_map(|v| v.to_le_bytes()[..size].to_vec()));
            samples.push(0);
            samples.extend([7_i16, -128].iter().flat_map(|v| v.to_le_bytes()[..size].to_vec()));
            let mut bytes = b"XDF:".to_vec();
            bytes.extend(chunk(4, 1, b"<info><version>1.0</version></info>"));
            bytes.extend(chunk(
                if width == 1 { 4 } else { width },
                2,
                &[&[1, 0, 0, 0], header.as_bytes()].concat(),
            ));
            bytes.extend(chunk(width, 3, &samples));
            let (_folder, path) = file("rec.xdf", &bytes);
            let whole = read(&path, &OpenOptions::default(), 5).unwrap();
            assert_eq!(whole.values, [-3.0, 100.0, 7.0, -128.0], "{format}, {width}");
            assert_eq!(whole.stamps_s, [5.0, 5.1]);
            assert_eq!(whole.recording.description().name, "b & c");
            assert_eq!(whole.recording.description().channels[1].label, "2");
            assert!(whole.recording.notes()[0].contains("no clock offsets"));
        }
    }
}

#[test]
fn a_file_of_broken_chunks_is_passed_over_once() {
    let mut bytes = b"XDF:".to_vec();
    // 17 MB: a byte that no chunk begins with, then a boundary, a million times.
    for _ in 0..1_000_000 {
        bytes.push(0);
        bytes.extend(BOUNDARY);
    }
    let started = std::time::Instant::now();
    let error = refusal("rec.xdf", &bytes, &OpenOptions::default());
    assert!(error.contains("nothing"), "{error}");
    // A second as a rule; minutes where each boundary costs a buffer.
    assert!(started.elapsed().as_secs() < 30);
}

#[test]
fn a_boundary_is_found_wherever_the_buffer_ends() {
    for shift in 0..40 {
        let mut bytes = recording(10);
        let whole = recording(20);
        // Nothing that could be a chunk, across the end of the reader's 64 KiB.
        bytes.truncate(bytes.len() - 400);
        bytes.resize(65_536 - shift, 0);
        bytes.extend(BOUNDARY);
        bytes.extend(&whole[4..]);
        let (_folder, path) = file("rec.xdf", &bytes);
        let found = survey(&path).unwrap();
        assert!(found.streams[0].samples >= 200 + 60, "{shift}: {:?}", found.damage);
    }
}

#[test]
fn a_cut_file_loses_its_last_chunk_only() {
    let bytes = recording(30);
    for cut in (200..bytes.len()).step_by(97) {
        let (_folder, path) = file("rec.xdf", &bytes[..cut]);
        match read(&path, &OpenOptions::default(), 64) {
            Ok(whole) => {
                // A chunk of 10 samples is 177 bytes; what stands between chunks is less than 300.
                let least = (cut.saturating_sub(1200) / 230) * 10;
                assert!(whole.stamps_s.len() >= least, "{} of {cut} bytes", whole.stamps_s.len());
                let ordered = whole.values.iter().enumerate().all(|(i, v)| *v == i as f64);
                assert!(ordered, "cut at {cut}");
            }
            Err(error) => assert!(cut < 1200, "{error}"),
        }
    }
}

#[test]
fn a_broken_chunk_costs_the_stretch_to_the_next_boundary() {
    let mut bytes = recording(40);
    let boundaries: Vec<usize> =
        (0..bytes.len() - 16).filter(|at| bytes[*at..*at + 16] == BOUNDARY).collect();
    assert_eq!(boundaries.len(), 4);
    // The length of the chunk behind the first boundary becomes one of 3 bytes.
    bytes[boundaries[0] + 16] = 3;
    let (_folder, path) = file("rec.xdf", &bytes);
    let whole = read(&path, &OpenOptions::default(), 64).unwrap();
    assert_eq!(whole.stamps_s.len(), 300);
    assert_eq!(whole.values[200], 400.0);
    let broken = format!("bytes {} to {}", boundaries[0] + 16, boundaries[1] + 16);
    assert!(
        whole.recording.notes().iter().any(|note| note.contains(&broken)),
        "{:?}",
        whole.recording.notes()
    );
    assert_eq!(whole.recording.samples(), None);
}

#[test]
fn every_refusal_says_what_to_do() {
    let eeg = OpenOptions { stream: Some("other".into()), ..OpenOptions::default() };
    assert!(refusal("rec.xdf", &recording(3), &eeg).contains("\"amp\" (EEG, 2 x float32 at 100 Hz, "));
    assert!(refusal("rec.xdf", b"XDF", &OpenOptions::default()).contains("byte 0"));
    assert!(refusal("rec.xdf", b"XDF:", &OpenOptions::default()).contains("nothing"));
    assert!(refusal("rec.xdfz", b"", &OpenOptions::default()).contains("gunzip"));
    assert!(refusal("rec.docx", b"", &OpenOptions::default()).contains("none of xdf, edf"));
}

#[test]
fn the_writer_refuses_what_would_break_the_file() {
    let mut writer = XdfWriter::new(Vec::new(), None).unwrap();
    assert!(writer.add_stream(&info("a", "EEG", f64::NAN, Format::Float32, 1)).is_err());
    assert!(writer.add_stream(&info("a", "EEG", 1.0, Format::Float32, 0)).is_err());
    let id = writer.add_stream(&info("a", "EEG", 0.0, Format::Float32, 2)).unwrap();
    let wrong = [
        writer.samples(id, &[1.0], Values::Float32(&[1.0])),
        writer.samples(id, &[1.0], Values::Double64(&[1.0, 2.0])),
        writer.samples(id, &[f64::NAN], Values::Float32(&[1.0, 2.0])),
        writer.regular_samples(id, 1.0, Values::Float32(&[1.0, 2.0])),
        writer.clock_offset(id, f64::INFINITY, 0.0),
    ];
    for error in wrong {
        assert!(error.unwrap_err().to_string().contains("stream a"));
    }
    let (_folder, path) = file("rec.xdf", &writer.close().unwrap());
    assert_eq!(survey(&path).unwrap().streams[0].samples, 0);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn damage_is_read_or_refused_never_more(
        cut in prop_oneof![Just(0_usize), 0_usize..6000],
        flips in prop::collection::vec((0_usize..6500, any::<u8>()), 0..12),
    ) {
        let mut bytes = recording(30);
        for (at, byte) in flips {
            if let Some(slot) = bytes.get_mut(at) { *slot = byte; }
        }
        bytes.truncate(bytes.len().saturating_sub(cut));
        let length = bytes.len();
        let (_folder, path) = file("rec.xdf", &bytes);
        if let Ok(whole) = read(&path, &OpenOptions::default(), 50) {
            // A value needs a byte of the file.
            prop_assert!(whole.values.len() <= length);
            prop_assert!(whole.recording.annotations().len() <= length);
        }
    }

    #[test]
    fn any_chunks_are_read_or_refused(
        chunks in prop::collection::vec((0_u8..9, 0_u16..8, prop::collection::vec(any::<u8>(), 0..60)), 0..30)
    ) {
        let mut bytes = recording(10);
        for (width, tag, content) in chunks {
            bytes.push(width);
            let length = content.len() as u64 + 6;
            bytes.extend(&length.to_le_bytes()[..usize::from(width.min(8))]);
            bytes.extend(tag.to_le_bytes());
            bytes.extend([1, 0, 0, 0]);
            bytes.extend(content);
        }
        let (_folder, path) = file("rec.xdf", &bytes);
        let whole = read(&path, &OpenOptions::default(), 50);
        // A second header of the stream does not count, so the first 100 samples are there whatever follows.
        prop_assert!(whole.unwrap().stamps_s.len() >= 100);
    }
}
