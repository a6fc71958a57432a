//! An audio output with a current source behind it: a real PulseAudio server with a null sink, whose monitor is
//! heard all the time. What the monitor hears, times the source's scale, is the current.

use std::io::{Error, Read, Result};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::{stage::Instrument, trace::Trace};
use crate::{
    audio_support::{Server, environment, settle},
    lock,
};

/// Frames a second of the sink.
const RATE_HZ: f64 = 48_000.0;
/// Bytes of a frame: two channels.
const FRAME: usize = 8;
/// mA of the source behind the output at digital full scale.
const FULL_MA: f32 = 2.0;
/// A monitor that has said nothing for so long is dead, and what it does not hear is no current.
const DEAD: Duration = Duration::from_millis(400);

/// See the module.
pub(super) struct Sink {
    folder: PathBuf,
    server: Option<Server>,
    monitor: Option<Child>,
    heard: Arc<Mutex<Heard>>,
    /// What has been heard through an earlier monitor belongs to no other.
    generation: u64,
}

struct Heard {
    current_ma: Vec<f32>,
    /// When frame 0 was heard, and when the newest came.
    began: Option<Instant>,
    newest: Instant,
    generation: u64,
}

impl Sink {
    /// Starts a server with one sink `stim`, and listens to it.
    ///
    /// # Errors
    /// PulseAudio is not installed, or does not start within 10 s.
    pub(super) fn start(folder: &Path) -> Result<Self> {
        std::fs::create_dir_all(folder)?;
        settle(folder)?;
        let heard = Heard { current_ma: Vec::new(), began: None, newest: Instant::now(), generation: 0 };
        let mut sink = Self {
            folder: folder.to_owned(),
            server: None,
            monitor: None,
            heard: Arc::new(Mutex::new(heard)),
            generation: 0,
        };
        sink.start_server()?;
        sink.start_monitor()?;
        Ok(sink)
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command
            .envs(environment(&self.folder))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command
    }

    /// Starts the server, also once more after it was killed.
    ///
    /// # Errors
    /// See [`Sink::start`].
    pub(super) fn start_server(&mut self) -> Result<()> {
        let server = Server::start(&self.folder);
        let server =
            server.ok_or_else(|| Error::other("pulseaudio does not start; make hil-setup installs it"))?;
        self.server = Some(server);
        Ok(())
    }

    /// Listens to the sink's monitor from now on.
    ///
    /// # Errors
    /// `parec` is not installed.
    pub(super) fn start_monitor(&mut self) -> Result<()> {
        self.stop_monitor();
        self.pad();
        self.generation += 1;
        lock(&self.heard).generation = self.generation;
        let mut child = self
            .command("parec")
            .args(["-d", "stim.monitor", "--format=float32le", "--rate=48000", "--channels=2", "--raw"])
            .args(["--latency-msec=20"])
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|e| Error::new(e.kind(), format!("parec: {e}; make hil-setup installs it")))?;
        let out = child.stdout.take().ok_or_else(|| Error::other("parec has no output"))?;
        self.monitor = Some(child);
        let (heard, generation) = (Arc::clone(&self.heard), self.generation);
        std::thread::spawn(move || listen(out, &heard, generation));
        Ok(())
    }

    fn stop_monitor(&mut self) {
        if let Some(mut monitor) = self.monitor.take() {
            let _ = monitor.kill();
            let _ = monitor.wait();
        }
    }

    /// Kills the server as a crash would.
    pub(super) fn kill_server(&mut self) {
        drop(self.server.take());
    }

    /// Sends the server a signal.
    pub(super) fn signal_server(&self, signal: i32) {
        if let Some(server) = &self.server {
            // SAFETY: a signal to our own child, which has not been waited for.
            unsafe { libc::kill(server.pid() as i32, signal) };
        }
    }

    /// Takes the sink away, as when its plug is pulled, or brings it back.
    ///
    /// # Errors
    /// `pactl` is not installed.
    pub(super) fn plug(&mut self, there: bool) -> Result<()> {
        let sink = ["sink_name=stim", "rate=48000", "channels=2", "format=float32le"];
        let mut command = self.command("pactl");
        if there {
            command.args(["load-module", "module-null-sink"]).args(sink);
        } else {
            command.args(["unload-module", "module-null-sink"]);
        }
        if command.status()?.success() { Ok(()) } else { Err(Error::other("pactl failed")) }
    }

    /// A monitor that has died hears nothing: zeros up to now.
    fn pad(&self) {
        let mut heard = lock(&self.heard);
        if let Some(began) = heard.began
            && heard.newest.elapsed() > DEAD
        {
            let now = (began.elapsed().as_secs_f64() * RATE_HZ) as usize;
            let length = now.max(heard.current_ma.len());
            heard.current_ma.resize(length, 0.0);
        }
    }
}

fn listen(mut out: impl Read, heard: &Mutex<Heard>, generation: u64) {
    let (mut chunk, mut rest) = ([0; 4_096], Vec::new());
    while let Ok(n) = out.read(&mut chunk) {
        if n == 0 {
            return;
        }
        rest.extend_from_slice(chunk.get(..n).unwrap_or_default());
        let whole = rest.len() / FRAME * FRAME;
        let mut heard = lock(heard);
        if heard.generation != generation {
            return;
        }
        for bytes in rest.get(..whole).unwrap_or_default().chunks_exact(FRAME) {
            // The first channel is the one that carries the current; the second is not looked at.
            let [a, b, c, d, ..] = *bytes else { continue };
            heard.current_ma.push(f32::from_le_bytes([a, b, c, d]) * FULL_MA);
        }
        heard.newest = Instant::now();
        heard.began.get_or_insert_with(Instant::now);
        rest.drain(..whole);
    }
}

impl Instrument for Sink {
    fn section(&self) -> String {
        format!(
            "kind = \"audio\"\ndevice = \"alsa:default\"\nchannel = 1\nscale_ma_per_v = {FULL_MA:.1}\n\
             full_scale_v = 1.0\nexternal_limits = true\nqueue_ms = 200"
        )
    }

    fn environment(&self) -> Vec<(String, String)> {
        environment(&self.folder).map(|(key, value)| (key.to_owned(), value)).into()
    }

    fn trace(&self) -> Trace {
        self.pad();
        Trace { rate_hz: RATE_HZ, current_ma: lock(&self.heard).current_ma.clone() }
    }

    fn mend(&mut self) -> Result<()> {
        let answers = |sink: &Self| sink.command("pactl").arg("info").status().is_ok_and(|s| s.success());
        if !answers(self) {
            self.kill_server();
            self.start_server()?;
        }
        let has_sink = self.command("pactl").args(["get-sink-mute", "stim"]).status()?.success();
        if !has_sink {
            self.plug(true)?;
        }
        if lock(&self.heard).newest.elapsed() > DEAD {
            self.start_monitor()?;
        }
        Ok(())
    }

    fn is_felt(&self) -> bool {
        false
    }

    fn clock(&self) -> Option<f64> {
        None
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.stop_monitor();
        self.kill_server();
    }
}
