//! How long bytes take from one thread to another through a pseudo terminal, and through a socket: what the kernel
//! adds to a serial port, whatever is said over it.

use std::io::{Error, Read, Result, Write};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use tras::realtime;

use super::found::{percentile, sorted};
use super::machine::{self, Load};
use super::port;

/// About a frame of samples.
const BYTES: usize = 40;
/// Between two of them.
const EVERY: Duration = Duration::from_millis(1);

/// Prints both, with and without `busy` loops, over `seconds` each.
///
/// # Errors
/// No pseudo terminal is to be had.
pub(super) fn run(seconds: f64, busy: usize) -> Result<()> {
    println!(
        "\n| {BYTES} bytes through | busy loops | p50 | p99 | p99.9 | longest, ms |\n|---|---|---|---|---|---|"
    );
    for load in [0, busy] {
        let _load = Load::start(load)?;
        for (name, terminal) in [("a pseudo terminal", true), ("a socket", false)] {
            let thread = std::thread::spawn(move || {
                machine::be_ordinary();
                let _ = realtime::promote(80);
                if terminal {
                    let (far, near, _) = port::terminal()?;
                    pass(far, near, seconds)
                } else {
                    let (far, near) = UnixStream::pair()?;
                    pass(far, near, seconds)
                }
            });
            let times = thread.join().map_err(|_| Error::other("a thread has died"))??;
            let at = |share| percentile(&times, share);
            println!(
                "| {name} | {load} | {:.2} | {:.2} | {:.2} | {:.2} |",
                at(0.5),
                at(0.99),
                at(0.999),
                at(1.0)
            );
        }
    }
    Ok(())
}

fn pass(mut far: impl Write, mut near: impl Read, seconds: f64) -> Result<Vec<f64>> {
    let (mut got, mut times) = ([0; BYTES], Vec::new());
    let until = Instant::now() + Duration::from_secs_f64(seconds);
    while Instant::now() < until {
        let began = Instant::now();
        far.write_all(&[0x55; BYTES])?;
        near.read_exact(&mut got)?;
        times.push(began.elapsed().as_secs_f64() * 1e3);
        std::thread::sleep(EVERY);
    }
    Ok(sorted(times))
}
