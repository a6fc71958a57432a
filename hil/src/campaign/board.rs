//! The board on the bench: the emulated one with a virtual head, or a real one at a serial port.

use std::io::{Error, Result};
use std::path::{Path, PathBuf};
use std::time::Instant;

use super::{stage::Instrument, trace::Trace};
use crate::emulator::Emulator;
use crate::head::{Head, VirtualHead};
use crate::line::Line;

/// Ticks a second of the emulated board.
const TICKS_HZ: f64 = 2_000.0;
/// Ticks of a stretch in which its clock is timed: half a second.
const STRETCH: usize = 1_000;
/// A real board's word, held from one to the next.
const TOLD_HZ: f64 = 1_000.0;
/// Readings every 2 ms: the emulated line bears no more, a board has one each tick. Turning the emulator's clock costs it a
/// part of each of its system calls; then it bears one each 8 ms.
fn sound(speed: f64) -> Head {
    Head { every: if speed == 1.0 { 4 } else { 16 }, ..Head::SOUND }
}

/// Whatever is at the end of the line.
pub(super) struct Board {
    /// The cable.
    pub line: Line,
    /// Only of the emulated board.
    pub emulated: Option<Emulated>,
    port: PathBuf,
    began: Instant,
}

/// The emulated board.
pub(super) struct Emulated {
    /// The emulator.
    pub emulator: Emulator,
    /// The head behind it.
    pub head: VirtualHead,
    /// As it is when nothing is wrong with it.
    sound: Head,
}

impl Board {
    /// Switches on the emulated board, with a clock of `speed` times the right one.
    ///
    /// # Errors
    /// QEMU is missing, or no pseudo terminal is to be had.
    pub(super) fn emulated(image: &Path, folder: &Path, speed: f64) -> Result<Self> {
        let emulator = Emulator::start_at(image, folder, speed)?;
        let head = VirtualHead::start(emulator.analogue.try_clone()?);
        let sound = sound(speed);
        head.set(|h| *h = sound);
        let (line, port) = Line::terminal(emulator.link.try_clone()?)?;
        Ok(Self { line, emulated: Some(Emulated { emulator, head, sound }), port, began: Instant::now() })
    }

    /// A real board.
    ///
    /// # Errors
    /// Its port cannot be opened, or no pseudo terminal is to be had.
    pub(super) fn real(port: &Path) -> Result<Self> {
        let (line, port) = Line::relay(port)?;
        Ok(Self { line, emulated: None, port, began: Instant::now() })
    }

    /// The head of the emulated board.
    ///
    /// # Errors
    /// The board is real.
    pub(super) fn head(&self) -> Result<&VirtualHead> {
        self.emulated.as_ref().map(|e| &e.head).ok_or_else(|| Error::other("needs the emulator"))
    }
}

impl Instrument for Board {
    fn section(&self) -> String {
        format!("kind = \"serial\"\nport = \"{}\"", self.port.display())
    }

    fn arguments(&self) -> Vec<String> {
        // A real board holds the fault of the scene before, and says so unasked; the emulated one is new in each.
        if self.emulated.is_some() {
            return Vec::new();
        }
        std::thread::sleep(std::time::Duration::from_millis(300));
        let fault = self.line.heard(|tap| tap.telemetry.last().and_then(|(_, told)| told.fault));
        fault.map_or_else(Vec::new, |fault| vec!["--clear-fault".to_owned(), fault.code.label().to_string()])
    }

    fn environment(&self) -> Vec<(String, String)> {
        Vec::new()
    }

    fn trace(&self) -> Trace {
        if let Some(e) = &self.emulated {
            let current_ma = e.head.look(|seen| seen.ticks.iter().map(|tick| tick.current_ma).collect());
            return Trace { rate_hz: TICKS_HZ, current_ma };
        }
        // What a board says of the current that it measures, each word held until the next.
        let mut current_ma = Vec::new();
        self.line.heard(|tap| {
            for (at, t) in &tap.telemetry {
                let now = ((*at - self.began).as_secs_f64() * TOLD_HZ) as usize;
                let last = current_ma.last().copied().unwrap_or(0.0);
                current_ma.resize(now.max(current_ma.len()), last);
                current_ma.push(if t.relay_closed { t.measured_ma.unwrap_or(t.current_ma) } else { 0.0 });
            }
        });
        Trace { rate_hz: TOLD_HZ, current_ma }
    }

    fn mend(&mut self) -> Result<()> {
        self.line.set(|spoil| *spoil = Default::default());
        if let Some(e) = &self.emulated {
            e.head.set(|head| *head = e.sound);
        }
        Ok(())
    }

    fn is_felt(&self) -> bool {
        self.emulated.is_some()
    }

    fn clock(&self) -> Option<f64> {
        // The median over stretches, so that moments in which the machine had no time do not count.
        let e = self.emulated.as_ref()?;
        let mut speeds = e.head.look(|seen| {
            let stretches = seen.ticks.windows(STRETCH + 1).step_by(STRETCH);
            let took_s = stretches.filter_map(|s| Some((s.last()?.at - s.first()?.at).as_secs_f64()));
            took_s.map(|took_s| STRETCH as f64 / took_s / TICKS_HZ).collect::<Vec<f64>>()
        });
        speeds.sort_by(f64::total_cmp);
        speeds.get(speeds.len() / 2).copied()
    }
}
