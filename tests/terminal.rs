//! Whatever ends the program, the terminal comes back: run in a pseudo terminal of its own, and looked at from
//! the other side.

#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::cast_possible_truncation,
    reason = "tests"
)]

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsRawFd, FromRawFd};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use tras::dashboard::{Action, Dashboard, Options};
use tras::estimator::Contamination;
use tras_test_support::screen::{estimate, session};

const LEFT: &str = "\u{1b}[?1049l";

/// The program under test: this very binary, started again with `TRAS_DASHBOARD` set. Prints the actions that
/// came, and ends by Quit, or as the variable says. By hand it shows moving data:
/// `TRAS_DASHBOARD=show dashboard_terminal-... --exact child --nocapture`.
#[test]
fn child() {
    let Ok(how) = std::env::var("TRAS_DASHBOARD") else { return };
    let view = Arc::new(Mutex::new(session()));
    let (actions, came) = crossbeam_channel::unbounded();
    let mut options = Options::from_environment();
    options.theme.ascii = std::env::var_os("TRAS_ASCII").is_some();
    // What a library may do: a descriptor that would survive into another program.
    // SAFETY: duplicates an open descriptor; it is closed with the process.
    assert!(unsafe { libc::dup(0) } > 2);
    let screen = Dashboard::start(Arc::clone(&view), actions, options).unwrap();
    let stderr_file = screen.stderr_file().to_owned();
    eprintln!("noise of a library");
    let start = Instant::now();
    let mut log = Vec::new();
    loop {
        let t = start.elapsed().as_secs_f64();
        {
            let mut view = view.lock().unwrap();
            view.elapsed_s = t;
            view.stream.received += 8;
            for i in 0..8 {
                let at = t + 106.0 + f64::from(i) / 250.0;
                let values = [0.0_f64, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]
                    .map(|c| (20.0 * (62.8 * at + c).sin() + 15.0 * (7.0 * at + c).cos()) as f32);
                view.push_frame(at, &values);
            }
            view.push_current(120.0 + t, (0.4 * (37.0 * t).sin()) as f32);
            view.push_estimate(&estimate(120.0 + t, 1.6 + 0.2 * (t / 3.0).sin(), None, Contamination::Clean));
        }
        match came.recv_timeout(Duration::from_millis(30)) {
            Ok(Action::Quit) => break,
            Ok(action) => log.push(action),
            Err(_) => {}
        }
        match how.as_str() {
            "panic" if t > 0.5 => thread::spawn(|| panic!("on purpose")).join().unwrap_err(),
            "exit" if t > 0.5 => std::process::exit(7),
            "abort" if t > 0.5 => std::process::abort(),
            _ => Box::new(()),
        };
    }
    let begin = Instant::now();
    drop(screen);
    let kept = std::fs::read_to_string(&stderr_file).unwrap();
    std::fs::remove_file(stderr_file).unwrap();
    assert!(kept.contains("noise of a library"), "{kept}");
    println!("actions {log:?} closed in {} ms", begin.elapsed().as_millis());
}

/// A pseudo terminal of 80x24 with a child in it.
struct Pty {
    ours: File,
    theirs: File,
    child: Child,
    before: String,
    seen: Vec<u8>,
    // Where the child keeps its standard error, killed or not.
    _folder: tempfile::TempDir,
}

impl Pty {
    fn start(how: &str) -> Self {
        let (mut ours, mut theirs) = (-1, -1);
        let mut size = libc::winsize { ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 };
        let null = std::ptr::null_mut::<libc::c_char>();
        // SAFETY: two integers to write to, no name, default modes, and a size that lives on.
        let made = unsafe {
            libc::openpty(&raw mut ours, &raw mut theirs, null, std::ptr::null_mut(), (&raw mut size).cast())
        };
        assert_eq!(made, 0);
        // SAFETY: both were opened just now and belong to nobody else.
        let (ours, theirs) = unsafe { (File::from_raw_fd(ours), File::from_raw_fd(theirs)) };
        for file in [&ours, &theirs] {
            // SAFETY: an open descriptor; children must not inherit these copies.
            unsafe { libc::fcntl(file.as_raw_fd(), libc::F_SETFD, libc::FD_CLOEXEC) };
        }
        let before = modes(&theirs);
        let stdio = || Stdio::from(theirs.try_clone().unwrap());
        let folder = tempfile::tempdir().unwrap();
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child", "--nocapture"])
            .env("TRAS_DASHBOARD", how)
            .env("TMPDIR", folder.path())
            .env("TERM", "xterm-256color")
            .stdin(stdio())
            .stdout(stdio())
            .stderr(stdio())
            .spawn()
            .unwrap();
        Self { ours, theirs, child, before, seen: Vec::new(), _folder: folder }
    }

    /// Everything that has been written to the terminal, once `needle` is among it; at most 10 s.
    fn read_until(&mut self, needle: &str) -> String {
        let deadline = Instant::now() + Duration::from_secs(10);
        while Instant::now() < deadline {
            let mut poll = libc::pollfd { fd: self.ours.as_raw_fd(), events: libc::POLLIN, revents: 0 };
            // SAFETY: one pollfd that lives for the call.
            if unsafe { libc::poll(&raw mut poll, 1, 100) } > 0 {
                let mut some = [0; 4096];
                let count = self.ours.read(&mut some).unwrap_or(0);
                self.seen.extend_from_slice(&some[..count]);
            }
            if String::from_utf8_lossy(&self.seen).contains(needle) {
                break;
            }
        }
        let text = String::from_utf8_lossy(&self.seen).into_owned();
        assert!(text.contains(needle), "{needle:?} never came in {text:?}");
        text
    }

    fn wait(&mut self) -> std::process::ExitStatus {
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < deadline, "the child hangs");
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// The modes are as before the child came; after kill -9 the watcher needs a moment.
    fn assert_modes_are_back(&self) {
        let deadline = Instant::now() + Duration::from_secs(5);
        while modes(&self.theirs) != self.before {
            assert!(Instant::now() < deadline, "{} instead of {}", modes(&self.theirs), self.before);
            thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Pty {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn modes(terminal: &File) -> String {
    let stty = Command::new("stty").arg("-g").stdin(terminal.try_clone().unwrap()).output().unwrap();
    String::from_utf8(stty.stdout).unwrap()
}

#[test]
fn keys_become_actions_and_quitting_gives_the_terminal_back() {
    let mut pty = Pty::start("quit");
    pty.read_until("tras-simulated");
    assert_ne!(modes(&pty.theirs), pty.before, "raw mode never came");
    pty.ours.write_all(b"? q").unwrap();
    pty.read_until(LEFT);
    let after = pty.read_until("closed in");
    assert!(
        after.contains("actions [StopStimulation]") && !after.contains("noise of a library"),
        "{after:?}"
    );
    assert!(pty.wait().success());
    pty.assert_modes_are_back();
}

#[test]
#[cfg(target_os = "linux")]
fn the_watcher_holds_nothing_of_ours_open() {
    let mut pty = Pty::start("quit");
    pty.read_until("tras-simulated");
    let main = pty.child.id();
    let tasks = std::fs::read_dir(format!("/proc/{main}/task")).unwrap();
    let watcher = tasks
        .filter_map(|task| std::fs::read_to_string(task.unwrap().path().join("children")).ok())
        .find_map(|children| children.split_whitespace().next().map(str::to_owned))
        .expect("no watcher");
    // While it starts its loader opens files of its own.
    let deadline = Instant::now() + Duration::from_secs(5);
    loop {
        let open = std::fs::read_dir(format!("/proc/{watcher}/fd")).unwrap();
        let mut open: Vec<_> = open.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        open.sort();
        if open == ["0", "1", "2"] {
            break;
        }
        assert!(Instant::now() < deadline, "the watcher holds {open:?}");
        thread::sleep(Duration::from_millis(20));
    }
    pty.ours.write_all(b"q").unwrap();
    pty.read_until("closed in");
}

/// The thread that reads keys, in `/proc`.
#[cfg(target_os = "linux")]
fn keys_thread(pty: &Pty) -> std::path::PathBuf {
    let tasks = std::fs::read_dir(format!("/proc/{}/task", pty.child.id())).unwrap();
    let is_keys = |task: &std::path::PathBuf| {
        std::fs::read_to_string(task.join("comm")).is_ok_and(|name| name.trim() == "keys")
    };
    tasks.map(|task| task.unwrap().path()).find(is_keys).expect("no thread reads keys")
}

/// Processor time that a thread has had, in ns; `None` once it has ended.
#[cfg(target_os = "linux")]
fn ran_ns(task: &std::path::Path) -> Option<u64> {
    let stat = std::fs::read_to_string(task.join("schedstat")).ok()?;
    stat.split(' ').next().unwrap().parse().ok()
}

/// More than is read at once, as a paste is: the rest must neither keep the thread busy nor stand before the next key.
#[test]
#[cfg(target_os = "linux")]
fn a_long_paste_keeps_the_keys_thread_no_longer_than_it_takes() {
    let mut pty = Pty::start("quit");
    pty.read_until("tras-simulated");
    let keys = keys_thread(&pty);
    pty.ours.write_all(&[b'x'; 3_000]).unwrap();
    thread::sleep(Duration::from_millis(500));
    let before = ran_ns(&keys).unwrap();
    thread::sleep(Duration::from_millis(1_000));
    let ran_ns = ran_ns(&keys).unwrap() - before;
    assert!(ran_ns < 100_000_000, "{ran_ns} ns of processor time in a second");
    pty.ours.write_all(b"q").unwrap();
    pty.read_until("closed in");
}

/// A window that is closed, a connection that is lost: the thread that reads keys has a priority that nothing else comes
/// before, so it must end, and not ask for ever.
#[test]
#[cfg(target_os = "linux")]
fn a_terminal_that_goes_away_is_told_and_nothing_spins() {
    let mut pty = Pty::start("quit");
    pty.read_until("tras-simulated");
    let keys = keys_thread(&pty);
    // Both ends of ours: what the child has left is a terminal that nobody holds.
    pty.theirs = File::open("/dev/null").unwrap();
    pty.ours = File::open("/dev/null").unwrap();
    let deadline = Instant::now() + Duration::from_secs(5);
    while let Some(ran_ns) = ran_ns(&keys) {
        assert!(ran_ns < 1_000_000_000, "it has asked for {ran_ns} ns of processor time");
        assert!(Instant::now() < deadline, "it still waits for keys");
        thread::sleep(Duration::from_millis(50));
    }
    assert!(pty.child.try_wait().unwrap().is_none(), "the child only hears of it");
}

#[test]
fn a_panic_gives_the_terminal_back_before_its_message() {
    let mut pty = Pty::start("panic");
    let text = pty.read_until("on purpose");
    let (left, message) = (text.find(LEFT).expect("never left"), text.find("on purpose").unwrap());
    assert!(left < message);
    pty.assert_modes_are_back();
}

#[test]
fn an_exit_an_abort_and_kill_9_give_the_terminal_back() {
    for how in ["exit", "abort", "kill"] {
        let mut pty = Pty::start(how);
        pty.read_until("tras-simulated");
        if how == "kill" {
            pty.child.kill().unwrap();
        }
        pty.wait();
        pty.read_until(LEFT);
        pty.assert_modes_are_back();
    }
}

#[test]
fn a_stalled_terminal_delays_neither_keys_nor_the_end() {
    // Nobody reads the screen: the pseudo terminal's buffer fills within a few pictures, and drawing blocks.
    let mut pty = Pty::start("quit");
    thread::sleep(Duration::from_secs(2));
    pty.ours.write_all(b" ").unwrap();
    thread::sleep(Duration::from_millis(300));
    pty.ours.write_all(b"q").unwrap();
    thread::sleep(Duration::from_millis(1500));
    let text = pty.read_until("closed in");
    assert!(text.contains("actions [StopStimulation]"), "{text:?}");
    // The watcher leaves the alternate screen where we could not.
    pty.read_until(LEFT);
    let closed: u64 =
        text.rsplit("closed in ").next().unwrap().split(' ').next().unwrap().parse().expect("a number of ms");
    assert!(closed >= 390, "the terminal did not stall: closing took {closed} ms");
    assert!(closed < 1500, "closing took {closed} ms");
    pty.assert_modes_are_back();
}
