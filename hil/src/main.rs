//! `cargo run -p tras-hil -- IMAGE`: starts the image and shows that it lives: who it is, its rates, its
//! round trip, the current that a head would feel, its stack.

use std::io::{Error, Result};
use std::path::Path;
use std::time::{Duration, Instant};

use tras_hil::{emulator::Emulator, head::VirtualHead, host::Host};
use tras_wire::Limits;

fn main() -> Result<()> {
    let image = std::env::args().nth(1).ok_or_else(|| Error::other("usage: tras-hil IMAGE"))?;
    let directory = std::env::temp_dir().join(format!("tras-hil-{}", std::process::id()));
    let emulator = Emulator::start(Path::new(&image), &directory)?;
    let head = VirtualHead::start(emulator.analogue.try_clone()?);
    let mut host = Host::new(emulator.link.try_clone()?)?;
    // QEMU finds its pace anew for each start.
    host.listen(Duration::from_secs(3))?;
    let limits = Limits { peak_ma: 0.5, dc_ma: 0.02, ..tras_device::hard::LIMITS };
    let answer = host.arm(&limits)?;
    println!("{:?}\narming: {answer:?}", host.identity);
    let wave = |k: u64| 0.4 * (std::f64::consts::TAU * 10.0 * k as f64 / 2_000.0).sin() as f32;
    let (begin, first, sent) = (Instant::now(), head.look(|s| s.ticks.len()), host.index);
    for _ in 0..10 {
        host.play(Duration::from_secs(1), 150, &wave)?;
        let n = head.look(|s| (s.ticks.len(), s.garbage));
        eprintln!(
            "{:?} {n:?} {:?}",
            begin.elapsed(),
            host.telemetry.map(|t| (t.at_us, t.state, t.fault, t.queue_fill, t.next_index))
        );
    }
    let seconds = begin.elapsed().as_secs_f64();
    println!("{:?}", host.telemetry);
    head.look(|s| {
        let ticks = s.ticks.get(first..).unwrap_or_default();
        let peak_ma = ticks.iter().map(|t| t.current_ma.abs()).fold(0.0, f32::max);
        println!("ticks {:.0}/s, peak {peak_ma:.4} mA, garbage {}", ticks.len() as f64 / seconds, s.garbage);
        println!("stack {} bytes of 128 KiB", s.stack_bytes);
    });
    host.round_trips.sort();
    let at = |share: f64| host.round_trips.get((share * (host.round_trips.len() as f64 - 1.0)) as usize);
    println!(
        "samples {:.0}/s, lowest fill {}, sent again {}",
        (host.index - sent) as f64 / seconds,
        host.lowest_fill,
        host.resent
    );
    println!("round trip of {} heartbeats: p50 {:?}, p99 {:?}", host.round_trips.len(), at(0.5), at(0.99));
    Ok(())
}
