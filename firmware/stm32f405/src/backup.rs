//! The memory that no reset touches, for [`tras_device::Keeper`].
//!
//! On the board: the 20 backup registers of the RTC. They outlast the watchdog, the reset pin, a software reset and a
//! brown-out for as long as VBAT has a supply; `firmware/README.md` ties it to VDD, so that switching the board off
//! for ten seconds is what blanks them. In the emulator, which has none: the last bytes of RAM, which its reset
//! leaves alone.

use stm32f4::stm32f405::Peripherals;
use tras_device::{Memory, WORDS};

/// The two slots.
pub struct Backup<'a> {
    #[cfg_attr(feature = "emulator", expect(dead_code, reason = "the emulator has no backup registers"))]
    p: &'a Peripherals,
}

#[cfg(not(feature = "emulator"))]
impl<'a> Backup<'a> {
    /// Opens the registers for writing.
    pub fn open(p: &'a Peripherals) -> Self {
        p.RCC.apb1enr().modify(|_, w| w.pwren().set_bit());
        p.PWR.cr().modify(|_, w| w.dbp().set_bit());
        Self { p }
    }
}

#[cfg(not(feature = "emulator"))]
impl Memory for Backup<'_> {
    fn read(&self, slot: usize) -> [u32; WORDS] {
        let mut words = [0; WORDS];
        for (word, register) in words.iter_mut().zip(self.p.RTC.bkpr_iter().skip(slot * WORDS)) {
            *word = register.read().bits();
        }
        words
    }

    fn write(&mut self, slot: usize, words: &[u32; WORDS]) {
        for (word, register) in words.iter().zip(self.p.RTC.bkpr_iter().skip(slot * WORDS)) {
            // SAFETY: any value may stand in a backup register.
            register.write(|w| unsafe { w.bits(*word) });
        }
    }
}

#[cfg(feature = "emulator")]
impl<'a> Backup<'a> {
    /// Nothing has to be opened.
    pub fn open(p: &'a Peripherals) -> Self {
        Self { p }
    }

    /// Where `memory.x` leaves room for them, above the stack.
    fn slot(slot: usize) -> *mut u32 {
        const KEPT: usize = 0x2001_FF00;
        (KEPT + 4 * WORDS * slot.min(1)) as *mut u32
    }
}

#[cfg(feature = "emulator")]
impl Memory for Backup<'_> {
    fn read(&self, slot: usize) -> [u32; WORDS] {
        let mut words = [0; WORDS];
        for (k, word) in words.iter_mut().enumerate() {
            // SAFETY: aligned words of RAM that the linker gives to nothing else.
            *word = unsafe { Self::slot(slot).add(k).read_volatile() };
        }
        words
    }

    fn write(&mut self, slot: usize, words: &[u32; WORDS]) {
        for (k, word) in words.iter().enumerate() {
            // SAFETY: as above.
            unsafe { Self::slot(slot).add(k).write_volatile(*word) };
        }
    }
}
