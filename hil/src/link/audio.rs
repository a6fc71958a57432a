//! The audio adapter into a real PulseAudio null sink, and the exponent of what its monitor hears.
//!
//! ALSA reads its configuration from the environment once, so this part runs in a process of its own:
//! `tras-hil link-audio FOLDER SECONDS`, with a home folder and a server that are only its.

use std::io::{Error, Result};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use tras::stimulator::audio::{AudioSettings, AudioStimulator};

use super::exponent::{self, RATE_HZ};
use super::found::Found;
use super::host::{self, Burst, End, PEAK_MA};
use super::judge::{EXPONENTS, Judged, judge};
use super::machine;
use super::rows::RAMPED_S;
use super::thin::thin;
use crate::audio_support::{Capture, RATE_HZ as SINK_HZ, Server, environment, is_installed, settle};

/// mA at digital full scale.
const FULL_MA: f64 = 2.0;
/// Said where there is no server.
pub const SKIPPED: &str =
    "skipped: the audio monitor: no PulseAudio (pulseaudio, pulseaudio-utils, libasound2-plugins)";

/// Runs this part in a process of its own, bursts of so many seconds.
///
/// # Errors
/// It cannot be started.
pub fn spawn(seconds: f64, found: &mut Found) -> Result<()> {
    if !is_installed() {
        println!("{SKIPPED}");
        return Ok(());
    }
    let home = tempfile::tempdir()?;
    settle(home.path())?;
    let mut child = Command::new(std::env::current_exe()?);
    // SAFETY: system calls, which are allowed between fork and exec: a sound server is a program like others.
    unsafe {
        child.pre_exec(|| {
            machine::be_ordinary();
            Ok(())
        });
    }
    let status = child
        .arg("link-audio")
        .arg(found.folder())
        .arg(seconds.to_string())
        .envs(environment(home.path()))
        .status()?;
    found.demand(status.success(), "the audio part, as said above");
    Ok(())
}

/// The process of its own.
///
/// # Errors
/// The server does not start, the output cannot be opened, or an exponent is off.
pub fn run(folder: &Path, seconds: f64) -> Result<()> {
    let home = std::env::var("HOME").map_err(Error::other)?;
    let mut found = Found::at(folder)?;
    let _server = Server::start(Path::new(&home)).ok_or_else(|| Error::other("pulseaudio does not start"))?;
    for chi in EXPONENTS {
        let device = AudioStimulator::at(AudioSettings {
            device: "alsa:default".into(),
            channel: 2,
            rate_hz: None,
            scale_ma_per_v: FULL_MA,
            full_scale_v: 1.0,
            rolloff_hz: None,
            peak_ma: PEAK_MA,
            queue_s: 0.2,
        });
        let capture = Capture::start(Path::new(&home));
        let burst = Burst { exponent: chi, seconds, end: End::Finish };
        let run = host::play(device, vec![burst], false, Instant::now())?;
        let [_, heard] = capture.stop();
        let frames = |s: f64| (s * SINK_HZ) as usize;
        let begin = heard.iter().position(|v| *v != 0.0).unwrap_or(heard.len());
        let end = (begin + frames(seconds)).min(heard.len());
        let part = heard.get(begin + frames(RAMPED_S)..end).unwrap_or_default();
        let scaled: Vec<f32> = part.iter().map(|v| v * FULL_MA as f32).collect();
        let current_ma = thin(&scaled, (SINK_HZ / RATE_HZ) as usize);
        let samples = |s: f64| (s * RATE_HZ) as usize;
        let sent = run.calls.samples_ma.get(samples(RAMPED_S)..samples(seconds)).unwrap_or_default();
        let underruns = run.calls.status.map_or(0, |s| s.underruns);
        let note = run.broken.unwrap_or_else(|| format!("{underruns} underruns"));
        judge(
            Judged { port: "audio", label: "audio monitor", chi, sent, captured: &current_ma, note: &note },
            &mut found,
        )?;
    }
    println!(
        "(straight lines between samples, drawn at 48,000/s, add {:.3} to each by themselves)",
        exponent::steeper_by_straight_lines()
    );
    match found.broken.first() {
        None => Ok(()),
        Some(what) => Err(Error::other(what.clone())),
    }
}
