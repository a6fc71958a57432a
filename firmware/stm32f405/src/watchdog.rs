//! The independent watchdog: its own oscillator, and once started nothing stops it.

use stm32f4::stm32f405::Peripherals;

/// 32 kHz / 4 / 800 = 100 ms; the oscillator may run at 17 to 47 kHz, which makes it 68 to 188 ms.
const RELOAD: u16 = 800;

/// Starts it.
pub fn start(p: &Peripherals) {
    // Keys of the reference manual (21.4.1): start, then open the registers.
    p.IWDG.kr().write(|w| w.key().start());
    p.IWDG.kr().write(|w| w.key().unlock());
    p.IWDG.pr().write(|w| w.pr().divide_by4());
    // SAFETY: 12 bits.
    p.IWDG.rlr().write(|w| unsafe { w.rl().bits(RELOAD) });
    feed(p);
}

/// Each tick, and from nowhere else: what feeds the dog is what moves the current.
pub fn feed(p: &Peripherals) {
    p.IWDG.kr().write(|w| w.key().feed());
}
