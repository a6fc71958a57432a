//! The analogue side of a board that is emulated: codes out and readings in over the second serial port, for
//! a virtual head on the other side. Nothing here decides anything, as on the board.
//!
//! Every byte that begins a frame has its top bit set, no other has. The emulator pays for each byte as for a
//! system call, so there are few.
//! Out, each tick: `1 0 relay code[11..7] | code[6..0]`, a DAC code of 12 bits. Ticks are counted from 0, in
//! silence, modulo 128.
//! Out, each second: `1 1 0 0 0 0 0 0 | tick | 7 bits | 7 bits | 7 bits`: the number of the tick before, and
//! the deepest stack so far in bytes.
//! Out, when the shunt moves: `1 1 1 0 0 0 0 open | 0`.
//! In, as often as the head likes: `1 0 0 0 0 0 dac_bad e_stop | tick | current high 7, low 7 | voltage high 7,
//! low 7`, ADC codes of 12 bits, with the number of the tick that they answer. And now and then what VREFINT reads:
//! `1 1 0 0 0 0 0 0 | high 7 | low 7`; until the first such, the supply is taken for 3.3 V.

use stm32f4::stm32f405::Peripherals;
use tras_device::{Output, Reading, Sense};

use crate::analogue::Analogue;
use crate::{scale, serial, stack};

/// Ticks before their numbers repeat: 64 ms, within which a head must answer.
const NUMBERS: usize = 128;
/// Bytes of a reading, and of VREFINT.
const FRAME: usize = 6;
const REFERENCE: usize = 3;
/// What VREFINT reads at 3.3 V: 1.2117 V.
const CALIBRATION: u16 = 1_504;

/// The line and what was commanded on it.
pub struct AnalogueLine {
    commanded_ma: [f32; NUMBERS],
    number: u8,
    frame: [u8; FRAME],
    filled: usize,
    e_stop: bool,
    dac_bad: bool,
    ticks: u32,
    shunt_open: bool,
    vdda_v: f32,
    measured: bool,
}

impl Default for AnalogueLine {
    fn default() -> Self {
        Self {
            commanded_ma: [0.0; NUMBERS],
            number: 0,
            frame: [0; FRAME],
            filled: 0,
            e_stop: false,
            dac_bad: false,
            ticks: 0,
            shunt_open: false,
            vdda_v: scale::CALIBRATED_AT_V,
            measured: false,
        }
    }
}

impl AnalogueLine {
    fn take(&mut self, byte: u8) -> Option<Reading> {
        if byte & 0x80 != 0 {
            self.filled = 0;
        } else if self.filled == 0 {
            return None; // The rest of a frame whose beginning was lost.
        }
        *self.frame.get_mut(self.filled)? = byte;
        self.filled += 1;
        let [flags, number, ih, il, vh, vl] = self.frame;
        let is_reference = flags & 0x40 != 0;
        if self.filled < if is_reference { REFERENCE } else { FRAME } {
            return None;
        }
        self.filled = 0;
        let code = |high: u8, low: u8| u16::from(high) << 7 | u16::from(low);
        if is_reference {
            self.vdda_v = scale::vdda_v(f32::from(code(number, ih)), CALIBRATION);
            self.measured = true;
            return None;
        }
        (self.e_stop, self.dac_bad) = (flags & 1 != 0, flags & 2 != 0);
        Some(Reading {
            commanded_ma: *self.commanded_ma.get(usize::from(number))?,
            current_ma: scale::adc_ma(code(ih, il), self.vdda_v),
            voltage_v: scale::adc_v(code(vh, vl), self.vdda_v),
        })
    }
}

impl Analogue for AnalogueLine {
    /// The newest reading; older ones that came with it are passed over.
    fn sense(&mut self, _: &Peripherals) -> Sense {
        let mut reading = None;
        while let Some(byte) = serial::ANALOGUE.pop() {
            reading = self.take(byte).or(reading);
        }
        Sense { e_stop: self.e_stop, dac_ok: !self.dac_bad, reading }
    }

    fn supply(&mut self, _: &Peripherals) -> Option<f32> {
        core::mem::take(&mut self.measured).then_some(self.vdda_v)
    }

    fn set(&mut self, p: &Peripherals, output: &Output) {
        let current_ma = output.current_ma + output.probe_ma;
        if output.shunt_open != self.shunt_open {
            self.shunt_open = output.shunt_open;
            serial::write_analogue(p, &[0xE0 | u8::from(self.shunt_open), 0]);
        }
        if let Some(slot) = self.commanded_ma.get_mut(usize::from(self.number)) {
            *slot = current_ma;
        }
        let code = scale::dac12(current_ma);
        let first = 0x80 | u8::from(output.relay_closed) << 5 | (code >> 7) as u8;
        serial::write_analogue(p, &[first, (code & 0x7F) as u8]);
        self.ticks = self.ticks.wrapping_add(1);
        if self.ticks.is_multiple_of(2_000) {
            let used = stack::deepest();
            let septet = |shift: u32| (used >> shift & 0x7F) as u8;
            serial::write_analogue(p, &[0xC0, self.number, septet(14), septet(7), septet(0)]);
        }
        self.number = (self.number + 1) % NUMBERS as u8;
    }
}
