//! From the call of `stop` to the current at the DAC.

use std::io::Result;

use tras::stimulator::Stop;
use tras_device::hard::{FAST_STOP_US, SAMPLE_US};

use super::found::{Found, percentile, sorted};
use super::host::{Burst, End};
use super::rows::{Row, Setup};

/// Stops of each kind.
const STOPS: usize = 20;
/// From the start of a burst to its stop, in s: current flows, under the ramp up.
const AFTER_S: f64 = 1.2;
/// Ticks of the device's ramp after a fast stop.
const RAMP_TICKS: usize = (FAST_STOP_US / SAMPLE_US) as usize;

/// Prints the times of both kinds. A fast stop's first falling step is less than a step of the DAC: it is the tick
/// in which the relay opens less the ticks of the ramp, which are counted, not timed.
///
/// # Errors
/// QEMU is missing, or the device cannot be connected to.
pub(super) fn run(setup: Setup<'_>, found: &mut Found) -> Result<()> {
    let burst = |k: usize| Burst {
        exponent: 1.0,
        seconds: AFTER_S,
        end: End::Stop(if k.is_multiple_of(2) { Stop::Cut } else { Stop::Fast }),
    };
    let row = Row::play(setup, (0..2 * STOPS).map(burst).collect())?;
    let (mut cut, mut begin, mut zero) = (Vec::new(), Vec::new(), Vec::new());
    let ticks = &row.seen.ticks;
    for span in &row.run.spans {
        let called = ticks.partition_point(|t| t.at_s < span.to_s);
        let Some(open) = ticks.iter().skip(called).position(|t| !t.closed).map(|k| k + called) else {
            found.demand(false, "a stop did not open the relay");
            continue;
        };
        let after_ms = |tick: usize| ticks.get(tick).map_or(f64::NAN, |t| (t.at_s - span.to_s) * 1e3);
        match span.burst.end {
            End::Stop(Stop::Cut) => cut.push(after_ms(open)),
            _ => {
                begin.push(after_ms(open.saturating_sub(RAMP_TICKS)));
                zero.push(after_ms(open));
            }
        }
    }
    println!(
        "\n| from the call: {}, {} busy loops, queue {:.0} ms | stops | p50, ms | p99, ms |",
        setup.far(),
        setup.load,
        setup.queue_ms
    );
    println!("|---|---|---|---|");
    for (what, times) in [
        ("`stop(Cut)` to zero and the relay open", cut),
        ("`stop(Fast)` to the first falling tick", begin),
        ("`stop(Fast)` to zero and the relay open (its ramp is 100 ms)", zero),
    ] {
        let times = sorted(times);
        let (p50, p99) = (percentile(&times, 0.5), percentile(&times, 0.99));
        println!("| {what} | {} | {p50:.1} | {p99:.1} |", times.len());
        found.demand(times.len() == STOPS, format!("{what}: {} of {STOPS} stops were seen", times.len()));
    }
    Ok(())
}
