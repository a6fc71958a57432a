//! A virtual head on the other side of the firmware's analogue port: takes codes, gives back what a shunt
//! and a voltmeter would read, and keeps everything that came.
//!
//! The frames are those of `firmware/stm32f405/src/emulated.rs`; the scales here are written anew, so that a
//! mistake there does not cancel out.

use std::io::{Read, Result, Write};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Instant;

/// Full scale of DAC and ADC, in mA.
const FULL_MA: f64 = 2.5;
/// Full scale of the voltage's ADC, in V.
const FULL_V: f64 = 30.0;
/// The stage cannot push more than this through an open electrode, in V.
const COMPLIANCE_V: f64 = 28.0;
/// The clamp behind the DAC, in mA.
const CLAMP_MA: f64 = 2.2;

/// What is wrong with the output or the head, as long as it is set.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Head {
    /// Of both electrodes and what lies between, in kOhm.
    pub kohm: f64,
    /// The measured current over the real one.
    pub gain: f64,
    /// The DAC stands at this code whatever is written.
    pub stuck_code: Option<u16>,
    /// The button.
    pub e_stop: bool,
    /// Nothing is measured.
    pub blind: bool,
    /// Every how many ticks a reading is sent.
    pub every: u32,
}

impl Default for Head {
    fn default() -> Self {
        Self { kohm: 5.0, gain: 1.0, stuck_code: None, e_stop: false, blind: false, every: 4 }
    }
}

/// One tick of the board.
#[derive(Clone, Copy, Debug)]
pub struct Tick {
    /// When it came, on this machine's clock.
    pub at: Instant,
    /// Through the head, in mA: zero with the relay open.
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
    seen: Arc<Mutex<Seen>>,
    _thread: JoinHandle<Result<()>>,
}

fn lock<T>(m: &Mutex<T>) -> MutexGuard<'_, T> {
    m.lock().unwrap_or_else(PoisonError::into_inner)
}

impl VirtualHead {
    /// Listens until the line closes.
    pub fn start(line: UnixStream) -> Self {
        let head = Arc::new(Mutex::new(Head::default()));
        let seen = Arc::new(Mutex::new(Seen::default()));
        let (h, s) = (head.clone(), seen.clone());
        Self { head, seen, _thread: std::thread::spawn(move || serve(line, &h, &s)) }
    }

    /// Changes what is wrong.
    pub fn set(&self, change: impl FnOnce(&mut Head)) {
        change(&mut lock(&self.head));
    }

    /// Looks at what came.
    pub fn look<T>(&self, at: impl FnOnce(&Seen) -> T) -> T {
        at(&lock(&self.seen))
    }

    /// The newest tick.
    pub fn now(&self) -> Option<Tick> {
        self.look(|s| s.ticks.last().copied())
    }
}

fn serve(mut line: UnixStream, head: &Mutex<Head>, seen: &Mutex<Seen>) -> Result<()> {
    let (mut chunk, mut frame, mut ticks) = ([0; 4_096], Vec::with_capacity(4), 0_u32);
    let mut answers = Vec::new();
    loop {
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
            let &[flags, a, b, c] = frame.as_slice() else { continue };
            frame.clear();
            if flags & 0x40 != 0 {
                lock(seen).stack_bytes = u32::from(a) << 14 | u32::from(b) << 7 | u32::from(c);
                continue;
            }
            let head = *lock(head);
            let code = head.stuck_code.unwrap_or(u16::from(b) << 7 | u16::from(c));
            let relay_closed = flags & 1 != 0;
            let (current_ma, voltage_v) = flow(&head, code, relay_closed);
            lock(seen).ticks.push(Tick { at, current_ma: current_ma as f32, relay_closed });
            ticks = ticks.wrapping_add(1);
            if !head.blind && ticks.is_multiple_of(head.every.max(1)) {
                let [ih, il] = septets(current_ma * head.gain / FULL_MA);
                let [vh, vl] = septets(voltage_v / FULL_V);
                answers.extend([0x80 | u8::from(head.e_stop), a, ih, il, vh, vl]);
            }
        }
        line.write_all(&answers)?;
        answers.clear();
    }
}

/// What a current source with a limited voltage drives through the head.
fn flow(head: &Head, code: u16, relay_closed: bool) -> (f64, f64) {
    if !relay_closed {
        return (0.0, 0.0);
    }
    let wanted_ma = ((f64::from(code) - 2_048.0) / 2_048.0 * FULL_MA).clamp(-CLAMP_MA, CLAMP_MA);
    let voltage_v = (wanted_ma * head.kohm).clamp(-COMPLIANCE_V, COMPLIANCE_V);
    (voltage_v / head.kohm.max(1e-3), voltage_v)
}

fn septets(share: f64) -> [u8; 2] {
    let code = (2_048.0 + share * 2_048.0).round().clamp(0.0, 4_095.0) as u16;
    [(code >> 7) as u8, (code & 0x7F) as u8]
}
