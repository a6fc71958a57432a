//! The firmware's image in QEMU, its two serial ports as sockets.

use std::io::{Error, ErrorKind, Read, Result, Write};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tras::realtime::promote;

/// Below the host's threads, above everything ordinary: a board does not share the host's processor, so that its
/// stand-in, and what carries its bytes, must not wait for it.
pub const PRIORITY: i32 = 60;

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
    /// Starts `image` with its sockets in `directory`, which is made, and its clock at the right speed.
    ///
    /// # Errors
    /// As [`Emulator::start_at`].
    pub fn start(image: &Path, directory: &Path) -> Result<Self> {
        Self::start_at(image, directory, 1.0)
    }

    /// Starts `image` with a clock that runs at `speed` times the right one (by libfaketime, which turns the
    /// clock that QEMU reads), its sockets in `directory`, which is made. It waits for both to be connected,
    /// and both must be read from then on: an emulator that finds no room on either stands still, and hurries
    /// afterwards.
    ///
    /// # Errors
    /// QEMU (or faketime, for another speed than 1) is not installed, or it does not open its sockets within 10 s.
    pub fn start_at(image: &Path, directory: &Path, speed: f64) -> Result<Self> {
        std::fs::create_dir_all(directory)?;
        let socket = |name: &str| directory.join(name);
        let chardev = |id: &str| format!("socket,id={id},path={},server=on,wait=on", socket(id).display());
        let monitor = format!("unix:{},server=on,wait=off", socket("monitor").display());
        let mut qemu = Command::new("qemu-system-arm");
        if speed != 1.0 {
            qemu.env("LD_PRELOAD", faketime()?).env("FAKETIME", format!("+0 x{speed}"));
        }
        // SAFETY: system calls alone, which are allowed between fork and exec. A bench that is killed takes the
        // emulator with it.
        unsafe {
            qemu.pre_exec(|| {
                libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
                settle();
                // Refused without rights: then `hurry` is all there is.
                libc::sched_setscheduler(
                    0,
                    libc::SCHED_FIFO,
                    &libc::sched_param { sched_priority: PRIORITY },
                );
                Ok(())
            });
        }
        let process = qemu
            // No -icount: it keeps a steadier clock on an idle machine, but on a busy one the lines lag by a second.
            // Nothing that the board has not: each look of the emulator at its lines is over all that it has.
            .args(["-M", "netduinoplus2", "-nodefaults", "-nic", "none", "-display", "none"])
            .args(["-monitor", &monitor])
            .args(["-chardev", &chardev("link"), "-serial", "chardev:link"])
            .args(["-chardev", &chardev("analogue"), "-serial", "chardev:analogue"])
            .arg("-kernel")
            .arg(image)
            .stdin(Stdio::null())
            // It tells that it waits for us; what goes wrong is said by what does not come.
            .stderr(std::fs::File::create(socket("qemu.log"))?)
            .spawn()
            .map_err(|e| {
                Error::new(e.kind(), format!("qemu-system-arm: {e}; make emulator-setup installs it"))
            })?;
        Ok(Self {
            link: connect(&socket("link"))?,
            analogue: connect(&socket("analogue"))?,
            process,
            directory: directory.to_owned(),
        })
    }

    /// Presses the reset button of the board.
    ///
    /// # Errors
    /// QEMU's monitor does not answer.
    pub fn reset(&self) -> Result<()> {
        let mut monitor = UnixStream::connect(self.directory.join("monitor"))?;
        monitor.set_read_timeout(Some(Duration::from_secs(2)))?;
        monitor.write_all(b"system_reset\n")?;
        // It prompts, echoes, does it, and prompts again. A monitor that loses us sooner does nothing.
        let (mut said, mut chunk) = (Vec::new(), [0; 1_024]);
        while said.windows(6).filter(|word| word == b"(qemu)").count() < 2 {
            let n = monitor.read(&mut chunk)?;
            if n == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
            said.extend_from_slice(chunk.get(..n).unwrap_or_default());
        }
        Ok(())
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

/// From one look at what the emulated board has written to the next. It hands out every byte by itself; a reader who is woken
/// by each costs it more time than the board's own work.
pub const GATHER: Duration = Duration::from_micros(500);

/// Keeps the calling thread, and what it starts, on the last of the processors that it may use. Every byte passes from one
/// thread to another four times on its way into the emulated board; where that wakes another processor, a virtual machine
/// takes twice to three times as long as on the same one, and the line carries less than the current needs.
fn settle() {
    let size = std::mem::size_of::<libc::cpu_set_t>();
    // SAFETY: both sets are as large as told, and outlive the calls; 0 is the calling thread.
    unsafe {
        let mut allowed: libc::cpu_set_t = std::mem::zeroed();
        if libc::sched_getaffinity(0, size, &mut allowed) != 0 {
            return;
        }
        let last = (0..libc::CPU_SETSIZE as usize).rev().find(|&cpu| libc::CPU_ISSET(cpu, &allowed));
        if let Some(last) = last {
            let mut one: libc::cpu_set_t = std::mem::zeroed();
            libc::CPU_SET(last, &mut one);
            libc::sched_setaffinity(0, size, &one);
        }
    }
}

/// Makes the calling thread one that serves the board: at its processor, and as prompt as it.
pub fn serve_the_board() {
    settle();
    let _ = promote(PRIORITY);
}

/// Puts this process, and what it starts, ahead of others where this is allowed. Every byte that the emulated
/// board receives is handed from one thread of QEMU to another: on a busy machine each waits for its turn, and
/// the line gets as slow as a telegraph. Says whether it was allowed.
pub fn hurry() -> bool {
    // SAFETY: a system call on numbers; 0 is this process.
    unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, -15) == 0 }
}

/// The library that turns a process's clock. Not the program of that name: it puts itself between us and the
/// emulator, which then outlives us.
fn faketime() -> Result<PathBuf> {
    let folders = std::fs::read_dir("/usr/lib")?.filter_map(std::result::Result::ok);
    let mut found = folders.map(|folder| folder.path().join("faketime/libfaketimeMT.so.1"));
    found.find(|path| path.exists()).ok_or_else(|| Error::other("no libfaketime; make hil-setup installs it"))
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
