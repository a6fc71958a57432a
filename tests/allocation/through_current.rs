//! Seeing through the current allocates nothing either: bursts long enough for the path to be learnt, estimates under
//! current of a region and of each channel, EEG and telemetry with holes in them, a spoilt channel.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use tras::acquisition::{Poll, Source, StreamDescription};
use tras::config::Config;
use tras::ring::frame_ring;
use tras::runtime::assemble::{Order, Parts};
use tras::runtime::observation::Note;
use tras::runtime::stages::closed_loop::Command;
use tras::simulation::source::SimulatedSource;
use tras::stimulator::simulated::{Settings, SimulatedStimulator};
use tras::stimulator::{Latched, Stimulator};
use tras_test_support::alloc::{marked, marked_calls};

const START_S: f64 = 1_000.0;
const TURN_S: f64 = 0.005;
/// Blocks last from 10 to 100 s and from 140 to 230 s.
const END_S: f64 = 240.0;
/// EEG that is missing, a channel that spikes, and current that nobody tells, all in the second block.
const MISSING_S: (f64, f64) = (185.0, 185.1);
const SPIKE_S: f64 = 195.0;
const UNTOLD_S: (f64, f64) = (205.0, 205.2);

fn within((from_s, to_s): (f64, f64), s: f64) -> bool {
    (from_s..to_s).contains(&s)
}

struct Holes {
    inner: SimulatedSource,
    now_s: f64,
}

impl Source for Holes {
    fn description(&self) -> &StreamDescription {
        self.inner.description()
    }

    fn poll(&mut self, values: &mut [f64], stamps_s: &mut [f64]) -> Poll {
        let found = self.inner.poll(values, stamps_s);
        let Poll::Samples(count) = found else { return found };
        if within(MISSING_S, self.now_s) {
            return Poll::Empty;
        }
        let width = self.inner.description().channels.len();
        for (row, stamp_s) in values.chunks_exact_mut(width).zip(stamps_s).take(count) {
            if (*stamp_s - START_S - SPIKE_S).abs() < 0.002 {
                row[1] = f64::NAN;
            }
        }
        found
    }
}

/// What was told, and how often a stage allocated.
fn run(method: &str) -> (Vec<Note>, u64) {
    let text = format!(
        "[estimator]\nmethod = \"{method}\"\neach_channel = true\n\
         [controller]\nlaw = \"adaptive\"\ntarget_exponent = 1.8\n\
         [stimulation]\nenabled = true\nexponent = 1.5\nramp_up_s = 5\nramp_down_s = 5\nblock_s = 90\ngap_s = 40\n\
         blocks = 2\nbaseline_s = 10\nelectrode_area_cm2 = 35\n\
         [stimulator]\nkind = \"simulated\"\n[simulation]\nchannels = 4\n"
    );
    let order = Order::new("demo", Config::from_str(&text, "test").unwrap(), 5);
    let inner = SimulatedSource::new(&order.participant(), order.seed, START_S, None).unwrap();
    let mut device = SimulatedStimulator::simulated(Settings::default());
    device.connect(&order.config.host_limits().to_device(), Latched::Refuse, START_S).unwrap();
    let mut device: Option<Box<dyn Stimulator>> = Some(Box::new(device));
    let source = Holes { inner, now_s: 0.0 };
    let parts = order.assemble(&order.acquisition(), source, || Ok(device.take()), START_S).unwrap();
    let Parts { mut acquire, mut looping, stimulate, notes, notes_out, shape, warnings, .. } = parts;
    assert!(warnings.is_empty(), "{warnings:?}");
    let mut stimulate = stimulate.unwrap();
    let (mut to_loop, mut ring) = frame_ring(shape.channels, 1_000);
    let mut values = vec![0.0; shape.channels];
    let mut commands: Vec<Command> = Vec::with_capacity(64);
    let mut told = Vec::new();
    let before = marked_calls();
    for turn in 1..=(END_S / TURN_S) as u64 {
        let now_s = START_S + turn as f64 * TURN_S;
        acquire.source().inner.advance_to(now_s);
        acquire.source().now_s = now_s - START_S;
        marked(|| {
            let stream = acquire.step(&mut || now_s, &mut |header, samples_uv| {
                to_loop.push(header, samples_uv);
            });
            while let Some(header) = ring.pop(&mut values) {
                if looping.frame(&header, &values, now_s) {
                    looping.hop(now_s, &mut |decision| {
                        commands.push(Command::Decide(decision));
                        now_s
                    });
                }
            }
            commands.extend(looping.plan(stream, now_s));
            for command in commands.drain(..) {
                stimulate.command(command, now_s);
            }
            let participant = &mut acquire.source().inner;
            stimulate.step(true, now_s, &mut |sample| {
                if !within(UNTOLD_S, sample.stamp_s - START_S) {
                    looping.delivered(&sample);
                }
                participant.deliver(sample.stamp_s, shape.current_rate_hz, &[sample.current_ma]);
            });
        });
        told.extend(notes_out.try_iter().map(|stamped| stamped.note));
    }
    assert_eq!((notes.dropped(), to_loop.overruns()), (0, 0));
    (told, marked_calls() - before)
}

fn no_allocation(method: &str) {
    let (told, allocations) = run(method);
    let through = |valid: bool, why: &str| {
        let is = |note: &&Note| match note {
            Note::Through(estimate, proof) => {
                let proven = estimate.fit.invalid.is_none() && proof.failed.is_none();
                proven == valid && (why.is_empty() || proof.failed.is_some_and(|f| f.as_str() == why))
            }
            _ => false,
        };
        told.iter().filter(is).count()
    };
    assert!(through(true, "") > 200, "{} valid", through(true, ""));
    assert!(
        through(false, "path still being learnt") > 20 && through(false, "delivered current not known") > 0
    );
    let steered = told.iter().filter(|note| matches!(note, Note::Decision(_))).count();
    let clean = told.iter().filter(|note| matches!(note, Note::Estimate(e) if e.steers() && e.target == 0));
    assert_eq!(steered, clean.count(), "only clean windows steer");
    assert_eq!(allocations, 0);
}

#[test]
fn windows_under_current_are_estimated_by_whittle_without_allocation() {
    no_allocation("whittle");
}

#[test]
fn windows_under_current_are_estimated_by_specparam_without_allocation() {
    no_allocation("specparam");
}
