//! Once they run, the acquire, loop and stimulate stages allocate nothing: not in bursts, not at artefacts, gaps
//! and losses, not when a limit breaks, a device faults or its link dies. The stages are those of both runtimes,
//! driven here by one thread that is marked while it is inside them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use tras::acquisition::state::StreamState;
use tras::acquisition::{Poll, Source, StreamDescription};
use tras::config::Config;
use tras::current::Current;
use tras::limits::HostLimits;
use tras::plan::Plan;
use tras::ring::frame_ring;
use tras::runtime::assemble::{Order, Parts};
use tras::runtime::observation::{Halt, Note};
use tras::runtime::stages::closed_loop::Command;
use tras::runtime::stages::stimulate::StimulateStage;
use tras::simulation::source::SimulatedSource;
use tras::stimulator::simulated::{Settings, SimulatedStimulator};
use tras::stimulator::{Delivered, Latched, Limits, State, Status, Stimulator, StimulatorError, Stop};
use tras_test_support::alloc::{marked, marked_calls, on_purpose};

#[test]
fn the_counter_counts_marked_threads_and_no_others() {
    // On purpose: nobody needs to know where.
    on_purpose();
    let before = marked_calls();
    drop(std::hint::black_box(vec![1_u8; 100]));
    assert_eq!(marked_calls(), before, "unmarked");
    marked(|| drop(std::hint::black_box(vec![1_u8; 100])));
    assert_eq!(marked_calls(), before + 2, "one allocation, one release");
    marked(|| {
        std::thread::scope(|scope| {
            // Starting a thread allocates here; what it does itself is its own.
            let calls = marked_calls();
            scope.spawn(|| drop(std::hint::black_box(vec![1_u8; 100]))).join().unwrap();
            assert!(marked_calls() > calls);
        });
    });
    assert_eq!(std::thread::spawn(marked_calls).join().unwrap(), 0);
}

const START_S: f64 = 1_000.0;
const TURN_S: f64 = 0.005;

/// What goes wrong with the EEG, in seconds from the start. Block 1 lasts from 8 to 23, block 2 from 53 to 68,
/// block 3 from 98 to 113.
const NAN_S: (f64, f64) = (3.0, 3.3);
const SPIKE_S: f64 = 12.0;
const MISSING_S: (f64, f64) = (16.0, 16.1);
const FLAT_S: (f64, f64) = (30.0, 33.0);
const LOST_S: (f64, f64) = (60.0, 62.0);
const JUMP_S: f64 = 80.0;
/// What goes wrong with the current.
const BROKEN_S: f64 = 105.0;
const END_S: f64 = 125.0;

/// A virtual participant whose amplifier is having a bad day.
struct BadDay {
    inner: SimulatedSource,
    now_s: f64,
    lost: bool,
}

impl Source for BadDay {
    fn description(&self) -> &StreamDescription {
        self.inner.description()
    }

    fn poll(&mut self, values: &mut [f64], stamps_s: &mut [f64]) -> Poll {
        let within = |(from_s, to_s): (f64, f64), s: f64| (from_s..to_s).contains(&s);
        let found = self.inner.poll(values, stamps_s);
        if within(LOST_S, self.now_s) {
            self.lost = true;
            return Poll::Lost;
        }
        if std::mem::take(&mut self.lost) {
            return Poll::Resumed;
        }
        let Poll::Samples(count) = found else { return found };
        if within(MISSING_S, self.now_s) {
            return Poll::Empty;
        }
        let width = self.inner.description().channels.len();
        for (row, stamp_s) in values.chunks_exact_mut(width).zip(stamps_s).take(count) {
            let at_s = *stamp_s - START_S;
            if within(NAN_S, at_s) {
                row[0] = f64::NAN;
            }
            if (at_s - SPIKE_S).abs() < 0.002 {
                row[1] += 5_000.0;
            }
            if within(FLAT_S, at_s) {
                row[2] = 7.0;
            }
            if at_s > JUMP_S {
                *stamp_s -= 0.050;
            }
        }
        Poll::Samples(count)
    }
}

/// What breaks in block 3.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Broken {
    Dac,
    Link,
    Operator,
    /// The session's time, in the third block.
    Time,
}

/// The simulated stimulator, with something that breaks at a moment.
struct Breaking {
    inner: SimulatedStimulator,
    broken: Broken,
}

impl Stimulator for Breaking {
    fn name(&self) -> &str {
        self.inner.name()
    }
    fn rate_hz(&self) -> f64 {
        self.inner.rate_hz()
    }
    fn connect(&mut self, wanted: &Limits, latched: Latched, now_s: f64) -> Result<Limits, StimulatorError> {
        self.inner.connect(wanted, latched, now_s)
    }
    fn arm(&mut self, now_s: f64) -> Result<(), StimulatorError> {
        self.inner.arm(now_s)
    }
    fn room(&self) -> usize {
        self.inner.room()
    }
    fn queue(&mut self, samples_ma: &[f32], now_s: f64) -> Result<(), StimulatorError> {
        self.inner.queue(samples_ma, now_s)
    }
    fn stop(&mut self, how: Stop, now_s: f64) {
        self.inner.stop(how, now_s);
    }
    fn poll(&mut self, now_s: f64, delivered: &mut dyn FnMut(Delivered)) -> Status {
        if now_s - START_S > BROKEN_S {
            self.inner.injected().dac_failed = self.broken == Broken::Dac;
            self.inner.injected().link_lost = self.broken == Broken::Link;
        }
        self.inner.poll(now_s, delivered)
    }
    fn disarm(&mut self, now_s: f64) {
        self.inner.disarm(now_s);
    }
}

fn order(method: &str) -> Order {
    let text = format!(
        "[estimator]\nmethod = \"{method}\"\neach_channel = true\n\
         [controller]\nlaw = \"adaptive\"\ntarget_exponent = 1.8\n\
         [stimulation]\nenabled = true\nexponent = 1.5\nramp_up_s = 5\nramp_down_s = 5\nblock_s = 15\ngap_s = 30\n\
         blocks = 3\nbaseline_s = 8\nelectrode_area_cm2 = 35\n\
         [stimulator]\nkind = \"simulated\"\n[simulation]\nchannels = 4\n"
    );
    Order::new("demo", Config::from_str(&text, "test").unwrap_or_else(|error| panic!("{error}")), 11)
}

/// Runs the bad day under a virtual clock. Gives what was told, and how often a stage allocated.
fn run(order: Order, broken: Broken) -> (Vec<Note>, u64) {
    let inner = SimulatedSource::new(&order.participant(), order.seed, START_S, None).unwrap();
    let source = BadDay { inner, now_s: 0.0, lost: false };
    let mut inner = SimulatedStimulator::simulated(Settings::default());
    inner.connect(&order.config.host_limits().to_device(), Latched::Refuse, START_S).unwrap();
    let mut device: Option<Box<dyn Stimulator>> = Some(Box::new(Breaking { inner, broken }));
    let parts = order.assemble(&order.acquisition(), source, || Ok(device.take()), START_S).unwrap();
    let Parts { mut acquire, mut looping, stimulate, watch, notes, notes_out, shape, .. } = parts;
    let (mut stimulate, rate_hz) = (stimulate.unwrap(), shape.current_rate_hz);
    if broken == Broken::Time {
        // No checked configuration gets there, so the host's limits are tightened behind its back.
        let limits = HostLimits { active_s: 34.0, ..order.config.host_limits() };
        let current = Current::new(&Plan { limits, rate_hz, ..order.config.plan() }.setup(11)).unwrap();
        let mut inner = SimulatedStimulator::simulated(Settings::default());
        inner.connect(&order.config.host_limits().to_device(), Latched::Refuse, START_S).unwrap();
        let device = Box::new(Breaking { inner, broken });
        let decision = looping.decision();
        stimulate =
            StimulateStage::new(order.burst(), current, device, decision, watch, notes.clone(), START_S);
    }
    let (mut to_loop, mut ring) = frame_ring(shape.channels, 1_000);
    let (commands_in, commands_out) = crossbeam_channel::bounded::<Command>(64);
    let mut values = vec![0.0; shape.channels];
    let mut told = Vec::new();
    let before = marked_calls();
    for turn in 1..=(END_S / TURN_S) as u64 {
        let now_s = START_S + turn as f64 * TURN_S;
        acquire.source().inner.advance_to(now_s);
        acquire.source().now_s = now_s - START_S;
        marked(|| {
            let stream: StreamState = acquire.step(&mut || now_s, &mut |header, samples_uv| {
                to_loop.push(header, samples_uv);
            });
            while let Some(header) = ring.pop(&mut values) {
                if looping.frame(&header, &values, now_s) {
                    looping.hop(now_s, &mut |decision| {
                        commands_in.try_send(Command::Decide(decision)).unwrap();
                        now_s
                    });
                }
            }
            for command in looping.plan(stream, now_s) {
                commands_in.try_send(command).unwrap();
            }
            if broken == Broken::Operator && now_s - START_S > BROKEN_S {
                looping.end(Halt::Operator, now_s);
                stimulate.lock(Stop::Soft, Halt::Operator, now_s);
            }
            while let Ok(command) = commands_out.try_recv() {
                stimulate.command(command, now_s);
            }
            let participant = &mut acquire.source().inner;
            stimulate.step(true, now_s, &mut |sample| {
                looping.delivered(&sample);
                participant.deliver(sample.stamp_s, rate_hz, &[sample.current_ma]);
            });
            if turn as f64 * TURN_S > END_S - 1.0 && stimulate.at_rest() {
                stimulate.disarm(now_s);
            }
        });
        told.extend(notes_out.try_iter().map(|stamped| stamped.note));
    }
    assert_eq!((notes.dropped(), to_loop.overruns()), (0, 0));
    (told, marked_calls() - before)
}

fn count(told: &[Note], of: impl Fn(&Note) -> bool) -> usize {
    told.iter().filter(|note| of(note)).count()
}

fn bursts(told: &[Note]) -> usize {
    count(told, |note| matches!(note, Note::Host { state: State::Stimulating, .. }))
}

/// That the day was as bad as it was meant to be.
fn assert_everything_happened(told: &[Note]) {
    let valid = count(told, |note| matches!(note, Note::Estimate(e) if e.fit.invalid.is_none()));
    let invalid = count(told, |note| matches!(note, Note::Estimate(e) if e.fit.invalid.is_some()));
    let fewer = count(told, |note| matches!(note, Note::Estimate(e) if e.segments_used < e.segments_total));
    assert!(valid > 500 && invalid > 20 && fewer > 20, "{valid} valid, {invalid} not, {fewer} of less");
    assert!(count(told, |note| matches!(note, Note::Decision(_))) > 50);
    assert_eq!(count(told, |note| matches!(note, Note::Stream(StreamState::Lost))), 1);
    assert_eq!(count(told, |note| matches!(note, Note::Halted(Halt::StreamLost))), 1);
}

#[test]
fn specparam_in_a_session_with_every_artefact_and_a_failed_device() {
    let (told, allocations) = run(order("specparam"), Broken::Dac);
    assert_everything_happened(&told);
    assert_eq!(bursts(&told), 3);
    assert_eq!(count(&told, |note| matches!(note, Note::DeviceFault(_))), 1);
    assert_eq!(allocations, 0);
}

#[test]
fn whittle_in_a_session_with_every_artefact_and_a_dead_link() {
    let (told, allocations) = run(order("whittle"), Broken::Link);
    assert_everything_happened(&told);
    assert_eq!(bursts(&told), 3);
    let fault = |note: &Note| matches!(note, Note::DeviceFault(_) | Note::LinkFault(_));
    assert!(count(&told, fault) >= 1);
    assert_eq!(allocations, 0);
}

#[test]
fn an_operator_who_stops() {
    let (told, allocations) = run(order("specparam"), Broken::Operator);
    assert_eq!(bursts(&told), 3);
    assert_eq!(count(&told, |note| matches!(note, Note::Halted(Halt::Operator))), 2);
    let faults =
        count(&told, |n| matches!(n, Note::DeviceFault(_) | Note::LinkFault(_) | Note::HostFault(..)));
    assert_eq!(faults, 0);
    assert_eq!(allocations, 0);
}

#[test]
fn a_limit_of_the_host_that_breaks() {
    let (told, allocations) = run(order("specparam"), Broken::Time);
    assert_eq!(count(&told, |note| matches!(note, Note::HostFault("active_min", _))), 1);
    assert_eq!(allocations, 0);
}
