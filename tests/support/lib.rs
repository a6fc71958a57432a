//! The workshop of the tests: what several binaries need, once.
#![allow(
    dead_code,
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests; each uses a part"
)]

pub mod alloc;
#[cfg(target_os = "linux")]
pub mod attack;
pub mod audio;
#[cfg(target_os = "linux")]
pub mod children;
#[cfg(target_os = "linux")]
pub mod disk;
#[cfg(target_os = "linux")]
pub mod freeze;
pub mod fuzz;
pub mod lab;
pub mod lsl;
#[cfg(target_os = "linux")]
pub mod network;
pub mod picture;
pub mod reader;
pub mod recordings;
pub mod screen;
pub mod serial;
pub mod sessions;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// The repository.
pub fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

/// The program under test, which cargo builds beside the tests' own folder.
pub fn tras() -> PathBuf {
    let own = std::env::current_exe().unwrap();
    own.parent().and_then(Path::parent).unwrap().join(format!("tras{}", std::env::consts::EXE_SUFFIX))
}

/// Says that `what` is skipped, past libtest and nextest, which keep back what a passing test says: a skipped test must
/// be seen. `make test` counts at the close what stands in the file that `TRAS_SKIPS` names.
pub fn skipped(what: &str, why: &str) {
    let line = format!("skipped: {what}: {why}\n");
    std::io::stderr().write_all(line.as_bytes()).unwrap();
    if let Some(path) = std::env::var_os("TRAS_SKIPS") {
        let file = std::fs::OpenOptions::new().append(true).create(true).open(path);
        file.unwrap().write_all(line.as_bytes()).unwrap();
    }
}

/// Calls `step` every millisecond for so long.
pub fn every_ms(seconds: f64, mut step: impl FnMut()) {
    let until = Instant::now() + Duration::from_secs_f64(seconds);
    while Instant::now() < until {
        step();
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// The Python of the peers; where there is none, says so in the name of `test`. An empty `TRAS_PYTHON` is none.
pub fn python(test: &str) -> Option<PathBuf> {
    let python = std::env::var_os("TRAS_PYTHON").map(PathBuf::from).filter(|path| path.is_file());
    if python.is_none() {
        skipped(test, "no Python peer (set TRAS_PYTHON)");
    }
    python
}
