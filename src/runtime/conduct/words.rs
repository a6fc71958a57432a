//! What the sequencer says, in words for the operator: what happened, and how to go on.

use crate::session::{
    protocol::Protocol,
    sequencer::{Break, Key, Need, TWO_KEYS_WITHIN_S, Word},
};

/// A key's name, as it is typed.
#[must_use]
pub(super) fn key(key: Key) -> &'static str {
    match key {
        Key::Arm => "arm",
        Key::Go => "go",
        Key::Stop => "stop",
        Key::Continue => "continue",
        Key::Next => "next",
        Key::Quit => "quit",
    }
}

/// What the next phase waits for.
#[must_use]
pub(super) fn need(need: Need) -> &'static str {
    match need {
        Need::Impedance => "waits: measure both electrodes and write them down (kohm A B)",
        Need::Stream => "waits: the EEG has not been live for long enough",
        Need::Recording => "waits: the recording is not healthy",
        Need::Dose => "waits: the dose of the session or of the day is spent; quit ends the session",
        Need::Device => "waits: the stimulator is not at rest",
        Need::Gap => "waits: the gap after the last current",
        Need::Condition => "waits: the block's condition is being opened",
        Need::Keys => "waits: both keys, arm (a) and then go (g)",
        Need::Marker => "waits: the task's marker",
        Need::Next => "waits: next (n)",
    }
}

fn cause(why: Break) -> String {
    match why {
        Break::Operator => {
            "stopped by the operator; continue (c), then go (g), goes on with the next block, q ends"
                .to_owned()
        }
        Break::StreamLost => {
            "the EEG stream was lost; the next block follows when it is live again".to_owned()
        }
        Break::Stale(age_s) => {
            format!("the newest EEG was {age_s:.2} s old; the next block follows when it is live again")
        }
        Break::Recording => {
            "the recording failed for longer than the protocol's patience; free the disk".to_owned()
        }
        Break::Device => {
            "the stimulator has a fault: end the session, find the cause, run --clear-fault".to_owned()
        }
        Break::Clock(by_s) => format!("the clock jumped by {by_s:.1} s"),
        Break::Late => "the task did not tell its end in time".to_owned(),
        Break::Ended => "the session was ended".to_owned(),
    }
}

/// What the sequencer says.
#[must_use]
pub(super) fn word(word: Word, protocol: &Protocol) -> String {
    let name = |place: usize| {
        protocol.phases.get(place).map_or_else(String::new, |plan| {
            plan.block.map_or_else(|| plan.kind.name().to_owned(), |n| format!("block {n}"))
        })
    };
    let rule = |rule: usize| protocol.markers.get(rule).cloned().unwrap_or_default();
    match word {
        Word::FirstKey => format!("first key: go (g) within {TWO_KEYS_WITHIN_S:.0} s confirms"),
        Word::Armed => "both keys: the protocol's currents may begin".to_owned(),
        Word::KeyExpired => "go (g) alone does nothing: arm (a) or continue (c) first".to_owned(),
        Word::KeyIdle(which) => format!("{} does nothing here", key(which)),
        Word::Broken(block, why) => format!("block {block} is broken: {}", cause(why)),
        Word::LeftOut(place) => format!("{} is left out: what it waits for did not come", name(place)),
        Word::Late(place) => format!("{}: goes on without the marker or key that did not come", name(place)),
        Word::Unexpected(which) => {
            format!("marker {:?} moves nothing: nothing waits for it now", rule(which))
        }
        Word::Held => "stopped already: continue (c), then go (g); q ends the session".to_owned(),
        Word::Disarmed => "no current flows, and none begins before both keys: arm (a), go (g)".to_owned(),
        Word::ClockJumped(by_s) => format!("the clock jumped by {by_s:.1} s"),
        Word::Over => "the session is over".to_owned(),
    }
}
