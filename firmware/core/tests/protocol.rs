//! What the device listens to, and what it does not.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod common;

use common::{Bench, LIMITS, TICK_US, device, sine};
use tras_device::*;
use tras_wire::*;

fn refused(answer: DeviceMessage) -> Option<Refusal> {
    match answer {
        DeviceMessage::Refused { why, .. } => Some(why),
        _ => None,
    }
}

#[test]
fn arming_needs_a_session_the_echoed_limits_and_a_released_emergency_stop() {
    let mut b = Bench::new();
    assert_eq!(refused(b.arm()), Some(Refusal::Session));
    b.hello();
    assert_eq!(refused(b.arm()), Some(Refusal::Limits));
    // More than the firmware allows comes back as less, and arming with what was asked is refused.
    b.limits.peak_ma = 5.0;
    let DeviceMessage::Limits(echo) = b.say(HostMessage::Limits(b.limits)) else { panic!() };
    assert_eq!(echo.peak_ma, 2.0);
    assert_eq!(refused(b.arm()), Some(Refusal::Limits));
    b.limits = echo;
    b.e_stop = true;
    b.tick(TICK_US);
    assert_eq!(refused(b.arm()), Some(Refusal::State), "its fault is latched");
    b.e_stop = false;
    b.tick(TICK_US);
    b.say(HostMessage::ClearFault(FaultCode::EStop));
    assert_eq!(refused(b.arm()), None);
    assert_eq!(refused(b.arm()), Some(Refusal::State), "twice");
    assert_eq!(refused(b.say(HostMessage::Limits(LIMITS))), Some(Refusal::State), "while armed");
}

#[test]
fn an_arming_expires() {
    let mut b = Bench::connected(LIMITS);
    b.say(HostMessage::Arm { limits: LIMITS, valid_ms: 2_000 });
    b.wait(1.99);
    assert!(b.device.output().relay_closed);
    b.wait(0.02);
    assert_eq!((b.device.state(), b.device.output()), (State::Disarmed, Output::default()));
    assert_eq!(refused(b.say(b.samples(0, &[0.0]))), Some(Refusal::State));
}

#[test]
fn lost_frames_are_mended_by_sending_again_and_repeats_play_once() {
    let mut b = Bench::armed(LIMITS);
    let wave = sine(20.0, 0.8);
    let chunk = |from: u64| (from..from + 20).map(&wave).collect::<Vec<_>>();
    let mut next = 0;
    for k in 0..2_000_u32 {
        let _ = match k % 4 {
            1 => b.say(b.samples(next + 20, &chunk(next + 20))), // The one before was lost.
            2 => b.say(b.samples(next.saturating_sub(10), &chunk(next.saturating_sub(10)))),
            _ => b.say(HostMessage::Heartbeat { echo: k }),
        };
        // Sent twice over, the first time by a frame whose number is repeated as well.
        let frame = b.samples(next, &chunk(next));
        if let DeviceMessage::Acknowledge { next_index, .. } = b.say(frame.clone()) {
            next = next_index;
        }
        b.sequence -= 1;
        b.say(frame);
        b.wait(0.005);
    }
    assert_eq!((b.fault(), b.device.telemetry(0).underruns), (None, 0));
    assert_eq!(b.device.state(), State::Stimulating);
}

#[test]
fn samples_of_a_burst_that_was_stopped_never_begin_a_new_one() {
    for how in [Stop::Soft, Stop::Fast, Stop::Cut] {
        let mut b = Bench::stimulating(LIMITS);
        b.say(HostMessage::Stop(how));
        b.play(2.0, sine(20.0, 0.8));
        assert_eq!(b.device.output().current_ma, 0.0, "{how:?}");
        let state = if how == Stop::Soft { State::Armed } else { State::Disarmed };
        assert_eq!((b.device.state(), b.fault()), (state, None));
    }
}

#[test]
fn each_stop_keeps_its_bound() {
    for (how, within_us) in [(Stop::Soft, 1_000_000), (Stop::Fast, 100_000), (Stop::Cut, 0)] {
        let mut b = Bench::stimulating(LIMITS);
        b.wait(0.001);
        b.say(HostMessage::Stop(how));
        let from_us = b.now_us;
        while b.device.output().current_ma != 0.0 || b.device.state() == State::RampDown {
            b.play(TICK_US as f64 * 1e-6, sine(20.0, 0.8));
        }
        assert!(b.now_us - from_us <= within_us + 5_000, "{how:?}: {} us", b.now_us - from_us);
        assert_eq!(b.device.output().relay_closed, how == Stop::Soft);
    }
}

#[test]
fn a_recorded_session_played_again_is_not_listened_to() {
    let mut d = device(200);
    let sense = Sense { e_stop: false, dac_ok: true, reading: None };
    let hello = Header { nonce: 99, sequence: 0 };
    d.on_message(hello, &HostMessage::Hello, 1_000);
    let old = d.nonce();
    let rest = [HostMessage::Limits(LIMITS), HostMessage::Arm { limits: LIMITS, valid_ms: 10_000 }];
    for (k, m) in rest.iter().enumerate() {
        assert!(refused(d.on_message(Header { nonce: old, sequence: k as u32 + 1 }, m, 2_000)).is_none());
    }
    assert_eq!(d.state(), State::Armed);
    // Another host; then the old recording, from its hello on.
    d.on_message(Header { nonce: 100, sequence: 0 }, &HostMessage::Hello, 3_000);
    d.on_message(hello, &HostMessage::Hello, 4_000);
    assert_ne!(d.nonce(), old);
    for (k, m) in rest.iter().enumerate() {
        let answer = d.on_message(Header { nonce: old, sequence: k as u32 + 1 }, m, 5_000);
        assert_eq!(refused(answer), Some(Refusal::Session));
    }
    assert_eq!(d.tick(6_000, &sense), Output::default());
}

#[test]
fn hello_ends_a_running_session_at_zero_and_its_repeat_changes_nothing() {
    let mut b = Bench::stimulating(LIMITS);
    b.hello();
    assert_eq!(b.device.state(), State::RampDown);
    assert_eq!(refused(b.say(HostMessage::Limits(LIMITS))), Some(Refusal::State));
    b.wait(0.101);
    assert_eq!((b.device.state(), b.device.output()), (State::Disarmed, Output::default()));
    assert_eq!(refused(b.arm()), Some(Refusal::Limits), "the limits of the session before");
    let (nonce, header) = (b.device.nonce(), Header { nonce: 5, sequence: 0 });
    b.device.on_message(header, &HostMessage::Hello, b.now_us);
    let fresh = b.device.nonce();
    assert_ne!(fresh, nonce);
    b.device.on_message(header, &HostMessage::Hello, b.now_us + 50_000);
    assert_eq!(b.device.nonce(), fresh);
}

#[test]
fn a_short_dry_spell_is_counted_faded_and_played_on() {
    let mut b = Bench::stimulating(LIMITS);
    let (mut largest, mut last) = (0.0_f32, b.device.output().current_ma);
    // The queue holds about 90 ms; 130 ms of silence is some 40 ms into the fade.
    for _ in 0..130_000 / TICK_US {
        b.wait(TICK_US as f64 * 1e-6);
        largest = largest.max((b.device.output().current_ma - last).abs());
        last = b.device.output().current_ma;
    }
    assert_eq!((b.device.telemetry(0).underruns, b.fault()), (1, None));
    b.play(1.0, sine(20.0, 0.8));
    assert_eq!((b.device.state(), b.fault()), (State::Stimulating, None));
    assert_eq!(b.device.telemetry(0).underruns, 1);
    assert!(largest <= 0.8 * 20.0 * std::f32::consts::TAU * TICK_US as f32 * 1e-6 * 1.01, "{largest}");
}

#[test]
fn bytes_in_bytes_out_and_another_version_is_told_so() {
    let (mut d, mut link, mut out) = (device(200), Link::default(), [0; MAX_FRAME]);
    let mut wire = [0; MAX_FRAME];
    let mut host = Decoder::default();
    let n = encode(Header { nonce: 3, sequence: 0 }, &HostMessage::Hello, &mut wire).unwrap();
    let mut answers = Vec::new();
    for &byte in [0xFF, 3, 0].iter().chain(&wire[..n]) {
        let n = link.receive(byte, &mut d, 10, &mut out);
        answers.extend(out[..n].iter().filter_map(|&b| host.push::<DeviceMessage>(b)));
    }
    assert!(matches!(answers[..], [Ok(Frame { message: DeviceMessage::Hello(_), .. })]), "{answers:?}");
    assert_eq!(d.telemetry(0).bad_frames, 1);

    let mut plain = vec![VERSION + 1, 0, 0, 0, 0, 1, 0, 0, 0, 0];
    plain.extend(crc::Crc::<u32>::new(&crc::CRC_32_ISO_HDLC).checksum(&plain).to_le_bytes());
    let mut n = 0;
    let mut stuffed = [0; 32];
    let length = cobs::encode(&plain, &mut stuffed);
    for &byte in stuffed[..length].iter().chain(&[0]) {
        n = link.receive(byte, &mut d, 10, &mut out);
    }
    let answer = out[..n].iter().find_map(|&b| host.push::<DeviceMessage>(b)).unwrap().unwrap();
    assert_eq!(refused(answer.message), Some(Refusal::Version));
}
