//! Any line, however bad: what the device plays is what was queued, sample by sample, or nothing.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::sync::Arc;

use proptest::prelude::*;

use tras_wire::{HostMessage, MAX_FRAME, Stop, carried_ma, encode};

use super::*;
use crate::stimulator::{
    Delivered, Latched, Stimulator, TESTED as LIMITS,
    simulated::{DirectLine, Settings},
};

/// The simulated device behind a line that loses, repeats and changes bytes and holds them back.
struct BadLine {
    inner: DirectLine,
    dice: u32,
    /// One in so many, each; 0: never.
    lose: u32,
    repeat: u32,
    flip: u32,
    late: Vec<u8>,
    quiet: bool,
}

impl BadLine {
    fn one_in(&mut self, n: u32) -> bool {
        self.dice = self.dice.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        !self.quiet && n > 0 && (self.dice >> 8).is_multiple_of(n)
    }

    fn spoil(&mut self, bytes: &[u8]) -> Vec<u8> {
        if self.one_in(self.lose) {
            return Vec::new();
        }
        let mut spoiled = bytes.to_vec();
        if self.one_in(self.repeat) {
            spoiled.extend_from_slice(bytes);
        }
        if self.one_in(self.flip) && !spoiled.is_empty() {
            let at = self.dice as usize % spoiled.len();
            spoiled[at] ^= 1 << (self.dice >> 20 & 7);
        }
        spoiled
    }
}

impl Line for BadLine {
    fn name(&self) -> &Arc<str> {
        self.inner.name()
    }

    fn open(&mut self) -> Result<(), StimulatorError> {
        self.inner.open()
    }

    fn wait(&mut self) -> f64 {
        self.inner.wait()
    }

    fn advance(&mut self, now_s: f64) {
        self.inner.advance(now_s);
        // What was held back arrives with the next step of time.
        let late = std::mem::take(&mut self.late);
        self.inner.send(&late);
    }

    fn send(&mut self, frame: &[u8]) -> bool {
        let spoiled = self.spoil(frame);
        if self.quiet {
            self.inner.send(&spoiled);
        } else {
            self.late.extend(spoiled);
        }
        true
    }

    fn receive(&mut self, into: &mut [u8]) -> usize {
        let mut bytes = vec![0; into.len() / 2];
        let count = self.inner.receive(&mut bytes);
        let spoiled = self.spoil(&bytes[..count]);
        into[..spoiled.len()].copy_from_slice(&spoiled);
        if spoiled.is_empty() && count > 0 { self.receive(into) } else { spoiled.len() }
    }

    fn lost(&self) -> Option<&'static str> {
        self.inner.lost()
    }

    fn delivered(&mut self, each: &mut dyn FnMut(Delivered)) -> bool {
        self.inner.delivered(each)
    }

    fn host_s(&self, device_us: u64) -> Option<f64> {
        self.inner.host_s(device_us)
    }
}

fn wave(k: u64) -> f32 {
    0.45 * (std::f64::consts::TAU * 10.0 * k as f64 / 2_000.0).sin() as f32
}

fn linked(dice: u32, [lose, repeat, flip]: [u32; 3]) -> Linked<BadLine> {
    let inner = DirectLine::new(Settings { queue_capacity: 400, ..Settings::default() });
    let line = BadLine { inner, dice, lose, repeat, flip, late: Vec::new(), quiet: true };
    let mut s = Linked::new(line, LinkSettings { queue_s: 0.1, batch: 8, silent_after_s: 0.3 });
    assert_eq!(s.connect(&LIMITS, Latched::Refuse, 100.0).unwrap(), LIMITS);
    s.arm(100.0).unwrap();
    s.line_mut().quiet = false;
    s
}

/// Queues and polls for so long; the device's word at the end.
fn play(s: &mut Linked<BadLine>, now_s: &mut f64, seconds: f64, next: &mut u64) -> Status {
    let until_s = *now_s + seconds;
    loop {
        *now_s += 0.001;
        let block: Vec<f32> = (*next..*next + s.room() as u64).map(wave).collect();
        if s.queue(&block, *now_s).is_ok() {
            *next += block.len() as u64;
        }
        let status = s.poll(*now_s, &mut |_| {});
        if *now_s >= until_s {
            return status;
        }
    }
}

#[test]
fn a_queue_longer_than_the_devices_is_kept_as_full_as_that_is() {
    for queue_s in [0.02, 0.1, 0.5, 1.0] {
        let inner = DirectLine::new(Settings { queue_capacity: 200, ..Settings::default() });
        let line = BadLine { inner, dice: 1, lose: 0, repeat: 0, flip: 0, late: Vec::new(), quiet: true };
        let batch = crate::stimulator::serial::batch(queue_s);
        let mut s = Linked::new(line, LinkSettings { queue_s, batch, silent_after_s: 0.3 });
        s.connect(&LIMITS, Latched::Refuse, 100.0).unwrap();
        s.arm(100.0).unwrap();
        s.line_mut().quiet = false;
        let status = play(&mut s, &mut 100.0, 8.0, &mut 0);
        assert_eq!(
            (status.underruns, status.fault, status.state),
            (0, None, State::Stimulating),
            "{queue_s} s"
        );
        // A batch and what is played between two looks may be missing.
        let target = (2_000.0 * queue_s).min(200.0) as u32;
        assert!(status.queue_fill + 30 >= target, "{} of {target} at {queue_s} s", status.queue_fill);
    }
}

#[test]
fn frames_of_another_session_are_refused_and_do_not_end_this_one() {
    let mut s = linked(1, [0; 3]);
    let (mut now_s, mut next) = (100.0, 0);
    play(&mut s, &mut now_s, 7.0, &mut next);
    for sequence in 0..20 {
        let header = Header { nonce: s.header.nonce ^ 0x5A, sequence };
        let mut frame = [0; MAX_FRAME];
        let n = encode(header, &HostMessage::Heartbeat { echo: 0 }, &mut frame).unwrap();
        s.line_mut().inner.send(&frame[..n]);
    }
    let status = play(&mut s, &mut now_s, 1.0, &mut next);
    assert_eq!((status.lost, status.fault, status.state), (None, None, State::Stimulating));
}

/// Twelve seconds over a line like this, stopped at those times.
fn judged(dice: u32, chances: [u32; 3], stops: &[(f64, u8)]) -> Result<(), TestCaseError> {
    let mut s = linked(dice, chances);
    let (mut now_s, mut next) = (100.0, 0_u64);
    let mut queued: Vec<f32> = Vec::new();
    while now_s < 112.0 {
        now_s += 0.001;
        for (at_s, how) in stops {
            if (now_s - 100.0 - at_s).abs() < 0.000_5 {
                s.stop([Stop::Soft, Stop::Fast, Stop::Cut][usize::from(*how)], now_s);
            }
        }
        let block: Vec<f32> = (next..next + s.room() as u64).map(wave).collect();
        if s.queue(&block, now_s).is_ok() {
            next += block.len() as u64;
            queued.extend(&block);
        }
        let mut wrong = None;
        let status = s.poll(now_s, &mut |d| {
            // Never more than was queued for this very sample.
            let asked = queued.get(d.index as usize).copied();
            if asked.is_none_or(|asked| d.current_ma.abs() > asked.abs() + 1e-6 || d.current_ma * asked < 0.0)
            {
                wrong = Some((d, asked));
            }
        });
        prop_assert!(wrong.is_none(), "played {wrong:?}");
        if let Some(fault) = status.fault {
            use crate::stimulator::FaultCode::{DrySpells, Heartbeat, SequenceGap, Underrun};
            prop_assert!(matches!(fault.code, Underrun | SequenceGap | Heartbeat | DrySpells), "{fault:?}");
            // 100 ms for the ramp, and nothing after.
            prop_assert!(now_s - fault.at_s < 0.12 || status.lost.is_some() || status.current_ma == 0.0);
        }
    }
    // A stop is heard over any of these lines.
    s.stop(Stop::Cut, now_s);
    for _ in 0..1_000 {
        now_s += 0.001;
        s.poll(now_s, &mut |_| {});
    }
    s.line_mut().quiet = true;
    let status = s.poll(now_s + 0.001, &mut |_| {});
    prop_assert_eq!(status.current_ma, 0.0);
    Ok(())
}

/// The last sample before the third dry spell had half a step to go when the fault held the current.
#[test]
fn the_sample_before_a_fault_is_reached_as_its_number_says() {
    judged(1_713_998_304, [2, 16, 8], &[]).unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn what_is_played_is_what_was_queued_or_nothing(
        dice: u32,
        chances in [0_u32..40, 0_u32..40, 0_u32..40],
        stops in proptest::collection::vec((1.0..12.0_f64, 0_u8..3), 0..3),
    ) {
        judged(dice, chances, &stops)?;
    }

    /// Frames that are lost, repeated or broken now and then cost nothing: all is sent again in time.
    #[test]
    fn a_line_that_spoils_little_loses_no_sample(dice: u32, chances in [60_u32..120, 60_u32..120, 60_u32..120]) {
        let mut s = linked(dice, chances);
        let (mut now_s, mut next, mut played) = (100.0, 0_u64, 0_u64);
        while now_s < 108.0 {
            now_s += 0.001;
            let block: Vec<f32> = (next..next + s.room() as u64).map(wave).collect();
            s.queue(&block, now_s).unwrap();
            next += block.len() as u64;
            let mut wrong = None;
            let status = s.poll(now_s, &mut |d| {
                // From the end of the device's ramp on, the very bits.
                if d.index != played || (played > 10_100 && d.current_ma != carried_ma(wave(d.index))) {
                    wrong = Some(d);
                }
                played += 1;
            });
            prop_assert!(wrong.is_none(), "sample {played} is {wrong:?}");
            prop_assert_eq!((status.fault, status.lost, status.underruns), (None, None, 0));
        }
        prop_assert!(played > 15_000 && s.repeated() > 0, "{played} played, {} sent again", s.repeated());
    }

    #[test]
    fn bytes_of_any_kind_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..2_000)) {
        let mut s = linked(1, [0, 0, 0]);
        s.line_mut().quiet = true;
        for (k, chunk) in bytes.chunks(64).enumerate() {
            s.line_mut().inner.inject(chunk);
            let _ = s.poll(100.0 + k as f64 * 0.01, &mut |_| {});
        }
        let status = s.poll(100.0 + bytes.len() as f64 * 0.01, &mut |_| {});
        prop_assert_eq!(status.current_ma, 0.0);
    }
}
