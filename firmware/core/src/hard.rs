//! Every number that no host can change, with its reason. From the project's table of defaults and limits
//! unless said otherwise.

use tras_wire::Limits;

/// Time between streamed samples, in us: 2,000 samples/s.
pub const SAMPLE_US: u32 = 500;

/// The host's limits can be at most these.
pub const LIMITS: Limits = Limits {
    peak_ma: 2.0,
    dc_ma: 0.020,
    slew_ma_per_ms: 0.5,
    net_charge_mc: 1.0,
    total_charge_mc: 4_800.0, // 80 mA min, the smallest cap of a commercial device.
    active_s: 3_600.0,
    heartbeat_ms: 250,
};

/// The soft start of each burst, in us: the shortest ramp that a protocol may ask for, so that a host without
/// an envelope of its own does no harm. It multiplies whatever envelope the samples already have.
pub const RAMP_UP_US: u32 = 5_000_000;
/// A stop that a person asks for, in us.
pub const SOFT_STOP_US: u32 = 1_000_000;
/// To zero after a fault, and when the queue runs dry, in us.
pub const FAST_STOP_US: u32 = 100_000;

/// Time in us for which a change between two ticks is allowed by the slew limit, at most: a late tick plays slower,
/// so it moves no further than one that is on time.
pub const SLEW_STEP_US: u32 = SAMPLE_US;
/// One-sided charge of past bursts falls to 1/e in so many s.
pub const LEAK_S: u64 = 3_600;
/// A difference between measured and commanded current below 1.5 uA, over 10 s, is what 12 bits cannot tell; above it
/// all of it counts as charge. The zero that it is reckoned from is the mean of some 40 readings before each arming: with
/// 4 uA of noise (uniform) it is wrong by 0.4 uA, and by 1.5 uA once in ten thousand armings. In mC, over [`UNTOLD_US`].
pub const UNTOLD_MC: f32 = 0.015;
/// See [`UNTOLD_MC`].
pub const UNTOLD_US: u64 = 10_000_000;
/// Dry spells, or gaps of an output, within [`DRY_WITHIN_US`] that are a fault: three gaps in a minute are no accident.
pub const DRY_SPELLS: usize = 3;
/// See [`DRY_SPELLS`].
pub const DRY_WITHIN_US: u64 = 60_000_000;
/// Clears of one fault within [`CLEARS_WITHIN_US`], after which the device has to be switched off.
pub const CLEARS: usize = 3;
/// See [`CLEARS`].
pub const CLEARS_WITHIN_US: u64 = 3_600_000_000;

/// After the relay is told to open, in us until no current may be measured: 20 ms of the monostable, 3 ms of the
/// relay, and some.
pub const OPEN_SETTLE_US: u32 = 30_000;
/// The mean of the current measured with the relay open is taken over so long, in us.
pub const OPEN_PART_US: u32 = 50_000;
/// The test before arming: current into the closed shunt, in mA. Were the shunt missing, it would be felt by nobody.
pub const PROBE_MA: f32 = 0.1;
/// Longest step of that test, in us, until it counts as not measured.
pub const PROOF_WITHIN_US: u32 = 500_000;
/// Shortest, in us: relay and filter have settled.
pub const PROOF_STEP_US: u32 = 10_000;
/// More than this across the outputs is no shunt, in kOhm: half of what an electrode that holds can have.
pub const SHUNT_KOHM: f32 = 0.25;
/// The supply by which DAC and ADC measure, in V: 1 % is 25 uA at mid-scale, against a reference of its own.
pub const VDDA_V: core::ops::RangeInclusive<f32> = 3.267..=3.333;
/// Longest time between two measurements of it, in us, once there has been one.
pub const VDDA_SILENCE_US: u64 = 1_000_000;

/// Longest time between two ticks with the relay closed, in us: as long as the monostable holds the relay.
pub const STALL_US: u32 = 20_000;
/// Longest that an arming can last without a burst, in ms.
pub const ARM_VALID_MS: u32 = 600_000;
/// Samples that a burst waits for before it begins, at most: 20 ms.
pub const PREFILL: usize = 40;
/// Zero samples after which a queue that runs dry has ended its burst rather than failed it: 10 ms, which
/// noise does not do by chance.
pub const REST_SAMPLES: u32 = 20;

/// Readback, over 50 ms: largest mean error in mA.
pub const READBACK_MA: f32 = 0.050;
/// The same as a share of the mean |current|.
pub const READBACK_SHARE: f32 = 0.05;
/// Below this mean error, in mA, the share says nothing: offset and noise of the ADC. It is the idle leakage
/// that a stimulator is allowed.
pub const READBACK_FLOOR_MA: f32 = 0.010;
/// One of the five parts of the 50 ms, in us.
pub const READBACK_PART_US: u32 = 10_000;
/// Longest time with the relay closed and without a reading, in us.
pub const READBACK_SILENCE_US: u32 = 50_000;

/// Impedance that an electrode which holds can have, in kOhm.
pub const IMPEDANCE_KOHM: core::ops::RangeInclusive<f32> = 0.5..=20.0;
/// One estimate of the impedance, in us; five in a row outside the range are the 500 ms that fault.
pub const IMPEDANCE_PART_US: u32 = 100_000;
/// Estimates outside the range that fault.
pub const IMPEDANCE_PARTS: u8 = 5;
/// Largest change within 1 s, as a share.
pub const IMPEDANCE_JUMP: f32 = 0.5;
/// RMS current below which impedance is not estimated, in mA: 12 bits of 2.5 mA are 1.2 uA, 1 % of this is
/// as good as the resistors are.
pub const IMPEDANCE_RMS_MA: f32 = 0.03;

/// The limits that the device will enforce: the host's, no higher than the firmware's. What is negative or
/// not a number becomes zero, with which nothing can flow.
pub fn bounded(host: &Limits) -> Limits {
    let at_most = |asked: f32, hard: f32| if asked > 0.0 { asked.min(hard) } else { 0.0 };
    Limits {
        peak_ma: at_most(host.peak_ma, LIMITS.peak_ma),
        dc_ma: at_most(host.dc_ma, LIMITS.dc_ma),
        slew_ma_per_ms: at_most(host.slew_ma_per_ms, LIMITS.slew_ma_per_ms),
        net_charge_mc: at_most(host.net_charge_mc, LIMITS.net_charge_mc),
        total_charge_mc: at_most(host.total_charge_mc, LIMITS.total_charge_mc),
        active_s: at_most(host.active_s, LIMITS.active_s),
        heartbeat_ms: host.heartbeat_ms.min(LIMITS.heartbeat_ms),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_passes_the_firmware_limits() {
        let wild = Limits {
            peak_ma: f32::INFINITY,
            dc_ma: 1.0,
            slew_ma_per_ms: 1e9,
            net_charge_mc: 1e9,
            total_charge_mc: 1e9,
            active_s: f32::MAX,
            heartbeat_ms: u32::MAX,
        };
        assert_eq!(bounded(&wild), LIMITS);
        let nonsense = Limits { peak_ma: f32::NAN, dc_ma: -1.0, heartbeat_ms: 100, ..LIMITS };
        let got = bounded(&nonsense);
        assert_eq!((got.peak_ma, got.dc_ma, got.heartbeat_ms), (0.0, 0.0, 100));
    }
}
