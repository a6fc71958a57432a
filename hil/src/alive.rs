//! Starts the image and shows that it lives: who it is, its rates, its round trip, the current that a head
//! would feel, its stack. Fails where one of these is not as it should be.

use std::io::{Error, Result};
use std::path::Path;
use std::time::{Duration, Instant};

use crate::emulator::{Emulator, hurry};
use crate::head::VirtualHead;
use crate::host::Host;
use tras_wire::{DeviceMessage, HostMessage, Limits, State, Stop};

/// How long current flows.
const PLAY: Duration = Duration::from_secs(10);
/// Samples kept in the device's queue and on the way to it.
const LEAD: u64 = 100;

/// See the module.
///
/// # Errors
/// QEMU is missing, or the firmware is not what it should be.
pub fn run(image: &Path) -> Result<()> {
    let ahead = hurry();
    let directory = std::env::temp_dir().join(format!("tras-hil-{}", std::process::id()));
    let emulator = Emulator::start(image, &directory)?;
    let head = VirtualHead::start(emulator.analogue.try_clone()?);
    let mut host = Host::new(emulator.link.try_clone()?)?;
    host.listen(Duration::from_secs(1))?;
    let limits = Limits { peak_ma: 0.5, dc_ma: 0.02, ..tras_device::hard::LIMITS };
    let answer = host.arm(&limits)?;
    let identity = host.identity.ok_or_else(|| Error::other("no answer to hello"))?;
    println!(
        "device: serial {:X}, emulated {}, queue {}",
        identity.serial, identity.emulated, identity.queue_capacity
    );
    if !matches!(answer, DeviceMessage::Acknowledge { .. }) {
        return Err(Error::other(format!("arming: {answer:?}")));
    }

    let (begin, first, sent) = (Instant::now(), head.look(|s| s.ticks.len()), host.index);
    host.play(PLAY, LEAD)?;
    let seconds = begin.elapsed().as_secs_f64();
    let reached = host.telemetry;
    let stopped = Instant::now();
    host.send(&HostMessage::Stop(Stop::Fast))?;
    while head.now().is_some_and(|t| t.relay_closed) && stopped.elapsed() < Duration::from_secs(2) {
        host.receive()?;
    }
    let to_zero = stopped.elapsed();

    let (rate, peak_ma, stack_bytes, garbage) = head.look(|s| {
        let ticks = s.ticks.get(first..).unwrap_or_default();
        let peak_ma = ticks.iter().map(|t| t.current_ma.abs()).fold(0.0, f32::max);
        (ticks.len() as f64 / begin.elapsed().as_secs_f64(), peak_ma, s.stack_bytes, s.garbage)
    });
    println!(
        "ticks: {rate:.0}/s of {} (nice -15 {})",
        identity.dac_rate_hz,
        if ahead { "allowed" } else { "refused" }
    );
    println!("samples: {:.0}/s, sent again {} times", (host.index - sent) as f64 / seconds, host.resent);
    host.round_trips.sort();
    let at = |share: f64| {
        let k = share * (host.round_trips.len() as f64 - 1.0);
        host.round_trips.get(k as usize).map_or(f64::NAN, |d| d.as_secs_f64() * 1e3)
    };
    println!("round trip: p50 {:.1} ms, p99 {:.1} ms, behind {LEAD} samples", at(0.5), at(0.99));
    println!("peak at the head: {peak_ma:.4} mA of 0.4 mA sent");
    println!(
        "from the stop on the line to zero: {:.0} ms, 100 of them the ramp",
        to_zero.as_secs_f64() * 1e3
    );
    println!("stack: {stack_bytes} bytes at the deepest");

    let fault = reached.and_then(|t| t.fault);
    let state = reached.map(|t| t.state);
    if fault.is_some() || state != Some(State::Stimulating) {
        return Err(Error::other(format!("after {seconds:.0} s: state {state:?}, fault {fault:?}")));
    }
    // A step of the DAC is 1.2 uA.
    if (peak_ma - 0.4).abs() > 0.002 || garbage > 0 || stack_bytes == 0 {
        return Err(Error::other("the current at the head is not the current that was sent"));
    }
    match head.now() {
        Some(last) if !last.relay_closed && last.current_ma == 0.0 => Ok(()),
        last => Err(Error::other(format!("after the stop: {last:?}"))),
    }
}
