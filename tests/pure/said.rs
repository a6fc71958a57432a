//! What a person reads: `--help` of every command and `check` of every shipped configuration, as the program prints
//! them, against `snapshots/`. `make snapshots` writes them anew after a change that is meant; the diff is then read
//! like any other.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Output of the program in the repository's folder, 100 columns wide.
fn said(args: &[&str]) -> String {
    let output = Command::new(tras_test_support::tras())
        .args(args)
        .current_dir(tras_test_support::root())
        .env("COLUMNS", "100")
        .output()
        .unwrap();
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

pub(crate) fn snapshots() -> insta::internals::SettingsBindDropGuard {
    let mut settings = insta::Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind_to_scope()
}

/// The words that stand before two spaces and a text under `Commands:`.
fn commands(help: &str) -> Vec<&str> {
    let listed = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let named = listed.take_while(|line| !line.is_empty()).filter_map(|line| line.strip_prefix("  "));
    named.filter(|line| !line.starts_with(' ')).filter_map(|line| line.split_whitespace().next()).collect()
}

#[test]
fn help_of_every_command() {
    let _guard = snapshots();
    let help = said(&["--help"]);
    let commands = commands(&help);
    assert!(commands.len() > 15 && commands.contains(&"run"), "{commands:?}");
    insta::assert_snapshot!("help", help);
    for command in commands.into_iter().filter(|command| *command != "help") {
        insta::assert_snapshot!(format!("help_{command}"), said(&[command, "--help"]));
    }
}

#[test]
fn check_of_every_shipped_configuration() {
    let _guard = snapshots();
    let mut checked = 0;
    for folder in ["configs", "configs/devices"] {
        for path in files(folder) {
            let stem = path.file_stem().unwrap().to_str().unwrap();
            insta::assert_snapshot!(format!("check_{stem}"), said(&["check", path.to_str().unwrap()]));
            checked += 1;
        }
    }
    assert!(checked >= 8, "{checked} configurations");
}

/// The configurations in `folder` of the repository, by name, as a user would write their paths.
fn files(folder: &str) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = tras_test_support::root()
        .join(folder)
        .read_dir()
        .unwrap()
        .map(|entry| Path::new(folder).join(entry.unwrap().file_name()))
        .filter(|path| path.extension().is_some_and(|kind| kind == "toml"))
        .collect();
    found.sort();
    found
}
