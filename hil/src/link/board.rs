//! The far end, two of them: the image in the emulator with a head behind it, and the device's code alone behind
//! a pseudo terminal, which says what host and link do where no emulator holds them up.

use std::fs::File;
use std::io::Result;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use tras_wire::{Decoder, DeviceMessage, State};

use super::calls::make_room;
use super::port;
use super::socket::Ear;
use crate::emulator::Emulator;
use crate::head::VirtualHead;
use crate::lock;
use tras_test_support::serial as serial_support;

/// One value at the DAC.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tick {
    /// When, in s since the epoch of [`Seen`].
    pub at_s: f64,
    /// In mA.
    pub current_ma: f32,
    /// Whether anything can flow.
    pub closed: bool,
}

/// What a board has shown.
#[derive(Default)]
pub(super) struct Seen {
    /// At the DAC, tick by tick.
    pub ticks: Vec<Tick>,
    /// Ticks for each sample.
    pub per_sample: usize,
    /// The queue's fill in samples while it plays, at even distances of the device's time, and when.
    pub fills: Vec<(f64, u16)>,
    /// Bytes to and from the device, where they are seen.
    pub bytes: Option<(u64, u64)>,
}

/// Which far end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The image in QEMU.
    Emulated,
    /// The device's code in a thread.
    Plain,
}

impl Kind {
    /// In tables.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Emulated => "emulated board",
            Self::Plain => "its code alone",
        }
    }
}

/// What lies between host and board.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Via {
    /// A pseudo terminal and the serial adapter.
    Terminal,
    /// A socket.
    Socket,
}

/// The near end.
pub(super) enum Near {
    /// A path for the serial adapter.
    Port(String),
    /// A socket, and who listens on it.
    Socket(UnixStream, Ear),
}

/// A far end that runs.
pub(super) enum Board {
    /// See [`Kind`].
    Emulated(Box<Emulated>),
    /// See [`Kind`].
    Plain(Box<serial_support::Bench>),
}

/// The emulated board's parts.
pub(super) struct Emulated {
    head: VirtualHead,
    heard: Arc<Mutex<Heard>>,
    epoch: Instant,
    _emulator: Emulator,
}

#[derive(Default)]
struct Heard {
    fills: Vec<(f64, u16)>,
    bytes: (u64, u64),
}

impl Board {
    /// Starts one for about so many seconds, and gives the host's end of its line.
    ///
    /// # Errors
    /// QEMU is missing, or no pseudo terminal is to be had.
    pub(super) fn start(kind: Kind, via: Via, image: &Path, seconds: f64) -> Result<(Self, Near)> {
        match kind {
            Kind::Plain => {
                let (bench, near) = match via {
                    Via::Terminal => {
                        let bench = serial_support::Bench::start(Default::default());
                        let near = Near::Port(bench.path.clone());
                        (bench, near)
                    }
                    Via::Socket => {
                        let (ours, hosts) = UnixStream::pair()?;
                        ours.set_nonblocking(true)?;
                        let far = File::from(OwnedFd::from(ours));
                        let bench =
                            serial_support::Bench::start_on(far, "a socket".into(), Default::default());
                        (bench, Near::Socket(hosts, Box::new(|_, _| {})))
                    }
                };
                let nothing = serial_support::Flow {
                    at_s: 1.0,
                    current_ma: 1.0,
                    state: State::Disarmed,
                    underruns: 1,
                    fill: 1,
                };
                let mut flow = lock(&bench.flow);
                make_room(&mut flow, (seconds * 4_000.0) as usize, nothing);
                drop(flow);
                Ok((Self::Plain(Box::new(bench)), near))
            }
            Kind::Emulated => {
                let folder = tempfile::tempdir()?;
                let emulator = Emulator::start(image, folder.path())?;
                let head = VirtualHead::start(emulator.analogue.try_clone()?);
                let link = emulator.link.try_clone()?;
                let (heard, epoch) = (Arc::<Mutex<Heard>>::default(), Instant::now());
                let listener = listener(heard.clone(), epoch);
                let near = match via {
                    Via::Terminal => Near::Port(port::join(link, listener)?),
                    Via::Socket => Near::Socket(link, Box::new(listener)),
                };
                Ok((Self::Emulated(Box::new(Emulated { head, heard, epoch, _emulator: emulator })), near))
            }
        }
    }

    /// Zero of every time in [`Seen`].
    pub(super) fn epoch(&self) -> Instant {
        match self {
            Self::Emulated(e) => e.epoch,
            Self::Plain(bench) => bench.began,
        }
    }

    /// Everything so far.
    pub(super) fn seen(&self) -> Seen {
        match self {
            Self::Emulated(e) => {
                let ticks = e.head.look(|s| {
                    let tick = |t: &crate::head::Tick| Tick {
                        at_s: t.at.duration_since(e.epoch).as_secs_f64(),
                        current_ma: t.current_ma,
                        closed: t.relay_closed,
                    };
                    s.ticks.iter().map(tick).collect()
                });
                let heard = lock(&e.heard);
                Seen { ticks, per_sample: 1, fills: heard.fills.clone(), bytes: Some(heard.bytes) }
            }
            Self::Plain(bench) => {
                let flow = lock(&bench.flow);
                let playing = |s: State| matches!(s, State::RampUp | State::Stimulating);
                let tick = |f: &serial_support::Flow| Tick {
                    at_s: f.at_s,
                    current_ma: f.current_ma,
                    closed: !matches!(f.state, State::Disarmed),
                };
                let fills = flow.iter().filter(|f| playing(f.state)).map(|f| (f.at_s, f.fill)).collect();
                Seen { ticks: flow.iter().map(tick).collect(), per_sample: 2, fills, bytes: None }
            }
        }
    }
}

/// Counts bytes, and takes the fill from telemetry that nothing has asked for: the firmware sends it every 20 ms
/// of its own time, whatever the host does, so that it is a fair sample.
fn listener(heard: Arc<Mutex<Heard>>, epoch: Instant) -> impl FnMut(bool, &[u8]) + Send {
    let (mut decoder, mut echo) = (Decoder::default(), None);
    move |down, bytes| {
        let mut heard = lock(&heard);
        if down {
            heard.bytes.0 += bytes.len() as u64;
            return;
        }
        heard.bytes.1 += bytes.len() as u64;
        for &byte in bytes {
            let Some(Ok(frame)) = decoder.push::<DeviceMessage>(byte) else { continue };
            let DeviceMessage::Telemetry(t) = frame.message else { continue };
            let unasked = echo.replace(t.echo) == Some(t.echo);
            if unasked && matches!(t.state, State::RampUp | State::Stimulating) {
                heard.fills.push((epoch.elapsed().as_secs_f64(), t.queue_fill));
            }
        }
    }
}
