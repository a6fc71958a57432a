//! Extreme limits, and anything at all.

use tras_device::*;
use tras_wire::{DeviceMessage, HostMessage, Limits};

use crate::common::{Bench, LIMITS, device, sine};

/// Every NaN, infinity and denormal in the limits: nothing may be armed with more than the firmware has.
#[test]
fn a10_extreme_limits() {
    let odd = [
        f32::NAN,
        f32::INFINITY,
        f32::NEG_INFINITY,
        -0.0,
        f32::MIN_POSITIVE,
        1e-45,
        f32::MAX,
        0.0,
        2.0,
        2.000_000_2,
    ];
    for (k, &peak_ma) in odd.iter().enumerate() {
        for &dc_ma in &odd {
            for &slew_ma_per_ms in &odd {
                for &net_charge_mc in &odd {
                    let limits = Limits {
                        peak_ma,
                        dc_ma,
                        slew_ma_per_ms,
                        net_charge_mc,
                        total_charge_mc: odd[(k + 3) % odd.len()],
                        active_s: slew_ma_per_ms,
                        heartbeat_ms: u32::MAX,
                    };
                    let mut b = Bench::new();
                    b.hello();
                    let DeviceMessage::Limits(echo) = b.say(HostMessage::Limits(limits)) else { panic!() };
                    let most = hard::LIMITS;
                    let pairs = [
                        (echo.peak_ma, most.peak_ma),
                        (echo.dc_ma, most.dc_ma),
                        (echo.slew_ma_per_ms, most.slew_ma_per_ms),
                        (echo.net_charge_mc, most.net_charge_mc),
                        (echo.total_charge_mc, most.total_charge_mc),
                        (echo.active_s, most.active_s),
                    ];
                    assert!(pairs.iter().all(|(got, most)| (0.0..=*most).contains(got)), "{echo:?}");
                    assert!(echo.heartbeat_ms <= 250);
                    b.limits = echo;
                    b.arm();
                    for _ in 0..30 {
                        b.say(b.samples(b.index, &[2.5, 2.0, -2.0, 1e-7]));
                        assert!(b.tick(250).current_ma.abs() <= echo.peak_ma);
                    }
                }
            }
        }
    }
}

/// Random messages and ticks: the output within the limits that were echoed, the relay open where it has to be,
/// nothing begins again out of a fault. Every other device has a shunt of its own.
#[test]
fn a14_random_soup() {
    for seed in 1..=8_u64 {
        let mut x = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let mut r = move |n: u64| {
            x ^= x << 13;
            x ^= x >> 7;
            x ^= x << 17;
            x % n
        };
        let mut b = switched_on(seed);
        let (mut latched, mut closed) = (0, 0);
        for _ in 0..30_000 {
            say_anything(&mut b, &mut r);
            closed += u64::from(b.device.output().relay_closed);
            for _ in 0..r(30) {
                let (before, fault) = (b.device.state(), b.fault());
                let o = b.tick([0, 50, 250, 250, 250, 1_000, 19_999, 20_001][r(8) as usize]);
                let most_ma = b.device.limits().peak_ma.min(2.0);
                assert!(o.current_ma.is_finite() && o.current_ma.abs() <= most_ma);
                assert!(o.relay_closed || o.current_ma == 0.0);
                assert!(!o.shunt_open || (o.relay_closed && o.probe_ma == 0.0), "{o:?}");
                assert!(o.probe_ma == 0.0 || b.device.state() == State::Armed);
                assert!(!o.relay_closed || b.device.state() != State::Disarmed);
                if before == State::Fault {
                    assert_eq!((b.device.state(), b.fault()), (State::Fault, fault));
                    latched += 1;
                }
                let t = b.device.telemetry(b.now_us);
                assert!(t.net_charge_mc.abs() <= b.device.limits().net_charge_mc * 1.04 + 1e-3, "{t:?}");
            }
            if r(2_000) == 0 {
                b.reset();
                if seed.is_multiple_of(2) {
                    b.device = b.device.clone().with_shunt();
                }
            }
            if r(100) == 0 {
                b = switched_on(seed); // Off and on.
            }
        }
        assert!(latched > 1_000 && closed > 100, "{latched} in fault, {closed} with the relay closed");
    }
}

fn switched_on(seed: u64) -> Bench {
    let mut b = Bench::new();
    if seed.is_multiple_of(2) {
        b.device = device(200).with_shunt();
    }
    b.hello();
    b.say(HostMessage::Limits(LIMITS));
    b
}

fn say_anything(b: &mut Bench, r: &mut impl FnMut(u64) -> u64) {
    match r(24) {
        0 if r(20) == 0 => {
            b.hello();
            (b.burst, b.index) = (1, 0);
        }
        1 => {
            let peak_ma = [0.5, 1.0, 2.0, f32::NAN, 9.0][r(5) as usize];
            if let DeviceMessage::Limits(echo) = b.say(HostMessage::Limits(Limits { peak_ma, ..LIMITS })) {
                b.limits = echo;
            }
        }
        2 => {
            b.arm();
            (b.burst, b.index) = (1, 0);
        }
        3 if r(6) == 0 => {
            b.say(HostMessage::Stop([Stop::Soft, Stop::Fast, Stop::Cut][r(3) as usize]));
            b.burst = b.burst.wrapping_add(1);
        }
        4 => {
            if let Some(fault) = b.fault() {
                b.say(HostMessage::ClearFault(fault.code));
            }
        }
        5 => b.sequence = b.sequence.wrapping_add([0, 1, u32::MAX, 0x8000_0000][r(4) as usize]),
        6 => b.burst = [1, 2, b.burst.wrapping_add(1), u32::MAX][r(4) as usize],
        7 => b.index = [0, b.index, b.index.wrapping_add(1), u64::MAX, u64::MAX - 5][r(5) as usize],
        8 if r(10) == 0 => {
            b.say(HostMessage::Disarm);
        }
        9 => {
            (b.e_stop, b.dac_ok) = (r(40) == 0, r(60) != 0);
            (b.blind, b.gain) = (r(30) == 0, if r(30) == 0 { 0.5 } else { 1.0 });
            (b.welded, b.shunt_missing) = (r(40) == 0, r(40) == 0);
            b.device.supply(if r(40) == 0 { 3.2 } else { 3.3 });
        }
        // What a host does, long enough for the proof and some of the ramp.
        10 => {
            b.hello();
            b.say(HostMessage::Limits(LIMITS));
            b.limits = LIMITS;
            b.arm();
            (b.burst, b.index) = (1, 0);
            b.play(0.3, sine(20.0, 0.4));
        }
        _ => {
            let top_ma = b.device.limits().peak_ma;
            let odd = [0.0, top_ma, -top_ma, top_ma * 1.5, f32::NAN];
            let value_ma = if r(50) == 0 { odd[r(5) as usize] } else { top_ma * 0.3 };
            let chunk: Vec<f32> = (0..r(64)).map(|k| value_ma * (k as f32 * 0.01).sin()).collect();
            if let DeviceMessage::Acknowledge { next_index, .. } = b.say(b.samples(b.index, &chunk)) {
                b.index = next_index;
            }
            b.say(HostMessage::Heartbeat { echo: 1 });
        }
    }
}
