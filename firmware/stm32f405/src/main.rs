//! The stimulator's firmware for an STM32F405. This binary is the whole application: it joins
//! [`tras_device::Device`], which decides everything, to pins, timers, DAC, ADC, relay and line, which decide
//! nothing.
//!
//! | | on the board | in the emulator (feature `emulator`) |
//! |---|---|---|
//! | link | USART1, PB6/PB7, 921,600 baud, 8N1 | the first serial port |
//! | ticks | TIM2, 10,000/s, which also loads the DAC and starts the ADC | TIM2, 2,000/s |
//! | current out | a DAC8563 on SPI2, or without `spi-dac` DAC1 on PA4 | codes on the second serial port |
//! | current, voltage, supply in | ADC1 on PA6, PA7, VREFINT | readings on the second serial port |
//! | relay, shunt | PC6 pulses a monostable, PC7 opens the shunt | bits beside the code |
//! | what a reset leaves | backup registers | the last 256 bytes of RAM |
//! | emergency stop | PC3, normally closed to ground | a bit beside the reading |
//! | status light | PC1 | - |
//!
//! One loop does all the work; interrupts only wake it and keep bytes. The deadline of a tick is the next one
//! (100 us). A tick that is missed plays its samples late, never fewer; 20 ms without a tick open the relay by
//! the monostable and latch a fault; 100 ms reset the controller by the independent watchdog. A panic stops
//! the pulses and the watchdog's food at once.
#![no_std]
#![no_main]

mod analogue;
mod backup;
mod bytes;
mod clock;
#[cfg(feature = "emulator")]
mod emulated;
mod pins;
mod scale;
mod serial;
#[cfg(all(feature = "spi-dac", not(feature = "emulator")))]
mod spi_dac;
#[cfg(feature = "emulator")]
mod stack;
#[cfg(not(feature = "emulator"))]
mod supply;
mod ticks;
mod watchdog;

use cortex_m_rt::entry;
use stm32f4::stm32f405::Peripherals;
use tras_device::{Config, Device, Keeper, Link, State};
use tras_wire::{DeviceMessage, Identity, MAX_FRAME};

use analogue::Analogue;
use backup::Backup;

/// Samples that the queue holds: 100 ms.
const QUEUE: u16 = 200;
/// Between two unasked telemetries, in us.
const TELEMETRY_US: u64 = 20_000;

#[entry]
fn main() -> ! {
    #[cfg(feature = "emulator")]
    stack::paint();
    // Taken once, at the start: there is always a first time.
    let Some(p) = Peripherals::take() else { halt() };
    let started = clock::start(&p);
    pins::start(&p);
    let mut ticks = ticks::Ticks::start(&p);
    serial::start(&p);
    #[cfg(feature = "emulator")]
    let analogue = emulated::AnalogueLine::default();
    #[cfg(not(feature = "emulator"))]
    let analogue = analogue::Converters::start(&p);
    watchdog::start(&p);
    run(&p, &started, &mut ticks, analogue)
}

fn run(
    p: &Peripherals,
    started: &clock::Started,
    ticks: &mut ticks::Ticks,
    mut analogue: impl Analogue,
) -> ! {
    let identity = Identity {
        serial: started.serial,
        rate_hz: 1_000_000 / tras_device::hard::SAMPLE_US,
        dac_rate_hz: ticks.rate_hz(),
        queue_capacity: QUEUE,
        emulated: cfg!(feature = "emulator"),
        crystal_failed: started.crystal_failed,
        watchdog_reset: started.watchdog_reset,
        build: tras_device::BUILD,
        hard: tras_device::hard::LIMITS,
    };
    let (mut keeper, found) = Keeper::open(Backup::open(p));
    let mut device = Device::resumed(Config { identity, entropy: started.entropy }, &found).with_shunt();
    let mut link = Link::default();
    let mut line = serial::Line::default();
    let mut out = [0_u8; MAX_FRAME];
    let mut telemetry_us = 0;
    loop {
        if let Some(now_us) = ticks.due(p) {
            let sense = analogue.sense(p);
            if let Some(volts) = analogue.supply(p) {
                device.supply(volts);
            }
            let output = device.tick(now_us, &sense);
            analogue.set(p, &output);
            pins::relay(p, output.relay_closed, output.shunt_open);
            keeper.keep(&device.kept());
            pins::light(p, blink(device.state(), now_us));
            watchdog::feed(p);
            if let Some(fault) = device.take_new_fault() {
                let n = link.send(&device, &DeviceMessage::Fault(fault), &mut out);
                line.send(out.get(..n).unwrap_or_default());
            }
            if now_us >= telemetry_us {
                telemetry_us = now_us + TELEMETRY_US;
                let n = link.send(&device, &DeviceMessage::Telemetry(device.telemetry(now_us)), &mut out);
                line.send(out.get(..n).unwrap_or_default());
            }
        }
        // At most one message between two looks at the clock.
        let mut answered = 0;
        while answered == 0
            && let Some(byte) = serial::LINK.pop()
        {
            answered = link.receive(byte, &mut device, ticks.now_us(p), &mut out);
            line.send(out.get(..answered).unwrap_or_default());
        }
        line.pump(p);
        // Pending interrupts wake the core even while they are masked, so none is slept through.
        cortex_m::interrupt::free(|_| {
            if line.is_idle() && serial::LINK.is_empty() && !ticks.is_due(p) {
                cortex_m::asm::wfi();
            }
        });
    }
}

/// Off: disarmed. Slow: armed. On: current. Fast: fault.
fn blink(state: State, now_us: u64) -> bool {
    match state {
        State::Disarmed => false,
        State::Armed => now_us % 2_000_000 < 100_000,
        State::Fault => now_us % 200_000 < 100_000,
        _ => true,
    }
}

/// Nothing more is done: no pulse, so the relay opens; no food, so the watchdog resets.
fn halt() -> ! {
    cortex_m::interrupt::disable();
    loop {
        cortex_m::asm::nop();
    }
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    halt()
}
