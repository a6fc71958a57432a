//! 168 MHz from the crystal, or from the internal oscillator where no crystal starts; and what kind of start
//! this is. Every wait is bounded.

use stm32f4::stm32f405::Peripherals;

/// Looks at a flag before giving up, about 20 ms at 16 MHz: a crystal starts in 2 ms, the PLL locks in 0.3 ms.
const PATIENCE: u32 = 40_000;

/// How the board has started.
pub struct Started {
    /// The crystal did not start: the clock is the internal oscillator's, within 1 %.
    pub crystal_failed: bool,
    /// The independent watchdog ended the last run.
    pub watchdog_reset: bool,
    /// Of the controller.
    pub serial: u32,
    /// From the random number generator.
    pub entropy: u32,
}

/// Starts the clock. Where not even the PLL locks the controller is broken, and this does not return: the
/// relay stays open. Nor does it where this image was built for the other of board and emulator: which it is, is
/// never found out by trying.
pub fn start(p: &Peripherals) -> Started {
    // The internal oscillator runs this very code, so on a board its ready flag is always set; QEMU has no such flag.
    let is_board = wait(|| p.RCC.cr().read().hsirdy().bit());
    if is_board == cfg!(feature = "emulator") {
        crate::halt();
    }
    if cfg!(feature = "emulator") {
        return Started { crystal_failed: false, watchdog_reset: false, serial: 0xE405, entropy: 1 };
    }
    let watchdog_reset = p.RCC.csr().read().wdgrstf().bit();
    p.RCC.csr().modify(|_, w| w.rmvf().set_bit());

    let has_crystal = cfg!(any(feature = "crystal-8mhz", feature = "crystal-12mhz"));
    p.RCC.cr().modify(|_, w| w.hseon().bit(has_crystal));
    let crystal = has_crystal && wait(|| p.RCC.cr().read().hserdy().bit());
    if !crystal {
        p.RCC.cr().modify(|_, w| w.hseon().clear_bit());
    }
    let source_mhz = match crystal {
        true if cfg!(feature = "crystal-8mhz") => 8,
        true => 12,
        false => 16,
    };
    // 1 MHz into the PLL, 336 MHz, 168 MHz to the core, 48 MHz to the random number generator.
    p.RCC.pllcfgr().write(|w| {
        // SAFETY: M = 8..16, N = 336 and Q = 7 are within what the reference manual allows.
        let w = unsafe { w.pllm().bits(source_mhz).plln().bits(336).pllq().bits(7) };
        w.pllp().div2().pllsrc().bit(crystal)
    });
    p.RCC.cr().modify(|_, w| w.pllon().set_bit());
    p.FLASH.acr().write(|w| w.latency().ws5().icen().set_bit().dcen().set_bit().prften().set_bit());
    if !wait(|| p.RCC.cr().read().pllrdy().bit()) {
        crate::halt();
    }
    // APB1 42 MHz (its timers 84 MHz), APB2 84 MHz.
    p.RCC.cfgr().modify(|_, w| w.hpre().div1().ppre1().div4().ppre2().div2().sw().pll());
    if !wait(|| p.RCC.cfgr().read().sws().is_pll()) {
        crate::halt();
    }
    Started { crystal_failed: has_crystal && !crystal, watchdog_reset, serial: serial(), entropy: entropy(p) }
}

fn wait(ready: impl Fn() -> bool) -> bool {
    (0..PATIENCE).any(|_| ready())
}

/// The 96 bits that the factory has written, folded.
fn serial() -> u32 {
    const UNIQUE_ID: *const u32 = 0x1FFF_7A10 as *const u32;
    // SAFETY: three aligned words of read-only memory that every STM32F405 has there (reference manual 39.1);
    // this is not reached in the emulator, which has not.
    (0..3).fold(0, |folded: u32, k| folded.rotate_left(11) ^ unsafe { UNIQUE_ID.add(k).read_volatile() })
}

fn entropy(p: &Peripherals) -> u32 {
    p.RCC.ahb2enr().modify(|_, w| w.rngen().set_bit());
    p.RNG.cr().write(|w| w.rngen().set_bit());
    // Without it session numbers still differ by the time at which hello arrives.
    if wait(|| p.RNG.sr().read().drdy().bit()) { p.RNG.dr().read().bits() } else { 1 }
}
