//! The few calls of liblsl that acquisition makes, as safe types.
//!
//! `lsl` offers no pull into a buffer of one's own and ties its inlets to a thread, so these stand on
//! `lsl-sys`. liblsl's handles may be used from any thread and its inlets are thread safe (lsl_c.h, and the
//! sources bundled with `lsl-sys` 0.1.1: each receiver has its own lock); what is not is the sample queue,
//! which has one consumer. Every call that takes from it needs `&mut Inlet`.
//!
//! liblsl 1.13 writes to standard error when a sender goes away and has no setting against it (`[log]
//! level` in lsl_api.cfg exists from 1.14 on). [`super::StderrDiversion`] keeps it off a terminal screen.

use std::ffi::{CStr, CString, c_char};
use std::ptr;

use lsl_sys as sys;

use crate::acquisition::{Channel, StreamDescription};

/// Seconds of data that an inlet holds. Generous, because what liblsl drops when it is full it drops
/// silently: the reader skips by itself, and counts, long before.
pub(super) const INLET_BUFFER_S: i32 = 60;

/// Copies a text of liblsl's.
///
/// # Safety
/// `text` is null or a string with a final zero that lives during the call.
unsafe fn text(text: *const c_char) -> String {
    if text.is_null() {
        return String::new();
    }
    // SAFETY: as the caller promises.
    unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
}

/// Number format of a stream's samples, as the LSL name.
pub(super) fn format_name(format: sys::lsl_channel_format_t) -> &'static str {
    match format {
        sys::lsl_channel_format_t_cft_float32 => "float32",
        sys::lsl_channel_format_t_cft_double64 => "double64",
        sys::lsl_channel_format_t_cft_string => "string",
        sys::lsl_channel_format_t_cft_int32 => "int32",
        sys::lsl_channel_format_t_cft_int16 => "int16",
        sys::lsl_channel_format_t_cft_int8 => "int8",
        sys::lsl_channel_format_t_cft_int64 => "int64",
        _ => "undefined",
    }
}

/// The same from its name.
#[cfg(target_os = "linux")]
pub(super) fn known_format(name: &str) -> &'static str {
    let known = ["float32", "double64", "string", "int32", "int16", "int8", "int64"];
    known.into_iter().find(|known| *known == name).unwrap_or("undefined")
}

/// What a sender says of a stream.
pub(super) struct Info(sys::lsl_streaminfo);

// SAFETY: a streaminfo is a plain object behind a pointer, owned by this value alone; liblsl keeps no
// thread-local state for it.
unsafe impl Send for Info {}

impl Drop for Info {
    fn drop(&mut self) {
        // SAFETY: the handle is valid and ours, and not used again.
        unsafe { sys::lsl_destroy_streaminfo(self.0) }
    }
}

impl Info {
    fn from_raw(raw: sys::lsl_streaminfo) -> Option<Self> {
        (!raw.is_null()).then_some(Self(raw))
    }

    pub(super) fn name(&self) -> String {
        // SAFETY: valid handle; the text lives as long as it.
        unsafe { text(sys::lsl_get_name(self.0)) }
    }

    pub(super) fn kind(&self) -> String {
        // SAFETY: valid handle; the text lives as long as it.
        unsafe { text(sys::lsl_get_type(self.0)) }
    }

    pub(super) fn source_id(&self) -> String {
        // SAFETY: valid handle; the text lives as long as it.
        unsafe { text(sys::lsl_get_source_id(self.0)) }
    }

    pub(super) fn hostname(&self) -> String {
        // SAFETY: valid handle; the text lives as long as it.
        unsafe { text(sys::lsl_get_hostname(self.0)) }
    }

    /// Identifies this one outlet; a restarted sender has another.
    pub(super) fn uid(&self) -> String {
        // SAFETY: valid handle; the text lives as long as it.
        unsafe { text(sys::lsl_get_uid(self.0)) }
    }

    pub(super) fn rate_hz(&self) -> f64 {
        // SAFETY: valid handle.
        unsafe { sys::lsl_get_nominal_srate(self.0) }
    }

    pub(super) fn channel_count(&self) -> usize {
        // SAFETY: valid handle.
        usize::try_from(unsafe { sys::lsl_get_channel_count(self.0) }).unwrap_or(0)
    }

    pub(super) fn format(&self) -> &'static str {
        // SAFETY: valid handle.
        format_name(unsafe { sys::lsl_get_channel_format(self.0) })
    }

    /// All that the sender says, with the channels of `desc/channels/channel`. Full only for an info from
    /// [`Inlet::full_info`]: a resolved one has no `desc`.
    pub(super) fn describe(&self) -> StreamDescription {
        StreamDescription {
            name: self.name(),
            kind: self.kind(),
            source_id: self.source_id(),
            hostname: self.hostname(),
            rate_hz: self.rate_hz(),
            channels: self.channels(),
        }
    }

    fn channels(&self) -> Vec<Channel> {
        let count = self.channel_count();
        let mut channels = Vec::with_capacity(count);
        // SAFETY: the handles are nodes of the info's own document, which `self` keeps alive; liblsl answers
        // for a node that is not there with an empty node and an empty text.
        unsafe {
            let list = sys::lsl_child(sys::lsl_get_desc(self.0), c"channels".as_ptr());
            let mut node = sys::lsl_child(list, c"channel".as_ptr());
            while sys::lsl_empty(node) == 0 && channels.len() < count {
                let value = |name: &CStr| text(sys::lsl_child_value_n(node, name.as_ptr())).trim().to_owned();
                channels.push(Channel { label: value(c"label"), unit: value(c"unit"), kind: value(c"type") });
                node = sys::lsl_next_sibling_n(node, c"channel".as_ptr());
            }
        }
        channels.resize_with(count, || Channel {
            label: String::new(),
            unit: String::new(),
            kind: String::new(),
        });
        for (at, channel) in channels.iter_mut().enumerate().filter(|(_, c)| c.label.is_empty()) {
            channel.label = (at + 1).to_string();
        }
        channels
    }
}

/// Looks for streams in the background until dropped.
pub(super) struct Resolver(sys::lsl_continuous_resolver);

// SAFETY: liblsl guards the resolver's results with a lock; the handle is owned by this value alone.
unsafe impl Send for Resolver {}

impl Drop for Resolver {
    fn drop(&mut self) {
        // SAFETY: the handle is valid and ours, and not used again.
        unsafe { sys::lsl_destroy_continuous_resolver(self.0) }
    }
}

impl Resolver {
    /// For all streams, or those that satisfy `predicate`; `None` where liblsl cannot open its sockets or
    /// the predicate holds a zero byte.
    pub(super) fn new(predicate: Option<&str>) -> Option<Self> {
        const FORGET_AFTER_S: f64 = 3600.0;
        let raw = match predicate {
            // SAFETY: no pointers.
            None => unsafe { sys::lsl_create_continuous_resolver(FORGET_AFTER_S) },
            Some(predicate) => {
                // liblsl puts "session_id=... and" in front: keep an "or" of the predicate's to itself.
                let predicate = CString::new(format!("({predicate})")).ok()?;
                // SAFETY: the text lives during the call, which copies it.
                unsafe { sys::lsl_create_continuous_resolver_bypred(predicate.as_ptr(), FORGET_AFTER_S) }
            }
        };
        (!raw.is_null()).then_some(Self(raw))
    }

    /// The streams that have answered so far.
    pub(super) fn results(&self) -> Vec<Info> {
        let mut found: [sys::lsl_streaminfo; 512] = [ptr::null_mut(); 512];
        // SAFETY: the handle is valid, the buffer as long as said; each entry written becomes ours.
        let count = unsafe { sys::lsl_resolver_results(self.0, found.as_mut_ptr(), found.len() as u32) };
        let count = usize::try_from(count).unwrap_or(0);
        found.into_iter().take(count).filter_map(Info::from_raw).collect()
    }
}

/// What one pull found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Pulled {
    /// A sample with this raw stamp, seconds.
    Sample(f64),
    /// None waits.
    Empty,
    /// The connection is gone for good.
    Lost,
}

/// A connection to a stream. It never recovers by itself: liblsl would do so silently.
pub(super) struct Inlet(sys::lsl_inlet);

// SAFETY: an inlet may be used from any thread, one at a time, which ownership ensures (see the module).
unsafe impl Send for Inlet {}

impl Drop for Inlet {
    /// Joins liblsl's threads for this inlet: may take a moment, so not in a thread with a deadline.
    fn drop(&mut self) {
        // SAFETY: the handle is valid and ours, and not used again.
        unsafe { sys::lsl_destroy_inlet(self.0) }
    }
}

impl Inlet {
    /// For the stream of `info`, in packets of at most `chunk_samples`; `None` where liblsl refuses.
    pub(super) fn new(info: &Info, chunk_samples: usize) -> Option<Self> {
        let chunk = i32::try_from(chunk_samples).unwrap_or(1);
        // SAFETY: the info is valid and copied by the call.
        let raw = unsafe { sys::lsl_create_inlet(info.0, INLET_BUFFER_S, chunk, 0) };
        (!raw.is_null()).then_some(Self(raw))
    }

    /// The whole description; blocks up to `timeout_s`.
    pub(super) fn full_info(&self, timeout_s: f64) -> Option<Info> {
        let mut code = 0;
        // SAFETY: valid handle; the code's address is valid; the result is ours or null.
        Info::from_raw(unsafe { sys::lsl_get_fullinfo(self.0, timeout_s, &mut code) })
    }

    /// Starts the flow of samples; blocks up to `timeout_s`.
    pub(super) fn open(&self, timeout_s: f64) -> bool {
        let mut code = 0;
        // SAFETY: valid handle; the code's address is valid.
        unsafe { sys::lsl_open_stream(self.0, timeout_s, &mut code) };
        code == sys::lsl_error_code_t_lsl_no_error
    }

    /// Offset to add to a raw stamp. The first call starts a measurement of 0.64 s and waits for it up to
    /// `timeout_s`; afterwards liblsl measures by itself every 2 s, and this reads the newest at once.
    pub(super) fn time_correction_s(&self, timeout_s: f64) -> Option<f64> {
        let mut code = 0;
        // SAFETY: valid handle; the code's address is valid.
        let offset_s = unsafe { sys::lsl_time_correction(self.0, timeout_s, &mut code) };
        (code == sys::lsl_error_code_t_lsl_no_error && offset_s.is_finite()).then_some(offset_s)
    }

    /// Takes the oldest waiting sample into `values`, which must be as wide as the stream. Never waits.
    /// liblsl converts from the stream's format: all of them exactly, but for int64 beyond 2^53.
    ///
    /// One sample at a time, because liblsl's pull of a chunk throws away what it has when the connection
    /// breaks half way, and waits for the full description, without limit, at its first call.
    pub(super) fn pull(&mut self, values: &mut [f64]) -> Pulled {
        let mut code = 0;
        let width = i32::try_from(values.len()).unwrap_or(0);
        // SAFETY: valid handle, the only consumer (`&mut self`); the buffer is as long as said, and liblsl
        // writes to it only if that is the stream's width.
        let stamp_s = unsafe { sys::lsl_pull_sample_d(self.0, values.as_mut_ptr(), width, 0.0, &mut code) };
        match code {
            sys::lsl_error_code_t_lsl_no_error if stamp_s == 0.0 => Pulled::Empty,
            sys::lsl_error_code_t_lsl_no_error => Pulled::Sample(stamp_s),
            _ => Pulled::Lost,
        }
    }
}
