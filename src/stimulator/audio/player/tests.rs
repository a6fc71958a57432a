//! The player behind the host's own link, on a clock that the test moves: no output, no server.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use proptest::prelude::*;
use ringbuf::{HeapRb, traits::Split};

use super::*;
use crate::stimulator::{
    Delivered, FaultCode, Latched, State, Status, Stimulator, StimulatorError, TESTED as LIMITS,
    linked::{Line, LinkSettings, Linked},
};

const RATE_HZ: u32 = 8_000;
/// A buffer of 10 ms.
const FRAMES: usize = 80;
const FULL_MA: f64 = 4.0;

/// An output that asks for a buffer every 10 ms, as long as nobody stops it.
struct Bench {
    name: Arc<str>,
    player: Player,
    out: HeapProd<u8>,
    back: HeapCons<u8>,
    left: HeapCons<Left>,
    shared: Arc<Shared>,
    due_s: f64,
    stopped: bool,
    /// Everything that went out, in mA.
    heard_ma: Vec<f64>,
}

impl Bench {
    fn new(rolloff_hz: Option<f64>) -> Self {
        let (out, heard) = HeapRb::new(65_536).split();
        let (answers, back) = HeapRb::new(65_536).split();
        let (left_in, left) = HeapRb::new(4_096).split();
        let shared = Arc::new(Shared::new());
        let drive = Drive { full_scale_ma: FULL_MA, peak_ma: 0.5, rolloff_hz };
        let rings = Rings { heard, answers, left: left_in };
        let player = Player::new(RATE_HZ, &drive, 7, rings, Arc::clone(&shared));
        let name = "bench".into();
        Self { name, player, out, back, left, shared, due_s: 0.0, stopped: false, heard_ma: Vec::new() }
    }

    fn buffer(&mut self, now_s: f64) {
        self.player.begin(FRAMES, 0.0, now_s);
        for _ in 0..FRAMES {
            self.heard_ma.push(f64::from(self.player.next_value()) * FULL_MA);
        }
        self.player.end();
    }
}

impl Line for Bench {
    fn name(&self) -> &Arc<str> {
        &self.name
    }

    fn open(&mut self) -> Result<(), StimulatorError> {
        Ok(())
    }

    fn wait(&mut self) -> f64 {
        let now_s = self.due_s;
        self.advance(now_s);
        0.010
    }

    fn advance(&mut self, now_s: f64) {
        while !self.stopped && self.due_s <= now_s + 1e-9 {
            let due_s = self.due_s;
            self.buffer(due_s);
            self.due_s += 0.010;
        }
    }

    fn send(&mut self, frame: &[u8]) -> bool {
        self.out.push_slice(frame) == frame.len()
    }

    fn receive(&mut self, into: &mut [u8]) -> usize {
        self.back.pop_slice(into)
    }

    fn lost(&self) -> Option<&'static str> {
        None
    }

    fn delivered(&mut self, each: &mut dyn FnMut(Delivered)) -> bool {
        while let Some(Left { index, at_s, current_ma }) = self.left.try_pop() {
            each(Delivered { index, stamp_s: at_s, current_ma });
        }
        true
    }

    fn measures(&self) -> bool {
        false
    }
}

struct Host {
    s: Linked<Bench>,
    now_s: f64,
    next: u64,
}

impl Host {
    fn armed(rolloff_hz: Option<f64>) -> Self {
        let link = LinkSettings { queue_s: 0.2, batch: 8, silent_after_s: 2.5 };
        let mut s = Linked::new(Bench::new(rolloff_hz), link);
        s.connect(&LIMITS, Latched::Refuse, 0.0).unwrap();
        let now_s = s.line().due_s;
        s.arm(now_s).unwrap();
        Self { s, now_s, next: 0 }
    }

    fn run(&mut self, seconds: f64, mut wave: impl FnMut(u64) -> f32) -> Status {
        let mut status = None;
        for _ in 0..(seconds * 200.0).round() as u64 {
            self.now_s += 0.005;
            let block: Vec<f32> = (self.next..self.next + self.s.room() as u64).map(&mut wave).collect();
            if self.s.queue(&block, self.now_s).is_ok() {
                self.next += block.len() as u64;
            }
            status = Some(self.s.poll(self.now_s, &mut |_| {}));
        }
        status.unwrap()
    }

    fn frames(&mut self) -> usize {
        self.s.line().heard_ma.len()
    }

    fn largest_ma(&mut self, from: usize) -> f64 {
        self.s.line().heard_ma[from..].iter().fold(0.0, |most, ma| ma.abs().max(most))
    }
}

fn sine(k: u64) -> f32 {
    0.45 * (std::f64::consts::TAU * 10.0 * k as f64 / 2_000.0).sin() as f32
}

/// Process and callback stand still together, or the callback alone while the host goes on beating.
#[test]
fn a_gap_longer_than_the_heartbeat_limit_is_a_fault_and_nothing_comes_back() {
    for (gap_s, host_too) in [(0.26, true), (0.5, true), (0.3, false), (2.0, false), (3_600.0, true)] {
        let mut host = Host::armed(None);
        let status = host.run(7.0, sine);
        assert_eq!((status.state, status.fault), (State::Stimulating, None));
        assert!(host.largest_ma(host.s.line().heard_ma.len() - 800) > 0.44);
        host.s.line_mut().stopped = true;
        if host_too {
            host.now_s += gap_s;
        } else {
            host.run(gap_s, sine);
        }
        let from = host.frames();
        (host.s.line_mut().stopped, host.s.line_mut().due_s) = (false, host.now_s);
        let status = host.run(4.0, sine);
        assert_eq!(host.largest_ma(from), 0.0, "after a gap of {gap_s} s");
        let fault = status.fault.expect("a fault");
        assert_eq!((fault.code, status.state), (FaultCode::Heartbeat, State::Fault));
        assert!((250.0..300.0).contains(&fault.value), "{fault:?}");
        let now_s = host.now_s;
        assert!(host.s.arm(now_s).is_err());
    }
}

#[test]
fn a_shorter_one_is_an_underrun_that_comes_back_by_its_ramp() {
    // Where the server says so, and where it does not.
    for told in [1, 0] {
        short_gap(told);
    }
}

fn short_gap(told: u64) {
    let mut host = Host::armed(None);
    host.run(7.0, sine);
    host.s.line_mut().stopped = true;
    host.now_s += 0.15;
    let from = host.frames();
    (host.s.line_mut().stopped, host.s.line_mut().due_s) = (false, host.now_s);
    host.s.line_mut().shared.dry.fetch_add(told, Ordering::Relaxed);
    let status = host.run(3.0, sine);
    assert_eq!((status.state, status.fault), (State::Stimulating, None));
    assert_eq!(host.s.line_mut().shared.underruns.load(Ordering::Relaxed), 1);
    let heard = &host.s.line_mut().heard_ma;
    let after = |ms: usize| &heard[from + ms * 8..from + (ms + 10) * 8];
    let most = |ms| after(ms).iter().fold(0.0_f64, |most, ma| ma.abs().max(most));
    assert_eq!([0, 20, 38].map(most), [0.0; 3], "zero for 50 ms");
    assert!(most(60) < 0.01 && most(500) > 0.1 && most(1_500) > 0.3, "a ramp of 1 s");
}

#[test]
fn three_underruns_within_a_minute_are_a_fault() {
    for (apart_s, is_fault) in [(3.0, true), (31.0, false)] {
        let mut host = Host::armed(None);
        host.run(7.0, sine);
        let (mut status, mut from) = (None, 0);
        for _ in 0..3 {
            host.s.line_mut().stopped = true;
            host.now_s += 0.15;
            from = host.frames();
            (host.s.line_mut().stopped, host.s.line_mut().due_s) = (false, host.now_s);
            status = Some(host.run(apart_s, sine));
        }
        let status = status.unwrap();
        let code = status.fault.map(|fault| fault.code);
        if is_fault {
            assert_eq!((code, status.state), (Some(FaultCode::DrySpells), State::Fault));
            // What is left of the fault's ramp when the wait for a return is over: nanoamperes.
            assert!(host.largest_ma(from) < 1e-4, "{} mA comes back", host.largest_ma(from));
            let now_s = host.now_s;
            assert!(host.s.arm(now_s).is_err());
        } else {
            assert_eq!((code, status.state), (None, State::Stimulating));
            assert_eq!(host.s.line_mut().shared.underruns.load(Ordering::Relaxed), 3);
        }
    }
}

#[test]
fn with_the_relay_open_a_gap_is_nothing() {
    let link = LinkSettings { queue_s: 0.2, batch: 8, silent_after_s: 2.5 };
    let mut s = Linked::new(Bench::new(None), link);
    s.connect(&LIMITS, Latched::Refuse, 0.0).unwrap();
    let now_s = s.line().due_s + 2.0;
    s.line_mut().due_s = now_s;
    let status = s.poll(now_s, &mut |_| {});
    assert_eq!((status.fault, status.lost), (None, None));
    s.arm(now_s).unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    /// Whatever the host sends and whatever roll-off is claimed, the output stays within the peak.
    #[test]
    fn the_output_never_exceeds_the_peak(
        rolloff_hz in proptest::option::of(0.01..10.0_f64),
        waves in proptest::collection::vec((0.1..60.0_f64, 0.0..0.6_f64, -0.5..0.5_f64), 1..4),
    ) {
        let mut host = Host::armed(rolloff_hz);
        for (hz, size_ma, level_ma) in waves {
            host.run(4.0, |k| {
                let wave = (std::f64::consts::TAU * hz * k as f64 / 2_000.0).sin();
                (size_ma * wave + level_ma).clamp(-0.5, 0.5) as f32
            });
        }
        let most_ma = host.largest_ma(0);
        prop_assert!(most_ma <= 0.5 * (1.0 + 1e-7), "{most_ma} mA");
    }
}
