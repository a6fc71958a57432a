//! One row of the table of queues: some bursts on one far end with one length of queue, and what came of it.

use std::io::Result;
use std::path::Path;

use tras::realtime::Granted;
use tras::stimulator::serial::{Place, SerialStimulator};

use super::align::{Aligned, align};
use super::board::{Board, Kind, Near, Seen, Via};
use super::found::{Found, percentile, sorted};
use super::host::{self, Burst, Run, Span};
use super::machine::Load;
use super::socket;

/// The device's own ramp at the start of a burst, and some, in s: before it the head sees less than was sent.
pub(super) const RAMPED_S: f64 = 5.5;
/// The start of a burst, which fills the queue, in s.
const SETTLED_S: f64 = 1.0;
/// A sample, in ms.
const SAMPLE_MS: f64 = 0.5;

/// What is set up.
#[derive(Clone, Copy, Debug)]
pub(super) struct Setup<'a> {
    /// The far end.
    pub kind: Kind,
    /// What lies between.
    pub via: Via,
    /// The image.
    pub image: &'a Path,
    /// How much the device's queue is kept filled, in ms.
    pub queue_ms: f64,
    /// Busy loops beside it.
    pub load: usize,
    /// The host is refused real-time priority.
    pub refuse: bool,
}

impl Setup<'_> {
    /// The far end and the way there, in tables.
    pub(super) fn far(&self) -> String {
        let via = if self.via == Via::Terminal { "serial port" } else { "socket" };
        format!("{}, {via}", self.kind.name())
    }
}

/// What came of it.
pub(super) struct Row {
    /// The host's side.
    pub run: Run,
    /// The far end's.
    pub seen: Seen,
    /// Of each burst.
    pub aligned: Vec<(Span, Aligned)>,
}

/// The table's head.
pub(super) const HEAD: &str = "\
| far end | busy loops | host's threads | queue, ms | s | underruns | fill p0.1 / p1 / p50, ms | queue() to DAC p50 / p99, ms | round trip p50 / p99, ms | samples/s, longest pause at the DAC | CPU stimulate + serial |
|---|---|---|---|---|---|---|---|---|---|---|";

impl Row {
    /// Plays it.
    ///
    /// # Errors
    /// QEMU is missing, or the device cannot be connected to.
    pub(super) fn play(setup: Setup<'_>, bursts: Vec<Burst>) -> Result<Self> {
        let seconds = bursts.iter().map(|burst| burst.seconds + 30.0).sum();
        let (board, near) = Board::start(setup.kind, setup.via, setup.image, seconds)?;
        let _load = Load::start(setup.load)?;
        let (queue_s, refuse, epoch) = (setup.queue_ms * 1e-3, setup.refuse, board.epoch());
        let run = match near {
            Near::Port(path) => {
                let device = SerialStimulator::at(Place::Path(path), queue_s);
                host::play(device, bursts, refuse, epoch)?
            }
            Near::Socket(socket, heard) => {
                host::play(socket::over(socket, queue_s, heard)?, bursts, refuse, epoch)?
            }
        };
        let seen = board.seen();
        let aligned = run.spans.iter().map(|span| (*span, aligned(&run, &seen, span))).collect();
        Ok(Self { run, seen, aligned })
    }

    /// Plays it and prints it, or what was in the way.
    ///
    /// # Errors
    /// A file cannot be written.
    pub(super) fn play_and_show(setup: Setup<'_>, bursts: Vec<Burst>, found: &mut Found) -> Result<()> {
        match Self::play(setup, bursts) {
            Ok(row) => row.show(&setup, found),
            Err(why) => {
                println!("| {} | {} | | {:.0} | | {why} |", setup.far(), setup.load, setup.queue_ms);
                Ok(())
            }
        }
    }

    /// Prints it; keeps the distribution of the fill for the figures, and demands that no sample went astray.
    ///
    /// # Errors
    /// A file cannot be written.
    pub(super) fn show(&self, setup: &Setup<'_>, found: &mut Found) -> Result<()> {
        let fills = self.fills_ms();
        let waits = self.waits_ms();
        let trips = sorted(self.run.calls.round_trips_s.iter().map(|s| s * 1e3));
        let (rate, pause_ms) = self.pace();
        let cpu = &self.run.cpu;
        let share = |s: f64| 100.0 * s / cpu.over_s;
        let granted = match self.run.granted {
            Granted::RealTime(priority) => format!("real time {priority}"),
            Granted::Ordinary(_) => "ordinary".to_owned(),
        };
        let pair = |v: &[f64], a: f64, b: f64| format!("{:.1} / {:.1}", percentile(v, a), percentile(v, b));
        println!(
            "| {} | {} | {granted} | {:.0} | {:.0} | {} | {:.1} / {} | {} | {} | {rate:.0}, {pause_ms:.0} ms | {:.1} + {:.1} % |",
            setup.far(),
            setup.load,
            setup.queue_ms,
            self.seconds(),
            self.verdict(),
            percentile(&fills, 0.001),
            pair(&fills, 0.01, 0.5),
            pair(&waits, 0.5, 0.99),
            pair(&trips, 0.5, 0.99),
            share(cpu.stimulate_s),
            share(cpu.serial_s),
        );
        if !setup.refuse && setup.load > 0 {
            found.keep(&fill_name(setup.kind, setup.via, setup.queue_ms), histogram(&fills))?;
        }
        let breaks: usize = self.aligned.iter().map(|(_, a)| a.breaks).sum();
        let what = format!(
            "{} at {} ms: {breaks} breaks in the row of samples at the DAC and no underrun",
            setup.kind.name(),
            setup.queue_ms
        );
        found.demand(breaks == 0 || self.underruns() > 0, what);
        Ok(())
    }

    /// By the device's own count.
    pub(super) fn underruns(&self) -> u64 {
        self.run.calls.status.map_or(0, |s| s.underruns)
    }

    fn verdict(&self) -> String {
        let mut text = self.underruns().to_string();
        if let Some(dry_s) = self.run.calls.dry_s {
            let from_s = self.run.spans.first().map_or(0.0, |span| span.from_s);
            text += &format!(", first after {:.0} s", dry_s - from_s);
        }
        if let Some(why) = &self.run.broken {
            text += &format!("; {why}");
        }
        text
    }

    fn seconds(&self) -> f64 {
        self.run.spans.iter().map(|span| span.to_s - span.from_s).sum()
    }

    fn within(&self, at_s: f64) -> bool {
        self.run.spans.iter().any(|span| at_s > span.from_s + SETTLED_S && at_s < span.to_s)
    }

    fn fills_ms(&self) -> Vec<f64> {
        let fills = self.seen.fills.iter().filter(|(at_s, _)| self.within(*at_s));
        sorted(fills.map(|(_, fill)| f64::from(*fill) * SAMPLE_MS))
    }

    /// From the call of `queue` to the DAC.
    fn waits_ms(&self) -> Vec<f64> {
        let (seen, calls) = (&self.seen, &self.run.calls);
        let pairs = self.aligned.iter().flat_map(|(_, aligned)| &aligned.pairs);
        sorted(
            pairs.filter_map(|&(tick, sample)| {
                Some((seen.ticks.get(tick)?.at_s - calls.queued_s(sample)?) * 1e3)
            }),
        )
    }

    /// Samples a second at the DAC, and the longest time between two ticks in ms.
    fn pace(&self) -> (f64, f64) {
        let ticks: Vec<f64> = self.seen.ticks.iter().map(|t| t.at_s).filter(|t| self.within(*t)).collect();
        let pause_s = ticks.windows(2).filter_map(|w| match w {
            // From one burst to the next is no pause.
            [a, b] if b - a < 1.0 => Some(b - a),
            _ => None,
        });
        let over_s = self.run.spans.iter().map(|s| (s.to_s - s.from_s - SETTLED_S).max(0.0)).sum::<f64>();
        (ticks.len() as f64 / self.seen.per_sample as f64 / over_s, pause_s.fold(0.0, f64::max) * 1e3)
    }
}

/// What the figure of the fill reads.
pub(super) fn fill_name(kind: Kind, via: Via, queue_ms: f64) -> String {
    let kind = if kind == Kind::Emulated { "emulated" } else { "plain" };
    let via = if via == Via::Terminal { "port" } else { "socket" };
    format!("fill-{kind}-{via}-{queue_ms:.0}")
}

/// Share of each fill.
fn histogram(fills_ms: &[f64]) -> Vec<(f64, f64)> {
    let mut bins: Vec<(f64, f64)> = Vec::new();
    for &fill_ms in fills_ms {
        match bins.last_mut() {
            Some((at_ms, count)) if *at_ms == fill_ms => *count += 1.0,
            _ => bins.push((fill_ms, 1.0)),
        }
    }
    bins.into_iter().map(|(at_ms, count)| (at_ms, count / fills_ms.len() as f64)).collect()
}

/// The part of a burst in which the device adds no ramp of its own.
fn aligned(run: &Run, seen: &Seen, span: &Span) -> Aligned {
    let at = |s: f64| seen.ticks.partition_point(|t| t.at_s < s);
    let (from, to) = (at(span.from_s + RAMPED_S), at(span.to_s));
    let first = run.calls.queued.partition_point(|&(at_s, _)| at_s < span.from_s);
    let first = first.checked_sub(1).and_then(|k| run.calls.queued.get(k)).map_or(0, |&(_, end)| end);
    let current_ma: Vec<f32> =
        seen.ticks.get(from..to).unwrap_or_default().iter().map(|t| t.current_ma).collect();
    let samples_ma = run.calls.samples_ma.get(first..).unwrap_or_default();
    let mut aligned = align(&current_ma, seen.per_sample, samples_ma);
    for (tick, sample) in &mut aligned.pairs {
        (*tick, *sample) = (*tick + from, *sample + first);
    }
    aligned
}

#[cfg(test)]
mod tests;
