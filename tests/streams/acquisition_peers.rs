//! Acquisition from an independent sender: pylsl with its own, newer liblsl (`tests/peers/send_eeg.py`).
//!
//! `TRAS_PYTHON` names the Python of a virtual environment with pylsl and numpy; without it each test says
//! that it is skipped.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use tras::acquisition::frame::Facts;
use tras::acquisition::settings::{AcquisitionSettings, Reference, StreamChoice};
use tras::acquisition::{Poll, Source};
use tras_test_support::lsl::session;
use tras_test_support::reader::{Killed, Reader};

/// Starts a sender and waits until its outlet stands; `None` where there is no Python.
fn pylsl(test: &str, name: &str, more: &[&str]) -> Option<Killed> {
    let python = tras_test_support::python(test)?;
    session();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/peers/send_eeg.py");
    let mut child = Command::new(python)
        .args([script, "--name", name, "--source-id", "peer"])
        .args(more)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line.trim(), "ready");
    Some(Killed(child))
}

fn settings(name: &str) -> AcquisitionSettings {
    let choice = StreamChoice { name: Some(name.to_owned()), ..StreamChoice::default() };
    AcquisitionSettings { choice, ..AcquisitionSettings::default() }
}

#[test]
fn every_format_of_a_newer_sender_arrives() {
    for format in ["float32", "double64", "int32", "int16", "int8", "int64"] {
        let name = format!("peer-{format}");
        let more = ["--format", format, "--labels", "Fp1,Cz,M1,M2", "--unit", "uV"];
        let Some(_peer) = pylsl("every_format_of_a_newer_sender_arrives", &name, &more) else { return };
        let reference = Reference::Channels(vec!["M1".into(), "M2".into()]);
        let channels = vec!["Cz".into(), "Fp1".into()];
        let mut reader =
            Reader::open(&AcquisitionSettings { reference, channels, ..settings(&name) }).unwrap();
        assert_eq!(reader.source.format(), format);
        reader.receive(300);
        // Sines of 50 uV (40 in int8) against the mean of two: the offset of 4,000 is gone.
        assert!(reader.last_uv.iter().all(|v| v.abs() < 170.0), "{format}: {:?}", reader.last_uv);
        assert_eq!(reader.conditioner.counts().gaps, 0);
    }
}

#[test]
fn bursts_with_one_stamp_come_out_even_and_unbroken() {
    let more = ["--chunk", "8-12", "--one-stamp", "--rate", "128"];
    let Some(_peer) = pylsl("bursts_with_one_stamp_come_out_even_and_unbroken", "peer-bursts", &more) else {
        return;
    };
    let mut reader = Reader::open(&settings("peer-bursts")).unwrap();
    reader.receive(128 * 12);
    assert!(
        reader.heads.iter().all(|h| !h.facts.intersects(Facts::BREAKS)),
        "{:?}",
        reader.conditioner.counts()
    );
    assert!(reader.heads[..255].iter().all(|h| h.facts.intersects(Facts::UNSETTLED)));
    let settled: Vec<f64> =
        reader.heads.iter().filter(|h| !h.facts.intersects(Facts::UNSETTLED)).map(|h| h.stamp_s).collect();
    let worst = settled.windows(2).map(|w| ((w[1] - w[0]) * 128.0 - 1.0).abs()).fold(0.0, f64::max);
    assert!(settled.len() > 1200 && worst < 0.25, "spacing off by {worst} of a period");
    let late = settled[512..].windows(2).map(|w| ((w[1] - w[0]) * 128.0 - 1.0).abs()).fold(0.0, f64::max);
    assert!(late < 0.08, "after 6 s spacing off by {late} of a period");
}

#[test]
fn samples_that_were_never_sent_are_counted() {
    let more = ["--drop", "4:123"];
    let Some(_peer) = pylsl("samples_that_were_never_sent_are_counted", "peer-drop", &more) else { return };
    let mut reader = Reader::open(&settings("peer-drop")).unwrap();
    reader.poll_until(15.0, "gap", |r, _| r.conditioner.counts().gaps > 0);
    reader.receive(250);
    assert_eq!((reader.conditioner.counts().lost, reader.conditioner.counts().gaps), (123, 1));
    let gap = reader.heads.iter().position(|h| h.lost_before > 0).unwrap();
    assert!(
        reader.heads[gap].facts.intersects(Facts::GAP)
            && reader.heads[gap + 200].facts.intersects(Facts::UNSETTLED)
    );
}

#[test]
fn a_jump_of_the_senders_clock_is_marked_and_its_raw_stamps_kept() {
    for jump in ["-3.5", "2.25"] {
        let name = format!("peer-jump{jump}");
        let more = ["--jump", &format!("4:{jump}")];
        let test = "a_jump_of_the_senders_clock_is_marked_and_its_raw_stamps_kept";
        let Some(_peer) = pylsl(test, &name, &more) else { return };
        let mut reader = Reader::open(&settings(&name)).unwrap();
        reader.poll_until(15.0, "jump", |r, _| r.conditioner.counts().stamp_jumps > 0);
        reader.receive(100);
        let at = reader.heads.iter().position(|h| h.facts.intersects(Facts::STAMP_JUMP)).unwrap();
        let by_s = reader.heads[at].raw_stamp_s - reader.heads[at - 1].raw_stamp_s;
        assert!((by_s - jump.parse::<f64>().unwrap() - 0.004).abs() < 1e-3, "{by_s}");
        let counts = reader.conditioner.counts();
        assert_eq!((counts.stamp_jumps, counts.gaps, counts.lost), (1, 0, 0));
    }
}

#[test]
fn a_newer_sender_is_lost_and_resumed_too() {
    let test = "a_newer_sender_is_lost_and_resumed_too";
    let Some(mut peer) = pylsl(test, "peer-killed", &[]) else { return };
    let mut reader = Reader::open(&settings("peer-killed")).unwrap();
    for _ in 0..2 {
        reader.receive(100);
        peer.kill();
        let loss = reader.poll_until(5.0, "loss", |_, poll| poll == Poll::Lost);
        assert!(loss.as_millis() < 500, "{loss:?}");
        peer = pylsl(test, "peer-killed", &[]).unwrap();
        reader.poll_until(20.0, "return", |_, poll| poll == Poll::Resumed);
        reader.receive(10);
    }
    assert_eq!(reader.source.description().channels.len(), 4);
}

#[test]
fn text_and_missing_units_of_a_newer_sender_are_refused() {
    let test = "text_and_missing_units_of_a_newer_sender_are_refused";
    for (name, more, told) in
        [("peer-text", ["--format", "string"], "string"), ("peer-unit", ["--unit", ""], "stream.unit")]
    {
        let Some(_peer) = pylsl(test, name, &more) else { return };
        let error = Reader::open(&settings(name)).map(|_| ()).unwrap_err().to_string();
        assert!(error.contains(told), "{error}");
    }
}
