//! Every fault is reached, latched with its number and its time, brings the current to zero within its bound,
//! and stays until a person clears it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod common;

use common::{Bench, LIMITS, TICK_US, sine};
use tras_device::*;
use tras_wire::{DeviceMessage, HostMessage, Limits, Refusal};

type Step = Box<dyn Fn(&mut Bench)>;

/// Brings a stimulating device to the edge of `code`; what follows is one step at a time.
fn provoke(code: FaultCode) -> (Bench, Step) {
    let wave = || sine(20.0, 0.8);
    let keep_on = move |b: &mut Bench| b.play(0.005, sine(20.0, 0.8));
    let mut b = Bench::stimulating(LIMITS);
    match code {
        FaultCode::Peak => (
            b,
            Box::new(|b| {
                b.say(b.samples(b.index, &[1.001]));
            }),
        ),
        FaultCode::NotFinite => (
            b,
            Box::new(|b| {
                b.say(b.samples(b.index, &[0.0, f32::NAN]));
            }),
        ),
        // The wave continues with 20 % of its amplitude on top, one way; the net charge is the slower limit.
        FaultCode::Dc => {
            let b = Bench::stimulating(Limits { dc_ma: 0.005, ..LIMITS });
            (b, Box::new(move |b| b.play(0.005, move |k| sine(20.0, 0.8)(k) + 0.02)))
        }
        FaultCode::Slew => (b, Box::new(|b| b.play(0.005, |k| if k % 2 == 0 { 0.3 } else { -0.3 }))),
        FaultCode::NetCharge => {
            let b = Bench::stimulating(Limits { net_charge_mc: 0.05, ..LIMITS });
            (b, Box::new(move |b| b.play(0.005, move |k| sine(20.0, 0.8)(k) + 0.1)))
        }
        FaultCode::TotalCharge => {
            (Bench::stimulating(Limits { total_charge_mc: 4.0, ..LIMITS }), Box::new(keep_on))
        }
        FaultCode::ActiveTime => (Bench::stimulating(Limits { active_s: 7.0, ..LIMITS }), Box::new(keep_on)),
        FaultCode::Heartbeat => {
            b.heartbeats = false;
            (b, Box::new(keep_on))
        }
        FaultCode::Underrun => (b, Box::new(|b| b.wait(0.005))),
        FaultCode::SequenceGap => (
            b,
            Box::new(move |b| {
                // Everything after one lost frame.
                let chunk: Vec<f32> = (b.index + 20..b.index + 40).map(wave()).collect();
                b.say(b.samples(b.index + 20, &chunk));
                b.wait(0.005);
            }),
        ),
        FaultCode::Readback => {
            b.gain = 0.9;
            (b, Box::new(keep_on))
        }
        FaultCode::OverCurrent => {
            b.stuck_ma = Some(1.2);
            (b, Box::new(keep_on))
        }
        FaultCode::ImpedanceHigh | FaultCode::ImpedanceLow => {
            let mut b = Bench::armed(LIMITS);
            b.kohm = if code == FaultCode::ImpedanceHigh { 21.0 } else { 0.4 };
            (b, Box::new(keep_on))
        }
        FaultCode::ImpedanceJump => {
            b.kohm = 8.0;
            (b, Box::new(keep_on))
        }
        FaultCode::EStop => {
            b.e_stop = true;
            (b, Box::new(|b| b.wait(0.00025)))
        }
        FaultCode::Dac => {
            b.dac_ok = false;
            (b, Box::new(|b| b.wait(0.00025)))
        }
        FaultCode::Stalled => (
            b,
            Box::new(|b| {
                b.tick(21_000);
            }),
        ),
        // Nothing flows yet: the relay has been open for long, and still there is a current.
        FaultCode::OpenRelay => {
            let mut b = Bench::connected(LIMITS);
            b.wait(0.1);
            b.leak_ma = -0.02;
            (b, Box::new(|b| b.wait(0.00025)))
        }
        FaultCode::Reset => {
            b.reset();
            b.hello();
            (b, Box::new(|b| b.wait(0.00025)))
        }
        FaultCode::DrySpells => (
            b,
            Box::new(|b| {
                b.wait(0.0005);
                if b.device.telemetry(0).queue_fill == 0 {
                    b.wait(0.02);
                    b.play(0.1, sine(20.0, 0.8));
                }
            }),
        ),
        FaultCode::Reference => (
            b,
            Box::new(move |b| {
                b.device.supply(3.234);
                b.play(0.005, wave());
            }),
        ),
        FaultCode::Shunt => {
            let mut b = Bench { device: common::device(200).with_shunt(), ..Bench::new() };
            b.hello();
            b.say(HostMessage::Limits(LIMITS));
            b.shunt_missing = true;
            b.arm();
            (b, Box::new(|b| b.wait(0.00025)))
        }
        other => panic!("no test reaches {other:?}"),
    }
}

#[test]
fn every_fault_is_reached_latched_and_brought_to_zero_in_its_bound() {
    for code in FaultCode::ALL {
        let (mut b, step) = provoke(code);
        let before_us = b.now_us;
        while b.fault().is_none() {
            step(&mut b);
            assert!(b.now_us < before_us + 20_000_000, "{code:?} is never latched");
        }
        let fault = b.fault().unwrap();
        assert_eq!(fault.code, code, "{fault:?}");
        assert!(fault.value.is_finite(), "{fault:?}");
        // A reset is found at the start of a clock that begins at zero.
        let from_us = if code == FaultCode::Reset { 0 } else { before_us };
        assert!((from_us..=b.now_us).contains(&fault.at_us));
        assert_eq!(b.device.take_new_fault(), Some(fault));
        assert_eq!(b.device.take_new_fault(), None, "told once");

        let bound_us = if code.cuts() { 5_000 } else { 100_000 + TICK_US };
        while b.device.output() != Output::default() {
            assert!(b.now_us <= fault.at_us + bound_us, "{code:?}: not at zero after its bound");
            b.wait(0.00025);
        }

        // The cause goes away and the host carries on: nothing restarts, and nothing but the very code clears.
        (b.gain, b.stuck_ma, b.kohm, b.blind, b.e_stop) = (1.0, None, 5.0, false, code == FaultCode::EStop);
        (b.dac_ok, b.heartbeats, b.leak_ma, b.shunt_missing) = (true, true, 0.0, false);
        if code == FaultCode::Reference {
            b.device.supply(3.3);
        }
        for _ in 0..200 {
            step_quietly(&mut b);
            assert_eq!(b.device.output(), Output::default(), "{code:?} restarted");
        }
        assert_eq!((b.device.state(), b.fault()), (State::Fault, Some(fault)));
        if code == FaultCode::EStop {
            let answer = b.say(HostMessage::ClearFault(code));
            assert!(matches!(answer, DeviceMessage::Refused { why: Refusal::EStop, .. }));
            b.e_stop = false;
            b.tick(TICK_US);
        }
        let other = if code == FaultCode::Peak { FaultCode::Slew } else { FaultCode::Peak };
        let answer = b.say(HostMessage::ClearFault(other));
        assert!(matches!(answer, DeviceMessage::Refused { why: Refusal::WrongFault, .. }));
        assert!(matches!(b.say(HostMessage::ClearFault(code)), DeviceMessage::Acknowledge { .. }));
        assert_eq!(b.device.state(), State::Disarmed);
        b.wait(1.0);
        assert_eq!(b.device.output(), Output::default());
    }
}

fn step_quietly(b: &mut Bench) {
    let chunk = [0.1; 20];
    b.say(b.samples(b.index, &chunk));
    b.index += 20;
    b.wait(0.005);
}

#[test]
fn every_state_is_reached() {
    let mut b = Bench::connected(LIMITS);
    let mut seen = vec![b.device.state()];
    let note = |b: &Bench, seen: &mut Vec<State>| {
        if seen.last() != Some(&b.device.state()) {
            seen.push(b.device.state());
        }
    };
    b.arm();
    note(&b, &mut seen);
    for _ in 0..1_200 {
        b.play(0.005, sine(20.0, 0.5));
        note(&b, &mut seen);
    }
    b.say(HostMessage::Stop(Stop::Soft));
    for _ in 0..250 {
        b.wait(0.005);
        note(&b, &mut seen);
    }
    b.e_stop = true;
    b.tick(TICK_US);
    note(&b, &mut seen);
    use State::*;
    assert_eq!(seen, [Disarmed, Armed, RampUp, Stimulating, RampDown, Armed, Fault]);
    assert!(State::ALL.iter().all(|s| seen.contains(s)));
}

#[test]
fn the_number_of_a_fault_says_what_was_broken() {
    let numbers = [
        (FaultCode::Peak, 1.001, 1.001),
        (FaultCode::Dc, 0.005, 0.006),
        (FaultCode::Slew, 0.5, 2.5),
        (FaultCode::NetCharge, 0.05, 0.06),
        (FaultCode::TotalCharge, 4.0, 4.05),
        (FaultCode::ActiveTime, 6.899, 7.0),
        (FaultCode::Heartbeat, 250.0, 251.0),
        (FaultCode::Underrun, 99.0, 101.0),
        (FaultCode::SequenceGap, 20.0, 20.0),
        (FaultCode::OverCurrent, 1.2, 1.2),
        (FaultCode::ImpedanceHigh, 20.9, 21.1),
        (FaultCode::ImpedanceLow, 0.39, 0.41),
        (FaultCode::ImpedanceJump, 7.9, 8.1),
        (FaultCode::Stalled, 20.9, 21.1),
        (FaultCode::OpenRelay, 0.0101, 0.0201),
        (FaultCode::Reset, 2.0, 2.0),
        (FaultCode::DrySpells, 3.0, 3.0),
        (FaultCode::Reference, 3.233, 3.235),
        (FaultCode::Shunt, 4.9, 5.1),
    ];
    for (code, low, high) in numbers {
        let (mut b, step) = provoke(code);
        while b.fault().is_none() {
            step(&mut b);
        }
        let value = b.fault().unwrap().value.abs();
        assert!((low..=high).contains(&value), "{code:?}: {value}");
    }
}

#[test]
fn a_measurement_that_stays_away_is_a_fault_within_its_time() {
    let mut b = Bench::stimulating(LIMITS);
    b.blind = true;
    let from_us = b.now_us;
    b.play(0.060, sine(20.0, 0.8));
    let fault = b.fault().unwrap();
    assert_eq!(fault.code, FaultCode::Readback);
    assert!(fault.at_us <= from_us + 50_000 + 2 * TICK_US);
}

#[test]
fn a_graver_fault_cuts_a_ramp_that_has_begun_and_the_first_stays_latched() {
    let mut b = Bench::stimulating(LIMITS);
    b.say(b.samples(b.index, &[1.5]));
    b.tick(TICK_US);
    b.tick(TICK_US);
    assert!(b.device.output().relay_closed);
    b.e_stop = true;
    assert_eq!(b.tick(TICK_US), Output::default());
    assert_eq!(b.fault().unwrap().code, FaultCode::Peak);
}
