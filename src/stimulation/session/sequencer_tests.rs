use super::super::protocol::{Given, Needs};
use super::super::tests::protocol;
use super::*;
use proptest::prelude::*;

/// Everything holds.
fn well(now_s: f64) -> World {
    World {
        now_s,
        data: Data::Fresh,
        recording: Recording::Healthy,
        device: Device::AtRest,
        impedance: true,
        dose_left: true,
        condition_of: None,
    }
}

/// A session under a clock of 0.5 s, with a device that plays as it is told.
struct Run {
    sequencer: Sequencer,
    now_s: f64,
    playing_until_s: f64,
    playing: bool,
    said: Vec<(f64, Said)>,
}

impl Run {
    fn new(protocol: Protocol) -> Self {
        let sequencer = Sequencer::new(protocol);
        Self { sequencer, now_s: 100.0, playing_until_s: 0.0, playing: false, said: Vec::new() }
    }

    fn world(&self) -> World {
        let busy = self.playing || self.now_s < self.playing_until_s;
        World {
            device: if busy { Device::Playing } else { Device::AtRest },
            condition_of: self.sequencer.block_at_hand(),
            ..well(self.now_s)
        }
    }

    fn tell(&mut self, world: World, input: Input) -> Said {
        let said = self.sequencer.step(&world, input);
        match said.want {
            Some(Want::Start) => self.playing = true,
            Some(Want::Finish) => (self.playing, self.playing_until_s) = (false, self.now_s + 10.0),
            Some(Want::Stop) => (self.playing, self.playing_until_s) = (false, self.now_s + 1.0),
            None => {}
        }
        if said != Said::default() {
            self.said.push((self.now_s, said));
        }
        said
    }

    fn key(&mut self, key: Key) -> Said {
        self.tell(self.world(), Input::Key(key))
    }

    fn until(&mut self, end_s: f64) {
        while self.now_s < end_s {
            self.now_s += 0.5;
            self.tell(self.world(), Input::Tick);
        }
    }

    /// Impedances and both keys at 112 s: the first block begins.
    fn begun(protocol: Protocol) -> Self {
        let mut run = Self::new(protocol);
        run.until(112.0);
        run.key(Key::Next);
        run.key(Key::Arm);
        run.key(Key::Go);
        run.until(112.5);
        run
    }

    fn wants(&self) -> Vec<(f64, Want)> {
        self.said.iter().filter_map(|(at_s, said)| said.want.map(|want| (*at_s, want))).collect()
    }

    fn words(&self) -> Vec<Word> {
        self.said.iter().filter_map(|(_, said)| said.word).collect()
    }
}

#[test]
fn each_block_has_its_current_from_before_its_task_to_its_end() {
    let mut run = Run::begun(protocol(2));
    run.until(2_000.0);
    let starts: Vec<f64> = run.wants().iter().filter(|w| w.1 == Want::Start).map(|w| w.0).collect();
    let ends: Vec<f64> = run.wants().iter().filter(|w| w.1 == Want::Finish).map(|w| w.0).collect();
    assert_eq!((starts.len(), ends.len(), run.wants().len()), (2, 2, 4), "{:?}", run.wants());
    assert!((ends[0] - starts[0] - 289.0).abs() <= 0.5 && starts[1] - ends[0] >= 70.0);
    let tasks: Vec<_> = run.said.iter().filter_map(|(at_s, s)| s.task_begins.map(|n| (n, *at_s))).collect();
    assert_eq!(tasks, [(1, starts[0] + 12.0), (2, starts[1] + 12.0)]);
    assert_eq!(run.sequencer.state(), State::Stopped);
}

#[test]
fn without_both_keys_nothing_begins() {
    let mut run = Run::new(protocol(1));
    run.until(120.0);
    run.key(Key::Next);
    run.key(Key::Go);
    run.until(130.0);
    run.key(Key::Arm);
    run.until(150.0);
    run.key(Key::Go);
    run.until(600.0);
    assert_eq!(run.wants(), []);
    assert_eq!(run.sequencer.missing(&run.world()), Some(Need::Keys));
}

#[test]
fn space_holds_the_session_until_a_confirmed_continue() {
    let mut run = Run::begun(protocol(2));
    run.until(200.0);
    run.key(Key::Stop);
    assert_eq!(run.words().last(), Some(&Word::Broken(1, Break::Operator)));
    run.until(900.0);
    assert!(matches!(run.sequencer.state(), State::Held(_)));
    // Neither one key nor an old one is enough.
    run.key(Key::Go);
    run.key(Key::Continue);
    run.until(920.0);
    run.key(Key::Go);
    assert!(matches!(run.sequencer.state(), State::Held(_)));
    run.key(Key::Continue);
    run.key(Key::Go);
    run.until(1_100.0);
    let starts: Vec<_> = run.wants().into_iter().filter(|w| w.1 == Want::Start).collect();
    assert_eq!(starts.len(), 2, "block 2 follows, block 1 is not repeated");
}

#[test]
fn what_spoils_a_block_ends_its_current_and_says_why() {
    type Spoil = (Break, fn(&mut World));
    let spoils: [Spoil; 4] = [
        (Break::StreamLost, |w| w.data = Data::Lost),
        (Break::Stale(0.7), |w| w.data = Data::Stale(0.7)),
        (Break::Device, |w| w.device = Device::Fault),
        (Break::Recording, |w| w.recording = Recording::Bad(w.now_s - 5.1)),
    ];
    for (why, spoil) in spoils {
        let mut run = Run::begun(protocol(2));
        run.until(150.0);
        let mut world = run.world();
        spoil(&mut world);
        let said = run.tell(world, Input::Tick);
        assert_eq!((said.want, said.word), (Some(Want::Stop), Some(Word::Broken(1, why))));
        // The block's time goes on without a current, and the next one begins.
        run.until(420.0);
        assert_eq!(run.wants().len(), 2, "{why:?}");
        run.until(520.0);
        assert_eq!(run.wants().last().map(|w| w.1), Some(Want::Start));
    }
    let mut run = Run::begun(protocol(1));
    run.until(150.0);
    run.now_s += 40.0;
    let said = run.tell(run.world(), Input::Tick);
    assert_eq!((said.want, said.word), (Some(Want::Stop), Some(Word::Broken(1, Break::Clock(40.0)))));
}

#[test]
fn a_recording_that_fails_within_the_patience_breaks_nothing() {
    let mut run = Run::begun(protocol(1));
    run.until(150.0);
    let world = World { recording: Recording::Bad(146.0), ..run.world() };
    assert_eq!(run.tell(world, Input::Tick).want, None);
}

#[test]
fn markers_begin_and_end_a_phase_once_and_others_are_told() {
    let mut by_marker = protocol(1);
    by_marker.phases[1].begin = Begin::Marker(0);
    by_marker.phases[1].finish = Finish::Marker(1);
    let mut run = Run::begun(by_marker);
    run.until(130.0);
    assert_eq!(run.wants(), []);
    assert_eq!(run.tell(run.world(), Input::Marker(1)).word, Some(Word::Unexpected(1)));
    assert_eq!(run.tell(run.world(), Input::Marker(0)).want, Some(Want::Start));
    assert_eq!(run.tell(run.world(), Input::Marker(0)).word, Some(Word::Unexpected(0)), "twice");
    run.until(200.0);
    assert_eq!(run.tell(run.world(), Input::Marker(1)).want, Some(Want::Finish));
    assert_eq!(run.tell(run.world(), Input::Marker(1)).word, Some(Word::Unexpected(1)));
    run.until(211.0);
    assert!(matches!(run.sequencer.state(), State::Within(2)));
}

#[test]
fn a_marker_that_never_comes_ends_as_the_protocol_says() {
    for (late, begun, over) in
        [(Overrun::GoOn, true, false), (Overrun::Break, false, false), (Overrun::End, false, true)]
    {
        let mut by_marker = protocol(1);
        by_marker.phases[1].begin = Begin::Marker(0);
        by_marker.phases[1].wait_s = 60.0;
        by_marker.phases[1].late_begin = late;
        let mut run = Run::begun(by_marker);
        run.until(176.0);
        assert_eq!(run.wants().len(), usize::from(begun), "{late:?}");
        assert_eq!(run.sequencer.state() == State::Stopped, over, "{late:?}");
    }
}

#[test]
fn a_resumed_session_measures_again_and_needs_both_keys() {
    assert!(Sequencer::resumed(protocol(3), 4).is_none());
    let mut run = Run::new(protocol(3));
    run.sequencer = Sequencer::resumed(protocol(3), 2).unwrap_or_else(|| unreachable!());
    assert_eq!(run.sequencer.block_at_hand(), Some(2));
    run.until(120.0);
    run.key(Key::Next);
    run.until(200.0);
    assert_eq!((run.wants(), run.sequencer.state()), (vec![], State::Before(3)));
    run.key(Key::Arm);
    assert_eq!(run.key(Key::Go).want, Some(Want::Start));
}

#[test]
fn a_clock_that_goes_back_begins_nothing_anew() {
    let mut run = Run::begun(protocol(1));
    run.until(150.0);
    let back = World { now_s: 50.0, ..run.world() };
    let said = run.tell(back, Input::Tick);
    assert_eq!(said.word, Some(Word::Broken(1, Break::Clock(-100.0))));
    assert_eq!(run.tell(World { now_s: 50.5, ..run.world() }, Input::Tick).want, None);
}

fn inputs() -> impl Strategy<Value = Input> {
    prop_oneof![
        6 => Just(Input::Tick),
        1 => (0..2usize).prop_map(Input::Marker),
        3 => prop_oneof![
            3 => Just(Key::Arm), 3 => Just(Key::Go), 1 => Just(Key::Stop), 2 => Just(Key::Continue), 2 => Just(Key::Next),
        ].prop_map(Input::Key),
    ]
}

/// Seconds, then what is wrong: everything holds most of the time.
fn moments() -> impl Strategy<Value = (f64, u8, Input)> {
    (prop_oneof![8 => 0.05..2.0f64, 1 => -5.0..400.0f64], 0..40u8, inputs())
}

fn world(now_s: f64, wrong: u8, playing: bool, condition_of: Option<u32>) -> World {
    let mut world = well(now_s);
    world.condition_of = condition_of;
    if playing {
        world.device = Device::Playing;
    }
    match wrong {
        0 => world.data = Data::Lost,
        1 => world.data = Data::Stale(1.0),
        2 => world.recording = Recording::Bad(now_s - 3.0),
        3 => world.device = Device::Fault,
        4 => world.impedance = false,
        5 => world.dose_left = false,
        6 => world.condition_of = Some(7),
        _ => {}
    }
    world
}

/// A short protocol with every kind of begin and end.
fn mixed() -> Protocol {
    let mut mixed = protocol(4);
    for phase in &mut mixed.phases {
        if phase.block.is_some() {
            (phase.duration_s, phase.lead_s, phase.needs) =
                (40.0, 5.0, Needs { stream_s: 2.0, ..phase.needs });
        } else if phase.duration_s == 60.0 {
            phase.duration_s = 10.0;
        }
    }
    mixed.phases[1].begin = Begin::Marker(0);
    mixed.phases[3].finish = Finish::Marker(1);
    mixed.phases[5].given = Given::Nothing;
    mixed.phases[5].begin = Begin::Key;
    mixed.phases[7].given = Given::Condition(1);
    mixed
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Never a current that the protocol does not name there, never two, never after the end, never without both keys.
    #[test]
    fn a_current_begins_only_where_the_protocol_names_one(
        all in prop::collection::vec(moments(), 1..400),
        quit_after in 0..500usize,
    ) {
        let mut sequencer = Sequencer::new(mixed());
        let (mut now_s, mut flows, mut ended_s) = (1_000.0, false, f64::NEG_INFINITY);
        let (mut latest_s, mut first_key, mut both) = (f64::NEG_INFINITY, false, false);
        for (n, (more_s, wrong, input)) in all.into_iter().enumerate() {
            now_s += more_s;
            latest_s = now_s.max(latest_s);
            let playing = flows || latest_s - ended_s < 1.0;
            let world = world(now_s, wrong, playing, sequencer.block_at_hand());
            let over = sequencer.state() == State::Stopped;
            let input = if n == quit_after { Input::Key(Key::Quit) } else { input };
            match input {
                Input::Key(Key::Arm | Key::Continue) => first_key = true,
                Input::Key(Key::Go) => both |= first_key,
                Input::Key(Key::Stop) => (first_key, both) = (false, false),
                _ => {}
            }
            let said = sequencer.step(&world, input);
            match said.want {
                Some(Want::Start) => {
                    prop_assert!(!over && !flows && both);
                    prop_assert!(latest_s - ended_s >= 30.0);
                    let State::Within(place) = sequencer.state() else {
                        return Err(TestCaseError::fail("a current outside of any phase"));
                    };
                    let plan = &sequencer.protocol().phases[place];
                    prop_assert!(plan.has_current() && said.entered == Some(place));
                    prop_assert!(world.device == Device::AtRest && world.condition_of == plan.block);
                    prop_assert!(world.impedance && world.dose_left && world.data == Data::Fresh);
                    flows = true;
                }
                Some(Want::Finish | Want::Stop) => {
                    prop_assert!(flows, "what does not flow cannot be ended");
                    (flows, ended_s) = (false, latest_s);
                }
                None => {}
            }
            if n == quit_after {
                prop_assert_eq!(sequencer.state(), State::Stopped);
            }
            if sequencer.state() == State::Stopped {
                prop_assert!(!flows, "a current after the end");
            }
        }
    }

    /// From wherever a session is, its end is one step, and it stays there.
    #[test]
    fn stopped_is_one_step_from_anywhere(all in prop::collection::vec(moments(), 0..200), by_key: bool) {
        let mut sequencer = Sequencer::new(mixed());
        let (mut now_s, mut flows) = (0.0, false);
        for (more_s, wrong, input) in all {
            now_s += more_s;
            let at_hand = sequencer.block_at_hand();
            if let Some(want) = sequencer.step(&world(now_s, wrong, flows, at_hand), input).want {
                flows = want == Want::Start;
            }
        }
        let last = world(now_s, 9, flows, None);
        let said = if by_key { sequencer.step(&last, Input::Key(Key::Quit)) } else { sequencer.end() };
        prop_assert_eq!(sequencer.state(), State::Stopped);
        prop_assert_eq!(said.want == Some(Want::Stop), flows);
        for key in [Key::Arm, Key::Go, Key::Continue, Key::Next] {
            prop_assert_eq!(sequencer.step(&well(now_s + 50.0), Input::Key(key)), Said::default());
        }
    }
}
