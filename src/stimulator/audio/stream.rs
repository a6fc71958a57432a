//! The open output: builds the stream around a source of values, and tells an underrun from a loss.

use std::{
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use cpal::{
    ErrorKind, FromSample, OutputCallbackInfo, SampleFormat, SizedSample, Stream,
    traits::{DeviceTrait, StreamTrait},
};

use super::{find::Output, player::Shared};
use crate::realtime::{self, Granted};

/// Between the serial port's thread and the stimulate thread.
const PRIORITY: i32 = 79;
/// After a loss some back ends report the same error for ever, as fast as they can: it is given this pause.
const PAUSE: Duration = Duration::from_millis(20);
/// An error that nobody can name is a loss if it goes on for so long without a buffer between: PulseAudio's
/// plugin for ALSA begins some streams with a few.
const PATIENCE: Duration = Duration::from_millis(300);

/// Something that fills buffers, one value a frame.
pub trait Values: Send + 'static {
    /// A buffer of so many frames begins at `now_s`, the first of which is heard `latency_s` later. `now_s` is a time
    /// of [`wall_s`].
    fn begin(&mut self, frames: usize, latency_s: f64, now_s: f64);
    /// The next frame's value, between -1 and 1.
    fn next_value(&mut self) -> f32;
    /// The buffer is full.
    fn end(&mut self) {}
}

/// Seconds of a clock that goes on while this process is stopped, and while the machine sleeps.
#[cfg(target_os = "linux")]
#[must_use]
pub fn wall_s() -> f64 {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the call writes to `now`, which lives here, and to nothing else.
    unsafe { libc::clock_gettime(libc::CLOCK_BOOTTIME, &raw mut now) };
    now.tv_sec as f64 + now.tv_nsec as f64 * 1e-9
}

/// Seconds of a clock that goes on while this process is stopped; whether it does while the machine sleeps is the
/// platform's.
#[cfg(not(target_os = "linux"))]
#[must_use]
pub fn wall_s() -> f64 {
    static EPOCH: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    EPOCH.get_or_init(Instant::now).elapsed().as_secs_f64()
}

/// Opens the output and starts it. `channel` counts from 1; all others stay at zero.
///
/// # Errors
/// The output refuses, for a person.
pub fn start(
    output: &Output,
    channel: u32,
    values: impl Values,
    shared: &Arc<Shared>,
) -> Result<Stream, String> {
    let stream = match output.format {
        SampleFormat::F32 => build::<f32>(output, channel, values, shared),
        SampleFormat::F64 => build::<f64>(output, channel, values, shared),
        SampleFormat::I32 => build::<i32>(output, channel, values, shared),
        SampleFormat::I16 => build::<i16>(output, channel, values, shared),
        other => return Err(format!("its format {other} is not supported")),
    };
    let stream = stream.map_err(|e| format!("it cannot be opened: {e}; is another program using it?"))?;
    stream.play().map_err(|e| format!("it cannot be started: {e}"))?;
    Ok(stream)
}

fn build<T: SizedSample + FromSample<f32> + Send + 'static>(
    output: &Output,
    channel: u32,
    mut values: impl Values,
    shared: &Arc<Shared>,
) -> Result<Stream, cpal::Error> {
    let width = usize::from(output.config.channels);
    let at = channel.saturating_sub(1) as usize;
    let (rate_hz, zero) = (f64::from(output.config.sample_rate), T::from_sample(0.0_f32));
    let (mut promoted, ran) = (false, Arc::clone(shared));
    let fill = move |data: &mut [T], info: &OutputCallbackInfo| {
        if !std::mem::replace(&mut promoted, true) {
            // Only the thread itself can ask, and this one is cpal's.
            let granted = realtime::promote(PRIORITY);
            ran.ordinary.store(matches!(granted, Granted::Ordinary(_)), Ordering::Relaxed);
        }
        let stamp = info.timestamp();
        let waits = stamp.playback.saturating_duration_since(stamp.callback);
        let frames = data.len() / width.max(1);
        values.begin(frames, waits.as_secs_f64().min(frames as f64 * 100.0 / rate_hz), wall_s());
        for frame in data.chunks_exact_mut(width.max(1)) {
            frame.fill(zero);
            if let Some(slot) = frame.get_mut(at) {
                *slot = T::from_sample(values.next_value());
            }
        }
        values.end();
    };
    let told = Arc::clone(shared);
    let (mut since, mut callbacks) = (Instant::now(), u64::MAX);
    let error = move |error: cpal::Error| match error.kind() {
        ErrorKind::Xrun => {
            told.dry.fetch_add(1, Ordering::Relaxed);
        }
        // Worth knowing elsewhere; the stream goes on as it was.
        ErrorKind::RealtimeDenied => {}
        // Also a stream that was moved to another output: what hangs there is not the current source.
        ErrorKind::BackendError | ErrorKind::Other => {
            let seen = told.callbacks.load(Ordering::Relaxed);
            if seen != callbacks {
                (since, callbacks) = (Instant::now(), seen);
            }
            if since.elapsed() > PATIENCE {
                told.gone.store(true, Ordering::Release);
            }
            std::thread::sleep(PAUSE / 10);
        }
        _ => {
            told.gone.store(true, Ordering::Release);
            std::thread::sleep(PAUSE);
        }
    };
    output.device.build_output_stream(output.config, fill, error, Some(Duration::from_millis(500)))
}
