//! A network of one test's own, so that hostile packets reach nobody else on this machine, and a second host behind a
//! cable. Both are namespaces of the kernel's; where those are not allowed, a test is skipped by name.

use std::{
    ffi::OsStr,
    fs::File,
    io::Error,
    os::{fd::AsRawFd, unix::process::CommandExt},
    process::{Command, Stdio},
};

use crate::reader::Killed;

/// Runs `body` in a thread whose network nobody else shares; processes and threads that it starts share it.
pub fn alone(test: &str, body: impl FnOnce() + Send + 'static) {
    let name = test.to_owned();
    let ran = std::thread::spawn(move || match enter() {
        Ok(()) => body(),
        Err(why) => crate::skipped(&name, &why),
    });
    if let Err(panic) = ran.join() {
        std::panic::resume_unwind(panic);
    }
}

/// Leaves the network of this machine: for this thread, and for what it starts from here on.
///
/// # Errors
/// Not allowed here, in words.
pub fn enter() -> Result<(), String> {
    // SAFETY: a plain system call; it concerns this thread alone.
    if unsafe { libc::unshare(libc::CLONE_NEWNET) } < 0 {
        return Err(format!("no network of its own: {}", Error::last_os_error()));
    }
    ip("link set lo up")?;
    // What liblsl says to everybody stays here.
    ip("route add 224.0.0.0/4 dev lo")
}

fn ip(words: &str) -> Result<(), String> {
    let output = Command::new("ip").args(words.split_whitespace()).output();
    match output {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(format!("ip {words}: {}", String::from_utf8_lossy(&output.stderr))),
        Err(error) => Err(format!("ip {words}: {error}")),
    }
}

/// `command` as on a machine that is called `name`: its own host name, this network.
pub fn called(mut command: Command, name: &'static str) -> Command {
    let rename = move || {
        // SAFETY: plain system calls of the child between fork and exec; the name outlives them.
        let done = unsafe {
            libc::unshare(libc::CLONE_NEWUTS) == 0 && libc::sethostname(name.as_ptr().cast(), name.len()) == 0
        };
        if done { Ok(()) } else { Err(Error::last_os_error()) }
    };
    // SAFETY: nothing in it allocates or locks.
    unsafe { command.pre_exec(rename) };
    command
}

/// Another machine: a network of its own at the far end of a cable.
pub struct Host {
    /// Keeps the namespace alive.
    _keeper: Killed,
    net: File,
}

/// Of this machine and of the other at the cable's ends.
pub const HERE: &str = "10.77.0.1";
/// See [`HERE`].
pub const THERE: &str = "10.77.0.2";

impl Host {
    /// Lays the cable. Call it in a network of one's own.
    ///
    /// # Errors
    /// Not allowed here, in words.
    pub fn beside() -> Result<Self, String> {
        let mut keeper = Command::new("sleep");
        keeper.arg("600").stdin(Stdio::null());
        let leave = || {
            // SAFETY: a plain system call of the child between fork and exec.
            let left = unsafe { libc::unshare(libc::CLONE_NEWNET) };
            if left == 0 { Ok(()) } else { Err(Error::last_os_error()) }
        };
        // SAFETY: nothing in it allocates or locks.
        unsafe { keeper.pre_exec(leave) };
        let keeper = Killed(keeper.spawn().map_err(|error| format!("no second network: {error}"))?);
        let pid = keeper.0.id();
        let net = File::open(format!("/proc/{pid}/ns/net")).map_err(|error| error.to_string())?;
        let host = Self { _keeper: keeper, net };
        ip(&format!("link add here type veth peer name there netns {pid}"))?;
        ip(&format!("addr add {HERE}/24 dev here"))?;
        ip("link set here up")?;
        for words in ["link set lo up", &format!("addr add {THERE}/24 dev there"), "link set there up"] {
            let mut command = host.command("ip");
            let output = command.args(words.split_whitespace()).output().map_err(|e| e.to_string())?;
            if !output.status.success() {
                return Err(format!("ip {words}: {}", String::from_utf8_lossy(&output.stderr)));
            }
        }
        Ok(host)
    }

    /// `program` on that machine.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let net = self.net.as_raw_fd();
        let mut command = Command::new(program);
        let enter = move || {
            // SAFETY: a plain system call; the descriptor is open in the child until it execs.
            if unsafe { libc::setns(net, libc::CLONE_NEWNET) } == 0 {
                Ok(())
            } else {
                Err(Error::last_os_error())
            }
        };
        // SAFETY: nothing in it allocates or locks.
        unsafe { command.pre_exec(enter) };
        command
    }

    /// Runs `body` in a thread on that machine.
    pub fn visit<T: Send>(&self, body: impl FnOnce() -> T + Send) -> T {
        let net = self.net.as_raw_fd();
        std::thread::scope(|scope| {
            let thread = scope.spawn(move || {
                // SAFETY: a plain system call on a descriptor that outlives the scope.
                assert_eq!(unsafe { libc::setns(net, libc::CLONE_NEWNET) }, 0, "{}", Error::last_os_error());
                body()
            });
            match thread.join() {
                Ok(value) => value,
                Err(panic) => std::panic::resume_unwind(panic),
            }
        })
    }
}
