//! What goes wrong around `tras run`: its disk, the processes that it reads the network with, the threads that watch over
//! it, and its neighbours on the network. Each with its bound.
//!
//! Bounds in ms: the time after which each counts as stalled (3 s the main thread and the observer, 10 s the recorder,
//! 15 s of current that the ledger has not confirmed), then a soft ramp of 1 s behind a queue of 100 ms, and some grace.

use std::{
    io::{Error, Result},
    thread::sleep,
    time::{Duration, Instant},
};

use tras_test_support::{attack, children};

use super::{
    board::Board,
    board_faults::fault,
    stage::{Needs, Outcome, Scenario, Scene},
};

/// A soft ramp, what is queued before it, and grace.
const SOFT_MS: f64 = 1_500.0;
/// Hostile packets are sent for so long.
const HOSTILE: Duration = Duration::from_secs(6);

/// The scenes, in the order of the table.
#[must_use]
pub(super) fn all() -> Vec<Scenario<Board>> {
    use Outcome::{GoesOn, Zero};
    vec![
        // The recorder is missed after 10 s. The ledger would be after 15.
        Scenario {
            needs: Needs::Disk,
            ..fault("disk-stalled", Zero(10_000.0 + SOFT_MS), |scene| {
                scene.disk()?.stall()?;
                sleep(Duration::from_secs(10));
                Ok(())
            })
        },
        // The ledger is written every 5 s: its first refusal ends the current.
        Scenario {
            needs: Needs::Disk,
            ..fault("disk-full", Zero(5_000.0 + SOFT_MS), |scene| {
                scene.disk()?.fill()?;
                sleep(Duration::from_secs(5));
                Ok(())
            })
        },
        // A stream that is lost is no fault: the block is given up.
        Scenario {
            codes: &[0],
            ..fault("lsl-child-killed", Zero(SOFT_MS), |scene| signal(scene, "inlet", libc::SIGKILL))
        },
        Scenario {
            codes: &[0],
            ..fault("lsl-child-stuck", Zero(500.0 + SOFT_MS), |scene| signal(scene, "inlet", libc::SIGSTOP))
        },
        fault("main-thread-frozen", Zero(3_000.0 + SOFT_MS), |scene| freeze_for(scene, "tras", 3)),
        fault("observer-frozen", Zero(3_000.0 + SOFT_MS), |scene| freeze_for(scene, "tras-observe", 3)),
        fault("recorder-frozen", Zero(10_500.0 + SOFT_MS), |scene| freeze_for(scene, "tras-record", 10)),
        fault("ledger-frozen", Zero(15_500.0 + SOFT_MS), |scene| freeze_for(scene, "tras-ledger", 15)),
        Scenario { needs: Needs::Network, codes: &[0], ..fault("hostile-packets", GoesOn, hostile_packets) },
    ]
}

/// The thread stands still until all is mended, `seconds` before the watch begins.
fn freeze_for(scene: &mut Scene<Board>, thread: &str, seconds: u64) -> Result<()> {
    scene.freeze(thread)?;
    sleep(Duration::from_secs(seconds));
    Ok(())
}

fn signal(scene: &Scene<Board>, role: &str, signal: i32) -> Result<()> {
    let pid = children::child(scene.session.pid(), role)
        .and_then(|pid| i32::try_from(pid).ok())
        .ok_or_else(|| Error::other(format!("no child process for {role}")))?;
    // SAFETY: a signal to a process that the bench's own has started.
    if unsafe { libc::kill(pid, signal) } == 0 { Ok(()) } else { Err(Error::last_os_error()) }
}

/// Questions that end liblsl's process, to every port that the outlets have for themselves, again and again: each new process
/// gets them too. The port that all programs share for being found is this bench's as well, and what the bench listens on is open
/// in all that it has started (liblsl's sockets outlive an exec).
fn hostile_packets(scene: &mut Scene<Board>) -> Result<()> {
    let deep = attack::deep_question(300_000);
    let flat = attack::deep_question(20_000);
    let until = Instant::now() + HOSTILE;
    let ours = children::ports_by_ipv4(std::process::id());
    let mut ended = 0;
    while Instant::now() < until {
        let Some(pid) = children::child(scene.session.pid(), "outlets") else {
            sleep(Duration::from_millis(20));
            continue;
        };
        let (mut tcp, mut udp) = children::ports_by_ipv4(pid);
        udp.retain(|port| !ours.1.contains(port));
        tcp.retain(|port| !ours.0.contains(port));
        attack::by_udp(&udp, &flat);
        attack::by_tcp(&tcp, &deep);
        sleep(Duration::from_millis(200));
        ended += u32::from(children::child(scene.session.pid(), "outlets") != Some(pid));
    }
    println!("hostile-packets: the process that publishes was ended {ended} times");
    if ended == 0 { Err(Error::other("the packets ended nothing: nothing was tested")) } else { Ok(()) }
}
