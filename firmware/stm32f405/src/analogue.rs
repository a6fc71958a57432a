//! Current out, current, voltage and supply in: one trait, of which the board's converters and the emulator's line
//! are the two kinds. An image has one of them.
//!
//! A code that is written now reaches the output at the next tick, when TIM2 loads it, and is measured at
//! 80 % of the time until the tick after that. So a reading belongs to the code before the last.

use stm32f4::stm32f405::Peripherals;
use tras_device::{Output, Sense};
#[cfg(not(feature = "emulator"))]
use {
    crate::{pins, scale, supply::Supply},
    tras_device::Reading,
};

/// The analogue side.
pub trait Analogue {
    /// What is sensed at this tick.
    fn sense(&mut self, p: &Peripherals) -> Sense;
    /// The supply of DAC and ADC in V, as often as it is measured; 0 where it cannot be.
    fn supply(&mut self, p: &Peripherals) -> Option<f32>;
    /// What goes out from the next tick on.
    fn set(&mut self, p: &Peripherals, output: &Output);
}

/// DAC1 (or the one on SPI2) and ADC1.
#[cfg(not(feature = "emulator"))]
pub struct Converters {
    /// The last two currents that were set, the newest first.
    set_ma: [f32; 2],
    #[cfg(feature = "spi-dac")]
    dac: crate::spi_dac::SpiDac,
    #[cfg(not(feature = "spi-dac"))]
    code: u16,
    supply: Supply,
}

#[cfg(not(feature = "emulator"))]
impl Converters {
    /// Starts both, at 0 mA.
    pub fn start(p: &Peripherals) -> Self {
        p.RCC.apb2enr().modify(|_, w| w.adc1en().set_bit());
        #[cfg(not(feature = "spi-dac"))]
        let code = {
            p.RCC.apb1enr().modify(|_, w| w.dacen().set_bit());
            let code = scale::dac12_at(0.0, scale::CALIBRATED_AT_V);
            // The value is there before the output is switched on, and is loaded by the next update of TIM2.
            p.DAC.dhr12r1().write(|w| w.daccdhr().set(code));
            p.DAC.cr().write(|w| w.tsel1().tim2trgo().ten1().set_bit().en1().set_bit());
            code
        };

        // PCLK2 / 4 = 21 MHz; 56 + 12 cycles a conversion, two in 6.5 us.
        p.ADC_COMMON.ccr().modify(|_, w| w.adcpre().div4());
        p.ADC1.cr1().write(|w| w.scan().set_bit());
        p.ADC1.smpr2().write(|w| w.smp6().cycles56().smp7().cycles56());
        // Of a sequence of two the hardware takes JSQ3, then JSQ4: the current, then the voltage.
        // SAFETY: channels 6 and 7 exist, and a length of 1 means two.
        p.ADC1.jsqr().write(|w| unsafe { w.jl().bits(1).jsq3().bits(6).jsq4().bits(7) });
        p.ADC1.cr2().write(|w| w.jextsel().tim2cc1().jexten().rising_edge().adon().set_bit());
        Self {
            set_ma: [0.0; 2],
            #[cfg(feature = "spi-dac")]
            dac: crate::spi_dac::SpiDac::start(p),
            #[cfg(not(feature = "spi-dac"))]
            code,
            supply: Supply::start(p),
        }
    }
}

#[cfg(not(feature = "emulator"))]
impl Analogue for Converters {
    fn sense(&mut self, p: &Peripherals) -> Sense {
        let measured = p.ADC1.sr().read().jeoc().bit();
        let reading = measured.then(|| {
            // The flags are cleared by writing 0, and those of VREFINT's own conversion stay.
            p.ADC1.sr().modify(|_, w| w.jeoc().clear_bit().jstrt().clear_bit());
            let vdda_v = self.supply.vdda_v;
            Reading {
                commanded_ma: self.set_ma[1],
                current_ma: scale::adc_ma(p.ADC1.jdr(0).read().jdata().bits(), vdda_v),
                voltage_v: scale::adc_v(p.ADC1.jdr(1).read().jdata().bits(), vdda_v),
            }
        });
        // By now the timer has loaded what was written at the tick before.
        #[cfg(not(feature = "spi-dac"))]
        let dac_ok = p.DAC.dor1().read().daccdor().bits() == self.code;
        #[cfg(feature = "spi-dac")]
        let dac_ok = self.dac.is_idle(p);
        Sense { e_stop: pins::e_stop(p), dac_ok, reading }
    }

    fn supply(&mut self, p: &Peripherals) -> Option<f32> {
        self.supply.tick(p)
    }

    fn set(&mut self, p: &Peripherals, output: &Output) {
        let current_ma = output.current_ma + output.probe_ma;
        self.set_ma = [current_ma, self.set_ma[0]];
        #[cfg(feature = "spi-dac")]
        self.dac.write(p, scale::dac16(current_ma));
        #[cfg(not(feature = "spi-dac"))]
        {
            self.code = scale::dac12_at(current_ma, self.supply.vdda_v);
            p.DAC.dhr12r1().write(|w| w.daccdhr().set(self.code));
        }
    }
}
