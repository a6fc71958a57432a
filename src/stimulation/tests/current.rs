//! The host's current under any sequence of commands: it obeys every limit, and comes to zero in time.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use proptest::prelude::*;
use tras_device::{FaultCode, State};
use tras_stimulation::current::{Cause, Current, Event, EventKind, Refusal, Set, Setup, Start};
use tras_stimulation::limits::{HostLimits, Limit};
use tras_stimulation::noise::Profile;
use tras_wire::Stop;

const RATE_HZ: f64 = 2000.0;

fn setup() -> Setup {
    Setup { ramp_up_s: 5.0, ramp_down_s: 5.0, ..Setup::new(HostLimits::for_electrode(35.0), 11) }
}

fn start(profile: Profile, exponent: f64, peak_ma: f64) -> Start {
    Start { decision_id: 42, profile, exponent, peak_ma }
}

fn run(current: &mut Current, seconds: f64) -> Vec<f32> {
    let mut out = vec![f32::NAN; (seconds * RATE_HZ) as usize];
    for chunk in out.chunks_mut(40) {
        current.fill(chunk);
    }
    out
}

fn drain(current: &mut Current) -> Vec<Event> {
    std::iter::from_fn(|| current.next_event()).collect()
}

fn states(events: &[Event]) -> Vec<(u64, State)> {
    events
        .iter()
        .filter_map(
            |e| if let EventKind::State { to, .. } = e.kind { Some((e.sample_index, to)) } else { None },
        )
        .collect()
}

#[derive(Clone, Debug)]
enum Command {
    Arm,
    Start(Start),
    Set(Set),
    Finish,
    Stop(Stop),
    Fault(bool),
    Clear,
    Disarm,
}

fn number() -> impl Strategy<Value = f64> {
    prop_oneof![8 => -0.2f64..3.2, 1 => any::<f64>()]
}

fn command() -> impl Strategy<Value = Command> {
    let profile = prop::sample::select(Profile::ALL.to_vec());
    let how = prop::sample::select(vec![Stop::Soft, Stop::Fast, Stop::Cut]);
    prop_oneof![
        4 => Just(Command::Arm),
        6 => (profile, number(), 0.0f64..0.55).prop_map(|(p, x, peak)| Command::Start(start(p, x, peak))),
        3 => (number(), number())
            .prop_map(|(exponent, peak_ma)| Command::Set(Set { decision_id: 7, exponent, peak_ma })),
        1 => Just(Command::Finish),
        2 => how.prop_map(Command::Stop),
        1 => any::<bool>().prop_map(Command::Fault),
        1 => Just(Command::Clear),
        1 => Just(Command::Disarm),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(120))]
    #[test]
    fn any_commands_at_any_time_keep_every_limit(
        script in prop::collection::vec((command(), 0.0f64..8.0, 1usize..3000), 1..25)
    ) {
        let mut current = Current::new(&setup()).unwrap();
        let limits = setup().limits;
        let (mut last, mut net) = (0f32, 0f64);
        // Samples within which the current must be zero, counted down.
        let mut zero_in: Option<u64> = None;
        for (command, seconds, chunk_len) in script {
            let mut hurry = |samples: u64| zero_in = Some(zero_in.map_or(samples, |z| z.min(samples)));
            match command {
                Command::Arm => { let _ = current.arm(); }
                Command::Start(start) => {
                    if current.start(&start).is_ok() {
                        prop_assert!((0.0..=3.0).contains(&start.exponent) && start.peak_ma <= 0.5);
                        prop_assert!(last == 0.0);
                        zero_in = None;
                        net = 0.0;
                    }
                }
                Command::Set(set) => { let _ = current.set(&set); }
                Command::Finish => { current.finish(); hurry(10_000); }
                Command::Stop(Stop::Soft) => { current.stop(Stop::Soft); hurry(2_000); }
                Command::Stop(Stop::Fast) => { current.stop(Stop::Fast); hurry(200); }
                Command::Stop(Stop::Cut) => { current.stop(Stop::Cut); hurry(2); }
                Command::Fault(cut) => {
                    current.fault(FaultCode::Peak, 1.0, if cut { Stop::Cut } else { Stop::Fast });
                    prop_assert_eq!(current.state(), State::Fault);
                    hurry(if cut { 2 } else { 200 });
                }
                Command::Clear => { let _ = current.clear_fault(); }
                Command::Disarm => { current.disarm(); hurry(200); }
            }
            let mut samples = vec![f32::NAN; (seconds * RATE_HZ) as usize];
            for chunk in samples.chunks_mut(chunk_len) {
                current.fill(chunk);
            }
            for &x in &samples {
                prop_assert!(x.is_finite() && f64::from(x.abs()) <= limits.peak_ma);
                prop_assert!(f64::from((x - last).abs()) * RATE_HZ / 1e3 <= limits.slew_ma_per_ms + 1e-6);
                net += f64::from(x) / RATE_HZ;
                prop_assert!(net.abs() <= limits.net_charge_mc + 1e-9);
                if let Some(left) = &mut zero_in {
                    *left = left.saturating_sub(1);
                    prop_assert!(*left > 0 || x == 0.0, "{} mA after its time", x);
                }
                last = x;
            }
            if matches!(current.state(), State::Disarmed | State::Armed) {
                prop_assert_eq!(current.last_ma(), 0.0);
            }
        }
        let latched = current.latched();
        prop_assert!(latched.is_none_or(|c| matches!(c, Cause::Commanded { .. })), "{:?}", latched);
    }
}

#[test]
fn a_burst_passes_through_its_states_at_its_times() {
    let mut current = Current::new(&setup()).unwrap();
    assert!(matches!(current.start(&start(Profile::Steep, 2.0, 0.5)), Err(Refusal::State { .. })));
    current.arm().unwrap();
    run(&mut current, 1.0);
    current.start(&start(Profile::Steep, 2.0, 0.5)).unwrap();
    run(&mut current, 20.0);
    current.finish();
    run(&mut current, 6.0);
    let events = drain(&mut current);
    assert_eq!(
        states(&events),
        [
            (0, State::Armed),
            (2_000, State::RampUp),
            (12_000, State::Stimulating),
            (42_000, State::RampDown),
            (52_000, State::Armed)
        ]
    );
    assert!(events.iter().any(|e| e.kind == EventKind::Applied { exponent: 2.0, peak_ma: 0.5 }
        && e.sample_index == 2_000
        && e.decision_id == 42));
    let totals = current.totals();
    assert!((totals.stimulation_seconds - 25.0).abs() < 0.1, "{totals:?}");
    assert!(totals.current_rms_ma > 0.08 && totals.current_rms_ma < 0.2 && totals.current_peak_ma <= 0.5);
}

#[test]
fn sham_flows_for_30_s_and_its_states_give_nothing_away() {
    let samples = |profile| {
        let mut current = Current::new(&Setup::new(HostLimits::for_electrode(35.0), 11)).unwrap();
        current.arm().unwrap();
        current.start(&start(profile, 2.0, 0.5)).unwrap();
        let mut out = run(&mut current, 60.0);
        current.stop(Stop::Soft);
        out.extend(run(&mut current, 2.0));
        (out, states(&drain(&mut current)))
    };
    let (sham, sham_states) = samples(Profile::Sham);
    let (real, real_states) = samples(Profile::Steep);
    assert_eq!(sham_states, real_states);
    assert_eq!(sham[..40_000], real[..40_000]);
    assert!(sham[60_000..].iter().all(|&x| x == 0.0));
    assert!(sham[50_000..55_000].iter().any(|&x| x.abs() > 0.01) && real[60_000..].iter().any(|&x| x != 0.0));
}

#[test]
fn noise_that_would_break_a_limit_by_itself_is_refused_with_advice() {
    let mut current = Current::new(&Setup { band_hz: (0.1, 100.0), ..setup() }).unwrap();
    current.arm().unwrap();
    let refusal = current.start(&start(Profile::Steep, 2.5, 0.5)).unwrap_err().to_string();
    assert!(refusal.contains("10 s mean") && refusal.contains("raise the band's low edge"), "{refusal}");
    let small = Setup { limits: HostLimits::for_electrode(3.0), ..setup() };
    let mut current = Current::new(&small).unwrap();
    current.arm().unwrap();
    let refusal = current.start(&start(Profile::Steep, 2.0, 0.5)).unwrap_err().to_string();
    assert!(refusal.contains("electrodes"), "{refusal}");
}

#[test]
fn the_sessions_time_is_a_limit_across_bursts() {
    let limits = HostLimits { active_s: 30.0, ..HostLimits::for_electrode(35.0) };
    let mut current = Current::new(&Setup { limits, ..setup() }).unwrap();
    current.arm().unwrap();
    current.start(&start(Profile::Flat, 0.5, 0.5)).unwrap();
    run(&mut current, 22.0);
    current.stop(Stop::Soft);
    run(&mut current, 2.0);
    assert!(matches!(current.start(&start(Profile::Flat, 0.5, 0.5)), Err(Refusal::Spent { .. })));
    let limits = HostLimits { active_s: 12.0, ..limits };
    let mut current = Current::new(&Setup { limits, ..setup() }).unwrap();
    current.arm().unwrap();
    current.start(&start(Profile::Flat, 0.5, 0.5)).unwrap();
    run(&mut current, 13.0);
    assert!(matches!(current.latched(), Some(Cause::Limit { limit: Limit::ActiveTime, .. })));
    assert!(current.totals().stimulation_seconds <= 12.0 && current.last_ma() == 0.0);
    assert!(current.arm().is_err());
    current.clear_fault().unwrap();
    assert_eq!(current.state(), State::Disarmed);
}

#[test]
fn arming_expires() {
    let mut current = Current::new(&Setup { arm_expires_s: 3.0, ..setup() }).unwrap();
    current.arm().unwrap();
    run(&mut current, 4.0);
    assert_eq!(current.state(), State::Disarmed);
    assert_eq!(states(&drain(&mut current)), [(0, State::Armed), (6_000, State::Disarmed)]);
}

#[test]
fn the_same_commands_give_the_same_bytes_whatever_the_chunks() {
    let samples = |chunk: usize| {
        let mut current = Current::new(&setup()).unwrap();
        current.arm().unwrap();
        current.start(&start(Profile::Steep, 2.0, 0.5)).unwrap();
        let mut out = vec![0f32; 60_000];
        for part in out[..30_000].chunks_mut(chunk) {
            current.fill(part);
        }
        current.set(&Set { decision_id: 43, exponent: 1.0, peak_ma: 0.3 }).unwrap();
        for part in out[30_000..].chunks_mut(chunk) {
            current.fill(part);
        }
        out.into_iter().map(f32::to_bits).collect::<Vec<_>>()
    };
    assert_eq!(samples(40), samples(777));
}
