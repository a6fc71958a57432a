//! Every file of `configs/` and `tests/valid_configs/` is good; every file of `tests/invalid_configs/` holds the
//! mistakes that its `# expect:` lines name, and no other.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::path::{Path, PathBuf};

use tras::config::{Config, Law};

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
        let again = Config::from_str(&written, "written").unwrap_or_else(|error| panic!("{error}\n{written}"));
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
    assert_eq!(config.controller.law, Law::Adaptive);
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
