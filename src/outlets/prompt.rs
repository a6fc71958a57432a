//! What is pushed leaves at once.
//!
//! Each connection of liblsl 1.13 has a thread that looks for new samples a millisecond at a time: half a millisecond on
//! average, up to 1.1 at worst, on every sample that this program sends. That sleep is a function template, so the library
//! holds it as a weak symbol, and a strong one of the same name takes its place when the program is linked. Ours waits
//! for the same millisecond, or until something is pushed. Where a compiler has put the sleep in line, or names it
//! otherwise, the old one stays: later, and nothing else. `outlets_send_at_once` (`tests/streams/outlets_prompt.rs`) tells which it is.

use lsl::{ExPushable, StreamOutlet};

/// Pushes a sample, and has it sent if it goes `through`.
///
/// # Errors
/// LSL refuses it.
pub fn push<T>(outlet: &StreamOutlet, data: &T, stamp_s: f64, through: bool) -> Result<(), lsl::Error>
where
    StreamOutlet: ExPushable<T>,
{
    outlet.push_sample_ex(data, stamp_s, through)?;
    #[cfg(target_os = "linux")]
    if through {
        sleep::PUSHED.ring();
    }
    Ok(())
}

/// How often the connections of this process have looked for samples by the sleep of this file; 0 where liblsl's own
/// was linked.
#[cfg(target_os = "linux")]
pub fn looks() -> u64 {
    sleep::LOOKS.load(std::sync::atomic::Ordering::Relaxed)
}

#[cfg(target_os = "linux")]
mod sleep {
    use std::{
        cell::Cell,
        sync::atomic::{AtomicU64, Ordering::Relaxed},
        time::Duration,
    };

    use crate::child::bell::Bell;

    /// Rung after each push. One for all outlets of the process: a look too many costs a microsecond.
    pub(super) static PUSHED: Bell = Bell::new();

    /// Looks for samples by our sleep.
    pub(super) static LOOKS: AtomicU64 = AtomicU64::new(0);

    /// liblsl's other sleep of this kind, half a second between two tries to connect, is no wait for a sample.
    const LONGEST_LOOK_MS: libc::c_long = 10;

    thread_local! {
        /// What this thread has seen of the bell before it last looked for samples.
        static SEEN: Cell<u32> = const { Cell::new(0) };
    }

    /// `lslboost::this_thread::sleep_for(duration<long, ratio<1, 1000>> const&)`.
    // The unit tests are linked with the library that they test, by the tests' workshop: one of the two has the name.
    #[cfg_attr(
        not(test),
        // SAFETY: of this name there is one function, whose only argument is a reference to a count of milliseconds.
        unsafe(export_name = "_ZN8lslboost11this_thread9sleep_forIlNS_5ratioILl1ELl1000EEEEEvRKNS_6chrono8durationIT_T0_EE")
    )]
    #[cfg_attr(test, expect(dead_code, reason = "has no name to be called by"))]
    unsafe extern "C" fn sleep_for(ms: *const libc::c_long) {
        LOOKS.fetch_add(1, Relaxed);
        // SAFETY: a reference of C++ is a pointer to a live value.
        let ms = unsafe { ms.read() };
        let time = Duration::from_millis(u64::try_from(ms).unwrap_or(0));
        if ms > LONGEST_LOOK_MS {
            return std::thread::sleep(time);
        }
        let rung = PUSHED.seen();
        // Rung since before the last look: what was pushed may have come after it, so look again first.
        if SEEN.replace(rung) == rung {
            PUSHED.wait(rung, time);
        }
    }
}
