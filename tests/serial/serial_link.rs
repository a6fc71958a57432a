//! The serial adapter against the firmware's own code behind a real pseudo terminal, in real time: a good line,
//! and everything that can be wrong with a line or with what is at its end.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::time::{Duration, Instant};

use tras::stimulator::{
    Delivered, FaultCode, Latched, Limits, State, Status, Stimulator, StimulatorError, Stop,
    serial::{Place, SerialStimulator},
};
use tras_test_support::every_ms;
use tras_test_support::serial::{Bench, LIMITS, Wrong, stranger};

/// 100 ms, the default.
const QUEUE_S: f64 = 0.1;
/// On a loaded machine a thread may be held up for so long: added to every bound in time.
const HELD_UP_S: f64 = 0.15;

fn wave(k: u64) -> f32 {
    0.45 * (std::f64::consts::TAU * 10.0 * k as f64 / 2_000.0).sin() as f32
}

/// The stimulate thread: once a millisecond it fills the queue and polls.
struct Host {
    s: SerialStimulator,
    began: Instant,
    next: u64,
    delivered: Vec<Delivered>,
    status: Option<Status>,
    error: Option<StimulatorError>,
    round_trips_s: Vec<f64>,
}

impl Host {
    fn new(path: &str) -> Self {
        Self {
            s: SerialStimulator::at(Place::Path(path.into()), QUEUE_S),
            began: Instant::now(),
            next: 0,
            delivered: Vec::new(),
            status: None,
            error: None,
            round_trips_s: Vec::new(),
        }
    }

    /// Connected and armed.
    fn armed(bench: &Bench) -> Self {
        let mut host = Self { began: bench.began, ..Self::new(&bench.path) };
        assert_eq!(host.s.connect(&LIMITS, Latched::Refuse, host.now_s()).unwrap(), LIMITS);
        host.s.arm(host.now_s()).unwrap();
        host
    }

    /// The bench's clock: what the adapter takes for this machine's LSL clock.
    fn now_s(&self) -> f64 {
        self.began.elapsed().as_secs_f64()
    }

    fn poll(&mut self) -> Status {
        let (now_s, delivered) = (self.now_s(), &mut self.delivered);
        let status = self.s.poll(now_s, &mut |d| delivered.push(d));
        self.status = Some(status);
        self.round_trips_s.extend(self.s.round_trip_s());
        status
    }

    fn run(&mut self, seconds: f64) -> Status {
        every_ms(seconds, || {
            let room = self.s.room() as u64;
            let block: Vec<f32> = (self.next..self.next + room).map(wave).collect();
            match self.s.queue(&block, self.now_s()) {
                Ok(()) => self.next += room,
                Err(error) => self.error = self.error.take().or(Some(error)),
            }
            self.poll();
        });
        self.poll()
    }

    fn watch(&mut self, seconds: f64) -> Status {
        every_ms(seconds, || {
            self.poll();
        });
        self.poll()
    }
}

#[test]
fn a_burst_comes_through_whole_and_its_stop_ends_it() {
    let bench = Bench::start(Wrong::default());
    let mut host = Host::armed(&bench);
    let status = host.run(7.0);
    assert_eq!(
        (status.state, status.fault, status.underruns, status.lost),
        (State::Stimulating, None, 0, None)
    );
    assert_eq!((host.s.repeated(), *bench.bad_frames.lock().unwrap(), &host.error), (0, 0, &None));
    assert!((4.9..5.1).contains(&status.impedance_kohm.unwrap()));
    // What was reported as delivered is what left: same samples, same times.
    assert!(host.delivered.len() > 12_000, "{}", host.delivered.len());
    let flow = bench.flow.lock().unwrap().clone();
    let mut worst_ma = 0.0_f32;
    for (k, d) in host.delivered.iter().enumerate() {
        assert_eq!(d.index, k as u64);
        let near = |f: &&tras_test_support::serial::Flow| (f.at_s - d.stamp_s).abs() < 0.004;
        let at = flow.partition_point(|f| f.at_s < d.stamp_s - 0.005);
        let best = flow[at..].iter().take_while(|f| f.at_s < d.stamp_s + 0.005).filter(near);
        let error = best.map(|f| (f.current_ma - d.current_ma).abs()).fold(f32::INFINITY, f32::min);
        worst_ma = worst_ma.max(error);
    }
    assert!(worst_ma < 0.006, "delivered differs by {worst_ma} mA from what left within 4 ms");
    let mut trips = host.round_trips_s.clone();
    trips.sort_by(f64::total_cmp);
    let at = |p: f64| trips[((trips.len() - 1) as f64 * p) as usize] * 1e3;
    println!("round trip, the host's 1 ms step included: p50 {:.2} ms, p99 {:.2} ms", at(0.5), at(0.99));
    assert!(at(0.5) < 20.0);

    host.s.stop(Stop::Soft, host.now_s());
    let stopped_s = bench.now_s();
    assert!(matches!(host.s.queue(&[0.1], host.now_s()), Err(StimulatorError::Refused { .. })));
    let status = host.watch(1.3);
    assert_eq!((status.state, status.current_ma, status.fault), (State::Armed, 0.0, None));
    assert!(bench.after(stopped_s).1 - stopped_s < 1.0 + HELD_UP_S);
    // The next burst is a new one, from zero.
    let status = host.run(0.3);
    assert_eq!((status.state, status.fault, &host.error), (State::RampUp, None, &None));
    host.s.disarm(host.now_s());
    let status = host.watch(0.4);
    assert_eq!((status.state, status.current_ma), (State::Disarmed, 0.0));
    // And armed once more it counts from 0.
    host.s.arm(host.now_s()).unwrap();
    let before = host.delivered.len();
    host.run(0.5);
    assert_eq!(host.delivered[before].index, 0);
}

/// What queue a machine needs: prints the distribution of the fill, for queues of 20, 50 and 100 ms.
#[test]
fn the_fill_of_the_queue_is_known() {
    let seconds = if std::env::var_os("TRAS_LONG_TESTS").is_some() { 600.0 } else { 4.0 };
    for queue_s in [0.02, 0.05, 0.1] {
        let bench = Bench::start(Wrong::default());
        let mut host = Host { began: bench.began, ..Host::new(&bench.path) };
        host.s = SerialStimulator::at(Place::Path(bench.path.clone()), queue_s);
        host.s.connect(&LIMITS, Latched::Refuse, host.now_s()).unwrap();
        host.s.arm(host.now_s()).unwrap();
        host.run(0.5);
        let mut fills_ms = Vec::new();
        let until = Instant::now() + Duration::from_secs_f64(seconds);
        while Instant::now() < until && host.status.is_some_and(|status| status.fault.is_none()) {
            host.run(0.005);
            fills_ms.push(f64::from(host.s.telemetry().queue_fill) / 2.0);
        }
        fills_ms.sort_by(f64::total_cmp);
        let at = |p: f64| fills_ms[((fills_ms.len() - 1) as f64 * p) as usize];
        let status = host.status.unwrap();
        println!(
            "queue of {:.0} ms over {seconds} s: fill least {:.1}, p1 {:.1}, p50 {:.1} ms; {} underruns, fault {:?}",
            queue_s * 1e3,
            at(0.0),
            at(0.01),
            at(0.5),
            status.underruns,
            status.fault.map(|fault| fault.code)
        );
        // Shorter queues depend on the machine; the default must do anywhere.
        assert!(queue_s < 0.1 || (status.underruns, status.fault) == (0, None), "{status:?}");
    }
}

#[test]
fn a_pulled_cable_is_lost_for_good_and_the_device_comes_to_rest_alone() {
    let bench = Bench::start(Wrong::default());
    let mut host = Host::armed(&bench);
    host.run(5.5);
    let pulled_s = bench.now_s();
    bench.set(|w| w.unplug = true);
    let status = host.run(0.8);
    assert!(status.lost.is_some(), "{status:?}");
    assert!(matches!(host.error, Some(StimulatorError::Lost { .. })), "{:?}", host.error);
    assert!(matches!(host.s.arm(host.now_s()), Err(StimulatorError::Lost { .. })));
    let (largest_ma, zero_s) = bench.after(pulled_s);
    println!("cable pulled: zero after {:.0} ms, at most {largest_ma:.3} mA", (zero_s - pulled_s) * 1e3);
    assert!(largest_ma <= 0.5 && zero_s - pulled_s < 0.1 + 0.1 + HELD_UP_S);
    assert_eq!(bench.newest().state, State::Fault);
}

#[test]
fn a_line_that_flips_loses_and_repeats_bytes_loses_no_sample() {
    let bench = Bench::start(Wrong::default());
    let mut host = Host::armed(&bench);
    bench.set(|w| (w.flip, w.lose, w.repeat) = (20_000, 60, 40));
    let status = host.run(8.0);
    assert_eq!(
        (status.state, status.fault, status.lost),
        (State::Stimulating, None, None),
        "{:?}",
        host.error
    );
    assert!(host.s.repeated() > 0 && *bench.bad_frames.lock().unwrap() > 0);
    println!("{} samples sent again, {} bad frames", host.s.repeated(), bench.bad_frames.lock().unwrap());
    assert!(host.delivered.iter().enumerate().all(|(k, d)| d.index == k as u64));
    // A stop is heard over the same line.
    let stopped_s = bench.now_s();
    host.s.stop(Stop::Fast, host.now_s());
    host.watch(0.6);
    assert!(bench.after(stopped_s).1 - stopped_s < 0.1 + 0.2 + HELD_UP_S);
    assert_eq!(bench.newest().current_ma, 0.0);
}

#[test]
fn a_usb_bridge_that_holds_bytes_for_16_ms_is_only_late() {
    let bench = Bench::start(Wrong { hold_ms: 16, ..Wrong::default() });
    let mut host = Host::armed(&bench);
    let status = host.run(6.0);
    assert_eq!((status.state, status.fault, status.underruns), (State::Stimulating, None, 0));
    assert!(host.s.round_trip_s().unwrap() > 0.030);
}

#[test]
fn a_board_that_is_reset_by_being_opened_is_waited_for() {
    let bench = Bench::start(Wrong { boot_ms: 1_200, ..Wrong::default() });
    let mut host = Host::armed(&bench);
    assert_eq!(host.watch(0.1).state, State::Armed);
}

#[test]
fn a_frozen_host_does_not_keep_the_device_alive() {
    let bench = Bench::start(Wrong::default());
    let mut host = Host::armed(&bench);
    host.run(5.5);
    let frozen_s = bench.now_s();
    std::thread::sleep(Duration::from_millis(600));
    let (largest_ma, zero_s) = bench.after(frozen_s);
    println!("host frozen: zero after {:.0} ms, at most {largest_ma:.3} mA", (zero_s - frozen_s) * 1e3);
    assert!(largest_ma <= 0.5 && zero_s - frozen_s < 0.35 + HELD_UP_S);
    // It wakes up, hears of the fault, and nothing goes on.
    let status = host.run(0.5);
    let fault = status.fault.unwrap();
    assert!(matches!(fault.code, FaultCode::Underrun | FaultCode::Heartbeat), "{fault:?}");
    assert!((fault.at_s - frozen_s).abs() < 0.4 + HELD_UP_S, "{} against {frozen_s}", fault.at_s);
    assert_eq!((status.state, bench.newest().current_ma), (State::Fault, 0.0));
    assert!(matches!(host.error, Some(StimulatorError::Refused { .. })), "{:?}", host.error);
    assert!(host.s.arm(host.now_s()).is_err());
    // A person says that it may be cleared, and connects anew.
    let refusal = host.s.connect(&LIMITS, Latched::Refuse, host.now_s()).unwrap_err();
    assert!(matches!(refusal, StimulatorError::Faulted { code, .. } if code == fault.code), "{refusal}");
    host.s.connect(&LIMITS, Latched::Clear(fault.code), host.now_s()).unwrap();
    host.s.arm(host.now_s()).unwrap();
    assert_eq!(host.watch(0.1).state, State::Armed);
}

#[test]
fn a_device_that_is_reset_mid_burst_is_lost_and_stays_at_rest() {
    let bench = Bench::start(Wrong::default());
    let mut host = Host::armed(&bench);
    host.run(5.5);
    bench.set(|w| w.reset = true);
    let status = host.run(0.5);
    assert_eq!(status.lost, Some("it does not know this session any more: it was reset"));
    assert!(matches!(host.error, Some(StimulatorError::Lost { .. })), "{:?}", host.error);
    assert_eq!((bench.newest().state, bench.newest().current_ma), (State::Fault, 0.0));
    // What it has kept through the reset says that it was in mid-burst: the next run is refused until that is cleared.
    let refusal = host.s.connect(&LIMITS, Latched::Refuse, host.now_s()).unwrap_err();
    assert!(matches!(refusal, StimulatorError::Faulted { code: FaultCode::Reset, .. }), "{refusal}");
    assert!(refusal.to_string().ends_with("--clear-fault E20"), "{refusal}");
    host.s.connect(&LIMITS, Latched::Clear(FaultCode::Reset), host.now_s()).unwrap();
    assert!(host.s.telemetry().total_charge_mc > 0.0, "its dose is kept as well");
}

#[test]
fn a_device_that_falls_silent_is_lost_within_half_a_second() {
    let bench = Bench::start(Wrong::default());
    let mut host = Host::armed(&bench);
    host.run(1.0);
    bench.set(|w| w.mute = true);
    let status = host.run(0.5 + HELD_UP_S);
    assert_eq!(status.lost, Some("it has fallen silent"));
    // It hears the host's stop, and is at rest.
    host.watch(0.3);
    assert_eq!(bench.newest().current_ma, 0.0);
    // It speaks again: nothing goes on by itself.
    bench.set(|w| w.mute = false);
    host.run(0.3);
    assert!(!matches!(bench.newest().state, State::RampUp | State::Stimulating));
    assert!(host.poll().lost.is_some());
}

#[test]
fn limits_altered_in_flight_are_refused_by_name() {
    let bench = Bench::start(Wrong { alter_limits: true, ..Wrong::default() });
    let mut host = Host::new(&bench.path);
    let error = host.s.connect(&LIMITS, Latched::Refuse, 0.0).unwrap_err();
    assert!(error.to_string().contains("it echoes peak_ma = 2, asked for 0.5"), "{error}");
    assert!(host.s.arm(0.1).is_err());
    let beyond = Limits { active_s: 7_200.0, ..LIMITS };
    let bench = Bench::start(Wrong::default());
    let error = Host::new(&bench.path).s.connect(&beyond, Latched::Refuse, 0.0).unwrap_err();
    assert!(error.to_string().contains("active_s = 3600, asked for 7200"), "{error}");
}

#[test]
fn whatever_else_is_at_a_port_is_refused_within_two_seconds() {
    type Talk = Box<dyn FnMut(&[u8]) -> Vec<u8> + Send>;
    let mut dice = 1_u32;
    let noise = move |_: &[u8]| -> Vec<u8> {
        let mut next = || {
            dice = dice.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (dice >> 24) as u8
        };
        (0..1_000).map(|_| next()).collect()
    };
    let gps = |_: &[u8]| b"$GPGGA,123519,4807.038,N,01131.000,E,1,08,0.9,545.4,M,46.9,M,,*47\r\n".to_vec();
    let cases: [(&str, Talk); 4] = [
        ("says nothing", Box::new(|_| Vec::new())),
        ("sends back what it is sent", Box::new(<[u8]>::to_vec)),
        ("as a GPS", Box::new(gps)),
        ("no frame of ours", Box::new(noise)),
    ];
    for (wanted, talk) in cases {
        let (path, _stop) = stranger(talk);
        let began = Instant::now();
        let error = Host::new(&path).s.connect(&LIMITS, Latched::Refuse, 5.0).unwrap_err();
        assert!(began.elapsed() < Duration::from_millis(2_200), "{:?}", began.elapsed());
        assert!(matches!(error, StimulatorError::NotFound { .. }), "{error:?}");
        assert!(error.to_string().contains(wanted) && error.to_string().contains(&path), "{error}");
    }
    let error = Host::new("/dev/there-is-no-such-port").s.connect(&LIMITS, Latched::Refuse, 0.0).unwrap_err();
    assert!(error.to_string().contains("/dev/there-is-no-such-port: not found"), "{error}");
}
