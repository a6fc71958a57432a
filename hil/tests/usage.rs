//! The bench's own command line.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::process::Command;

#[test]
fn what_it_does_not_know_ends_with_2_and_its_usage() {
    for arguments in [&[][..], &["alive"], &["campaign", "image", "tras", "out", "--colour"]] {
        let output = Command::new(env!("CARGO_BIN_EXE_tras-hil")).args(arguments).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
        assert!(said.contains("usage: tras-hil"), "{said}");
    }
}

#[test]
fn an_image_that_is_not_there_is_an_error() {
    let output =
        Command::new(env!("CARGO_BIN_EXE_tras-hil")).args(["alive", "nowhere.elf"]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
}
