//! VDDA against VREFINT: one regular conversion every 10 ms, between two of the current's, and the mean of 16.

use stm32f4::stm32f405::Peripherals;

use crate::scale;

/// Ticks between two conversions.
const EVERY: u32 = 100;
/// Conversions in a mean.
const MEAN_OF: u32 = 16;

/// The measurement and what it has come to.
pub struct Supply {
    calibration: u16,
    tick: u32,
    sum: u32,
    count: u32,
    /// By which codes are turned into volts.
    pub vdda_v: f32,
}

impl Supply {
    /// The ADC is on; its channel 17 is VREFINT.
    pub fn start(p: &Peripherals) -> Self {
        p.ADC_COMMON.ccr().modify(|_, w| w.tsvrefe().set_bit());
        // 480 cycles at 21 MHz are 23 us; the data sheet asks for 10.
        p.ADC1.smpr1().modify(|_, w| w.smp17().cycles480());
        // SAFETY: channel 17 exists; a length of 0 means one.
        p.ADC1.sqr3().write(|w| unsafe { w.sq1().bits(17) });
        const CALIBRATION: *const u16 = 0x1FFF_7A2A as *const u16;
        // SAFETY: an aligned half-word of read-only memory that every STM32F405 has there (data sheet, table of
        // internal reference voltage calibration values).
        let calibration = unsafe { CALIBRATION.read_volatile() };
        Self { calibration, tick: 0, sum: 0, count: 0, vdda_v: scale::CALIBRATED_AT_V }
    }

    /// Once a tick, after its readings have been taken: what a mean has come to, once it is complete.
    pub fn tick(&mut self, p: &Peripherals) -> Option<f32> {
        if p.ADC1.sr().read().eoc().bit() {
            // Reading the data clears the flag.
            self.sum += u32::from(p.ADC1.dr().read().data().bits());
            self.count += 1;
        }
        self.tick += 1;
        if self.tick >= EVERY {
            self.tick = 0;
            p.ADC1.cr2().modify(|_, w| w.swstart().set_bit());
        }
        if self.count < MEAN_OF {
            return None;
        }
        let volts = scale::vdda_v(self.sum as f32 / self.count as f32, self.calibration);
        (self.sum, self.count) = (0, 0);
        if volts > 0.0 {
            self.vdda_v = volts;
        }
        Some(volts)
    }
}
