//! What a person reads, held as it is: `--help` of every command, `check` of the configurations at hand, the screen.
//!
//! A change shows as a difference; `cargo insta review`, or `INSTA_UPDATE=always cargo test --test pure snapshots`, takes it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::process::Command;

use tras::config::Config;

fn said(arguments: &[&str]) -> String {
    let output =
        Command::new(tras_test_support::tras()).args(arguments).env("COLUMNS", "100").output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn help() {
    let commands = [
        "run",
        "demo",
        "monitor",
        "simulate",
        "replay",
        "estimate",
        "fit",
        "noise",
        "devices",
        "calibrate",
        "check",
    ];
    insta::assert_snapshot!("help", said(&["--help"]));
    for command in commands {
        insta::assert_snapshot!(format!("help-{command}"), said(&[command, "--help"]));
    }
}

#[test]
fn check() {
    for name in ["run", "demo", "monitor"] {
        let path = tras_test_support::root().join(format!("configs/{name}.toml"));
        let config = Config::from_str(&std::fs::read_to_string(path).unwrap(), name).unwrap();
        insta::assert_snapshot!(format!("check-{name}"), tras::cli::check::summary(&config));
    }
}
