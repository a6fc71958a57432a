//! `tras run` as a person starts it, and what that person gets to read.

use std::io::{BufRead, BufReader, Read, Result};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::lock;

/// A line on the terminal, and when it came.
pub(super) type Told = (Instant, String);

/// A session under way.
pub(super) struct Session {
    child: Child,
    told: Arc<Mutex<Vec<Told>>>,
    readers: Vec<JoinHandle<()>>,
    ended: Option<ExitStatus>,
}

impl Session {
    /// Starts `tras run` on a configuration with more `arguments`; `environment` over this process's own.
    ///
    /// # Errors
    /// The program cannot be started or the folder not be written.
    pub(super) fn start(
        tras: &Path,
        folder: &Path,
        config: &str,
        arguments: &[&str],
        environment: &[(&str, &str)],
    ) -> Result<Self> {
        std::fs::create_dir_all(folder)?;
        let file = folder.join("session.toml");
        std::fs::write(&file, config)?;
        let mut child = Command::new(tras)
            .args(["run", "--headless", "--json", "-c"])
            .arg(&file)
            .args(arguments)
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let told = Arc::default();
        let out = child.stdout.take().map(|out| listen(out, Arc::clone(&told)));
        let err = child.stderr.take().map(|err| listen(err, Arc::clone(&told)));
        Ok(Self { child, told, readers: out.into_iter().chain(err).collect(), ended: None })
    }

    /// The process.
    #[must_use]
    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal.
    pub(super) fn signal(&self, signal: i32) {
        // SAFETY: a signal to our own child, which has not been waited for.
        unsafe { libc::kill(self.child.id() as i32, signal) };
    }

    /// Whether it still runs.
    pub(super) fn runs(&mut self) -> bool {
        self.ended.is_none() && self.child.try_wait().is_ok_and(|status| status.is_none())
    }

    /// Waits for its end, and kills it after `patience`.
    pub(super) fn end(&mut self, patience: Duration) -> Option<ExitStatus> {
        let until = Instant::now() + patience;
        while self.ended.is_none() {
            match self.child.try_wait() {
                Ok(Some(status)) => self.ended = Some(status),
                Ok(None) if Instant::now() < until => std::thread::sleep(Duration::from_millis(20)),
                _ => {
                    let _ = self.child.kill();
                    self.ended = self.child.wait().ok();
                    break;
                }
            }
        }
        self.readers.drain(..).for_each(|reader| drop(reader.join()));
        self.ended
    }

    /// Everything that was printed so far.
    #[must_use]
    pub(super) fn told(&self) -> Vec<Told> {
        lock(&self.told).clone()
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.signal(libc::SIGCONT);
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn listen(stream: impl Read + Send + 'static, told: Arc<Mutex<Vec<Told>>>) -> JoinHandle<()> {
    std::thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(std::result::Result::ok) {
            lock(&told).push((Instant::now(), line));
        }
    })
}

/// What an operator reads of a fault first, with the seconds since `fault`: a fault, a reason why the current
/// ended, or a refusal.
#[must_use]
pub(super) fn first_word(told: &[Told], fault: Instant) -> Option<(f64, String)> {
    let names_it = |line: &str| {
        let refusal = line.starts_with("tras: ") && line.contains("stimulator");
        line.contains(" s FAULT ") || line.contains(" s current ended: ") || refusal
    };
    told.iter()
        .find(|(at, line)| *at >= fault && names_it(line))
        .map(|(at, line)| ((*at - fault).as_secs_f64(), line.clone()))
}

/// The recording of a session: the newest `session.xdf` below `folder`.
#[must_use]
pub(super) fn recording(folder: &Path) -> Option<PathBuf> {
    let runs = std::fs::read_dir(folder).ok()?.filter_map(std::result::Result::ok);
    runs.map(|run| run.path().join("session.xdf")).filter(|path| path.exists()).max()
}

/// The faults of the closing summary.
#[must_use]
pub(super) fn faults(told: &[Told]) -> Vec<String> {
    let summary = told.iter().rev().find(|(_, line)| line.starts_with('{'));
    let json: serde_json::Value =
        summary.and_then(|(_, line)| serde_json::from_str(line).ok()).unwrap_or_default();
    let faults = json.get("faults").and_then(|faults| faults.as_array());
    faults.into_iter().flatten().filter_map(|fault| fault.as_str()).map(str::to_owned).collect()
}
