//! Again and again: dry spells, clears, and faults behind faults.

use tras_device::*;
use tras_wire::{DeviceMessage, HostMessage, Refusal};

use crate::common::{Bench, LIMITS, sine};

/// Dry for 90 ms, refilled, dry for 90 ms.
#[test]
fn a8_dry_spells_without_end_are_a_fault() {
    let mut b = Bench::stimulating(LIMITS);
    let mut spells = 0;
    while b.fault().is_none() {
        b.wait(0.185);
        for _ in 0..10 {
            let chunk: Vec<f32> = (b.index..b.index + 20).map(sine(20.0, 0.8)).collect();
            if let DeviceMessage::Acknowledge { next_index, .. } = b.say(b.samples(b.index, &chunk)) {
                b.index = next_index;
            }
        }
        spells += 1;
        assert!(spells < 10, "the current goes up and down at 5 Hz and nobody minds");
    }
    assert_eq!(b.fault().map(|f| (f.code, f.value)), Some((FaultCode::DrySpells, 3.0)));
}

#[test]
fn dry_spells_that_are_rare_are_none() {
    let mut b = Bench::stimulating(LIMITS);
    for _ in 0..6 {
        b.wait(0.13);
        b.play(31.0, sine(20.0, 0.4));
    }
    assert_eq!((b.device.telemetry(0).underruns, b.fault()), (6, None));
}

fn clear(b: &mut Bench, code: FaultCode) -> Option<Refusal> {
    match b.say(HostMessage::ClearFault(code)) {
        DeviceMessage::Refused { why, .. } => Some(why),
        _ => None,
    }
}

/// Fault, clear, arm, fault: as fast as a host can.
#[test]
fn a9_a_fault_is_cleared_three_times_within_an_hour_and_not_again() {
    let mut b = Bench::connected(LIMITS);
    b.kohm = 30.0; // An electrode that is off.
    let mut clears = 0;
    loop {
        assert!(matches!(b.arm(), DeviceMessage::Acknowledge { .. }));
        (b.burst, b.index) = (1, 0);
        while b.fault().is_none() {
            b.play(0.005, sine(20.0, 0.8));
        }
        b.wait(0.2);
        assert_eq!(b.fault().unwrap().code, FaultCode::ImpedanceHigh);
        match clear(&mut b, FaultCode::ImpedanceHigh) {
            None => clears += 1,
            Some(why) => {
                assert_eq!((clears, why), (3, Refusal::PowerCycle));
                break;
            }
        }
    }
    // Neither an hour nor a reset makes up for what was not mended; being switched off does.
    for _ in 0..4_000 {
        b.tick(1_000_000);
    }
    b.reset();
    b.hello();
    assert_eq!(clear(&mut b, FaultCode::ImpedanceHigh), Some(Refusal::PowerCycle));
    b.device = crate::common::device(200);
    assert_eq!(b.fault(), None);
}

#[test]
fn three_clears_in_more_than_an_hour_are_no_matter() {
    let mut b = Bench::connected(LIMITS);
    for _ in 0..8 {
        b.e_stop = true;
        b.wait(0.01);
        b.e_stop = false;
        b.wait(0.01);
        assert_eq!(clear(&mut b, FaultCode::EStop), None);
        for _ in 0..1_900 {
            b.tick(1_000_000);
        }
    }
}

/// A second fault that is graver is kept behind the first, and needs a word of its own.
#[test]
fn a_graver_fault_behind_the_first_is_cleared_after_it() {
    let mut b = Bench::stimulating(LIMITS);
    b.say(b.samples(b.index, &[1.5]));
    b.tick(250);
    b.dac_ok = false;
    b.tick(250);
    b.dac_ok = true;
    b.e_stop = true; // As grave as the second: the earlier one is kept.
    b.tick(250);
    b.e_stop = false;
    b.tick(250);
    assert_eq!(b.device.take_new_fault().unwrap().code, FaultCode::Peak);
    assert_eq!(b.device.take_new_fault().unwrap().code, FaultCode::Dac);
    assert_eq!(clear(&mut b, FaultCode::Dac), Some(Refusal::WrongFault), "the first comes first");
    assert_eq!(clear(&mut b, FaultCode::Peak), None);
    assert_eq!((b.device.state(), b.fault().unwrap().code), (State::Fault, FaultCode::Dac));
    assert!(matches!(b.arm(), DeviceMessage::Refused { .. }));
    assert_eq!(clear(&mut b, FaultCode::Dac), None);
    assert_eq!((b.device.state(), b.fault()), (State::Disarmed, None));
}
