//! A view as a running session would leave it.

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;
use tras::acquisition::state::StreamState;
use tras::dashboard::Screen;
use tras::dashboard::draw::{Theme, draw};
use tras::dashboard::session::{PhaseLine, SessionView};
use tras::dashboard::state::{TargetView, View};
use tras::estimator::{Contamination, Estimate, Fit, Peak, Peaks, Reason};
use tras::stimulator::State;

/// The rows of the picture at `width` by `height` cells.
pub fn rows(view: &View, screen: &Screen, width: u16, height: u16) -> Vec<String> {
    let cells = drawn(view, screen, width, height).content;
    cells.chunks(usize::from(width)).map(|row| row.iter().map(|cell| cell.symbol()).collect()).collect()
}

/// What is drawn.
pub fn drawn(view: &View, screen: &Screen, width: u16, height: u16) -> Buffer {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| draw(view, screen, frame.area(), frame.buffer_mut())).unwrap();
    terminal.backend().buffer().clone()
}

/// An estimate of the region on screen.
pub fn estimate(
    stamp_s: f64,
    exponent: f64,
    invalid: Option<Reason>,
    contamination: Contamination,
) -> Estimate {
    let mut peaks = Peaks::default();
    peaks.push(Peak { centre_hz: 10.2, power_log10: 0.8, bandwidth_hz: 2.0 });
    let fit = Fit {
        exponent,
        exponent_se: 0.08,
        offset: 1.9,
        r_squared: 0.97,
        mae: 0.05,
        peaks,
        invalid,
        ..Fit::failed(Reason::PoorFit)
    };
    Estimate {
        id: 1,
        target: 0,
        first_sample: 0,
        last_sample: 999,
        stamp_s,
        segments_used: 7,
        segments_total: 7,
        contamination,
        fit,
    }
}

/// Two minutes into a session with eight channels; the current ramps up.
pub fn session() -> View {
    let mut view = View { command: "demo".to_owned(), elapsed_s: 123.0, ..View::default() };
    let labels: Vec<String> = ["Fp1", "Fp2", "F3", "F4", "Cz", "Pz", "O1", "O2"].map(str::to_owned).to_vec();
    view.set_stream("tras-simulated", 250.0, &labels);
    view.stream.state = StreamState::Live;
    view.stream.age_s = 0.012;
    view.stream.spoilt = vec![1];
    for sample in 0..1500_u16 {
        let t = f64::from(sample) / 250.0;
        let values: Vec<f32> = (0..8_u8)
            .map(|channel| {
                let phase = 0.7 * f64::from(channel);
                (20.0 * (std::f64::consts::TAU * 10.0 * t + phase).sin() + 12.0 * (5.1 * t + phase).sin())
                    as f32
            })
            .collect();
        view.push_frame(100.0 + t, &values);
    }
    for sample in 0..60_000_u32 {
        let t = f64::from(sample) / 2000.0;
        let envelope = ((t - 15.0) / 10.0).clamp(0.0, 1.0);
        view.push_current(90.0 + t, (0.4 * envelope * (37.7 * t).sin() * (3.1 * t).cos()) as f32);
    }
    let freqs: Vec<f64> = (0..=125).map(f64::from).collect();
    let power: Vec<f64> = freqs
        .iter()
        .map(|&hz| 80.0 / hz.max(0.5).powf(1.5) * 10_f64.powf(0.8 * (-(hz - 10.2) * (hz - 10.2) / 2.0).exp()))
        .collect();
    view.set_spectrum(&freqs, &power);
    view.spectrum.region = "frontal".to_owned();
    view.spectrum.range_hz = [2.0, 35.0];
    view.exponents.target = Some(1.7);
    for hop in 0..200_u16 {
        let t = 20.0 + 0.5 * f64::from(hop);
        let (invalid, contamination) = match hop {
            60..100 => (None, Contamination::Stimulating),
            120..125 => (Some(Reason::TooFewSegments), Contamination::Clean),
            _ => (None, Contamination::Clean),
        };
        view.push_estimate(&estimate(t, 1.5 + 0.2 * (t / 15.0).sin(), invalid, contamination));
    }
    let s = &mut view.stimulation;
    s.enabled = true;
    s.device = "simulated".to_owned();
    s.profile = "steep".to_owned();
    s.exponent = 1.62;
    s.rms_ma = 0.167;
    s.host = State::RampUp;
    s.device_state = Some(State::RampUp);
    (s.block, s.blocks) = (3, 12);
    s.phase = "block".to_owned();
    s.next_phase = "ramp down".to_owned();
    s.next_in_s = Some(24.0);
    (s.active_s, s.active_limit_s, s.charge_c, s.charge_limit_c) = (80.0, 2400.0, 0.011, 2.4);
    (s.queue_ms, s.queue_capacity_ms) = (83.0, 100.0);
    view.latency.p50_us = 84.0;
    view.latency.p99_us = 310.0;
    view.recording = "recordings/demo/2026-11-20T13-50-00".to_owned();
    for event in ["stream found: tras-simulated", "block 1 began", "block 1 ended", "block 2 began"] {
        view.push_event(event);
    }
    view
}

/// Every state that the screen can be in, by its name.
pub fn states(theme: Theme) -> Vec<(&'static str, View, Screen)> {
    let mut waiting = View { command: "run".to_owned(), ..View::default() };
    waiting.stimulation.enabled = true;
    let running = session();
    let mut current = session();
    current.stimulation.host = State::Stimulating;
    current.stimulation.device_state = Some(State::Stimulating);
    for hop in 0..28_u16 {
        let t = 120.0 + 0.5 * f64::from(hop);
        let few = Some(Reason::TooFewSegments);
        current.push_estimate(&estimate(t, 2.4, few, Contamination::Stimulating));
    }
    // The last clean one is of 119.5 s.
    current.exponents.age_s = 0.0;
    let mut lost = session();
    lost.stream.state = StreamState::Lost;
    lost.stream.age_s = 14.2;
    lost.exponents.age_s = 14.2;
    lost.stream.refused =
        Some("stream \"tras-simulated\" has come back changed: number of channels was 32, is 16".to_owned());
    let mut held = session();
    held.stream.age_s = 0.72;
    held.stimulation.held = Some("the newest EEG is 0.72 s old".to_owned());
    let mut stopped = session();
    stopped.stimulation.stopped = Some("stopped by the operator".to_owned());
    stopped.stimulation.host = State::Armed;
    let mut fault = session();
    fault.stimulation.host = State::Fault;
    fault.stimulation.device_state = Some(State::Fault);
    fault.stimulation.stopped = Some("a fault is latched".to_owned());
    fault.push_fault("host limit peak reached with 0.6213 at 121.4 s: ramped down");
    let mut blinded = session();
    (blinded.blinded, blinded.hidden) = (true, true);
    let monitor = monitor();
    let mut monitor_lost = monitor.clone();
    monitor_lost.stream.state = StreamState::Lost;
    (monitor_lost.stream.age_s, monitor_lost.exponents.age_s) = (14.2, 14.2);
    let mut all = vec![
        ("waiting", waiting),
        ("running", running),
        ("under current", current),
        ("lost", lost),
        ("held", held),
        ("stopped", stopped),
        ("fault", fault),
        ("blinded", blinded),
        ("monitor", monitor),
        ("monitor lost", monitor_lost),
    ];
    all.extend(of_a_session());
    for (_, view) in &mut all {
        // Figures of several digits, whose beginnings would be other figures.
        (view.exponents.valid, view.exponents.count) = (776, 804);
        (view.stream.received, view.stream.lost, view.stream.gaps) = (30_753, 1_234, 57);
    }
    all.into_iter().map(|(name, view)| (name, view, Screen::new(theme))).collect()
}

/// A monitor of eight channels and two regions, one channel of them flat.
fn monitor() -> View {
    let mut view = session();
    view.command = "monitor".to_owned();
    view.stimulation.enabled = false;
    view.recording = String::new();
    view.exponents.target = None;
    let labels: Vec<String> = ["Fp1", "Fp2", "F3", "F4", "P3", "P4", "O1", "O2"].map(str::to_owned).to_vec();
    view.stream.channels.clone_from(&labels);
    view.stream.bad = vec![(5, "flat")];
    let names = ["frontal".to_owned(), "posterior".to_owned()].into_iter().chain(labels);
    view.targets = names.map(|name| TargetView { name, ..TargetView::default() }).collect();
    for target in 0..view.targets.len() {
        let invalid = (target == 7).then_some(Reason::TooFewSegments);
        let exponent = 1.2 + 0.07 * f64::from(u8::try_from(target).unwrap_or(0));
        view.push_target(&Estimate { target, ..estimate(119.5, exponent, invalid, Contamination::Clean) });
    }
    view
}

/// What a session by a protocol shows, from its first wait to its end.
fn of_a_session() -> Vec<(&'static str, View)> {
    let mut waits = session();
    (waits.blinded, waits.hidden) = (true, true);
    let phase = |name: &str, planned_s: f64| PhaseLine { name: name.to_owned(), planned_s };
    let mut phases = vec![phase("impedance", f64::INFINITY), phase("rest, eyes open", 120.0)];
    for block in 1..=12 {
        phases.push(phase(&format!("block {block}"), 300.0));
        phases.push(phase("questionnaire", f64::INFINITY));
        phases.push(phase("break", 60.0));
    }
    phases.push(phase("end", 0.0));
    let checks = ["impedances", "stream live 10 s", "recording", "dose left", "stimulator"];
    waits.session = Some(SessionView {
        whose: "sub-P01 ses-2 wm-tras".to_owned(),
        phases,
        at: 2,
        waits: "block 1 waits for both keys: a, then g".to_owned(),
        checks: checks.map(|check| (check, check != "impedances")).to_vec(),
        address: Some("http://127.0.0.1:40817/?token=6f1c2a90d3e84b57".to_owned()),
        ..SessionView::default()
    });
    waits.push_event("impedances: 4.8 and 5.5 kOhm are of 31 min ago: measure again, then type kohm A B");
    let of = |change: &dyn Fn(&mut SessionView)| {
        let mut view = waits.clone();
        if let Some(session) = &mut view.session {
            change(session);
        }
        view
    };
    let block = |session: &mut SessionView| {
        session.checks.iter_mut().for_each(|check| check.1 = true);
        (session.at, session.runs, session.began_s, session.ends_s) = (2, true, 60.0, 360.0);
        (session.waits, session.address) = (String::new(), None);
    };
    let asked = |session: &mut SessionView| {
        session.at = 3;
        session.runs = true;
        session.ends_s = f64::INFINITY;
        session.waits = String::new();
        session.question =
            Some("3 of 6: itching? 0 none, 1 mild, 2 moderate, 3 strong, and when it began".to_owned());
    };
    let ended = |session: &mut SessionView| {
        (session.over, session.at, session.waits) = (true, session.phases.len() - 1, String::new());
    };
    let mut stopped = of(&|session| {
        block(session);
        (session.runs, session.held) = (false, true);
        session.waits = "block 1 ended: stopped by the operator".to_owned();
    });
    stopped.push_event("block 1 ended early after 1:03: stopped by the operator (space)");
    vec![
        ("session waits", waits.clone()),
        ("session block", of(&block)),
        ("session stopped", stopped),
        ("session question", of(&asked)),
        ("session over", of(&ended)),
    ]
}
