//! `tras-hil link`: the program's own stimulate stage and adapters at full rate, into the emulated board and into
//! an audio sink, measured at the far end.
//!
//! ```text
//! noise, limits, stimulate stage, serial adapter ── pseudo terminal ── board ── head: ticks   → queues, stops, exponent
//!                                 audio adapter  ── PulseAudio ── monitor of a null sink      → exponent
//! ```
//! Prints its tables as they are found, draws `docs/link-current.svg` and `docs/link-queue.svg`, and fails where a
//! bound is broken: an underrun with the queue that is recommended, an exponent that is off by more than 0.05, a
//! sample that is lost or repeated without an underrun.

mod align;
pub mod audio;
mod board;
mod calls;
mod exponent;
mod figures;
mod found;
mod goodput;
mod host;
mod judge;
mod machine;
mod port;
mod rows;
mod socket;
mod stops;
mod thin;
mod ways;

use std::io::{Error, Result};
use std::path::{Path, PathBuf};

use self::board::{Kind, Via};
use self::found::Found;
use self::host::{Burst, End};
use self::judge::{EXPONENTS, Judged, judge};
use self::rows::{Row, Setup};

/// The configuration's default, in ms: what is recommended.
const RECOMMENDED_MS: f64 = 100.0;
/// What was hoped for, in ms.
const SHORTEST_MS: f64 = 20.0;
/// The lengths that are compared, in ms.
const QUEUES_MS: [f64; 4] = [SHORTEST_MS, 30.0, 50.0, RECOMMENDED_MS];
/// Busy loops: one for each core of a small machine.
const BUSY: usize = 2;

/// The parts, in their order.
const PARTS: [&str; 7] = ["ways", "queues", "shortest", "long", "stops", "goodput", "audio"];

/// What the command line says.
pub struct Options {
    image: PathBuf,
    seconds: f64,
    only: Vec<String>,
    out: PathBuf,
    plots: PathBuf,
}

impl Options {
    /// `IMAGE [--seconds 600] [--only PART]... [--out FOLDER] [--plots FOLDER]`.
    ///
    /// # Errors
    /// What is not understood.
    pub fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Self> {
        let mut options = Self {
            image: arguments.next().ok_or_else(|| Error::other("link: which image?"))?.into(),
            seconds: 600.0,
            only: Vec::new(),
            out: "target/bench-link".into(),
            plots: "docs".into(),
        };
        while let Some(key) = arguments.next() {
            let value = arguments.next().ok_or_else(|| Error::other(format!("{key}: no value")))?;
            match key.as_str() {
                "--seconds" => options.seconds = value.parse().map_err(Error::other)?,
                "--only" if PARTS.contains(&value.as_str()) => options.only.push(value),
                "--out" => options.out = value.into(),
                "--plots" => options.plots = value.into(),
                _ => return Err(Error::other(format!("{key} {value}: parts are {}", PARTS.join(", ")))),
            }
        }
        if !(30.0..=3_000.0).contains(&options.seconds) {
            return Err(Error::other(format!("--seconds {}: must lie in 30..3000", options.seconds)));
        }
        Ok(options)
    }

    fn wants(&self, part: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|p| p == part)
    }
}

/// See the module.
///
/// # Errors
/// QEMU is missing, something cannot be connected to, or a bound is broken.
pub fn run(options: &Options) -> Result<()> {
    let mut found = Found::at(&options.out)?;
    let granted = machine::be_the_board();
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    println!(
        "{} cores, load average {}; the stand-in for the board: {}",
        std::thread::available_parallelism().map_or(0, usize::from),
        load.split(' ').take(3).collect::<Vec<_>>().join(" "),
        granted
    );
    let image = options.image.as_path();
    let setup = |kind, via, queue_ms, load, refuse| Setup { kind, via, image, queue_ms, load, refuse };

    if options.wants("ways") {
        ways::run((options.seconds / 40.0).clamp(5.0, 30.0), BUSY)?;
    }
    println!("\n{}", rows::HEAD);
    if options.wants("queues") {
        queues(options.seconds, setup, &mut found)?;
    }
    if options.wants("shortest") {
        for via in [Via::Socket, Via::Terminal] {
            let setup = setup(Kind::Plain, via, SHORTEST_MS, BUSY, false);
            // What was hoped for, not what is recommended: stated, not demanded.
            Row::play_and_show(setup, vec![steady(1.0, options.seconds)], &mut found)?;
        }
    }
    if options.wants("long") {
        let bursts = EXPONENTS.map(|chi| Burst { end: End::Finish, ..steady(chi, options.seconds / 3.0) });
        let mut rows = Vec::new();
        for via in [Via::Socket, Via::Terminal] {
            let setup = setup(Kind::Emulated, via, RECOMMENDED_MS, BUSY, false);
            let row = match Row::play(setup, bursts.to_vec()) {
                Ok(row) => row,
                Err(why) => {
                    found.demand(false, format!("{}: {why}", setup.far()));
                    continue;
                }
            };
            row.show(&setup, &mut found)?;
            let whole = row.run.broken.is_none() && row.run.spans.len() == bursts.len();
            let what = format!("{}, {RECOMMENDED_MS} ms: {} underruns", setup.far(), row.underruns());
            found.demand(whole && row.underruns() == 0, what);
            rows.push((setup, row, whole));
        }
        for (setup, row, _) in &rows {
            goodput::of_row(row, &setup.far());
        }
        println!("\n{}", judge::HEAD);
        for (setup, row, whole) in &rows {
            match whole {
                true => exponents(row, &format!("DAC, {}", setup.far()), &mut found)?,
                false => println!("  ({}: it broke off, not judged)", setup.far()),
            }
        }
    } else if options.wants("audio") {
        println!("\n{}", judge::HEAD);
    }
    if options.wants("audio") {
        audio::spawn((options.seconds / 5.0).max(40.0), &mut found)?;
    }
    if options.wants("stops") {
        for (via, load) in [(Via::Socket, BUSY), (Via::Terminal, 0)] {
            stops::run(setup(Kind::Emulated, via, RECOMMENDED_MS, load, false), &mut found)?;
        }
    }
    if options.wants("goodput") {
        println!();
        goodput::flood(image)?;
    }
    figures::write(&options.plots, &found).map_err(|e| Error::other(e.to_string()))?;
    match found.broken.len() {
        0 => Ok(()),
        n => Err(Error::other(format!("{n} bounds broken: {}", found.broken.join("; ")))),
    }
}

fn steady(exponent: f64, seconds: f64) -> Burst {
    Burst { exponent, seconds, end: End::Stop(tras::stimulator::Stop::Fast) }
}

/// Each length of queue for a short while, with and without load, with and without real time.
fn queues<'a>(
    seconds: f64,
    setup: impl Fn(Kind, Via, f64, usize, bool) -> Setup<'a>,
    found: &mut Found,
) -> Result<()> {
    let seconds = (seconds / 50.0).clamp(12.0, 60.0);
    for (kind, via, load, refuse) in [
        (Kind::Plain, Via::Socket, BUSY, false),
        (Kind::Plain, Via::Terminal, 0, false),
        (Kind::Plain, Via::Terminal, BUSY, false),
        (Kind::Plain, Via::Terminal, BUSY, true),
        (Kind::Emulated, Via::Socket, BUSY, false),
        (Kind::Emulated, Via::Terminal, 0, false),
        (Kind::Emulated, Via::Terminal, BUSY, false),
    ] {
        for queue_ms in QUEUES_MS {
            let setup = setup(kind, via, queue_ms, load, refuse);
            Row::play_and_show(setup, vec![steady(1.0, seconds)], found)?;
        }
    }
    Ok(())
}

/// Of what the head has seen in each burst: one value a tick, in the order in which they came.
fn exponents(row: &Row, label: &str, found: &mut Found) -> Result<()> {
    for (span, aligned) in &row.aligned {
        let (Some(&(first_tick, first)), Some(&(last_tick, last))) =
            (aligned.pairs.first(), aligned.pairs.last())
        else {
            found.demand(false, format!("exponent {}: no sample was found at the DAC", span.burst.exponent));
            continue;
        };
        let ticks = row.seen.ticks.get(first_tick..=last_tick).unwrap_or_default();
        let captured: Vec<f32> = ticks.iter().map(|t| t.current_ma).collect();
        let sent = row.run.calls.samples_ma.get(first..=last).unwrap_or_default();
        let note = format!("{} of {} samples found, in order", aligned.pairs.len(), sent.len());
        judge(
            Judged { port: "dac", label, chi: span.burst.exponent, sent, captured: &captured, note: &note },
            found,
        )?;
    }
    Ok(())
}

/// The process that [`audio`] starts: `FOLDER SECONDS`.
///
/// # Errors
/// See [`audio::run`].
pub fn run_audio(mut arguments: impl Iterator<Item = String>) -> Result<()> {
    let (Some(folder), Some(seconds)) = (arguments.next(), arguments.next()) else {
        return Err(Error::other("link-audio FOLDER SECONDS: started by link"));
    };
    audio::run(Path::new(&folder), seconds.parse().map_err(Error::other)?)
}
