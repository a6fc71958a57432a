//! Any sequence of messages, losses, repeats, reorderings and times: the output keeps every limit, and comes
//! to zero within its bound after any fault. What flows is added up here in f64, apart from the device.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod common;

use common::{Bench, LIMITS};
use proptest::prelude::*;
use tras_device::*;
use tras_wire::{DeviceMessage, HostMessage, Limits};

#[derive(Clone, Debug)]
enum Act {
    /// A well-behaved stretch: the queue kept full of a sine, with heartbeats, in ms. Its peak is a share of
    /// the limit in force.
    Play {
        ms: u32,
        f_hz: f32,
        peak: f32,
        dc_ma: f32,
    },
    /// Time passes: so many ticks of so many us.
    Run {
        ticks: u32,
        dt_us: u64,
    },
    /// Any sample values, at an index and a burst that may be wrong.
    Samples {
        values: Vec<f32>,
        offset: i64,
        burst: i64,
    },
    Heartbeat,
    Stop(Stop),
    Disarm,
    Hello,
    Limits(Limits),
    Arm {
        right: bool,
    },
    ClearFault {
        right: bool,
    },
    /// The newest message once more, or one of a few before it (reordered), or under another nonce.
    Again {
        back: usize,
        wrong_nonce: bool,
    },
    EStop(bool),
    Dac(bool),
    Head {
        kohm: f32,
        gain: f32,
        blind: bool,
    },
}

fn number() -> impl Strategy<Value = f32> {
    prop_oneof![
        6 => -2.5f32..2.5,
        1 => any::<f32>(),
        1 => prop::sample::select(vec![0.0, f32::NAN, f32::INFINITY, -1e30, 2.0, -2.0]),
    ]
}

fn limits() -> impl Strategy<Value = Limits> {
    let small =
        (0.05f32..3.0, 0.001f32..0.05, 0.02f32..1.0, 0.01f32..2.0, 0.05f32..20.0, 0.5f32..20.0, 50u32..400);
    small.prop_map(
        |(peak_ma, dc_ma, slew_ma_per_ms, net_charge_mc, total_charge_mc, active_s, heartbeat_ms)| Limits {
            peak_ma,
            dc_ma,
            slew_ma_per_ms,
            net_charge_mc,
            total_charge_mc,
            active_s,
            heartbeat_ms,
        },
    )
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        8 => (1u32..3_000, 1f32..60.0, 0f32..1.02, prop_oneof![2 => Just(0f32), 1 => -0.2f32..0.2])
            .prop_map(|(ms, f_hz, peak, dc_ma)| Act::Play { ms, f_hz, peak, dc_ma }),
        4 => (1u32..300, 0u64..2_000).prop_map(|(ticks, dt_us)| Act::Run { ticks, dt_us }),
        1 => (1u32..3, 0u64..100_000_000).prop_map(|(ticks, dt_us)| Act::Run { ticks, dt_us }),
        4 => (prop::collection::vec(number(), 0..=64), prop_oneof![6 => Just(0i64), 2 => -300i64..300, 1 => any::<i64>()],
              prop_oneof![4 => Just(0i64), 1 => -2i64..3])
            .prop_map(|(values, offset, burst)| Act::Samples { values, offset, burst }),
        3 => Just(Act::Heartbeat),
        2 => prop::sample::select(vec![Stop::Soft, Stop::Fast, Stop::Cut]).prop_map(Act::Stop),
        1 => Just(Act::Disarm),
        1 => Just(Act::Hello),
        1 => limits().prop_map(Act::Limits),
        4 => prop::bool::weighted(0.9).prop_map(|right| Act::Arm { right }),
        3 => prop::bool::weighted(0.9).prop_map(|right| Act::ClearFault { right }),
        3 => (0usize..6, prop::bool::weighted(0.2)).prop_map(|(back, wrong_nonce)| Act::Again { back, wrong_nonce }),
        1 => prop::bool::weighted(0.2).prop_map(Act::EStop),
        1 => prop::bool::weighted(0.8).prop_map(Act::Dac),
        1 => (prop_oneof![3 => 1f32..15.0, 1 => 0f32..40.0], prop_oneof![4 => Just(1f32), 1 => 0f32..2.0],
              prop::bool::weighted(0.1)).prop_map(|(kohm, gain, blind)| Act::Head { kohm, gain, blind }),
    ]
}

/// What flows, added up apart from the device.
#[derive(Default)]
struct Watch {
    before: Output,
    state: State,
    net_mc: f64,
    total_mc: f64,
    active_s: f64,
    /// The longest tick since arming.
    slack_s: f64,
    /// Since the host was last heard of; the device may think it shorter, never longer.
    silent_s: f64,
    heard: bool,
    largest_ma: f32,
}

impl Watch {
    fn look(&mut self, b: &Bench, dt_us: u64, limits: &Limits) {
        let (now, state, fault) = (b.device.output(), b.device.state(), b.fault());
        // After 20 ms without a tick the monostable has opened the relay, and nothing flows.
        let dt_s = dt_us.min(20_000) as f64 * 1e-6;
        let before_ma = f64::from(self.before.current_ma);
        if matches!(self.state, State::RampUp | State::Stimulating | State::RampDown | State::Fault) {
            self.active_s += if self.before.relay_closed { dt_s } else { 0.0 };
        }
        self.silent_s = if dt_us == 0 && self.heard { 0.0 } else { self.silent_s + dt_s };
        let patience_s = f64::from(limits.heartbeat_ms.min(250)) * 1e-3 + 0.1 + 2.0 * self.slack_s.max(dt_s);
        assert!(!now.relay_closed || self.silent_s <= patience_s, "no host for {} s", self.silent_s);
        self.heard = false;
        self.net_mc += before_ma * dt_s;
        self.total_mc += before_ma.abs() * dt_s;
        self.largest_ma = self.largest_ma.max(now.current_ma.abs());

        assert!(now.current_ma.is_finite());
        assert!(now.current_ma.abs() <= limits.peak_ma.min(2.0), "{now:?} above {}", limits.peak_ma);
        assert!(now.relay_closed || now.current_ma == 0.0, "current into an open relay");
        if matches!(state, State::Disarmed | State::Armed) {
            assert_eq!(now.current_ma, 0.0);
        }

        // A tick holds its current for as long as it lasts; nothing can be known sooner.
        self.slack_s = self.slack_s.max(dt_s);
        let slack_mc = f64::from(limits.peak_ma) * self.slack_s + 1e-6;
        assert!(
            self.net_mc.abs() <= f64::from(limits.net_charge_mc.min(1.0)) + slack_mc,
            "net {}",
            self.net_mc
        );
        assert!(self.total_mc <= f64::from(limits.total_charge_mc) + slack_mc, "total {}", self.total_mc);
        assert!(self.active_s <= f64::from(limits.active_s) + self.slack_s, "active {}", self.active_s);

        // A step is allowed only to zero with the relay opened (a cut). A ramp of 100 ms from what flowed is
        // never steeper than pi / 2 of its mean slope; a stop may ask for that below a small slew limit.
        let ramp_ma = 1.02 * f64::from(limits.peak_ma) * std::f64::consts::FRAC_PI_2 * dt_s / 0.1;
        let slew_ma = 1.002 * f64::from(limits.slew_ma_per_ms.min(0.5)) * dt_s * 1e3;
        let step_ma = (f64::from(now.current_ma) - before_ma).abs();
        let is_cut = !now.relay_closed && now.current_ma == 0.0;
        assert!(is_cut || step_ma <= ramp_ma.max(slew_ma) + 1.2e-4, "a step of {step_ma} mA in {dt_us} us");
        if state == State::RampUp || state == State::Stimulating {
            assert!(step_ma <= slew_ma + 1.2e-4, "slew: {step_ma} mA in {dt_us} us, {slew_ma} allowed");
        }

        if let Some(f) = fault {
            let bound_us = if f.code.cuts() { 0 } else { 100_000 };
            if b.now_us > f.at_us + bound_us + dt_us {
                assert_eq!(now, Output::default(), "{f:?} and still not at zero at {}", b.now_us);
            }
            assert_eq!(state, State::Fault);
        }
        if state == State::RampUp && self.state == State::Armed {
            self.net_mc = 0.0;
        }
        (self.before, self.state) = (now, state);
    }

    fn armed(&mut self) {
        (self.net_mc, self.total_mc, self.active_s, self.slack_s) = (0.0, 0.0, 0.0, 0.0);
        self.heard = true;
    }
}

fn run(acts: &[Act], limits: Limits) -> (f32, Vec<State>) {
    let mut b = Bench::new();
    let mut w = Watch::default();
    let mut in_force = LIMITS;
    let mut sent: Vec<HostMessage> = Vec::new();
    let mut states = vec![State::Disarmed];
    b.hello();
    let preface = [Act::Limits(limits), Act::Arm { right: true }];
    for act in preface.iter().chain(acts) {
        let mut ticks = (0, 0);
        let message = match act.clone() {
            Act::Play { ms, f_hz, peak, dc_ma } => {
                let wave = common::sine(f64::from(f_hz), f64::from(peak * in_force.peak_ma));
                for _ in 0..ms.div_ceil(5) {
                    let chunk: Vec<f32> = (b.index..b.index + 20).map(|k| wave(k) + dc_ma).collect();
                    if let DeviceMessage::Acknowledge { next_index, .. } = b.say(b.samples(b.index, &chunk)) {
                        b.index = next_index;
                    }
                    b.say(HostMessage::Heartbeat { echo: 0 });
                    w.heard = true;
                    w.look(&b, 0, &in_force);
                    for _ in 0..10 {
                        b.tick(500);
                        w.look(&b, 500, &in_force);
                    }
                }
                None
            }
            Act::Run { ticks: n, dt_us } => {
                ticks = (n, dt_us);
                None
            }
            Act::Samples { values, offset, burst } => {
                let burst = b.burst.saturating_add_signed(burst as i32);
                let right = std::mem::replace(&mut b.burst, burst);
                let m = b.samples(b.index.saturating_add_signed(offset), &values);
                b.burst = right;
                Some(m)
            }
            Act::Heartbeat => Some(HostMessage::Heartbeat { echo: 1 }),
            Act::Stop(how) => {
                b.burst += 1;
                Some(HostMessage::Stop(how))
            }
            Act::Disarm => Some(HostMessage::Disarm),
            Act::Hello => {
                b.hello();
                None
            }
            Act::Limits(limits) => Some(HostMessage::Limits(limits)),
            Act::Arm { right } => {
                let limits = if right { b.limits } else { LIMITS };
                Some(HostMessage::Arm { limits, valid_ms: 60_000 })
            }
            Act::ClearFault { right } => {
                let latched = b.fault().map(|f| f.code).filter(|_| right);
                Some(HostMessage::ClearFault(latched.unwrap_or(FaultCode::Peak)))
            }
            Act::Again { back, wrong_nonce } => {
                let old = sent.iter().rev().nth(back).cloned();
                if let Some(old) = old {
                    let right = (b.nonce, b.sequence);
                    b.nonce = if wrong_nonce { b.nonce ^ 1 } else { b.nonce };
                    b.sequence = b.sequence.saturating_sub(back as u32 + 1);
                    b.say(old);
                    (b.nonce, b.sequence) = right;
                }
                None
            }
            Act::EStop(pressed) => {
                b.e_stop = pressed;
                None
            }
            Act::Dac(ok) => {
                b.dac_ok = ok;
                None
            }
            Act::Head { kohm, gain, blind } => {
                (b.kohm, b.gain, b.blind) = (kohm, gain, blind);
                None
            }
        };
        if let Some(message) = message {
            sent.push(message.clone());
            w.heard = matches!(message, HostMessage::Heartbeat { .. });
            let arming = matches!(message, HostMessage::Arm { .. });
            match b.say(message) {
                DeviceMessage::Limits(echo) => b.limits = echo,
                DeviceMessage::Acknowledge { next_index, .. } if arming => {
                    (b.burst, b.index, in_force) = (1, next_index, b.limits);
                    w.armed();
                }
                DeviceMessage::Acknowledge { next_index, .. } => b.index = next_index,
                _ => {}
            }
        }
        w.look(&b, 0, &in_force);
        for _ in 0..ticks.0 {
            b.tick(ticks.1);
            w.look(&b, ticks.1, &in_force);
        }
        b.tick(250);
        w.look(&b, 250, &in_force);
        if states.last() != Some(&w.state) {
            states.push(w.state);
        }
    }
    // Left alone, whatever it was doing, it comes to zero and opens its relay: no host, no current.
    for _ in 0..(60_000 + 400) * 2 {
        b.tick(500);
        w.look(&b, 500, &in_force);
        if b.device.output() == Output::default() {
            break;
        }
    }
    assert_eq!(b.device.output(), Output::default());
    (w.largest_ma, states)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, max_shrink_iters: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn whatever_comes_the_output_keeps_every_limit(
        acts in prop::collection::vec(act(), 1..40), limits in limits(),
    ) {
        run(&acts, limits);
    }

    /// The ramp that follows a charge fault is part of the charge.
    #[test]
    fn charge_limits_hold_to_the_end_of_the_ramp(
        f_hz in 1f32..4.0, peak in 0.5f32..1.0, net_charge_mc in 0.02f32..0.2, total_charge_mc in 0.5f32..5.0,
    ) {
        let limits = Limits { net_charge_mc, total_charge_mc, ..LIMITS };
        run(&[Act::Play { ms: 8_000, f_hz, peak, dc_ma: 0.0 }], limits);
    }

    #[test]
    fn one_random_event_in_full_stimulation_keeps_every_limit(
        event in act(), f_hz in 1f32..40.0, then in act(),
    ) {
        // The slope of 40 Hz at 0.5 mA stays below the limit.
        let play = |ms| Act::Play { ms, f_hz, peak: 0.5, dc_ma: 0.0 };
        run(&[play(5_200), event, play(300), then, play(1_500)], LIMITS);
    }
}

/// That the sequences above do go somewhere: a property of a device that never left zero would be empty.
#[test]
fn the_random_sequences_reach_current_and_states() {
    use proptest::strategy::ValueTree;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let strategy = (prop::collection::vec(act(), 1..40), limits());
    let (mut with_current, mut seen) = (0, Vec::new());
    for _ in 0..200 {
        let (acts, limits) = strategy.new_tree(&mut runner).unwrap().current();
        let (largest_ma, states) = run(&acts, limits);
        with_current += u32::from(largest_ma > 0.05);
        seen.extend(states);
    }
    assert!(with_current > 60, "only {with_current} of 200 sequences make current");
    // Few random sequences last for the five seconds of a ramp up; the second property begins with one.
    let play = Act::Play { ms: 5_200, f_hz: 20.0, peak: 0.5, dc_ma: 0.0 };
    seen.extend(run(&[play], LIMITS).1);
    assert!(State::ALL.iter().all(|s| seen.contains(s)));
}
