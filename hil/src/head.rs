//! A virtual head on the other side of the firmware's analogue port: takes codes, gives back what a shunt
//! and a voltmeter would read, and keeps everything that came.
//!
//! The frames are those of `firmware/stm32f405/src/emulated.rs`; the scales here are written anew, so that a
//! mistake there does not cancel out.

use std::io::{Read, Result, Write};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Instant;

use crate::emulator::{GATHER, serve_the_board};
use crate::lock;

/// Full scale of DAC and ADC, in mA.
const FULL_MA: f64 = 2.5;
/// Full scale of the voltage's ADC, in V.
const FULL_V: f64 = 30.0;
/// The stage cannot push more than this through an open electrode, in V.
const COMPLIANCE_V: f64 = 28.0;
/// The clamp behind the DAC, in mA.
const CLAMP_MA: f64 = 2.2;
/// Steps of DAC and ADC.
const STEPS: f64 = 4_096.0;
/// The supply at which [`VREFINT`] was measured, in V.
const CALIBRATED_V: f64 = 3.3;
/// The reference of mid-scale, in V: 0 mA, and 0 V across the electrodes.
const MIDDLE_V: f64 = 1.65;
/// The shunt across the output, in kOhm.
const SHUNT_KOHM: f64 = 0.025;
/// What VREFINT reads at 3.3 V.
const VREFINT: f64 = 1_504.0;
/// Ticks between two of its readings: 100 ms.
const VREFINT_EVERY: u32 = 200;

/// What is wrong with the output or the head, as long as it is set.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Head {
    /// Of both electrodes and what lies between, in kOhm.
    pub kohm: f64,
    /// The measured current over the real one.
    pub gain: f64,
    /// The DAC stands at this code whatever is written.
    pub stuck_code: Option<u16>,
    /// A button, whoever presses it: the operator's and the participant's are in series.
    pub e_stop: bool,
    /// The relay does not open.
    pub welded: bool,
    /// The supply that DAC and ADC measure by, in V.
    pub vdda_v: f64,
    /// Nothing is measured.
    pub blind: bool,
    /// Every how many ticks a reading is sent, of 128.
    pub every: u32,
}

impl Head {
    /// Nothing wrong.
    pub const SOUND: Self = Self {
        kohm: 5.0,
        gain: 1.0,
        stuck_code: None,
        e_stop: false,
        welded: false,
        vdda_v: 3.3,
        blind: false,
        every: 16,
    };
}

impl Default for Head {
    fn default() -> Self {
        Self::SOUND
    }
}

/// One tick of the board.
#[derive(Clone, Copy, Debug)]
pub struct Tick {
    /// When it came, on this machine's clock.
    pub at: Instant,
    /// Through the head, in mA: zero with the relay open, next to zero with the shunt closed.
    pub current_ma: f32,
    /// Whether the relay is closed.
    pub relay_closed: bool,
}

/// Everything that came.
#[derive(Default)]
pub struct Seen {
    /// Tick by tick.
    pub ticks: Vec<Tick>,
    /// The deepest stack that the firmware reported, in bytes.
    pub stack_bytes: u32,
    /// Frames that were none.
    pub garbage: u64,
}

/// The head and its thread.
pub struct VirtualHead {
    head: Arc<Mutex<Head>>,
    eye: Eye,
    _thread: JoinHandle<Result<()>>,
}

/// Looks at what a head has seen, from another thread.
#[derive(Clone)]
pub struct Eye(Arc<Mutex<Seen>>);

impl Eye {
    /// Looks at what came.
    pub fn look<T>(&self, at: impl FnOnce(&Seen) -> T) -> T {
        at(&lock(&self.0))
    }
}

impl VirtualHead {
    /// What it has seen, for another thread.
    #[must_use]
    pub fn eye(&self) -> Eye {
        self.eye.clone()
    }

    /// Listens until the line closes.
    pub fn start(line: UnixStream) -> Self {
        let head = Arc::new(Mutex::new(Head::default()));
        let seen = Arc::new(Mutex::new(Seen::default()));
        let (h, s) = (head.clone(), seen.clone());
        Self {
            head,
            eye: Eye(seen),
            _thread: std::thread::spawn(move || {
                serve_the_board();
                serve(line, &h, &s)
            }),
        }
    }

    /// Changes what is wrong.
    pub fn set(&self, change: impl FnOnce(&mut Head)) {
        change(&mut lock(&self.head));
    }

    /// Looks at what came.
    pub fn look<T>(&self, at: impl FnOnce(&Seen) -> T) -> T {
        self.eye.look(at)
    }

    /// The newest tick.
    pub fn now(&self) -> Option<Tick> {
        self.look(|s| s.ticks.last().copied())
    }
}

fn serve(mut line: UnixStream, head: &Mutex<Head>, seen: &Mutex<Seen>) -> Result<()> {
    let mut back = line.try_clone()?;
    let (unsent, to_send) = std::sync::mpsc::sync_channel::<Vec<u8>>(64);
    std::thread::spawn(move || to_send.iter().try_for_each(|bytes| back.write_all(&bytes)));
    let (mut chunk, mut frame) = ([0; 4_096], Vec::with_capacity(8));
    let (mut number, mut answers) = (0_u8, Vec::new());
    let (mut shunt_open, mut ticks) = (false, 0_u32);
    loop {
        std::thread::sleep(GATHER);
        let n = line.read(&mut chunk)?;
        if n == 0 {
            return Ok(());
        }
        let at = Instant::now();
        for &byte in chunk.get(..n).unwrap_or_default() {
            if byte & 0x80 != 0 {
                if !frame.is_empty() {
                    lock(seen).garbage += 1;
                }
                frame.clear();
            }
            frame.push(byte);
            match *frame.as_slice() {
                [first, low] if first & 0x40 == 0 => {
                    let head = *lock(head);
                    let (code, closed) = (u16::from(first & 0x1F) << 7 | u16::from(low), first & 0x20 != 0);
                    let flows =
                        flow(&head, head.stuck_code.unwrap_or(code), closed || head.welded, shunt_open);
                    let tick = Tick { at, current_ma: flows.head_ma as f32, relay_closed: closed };
                    lock(seen).ticks.push(tick);
                    ticks = ticks.wrapping_add(1);
                    if ticks.is_multiple_of(VREFINT_EVERY) {
                        let [high, low] = septets(VREFINT * CALIBRATED_V / head.vdda_v);
                        answers.extend([0xC0, high, low]);
                    }
                    if !head.blind && u32::from(number).is_multiple_of(head.every.max(1)) {
                        let code = |share: f64| STEPS * MIDDLE_V * (1.0 + share) / head.vdda_v;
                        let [ih, il] = septets(code(flows.stage_ma * head.gain / FULL_MA));
                        let [vh, vl] = septets(code(flows.voltage_v / FULL_V));
                        answers.extend([0x80 | u8::from(head.e_stop), number, ih, il, vh, vl]);
                    }
                    number = (number + 1) % 128;
                }
                // The shunt has moved.
                [first, _] if first & 0xE0 == 0xE0 => shunt_open = first & 1 != 0,
                [_, tick, high, middle, low] => {
                    number = (tick + 1) % 128;
                    lock(seen).stack_bytes = u32::from(high) << 14 | u32::from(middle) << 7 | u32::from(low);
                }
                _ => continue,
            }
            frame.clear();
        }
        // Never waiting: an emulator that waits for us to read, while we wait for it, would stand still. A
        // reading that finds no room is one that was not measured.
        let _ = unsent.try_send(std::mem::take(&mut answers));
    }
}

/// What flows.
struct Flows {
    /// Through the stage and its readback, in mA.
    stage_ma: f64,
    /// Through the head, in mA.
    head_ma: f64,
    /// Across the electrodes.
    voltage_v: f64,
}

/// What a current source with a limited voltage drives through head and shunt. The DAC is taken for the one inside,
/// which makes its volts from VDDA: whatever is wrong with that is wrong with the current.
fn flow(head: &Head, code: u16, relay_closed: bool, shunt_open: bool) -> Flows {
    if !relay_closed {
        return Flows { stage_ma: 0.0, head_ma: 0.0, voltage_v: 0.0 };
    }
    let share = f64::from(code) / STEPS * head.vdda_v / MIDDLE_V - 1.0;
    let wanted_ma = (share * FULL_MA).clamp(-CLAMP_MA, CLAMP_MA);
    let head_kohm = head.kohm.max(1e-3);
    let kohm = if shunt_open { head_kohm } else { head_kohm * SHUNT_KOHM / (head_kohm + SHUNT_KOHM) };
    let voltage_v = (wanted_ma * kohm).clamp(-COMPLIANCE_V, COMPLIANCE_V);
    Flows { stage_ma: voltage_v / kohm, head_ma: voltage_v / head_kohm, voltage_v }
}

fn septets(code: f64) -> [u8; 2] {
    let code = code.round().clamp(0.0, STEPS - 1.0) as u16;
    [(code >> 7) as u8, (code & 0x7F) as u8]
}
