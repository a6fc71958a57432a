//! Charge and time: what flows, not what was commanded, and nothing given back by an arming, a session or a reset.

use tras_device::*;
use tras_wire::{DeviceMessage, HostMessage, Limits, Refusal};

use crate::common::{Bench, LIMITS, TICK_US, config, sine};

/// One tick, and what it carried in mC.
fn tick_mc(b: &mut Bench) -> f64 {
    let flows_ma = if b.device.output().relay_closed { f64::from(b.flows_ma()) } else { 0.0 };
    b.tick(TICK_US);
    flows_ma * TICK_US as f64 * 1e-6
}

/// A frame of 10 ms, a heartbeat, and 10 ms; gives back what was carried.
fn chunk_mc(b: &mut Bench, wave: impl Fn(u64) -> f32) -> f64 {
    let chunk: Vec<f32> = (b.index..b.index + 20).map(wave).collect();
    if let DeviceMessage::Acknowledge { next_index, .. } = b.say(b.samples(b.index, &chunk)) {
        b.index = next_index;
    }
    b.say(HostMessage::Heartbeat { echo: 0 });
    (0..40).map(|_| tick_mc(b)).sum()
}

#[test]
fn a1_an_hour_in_fault_at_zero_current_is_no_stimulation_time() {
    let mut b = Bench::connected(LIMITS);
    b.e_stop = true;
    b.wait(0.01);
    assert_eq!(b.fault().unwrap().code, FaultCode::EStop);
    for _ in 0..360_000 {
        b.tick(10_000); // Lunch.
    }
    b.e_stop = false;
    b.wait(0.1);
    b.say(HostMessage::ClearFault(FaultCode::EStop));
    b.wait(0.01);
    let answer = b.arm();
    assert!(matches!(answer, DeviceMessage::Acknowledge { .. }), "{answer:?}");
    b.play(6.0, sine(20.0, 0.4));
    assert_eq!((b.fault(), b.device.state()), (None, State::Stimulating));
    // The hours that an armed device waits for its burst are none either.
    assert!(b.device.kept().active_us < 6_100_000, "{}", b.device.kept().active_us);
}

/// An offset of the stage, below all that the readback check can see.
#[test]
fn a2_charge_that_really_flows_one_way_keeps_the_limit() {
    for (peak_ma, offset_ma) in [(0.5, 0.009_5), (1.0, -0.009_5), (2.0, 0.006), (0.5, 0.002)] {
        let mut b = Bench { offset_ma, ..Bench::armed(Limits { peak_ma, ..LIMITS }) };
        let wave = |k: u64| 0.6 * sine(20.0, f64::from(peak_ma))(k) * sine(0.7, 1.0)(k);
        let mut net_mc = 0.0;
        let mut seconds = 0.0;
        while seconds < 400.0 && b.fault().is_none() {
            net_mc += chunk_mc(&mut b, wave);
            seconds += 0.01;
        }
        for _ in 0..100_000 / TICK_US {
            net_mc += tick_mc(&mut b);
        }
        let code = b.fault().map(|f| f.code);
        println!("{peak_ma} mA, offset {offset_ma} mA: {net_mc:.4} mC in {seconds:.0} s, {code:?}");
        assert_eq!(code, Some(FaultCode::NetCharge), "{:?}", b.device.telemetry(b.now_us));
        assert!(net_mc.abs() <= f64::from(LIMITS.net_charge_mc), "{net_mc} mC");
    }
}

/// The mean current as well: an offset that the limit of DC forbids.
#[test]
fn dc_that_is_only_measured_is_a_fault() {
    let mut b = Bench { offset_ma: 0.008, ..Bench::armed(Limits { dc_ma: 0.005, ..LIMITS }) };
    for _ in 0..2_000 {
        chunk_mc(&mut b, sine(20.0, 0.4));
        if b.fault().is_some() {
            break;
        }
    }
    let fault = b.fault().unwrap();
    assert!(fault.code == FaultCode::Dc && (0.005..0.006).contains(&fault.value), "{fault:?}");
}

/// What must not count: a measurement whose zero is off, which is known before the relay closes.
#[test]
fn a_zero_of_the_measurement_is_no_charge() {
    for zero_ma in [0.009_f32, -0.009] {
        let mut b = Bench { zero_ma, ..Bench::armed(Limits { dc_ma: 0.005, ..LIMITS }) };
        for _ in 0..12_000 {
            chunk_mc(&mut b, sine(20.0, 0.4));
        }
        let t = b.device.telemetry(b.now_us);
        assert_eq!(t.fault, None);
        assert!(t.net_charge_mc.abs() < 0.02 && t.dc_ma.abs() < 1e-4, "{t:?}");
    }
}

/// A fast stop at the edge of the charge limit, and a fault late in its ramp.
#[test]
fn a3_charge_keeps_its_limit_through_a_stop_and_a_fault() {
    let limits = Limits { net_charge_mc: 0.2, ..LIMITS };
    for late_ms in (0..100).step_by(4) {
        let mut b = Bench::armed(limits);
        let mut net_mc = 0.0;
        // Slowly up, until a ramp of 100 ms still fits.
        while net_mc + f64::from(b.device.output().current_ma) * 0.060 < f64::from(limits.net_charge_mc) {
            net_mc += chunk_mc(&mut b, |k| (k as f32 / 12_000.0).min(0.9));
            assert_eq!(b.fault(), None);
        }
        b.say(HostMessage::Stop(Stop::Fast));
        let stopped_us = b.now_us;
        net_mc += (0..late_ms * 4).map(|_| tick_mc(&mut b)).sum::<f64>();
        b.say(HostMessage::Heartbeat { echo: 0 });
        b.dac_ok = true;
        b.gain = 0.5; // A fault without a cut, as soon as 50 ms of it are seen; and one at once.
        b.device.supply(3.0);
        b.device.supply(3.0);
        b.device.supply(3.0);
        while b.device.output().relay_closed {
            net_mc += tick_mc(&mut b);
            assert!(b.now_us <= stopped_us + 101_000, "the ramp of the stop goes on and none begins");
        }
        assert_eq!(b.fault().unwrap().code, FaultCode::Reference);
        assert!(net_mc <= f64::from(limits.net_charge_mc), "{late_ms} ms: {net_mc} mC");
    }
}

/// One burst after another, each below the limit, all to the same side.
#[test]
fn a4_one_way_charge_over_many_bursts_is_limited_and_leaks() {
    let mut b = Bench::armed(LIMITS);
    let burst = |b: &mut Bench, sign: f32| {
        let (first, mut net_mc) = (b.index, 0.0);
        b.burst += 1;
        while b.index < first + 40_000 && b.fault().is_none() && b.device.state() != State::Disarmed {
            net_mc += chunk_mc(b, |k| if k - first < 36_000 { sign * 0.017 } else { 0.0 });
        }
        b.wait(0.2);
        net_mc
    };
    b.burst = 0;
    let net_mc = burst(&mut b, 1.0) + burst(&mut b, 1.0) + burst(&mut b, 1.0);
    assert_eq!(b.fault().unwrap().code, FaultCode::NetCharge);
    // In the minute that it took a sixtieth of it has leaked.
    assert!((0.55..=1.02 * f64::from(LIMITS.net_charge_mc)).contains(&net_mc), "{net_mc} mC");
    // To the other side it is free at once, to the same side after its hour.
    let again = |b: &mut Bench| {
        b.say(HostMessage::ClearFault(FaultCode::NetCharge));
        // At the very limit an arming is refused: two minutes' leak.
        for _ in 0..120 {
            b.tick(1_000_000);
        }
        b.hello();
        b.say(HostMessage::Limits(LIMITS));
        b.arm();
        (b.burst, b.index) = (0, 0);
    };
    again(&mut b);
    assert!(burst(&mut b, -1.0) < -0.2 && b.fault().is_none(), "{:?}", b.fault());
    b.say(HostMessage::Disarm);
    b.wait(0.2);
    for _ in 0..3_600 {
        b.tick(1_000_000);
    }
    again(&mut b);
    burst(&mut b, 1.0);
    assert_eq!(b.fault(), None);
}

/// Hello, limits, arm, again and again.
#[test]
fn a5_a_new_session_gives_back_neither_time_nor_charge() {
    for limits in [Limits { active_s: 20.0, ..LIMITS }, Limits { total_charge_mc: 5.0, ..LIMITS }] {
        let mut b = Bench::connected(limits);
        let (mut active_s, mut total_mc, mut refused) = (0.0, 0.0, None);
        for _ in 0..6 {
            b.hello();
            b.say(HostMessage::Limits(limits));
            match b.arm() {
                DeviceMessage::Refused { why, .. } => refused = Some(why),
                _ => (b.burst, b.index) = (1, 0),
            }
            for _ in 0..900 {
                total_mc += chunk_mc(&mut b, sine(20.0, 0.8)).abs();
                active_s += if b.device.output().current_ma == 0.0 { 0.0 } else { 0.01 };
            }
            b.say(HostMessage::Disarm);
            b.wait(0.2);
            if let Some(fault) = b.fault() {
                b.say(HostMessage::ClearFault(fault.code));
            }
        }
        assert_eq!(refused, Some(Refusal::Dose));
        assert!(active_s <= f64::from(limits.active_s) && total_mc <= f64::from(limits.total_charge_mc));
        let kept = b.device.kept();
        assert!(kept.active_us <= 20_000_000 || kept.total_fc <= 5_000_000_000_000, "{kept:?}");
    }
}

/// Watchdog, brown-out, reset button or panic: the device starts anew, what has flowed does not.
#[test]
fn a6_a_reset_does_not_forget_the_dose() {
    let mut b = Bench::stimulating(LIMITS);
    b.play(10.0, sine(20.0, 0.8));
    let (before, kept) = (b.device.telemetry(b.now_us), b.device.kept());
    b.reset();
    let after = b.device.telemetry(b.now_us);
    assert!(after.total_charge_mc >= before.total_charge_mc, "{before:?} {after:?}");
    assert_eq!(b.device.kept().active_us, kept.active_us);
    // It was in mid-burst: that is told, and refused until it is cleared.
    let fault = b.fault().unwrap();
    assert_eq!((fault.code, fault.value, b.device.state()), (FaultCode::Reset, 2.0, State::Fault));
    assert_eq!(b.device.take_new_fault(), Some(fault));
    assert_eq!(b.device.output(), Output::default());
    b.hello();
    b.say(HostMessage::Limits(LIMITS));
    assert!(matches!(b.arm(), DeviceMessage::Refused { why: Refusal::State, .. }));
    b.say(HostMessage::ClearFault(FaultCode::Reset));
    assert!(matches!(b.arm(), DeviceMessage::Acknowledge { .. }));
}

#[test]
fn a_reset_clears_no_fault_and_a_reset_at_rest_is_none() {
    let mut b = Bench::stimulating(LIMITS);
    b.say(b.samples(b.index, &[1.5]));
    b.wait(0.2);
    b.e_stop = true;
    b.wait(0.01);
    b.e_stop = false;
    b.reset();
    assert_eq!(b.fault().unwrap().code, FaultCode::Peak);
    b.tick(TICK_US);
    b.hello();
    b.say(HostMessage::ClearFault(FaultCode::Peak));
    assert_eq!(b.fault().unwrap().code, FaultCode::EStop, "the graver one behind it");
    b.say(HostMessage::ClearFault(FaultCode::EStop));
    assert_eq!(b.fault(), None);
    b.reset();
    assert_eq!((b.fault(), b.device.state()), (None, State::Disarmed));
}

#[test]
fn a_watchdog_and_a_spoilt_memory_are_told() {
    let mut config = config(200);
    let spoilt = Device::resumed(config, &Found::Spoilt).telemetry(0).fault.unwrap();
    assert_eq!((spoilt.code, spoilt.value), (FaultCode::Reset, 3.0));
    config.identity.watchdog_reset = true;
    for device in
        [Device::new(config), Device::resumed(config, &Found::Blank), Device::resumed(config, &Found::Spoilt)]
    {
        let fault = device.telemetry(0).fault.unwrap();
        assert_eq!((fault.code, fault.value, device.state()), (FaultCode::Reset, 1.0, State::Fault));
    }
}
