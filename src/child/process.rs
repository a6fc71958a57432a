//! The parent's side of a child process: started, watched, put away, started again.
//!
//! The child is this very program with a hidden command, its standard input the shared memory, its standard output a
//! pipe on which nothing is ever said: it breaks when the parent dies. Standard error is thrown away: it holds what
//! liblsl prints, and what liblsl prints comes from the network.

use std::{
    fmt, io,
    os::unix::process::CommandExt,
    path::PathBuf,
    process::{Child, ChildStdout, Command, Stdio},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use super::{
    link::{self, Link, Message},
    ring::Reader,
    role::{COMMAND, Death, News, Role},
};
use crate::clock;

/// What the real-time reader of a child's data goes by: one look, no lock.
#[derive(Debug, Default)]
pub struct Pulse {
    up: AtomicBool,
    generation: AtomicU32,
}

impl Pulse {
    /// Whether a child runs.
    #[must_use]
    pub fn is_up(&self) -> bool {
        self.up.load(Ordering::Acquire)
    }

    /// Counts the children that were started: the rings were emptied before each.
    #[must_use]
    pub fn generation(&self) -> u32 {
        self.generation.load(Ordering::Acquire)
    }
}

/// After so many seconds of life a child's earlier deaths are forgotten.
const SOUND_AFTER: Duration = Duration::from_secs(30);
/// The longest pause before a child is started again.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// A child, and what is needed to start it again.
pub struct Supervised {
    role: Role,
    link: Arc<Link>,
    pulse: Arc<Pulse>,
    listener: Reader,
    /// The data ring, where the child writes it.
    data: Option<super::ring::Place>,
    process: Option<(Child, Option<ChildStdout>)>,
    started: Instant,
    /// When to start it again.
    again: Option<Instant>,
    deaths: u32,
    heed: Box<dyn FnMut(Message) + Send>,
}

impl fmt::Debug for Supervised {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Supervised")
            .field("role", &self.role)
            .field("deaths", &self.deaths)
            .finish_non_exhaustive()
    }
}

impl Supervised {
    /// Starts a child with `config`.
    ///
    /// # Errors
    /// The system refuses the memory or the process.
    pub fn start(role: Role, config: &str) -> io::Result<Self> {
        let link = Arc::new(Link::create(config)?);
        let mut child = Self {
            role,
            listener: link.listener(),
            link,
            pulse: Arc::default(),
            data: None,
            process: None,
            started: Instant::now(),
            again: None,
            deaths: 0,
            heed: Box::new(|_| {}),
        };
        child.spawn()?;
        Ok(child)
    }

    /// The shared memory.
    #[must_use]
    pub fn link(&self) -> &Arc<Link> {
        &self.link
    }

    /// Whether it runs, for real-time readers.
    #[must_use]
    pub fn pulse(&self) -> &Arc<Pulse> {
        &self.pulse
    }

    /// What it is for.
    #[must_use]
    pub fn role(&self) -> Role {
        self.role
    }

    /// The ring that the child writes; it is emptied before another child begins.
    pub fn set_data(&mut self, place: super::ring::Place) {
        self.data = Some(place);
    }

    /// What to do with messages from now on.
    pub fn heed(&mut self, heed: impl FnMut(Message) + Send + 'static) {
        self.heed = Box::new(heed);
    }

    /// The next message, within `timeout`: for the time before the child is watched.
    ///
    /// # Errors
    /// The child has ended, or writes nonsense.
    pub fn message(&mut self, timeout: Duration) -> Result<Option<Message>, News> {
        let until = Instant::now() + timeout;
        loop {
            let seen = self.link.seen_of_child();
            match link::hear(&mut self.listener) {
                Ok(Some(message)) => return Ok(Some(message)),
                Ok(None) => {}
                Err(_) => return Err(News::Stuck),
            }
            if let Some(death) = self.has_died() {
                // What it said last counts.
                return match link::hear(&mut self.listener) {
                    Ok(Some(message)) => Ok(Some(message)),
                    _ => Err(News::Died(death)),
                };
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(None);
            }
            self.link.wait_for_child(seen, left.min(Duration::from_millis(50)));
        }
    }

    /// One look, a few dozen times a second: heeds messages, ends a stuck child, starts a dead one again.
    pub fn look(&mut self) -> Option<News> {
        for _ in 0..256 {
            match link::hear(&mut self.listener) {
                Ok(Some(message)) => (self.heed)(message),
                Ok(None) => break,
                Err(_) if self.process.is_some() => return Some(self.put_away(News::Stuck)),
                Err(_) => break,
            }
        }
        if self.process.is_none() {
            if self.again.is_some_and(|at| Instant::now() >= at) {
                self.again = None;
                return match self.spawn() {
                    Ok(()) => Some(News::Restarted),
                    Err(_) => {
                        self.again = Some(Instant::now() + LONGEST_PAUSE);
                        None
                    }
                };
            }
            return None;
        }
        if let Some(death) = self.has_died() {
            return Some(self.put_away(News::Died(death)));
        }
        let began_s = clock::now_s() - self.started.elapsed().as_secs_f64();
        let silent_s = clock::now_s() - self.link.beaten_s().max(began_s);
        if silent_s > self.role.stuck_after_s() {
            return Some(self.put_away(News::Stuck));
        }
        None
    }

    /// Ends it for good.
    pub fn end(&mut self, patience: Duration) {
        self.again = None;
        self.link.stop();
        let until = Instant::now() + patience;
        while self.process.is_some() && self.has_died().is_none() && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(5));
        }
        self.kill();
    }

    fn has_died(&mut self) -> Option<Death> {
        let (process, _) = self.process.as_mut()?;
        match process.try_wait() {
            Ok(None) => None,
            Ok(Some(status)) => {
                use std::os::unix::process::ExitStatusExt;
                Some(status.signal().map_or(Death::Code(status.code().unwrap_or(-1)), Death::Signal))
            }
            Err(_) => Some(Death::Code(-1)),
        }
    }

    fn put_away(&mut self, news: News) -> News {
        self.kill();
        if self.started.elapsed() > SOUND_AFTER {
            self.deaths = 0;
        }
        let pause = Duration::from_millis(50).saturating_mul(1 << self.deaths.min(8)).min(LONGEST_PAUSE);
        self.deaths = self.deaths.saturating_add(1);
        self.again = Some(Instant::now() + pause);
        news
    }

    fn kill(&mut self) {
        self.pulse.up.store(false, Ordering::Release);
        if let Some((mut process, _)) = self.process.take() {
            // It may have ended meanwhile; then there is only its exit code to fetch.
            let _ = process.kill();
            let _ = process.wait();
        }
    }

    fn spawn(&mut self) -> io::Result<()> {
        self.link.reset();
        self.listener = self.link.listener();
        if let Some(data) = &self.data {
            data.reset();
        }
        let mut process = Command::new(program())
            .arg0("tras")
            .args([COMMAND, self.role.name()])
            .stdin(Stdio::from(self.link.fd().try_clone_to_owned()?))
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let pipe = process.stdout.take();
        self.process = Some((process, pipe));
        self.started = Instant::now();
        self.pulse.generation.fetch_add(1, Ordering::AcqRel);
        self.pulse.up.store(true, Ordering::Release);
        Ok(())
    }
}

impl Drop for Supervised {
    fn drop(&mut self) {
        self.kill();
    }
}

static PROGRAM: OnceLock<PathBuf> = OnceLock::new();

/// Another program to start than this one: for tests, which are programs of their own. The first call counts.
pub fn set_program(path: PathBuf) {
    let _ = PROGRAM.set(path);
}

/// This program, even where its file has been replaced meanwhile.
fn program() -> PathBuf {
    PROGRAM.get().cloned().unwrap_or_else(|| PathBuf::from("/proc/self/exe"))
}
