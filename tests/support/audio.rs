//! A real PulseAudio server with a null sink, for this test alone, and what its monitor hears. An idle
//! null sink takes up to 2 s for its first buffer.
//!
//! ALSA reads its configuration from the environment once, so every case runs in a process of its own: the test
//! starts the server and then itself, with the name of the case.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, dead_code, reason = "tests")]

use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// Frames a second of the sink.
pub const RATE_HZ: f64 = 48_000.0;
const CASE: &str = "TRAS_AUDIO_CASE";
const DIR: &str = "TRAS_AUDIO_DIR";

/// A server with one sink `stim`.
pub struct Server(Child);

impl Server {
    pub fn start(dir: &Path) -> Option<Self> {
        // What a killed one has left behind would be taken for the new one's.
        let _ = std::fs::remove_file(dir.join("pulse.sock"));
        let socket = format!("socket={}/pulse.sock", dir.display());
        let child = Command::new("pulseaudio")
            .args(["-n", "--daemonize=no", "--exit-idle-time=-1", "--log-level=error", "--use-pid-file=no"])
            .args(["-L", &format!("module-native-protocol-unix auth-anonymous=1 {socket}")])
            .args(["-L", "module-null-sink sink_name=stim rate=48000 channels=2 format=float32le"])
            .envs(environment(dir))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        let server = Self(child);
        let began = Instant::now();
        while !dir.join("pulse.sock").exists() {
            if began.elapsed() > Duration::from_secs(10) {
                return None;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        std::thread::sleep(Duration::from_millis(300));
        Some(server)
    }

    pub fn pid(&self) -> u32 {
        self.0.id()
    }

    pub fn kill(mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Whether there is a server, and something that hears it.
pub fn is_installed() -> bool {
    ["pulseaudio", "parec"].iter().all(|tool| {
        let found = Command::new(tool).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
        found.is_ok_and(|status| status.success())
    })
}

/// Makes `dir` the home of programs whose default output is the server's sink.
pub fn settle(dir: &Path) -> std::io::Result<()> {
    let pcm = "pcm.!default { type pulse hint { show on description \"Test sink\" } }\nctl.!default { type pulse }\n";
    std::fs::write(dir.join(".asoundrc"), pcm)
}

/// What such a program, and the server, need in their environment.
pub fn environment(dir: &Path) -> [(&'static str, String); 3] {
    let home = dir.display().to_string();
    let server = format!("unix:{home}/pulse.sock");
    [("HOME", home.clone()), ("XDG_RUNTIME_DIR", home), ("PULSE_SERVER", server)]
}

/// The folder of the case, if this process is one.
pub fn case() -> Option<(String, PathBuf)> {
    Some((std::env::var(CASE).ok()?, std::env::var(DIR).ok()?.into()))
}

/// Runs one case of `test` in a process with an audio configuration of its own; the case starts the server.
pub fn run(test: &str, case: &str) {
    if !is_installed() {
        crate::skipped(case, "no PulseAudio");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    settle(dir.path()).unwrap();
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture", "--test-threads=1"])
        .env(CASE, case)
        .env(DIR, dir.path())
        .envs(environment(dir.path()))
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    for line in text.lines().filter(|line| line.contains(&format!("{case}:"))) {
        println!("{line}");
    }
    assert!(output.status.success(), "{case}:\n{text}\n{}", String::from_utf8_lossy(&output.stderr));
}

/// What the sink's monitor hears, into a file.
pub struct Capture {
    child: Child,
    file: PathBuf,
}

impl Capture {
    pub fn start(dir: &Path) -> Self {
        let file = dir.join("captured.f32");
        let child = Command::new("parec")
            .args([
                "-d",
                "stim.monitor",
                "--format=float32le",
                "--rate=48000",
                "--channels=2",
                "--latency-msec=20",
            ])
            .arg("--raw")
            .stdout(std::fs::File::create(&file).unwrap())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self { child, file }
    }

    /// Frames heard so far.
    pub fn heard(&self) -> usize {
        std::fs::metadata(&self.file).unwrap().len() as usize / 8
    }

    /// The second channel, since the start.
    pub fn second(&self) -> Vec<f32> {
        let bytes = std::fs::read(&self.file).unwrap();
        let frames = bytes.chunks_exact(8);
        frames.map(|frame| f32::from_le_bytes([frame[4], frame[5], frame[6], frame[7]])).collect()
    }

    /// Both channels, since the start.
    pub fn stop(mut self) -> [Vec<f32>; 2] {
        std::thread::sleep(Duration::from_millis(200));
        let _ = self.child.kill();
        let _ = self.child.wait();
        let bytes = std::fs::read(&self.file).unwrap();
        let values: Vec<f32> =
            bytes.chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect();
        [0, 1].map(|at| values.iter().skip(at).step_by(2).copied().collect())
    }
}

pub fn rms(values: &[f32]) -> f64 {
    (values.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>() / values.len().max(1) as f64).sqrt()
}
