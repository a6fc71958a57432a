//! The firmware's image in QEMU, its two serial ports as sockets.

use std::io::{Error, ErrorKind, Result};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A board that runs.
pub struct Emulator {
    process: Child,
    directory: PathBuf,
    /// The host's line.
    pub link: UnixStream,
    /// The analogue side.
    pub analogue: UnixStream,
}

impl Emulator {
    /// Starts `image` with its sockets in `directory`, which is made. It waits for both to be connected,
    /// and both must be read from then on: an emulator that finds no room on either stands still, and hurries
    /// afterwards.
    ///
    /// # Errors
    /// QEMU is not installed, or does not open its sockets within 10 s.
    pub fn start(image: &Path, directory: &Path) -> Result<Self> {
        std::fs::create_dir_all(directory)?;
        let socket = |name: &str| directory.join(name);
        let chardev = |id: &str| format!("socket,id={id},path={},server=on,wait=on", socket(id).display());
        let mut qemu = Command::new("qemu-system-arm");
        // SAFETY: one system call, which is allowed between fork and exec. A bench that is killed takes the
        // emulator with it.
        unsafe {
            qemu.pre_exec(|| {
                libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
                Ok(())
            });
        }
        let process = qemu
            // No -icount: it keeps a steadier clock on an idle machine, but on a busy one the lines lag by a second.
            .args(["-M", "netduinoplus2", "-nographic", "-monitor", "none"])
            .args(["-chardev", &chardev("link"), "-serial", "chardev:link"])
            .args(["-chardev", &chardev("analogue"), "-serial", "chardev:analogue"])
            .arg("-kernel")
            .arg(image)
            .stdin(Stdio::null())
            .spawn()
            .map_err(|e| Error::new(e.kind(), format!("qemu-system-arm: {e}; install qemu-system-arm")))?;
        Ok(Self {
            link: connect(&socket("link"))?,
            analogue: connect(&socket("analogue"))?,
            process,
            directory: directory.to_owned(),
        })
    }

    /// As if the board lost its power.
    pub fn kill(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        self.kill();
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

/// Puts this process, and what it starts, ahead of others where this is allowed. Every byte that the emulated
/// board receives is handed from one thread of QEMU to another: on a busy machine each waits for its turn, and
/// the line gets as slow as a telegraph. Says whether it was allowed.
pub fn hurry() -> bool {
    // SAFETY: a system call on numbers; 0 is this process.
    unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, -15) == 0 }
}

fn connect(path: &Path) -> Result<UnixStream> {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        match UnixStream::connect(path) {
            Ok(stream) => return Ok(stream),
            Err(_) if Instant::now() < deadline => std::thread::sleep(Duration::from_millis(20)),
            Err(e) => {
                let text = format!("{}: {e}; QEMU did not open it within 10 s", path.display());
                return Err(Error::new(ErrorKind::TimedOut, text));
            }
        }
    }
}
