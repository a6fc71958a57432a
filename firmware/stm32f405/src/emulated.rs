//! The analogue side of a board that is emulated: codes out and readings in over the second serial port, for
//! a virtual head on the other side. Nothing here decides anything, as on the board.
//!
//! Every byte that begins a frame has its top bit set, no other has.
//! Out, each tick: `1 0 0 0 0 0 light relay | number | code high 7 | code low 7`, a DAC code of 12 bits.
//! Out, each second: `1 1 0 0 0 0 0 0 | 7 bits | 7 bits | 7 bits`, the deepest stack so far in bytes.
//! In, as often as the head likes: `1 0 0 0 0 0 dac_bad e_stop | number | current high 7, low 7 | voltage high
//! 7, low 7`, ADC codes of 12 bits, with the number of the code they answer.

use stm32f4::stm32f405::Peripherals;
use tras_device::{Reading, Sense};

use crate::analogue::Analogue;
use crate::{scale, serial, stack};

/// Numbers before they repeat: 32 ms, within which a head must answer.
const NUMBERS: usize = 128;
/// Bytes of a reading.
const FRAME: usize = 6;

/// The line and what was commanded on it.
pub struct AnalogueLine {
    commanded_ma: [f32; NUMBERS],
    number: u8,
    frame: [u8; FRAME],
    filled: usize,
    e_stop: bool,
    dac_bad: bool,
    ticks: u32,
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
        if self.filled < FRAME {
            return None;
        }
        self.filled = 0;
        let [flags, number, ih, il, vh, vl] = self.frame;
        (self.e_stop, self.dac_bad) = (flags & 1 != 0, flags & 2 != 0);
        let code = |high: u8, low: u8| u16::from(high) << 7 | u16::from(low);
        Some(Reading {
            commanded_ma: *self.commanded_ma.get(usize::from(number))?,
            current_ma: scale::adc_ma(code(ih, il)),
            voltage_v: scale::adc_v(code(vh, vl)),
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

    fn set(&mut self, p: &Peripherals, current_ma: f32, relay_closed: bool) {
        self.number = (self.number + 1) % NUMBERS as u8;
        if let Some(slot) = self.commanded_ma.get_mut(usize::from(self.number)) {
            *slot = current_ma;
        }
        let code = scale::dac12(current_ma);
        let flags = 0x80 | u8::from(relay_closed) | u8::from(current_ma != 0.0) << 1;
        serial::write_analogue(p, &[flags, self.number, (code >> 7) as u8, (code & 0x7F) as u8]);
        self.ticks = self.ticks.wrapping_add(1);
        if self.ticks.is_multiple_of(4_000) {
            let used = stack::deepest();
            let septet = |shift: u32| (used >> shift & 0x7F) as u8;
            serial::write_analogue(p, &[0xC0, septet(14), septet(7), septet(0)]);
        }
    }
}
