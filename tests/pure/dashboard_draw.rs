//! What a person sees at each size, with and without colour, and with data that no session should have.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::cast_possible_truncation,
    reason = "tests"
)]

use proptest::prelude::*;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Color;
use tras::acquisition::state::StreamState;
use tras::dashboard::draw::{Screen, Theme, draw};
use tras::dashboard::state::View;
use tras::dashboard::{Action, Key};
use tras::estimator::{Contamination, Reason};
use tras::stimulator::State;
use tras_test_support::screen::{estimate, session};

const COLOUR: Theme = Theme { colour: true, ascii: false };
const PLAIN: Theme = Theme { colour: false, ascii: false };
const ASCII: Theme = Theme { colour: false, ascii: true };

/// The picture at this size.
fn picture(view: &View, screen: &Screen, width: u16, height: u16) -> Buffer {
    let area = Rect::new(0, 0, width, height);
    let mut buffer = Buffer::empty(area);
    draw(view, screen, area, &mut buffer);
    buffer
}

/// Its characters, a line a row.
fn text(buffer: &Buffer) -> String {
    let width = usize::from(buffer.area.width).max(1);
    let rows = buffer.content.chunks(width);
    rows.map(|row| row.iter().map(|cell| cell.symbol()).collect::<String>() + "\n").collect()
}

#[test]
fn the_least_screen_tells_everything_that_matters() {
    let shown = text(&picture(&session(), &Screen::new(COLOUR), 80, 24));
    for needle in [
        "LIVE",
        "tras-simulated",
        "RAMP UP",
        "2:03",
        "Fp1",
        "×Fp2",
        "χ 1.",
        "▼ 10.2 Hz",
        "target 1.70",
        "valid",
        "0.167",
        "block 3/12",
        "ramp down 0:24",
        "steep  χ 1.62",
        "1:20 of 40:00",
        "83 ms",
        "12 ms / 0 ms",
        "84 / 310",
        "space",
        "quit",
        "help",
    ] {
        assert!(shown.contains(needle), "{needle} is missing:\n{shown}");
    }
}

#[test]
fn a_large_screen_also_lists_events() {
    let shown = text(&picture(&session(), &Screen::new(COLOUR), 200, 60));
    assert!(shown.contains("block 2 began") && shown.contains("EEG 1-8 of 8"), "{shown}");
}

#[test]
fn a_tiny_screen_says_so_and_still_tells_the_state() {
    let mut terminal = Terminal::new(TestBackend::new(20, 5)).unwrap();
    let (view, screen) = (session(), Screen::new(COLOUR));
    terminal.draw(|frame| draw(&view, &screen, frame.area(), frame.buffer_mut())).unwrap();
    let shown = text(terminal.backend().buffer());
    assert!(shown.contains("terminal 20x5: needs") && shown.contains("RAMP UP"), "{shown}");
}

#[test]
fn an_empty_view_is_drawn_at_every_size() {
    for (width, height) in [(80, 24), (200, 60), (20, 5), (1, 1), (0, 0), (81, 25), (500, 200)] {
        let shown = text(&picture(&View::default(), &Screen::new(COLOUR), width, height));
        assert!(width < 80 || shown.contains("WAITING"), "{shown}");
    }
}

#[test]
fn without_colour_nothing_is_coloured_and_with_it_something_is() {
    let coloured = |theme| {
        let buffer = picture(&session(), &Screen::new(theme), 120, 40);
        buffer.content.iter().filter(|cell| cell.fg != Color::Reset || cell.bg != Color::Reset).count()
    };
    assert_eq!(coloured(PLAIN), 0);
    assert!(coloured(COLOUR) > 100);
    let words = |theme| text(&picture(&session(), &Screen::new(theme), 120, 40));
    assert_eq!(words(PLAIN), words(COLOUR), "colour must not carry what the text does not");
}

#[test]
fn ascii_is_ascii() {
    let mut screen = Screen::new(ASCII);
    for help in [false, true] {
        screen.help = help;
        let shown = text(&picture(&session(), &screen, 120, 40));
        assert!(shown.is_ascii(), "{shown}");
    }
}

#[test]
fn a_lost_stream_a_fault_and_a_silent_runtime_are_told_in_words() {
    let mut view = session();
    view.stream.state = StreamState::Lost;
    view.stream.age_s = 3.2;
    view.stimulation.host = State::Fault;
    view.push_fault("peak: 0.62 mA is above 0.5 mA");
    let mut screen = Screen::new(PLAIN);
    screen.silent_s = 4.0;
    let shown = text(&picture(&view, &screen, 80, 24));
    for needle in ["LOST, no data for 3.2 s", "FAULT 2:03 peak: 0.62 mA", "NOT UPDATED 4.0 s"] {
        assert!(shown.contains(needle), "{needle} is missing:\n{shown}");
    }
}

#[test]
fn a_blinded_screen_is_the_same_for_every_condition() {
    let blinded = |profile: &str, exponent: f64, amplitude: f32| {
        let mut view = session();
        view.blinded = true;
        view.stimulation.profile = profile.to_owned();
        view.stimulation.exponent = exponent;
        view.stimulation.rms_ma = f64::from(amplitude);
        view.stimulation.active_s = f64::from(amplitude) * 100.0;
        view.stimulation.charge_c = f64::from(amplitude);
        view.push_current(120.5, amplitude);
        // What stimulation has touched shows the injected exponent.
        view.push_estimate(&estimate(120.0, exponent, None, Contamination::Stimulating));
        text(&picture(&view, &Screen::new(COLOUR), 100, 40))
    };
    let (steep, sham) = (blinded("steep", 2.0, 0.4), blinded("sham", 0.7, 0.0));
    assert_eq!(steep, sham);
    assert!(!steep.contains("steep") && steep.contains("hidden (blinded)"), "{steep}");
}

#[test]
fn help_and_pause_and_scrolling_answer_their_keys() {
    let view = session();
    let mut screen = Screen::new(COLOUR);
    screen.apply(Key::Help, 8);
    assert!(text(&picture(&view, &screen, 80, 24)).contains("stop stimulation at once"));
    screen.apply(Key::Close, 8);
    screen.apply(Key::Pause, 8);
    screen.apply(Key::Scroll(3), 8);
    let shown = text(&picture(&view, &screen, 80, 24));
    assert!(shown.contains("PAUSED") && shown.contains("EEG 4-6 of 8"), "{shown}");
    screen.apply(Key::Scroll(-99), 8);
    screen.apply(Key::Runtime(Action::Quit), 8);
    assert_eq!(screen.first_channel, 0);
}

#[test]
fn a_paused_screen_freezes_curves_but_no_state() {
    let mut frozen = session();
    let mut now = session();
    now.push_fault("heartbeat");
    now.push_estimate(&estimate(130.0, 3.0, None, Contamination::Clean));
    now.take_curves(&mut frozen);
    assert_eq!(now.exponents.points.len(), 200);
    assert_eq!(now.faults.len(), 1);
}

#[test]
fn names_from_other_machines_cannot_command_the_terminal() {
    let mut view = session();
    view.set_stream("evil\u{1b}[2J\u{7}\u{9b}31m", 250.0, &["\u{1b}]0;x\u{7}".to_owned()]);
    view.push_event("a\u{1b}[31mb\r\n");
    view.push_fault("\u{1b}c");
    let shown = text(&picture(&view, &Screen::new(COLOUR), 120, 40));
    assert!(!shown.chars().any(|c| c.is_control() && c != '\n'));
}

/// Numbers as they come, and as they should never come.
fn wild() -> impl Strategy<Value = f64> {
    prop_oneof![
        any::<f64>(),
        Just(f64::NAN),
        Just(f64::INFINITY),
        Just(f64::NEG_INFINITY),
        Just(0.0),
        -5.0..500.0
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn wild_numbers_and_sizes_never_panic(
        n in proptest::collection::vec(wild(), 40),
        width in 0..260_u16,
        height in 0..90_u16,
        channels in 0..70_usize,
        first_channel in 0..100_usize,
        ascii: bool,
    ) {
        let mut view = session();
        let labels: Vec<String> = (0..channels).map(|channel| format!("channel {channel}")).collect();
        view.set_stream("wild", n[0], &labels);
        for pair in n.chunks_exact(2) {
            view.push_frame(pair[0], &vec![pair[1] as f32; channels]);
            view.push_current(pair[0], pair[1] as f32);
            view.push_estimate(&estimate(pair[0], pair[1], None, Contamination::Clean));
            view.push_estimate(&estimate(pair[0], pair[1], Some(Reason::PoorFit), Contamination::Settling));
        }
        view.set_spectrum(&n[..20], &n[20..]);
        view.spectrum.range_hz = [n[1], n[2]];
        (view.spectrum.offset, view.spectrum.exponent, view.spectrum.knee) = (n[3], n[4], Some(n[5]));
        for peak in &mut view.spectrum.peaks {
            (peak.centre_hz, peak.power_log10) = (n[6], n[7]);
        }
        view.exponents.target = Some(n[8]);
        (view.elapsed_s, view.stream.age_s, view.exponents.age_s, view.stream.ring_fill) = (n[9], n[10], n[11], n[12]);
        let s = &mut view.stimulation;
        (s.peak_ma, s.rms_ma, s.dc_ua, s.exponent, s.active_s) = (n[13], n[14], n[15], n[16], n[17]);
        (s.queue_ms, s.queue_capacity_ms, s.next_in_s, s.impedance_kohm) = (n[18], n[19], Some(n[20]), Some(n[21]));
        (s.block, s.underruns, view.stream.lost) = (u32::MAX, u64::MAX, u64::MAX);
        let mut screen = Screen::new(Theme { colour: true, ascii });
        screen.first_channel = first_channel;
        screen.silent_s = n[22];
        let _ = picture(&view, &screen, width, height);
    }
}
