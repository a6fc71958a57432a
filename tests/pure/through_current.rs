//! `tras estimate --during-current` on recordings of any lab: an EEG with a known exponent, the current as a monitor
//! measured it, and what goes wrong. The recordings are made here, by nothing that the removal has.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::suboptimal_flops, reason = "tests")]

use std::collections::HashMap;
use std::f64::consts::PI;
use std::path::Path;
use std::process::{Command, Output};

use tras::acquisition::Channel;
use tras::acquisition::recording::xdf::format::Format;
use tras::recorder::xdf::{StreamInfo, Values, XdfWriter};

/// Exponent of the EEG that is made.
const EXPONENT: f64 = 1.2;
const EEG_HZ: f64 = 250.0;
const SECONDS: f64 = 100.0;
/// From when on current flows, and how long it ramps up.
const ON_S: f64 = 20.0;
const RAMP_S: f64 = 5.0;
/// The EEG's clock runs so much too slowly, and lies so far from the recorder's.
const DRIFT: f64 = 30e-6;
const EEG_CLOCK_S: f64 = 5_000.0;

/// What is to be wrong.
#[derive(Clone, Debug)]
struct Case {
    monitor_hz: f64,
    /// What its header says.
    nominal_hz: f64,
    name: &'static str,
    unit: &'static str,
    artefact_uv: f64,
    third_order: f64,
    /// The current's clock is off by so much, and no clock offset says so.
    late_s: f64,
    /// A second stream: of the same current, or of another one.
    second: Option<bool>,
    with_current: bool,
    /// Samples of the monitor from..to (in s) are missing.
    hole_s: Option<(f64, f64)>,
}

impl Default for Case {
    fn default() -> Self {
        Self {
            monitor_hz: 1000.0,
            nominal_hz: 1000.0,
            name: "Monitor",
            unit: "mA",
            artefact_uv: 1000.0,
            third_order: 0.0,
            late_s: 0.0,
            second: None,
            with_current: true,
            hole_s: None,
        }
    }
}

struct Random(u64);

impl Random {
    fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
    }

    fn normal(&mut self) -> f64 {
        (-2.0 * self.uniform().ln()).sqrt() * (2.0 * PI * self.uniform()).cos()
    }
}

/// In place, decimation in time; the length is a power of two.
fn fft(re: &mut [f64], im: &mut [f64]) {
    let n = re.len();
    let mut j = 0;
    for i in 1..n {
        let mut bit = n >> 1;
        while j & bit != 0 {
            j ^= bit;
            bit >>= 1;
        }
        j |= bit;
        if i < j {
            re.swap(i, j);
            im.swap(i, j);
        }
    }
    let mut len = 2;
    while len <= n {
        for k in 0..len / 2 {
            let (sin, cos) = (-2.0 * PI * k as f64 / len as f64).sin_cos();
            for start in (0..n).step_by(len) {
                let (a, b) = (start + k, start + k + len / 2);
                let (x, y) = (re[b] * cos - im[b] * sin, re[b] * sin + im[b] * cos);
                (re[b], im[b]) = (re[a] - x, im[a] - y);
                (re[a], im[a]) = (re[a] + x, im[a] + y);
            }
        }
        len *= 2;
    }
}

/// Noise whose power falls as f^-exponent between two frequencies, of unit standard deviation.
fn coloured(n: usize, rate_hz: f64, exponent: f64, band_hz: (f64, f64), random: &mut Random) -> Vec<f64> {
    let len = n.next_power_of_two();
    let (mut re, mut im) = (vec![0.0; len], vec![0.0; len]);
    for k in 1..len / 2 {
        let f = k as f64 * rate_hz / len as f64;
        if (band_hz.0..=band_hz.1).contains(&f) {
            let size = f.powf(-0.5 * exponent);
            (re[k], im[k]) = (size * random.normal(), size * random.normal());
        }
    }
    fft(&mut re, &mut im);
    re.truncate(n);
    let sd = (re.iter().map(|x| x * x).sum::<f64>() / n as f64).sqrt();
    re.iter().map(|x| x / sd).collect()
}

/// `x` at a fractional place, band-limited.
fn between(x: &[f64], place: f64) -> f64 {
    let whole = place.floor() as i64;
    let value = |k: i64| usize::try_from(whole + k).ok().and_then(|i| x.get(i)).copied().unwrap_or(0.0);
    let weight = |k: i64| {
        let d = place - (whole + k) as f64;
        let sinc = if d.abs() < 1e-12 { 1.0 } else { (PI * d).sin() / (PI * d) };
        sinc * (0.5 + 0.5 * (PI * d / 33.0).cos())
    };
    (-32..=32).map(|k| value(k) * weight(k)).sum()
}

fn stream(name: &str, kind: &str, rate_hz: f64, unit: &str) -> StreamInfo {
    StreamInfo {
        name: name.into(),
        kind: kind.into(),
        rate_hz,
        format: Format::Float32,
        channels: vec![Channel { label: "Cz".into(), unit: unit.into(), kind: kind.into() }],
        source_id: name.into(),
        hostname: "lab".into(),
        desc: Vec::new(),
    }
}

/// A current of noise (exponent 1.5) from [`ON_S`] on, in mA.
fn current(rate_hz: f64, random: &mut Random) -> Vec<f64> {
    let n = ((SECONDS + 1.0) * rate_hz) as usize;
    let noise = coloured(n, rate_hz, 1.5, (0.5, 100.0_f64.min(0.4 * rate_hz)), random);
    let ramp = |n: usize| ((n as f64 / rate_hz - ON_S) / RAMP_S).clamp(0.0, 1.0);
    noise.iter().enumerate().map(|(n, x)| (0.15 * x).clamp(-0.5, 0.5) * ramp(n)).collect()
}

fn record(folder: &Path, case: &Case) {
    let mut random = Random(11);
    let delivered = current(case.monitor_hz, &mut random);
    let other = current(case.monitor_hz, &mut random);
    // Skin: a part of the voltage lags behind the current.
    let share = 1.0 - (-2.0 * PI * 8.0 / case.monitor_hz).exp();
    let mut lagging = 0.0;
    let artefact: Vec<f64> = delivered
        .iter()
        .map(|x| {
            lagging += share * (x - lagging);
            let volts = (0.7 * x + 0.3 * lagging) / 0.15;
            case.artefact_uv * (volts + case.third_order * (volts.powi(3) - 3.0 * volts))
        })
        .collect();
    let n = (SECONDS * EEG_HZ) as usize;
    let eeg = coloured(n, EEG_HZ, EXPONENT, (0.3, 124.0), &mut random);
    let recorded: Vec<f32> = (0..n)
        .map(|k| {
            let true_s = k as f64 / EEG_HZ * (1.0 + DRIFT);
            let seen = between(&artefact, (true_s - 0.0123) * case.monitor_hz);
            ((12.0 * eeg[k] + seen) * 20.0).round() as f32 / 20.0
        })
        .collect();

    let mut writer = XdfWriter::new(Vec::new(), None).unwrap();
    let amplifier = writer.add_stream(&stream("amplifier", "EEG", EEG_HZ, "uV")).unwrap();
    let mut monitors = Vec::new();
    if case.with_current {
        let id = writer.add_stream(&stream(case.name, "Aux", case.nominal_hz, case.unit)).unwrap();
        monitors.push((id, &delivered));
    }
    if let Some(same) = case.second {
        let id = writer.add_stream(&stream("Second", "Aux", case.monitor_hz, "mA")).unwrap();
        monitors.push((id, if same { &delivered } else { &other }));
    }
    let eeg_s = |k: usize| k as f64 / EEG_HZ - EEG_CLOCK_S;
    for second in 0..SECONDS as usize {
        let span = (second as f64 * EEG_HZ) as usize..((second + 1) as f64 * EEG_HZ) as usize;
        let stamps_s: Vec<f64> = span.clone().map(eeg_s).collect();
        writer.samples(amplifier, &stamps_s, Values::Float32(&recorded[span])).unwrap();
        for (id, values) in &monitors {
            let span =
                (second as f64 * case.monitor_hz) as usize..((second + 1) as f64 * case.monitor_hz) as usize;
            let kept: Vec<(f64, f32)> = span
                .map(|k| (k as f64 / case.monitor_hz + case.late_s, values[k] as f32))
                .filter(|(s, _)| case.hole_s.is_none_or(|(from_s, to_s)| !(from_s..to_s).contains(s)))
                .collect();
            let (stamps_s, values): (Vec<f64>, Vec<f32>) = kept.into_iter().unzip();
            if !values.is_empty() {
                writer.samples(*id, &stamps_s, Values::Float32(&values)).unwrap();
            }
        }
        if second % 5 == 0 {
            let own_s = eeg_s(second * EEG_HZ as usize);
            let true_s = second as f64 * (1.0 + DRIFT);
            writer.clock_offset(amplifier, own_s, true_s - own_s).unwrap();
            monitors.iter().for_each(|(id, _)| writer.clock_offset(*id, second as f64, 0.0).unwrap());
        }
    }
    std::fs::write(folder.join("rec.xdf"), writer.close().unwrap()).unwrap();
}

type Rows = Vec<HashMap<String, String>>;

fn estimate(case: &Case, more: &[&str]) -> (Rows, String, String) {
    let folder = tempfile::tempdir().unwrap();
    record(folder.path(), case);
    let fixed =
        ["estimate", "rec.xdf", "--method", "whittle", "--window", "4", "--hop", "2", "--out", "est.csv"];
    let output: Output = Command::new(tras_test_support::tras())
        .current_dir(folder.path())
        .args(fixed)
        .args(more)
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{told}");
    let mut reader = csv::Reader::from_path(folder.path().join("est.csv")).unwrap();
    let header = reader.headers().unwrap().iter().collect::<Vec<_>>().join(",");
    (reader.deserialize().map(|row| row.unwrap()).collect(), told, header)
}

fn number(row: &HashMap<String, String>, column: &str) -> f64 {
    row[column].parse().unwrap_or(f64::NAN)
}

/// Rows of windows that lie wholly in the full current, the path having had time to be learnt. The last ends before the
/// current that would clean it.
fn under(rows: &Rows) -> Vec<&HashMap<String, String>> {
    let within = ON_S + RAMP_S + 20.0..SECONDS - 1.0;
    rows.iter().filter(|row| within.contains(&number(row, "time"))).collect()
}

fn share_valid(rows: &[&HashMap<String, String>]) -> f64 {
    rows.iter().filter(|row| row["valid"] == "true").count() as f64 / rows.len() as f64
}

/// By how much the valid ones are off, in the mean, from the same windows of the same EEG without any current.
fn bias(rows: &[&HashMap<String, String>], case: &Case) -> f64 {
    let (alone, ..) =
        estimate(&Case { artefact_uv: 0.0, hole_s: None, ..case.clone() }, &["--during-current", "hide"]);
    let of = |row: &HashMap<String, String>| {
        let same = alone.iter().find(|other| other["time"] == row["time"])?;
        Some(number(row, "exponent") - number(same, "exponent"))
    };
    let valid: Vec<f64> =
        rows.iter().filter(|row| row["valid"] == "true").filter_map(|row| of(row)).collect();
    assert!(valid.len() > 3, "{} windows to compare", valid.len());
    valid.iter().sum::<f64>() / valid.len() as f64
}

#[test]
fn an_exponent_under_current_is_that_of_the_eeg_and_proven() {
    let (rows, told, header) = estimate(&Case::default(), &["--during-current", "show"]);
    assert!(
        header.ends_with(
            ",floor_uv,pivot_offset,through_current,linearity_p,residual_coherence,modulation_p,removed_db"
        ),
        "{header}"
    );
    let before: Vec<_> = rows.iter().filter(|row| number(row, "time") < ON_S).collect();
    assert!(before.iter().all(|row| row["through_current"] == "false" && row["removed_db"].is_empty()));
    let during = under(&rows);
    assert!(
        during.len() > 20 && during.iter().all(|row| row["through_current"] == "true"),
        "{}",
        during.len()
    );
    assert!(share_valid(&during) > 0.8, "{} {told}", share_valid(&during));
    let bias = bias(&during, &Case::default());
    assert!(bias.abs() < 0.04, "{bias}");
    let removed = number(during[5], "removed_db");
    assert!((20.0..50.0).contains(&removed), "{removed}");
    // Without the removal there is nothing to say of the same windows.
    let (hidden, _, header) = estimate(&Case::default(), &["--during-current", "hide"]);
    assert!(header.ends_with(",removed_db"), "{header}");
    let hidden = under(&hidden);
    assert!(hidden.iter().all(|row| row["valid"] == "false" && row["reason"] == "under current"));
}

#[test]
fn a_monitor_of_another_rate_or_with_a_hole_is_used_as_far_as_it_goes() {
    let case = Case { monitor_hz: 512.0, nominal_hz: 512.0, hole_s: Some((60.0, 60.2)), ..Case::default() };
    let (rows, told, _) = estimate(&case, &["--during-current", "show", "--current", "Monitor"]);
    let during = under(&rows);
    let across: Vec<_> =
        during.iter().copied().filter(|r| (60.0..64.0).contains(&number(r, "time"))).collect();
    assert!(!across.is_empty() && share_valid(&across) == 0.0, "{across:?}");
    let before: Vec<_> = during.iter().copied().filter(|r| number(r, "time") < 60.0).collect();
    assert!(share_valid(&before) > 0.7, "{} {told}", share_valid(&before));
    let bias = bias(&before, &case);
    assert!(bias.abs() < 0.08, "{bias}");
}

#[test]
fn a_path_that_is_not_linear_is_not_valid() {
    let case = Case { third_order: 1e-2, ..Case::default() };
    let (rows, _, _) = estimate(&case, &["--during-current", "show"]);
    let during = under(&rows);
    assert!(share_valid(&during) < 0.05, "{}", share_valid(&during));
    assert!(during.iter().filter(|row| row["reason"] == "path not linear").count() > during.len() / 2);
}

#[test]
fn what_cannot_be_believed_is_told_and_shown_at_most() {
    let show = ["--during-current", "show"];
    let named = ["--during-current", "show", "--current", "Monitor"];
    // What is wrong, what is told, whether windows without current stay valid.
    let cases = [
        (
            Case { with_current: false, ..Case::default() },
            &show[..],
            "no stream says to hold the current",
            false,
        ),
        (Case { second: Some(true), ..Case::default() }, &show[..], "name the one that was measured", false),
        (Case { second: Some(false), ..Case::default() }, &named[..], "two stimulators", true),
        (Case { name: "Commanded current", ..Case::default() }, &show[..], "was asked for", true),
        (Case { unit: "uA", ..Case::default() }, &show[..], "not in mA", true),
        (Case { unit: "V", ..Case::default() }, &named[..], "not in mA", true),
        (Case { nominal_hz: 1030.0, ..Case::default() }, &show[..], "says 1030 Hz of itself", true),
        (Case { nominal_hz: 500.0, ..Case::default() }, &show[..], "says 500 Hz of itself", true),
        (Case { late_s: 7_000.0, ..Case::default() }, &show[..], "do not overlap in time", false),
    ];
    for (case, options, sentence, clean_stay) in cases {
        let (rows, told, header) = estimate(&case, options);
        assert!(told.contains(sentence), "{case:?}: {told}");
        assert!(header.ends_with(",removed_db"), "{header}");
        let during = under(&rows);
        assert!(!during.is_empty() && share_valid(&during) == 0.0, "{case:?}: {told}");
        assert!(during.iter().all(|row| !row["reason"].is_empty()), "{case:?}");
        let before: Vec<_> = rows.iter().filter(|row| number(row, "time") < ON_S).collect();
        assert_eq!(share_valid(&before) > 0.5, clean_stay, "{case:?}: {told}");
    }
}

#[test]
fn a_second_account_of_the_same_current_is_no_second_stimulator() {
    let case = Case { second: Some(true), ..Case::default() };
    let (rows, told, _) = estimate(&case, &["--during-current", "show", "--current", "Monitor"]);
    assert!(share_valid(&under(&rows)) > 0.8, "{told}");
}

#[test]
fn options_that_do_not_fit_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    record(folder.path(), &Case::default());
    let run = |more: &[&str]| {
        Command::new(tras_test_support::tras())
            .current_dir(folder.path())
            .args(["estimate", "rec.xdf"])
            .args(more)
            .output()
            .unwrap()
    };
    assert_eq!(run(&["--current", "Monitor"]).status.code(), Some(2));
    assert_eq!(run(&["--during-current", "steer"]).status.code(), Some(2));
    let output = run(&["--during-current", "show", "--current", "Moniter"]);
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        told.contains("no stream of numbers with a channel in mA has that name") && told.contains("Monitor"),
        "{told}"
    );
}
