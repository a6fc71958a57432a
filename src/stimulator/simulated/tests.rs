#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use super::*;
use crate::stimulator::{FaultCode, Latched, Limits, State, Status, Stimulator, Stop, TESTED};

const LIMITS: Limits = Limits { dc_ma: 0.005, ..TESTED };

fn wave(k: u64) -> f32 {
    0.5 * (std::f64::consts::TAU * 10.0 * k as f64 / 2_000.0).sin() as f32
}

/// A host that keeps the queue full every 10 ms.
struct Host {
    s: SimulatedStimulator,
    now_s: f64,
    next: u64,
    played: Vec<Delivered>,
    status: Status,
}

impl Host {
    fn new(settings: Settings) -> Self {
        let mut s = SimulatedStimulator::simulated(settings);
        let now_s = 1_000.0;
        assert_eq!(s.connect(&LIMITS, Latched::Refuse, now_s).unwrap(), LIMITS);
        s.arm(now_s).unwrap();
        let status = s.poll(now_s, &mut |_| {});
        assert_eq!(status.state, State::Armed);
        Self { s, now_s, next: 0, played: Vec::new(), status }
    }

    fn poll(&mut self, seconds: f64) {
        self.now_s += seconds;
        let played = &mut self.played;
        self.status = self.s.poll(self.now_s, &mut |d| played.push(d));
    }

    fn run(&mut self, seconds: f64) {
        for _ in 0..(seconds * 100.0).round() as u64 {
            let room = self.s.room() as u64;
            let chunk: Vec<f32> = (self.next..self.next + room).map(wave).collect();
            if self.s.queue(&chunk, self.now_s).is_ok() {
                self.next += room;
            }
            self.poll(0.010);
        }
    }
}

#[test]
fn plays_every_sample_once_in_order_under_the_device_ramp() {
    let mut h = Host::new(Settings::default());
    h.run(0.1);
    assert_eq!(h.status.state, State::RampUp);
    h.run(9.9);
    assert_eq!((h.status.state, h.status.fault, h.status.underruns), (State::Stimulating, None, 0));
    assert_eq!(h.status.delivered, h.played.len() as u64);
    for (k, d) in h.played.iter().enumerate() {
        assert_eq!(d.index, k as u64);
        assert!((d.stamp_s - h.played[0].stamp_s - k as f64 * 5e-4).abs() < 1e-6);
        if k > 10_010 {
            assert_eq!(d.current_ma.to_bits(), tras_wire::carried_ma(wave(d.index)).to_bits(), "sample {k}");
        }
    }
    let z = h.status.impedance_kohm.unwrap();
    assert!((z - 5.0).abs() < 0.01, "{z} kOhm");
}

#[test]
fn a_device_clock_that_is_fast_takes_more_samples() {
    let mut h = Host::new(Settings { rate_error_ppm: 10_000.0, ..Settings::default() });
    h.run(20.0);
    let (first, last) = (h.played[0], h.played[h.played.len() - 1]);
    let rate = (last.index - first.index) as f64 / (last.stamp_s - first.stamp_s);
    assert!((rate - 2_020.0).abs() < 0.01, "{rate}");
    assert!((19.98..20.01).contains(&(last.stamp_s - 1_000.0)));
}

#[test]
fn a_soft_stop_comes_to_zero_in_a_second_and_what_follows_is_a_new_burst() {
    let mut h = Host::new(Settings::default());
    h.run(6.0);
    h.s.stop(Stop::Soft, h.now_s);
    assert!(matches!(h.s.queue(&[0.1], h.now_s), Err(StimulatorError::Refused { .. })));
    h.poll(0.2);
    for _ in 0..9 {
        h.poll(0.1);
    }
    assert_eq!((h.status.state, h.status.current_ma, h.status.fault), (State::Armed, 0.0, None));
    h.run(0.1);
    assert_eq!(h.status.state, State::RampUp);
}

#[test]
fn zeros_end_a_burst_without_a_fault_and_the_next_begins() {
    let mut h = Host::new(Settings::default());
    h.run(6.0);
    h.poll(0.06);
    let down = (0..20).map(|k| wave(h.next - 1) * (19 - k) as f32 / 20.0);
    let rest: Vec<f32> = down.chain([0.0; 40]).collect();
    h.s.queue(&rest, h.now_s).unwrap();
    h.poll(0.2);
    assert_eq!((h.status.state, h.status.fault, h.status.underruns), (State::Armed, None, 0));
    h.run(0.1);
    assert_eq!(h.status.state, State::RampUp);
}

#[test]
fn each_injected_fault_is_latched_and_ends_at_zero() {
    type Break = fn(&mut Injected);
    let cases: [(Break, FaultCode, f64); 7] = [
        (|i| i.e_stop = true, FaultCode::EStop, 0.01),
        (|i| i.dac_failed = true, FaultCode::Dac, 0.01),
        (|i| i.dac_stuck_ma = Some(2.2), FaultCode::OverCurrent, 0.01),
        (|i| i.readback_gain = 0.9, FaultCode::Readback, 0.17),
        (|i| i.samples_lost = true, FaultCode::Underrun, 0.21),
        (|i| i.link_lost = true, FaultCode::Underrun, 0.21),
        (|i| i.impedance_kohm = 12.0, FaultCode::ImpedanceJump, 0.41),
    ];
    for (break_it, code, within_s) in cases {
        let mut h = Host::new(Settings::default());
        h.run(6.0);
        break_it(h.s.injected());
        h.run(within_s);
        if h.s.injected().link_lost {
            assert!(matches!(h.s.queue(&[0.0], h.now_s), Err(StimulatorError::Lost { .. })));
            *h.s.injected() = Injected::default();
            h.poll(0.001);
        }
        let fault = h.status.fault.unwrap_or_else(|| panic!("{code:?} was not latched"));
        assert_eq!((fault.code, h.status.state, h.status.current_ma), (code, State::Fault, 0.0), "{fault:?}");
        assert!((0.0..=within_s).contains(&(fault.at_s - 1_006.0)), "{code:?} at {}", fault.at_s);
        // Nothing restarts by itself, even when the cause has gone.
        *h.s.injected() = Injected::default();
        h.run(1.0);
        assert_eq!((h.status.state, h.status.current_ma), (State::Fault, 0.0));
        assert!(h.s.arm(h.now_s).is_err());
        // Nor does the next run clear it unasked: it is told code and number, and may not arm.
        let told = h.s.connect(&LIMITS, Latched::Refuse, h.now_s).unwrap_err();
        assert!(
            matches!(told, StimulatorError::Faulted { code: c, value, .. } if (c, value) == (code, fault.value)),
            "{told}"
        );
        assert!(told.to_string().contains("--clear-fault"), "{told}");
        assert!(h.s.arm(h.now_s).is_err());
        assert!(h.s.connect(&LIMITS, Latched::Refuse, h.now_s).is_err(), "refused twice as well");
        // A person says that it may be cleared.
        h.s.connect(&LIMITS, Latched::Clear(code), h.now_s).unwrap();
        let cautions = h.s.cautions().join("\n");
        assert!(cautions.contains(&format!("{code:?}")) && cautions.contains("was cleared"), "{cautions}");
        h.s.arm(h.now_s).unwrap();
    }
}

#[test]
fn a_host_that_is_frozen_loses_the_device() {
    let mut h = Host::new(Settings { queue_capacity: 2_000, ..Settings::default() });
    h.run(6.0);
    h.poll(30.0);
    let fault = h.status.fault.unwrap();
    assert_eq!((fault.code, h.status.state), (FaultCode::Heartbeat, State::Fault));
    assert!((fault.at_s - 1_006.25).abs() < 0.06, "{}", fault.at_s);
}

#[test]
fn limits_above_the_firmware_are_refused_by_name() {
    let mut s = SimulatedStimulator::simulated(Settings::default());
    let error = s.connect(&Limits { peak_ma: 3.0, ..LIMITS }, Latched::Refuse, 0.0).unwrap_err();
    assert!(error.to_string().contains("peak_ma = 2, asked for 3"), "{error}");
    let error = s.connect(&Limits { dc_ma: f32::NAN, ..LIMITS }, Latched::Refuse, 0.0).unwrap_err();
    assert!(error.to_string().contains("dc_ma"), "{error}");
    assert!(s.arm(0.0).is_err());
}

#[test]
fn firmware_of_other_rules_or_limits_is_refused() {
    let mut s = SimulatedStimulator::simulated(Settings::default());
    let identity = Identity {
        serial: 1,
        rate_hz: RATE_HZ,
        dac_rate_hz: 4_000,
        queue_capacity: 200,
        emulated: true,
        crystal_failed: false,
        watchdog_reset: false,
        build: tras_device::BUILD,
        hard: tras_device::hard::LIMITS,
    };
    let mut told = |identity| {
        s.line_mut().device = Device::new(Config { identity, entropy: 1 });
        s.connect(&LIMITS, Latched::Refuse, 0.0).map_err(|error| error.to_string())
    };
    assert_eq!(told(identity), Ok(LIMITS));
    let other = told(Identity { build: identity.build ^ 1, ..identity }).unwrap_err();
    assert!(other.contains("built from other rules"), "{other}");
    // One bit of its memory has flipped: 2 mA have become 4.
    let hard =
        Limits { peak_ma: f32::from_bits(identity.hard.peak_ma.to_bits() ^ 0x0080_0000), ..identity.hard };
    let corrupt = told(Identity { hard, ..identity }).unwrap_err();
    assert!(corrupt.contains("hard limit peak_ma is 4 where this program knows 2"), "{corrupt}");
}

#[test]
fn nonsense_times_are_survived_and_equal_calls_give_equal_bits() {
    let run = || {
        let mut h = Host::new(Settings { rate_error_ppm: -37.0, ..Settings::default() });
        h.run(1.0);
        for t in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 0.0, h.now_s - 1.0] {
            h.s.poll(t, &mut |_| {});
        }
        h.run(5.0);
        h.played.iter().map(|d| (d.index, d.stamp_s.to_bits(), d.current_ma.to_bits())).collect::<Vec<_>>()
    };
    let first = run();
    assert!(first.len() > 10_000);
    assert_eq!(first, run());
}
