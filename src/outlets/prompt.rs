//! What is pushed leaves at once.
//!
//! Each connection of liblsl 1.13 has a thread that looks for new samples a millisecond at a time: half a millisecond on
//! average, up to 1.1 at worst, on every sample that this program sends. That sleep is a function template, so the library
//! holds it as a weak symbol, and a strong one of the same name takes its place when the program is linked. Ours waits
//! for the same millisecond, or until something is pushed. Where a compiler has put the sleep in line, or names it
//! otherwise, the old one stays: later, and nothing else. `outlets_send_at_once` tells which it is.

use lsl::{ExPushable, StreamOutlet};

/// Pushes a sample, and has it sent if it goes `through`.
///
/// # Errors
/// LSL refuses it.
pub(crate) fn push<T>(outlet: &StreamOutlet, data: &T, stamp_s: f64, through: bool) -> Result<(), lsl::Error>
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

#[cfg(target_os = "linux")]
mod sleep {
    use std::{cell::Cell, time::Duration};

    use crate::child::bell::Bell;

    /// Rung after each push. One for all outlets of the process: a look too many costs a microsecond.
    pub(super) static PUSHED: Bell = Bell::new();

    /// liblsl's other sleep of this kind, half a second between two tries to connect, is no wait for a sample.
    const LONGEST_LOOK_MS: libc::c_long = 10;

    thread_local! {
        /// What this thread has seen of the bell before it last looked for samples.
        static SEEN: Cell<u32> = const { Cell::new(0) };
    }

    /// `lslboost::this_thread::sleep_for(duration<long, ratio<1, 1000>> const&)`.
    // SAFETY: of this name there is one function, whose only argument is a reference to a count of milliseconds.
    #[unsafe(export_name = "_ZN8lslboost11this_thread9sleep_forIlNS_5ratioILl1ELl1000EEEEEvRKNS_6chrono8durationIT_T0_EE")]
    unsafe extern "C" fn sleep_for(ms: *const libc::c_long) {
        #[cfg(test)]
        tests::LOOKS.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
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

    #[cfg(test)]
    mod tests {
        #![allow(clippy::unwrap_used, reason = "tests")]
        use std::{
            sync::atomic::{AtomicU64, Ordering},
            time::Instant,
        };

        use lsl::{ChannelFormat, Pullable, StreamInfo, StreamInlet, StreamOutlet};

        use super::*;

        pub(super) static LOOKS: AtomicU64 = AtomicU64::new(0);

        /// Fails where the linker has kept liblsl's own sleep: then every outlet is a millisecond late.
        #[test]
        fn outlets_send_at_once() {
            let info = StreamInfo::new("prompt", "EEG", 1, 0.0, ChannelFormat::Float32, "prompt").unwrap();
            let outlet = StreamOutlet::new(&info, 0, 360).unwrap();
            let found = lsl::resolve_bypred("name='prompt'", 1, 10.0).unwrap();
            let inlet = StreamInlet::new(found.first().unwrap(), 360, 0, false).unwrap();
            inlet.open_stream(10.0).unwrap();
            let mut took_s = Vec::new();
            for number in 0..40_u8 {
                std::thread::sleep(Duration::from_micros(2_000 + 137 * u64::from(number % 8)));
                let pushed = Instant::now();
                super::super::push(&outlet, &vec![f32::from(number)], 0.0, true).unwrap();
                let (mut sample, mut stamp) = (Vec::<f32>::new(), 0.0);
                while stamp == 0.0 && pushed.elapsed() < Duration::from_secs(5) {
                    (sample, stamp) = inlet.pull_sample(0.0).unwrap();
                }
                assert_eq!(sample, [f32::from(number)]);
                took_s.push(pushed.elapsed().as_secs_f64());
            }
            assert!(LOOKS.load(Ordering::Relaxed) > 0, "liblsl's own sleep was linked");
            took_s.sort_by(f64::total_cmp);
            println!("from push to pull: {:?} s at the median", took_s.get(20));
        }
    }
}
