//! The participant: `tras simulate` over LSL, and the volume conductor that brings the current back onto it.
//!
//! The artefact is made from what the head felt, never from what the host says that it sent: the bench
//! publishes the head's current as an LSL stream, and the participant adds it to its electrodes.

use std::io::{Error, Result};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use lsl::{ChannelFormat, ExPushable, StreamInfo, StreamOutlet};

use crate::head::Eye;
use crate::lock;

/// The participant's stream.
pub(super) const STREAM: &str = "hil-eeg";
/// The head's current.
const CURRENT: &str = "hil-current";
/// Ticks a second of the emulated board.
const RATE_HZ: f64 = 2_000.0;

/// Keeps LSL to this machine and this bench, for this process and all that it starts. Call it before any
/// other use of LSL, while the process has one thread.
///
/// # Errors
/// The file cannot be written.
pub(super) fn keep_to_ourselves(folder: &Path) -> Result<PathBuf> {
    let path = folder.join("lsl_api.cfg");
    let text = format!(
        "[multicast]\nResolveScope = machine\nAddressesOverride = {{127.0.0.1}}\nTTLOverride = 0\n\
         [lab]\nKnownPeers = {{127.0.0.1}}\nSessionID = tras-hil-{}\n",
        std::process::id()
    );
    std::fs::write(&path, text)?;
    // SAFETY: the caller has one thread.
    unsafe { std::env::set_var("LSLAPICFG", &path) };
    Ok(path)
}

/// A participant under way.
pub(super) struct Participant(Child);

impl Participant {
    /// Starts it; it goes on until dropped.
    ///
    /// # Errors
    /// The program cannot be started.
    pub(super) fn start(tras: &Path) -> Result<Self> {
        let child = Command::new(tras)
            .args(["simulate", "--name", STREAM, "--channels", "Fz,Cz,Pz,Oz", "--blinks", "0"])
            .args(["--respond-to", CURRENT, "--seed", "7"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|e| Error::new(e.kind(), format!("{}: {e}", tras.display())))?;
        Ok(Self(child))
    }
}

impl Drop for Participant {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Publishes what a head feels, as long as it lives: one stream for all heads, one after another.
pub(super) struct Conductor {
    eye: Arc<Mutex<Option<Eye>>>,
    quit: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Conductor {
    /// Opens the stream.
    #[must_use]
    pub(super) fn start() -> Self {
        let (eye, quit) = (Arc::new(Mutex::new(None)), Arc::new(AtomicBool::new(false)));
        let (eyes, quits) = (Arc::clone(&eye), Arc::clone(&quit));
        // An outlet stays in the thread that opened it.
        let thread = std::thread::spawn(move || {
            if let Err(e) = publish(&eyes, &quits) {
                println!("no artefact on the EEG: {e}");
            }
        });
        Self { eye, quit, thread: Some(thread) }
    }

    /// From now on the participant is this head, or none.
    pub(super) fn turn_to(&self, eye: Option<Eye>) {
        *lock(&self.eye) = eye;
    }
}

fn publish(eye: &Mutex<Option<Eye>>, quit: &AtomicBool) -> std::result::Result<(), lsl::Error> {
    let info = StreamInfo::new(CURRENT, "Current", 1, RATE_HZ, ChannelFormat::Float32, "hil-head")?;
    let outlet = StreamOutlet::new(&info, 0, 30)?;
    let mut from = 0;
    while !quit.load(Ordering::Relaxed) {
        let head = lock(eye).clone();
        let (ticks, count) = head.map_or((Vec::new(), 0), |eye| {
            eye.look(|seen| {
                let new = seen.ticks.get(from..).unwrap_or_default();
                (new.iter().map(|tick| tick.current_ma).collect(), seen.ticks.len())
            })
        });
        from = count;
        let now_s = tras::clock::now_s();
        for (k, current_ma) in ticks.iter().enumerate() {
            let stamp_s = now_s - (ticks.len() - 1 - k) as f64 / RATE_HZ;
            outlet.push_sample_ex(&vec![*current_ma], stamp_s, k + 1 == ticks.len())?;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}

impl Drop for Conductor {
    fn drop(&mut self) {
        self.quit.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
