//! The emulated board and its head, for a host of another process: prints the path of a pseudo terminal that
//! `tras run` takes for a serial port, and one line a second about what the head sees, until it is killed.

use std::io::Result;
use std::path::Path;
use std::time::Duration;

use crate::emulator::{Emulator, hurry};
use crate::head::VirtualHead;
use crate::line::Line;

/// See the module.
///
/// # Errors
/// QEMU is missing, or no pseudo terminal is to be had.
pub fn run(image: &Path) -> Result<()> {
    hurry();
    let directory = std::env::temp_dir().join(format!("tras-hil-{}", std::process::id()));
    let emulator = Emulator::start(image, &directory)?;
    let head = VirtualHead::start(emulator.analogue.try_clone()?);
    let (_line, port) = Line::terminal(emulator.link.try_clone()?)?;
    println!("port {}", port.display());
    let mut seen = 0;
    loop {
        std::thread::sleep(Duration::from_secs(1));
        let (ticks, peak_ma, closed) = head.look(|s| {
            let new = s.ticks.get(seen..).unwrap_or_default();
            let peak_ma = new.iter().map(|t| t.current_ma.abs()).fold(0.0, f32::max);
            (new.len(), peak_ma, new.last().is_some_and(|t| t.relay_closed))
        });
        seen += ticks;
        println!("ticks {ticks}/s  relay {}  peak {peak_ma:.4} mA", if closed { "closed" } else { "open" });
    }
}
