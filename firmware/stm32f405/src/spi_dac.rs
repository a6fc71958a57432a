//! A TI DAC8563 on SPI2: 16 bits, 2.5 V reference inside, and mid-scale after power-up and reset, which is
//! 0 mA behind a bipolar stage. PB12 SYNC, PB13 SCLK, PB15 DIN; CLR to the controller's own reset line.
//!
//! 24 bits a write: command (3 bits), address (3 bits), data. The chip cannot be read back; a write that has
//! not left within a tick is what can be noticed here, and the current's own readback notices the rest.

use stm32f4::stm32f405::Peripherals;

/// Write to DAC A and update it.
const WRITE_A: u8 = 0b011 << 3;
/// Switch the internal reference on (data 1) and both gains to two.
const REFERENCE: u8 = 0b111 << 3;
/// Update on each write; the LDAC pin (data 3) is not used.
const LDAC: u8 = 0b110 << 3;

/// The chip.
pub struct SpiDac;

impl SpiDac {
    /// Starts SPI2 at 21 Mbit/s (the chip takes 50) and the chip's reference.
    pub fn start(p: &Peripherals) -> Self {
        p.RCC.apb1enr().modify(|_, w| w.spi2en().set_bit());
        p.GPIOB.bsrr().write(|w| w.bs12().set_bit());
        p.GPIOB.afrh().modify(|_, w| w.afrh13().af5().afrh15().af5());
        p.GPIOB.moder().modify(|_, w| w.moder12().output().moder13().alternate().moder15().alternate());
        // The chip takes data on the falling edge of its clock: mode 1.
        p.SPI2.cr1().write(|w| {
            w.mstr().set_bit().cpha().set_bit().br().div2().ssm().set_bit().ssi().set_bit().spe().set_bit()
        });
        let dac = Self;
        dac.frame(p, LDAC, 3);
        dac.write(p, 0x8000);
        dac.frame(p, REFERENCE, 1);
        dac
    }

    /// Sets the output.
    pub fn write(&self, p: &Peripherals, code: u16) {
        self.frame(p, WRITE_A, code);
    }

    /// Whether the last write has left.
    pub fn is_idle(&self, p: &Peripherals) -> bool {
        !p.SPI2.sr().read().bsy().bit()
    }

    fn frame(&self, p: &Peripherals, command: u8, data: u16) {
        let [high, low] = data.to_be_bytes();
        p.GPIOB.bsrr().write(|w| w.br12().set_bit());
        for byte in [command, high, low] {
            // 8 bits take 64 cycles of the core; this gives up after more than ten times that.
            let _ = (0..200).any(|_| p.SPI2.sr().read().txe().bit());
            p.SPI2.dr().write(|w| w.dr().set(u16::from(byte)));
        }
        let _ = (0..200).any(|_| !p.SPI2.sr().read().bsy().bit());
        p.GPIOB.bsrr().write(|w| w.bs12().set_bit());
    }
}
