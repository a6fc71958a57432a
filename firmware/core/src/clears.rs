//! How often each fault has been cleared: the third time within an hour is the last one until the device is
//! switched off. A cause that comes back is not mended by a word.

use tras_wire::FaultCode;

use crate::hard::{CLEARS, CLEARS_WITHIN_US};

const CODES: usize = FaultCode::ALL.len();
/// Bits that a code takes in what is kept.
const BITS: u32 = 2;

/// The clears of each code.
#[derive(Clone, Debug)]
pub(crate) struct Clears {
    past_us: [[Option<u64>; CLEARS - 1]; CODES],
    used_up: u32,
}

impl Clears {
    pub(crate) fn new() -> Self {
        Self { past_us: [[None; CLEARS - 1]; CODES], used_up: 0 }
    }

    fn at(code: FaultCode) -> usize {
        usize::from(code.number().saturating_sub(1))
    }

    /// Whether this fault may be cleared once more.
    pub(crate) fn are_left(&self, code: FaultCode) -> bool {
        self.used_up >> Self::at(code) & 1 == 0
    }

    /// It has been.
    pub(crate) fn note(&mut self, code: FaultCode, now_us: u64) {
        let at = Self::at(code);
        let Some(past) = self.past_us.get_mut(at) else { return };
        let is_recent =
            |past: &Option<u64>| past.is_some_and(|us| now_us.saturating_sub(us) <= CLEARS_WITHIN_US);
        if past.iter().all(is_recent) {
            self.used_up |= 1 << at;
        }
        past.rotate_left(1);
        if let Some(last) = past.last_mut() {
            *last = Some(now_us);
        }
    }

    /// For what is kept through a reset: how many there are of each.
    pub(crate) fn counts(&self, now_us: u64) -> u64 {
        let recent =
            |past: &&Option<u64>| past.is_some_and(|us| now_us.saturating_sub(us) <= CLEARS_WITHIN_US);
        self.past_us.iter().enumerate().fold(0, |bits, (at, past)| {
            let used_up = self.used_up >> at & 1 == 1;
            let count = if used_up { CLEARS } else { past.iter().filter(recent).count() };
            bits | (count as u64) << (BITS * at as u32)
        })
    }

    /// After a reset: how long ago they were is not known any more, so they count as of now.
    pub(crate) fn resumed(bits: u64) -> Self {
        let mut clears = Self::new();
        for (at, past) in clears.past_us.iter_mut().enumerate() {
            let count = (bits >> (BITS * at as u32) & 3) as usize;
            past.iter_mut().rev().take(count).for_each(|us| *us = Some(0));
            clears.used_up |= u32::from(count >= CLEARS) << at;
        }
        clears
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE_US: u64 = 60_000_000;

    #[test]
    fn three_within_an_hour_are_all_and_slower_ones_go_on() {
        let mut c = Clears::new();
        for k in 0..3 {
            assert!(c.are_left(FaultCode::Dac), "{k}");
            c.note(FaultCode::Dac, k * 29 * MINUTE_US);
        }
        assert!(!c.are_left(FaultCode::Dac) && c.are_left(FaultCode::Stalled));
        for k in 0..10 {
            c.note(FaultCode::Peak, k * 31 * MINUTE_US);
            assert!(c.are_left(FaultCode::Peak), "{k}");
        }
        // A day later as well: it is said once and holds until the device is switched off.
        c.note(FaultCode::Dac, 48 * 60 * MINUTE_US);
        assert!(!c.are_left(FaultCode::Dac));
    }

    #[test]
    fn a_reset_gives_none_back() {
        for code in FaultCode::ALL {
            let mut c = Clears::new();
            c.note(code, 10 * MINUTE_US);
            c = Clears::resumed(c.counts(11 * MINUTE_US));
            c.note(code, MINUTE_US);
            c = Clears::resumed(c.counts(2 * MINUTE_US));
            assert!(c.are_left(code));
            c.note(code, 0);
            assert!(!Clears::resumed(c.counts(0)).are_left(code), "{code:?}");
        }
        assert!(BITS * CODES as u32 <= u64::BITS && CODES <= 32);
    }
}
