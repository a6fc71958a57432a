//! No stop waits for anything: space, `q`, Ctrl-C, SIGTERM, and a second one, while disk, screen, network or one thread of
//! the run stands still. Each row is the time from the key or signal until the stimulate thread has obeyed, by the stamps
//! of that thread on the one clock of the machine; and until the device's current was zero after the second.

use std::{
    fs::File,
    io::{Read, Write},
    os::fd::{AsRawFd, FromRawFd},
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tras::{clock, realtime};
use tras_device::State;
use tras_test_support::{
    children,
    disk::Disk,
    freeze::Frozen,
    lab::{Lab, sleep_s},
    serial::{Bench, Wrong},
};

use crate::common::{BY_SIGNAL, SIMULATE, comes_to, config, end_of, recorded, serial};

/// A stop has reached the stimulate thread within this.
const REACHED_MS: f64 = 20.0;
/// The current of a cut is zero within this: the cut itself, and the kernel's pseudo terminal, which on a busy machine
/// carries the bytes late (`docs/link.md`).
const CUT_MS: f64 = 150.0;
/// From one stop to the next: the ramp of 1 s must still be high.
const BETWEEN_S: f64 = 0.2;

/// What stands still.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Stall {
    Nothing,
    Disk,
    Screen,
    Network,
    Thread(&'static str),
}

impl Stall {
    /// How long before the stop: the ledger is written every 5 s, a thread that is missed for 3 s ends the current itself,
    /// and so does a stream that is lost for 0.4 s.
    fn before_s(self) -> f64 {
        match self {
            Self::Disk => 6.0,
            Self::Network => 0.1,
            _ => 1.0,
        }
    }
}

/// How the run is watched, and stopped.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Way {
    /// In the dashboard: space, then `q`, then `q`.
    Keys,
    /// Without a screen: this signal, twice.
    Signal(i32),
}

impl Way {
    /// Why the current has ended, as the run says it.
    fn words(self) -> &'static str {
        match self {
            Self::Keys => "stopped by the operator",
            Self::Signal(_) => BY_SIGNAL,
        }
    }
}

/// A pseudo terminal whose near end the program has, read until told to stand still.
struct Terminal {
    far: File,
    still: Arc<AtomicBool>,
}

impl Terminal {
    fn open() -> (Self, File) {
        let (mut far, mut near) = (-1, -1);
        let size = libc::winsize { ws_row: 40, ws_col: 120, ws_xpixel: 0, ws_ypixel: 0 };
        let nothing = std::ptr::null_mut::<libc::c_char>();
        // SAFETY: two integers to write to, no name, default modes, and a size that lives across the call; both
        // descriptors are new and belong to nobody else.
        let (far, near) = unsafe {
            let made = libc::openpty(&mut far, &mut near, nothing, std::ptr::null(), &raw const size);
            assert_eq!(made, 0);
            libc::fcntl(far, libc::F_SETFD, libc::FD_CLOEXEC);
            (File::from_raw_fd(far), File::from_raw_fd(near))
        };
        let still = Arc::new(AtomicBool::new(false));
        let (mut reads, stands) = (far.try_clone().unwrap(), Arc::clone(&still));
        std::thread::spawn(move || {
            let mut bytes = [0; 4_096];
            loop {
                if stands.load(Ordering::Relaxed) {
                    std::thread::sleep(Duration::from_millis(10));
                } else if !reads.read(&mut bytes).is_ok_and(|length| length > 0) {
                    return;
                }
            }
        });
        (Self { far, still }, near)
    }

    fn press(&mut self, key: u8) {
        self.far.write_all(&[key]).unwrap();
    }
}

/// A standard output that takes nothing: a pipe that is full, whose reader only keeps it open.
fn full_pipe() -> (File, File) {
    let mut ends = [0; 2];
    // SAFETY: two integers to write to; both descriptors are new and belong to nobody else.
    let (out, mut into) = unsafe {
        assert_eq!(libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC), 0);
        (File::from_raw_fd(ends[0]), File::from_raw_fd(ends[1]))
    };
    // SAFETY: a plain system call on an open descriptor.
    let size = unsafe { libc::fcntl(into.as_raw_fd(), libc::F_SETPIPE_SZ, 4_096) };
    into.write_all(&vec![b'.'; usize::try_from(size).unwrap()]).unwrap();
    (out, into)
}

struct Stopped {
    /// From each stop until the stimulate thread had obeyed, in ms: the first, and the last, which cuts.
    reached_ms: [f64; 2],
    /// From the last until zero at the device, in ms.
    zero_ms: f64,
}

fn stop(way: Way, stall: Stall) -> Stopped {
    let lab = Lab::new();
    let _sim = lab.start(SIMULATE);
    let (bench, disk) = (Bench::start(Wrong::default()), Disk::new(lab.folder()).unwrap());
    let file = lab.write("run.toml", &config(&serial(&bench), "dir = \"r\"\n"));
    let (mut terminal, near) = Terminal::open();
    let full = full_pipe();
    let mut command = lab.tras("run");
    command.arg("-c").arg(file).envs(disk.environment()).env("TERM", "xterm-256color");
    match way {
        Way::Keys => in_terminal(&mut command, &near),
        Way::Signal(_) if stall == Stall::Screen => {
            command.arg("--headless").stdout(full.1.try_clone().unwrap()).stderr(Stdio::null());
        }
        Way::Signal(_) => {
            command.arg("--headless").stdout(Stdio::null()).stderr(Stdio::null());
        }
    }
    let mut child = tras_test_support::reader::Killed(command.spawn().unwrap());
    drop(near);
    comes_to(&bench, State::Stimulating, 45.0);
    // The device's first ramp is its own; the host's full amplitude comes with it.
    sleep_s(1.0);
    let pid = child.0.id();
    let mut frozen = None;
    match stall {
        Stall::Nothing => {}
        Stall::Disk => disk.stall().unwrap(),
        Stall::Screen => terminal.still.store(true, Ordering::Relaxed),
        Stall::Network => signal_children(pid, libc::SIGSTOP),
        Stall::Thread(name) => frozen = Some(Frozen::thread(pid, name).unwrap()),
    }
    sleep_s(stall.before_s());
    let stops: &[Option<u8>] = match way {
        Way::Keys => &[Some(b' '), Some(b'q'), Some(b'q')],
        Way::Signal(_) => &[None, None],
    };
    let (mut at_s, mut device_s) = (Vec::new(), 0.0);
    for key in stops {
        (device_s, _) = (bench.now_s(), at_s.push(clock::now_s()));
        match (key, way) {
            (Some(key), _) => terminal.press(*key),
            (None, Way::Signal(signal)) => child.signal(signal),
            (None, Way::Keys) => {}
        }
        sleep_s(BETWEEN_S);
    }
    sleep_s(0.5);
    let zero_ms = (bench.after(device_s).1 - device_s) * 1e3;
    drop(frozen);
    disk.mend().unwrap();
    terminal.still.store(false, Ordering::Relaxed);
    // The summary is written to whoever reads; nobody does any more.
    drop(full);
    if stall == Stall::Network {
        signal_children(pid, libc::SIGCONT);
    }
    end(&mut child.0);
    let halted_s = recorded(&lab).when("halted", "why", way.words());
    // The loop notes the first of them once more, when it has heard of it.
    assert!(halted_s.len() >= 2, "a stop and a cut: {halted_s:?}, asked at {at_s:?}");
    let reached_ms =
        [(halted_s[0] - at_s[0]) * 1e3, (halted_s[halted_s.len() - 1] - at_s[at_s.len() - 1]) * 1e3];
    assert!(reached_ms.iter().all(|ms| *ms > -1.0), "obeyed before it was said: {reached_ms:?}");
    Stopped { reached_ms, zero_ms }
}

fn in_terminal(command: &mut Command, near: &File) {
    use std::os::unix::process::CommandExt;
    let stdio = || Stdio::from(near.try_clone().unwrap());
    command.stdin(stdio()).stdout(stdio()).stderr(stdio());
    let lead = || {
        // SAFETY: plain system calls of the child between fork and exec, on its own standard input.
        let done = unsafe { libc::setsid() >= 0 && libc::ioctl(0, libc::TIOCSCTTY, 0) == 0 };
        if done { Ok(()) } else { Err(std::io::Error::last_os_error()) }
    };
    // SAFETY: nothing in it allocates or locks.
    unsafe { command.pre_exec(lead) };
}

fn signal_children(pid: u32, signal: i32) {
    for role in ["inlet", "outlets", "markers"] {
        if let Some(child) = children::child(pid, role) {
            // SAFETY: a signal to a process that a child of this test has started.
            unsafe { libc::kill(child as i32, signal) };
        }
    }
}

fn end(child: &mut Child) {
    let code = end_of(child, 30.0);
    assert!(matches!(code, Some(0 | 4)), "{code:?}");
}

/// One row for the keys and one for a signal.
fn rows(stall: Stall, signal: i32) {
    // Judged strictly only where the stimulate thread is allowed before others.
    let strict =
        std::thread::spawn(|| matches!(realtime::promote(1), realtime::Granted::RealTime(_))).join().unwrap();
    for way in [Way::Keys, Way::Signal(signal)] {
        let Stopped { reached_ms: [first, last], zero_ms } = stop(way, stall);
        println!(
            "{stall:?}, {way:?}: the stimulate thread obeys the first stop after {first:.1} ms, the last after {last:.1} ms, \
             zero at the device after {zero_ms:.1} ms"
        );
        let allowed_ms = if strict { REACHED_MS } else { 10.0 * REACHED_MS };
        assert!(first <= allowed_ms && last <= allowed_ms, "{stall:?}, {way:?}: {first} and {last} ms");
        assert!(zero_ms <= CUT_MS, "{stall:?}, {way:?}: zero after {zero_ms} ms");
    }
}

#[test]
fn a_stop_waits_for_nothing_when_nothing_stalls() {
    rows(Stall::Nothing, libc::SIGINT);
}

#[test]
fn a_stop_does_not_wait_for_a_stalled_disk() {
    rows(Stall::Disk, libc::SIGINT);
}

#[test]
fn a_stop_does_not_wait_for_a_stalled_screen() {
    rows(Stall::Screen, libc::SIGTERM);
}

#[test]
fn a_stop_does_not_wait_for_a_stalled_network() {
    rows(Stall::Network, libc::SIGINT);
}

#[test]
fn a_stop_does_not_wait_for_the_main_thread() {
    rows(Stall::Thread("tras"), libc::SIGTERM);
}

#[test]
fn a_stop_does_not_wait_for_the_ledger() {
    rows(Stall::Thread("tras-ledger"), libc::SIGTERM);
}

#[test]
fn a_stop_does_not_wait_for_the_observer() {
    rows(Stall::Thread("tras-observe"), libc::SIGINT);
}

#[test]
fn a_stop_does_not_wait_for_the_recorder() {
    rows(Stall::Thread("tras-record"), libc::SIGTERM);
}
