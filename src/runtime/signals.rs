//! Ctrl-C and SIGTERM: the run ends as if `q` were pressed. A second one does not wait for the ramp.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use signal_hook::{SigId, consts::TERM_SIGNALS, low_level};

/// Counts the signals that ask the process to end, as long as it lives.
pub struct Signals {
    count: Arc<AtomicUsize>,
    ids: Vec<SigId>,
}

impl Signals {
    /// Catches Ctrl-C, SIGTERM and SIGQUIT from here on; SIGHUP too, so that a closed terminal ramps down.
    ///
    /// # Errors
    /// The system refuses a handler.
    pub fn register() -> std::io::Result<Self> {
        let count = Arc::new(AtomicUsize::new(0));
        let mut ids = Vec::new();
        for &signal in TERM_SIGNALS.iter().chain(&[signal_hook::consts::SIGHUP]) {
            let count = Arc::clone(&count);
            // SAFETY: the handler only increments an atomic, which is async-signal-safe.
            let id = unsafe {
                low_level::register(signal, move || {
                    count.fetch_add(1, Ordering::SeqCst);
                })
            }?;
            ids.push(id);
        }
        Ok(Self { count, ids })
    }

    /// The count itself, for a thread that must not wait for another to read it.
    #[must_use]
    pub fn word(&self) -> Arc<AtomicUsize> {
        Arc::clone(&self.count)
    }

    /// How many came so far.
    #[must_use]
    pub fn count(&self) -> usize {
        self.count.load(Ordering::SeqCst)
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        for &id in &self.ids {
            low_level::unregister(id);
        }
    }
}
