//! The loop and the stimulate stage on a clock that the test moves, into the simulated device: what ends a burst
//! before its time, and that it then stays ended.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use tras::acquisition::state::StreamState;
use tras::acquisition::{Poll, Source, StreamDescription};
use tras::config::Config;
use tras::runtime::assemble::{Order, Parts};
use tras::runtime::events;
use tras::runtime::observation::{Halt, Note, Stamped};
use tras::runtime::stages::acquire::AcquireStage;
use tras::runtime::stages::closed_loop::LoopStage;
use tras::runtime::stages::stimulate::StimulateStage;
use tras::simulation::source::SimulatedSource;
use tras::stimulator::simulated::{Settings, SimulatedStimulator};
use tras::stimulator::{Latched, State, Stimulator, Stop};

const START_S: f64 = 1_000.0;
const TURN_S: f64 = 0.001;
/// Block 1 begins at 3 s, is at full amplitude from 8 to 14 and ends at 19; block 2 begins at 49.
const PLAN: &str = "[stimulation]\nenabled = true\nexponent = 1.5\nramp_up_s = 5\nramp_down_s = 5\nblock_s = 16\n\
                    gap_s = 30\nblocks = 2\nbaseline_s = 3\nelectrode_area_cm2 = 35\n\
                    [simulation]\nchannels = 4\n[limits]\n";

/// An amplifier whose stream stands and from which nothing comes, as long as it holds its samples back.
struct Holding {
    inner: SimulatedSource,
    now_s: f64,
    holds: bool,
}

impl Source for Holding {
    fn description(&self) -> &StreamDescription {
        self.inner.description()
    }

    fn poll(&mut self, values: &mut [f64], stamps_s: &mut [f64]) -> Poll {
        if self.holds {
            return Poll::Empty;
        }
        self.inner.advance_to(self.now_s);
        self.inner.poll(values, stamps_s)
    }
}

struct Rig {
    acquire: AcquireStage<Holding>,
    looping: LoopStage,
    stimulate: StimulateStage,
    notes_out: crossbeam_channel::Receiver<Stamped>,
    turn: u64,
    /// Of the stream, as the loop is told.
    stream: StreamState,
    loop_alive: bool,
    told: Vec<Stamped>,
    /// When, and how much.
    current: Vec<(f64, f32)>,
}

impl Rig {
    fn new(limits: &str, kohm: f32) -> Self {
        let config = Config::from_str(&format!("{PLAN}{limits}"), "test").unwrap_or_else(|e| panic!("{e}"));
        let order = Order::new("demo", config, 11);
        let inner = SimulatedSource::new(&order.participant(), order.seed, START_S, None).unwrap();
        let mut device = SimulatedStimulator::simulated(Settings::default());
        device.injected().impedance_kohm = kohm;
        device.connect(&order.config.host_limits().to_device(), Latched::Refuse, START_S).unwrap();
        let source = Holding { inner, now_s: 0.0, holds: false };
        let parts =
            order.assemble(&order.acquisition(), source, || Ok(Some(Box::new(device))), START_S).unwrap();
        let Parts { acquire, looping, stimulate, notes_out, .. } = parts;
        let stimulate = stimulate.unwrap();
        let (stream, told, current) = (StreamState::Live, Vec::new(), Vec::new());
        Self { acquire, looping, stimulate, notes_out, turn: 0, stream, loop_alive: true, told, current }
    }

    fn now_s(&self) -> f64 {
        self.turn as f64 * TURN_S
    }

    /// Until this second of the session.
    fn until(&mut self, until_s: f64) {
        while self.now_s() < until_s {
            self.turn += 1;
            let now_s = START_S + self.now_s();
            self.acquire.source().now_s = now_s;
            let mut commands = Vec::new();
            let looping = &mut self.looping;
            self.acquire.step(&mut || now_s, &mut |header, samples_uv| {
                looping.frame(header, samples_uv, now_s);
            });
            if self.loop_alive {
                commands.extend(looping.plan(self.stream, now_s));
            }
            for command in commands {
                self.stimulate.command(command, now_s);
            }
            let current = &mut self.current;
            self.stimulate
                .step(self.loop_alive, now_s, &mut |d| current.push((d.stamp_s - START_S, d.current_ma)));
            self.told.extend(self.notes_out.try_iter());
        }
    }

    fn largest_ma(&self, from_s: f64, to_s: f64) -> f32 {
        let within = self.current.iter().filter(|(at_s, _)| (from_s..to_s).contains(at_s));
        within.fold(0.0, |most, (_, ma)| most.max(ma.abs()))
    }

    /// When the last current flowed.
    fn last_s(&self) -> f64 {
        self.current.iter().rfind(|(_, ma)| *ma != 0.0).map_or(0.0, |(at_s, _)| *at_s)
    }

    fn halts(&self) -> Vec<(f64, Halt)> {
        let halt =
            |s: &Stamped| if let Note::Halted(why) = s.note { Some((s.at_s - START_S, why)) } else { None };
        self.told.iter().filter_map(halt).collect()
    }

    fn bursts(&self) -> usize {
        self.told.iter().filter(|s| matches!(s.note, Note::Host { state: State::RampUp, .. })).count()
    }
}

#[test]
fn data_that_grow_old_end_the_block_without_the_stream_being_lost() {
    let mut rig = Rig::new("", 5.0);
    rig.until(10.0);
    assert!(rig.largest_ma(9.0, 10.0) > 0.2);
    rig.acquire.source().holds = true;
    rig.until(12.0);
    let [(halted_s, Halt::Stale(age_s))] = rig.halts()[..] else { panic!("{:?}", rig.halts()) };
    println!("stale: halted {:.3} s after the last sample, age {age_s:.3} s", halted_s - 10.0);
    assert!((0.45..0.6).contains(&(halted_s - 10.0)) && (0.5..0.52).contains(&age_s));
    // A ramp of 1 s and what the device had queued.
    assert!(rig.largest_ma(halted_s, halted_s + 0.3) > 0.1, "a ramp, not a cut");
    assert_eq!(rig.largest_ma(halted_s + 1.2, 12.0), 0.0);
    // They come again, and the block stays given up; the next one is a block again.
    rig.acquire.source().holds = false;
    rig.until(48.9);
    assert_eq!((rig.largest_ma(12.0, 48.9), rig.bursts()), (0.0, 1));
    rig.until(56.0);
    assert_eq!((rig.largest_ma(55.0, 56.0) > 0.2, rig.bursts()), (true, 2));
    assert_eq!(rig.halts().len(), 1);
}

#[test]
fn a_frozen_loop_ends_the_current_and_nothing_starts_again() {
    let mut rig = Rig::new("", 5.0);
    rig.until(10.0);
    rig.loop_alive = false;
    rig.until(11.0);
    // Samples that a fast ramp cuts short do not count as delivered; the device tells what flows.
    let flows = |s: &Stamped| match s.note {
        Note::Device(status) => Some((s.at_s - START_S, status.current_ma, status.state)),
        _ => None,
    };
    let device: Vec<_> = rig.told.iter().filter_map(flows).filter(|(at_s, ..)| *at_s > 10.0).collect();
    println!("frozen loop: {:?}", &device[..4]);
    assert!(device.iter().any(|(_, ma, state)| *ma != 0.0 && *state == State::RampDown), "a ramp");
    let rests =
        |(at_s, ma, state): &(f64, f32, State)| *at_s < 10.12 || (*ma, *state) == (0.0, State::Disarmed);
    assert!(device.iter().all(rests), "{device:?}");
    assert!(matches!(rig.halts()[..], [(_, Halt::Frozen)]), "{:?}", rig.halts());
    // It goes round again.
    rig.loop_alive = true;
    rig.until(57.0);
    assert_eq!((rig.largest_ma(10.2, 57.0), rig.bursts()), (0.0, 1));
}

#[test]
fn an_operator_who_asks_twice_does_not_wait_for_the_ramp() {
    let mut rig = Rig::new("", 5.0);
    rig.until(10.0);
    rig.stimulate.lock(Stop::Soft, Halt::Operator, START_S + 10.0);
    rig.until(10.2);
    assert!(rig.largest_ma(10.1, 10.2) > 0.05);
    rig.stimulate.lock(Stop::Cut, Halt::Operator, START_S + 10.2);
    rig.until(57.0);
    assert!(rig.last_s() <= 10.202, "{}", rig.last_s());
    assert_eq!(rig.bursts(), 1);
}

#[test]
fn electrodes_that_are_bad_at_the_start_end_the_burst_in_its_ramp() {
    let mut rig = Rig::new("", 12.5);
    rig.until(57.0);
    let [(halted_s, why @ Halt::Impedance { kohm, limit_kohm })] = rig.halts()[..] else {
        panic!("{:?}", rig.halts())
    };
    let words = events::halt_words(why);
    println!(
        "12.5 kOhm: halted {:.2} s into the ramp, at most {:.3} mA: {words}",
        halted_s - 3.0,
        rig.largest_ma(0.0, 57.0)
    );
    assert!((kohm - 12.5).abs() < 0.1 && limit_kohm == 10.0);
    assert!(words.contains("12.5 kOhm") && words.contains("start_kohm is 10"), "{words}");
    assert!(halted_s < 8.0, "in the ramp");
    // Softly, and for good: the second block does not begin.
    assert!(rig.largest_ma(halted_s, halted_s + 0.3) > 0.0);
    assert!(rig.last_s() < halted_s + 1.2 && rig.bursts() == 1);
    // On record twice: as the fault that it is, with its number, and in words.
    let json: Vec<String> = rig.told.iter().filter_map(events::json).collect();
    assert!(json.iter().any(|j| j.contains("\"limit\":\"start_kohm\"") && j.contains("12.5")), "{json:?}");
    assert!(json.iter().any(|j| j.contains("halted") && j.contains("12.5 kOhm")), "{json:?}");
}

#[test]
fn good_electrodes_and_a_raised_limit_let_it_begin() {
    for (limits, kohm) in [("", 9.8), ("start_kohm = 15", 12.5)] {
        let mut rig = Rig::new(limits, kohm);
        rig.until(10.0);
        assert!(rig.largest_ma(9.0, 10.0) > 0.2 && rig.halts().is_empty(), "{limits}: {:?}", rig.halts());
    }
}
