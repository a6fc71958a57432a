//! What a device keeps through a reset: its dose, its faults, its clears. A reset gives nothing back.
//!
//! In: the words that a board finds in a memory that resets do not touch ([`Memory`]). Out: the same, written anew
//! each tick into one of two slots in turn, so that a reset in the middle of writing leaves the other one whole.
//! Charge is rounded away from zero and time up: a hundred resets may count a little too much, never too little.

use tras_wire::{Fault, FaultCode, crc32};

/// Words of 32 bits in a slot; two slots are the 20 backup registers of an STM32F4.
pub const WORDS: usize = 10;
/// fC in a uC, and in a nC.
const FC_PER_UC: i64 = 1_000_000_000;
const FC_PER_NC: i64 = 1_000_000;

/// A memory that no reset touches, only the loss of power.
pub trait Memory {
    /// What is in slot 0 or 1.
    fn read(&self, slot: usize) -> [u32; WORDS];
    /// Puts it there.
    fn write(&mut self, slot: usize, words: &[u32; WORDS]);
}

/// See the module.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Kept {
    /// Integral of |current|, in fC.
    pub total_fc: i64,
    /// Time with current, in us.
    pub active_us: u64,
    /// One-sided charge as commanded, in fC.
    pub commanded_fc: i64,
    /// One-sided charge, measured less commanded, in fC.
    pub error_fc: i64,
    /// The latched fault.
    pub fault: Option<Fault>,
    /// A second, graver one behind it.
    pub graver: Option<FaultCode>,
    /// The relay was closed.
    pub closed: bool,
    /// Clears of each code, two bits each.
    pub clears: u64,
}

/// What a start has found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Found {
    /// Nothing: the device has been switched on.
    Blank,
    /// What was kept.
    Kept(Kept),
    /// Something, and neither slot can be read.
    Spoilt,
}

fn away(fc: i64, unit: i64) -> i64 {
    fc / unit + (fc % unit).signum()
}

impl Kept {
    fn words(&self, count: u32) -> [u32; WORDS] {
        let signed = |fc: i64| away(fc, FC_PER_NC).clamp(i32::MIN.into(), i32::MAX.into()) as i32 as u32;
        let code = |code: Option<FaultCode>| u32::from(code.map_or(0, FaultCode::number));
        let flags = code(self.fault.map(|f| f.code)) | code(self.graver) << 8 | u32::from(self.closed) << 16;
        let mut words = [
            count,
            u32::try_from(away(self.total_fc, FC_PER_UC)).unwrap_or(u32::MAX),
            u32::try_from(self.active_us.div_ceil(1_000)).unwrap_or(u32::MAX),
            signed(self.commanded_fc),
            signed(self.error_fc),
            flags,
            self.fault.map_or(0, |f| f.value.to_bits()),
            self.clears as u32,
            (self.clears >> 32) as u32,
            0,
        ];
        let sum = checksum(&words);
        if let Some(last) = words.last_mut() {
            *last = sum;
        }
        words
    }

    fn from_words(words: &[u32; WORDS]) -> Option<(u32, Self)> {
        let [count, total, active, commanded, error, flags, value, low, high, sum] = *words;
        if sum != checksum(words) {
            return None;
        }
        // Zero is no code; anything else that is none was not written by this program.
        let code = |shift: u32| match (flags >> shift) as u8 {
            0 => Some(None),
            number => FaultCode::from_number(number).map(Some),
        };
        let fault = code(0)?.map(|code| Fault { code, value: f32::from_bits(value), at_us: 0 });
        let kept = Self {
            total_fc: i64::from(total) * FC_PER_UC,
            active_us: u64::from(active) * 1_000,
            commanded_fc: i64::from(commanded as i32) * FC_PER_NC,
            error_fc: i64::from(error as i32) * FC_PER_NC,
            fault,
            graver: code(8)?,
            closed: flags >> 16 & 1 == 1,
            clears: u64::from(high) << 32 | u64::from(low),
        };
        Some((count, kept))
    }
}

fn checksum(words: &[u32; WORDS]) -> u32 {
    let mut bytes = [0; 4 * (WORDS - 1)];
    for (four, word) in bytes.chunks_exact_mut(4).zip(words) {
        four.copy_from_slice(&word.to_le_bytes());
    }
    // Of zeros it is not zero: a blank memory is never taken for one that was written.
    crc32(&bytes)
}

/// Writes what is kept, each time over the older slot.
pub struct Keeper<M> {
    memory: M,
    count: u32,
}

impl<M: Memory> Keeper<M> {
    /// Reads what an earlier run has left.
    pub fn open(memory: M) -> (Self, Found) {
        let slots = [memory.read(0), memory.read(1)];
        let [one, two] = slots.each_ref().map(Kept::from_words);
        let newer = match (one, two) {
            (Some((a, _)), Some((b, _))) if (b.wrapping_sub(a) as i32) > 0 => two,
            (Some(_), _) => one,
            (None, _) => two,
        };
        let found = match newer {
            Some((_, kept)) => Found::Kept(kept),
            None if slots.as_flattened().iter().all(|word| *word == 0) => Found::Blank,
            None => Found::Spoilt,
        };
        (Self { memory, count: newer.map_or(0, |(count, _)| count) }, found)
    }

    /// To be called after each tick.
    pub fn keep(&mut self, kept: &Kept) {
        self.count = self.count.wrapping_add(1);
        let words = kept.words(self.count);
        self.memory.write((self.count & 1) as usize, &words);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::panic, clippy::indexing_slicing, reason = "tests")]

    use super::*;

    #[derive(Clone, Copy)]
    struct Ram([[u32; WORDS]; 2]);

    impl Memory for Ram {
        fn read(&self, slot: usize) -> [u32; WORDS] {
            self.0[slot]
        }

        fn write(&mut self, slot: usize, words: &[u32; WORDS]) {
            self.0[slot] = *words;
        }
    }

    const SOME: Kept = Kept {
        total_fc: 4_799 * 1_000 * FC_PER_UC,
        active_us: 3_599_000_000,
        commanded_fc: -999_999 * FC_PER_NC,
        error_fc: 12 * FC_PER_NC,
        fault: Some(Fault { code: FaultCode::Readback, value: 0.05, at_us: 0 }),
        graver: Some(FaultCode::EStop),
        closed: true,
        clears: 0x3FFF_0000_1111,
    };

    #[test]
    fn what_is_kept_comes_back_and_what_is_rounded_grows() {
        let (mut keeper, found) = Keeper::open(Ram([[0; WORDS]; 2]));
        assert_eq!(found, Found::Blank);
        keeper.keep(&Kept { total_fc: 1, active_us: 1, commanded_fc: -1, error_fc: 1, ..SOME });
        let Found::Kept(got) = Keeper::open(keeper.memory).1 else { panic!() };
        assert_eq!((got.total_fc, got.active_us), (FC_PER_UC, 1_000));
        assert_eq!((got.commanded_fc, got.error_fc), (-FC_PER_NC, FC_PER_NC));
        keeper.keep(&SOME);
        assert_eq!(Keeper::open(keeper.memory).1, Found::Kept(SOME), "the newer of the two");
    }

    #[test]
    fn a_write_that_a_reset_has_cut_short_leaves_the_one_before() {
        let (mut keeper, _) = Keeper::open(Ram([[0; WORDS]; 2]));
        let before = Kept { active_us: 5_000, ..SOME };
        keeper.keep(&before);
        let old = keeper.memory;
        keeper.keep(&SOME);
        let new = keeper.memory;
        // Any number of its words has reached the memory.
        for written in 0..WORDS {
            let mut torn = old;
            torn.0[0][..written].copy_from_slice(&new.0[0][..written]);
            assert_eq!(Keeper::open(torn).1, Found::Kept(before), "{written} words");
        }
        // And with one bit changed in both, nothing is believed.
        for (slot, word, bit) in [(0, 0, 0), (1, 2, 31), (0, 9, 7), (1, 5, 16)] {
            let mut bad = new;
            bad.0[slot][word] ^= 1 << bit;
            assert_ne!(Keeper::open(bad).1, Found::Spoilt, "the other slot is whole");
            bad.0[1 - slot][word] ^= 1 << bit;
            assert_eq!(Keeper::open(bad).1, Found::Spoilt);
        }
    }
}
