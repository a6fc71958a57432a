//! What the line carries for what of it is current, and the most that it carries.

use std::io::{Error, Result};
use std::path::Path;
use std::time::{Duration, Instant};

use tras_wire::{DeviceMessage, HostMessage, MAX_FRAME, MAX_SAMPLES, Samples, encode};

use super::rows::Row;
use crate::emulator::Emulator;
use crate::head::VirtualHead;
use crate::host::{Host, wave};

/// How long the line is flooded.
const FLOOD: Duration = Duration::from_secs(5);
/// Frames under way.
const WINDOW: u64 = 4;
/// Bytes a second at 921,600 baud, 8N1.
const WIRE: f64 = tras::stimulator::serial::BAUD as f64 / 10.0;

/// Prints what `row` has taken of the line.
pub(super) fn of_row(row: &Row, far: &str) {
    let Some((down, up)) = row.seen.bytes else { return };
    let (seconds, samples) = (row.run.cpu.over_s, row.run.calls.samples_ma.len() as f64);
    let (down, up) = (down as f64 / seconds, up as f64 / seconds);
    let payload = 2.0 * samples / seconds;
    println!(
        "\n{far}: {:.0} samples/s, 2 bytes each, are {payload:.0} of {down:.0} bytes/s \
         to the device ({:.0} %); {up:.0} bytes/s come back; {:.0} and {:.0} % of 921,600 baud; {} samples sent again",
        samples / seconds,
        100.0 * payload / down,
        100.0 * down / WIRE,
        100.0 * up / WIRE,
        row.run.calls.repeated
    );
}

/// Prints the most that the emulated board takes: full frames, which it answers one by one.
///
/// # Errors
/// QEMU is missing, or the board does not answer.
pub(super) fn flood(image: &Path) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let emulator = Emulator::start(image, folder.path())?;
    let _head = VirtualHead::start(emulator.analogue.try_clone()?);
    let mut host = Host::new(emulator.link.try_clone()?)?;
    host.listen(Duration::from_millis(500))?;
    host.ask(&HostMessage::Hello)?;
    let (began, mut sent, mut answered, mut bytes) = (Instant::now(), 0_u64, 0_u64, 0);
    while began.elapsed() < FLOOD {
        if sent < answered + WINDOW {
            let current_ma = (0..MAX_SAMPLES).map(|k| wave(sent * MAX_SAMPLES as u64 + k as u64)).collect();
            let frame = HostMessage::Samples(Samples { burst: 1, index: 0, current_ma });
            bytes += encode(host.header, &frame, &mut [0; MAX_FRAME]).unwrap_or(0);
            host.send(&frame)?;
            sent += 1;
        }
        let answer = |m: &DeviceMessage| {
            matches!(m, DeviceMessage::Acknowledge { .. } | DeviceMessage::Refused { .. })
        };
        answered += host.receive()?.iter().filter(|m| answer(m)).count() as u64;
    }
    if answered == 0 {
        return Err(Error::other("the board answers no samples"));
    }
    let (seconds, bytes) = (began.elapsed().as_secs_f64(), bytes as f64);
    let (bytes_each, samples) = (bytes / sent as f64, answered as f64 * MAX_SAMPLES as f64 / seconds);
    println!(
        "flooded with frames of {MAX_SAMPLES} samples ({bytes_each:.0} bytes), the emulated board takes {samples:.0} \
         samples/s, {:.0} bytes/s; 921,600 baud are {:.0} samples/s by arithmetic",
        bytes / seconds,
        WIRE / bytes_each * MAX_SAMPLES as f64
    );
    Ok(())
}
