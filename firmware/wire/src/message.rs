//! Everything that host and device can say to each other.
//!
//! A session: hello, limits (echoed), arm with the same limits once more, then samples and heartbeats one
//! way and telemetry the other, until a stop, a disarm or a fault.

use serde::{Deserialize, Serialize};

/// Most samples in one frame: 32 ms at 2,000 samples/s.
pub const MAX_SAMPLES: usize = 64;

/// The limits that a device enforces on its own, sent by the host before arming and echoed.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Limits {
    /// Largest |current|, in mA.
    pub peak_ma: f32,
    /// Largest |mean current| over 10 s, in mA.
    pub dc_ma: f32,
    /// Largest change, in mA/ms.
    pub slew_ma_per_ms: f32,
    /// Largest |integral of the current| since the burst began, in mC.
    pub net_charge_mc: f32,
    /// Largest integral of |current| since arming, in mC.
    pub total_charge_mc: f32,
    /// Longest stimulation since arming, in s.
    pub active_s: f32,
    /// Longest silence of the host, in ms.
    pub heartbeat_ms: u32,
}

/// The states of a stimulator, host and device alike.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum State {
    /// Relay open.
    #[default]
    Disarmed,
    /// Relay closed, zero current.
    Armed,
    /// The current grows.
    RampUp,
    /// Full amplitude.
    Stimulating,
    /// The current falls to zero.
    RampDown,
    /// Latched; zero current, relay open once it is reached.
    Fault,
}

impl State {
    /// All of them, in the order of a burst.
    pub const ALL: [Self; 6] =
        [Self::Disarmed, Self::Armed, Self::RampUp, Self::Stimulating, Self::RampDown, Self::Fault];
}

/// How stimulation ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stop {
    /// A raised-cosine ramp of 1 s, as the participant or operator asks for it; the device stays armed.
    Soft,
    /// To zero in 100 ms, then the relay opens.
    Fast,
    /// Zero and relay open in less than 5 ms, without a ramp.
    Cut,
}

/// Which limit or check latched a fault. The number that comes with it is in the unit named here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum FaultCode {
    /// A sample above the limit of |current|; mA.
    Peak,
    /// A sample that is not a finite number; its index.
    NotFinite,
    /// Mean current over 10 s; mA.
    Dc,
    /// Change of the current; mA/ms.
    Slew,
    /// Integral of the current since the burst began, the coming ramp to zero included; mC.
    NetCharge,
    /// Integral of |current| since arming or, against the hard limit, since power-up; mC.
    TotalCharge,
    /// Time with stimulation since arming or, against the hard limit, since power-up; s.
    ActiveTime,
    /// The host has been silent; ms.
    Heartbeat,
    /// The queue ran dry and was not refilled before the current had faded to zero; ms dry.
    Underrun,
    /// Samples are missing: nobody sent them again in time, or the gap is longer than any queue; samples.
    SequenceGap,
    /// The measured current is not the commanded one, or is not measured at all; mA of mean error.
    Readback,
    /// The measured current is above the limit; mA.
    OverCurrent,
    /// Above 20 kOhm for 500 ms: an electrode has come off; kOhm.
    ImpedanceHigh,
    /// Below 0.5 kOhm for 500 ms: the electrodes are shorted; kOhm.
    ImpedanceLow,
    /// Changed by half within 1 s; kOhm.
    ImpedanceJump,
    /// The emergency stop is pressed.
    EStop,
    /// The DAC does not answer or does not hold what was written.
    Dac,
    /// The output stage was not served in time; ms.
    Stalled,
}

impl FaultCode {
    /// All of them, so that a test can show that each is reached.
    pub const ALL: [Self; 18] = [
        Self::Peak,
        Self::NotFinite,
        Self::Dc,
        Self::Slew,
        Self::NetCharge,
        Self::TotalCharge,
        Self::ActiveTime,
        Self::Heartbeat,
        Self::Underrun,
        Self::SequenceGap,
        Self::Readback,
        Self::OverCurrent,
        Self::ImpedanceHigh,
        Self::ImpedanceLow,
        Self::ImpedanceJump,
        Self::EStop,
        Self::Dac,
        Self::Stalled,
    ];

    /// Whether the current is cut within 5 ms rather than ramped to zero in 100 ms: where the output stage
    /// itself cannot be trusted with a ramp, or a person has hit the button.
    pub fn cuts(self) -> bool {
        matches!(self, Self::OverCurrent | Self::EStop | Self::Dac | Self::Stalled)
    }
}

/// A fault as the device latched it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fault {
    /// Which limit or check.
    pub code: FaultCode,
    /// The number that broke it, in the unit that [`FaultCode`] names.
    pub value: f32,
    /// When, in us of the device's clock.
    pub at_us: u64,
}

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
    /// Integral of |current| since arming, in mC.
    pub total_charge_mc: f32,
    /// Integral of the current since the burst began, in mC.
    pub net_charge_mc: f32,
    /// Mean current over 10 s, in mA.
    pub dc_ma: f32,
    /// Frames with a wrong CRC or without sense, since power-up.
    pub bad_frames: u32,
}

/// Which device this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// Unique to the piece of hardware.
    pub serial: u32,
    /// Samples a second that it takes.
    pub rate_hz: u32,
    /// Updates of its DAC a second.
    pub dac_rate_hz: u32,
    /// Samples that its queue holds.
    pub queue_capacity: u16,
    /// Runs in an emulator or a simulation: no current leaves.
    pub emulated: bool,
    /// The crystal did not start and the device runs on its internal oscillator (1 % instead of 50 ppm).
    pub crystal_failed: bool,
    /// The independent watchdog reset it last time.
    pub watchdog_reset: bool,
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
