//! The words that host and device share: limits, states, stops, faults.

use core::fmt;

use serde::{Deserialize, Serialize};

/// The limits that a device enforces on its own, sent by the host before arming and echoed.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Limits {
    /// Largest |current|, in mA.
    pub peak_ma: f32,
    /// Largest |mean current| over 10 s, in mA.
    pub dc_ma: f32,
    /// Largest change, in mA/ms.
    pub slew_ma_per_ms: f32,
    /// Largest |integral of the current| since the burst began, and of all bursts as it leaks over an hour, in mC;
    /// of what is commanded and of what is measured.
    pub net_charge_mc: f32,
    /// Largest integral of |current| since power-up, in mC.
    pub total_charge_mc: f32,
    /// Longest stimulation since power-up, in s; only time with the relay closed counts.
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
    /// Mean current over 10 s, commanded or measured; mA.
    Dc,
    /// Change of the current; mA/ms.
    Slew,
    /// One-sided charge, commanded or measured, of this burst or of all with their leak, the coming ramp to zero
    /// included; mC.
    NetCharge,
    /// Integral of |current| since power-up; mC.
    TotalCharge,
    /// Time with stimulation since power-up; s.
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
    /// Current is measured while the relay is to be open: it is welded, or the measurement's zero is wrong; mA.
    OpenRelay,
    /// It was reset by its watchdog (1), or with the relay closed (2), or what it keeps through a reset cannot be
    /// read (3).
    Reset,
    /// The queue ran dry again and again within a minute; times.
    DrySpells,
    /// The supply that DAC and ADC measure by is not what it should be (V), or is not measured any more (0).
    Reference,
    /// The shunt across the output did not short it while it was tested; kOhm.
    Shunt,
}

impl FaultCode {
    /// All of them, so that a test can show that each is reached.
    pub const ALL: [Self; 23] = [
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
        Self::OpenRelay,
        Self::Reset,
        Self::DrySpells,
        Self::Reference,
        Self::Shunt,
    ];

    /// Whether the current is cut within 5 ms rather than ramped to zero in 100 ms: where the output stage
    /// itself cannot be trusted with a ramp, or a person has hit the button.
    pub fn cuts(self) -> bool {
        matches!(self, Self::OverCurrent | Self::EStop | Self::Dac | Self::Stalled | Self::OpenRelay)
    }

    /// What a person calls it by: `E17` is `Dac`. A code keeps its number for good.
    pub fn number(self) -> u8 {
        Self::ALL.iter().position(|&code| code == self).map_or(0, |at| at as u8 + 1)
    }

    /// `E17`, for the command line.
    pub fn label(self) -> impl fmt::Display {
        Label(self.number())
    }

    /// The code of a number.
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.get(usize::from(number).checked_sub(1)?).copied()
    }

    /// Reads `E17`, also as `e17`; `None` where there is no such code.
    pub fn from_label(label: &str) -> Option<Self> {
        let digits = label.strip_prefix(['E', 'e'])?;
        let plain = matches!(digits.len(), 1 | 2) && digits.bytes().all(|b| b.is_ascii_digit());
        Self::from_number(digits.parse().ok().filter(|_| plain)?)
    }

    /// How much a later fault adds to what is known: 4 a relay that does not open, 3 the output stage or a person's
    /// hand, 2 what flows, 1 the host and the line. A device keeps a second fault that is graver than the first.
    pub fn gravity(self) -> u8 {
        match self {
            Self::OpenRelay => 4,
            code if code.cuts() => 3,
            Self::Dc
            | Self::NetCharge
            | Self::TotalCharge
            | Self::ActiveTime
            | Self::Readback
            | Self::ImpedanceHigh
            | Self::ImpedanceLow
            | Self::ImpedanceJump
            | Self::Reset
            | Self::Reference
            | Self::Shunt => 2,
            _ => 1,
        }
    }
}

struct Label(u8);

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "E{:02}", self.0)
    }
}

/// The number that clears it, then its name: `E17 Dac`.
impl fmt::Display for FaultCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {self:?}", self.label())
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
