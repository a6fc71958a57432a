//! Late ticks, numbers at their ends, readings that are none.

use tras_device::*;
use tras_wire::{DeviceMessage, HostMessage};

use crate::common::{Bench, LIMITS, TICK_US, sine};

/// The slew limit is of the DAC's step: a tick that is late has no right to a larger one.
#[test]
fn a7_a_step_at_the_dac_keeps_the_slew_limit_when_ticks_are_late() {
    for late_us in [250, 600, 2_000, 4_000, 19_000] {
        let mut b = Bench::stimulating(LIMITS);
        let mut largest_ma = 0.0_f32;
        for k in 0..1_000_u64 {
            let level = if k % 2 == 0 { 0.9 } else { -0.9 };
            if let DeviceMessage::Acknowledge { next_index, .. } = b.say(b.samples(b.index, &[level])) {
                b.index = next_index;
            }
            b.say(HostMessage::Heartbeat { echo: 0 });
            let before_ma = b.device.output().current_ma;
            b.tick(late_us);
            if b.fault().is_some() {
                break;
            }
            largest_ma = largest_ma.max((b.device.output().current_ma - before_ma).abs());
        }
        // So late that each half of a period lasts 19 ms, its mean may come first.
        let code = b.fault().unwrap().code;
        assert!(
            code == FaultCode::Slew || (late_us == 19_000 && code == FaultCode::Dc),
            "{late_us} us: {code:?}"
        );
        assert!(largest_ma <= 0.2503, "{late_us} us: {largest_ma} mA, 0.5 mA/ms for 0.5 ms are 0.25");
    }
}

/// A waveform that keeps its limits trips nothing however late its ticks are: it is played slower.
#[test]
fn late_ticks_alone_are_no_fault() {
    let mut b = Bench::stimulating(LIMITS);
    for k in 0..4_000_u64 {
        let chunk: Vec<f32> = (b.index..b.index + 20).map(sine(20.0, 0.8)).collect();
        if let DeviceMessage::Acknowledge { next_index, .. } = b.say(b.samples(b.index, &chunk)) {
            b.index = next_index;
        }
        b.say(HostMessage::Heartbeat { echo: 0 });
        b.tick([250, 250, 3_000, 250, 12_000][k as usize % 5]);
    }
    assert_eq!((b.device.state(), b.fault()), (State::Stimulating, None));
}

#[test]
fn a11_numbers_at_their_ends() {
    let mut b = Bench::armed(LIMITS);
    // The sequence jumps by almost half its range: what follows is heard.
    for jump in [0x7FFF_FFFF_u32, 0x7FFF_FFFF, 5, 0x7FFF_FFF0] {
        b.sequence = b.sequence.wrapping_add(jump);
        b.say(HostMessage::Heartbeat { echo: 9 });
        b.wait(0.1);
        assert_eq!(b.fault(), None);
    }
    b.index = u64::MAX - 100;
    for _ in 0..2_000 {
        b.say(b.samples(b.index, &[0.001; 20]));
        b.index = b.index.saturating_add(20);
        b.wait(0.005);
        assert!(b.device.output().current_ma.abs() <= 0.001_1);
    }
    // A clock past 32 bits, and a large jump of it at rest.
    let mut b = Bench::new();
    b.now_us = u64::from(u32::MAX) - 3_000_000;
    b.hello();
    b.say(HostMessage::Limits(LIMITS));
    b.tick(TICK_US);
    b.arm();
    b.play(9.0, sine(20.0, 0.4));
    assert_eq!((b.device.state(), b.fault()), (State::Stimulating, None));
}

/// The cut needs two readings in a row above the limit; one that is no number between them is no way round it.
#[test]
fn a13_overcurrent_with_a_nan_between() {
    let mut b = Bench::stimulating(LIMITS);
    let from_us = b.now_us;
    for k in 0..4_000_u64 {
        b.now_us += TICK_US;
        let commanded_ma = b.device.output().current_ma;
        let current_ma = if k % 2 == 0 { f32::NAN } else { 2.2 };
        let reading = Some(Reading { commanded_ma, current_ma, voltage_v: 1.0 });
        b.device.tick(b.now_us, &Sense { e_stop: false, dac_ok: true, reading });
        if b.fault().is_some() {
            break;
        }
    }
    assert_eq!(b.fault().unwrap().code, FaultCode::Readback);
    assert!(b.now_us - from_us <= 60_000, "{} us", b.now_us - from_us);
}
