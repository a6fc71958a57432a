//! Everything that host and device can say to each other.
//!
//! A session: hello, limits (echoed), arm with the same limits once more, then samples and heartbeats one
//! way and telemetry the other, until a stop, a disarm or a fault.

use serde::{Deserialize, Serialize};

use crate::{Fault, FaultCode, Limits, State, Stop};

/// Most samples in one frame: 32 ms at 2,000 samples/s.
pub const MAX_SAMPLES: usize = 64;

/// Current samples, `index` counting them since arming.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Samples {
    /// Which burst they belong to, counted since arming. A burst that a stop has ended takes no more, so what
    /// was still under way at the stop cannot begin a new one.
    pub burst: u32,
    /// The index of the first.
    pub index: u64,
    /// In mA; the wire carries steps of 0.1 uA: [`crate::carried_ma`].
    #[serde(with = "crate::steps")]
    pub current_ma: heapless::Vec<f32, MAX_SAMPLES>,
}

/// From the host.
#[allow(clippy::large_enum_variant, reason = "there is no heap on the device to box the samples in")]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum HostMessage {
    /// Begins a session; one that was running is ended (to zero in 100 ms, disarmed).
    Hello,
    /// The limits to enforce. Only while disarmed.
    Limits(Limits),
    /// Closes the relay. Refused unless `limits` are the very limits that the device has echoed.
    Arm {
        /// What the device echoed and the host has matched.
        limits: Limits,
        /// Armed without a burst for so long, the device disarms itself, in ms.
        valid_ms: u32,
    },
    /// Current to play.
    Samples(Samples),
    /// Ends the burst.
    Stop(Stop),
    /// To zero as [`Stop::Fast`] if current flows, then the relay opens.
    Disarm,
    /// The thread that makes the current is alive. `echo` comes back in the telemetry that answers it.
    Heartbeat {
        /// Anything; the host measures the round trip with it.
        echo: u32,
    },
    /// The operator has read this fault: back to disarmed. Only at zero current, with this very code.
    ClearFault(FaultCode),
}

/// Why the device did not do what it was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Refusal {
    /// It speaks another version of the protocol; its own is in the frame's header.
    Version,
    /// The nonce is not this session's: say hello.
    Session,
    /// Not in this state.
    State,
    /// The limits are not those it has echoed.
    Limits,
    /// The samples belong to a burst that has ended.
    BurstOver,
    /// The emergency stop is pressed.
    EStop,
    /// It is not the fault that is latched.
    WrongFault,
    /// This fault has been cleared three times within an hour: its cause has to be mended and the device switched
    /// off before it is cleared again.
    PowerCycle,
    /// What has flowed since power-up leaves nothing within these limits.
    Dose,
}

/// What a device says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Telemetry {
    /// The device's clock, in us since it started.
    pub at_us: u64,
    /// The `echo` of the newest heartbeat.
    pub echo: u32,
    /// The state.
    pub state: State,
    /// The latched fault.
    pub fault: Option<Fault>,
    /// Whether the output relay is closed.
    pub relay_closed: bool,
    /// Samples waiting.
    pub queue_fill: u16,
    /// The index of the sample that it takes next: what is missing is sent again from here.
    pub next_index: u64,
    /// Samples played since arming: the index after the last that left.
    pub delivered: u64,
    /// Times that the queue ran dry while stimulating, since power-up.
    pub underruns: u32,
    /// The current commanded now, in mA.
    pub current_ma: f32,
    /// The current measured last, in mA.
    pub measured_ma: Option<f32>,
    /// Impedance in kOhm, once enough current has flowed.
    pub impedance_kohm: Option<f32>,
    /// Integral of |current| since power-up, in mC.
    pub total_charge_mc: f32,
    /// One-sided charge, commanded or measured, of this burst or of all with their leak: whichever is largest, in mC.
    pub net_charge_mc: f32,
    /// Mean current over 10 s, commanded or measured: whichever is larger, in mA.
    pub dc_ma: f32,
    /// Frames with a wrong CRC or without sense, since power-up.
    pub bad_frames: u32,
}

/// Which device this is.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Identity {
    /// Unique to the piece of hardware.
    pub serial: u32,
    /// Samples a second that it takes.
    pub rate_hz: u32,
    /// Updates of its DAC a second.
    pub dac_rate_hz: u32,
    /// Samples that its queue holds.
    pub queue_capacity: u16,
    /// Built for an emulator, or a simulation: no current leaves.
    pub emulated: bool,
    /// The crystal did not start and the device runs on its internal oscillator (1 % instead of 50 ppm).
    pub crystal_failed: bool,
    /// The independent watchdog reset it last time.
    pub watchdog_reset: bool,
    /// A hash of the rules that it was built from, `tras_device::BUILD`: a host of other rules does not arm it.
    pub build: u32,
    /// The limits that stand above anything a host sends, as its memory holds them now.
    pub hard: Limits,
}

/// From the device.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum DeviceMessage {
    /// Answers hello; the header bears the session's nonce.
    Hello(Identity),
    /// The limits that it will enforce: the host's, each at most the firmware's own.
    Limits(Limits),
    /// Done, or taken. What was repeated is acknowledged again and not done again.
    Acknowledge {
        /// Of the host's frame.
        sequence: u32,
        /// The index of the sample that it takes next.
        next_index: u64,
        /// Room in its queue: the host's credit.
        room: u16,
    },
    /// Not done.
    Refused {
        /// Of the host's frame.
        sequence: u32,
        /// Why.
        why: Refusal,
        /// The state.
        state: State,
    },
    /// Unasked, at a steady rate, and after each heartbeat.
    Telemetry(Telemetry),
    /// Unasked, once, as soon as it is latched.
    Fault(Fault),
}
