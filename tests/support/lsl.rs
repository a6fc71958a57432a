//! LSL on loopback, in a session of this process's own, and peers in Python.

#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests; each uses a part"
)]

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

static SESSION: OnceLock<(Option<tempfile::TempDir>, PathBuf)> = OnceLock::new();
static NEXT: AtomicU32 = AtomicU32::new(1);

/// Writes a configuration that keeps LSL to this machine and to a session that no other test has.
pub fn configure(path: &Path) {
    let id = format!("tras-test-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    let text = format!(
        "[ports]\nIPv6 = disable\n[multicast]\nResolveScope = machine\nAddressesOverride = {{127.0.0.1}}\n\
         TTLOverride = 0\n[lab]\nKnownPeers = {{127.0.0.1}}\nSessionID = {id}\n"
    );
    std::fs::write(path, text).unwrap();
}

/// Keeps this process's LSL to the machine and to itself. Call it first in every test. A process that a test has
/// started stays in the session of that test.
pub fn session() -> &'static Path {
    let (_, path) = SESSION.get_or_init(|| {
        if std::env::var_os("TRAS_TEST_SENDER").is_some() {
            return (None, std::env::var_os("LSLAPICFG").map(PathBuf::from).unwrap_or_default());
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lsl_api.cfg");
        configure(&path);
        // SAFETY: every test begins here, before any LSL call; the harness's other threads wait in get_or_init,
        // so nothing reads the environment meanwhile.
        unsafe { std::env::set_var("LSLAPICFG", &path) };
        (Some(folder), path)
    });
    path
}

/// Starts `tests/peers/<script>` in the session of this process.
pub fn peer(python: &Path, script: &str, args: &[&str]) -> Child {
    let script = crate::root().join("tests/peers").join(script);
    Command::new(python)
        .arg(script)
        .args(args)
        .env("LSLAPICFG", session())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the Python peer starts")
}

/// The JSON on the last line that the peer printed.
pub fn said(child: Child) -> serde_json::Value {
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "the peer failed: {text}\n{errors}");
    let line = text.lines().last().unwrap_or_default();
    serde_json::from_str(line).unwrap_or_else(|error| panic!("{error} in {line:?}\n{errors}"))
}
