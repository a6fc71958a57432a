//! The two lines: USART1 to the host; in the emulator USART2 to the analogue stand-in.

use cortex_m::peripheral::NVIC;
use heapless::Deque;
#[cfg(feature = "emulator")]
use stm32f4::stm32f405::USART2;
use stm32f4::stm32f405::{Interrupt, Peripherals, USART1, interrupt, usart1};
use tras_wire::MAX_FRAME;

use crate::bytes::Bytes;

/// From the host.
pub static LINK: Bytes = Bytes::new();
/// From the analogue stand-in.
#[cfg(feature = "emulator")]
pub static ANALOGUE: Bytes = Bytes::new();

/// 84 MHz / 91 = 923,077 baud, 0.16 % above 921,600.
const DIVISOR: u16 = 91;

/// Starts USART1, and USART2 in the emulator.
pub fn start(p: &Peripherals) {
    p.RCC.apb2enr().modify(|_, w| w.usart1en().set_bit());
    start_one(&p.USART1);
    // SAFETY: the handlers below share nothing but their rings, which are made for it.
    unsafe { NVIC::unmask(Interrupt::USART1) };
    #[cfg(feature = "emulator")]
    {
        start_one(&p.USART2);
        // SAFETY: as above.
        unsafe { NVIC::unmask(Interrupt::USART2) };
    }
}

fn start_one(usart: &usart1::RegisterBlock) {
    // SAFETY: 16 bits of mantissa and fraction, any of which is a baud rate.
    usart.brr().write(|w| unsafe { w.bits(DIVISOR) });
    usart.cr1().write(|w| w.ue().set_bit().te().set_bit().re().set_bit().rxneie().set_bit());
}

/// Writes one byte if the transmitter is empty.
fn try_write(usart: &usart1::RegisterBlock, byte: u8) -> bool {
    let empty = usart.sr().read().txe().bit();
    if empty {
        usart.dr().write(|w| w.dr().set(u16::from(byte)));
    }
    empty
}

/// To the analogue stand-in. The emulator's transmitter is always empty.
#[cfg(feature = "emulator")]
pub fn write_analogue(p: &Peripherals, bytes: &[u8]) {
    for &byte in bytes {
        let _ = (0..1_000).any(|_| try_write(&p.USART2, byte));
    }
}

/// What waits to go to the host.
#[derive(Default)]
pub struct Line {
    waiting: Deque<u8, { 4 * MAX_FRAME }>,
}

impl Line {
    /// Takes a frame whole or not at all: half a frame would cost the next one too.
    pub fn send(&mut self, frame: &[u8]) {
        if self.waiting.capacity() - self.waiting.len() >= frame.len() {
            self.waiting.extend(frame.iter().copied());
        }
    }

    /// Moves on what the transmitter takes.
    pub fn pump(&mut self, p: &Peripherals) {
        while let Some(&byte) = self.waiting.front() {
            if !try_write(&p.USART1, byte) {
                return;
            }
            self.waiting.pop_front();
        }
    }

    /// Whether all is sent.
    pub fn is_idle(&self) -> bool {
        self.waiting.is_empty()
    }
}

#[interrupt]
fn USART1() {
    // SAFETY: reading status, then data, is what receiving is; the loop only writes the data register.
    receive(unsafe { &*USART1::ptr() }, &LINK);
}

#[cfg(feature = "emulator")]
#[interrupt]
fn USART2() {
    // SAFETY: as above.
    receive(unsafe { &*USART2::ptr() }, &ANALOGUE);
}

fn receive(usart: &usart1::RegisterBlock, ring: &Bytes) {
    // Reading the data clears overrun and framing errors too, which would otherwise call again for ever.
    let status = usart.sr().read();
    if status.rxne().bit() || status.ore().bit() {
        ring.push(usart.dr().read().dr().bits() as u8);
    }
}
