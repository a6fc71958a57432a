//! Whether the recording is healthy, for those who act on it: the screen, and a session that begins no block without.
//!
//! A thread that waits for the disk cannot itself tell that it waits. The record thread beats, tells what was refused and
//! when the disk last answered; whoever looks sees the refusal, or that either has stopped. No real-time thread comes here.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// A disk that has not answered for so long has stalled: a healthy one takes milliseconds, a beat comes every half second.
pub const STALLED_AFTER_S: f64 = 3.0;
/// Seconds between two beats, at most.
const BEAT_S: f64 = 0.5;
/// With less room than this a recording is warned of: some 3 min of 64 channels at 1 kHz.
pub const LOW_BYTES: u64 = 64 << 20;
/// `free` where it is not known.
const UNKNOWN: u64 = u64::MAX;

/// How a recording is.
#[derive(Clone, Debug, PartialEq)]
pub enum Health {
    /// Everything gets to the file.
    Healthy,
    /// The disk refuses, or the file is gone. What waits is tried again twice a second, up to 64 MiB.
    Failing {
        /// When it began, on the run's clock.
        since_s: f64,
        /// What the system says.
        what: String,
        /// Free bytes where the file is, as last known.
        free: Option<u64>,
    },
    /// The disk does not answer.
    Stalled {
        /// Since when, on the run's clock.
        since_s: f64,
        /// Free bytes where the file is, as last known.
        free: Option<u64>,
    },
}

impl Health {
    /// Whether a block may begin.
    #[must_use]
    pub fn is_good(&self) -> bool {
        *self == Self::Healthy
    }

    /// Since when it is not good, on the run's clock.
    #[must_use]
    pub fn bad_since_s(&self) -> Option<f64> {
        match self {
            Self::Healthy => None,
            Self::Failing { since_s, .. } | Self::Stalled { since_s, .. } => Some(*since_s),
        }
    }
}

impl fmt::Display for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Healthy => f.write_str("the recording is healthy"),
            Self::Failing { what, free, .. } => write!(f, "the recording FAILS: {what}{}", room(*free)),
            Self::Stalled { free, .. } => {
                write!(
                    f,
                    "the recording has STALLED: the disk has not answered for {STALLED_AFTER_S} s{}",
                    room(*free)
                )
            }
        }
    }
}

fn room(free: Option<u64>) -> String {
    free.map_or_else(String::new, |bytes| format!(" ({:.1} MB free there)", bytes as f64 * 1e-6))
}

/// The recording's pulse, shared by the record thread and those who look.
#[derive(Debug)]
pub struct Pulse {
    folder: PathBuf,
    /// Bits of an `f64`, as the next.
    beat_s: AtomicU64,
    answered_s: AtomicU64,
    free: AtomicU64,
    /// Held for an assignment, never while the disk is waited for.
    trouble: Mutex<Option<(f64, String)>>,
}

impl Pulse {
    /// Of a recording that begins now in `folder`.
    #[must_use]
    pub fn new(folder: &Path, now_s: f64) -> Self {
        let pulse = Self {
            folder: folder.to_owned(),
            beat_s: AtomicU64::new(now_s.to_bits()),
            answered_s: AtomicU64::new(now_s.to_bits()),
            free: AtomicU64::new(UNKNOWN),
            trouble: Mutex::new(None),
        };
        pulse.measure_room();
        pulse
    }

    /// The record thread goes round: to be called at each of its turns, at least twice a second.
    pub fn beat(&self, now_s: f64) {
        self.beat_s.store(now_s.to_bits(), Ordering::Relaxed);
    }

    /// The disk was last at rest, or did what it was asked for, at `at_s`: to be called with every beat.
    pub fn disk_answered(&self, at_s: f64) {
        self.answered_s.store(at_s.to_bits(), Ordering::Relaxed);
    }

    /// Asks how much room there is. Waits for the disk: for the record thread alone.
    pub fn measure_room(&self) {
        self.free.store(free_bytes(&self.folder).unwrap_or(UNKNOWN), Ordering::Relaxed);
    }

    /// Something was refused.
    pub fn failing(&self, now_s: f64, what: &str) {
        let mut trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        let since_s = trouble.as_ref().map_or(now_s, |(since_s, _)| *since_s);
        *trouble = Some((since_s, what.to_owned()));
    }

    /// Everything that waited is in the file.
    pub fn well(&self) {
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Free bytes where the recording is, as last known.
    #[must_use]
    pub fn free(&self) -> Option<u64> {
        Some(self.free.load(Ordering::Relaxed)).filter(|free| *free != UNKNOWN)
    }

    /// How the recording is now.
    #[must_use]
    pub fn look(&self, now_s: f64) -> Health {
        let beat_s = f64::from_bits(self.beat_s.load(Ordering::Relaxed));
        let answered_s = f64::from_bits(self.answered_s.load(Ordering::Relaxed));
        let free = self.free();
        // `answered_s` comes with a beat, half a second apart.
        if now_s - beat_s > STALLED_AFTER_S || now_s - answered_s > STALLED_AFTER_S + BEAT_S {
            return Health::Stalled { since_s: beat_s.min(answered_s), free };
        }
        match &*self.trouble.lock().unwrap_or_else(PoisonError::into_inner) {
            None => Health::Healthy,
            Some((since_s, what)) => Health::Failing { since_s: *since_s, what: what.clone(), free },
        }
    }
}

/// Bytes that this user may still write where `folder` is.
#[cfg(unix)]
#[must_use]
pub fn free_bytes(folder: &Path) -> Option<u64> {
    use std::os::unix::ffi::OsStrExt;
    let path = std::ffi::CString::new(folder.as_os_str().as_bytes()).ok()?;
    let mut found = std::mem::MaybeUninit::<libc::statvfs>::zeroed();
    // SAFETY: `path` ends with a 0 and `found` has room for what is asked; it is read only where the call succeeded.
    let found = unsafe {
        if libc::statvfs(path.as_ptr(), found.as_mut_ptr()) != 0 {
            return None;
        }
        found.assume_init()
    };
    #[allow(clippy::unnecessary_cast, reason = "these have other types elsewhere")]
    Some(found.f_bavail as u64 * found.f_frsize as u64)
}

/// Bytes that this user may still write where `folder` is.
#[cfg(not(unix))]
#[must_use]
pub fn free_bytes(_folder: &Path) -> Option<u64> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_told_until_it_is_over() {
        let pulse = Pulse::new(Path::new("/"), 10.0);
        assert!(pulse.look(10.5).is_good());
        pulse.failing(11.0, "No space left on device");
        pulse.failing(12.0, "No space left on device");
        let health = pulse.look(12.0);
        assert_eq!(health.bad_since_s(), Some(11.0));
        let words = health.to_string();
        assert!(words.contains("FAILS: No space left") && words.contains("MB free"), "{words}");
        pulse.well();
        assert!(pulse.look(12.5).is_good());
    }

    #[test]
    fn a_disk_that_does_not_answer_is_told_by_the_beat_that_stopped() {
        let pulse = Pulse::new(Path::new("/"), 10.0);
        pulse.beat(20.0);
        pulse.disk_answered(20.0);
        assert!(pulse.look(22.9).is_good());
        let health = pulse.look(23.1);
        assert!(health.to_string().contains("STALLED"), "{health}");
        assert_eq!(health.bad_since_s(), Some(20.0));
        pulse.beat(50.0);
        assert!(!pulse.look(50.1).is_good(), "written, but not on the disk");
        pulse.disk_answered(50.0);
        assert!(pulse.look(50.1).is_good());
    }

    #[cfg(unix)]
    #[test]
    fn room_is_asked_of_the_system() {
        assert!(free_bytes(Path::new("/")).is_some());
        assert_eq!(free_bytes(Path::new("/no/such/folder")), None);
    }
}
