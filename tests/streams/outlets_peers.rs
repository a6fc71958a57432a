//! Our outlets, read by mne-lsl: descriptions, values and stamps arrive as they were pushed.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::io::{BufRead, BufReader, Read};
use tras::estimator::{Contamination, Estimate, Fit, Reason};
use tras::outlets::{OutletError, OutletSettings, Outlets};
use tras_test_support::lsl::{peer, said, session};
use tras_test_support::python;

fn estimate(id: u64, target: usize, stamp_s: f64, exponent: f64) -> Estimate {
    Estimate {
        id,
        target,
        first_sample: 0,
        last_sample: 1000,
        stamp_s,
        segments_used: 7,
        segments_total: 7,
        contamination: if target == 1 { Contamination::Stimulating } else { Contamination::Clean },
        fit: Fit {
            exponent,
            exponent_se: 0.05,
            offset: 1.25,
            r_squared: 0.98,
            mae: 0.02,
            invalid: id.is_multiple_of(2).then_some(Reason::PoorFit),
            ..Fit::failed(Reason::PoorFit)
        },
    }
}

#[test]
fn mne_lsl_reads_all_three() {
    session();
    let Some(python) = python("mne_lsl_reads_all_three") else { return };
    let settings = OutletSettings { prefix: "peer".into(), notes: vec![("session".into(), "s1 <&>".into())] };
    let regions = ["frontal".to_owned(), "Oz".to_owned()];
    let mut outlets = Outlets::open(&settings, &regions, 2000.0).unwrap();
    let mut child = peer(&python, "read_outlets_mne_lsl.py", &["peer", "3"]);
    let mut lines = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    // mne-lsl may say other things before.
    while line.trim() != "ready" {
        line.clear();
        if lines.read_line(&mut line).unwrap() == 0 {
            panic!("the peer ended: {:?}", said(child));
        }
    }
    std::thread::sleep(std::time::Duration::from_millis(200));
    let start_s = tras::clock::now_s();
    for id in 0..10_u64 {
        let stamp_s = start_s + id as f64 * 0.1;
        outlets.push_estimate(&estimate(id, 0, stamp_s, 1.5 + 0.01 * id as f64)).unwrap();
        if id != 4 {
            outlets.push_estimate(&estimate(id, 1, stamp_s, f64::NAN)).unwrap();
        }
        let block: Vec<f32> = (0..200).map(|i| (i as f32 + 200.0 * id as f32) * 1e-3).collect();
        outlets.push_current(stamp_s, &block).unwrap();
        outlets
            .push_event(stamp_s, &format!(r#"{{"event":"current","exponent":1.8,"rms_ma":0.16,"id":{id}}}"#))
            .unwrap();
    }
    outlets.flush_estimates().unwrap();
    let mut rest = String::new();
    lines.read_to_string(&mut rest).unwrap();
    let status = child.wait().unwrap();
    assert!(status.success());
    let said: serde_json::Value = serde_json::from_str(rest.lines().last().unwrap()).unwrap();

    let numbers = |what: &str, key: &str| -> Vec<f64> {
        said[what][key].as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect()
    };
    let estimates = &said["estimates"];
    assert_eq!((estimates["type"].as_str(), estimates["rate"].as_f64()), (Some("Aperiodic"), Some(0.0)));
    let names: Vec<&str> =
        estimates["names"].as_array().unwrap().iter().map(|n| n.as_str().unwrap()).collect();
    assert_eq!(names.len(), 12);
    assert_eq!((names[0], names[5], names[6]), ("frontal.exponent", "frontal.contamination", "Oz.exponent"));
    let rows = estimates["values"].as_array().unwrap();
    assert_eq!(rows.len(), 10, "one row a time");
    assert_eq!(rows[3][0].as_f64(), Some(1.53));
    assert_eq!((rows[3][4].as_f64(), rows[2][4].as_f64()), (Some(1.0), Some(0.0)), "validity");
    assert_eq!((rows[3][5].as_f64(), rows[3][11].as_f64()), (Some(0.0), Some(2.0)), "contamination");
    assert!(rows[3][6].is_null(), "no exponent where there is none");
    assert!(rows[4][9].is_null() && rows[4][10].as_f64() == Some(0.0), "a target left out is not valid");
    assert!(
        numbers("estimates", "stamps")
            .iter()
            .enumerate()
            .all(|(i, s)| (s - start_s - 0.1 * i as f64).abs() < 1e-9)
    );

    let current = &said["current"];
    assert_eq!((current["type"].as_str(), current["rate"].as_f64()), (Some("Stimulation"), Some(2000.0)));
    assert_eq!(current["units"][0].as_str(), Some("milliamperes"));
    let values = current["values"].as_array().unwrap();
    assert_eq!(values.len(), 2000);
    assert!(values.iter().enumerate().all(|(i, v)| (v[0].as_f64().unwrap() - i as f64 * 1e-3).abs() < 1e-6));
    let stamps = numbers("current", "stamps");
    assert!(stamps.iter().enumerate().all(|(i, s)| (s - start_s - i as f64 / 2000.0).abs() < 1e-9));

    let events = &said["events"];
    assert_eq!(events["type"].as_str(), Some("Markers"));
    assert_eq!(events["values"].as_array().unwrap().len(), 10);
    let event: serde_json::Value = serde_json::from_str(events["values"][7][0].as_str().unwrap()).unwrap();
    assert_eq!(event["id"], 7);
    let ids: Vec<&str> =
        ["estimates", "current", "events"].iter().map(|w| said[w]["source_id"].as_str().unwrap()).collect();
    assert!(ids[0].starts_with("peer-estimates@") && ids[0] != ids[1] && ids[1] != ids[2], "{ids:?}");
}

#[test]
fn settings_without_sense_are_refused() {
    session();
    let open = |prefix: &str, regions: &[String], rate_hz: f64, note: &str| {
        let notes = vec![(note.to_owned(), "x".to_owned())];
        Outlets::open(&OutletSettings { prefix: prefix.into(), notes }, regions, rate_hz).err()
    };
    let one = ["Fz".to_owned()];
    for (error, says) in [
        (open("", &one, 2000.0, "a"), "prefix"),
        (open("x", &[], 2000.0, "a"), "no region"),
        (open("x", &one, 0.0, "a"), "positive"),
        (open("x", &one, f64::NAN, "a"), "positive"),
        (open("x", &one, 2000.0, "a b"), "note `a b`"),
    ] {
        assert!(error.unwrap().to_string().contains(says), "{says}");
    }
    let mut outlets =
        Outlets::open(&OutletSettings { prefix: "bad".into(), notes: vec![] }, &one, 10.0).unwrap();
    assert!(matches!(outlets.push_estimate(&estimate(1, 1, 1.0, 1.0)), Err(OutletError::Settings(_))));
}
