//! Relay, shunt and zero: tested before each arming, and watched while nothing is to flow. The participant's button.

use tras_device::*;
use tras_wire::{DeviceMessage, HostMessage};

use crate::common::{Bench, LIMITS, TICK_US, device, sine};

/// With a shunt of its own, connected.
fn bench() -> Bench {
    let mut b = Bench { device: device(200).with_shunt(), ..Bench::new() };
    b.hello();
    b.say(HostMessage::Limits(LIMITS));
    b.wait(0.1);
    b
}

#[test]
fn a12_current_with_the_relay_open_is_a_fault() {
    for current_ma in [-2.2, 0.011, f32::NAN, f32::INFINITY] {
        let mut b = Bench::connected(LIMITS);
        let reading = Some(Reading { commanded_ma: 0.0, current_ma, voltage_v: 0.0 });
        for _ in 0..200_000 / TICK_US {
            b.now_us += TICK_US;
            let output = b.device.tick(b.now_us, &Sense { e_stop: false, dac_ok: true, reading });
            assert_eq!(output, Output::default());
        }
        assert_eq!(b.fault().map(|f| f.code), Some(FaultCode::OpenRelay), "{current_ma}");
    }
}

/// It is watched in a fault as well, and with the button pressed: then above all.
#[test]
fn a_relay_that_does_not_open_after_a_fault_is_told_behind_it() {
    for press in [false, true] {
        let mut b = Bench::stimulating(LIMITS);
        (b.welded, b.offset_ma) = (true, 0.008);
        b.e_stop = press;
        b.say(b.samples(b.index, &[1.5]));
        b.offset_ma = 0.5;
        b.wait(0.3);
        let first = b.fault().unwrap();
        assert_ne!(first.code, FaultCode::OpenRelay);
        assert_eq!(b.device.kept().graver, Some(FaultCode::OpenRelay), "pressed: {press}");
        assert_eq!(b.device.take_new_fault(), Some(first));
        assert_eq!(b.device.take_new_fault().unwrap().code, FaultCode::OpenRelay, "told as well");
    }
}

#[test]
fn a_sound_stage_passes_and_nothing_reaches_the_electrodes_meanwhile() {
    let mut b = bench();
    let armed_us = b.now_us;
    assert!(matches!(b.arm(), DeviceMessage::Acknowledge { .. }));
    let mut seen = Vec::new();
    while !b.device.output().shunt_open {
        b.tick(TICK_US);
        let o = b.device.output();
        assert!(o.current_ma == 0.0 && o.probe_ma.abs() <= 0.1);
        let step = (o.relay_closed, o.probe_ma);
        if seen.last() != Some(&step) {
            seen.push(step);
        }
        assert!(b.now_us < armed_us + 100_000, "{seen:?}, {:?}", b.fault());
    }
    assert_eq!(seen, [(false, 0.0), (false, 0.1), (true, 0.1), (true, -0.1), (true, 0.0)]);
    b.play(6.0, sine(20.0, 0.4));
    assert_eq!((b.device.state(), b.fault()), (State::Stimulating, None));
}

#[test]
fn each_part_that_is_broken_is_found_before_a_burst_can_begin() {
    type Break = fn(&mut Bench);
    let cases: [(&str, Break, FaultCode); 8] = [
        ("relay welded", |b| b.welded = true, FaultCode::OpenRelay),
        ("relay never closes", |b| b.stuck_ma = Some(0.0), FaultCode::Readback),
        ("shunt gone", |b| b.shunt_missing = true, FaultCode::Shunt),
        ("offset of the stage", |b| b.offset_ma = 0.011, FaultCode::Readback),
        ("zero of the readback", |b| b.zero_ma = 0.011, FaultCode::OpenRelay),
        ("readback 20 % wrong", |b| b.gain = 0.8, FaultCode::Readback),
        ("readback turned round", |b| b.gain = -1.0, FaultCode::Readback),
        ("readback gone", |b| b.blind = true, FaultCode::Readback),
    ];
    for (what, break_it, code) in cases {
        let mut b = bench();
        break_it(&mut b);
        b.arm();
        for _ in 0..120 {
            b.play(0.005, sine(20.0, 0.4));
            assert_eq!(b.device.output().current_ma, 0.0, "{what}");
        }
        assert_eq!(b.fault().map(|f| f.code), Some(code), "{what}");
        assert_eq!(b.device.output(), Output::default(), "{what}");
    }
}

/// The participant's own button is a second normally-closed contact in series with the first: the device cannot
/// tell who has pressed, and need not. In every state, in the middle of the proof too, it cuts within a tick.
#[test]
fn a_button_in_series_cuts_in_every_state() {
    for at_ms in [0, 20, 40, 60, 80, 150, 2_000, 5_500] {
        for soft_first in [false, true] {
            let mut b = bench();
            b.arm();
            for _ in 0..at_ms / 5 {
                b.play(0.005, sine(20.0, 0.4));
            }
            if soft_first {
                b.say(HostMessage::Stop(Stop::Soft));
                b.wait(0.002);
            }
            b.e_stop = true;
            assert_eq!(b.tick(TICK_US), Output::default(), "{at_ms} ms");
            b.e_stop = false;
            // Let go, it stays a fault; so does the host's wish to go on.
            b.play(0.2, sine(20.0, 0.4));
            assert_eq!((b.device.output(), b.fault().unwrap().code), (Output::default(), FaultCode::EStop));
        }
    }
}
