//! The terminal is borrowed: whatever happens to the program, it goes back as it was.
//!
//! Three layers. [`Guard`]'s `Drop` and its `give_back` serve the orderly end; a panic hook serves panics, before
//! their message is printed; and a small watcher process, which only waits for our end of a pipe to close, serves
//! what no handler can (kill -9, abort). While the screen is up, standard error goes to a file, because libraries
//! print there and would tear the picture.

use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};

use ratatui::crossterm::terminal;

/// Whether the terminal is ours at the moment. The screen draws only while it is.
static BORROWED: AtomicBool = AtomicBool::new(false);

/// Whether the alternate screen has been left by us; where a stalled terminal did not take it, the watcher's turn comes.
static LEFT: AtomicBool = AtomicBool::new(false);

/// Leave the alternate screen, show the cursor, wrap lines, forget styles.
const LEAVE: &[u8] = b"\x1b[0m\x1b[?1049l\x1b[?25h\x1b[?7h";
/// Enter the alternate screen, hide the cursor.
const ENTER: &[u8] = b"\x1b[?1049h\x1b[?25l\x1b[2J";

/// Whether standard input and output are a terminal that a screen can be drawn on.
#[must_use]
pub fn is_usable() -> bool {
    let dumb = std::env::var_os("TERM").is_none_or(|term| term.is_empty() || term == "dumb");
    io::stdin().is_terminal() && io::stdout().is_terminal() && !dumb
}

/// Whether the terminal is still ours; a panic elsewhere gives it back at once.
pub(super) fn is_borrowed() -> bool {
    BORROWED.load(Ordering::Acquire)
}

/// The borrowed terminal.
pub(super) struct Guard {
    watcher: Option<std::process::Child>,
}

impl Guard {
    /// Takes the terminal: raw mode, alternate screen, standard error into `stderr_file`.
    ///
    /// # Errors
    /// There is no terminal, the file cannot be made, or another screen has the terminal.
    pub(super) fn take(stderr_file: &Path) -> io::Result<Self> {
        if !is_usable() {
            return Err(io::Error::other("dashboard: no terminal here; use --headless"));
        }
        if BORROWED.swap(true, Ordering::AcqRel) {
            return Err(io::Error::other("dashboard: the terminal is taken by another dashboard"));
        }
        LEFT.store(false, Ordering::Release);
        give_back_on_panic();
        // From here on an early return gives back what has been taken so far.
        let mut guard = Self { watcher: None };
        guard.watcher = watch()
            .inspect_err(|error| eprintln!("dashboard: no watcher ({error}): after kill -9 type `reset`"))
            .ok();
        stderr::to_file(stderr_file)?;
        terminal::enable_raw_mode()?;
        let mut out = output()?;
        out.write_all(ENTER)?;
        out.flush()?;
        Ok(guard)
    }

    /// Gives the terminal back; a second call does nothing.
    pub(super) fn give_back(&mut self) {
        give_back();
        if let Some(mut watcher) = self.watcher.take() {
            let Some(mut stdin) = watcher.stdin.take() else { return };
            // A line tells it that all is well: it ends, and is waited for lest it stays as a zombie. Without one
            // it writes to the terminal itself, as soon as that takes something again.
            if LEFT.load(Ordering::Acquire) && stdin.write_all(b"done\n").is_ok() {
                drop(stdin);
                let _ = watcher.wait();
            }
        }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.give_back();
    }
}

/// Standard output's terminal as a file of its own. `Stdout` would hold its lock while a stalled terminal blocks,
/// and with it every thread that prints.
pub(super) fn output() -> io::Result<File> {
    #[cfg(unix)]
    {
        use std::os::fd::AsFd;
        Ok(File::from(io::stdout().as_fd().try_clone_to_owned()?))
    }
    #[cfg(not(unix))]
    {
        File::options().write(true).open("CONOUT$")
    }
}

/// Whether something can be read from the terminal, within `timeout`. To be asked before crossterm is: that one reads a
/// terminal that has gone for ever, and never comes back, at the priority of whoever asked.
///
/// # Errors
/// The terminal has gone.
#[cfg(unix)]
pub(super) fn has_input(timeout: std::time::Duration) -> io::Result<bool> {
    // `is_usable` has seen that this is a terminal, so it is what crossterm reads.
    let mut input = libc::pollfd { fd: libc::STDIN_FILENO, events: libc::POLLIN, revents: 0 };
    let timeout_ms = timeout.as_millis().try_into().unwrap_or(libc::c_int::MAX);
    // SAFETY: one pollfd that lives for the call.
    if unsafe { libc::poll(&raw mut input, 1, timeout_ms) } < 0 {
        let error = io::Error::last_os_error();
        return if error.kind() == io::ErrorKind::Interrupted { Ok(false) } else { Err(error) };
    }
    if input.revents & (libc::POLLHUP | libc::POLLERR | libc::POLLNVAL) != 0 {
        return Err(io::Error::new(io::ErrorKind::BrokenPipe, "the terminal has gone"));
    }
    Ok(input.revents & libc::POLLIN != 0)
}

/// Whether something can be read from the terminal, within `timeout`.
#[cfg(not(unix))]
pub(super) fn has_input(timeout: std::time::Duration) -> io::Result<bool> {
    ratatui::crossterm::event::poll(timeout)
}

/// Forgets what the terminal holds. crossterm takes 1,024 bytes at a time and leaves the rest of a long paste there until
/// more comes: a stop behind it would wait for another key, and whoever asks for input would hear of it again and again.
#[cfg(unix)]
pub(super) fn drop_input() {
    // SAFETY: a plain system call.
    unsafe { libc::tcflush(libc::STDIN_FILENO, libc::TCIFLUSH) };
}

/// Nothing is left there on this system.
#[cfg(not(unix))]
pub(super) fn drop_input() {}

/// Gives everything back, once. Called by panics, too: takes no lock of ours and does not wait for a stalled
/// terminal.
fn give_back() {
    if !BORROWED.swap(false, Ordering::AcqRel) {
        return;
    }
    let _ = terminal::disable_raw_mode();
    if let Ok(mut out) = output()
        && stderr::is_writable_soon(&out)
    {
        LEFT.store(out.write_all(LEAVE).is_ok(), Ordering::Release);
    }
    stderr::restore();
}

fn give_back_on_panic() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            give_back();
            before(info);
        }));
    });
}

/// Starts the watcher: a shell that reads one line from us. End of file instead of a line means that we are gone.
#[cfg(unix)]
fn watch() -> io::Result<std::process::Child> {
    use std::process::{Command, Stdio};
    // The modes of now, before raw mode: `stty` reads them from its standard input.
    let modes = Command::new("stty").arg("-g").stdin(output()?).stderr(Stdio::null()).output()?;
    let modes = String::from_utf8_lossy(&modes.stdout).trim().to_owned();
    if modes.is_empty() || !modes.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b':') {
        return Err(io::Error::other("`stty -g` gave no modes"));
    }
    // It ignores what is meant for us, and writes to the terminal although it is then in the background.
    let script = "trap '' INT QUIT TERM HUP TSTP TTIN TTOU\n\
                  read -r line || { stty \"$1\" <&1; printf '\\033[0m\\033[?1049l\\033[?25h\\033[?7h'; }";
    let mut watcher = Command::new("sh");
    watcher.args(["-c", script, "tras-watcher", &modes]);
    watcher.stdin(Stdio::piped()).stdout(output()?).stderr(Stdio::null());
    keep_nothing_else_open(&mut watcher);
    watcher.spawn()
}

/// The watcher outlives us: a socket that a library opened without close-on-exec would stay open in it, and our
/// peers would not see that we are gone.
#[cfg(target_os = "linux")]
fn keep_nothing_else_open(command: &mut std::process::Command) {
    use std::os::unix::process::CommandExt;
    let close = || {
        let (first, last, how) = (3 as libc::c_uint, libc::c_uint::MAX, libc::CLOSE_RANGE_CLOEXEC);
        // SAFETY: one system call on numbers; where the kernel does not know it (before 5.11) nothing happens.
        unsafe { libc::syscall(libc::SYS_close_range, first, last, how) };
        Ok(())
    };
    // SAFETY: between fork and exec the closure makes one system call, which is async-signal-safe.
    unsafe { command.pre_exec(close) };
}

#[cfg(all(unix, not(target_os = "linux")))]
fn keep_nothing_else_open(_: &mut std::process::Command) {}

#[cfg(not(unix))]
fn watch() -> io::Result<std::process::Child> {
    Err(io::Error::other("not on this platform"))
}

/// Standard error to a file and back.
#[cfg(unix)]
mod stderr {
    use std::fs::File;
    use std::io;
    use std::os::fd::AsRawFd;
    use std::path::Path;
    use std::sync::atomic::{AtomicI32, Ordering};

    /// The descriptor that standard error had; -1 while it is where it belongs.
    static SAVED: AtomicI32 = AtomicI32::new(-1);

    pub(super) fn to_file(path: &Path) -> io::Result<()> {
        let file = File::options().create(true).append(true).open(path).map_err(|error| {
            io::Error::new(error.kind(), format!("dashboard: {}: {error}", path.display()))
        })?;
        // SAFETY: descriptor 2 may be duplicated at any time; the result is checked.
        let saved = unsafe { libc::fcntl(libc::STDERR_FILENO, libc::F_DUPFD_CLOEXEC, 3) };
        if saved < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: both descriptors are open; dup2 replaces 2 as a whole.
        if unsafe { libc::dup2(file.as_raw_fd(), libc::STDERR_FILENO) } < 0 {
            let error = io::Error::last_os_error();
            // SAFETY: `saved` is ours and nobody else knows it.
            unsafe { libc::close(saved) };
            return Err(error);
        }
        SAVED.store(saved, Ordering::Release);
        Ok(())
    }

    pub(super) fn restore() {
        let saved = SAVED.swap(-1, Ordering::AcqRel);
        if saved >= 0 {
            // SAFETY: `saved` is the open duplicate that `to_file` made; the swap gives it to one caller only.
            unsafe {
                libc::dup2(saved, libc::STDERR_FILENO);
                libc::close(saved);
            }
        }
    }

    /// Whether a few bytes can be written within 200 ms: a stalled terminal must not hold up the end.
    pub(super) fn is_writable_soon(file: &File) -> bool {
        let mut poll = libc::pollfd { fd: file.as_raw_fd(), events: libc::POLLOUT, revents: 0 };
        // SAFETY: one pollfd, alive for the call, its descriptor open.
        unsafe { libc::poll(&raw mut poll, 1, 200) > 0 && poll.revents & libc::POLLOUT != 0 }
    }
}

#[cfg(not(unix))]
mod stderr {
    use std::fs::File;
    use std::io;
    use std::path::Path;

    pub(super) fn to_file(_: &Path) -> io::Result<()> {
        Ok(())
    }

    pub(super) fn restore() {}

    pub(super) fn is_writable_soon(_: &File) -> bool {
        true
    }
}
