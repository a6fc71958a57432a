//! Every file of `configs/` and `tests/valid_configs/` is good; every file of `tests/invalid_configs/` holds the
//! mistakes that its `# expect:` lines name, and no other.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::path::{Path, PathBuf};

use proptest::prelude::*;
use tras::config::{Config, LawName};

fn files(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut files: Vec<_> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
        .collect();
    files.sort();
    assert!(!files.is_empty(), "{}", folder.display());
    files
}

fn read(path: &Path) -> (String, String) {
    (std::fs::read_to_string(path).unwrap(), path.file_name().unwrap().to_str().unwrap().to_owned())
}

#[test]
fn good_files_are_taken_and_survive_being_written_out() {
    for path in files("configs").into_iter().chain(files("tests/valid_configs")) {
        let (text, name) = read(&path);
        let config = Config::from_str(&text, &name).unwrap_or_else(|error| panic!("{error}"));
        let written = config.to_toml();
        let again =
            Config::from_str(&written, "written").unwrap_or_else(|error| panic!("{error}\n{written}"));
        assert_eq!(again.to_toml(), written, "{name}");
        config.check_against_rate(250.0).unwrap_or_else(|error| panic!("{error}"));
    }
}

#[test]
fn each_bad_file_gets_exactly_the_messages_that_it_expects() {
    let mut differ = String::new();
    for path in files("tests/invalid_configs") {
        let (text, name) = read(&path);
        let expected: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("# expect: ")).collect();
        let got = Config::from_str(&text, "FILE").expect_err(&name).to_string();
        if got.lines().collect::<Vec<_>>() != expected {
            differ.push_str(&format!("== {name}\n{got}\n"));
        }
    }
    assert!(differ.is_empty(), "these say something else than they expect:\n{differ}");
}

#[test]
fn the_demo_runs_the_adaptive_law_into_a_simulated_stimulator() {
    let demo = Path::new(env!("CARGO_MANIFEST_DIR")).join("configs/demo.toml");
    let config = tras::cli::check::load(&demo).unwrap();
    assert_eq!(config.controller.law, LawName::Adaptive);
    assert!(config.stimulation.enabled && !config.stimulator.kind.is_real());
}

#[test]
fn defaults_are_those_of_an_empty_file() {
    let empty = Config::from_str("", "empty").unwrap();
    assert_eq!(empty.to_toml(), Config::default().to_toml());
    assert!(!empty.stimulation.enabled);
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let error = tras::cli::check::load(Path::new("no/such.toml")).unwrap_err().to_string();
    assert!(error.starts_with("no/such.toml:1: file: cannot be read"), "{error}");
}

#[test]
fn the_streams_rate_decides_about_range_and_steps() {
    let config = Config::from_str("[estimator]\nrange_hz = [2, 45]\n", "rate.toml").unwrap();
    config.check_against_rate(250.0).unwrap();
    let error = config.check_against_rate(64.0).unwrap_err().to_string();
    assert_eq!(
        error,
        "rate.toml:2: estimator.range_hz: 45 Hz is not below half the stream's rate of 64 Hz; \
         set the upper end below 32 Hz"
    );
    // Whatever whole samples a hop and a step come to at a rate, the estimator finds some that go together.
    let hop = Config::from_str("[estimator]\nhop_s = 0.1\n", "rate.toml").unwrap();
    for rate_hz in [125.0, 128.0, 199.84, 255.7, 256.0, 511.49, 512.0] {
        hop.check_against_rate(rate_hz).unwrap();
        let settings = tras::estimator::window::EstimatorSettings {
            hop_s: 0.1,
            targets: tras::estimator::window::EstimatorSettings::each_channel(["Fz"]),
            ..Default::default()
        };
        let method = tras::estimator::assemble::method(&hop.estimator, &settings, rate_hz).unwrap();
        assert!(
            tras::estimator::window::Estimator::new(settings, rate_hz, 1, method).is_ok(),
            "{rate_hz} Hz"
        );
    }
    let error = hop.check_against_rate(4.0).unwrap_err().to_string();
    assert!(error.contains("a hop of 0.1 s is less than a sample at 4 Hz"), "{error}");
    for rate_hz in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert!(config.check_against_rate(rate_hz).is_err());
    }
}

#[test]
fn one_reading_finds_every_problem() {
    let text = "[limits]\npeak_ma = 9\nslew = 1\n[stimulation]\nramp_up_s = 1\ngap_s = \"x\"\n[recrod]\n";
    let error = Config::from_str(text, "many.toml").unwrap_err();
    let lines: Vec<_> = error.problems.iter().map(|problem| problem.line).collect();
    assert_eq!(lines, [2, 3, 5, 6, 7], "{error}");
}

/// Good lines and bad ones, to be thrown together.
fn any_line() -> impl Strategy<Value = String> {
    let numbers = prop_oneof![
        any::<f64>().prop_map(|number| format!("{number:?}")),
        (-10.0..200.0_f64).prop_map(|number| format!("{number:?}")),
        any::<i64>().prop_map(|number| number.to_string()),
        Just("nan".to_owned()),
        Just("\"x\"".to_owned()),
        Just("[1, 2]".to_owned()),
        Just("true".to_owned()),
        Just("[[".to_owned()),
    ];
    let keys = proptest::sample::select(vec![
        "peak_ma",
        "dc_max_ua",
        "slew_ma_per_ms",
        "blocks",
        "block_s",
        "gap_s",
        "ramp_up_s",
        "exponent",
        "band_hz",
        "active_min",
        "start_kohm",
        "electrode_kohm",
        "enabled",
        "seed",
        "channels",
        "regions",
        "kind",
        "window_s",
        "hop_s",
        "heartbeat_ms",
        "\u{fc}",
    ]);
    let sections = proptest::sample::select(vec![
        "[limits]",
        "[stimulation]",
        "[estimator]",
        "[stimulator]",
        "[controller]",
        "[stream]",
        "[[estimator.regions]]",
    ]);
    prop_oneof![
        3 => (keys, numbers).prop_map(|(key, number)| format!("{key} = {number}")),
        1 => sections.prop_map(str::to_owned),
    ]
}

#[test]
fn what_check_prints_can_be_read_back_and_tells_the_dose() {
    let run = Path::new(env!("CARGO_MANIFEST_DIR")).join("configs/run.toml");
    let config = tras::cli::check::load(&run).unwrap();
    let printed = tras::cli::check::summary(&config);
    Config::from_str(&printed, "printed").unwrap();
    // 7 blocks of 300 s less half of 20 s of ramps, 0.5 mA x 0.2657: 0.270 C.
    for needle in
        ["7 blocks of 300 s", "35.0 min with current (limit 40 min)", "charge about 0.270 C", "0.1662 mA RMS"]
    {
        assert!(printed.contains(needle), "{needle} is missing:\n{printed}");
    }
    assert!((config.outlook().delivers.charge_mc * 1e-3 - 7.0 * 290.0 * 0.5e-3 * 0.2657).abs() < 1e-4);
}

#[test]
fn check_cautions_of_what_was_not_measured_and_of_what_will_be_cut_off() {
    let text = "[stimulation]\nenabled = true\nelectrode_area_cm2 = 35\nblocks = 1\n[stimulator]\nkind = \"audio\"\n\
                device = \"out\"\nchannel = 1\nscale_ma_per_v = 2\nfull_scale_v = 1\nexternal_limits = true\n";
    let text = &format!("[record]\nparticipant = \"P01\"\n{text}");
    let said = |text: &str| tras::cli::check::summary(&Config::from_str(text, "any").unwrap());
    let refused = Config::from_str(text, "any").unwrap_err().to_string();
    assert!(refused.contains("stimulation.electrode_kohm: is missing"), "{refused}");
    let text = &text.replace("blocks", "electrode_kohm = [5.5, 4.8]\nblocks");
    let measured = said(text);
    assert!(measured.contains("electrode_kohm = [5.5, 4.8]") && !measured.contains("cut off"), "{measured}");
    // At 1 Hz steep noise of 0.5 Hz and above needs 1.51 times its current: 0.5 / 1.51.
    let boosted = said(&format!("{text}rolloff_hz = 1.0\n"));
    let advice = boosted.split("set at most ").nth(1).unwrap_or_else(|| panic!("{boosted}"));
    let fitting_ma: f64 = advice.split_whitespace().next().unwrap().parse().unwrap();
    assert!((0.32..0.34).contains(&fitting_ma), "{boosted}");
    let fits = said(
        &format!("{text}rolloff_hz = 1.0\n").replace("blocks", &format!("peak_ma = {fitting_ma}\nblocks")),
    );
    assert!(!fits.contains("cut off"), "{fits}");
    // What is simulated needs nobody's measurement.
    assert!(!said("[stimulation]\nenabled = true\n").contains("electrode_kohm:"));
}

#[test]
fn the_exit_code_tells_whether_the_file_is_good() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let run = |file: &str| {
        tras::cli::check::run(&tras::cli::check::CheckArgs { config: folder.join(file), svg: None })
    };
    assert_eq!(run("configs/monitor.toml"), 0);
    assert_eq!(run("tests/invalid_configs/session_too_long.toml"), 2);
    assert_eq!(run("configs"), 2);
}

#[test]
fn texts_survive_whatever_they_hold() {
    let name = "a \"quoted\" \\ name\twith ünïcode ] [ #";
    let mut config = Config::default();
    config.stream.name = Some(name.to_owned());
    assert_eq!(Config::from_str(&config.to_toml(), "any").unwrap().stream.name.as_deref(), Some(name));
}

#[test]
fn windows_line_ends_and_a_byte_order_mark_keep_the_lines() {
    let error =
        Config::from_str("\u{feff}[limits]\r\n\r\npeak_ma = 9\r\n", "w.toml").unwrap_err().to_string();
    assert!(error.starts_with("w.toml:3: limits.peak_ma: 9 mA is above 1 mA"), "{error}");
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in ".{0,300}") {
        let _ = Config::from_str(&text, "any");
    }

    #[test]
    fn what_is_taken_keeps_every_hard_limit(lines in proptest::collection::vec(any_line(), 0..12)) {
        let Ok(config) = Config::from_str(&lines.join("\n"), "any") else { return Ok(()) };
        let again = Config::from_str(&config.to_toml(), "written").map(|again| again.to_toml());
        prop_assert_eq!(again.ok(), Some(config.to_toml()));
        let (s, l) = (&config.stimulation, &config.limits);
        prop_assert!(s.peak_ma > 0.0 && s.peak_ma <= 1.0 && l.peak_ma > 0.0 && l.peak_ma <= 1.0);
        prop_assert!(l.dc_max_ua <= 20.0 && l.slew_ma_per_ms <= 0.5 && l.net_charge_mc <= 1.0);
        prop_assert!(l.start_kohm <= 20.0 && l.mismatch_kohm <= 6.0);
        prop_assert!(l.total_charge_c <= 4.8 && l.active_min <= 60.0 && l.daily_min <= 60.0 && l.heartbeat_ms <= 250.0);
        prop_assert!((0.0..=3.0).contains(&s.exponent) && s.ramp_up_s >= 5.0 && s.ramp_down_s >= 5.0);
        prop_assert!(s.gap_s >= 30.0 && s.blind_gap_s >= 1.0 && s.band_hz[0] >= 0.1 && s.band_hz[1] <= 640.0);
        if s.enabled {
            let plan = config.outlook().delivers;
            prop_assert!(s.peak_ma <= l.peak_ma && plan.active_s <= 60.0 * l.active_min + 1e-6);
            if let Some([one, other]) = s.electrode_kohm {
                prop_assert!(one.max(other) <= l.start_kohm && (one - other).abs() <= l.mismatch_kohm + 1e-6);
            }
            prop_assert!(plan.charge_mc * 1e-3 <= l.total_charge_c && plan.density_ma_cm2 <= 0.03);
        }
    }

    #[test]
    fn a_peak_is_taken_exactly_up_to_its_hard_limit(peak_ma in -2.0..4.0_f64) {
        let taken = Config::from_str(&format!("[limits]\npeak_ma = {peak_ma:?}"), "any").is_ok();
        prop_assert_eq!(taken, (0.01..=1.0).contains(&peak_ma));
    }
}
