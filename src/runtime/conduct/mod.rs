//! What conducts a session by a protocol, outside of the real-time threads: boxes are opened, keys and markers passed on,
//! words said, questionnaires asked, entries made for the audit log. The same for both runtimes.
//!
//! ```text
//! keys, markers, answers -> Conductor -told-> SessionCourse (loop) -heard-> Conductor -> words, log, own markers
//! ```

pub mod course;
pub mod keeping;
mod markers;
mod opener;
mod script;
mod sitting;
pub mod task;
mod words;

use std::sync::Arc;

use crossbeam_channel::{Receiver, Sender};
use serde_json::{Value, json};

pub use self::{
    course::{Board, Heard, SessionCourse, Told},
    markers::{Counts, Matcher, Source},
    opener::Opener,
    script::Script,
};
use crate::{
    config::ProtocolConfig,
    limits::HostLimits,
    noise::Profile,
    runtime::observation::{Note, Stamped},
    session::{
        course::Load,
        folder, private,
        protocol::{Given, Kind, Protocol},
        questionnaires::{Filled, Form, SENSATIONS, Sheet},
        reckoned,
        sequencer::{Input, Key, Need, State, Word},
        unblinding::Unblinded,
    },
};

/// What is to be done with what a session has said.
#[derive(Clone, Debug, PartialEq)]
pub enum Deed {
    /// For the audit log: kind and data.
    Log(&'static str, Value),
    /// A marker of our own, short: `block/3/start`.
    Marker(String),
    /// A line for the operator.
    Line(String),
    /// A questionnaire is filled.
    Filled(Filled),
}

/// How a session is conducted.
pub struct Conducting {
    /// The protocol.
    pub protocol: Protocol,
    /// Its configuration.
    pub config: ProtocolConfig,
    /// Opens conditions.
    pub opener: Opener,
    /// The host's limits.
    pub limits: HostLimits,
    /// Seconds of current that the participant's day has left.
    pub day_left_s: f64,
    /// Nobody here may learn a condition.
    pub blind: bool,
    /// The largest impedance and mismatch, in kOhm.
    pub electrodes_kohm: (f64, f64),
    /// The session's folder.
    pub folder: Option<std::path::PathBuf>,
    /// The steering region.
    pub steer: usize,
}

/// See the module.
pub struct Conductor {
    how: Conducting,
    told: Sender<Told>,
    heard: Receiver<Heard>,
    board: Arc<Board>,
    matcher: Matcher,
    deeds: Vec<Deed>,
    form: Option<Form>,
    forms: Vec<Form>,
    /// The block that the questionnaires are about.
    about: Option<u32>,
    /// The block that was asked about last.
    asked: Option<u32>,
    opened: Option<u32>,
    refused: Option<u32>,
    last: Option<Heard>,
    told_missing: Option<Need>,
    own_task: bool,
    /// Estimates before the first block, and their sum.
    rest: (u32, f64),
    now_s: f64,
}

impl Conductor {
    /// A conductor that has heard nothing.
    #[must_use]
    pub fn new(how: Conducting, told: Sender<Told>, heard: Receiver<Heard>, board: Arc<Board>) -> Self {
        let matcher = Matcher::new(how.config.markers.clone());
        Self {
            how,
            told,
            heard,
            board,
            matcher,
            deeds: Vec::new(),
            form: None,
            forms: Vec::new(),
            about: None,
            asked: None,
            opened: None,
            refused: None,
            last: None,
            told_missing: None,
            own_task: false,
            rest: (0, 0.0),
            now_s: 0.0,
        }
    }

    /// What others know and the sequencer asks for.
    #[must_use]
    pub fn board(&self) -> Arc<Board> {
        Arc::clone(&self.board)
    }

    /// Nobody here may learn a condition.
    #[must_use]
    pub fn blind(&self) -> bool {
        self.how.blind
    }

    /// Where the session is, as last heard.
    #[must_use]
    pub fn at(&self) -> Option<&Heard> {
        self.last.as_ref()
    }

    /// The phase that runs: its kind.
    #[must_use]
    pub fn kind(&self) -> Option<Kind> {
        let State::Within(place) = self.last?.state else { return None };
        self.how.protocol.phases.get(place).map(|plan| plan.kind)
    }

    /// The question that stands.
    #[must_use]
    pub fn question(&self) -> Option<String> {
        self.form.as_ref().map(Form::question)
    }

    /// How the session is conducted.
    #[must_use]
    pub fn protocol(&self) -> &Protocol {
        &self.how.protocol
    }

    /// What the next phase waits for, in words.
    #[must_use]
    pub fn waits(&self) -> &'static str {
        self.last.and_then(|heard| heard.missing).map_or("", words::need)
    }

    /// Markers of the task's, counted.
    #[must_use]
    pub fn counts(&self) -> &Counts {
        self.matcher.counts()
    }

    /// Takes what is to be done.
    pub fn deeds(&mut self) -> Vec<Deed> {
        std::mem::take(&mut self.deeds)
    }

    /// A key of the operator's.
    pub fn key(&mut self, key: Key, now_s: f64) {
        self.log("key", json!({"key": words::key(key), "at_s": now_s}));
        self.tell(Told::Input(Input::Key(key)));
    }

    /// A marker of another program's. Moves the session only where a rule knows it, from where the rule pins it to.
    pub fn marker(&mut self, source: &Source, text: &str) {
        match self.matcher.take(source, text) {
            Ok(Some(rule)) => self.tell(Told::Input(Input::Marker(rule))),
            Ok(None) => {}
            Err(what) => {
                self.line(&what);
                self.log("marker_refused", json!({"what": what}));
            }
        }
    }

    /// A marker of the session's own task: by a channel of this program.
    pub fn task_marker(&mut self, text: &str) {
        self.own_task = true;
        self.marker(&task::SessionTask::source(), text);
    }

    /// A marker by the network. Where the session has a task of its own, nobody else speaks for it.
    pub fn network_marker(&mut self, source: &Source, text: &str) {
        let own = task::SessionTask::source();
        if self.own_task && source.source_id == own.source_id {
            let source_id = format!("{} by the network", source.source_id);
            return self.marker(&Source { source_id, ..source.clone() }, text);
        }
        self.marker(source, text);
    }

    /// For the operator, from the task.
    pub fn say(&mut self, text: &str) {
        self.line(text);
    }

    /// The session has a task of its own.
    pub fn has_task(&mut self) {
        self.own_task = true;
    }

    /// A line that the operator has typed: a command, a note, an answer.
    pub fn typed(&mut self, text: &str, now_s: f64) {
        let (word, rest) = text.trim().split_once(' ').unwrap_or((text.trim(), ""));
        match word {
            "note" if !rest.trim().is_empty() => {
                self.log("note", json!({"text": rest.trim(), "at_s": now_s}));
                self.line("noted");
            }
            "kohm" => self.electrodes(rest),
            "arm" => self.key(Key::Arm, now_s),
            "go" => self.key(Key::Go, now_s),
            "stop" => self.key(Key::Stop, now_s),
            "continue" => self.key(Key::Continue, now_s),
            "next" => self.key(Key::Next, now_s),
            "quit" => self.key(Key::Quit, now_s),
            _ if self.form.is_some() => self.answer(text, now_s),
            "" => {}
            _ => self.line(
                "known here: kohm A B, next, arm, go, stop, continue, note TEXT, quit; an answer where a question stands",
            ),
        }
    }

    /// A note of the stages: a fault goes to the sequencer.
    pub fn note(&mut self, stamped: &Stamped) {
        if matches!(stamped.note, Note::DeviceFault(_) | Note::HostFault(..) | Note::LinkFault(_)) {
            self.board.set_fault();
        }
        if let Note::Estimate(estimate) = stamped.note
            && self.about.is_none()
            && estimate.target == self.how.steer
            && estimate.steers()
            && estimate.fit.exponent.is_finite()
        {
            self.rest = (self.rest.0 + 1, self.rest.1 + estimate.fit.exponent);
        }
    }

    /// Before the first block: a participant whose exponent lies outside those that are stimulated with is told of.
    fn compare_rest(&mut self) {
        let (count, sum) = self.rest;
        let given = self.how.protocol.conditions.iter().filter(|c| c.profile != Profile::Sham);
        let (low, high) = given.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), c| {
            (low.min(c.exponent), high.max(c.exponent))
        });
        if count == 0 || low > high {
            return;
        }
        let rest = sum / f64::from(count);
        self.log("resting_exponent", json!({"exponent": rest, "estimates": count}));
        if !(low..=high).contains(&rest) {
            let text = format!(
                "warning: the participant's exponent at rest is {rest:.2}, outside the {low} to {high} of the conditions: \
                 both move it to the same side"
            );
            self.line(&text);
            self.log("warning", json!({"text": text}));
        }
    }

    /// How the recording is: since when it is not healthy.
    pub fn recording(&self, bad_since_s: Option<f64>) {
        self.board.set_recording(bad_since_s);
    }

    /// Heeds everything that the course has said.
    pub fn turn(&mut self, now_s: f64) {
        self.now_s = now_s;
        while let Ok(heard) = self.heard.try_recv() {
            self.heed(heard);
        }
    }

    fn heed(&mut self, heard: Heard) {
        self.last = Some(heard);
        let said = heard.said;
        if let Some(place) = said.left {
            self.left(place, heard.at_s);
        }
        if let Some(place) = said.entered {
            self.entered(place, &heard);
        }
        if let Some(block) = said.task_begins {
            self.deeds.push(Deed::Marker(format!("block/{block}/start")));
            self.log("task_begins", json!({"block": block, "at_s": heard.at_s}));
        }
        if let Some(word) = said.word {
            let text = words::word(word, &self.how.protocol);
            self.line(&text);
            self.log("word", json!({"text": text, "at_s": finite(heard.at_s)}));
            if let Word::Broken(block, _) = word {
                self.deeds.push(Deed::Marker(format!("block/{block}/broken")));
                self.log("broken", json!({"block": block}));
            }
        }
        if heard.missing == Some(Need::Condition) {
            self.open(heard.at_hand);
        }
        if heard.missing != self.told_missing {
            self.told_missing = heard.missing;
            if let Some(need) = heard.missing {
                self.line(words::need(need));
            }
        }
    }

    fn entered(&mut self, place: usize, heard: &Heard) {
        let Some(plan) = self.how.protocol.phases.get(place) else { return };
        let (kind, block, plan_has_current) = (plan.kind, plan.block, plan.has_current());
        let name = block.map_or_else(
            || kind.name().to_owned(),
            |n| format!("block {n} of {}", self.how.protocol.blocks()),
        );
        let left = if heard.left_s.is_finite() { format!(", {:.0} s", heard.left_s) } else { String::new() };
        self.line(&format!("{name} begins{left}"));
        self.log(
            "phase",
            json!({"place": place + 1, "kind": kind.name(), "block": block, "at_s": heard.at_s}),
        );
        if let Some(block) = block {
            // Reckoned as the largest that any condition could have had, from what is public.
            let next = reckoned::largest_after(&self.how.protocol, block + 1);
            self.board.set_dose_left(next.within(&self.how.limits) && next.active_s <= self.how.day_left_s);
            self.board.set_reckoned_s(reckoned::largest_after(&self.how.protocol, block).active_s);
            if self.about.is_none() && plan_has_current {
                self.compare_rest();
            }
            self.about = Some(block);
        } else {
            self.deeds.push(Deed::Marker(kind.name().to_owned()));
        }
        if kind == Kind::Questionnaire && self.how.protocol.stimulates() {
            let conditions: Vec<String> =
                self.how.protocol.conditions.iter().map(|c| c.name.clone()).collect();
            // A second one after the same block is about the whole session.
            self.about = self.about.filter(|block| self.asked != Some(*block));
            self.asked = self.about.or(self.asked);
            self.forms = vec![Form::guess(&conditions), Form::sensations(&SENSATIONS)];
            self.ask();
        }
    }

    fn left(&mut self, place: usize, at_s: f64) {
        let Some(plan) = self.how.protocol.phases.get(place) else { return };
        let (kind, block) = (plan.kind, plan.block);
        if let Some(block) = block {
            self.deeds.push(Deed::Marker(format!("block/{block}/end")));
        }
        self.log(
            "phase_left",
            json!({"place": place + 1, "kind": kind.name(), "block": block, "at_s": finite(at_s)}),
        );
    }

    fn open(&mut self, block: Option<u32>) {
        let Some(block) = block.filter(|n| self.opened != Some(*n) && self.refused != Some(*n)) else {
            return;
        };
        let given = self.how.protocol.place_of(block).and_then(|place| self.how.protocol.phases.get(place));
        let place = match given.map(|plan| plan.given) {
            Some(Given::Condition(place)) => Ok((place, None)),
            Some(Given::Allocated) => {
                self.how.opener.open(block, &self.how.protocol).map(|(place, open)| (place, Some(open)))
            }
            Some(Given::Nothing) | None => return,
        };
        match place {
            Ok((place, open)) => {
                self.opened = Some(block);
                self.log("opened_box", json!({"block": block}));
                if let Some(open) = open.filter(|_| !self.how.blind) {
                    self.reveal(open);
                }
                let profile = self.how.protocol.conditions.get(place).map(|c| c.profile);
                if let Some(profile) = profile {
                    self.tell(Told::Opened(Load { block, law: place + 1, profile }));
                }
            }
            Err(what) => {
                self.refused = Some(block);
                self.line(&format!("block {block} cannot begin: {what}"));
                self.log("refused", json!({"block": block, "what": what}));
            }
        }
    }

    /// An engineer's session hides nothing, and says so for each block.
    fn reveal(&mut self, open: crate::session::allocation::OpenBlock) {
        let reason = "role engineer: the session was never blind".to_owned();
        let block = open.block;
        self.log("unblinded", json!({"block": block, "reason": reason}));
        let Some(session) = &self.how.folder else { return };
        let at = crate::session::moment::iso_8601(crate::clock::unix_s());
        let text = serde_json::to_string_pretty(&Unblinded { block: open, reason, at }).unwrap_or_default();
        let path = session.join(folder::unblinded(block));
        let written = private::create_folder(&session.join(folder::UNBLINDED))
            .and_then(|()| private::replace(&path, text.as_bytes()));
        if let Err(error) = written {
            self.line(&format!("{}: {error}", path.display()));
        }
    }

    fn electrodes(&mut self, text: &str) {
        let numbers: Vec<f64> = text.split_whitespace().filter_map(|n| n.parse().ok()).collect();
        let [one, other] = numbers.as_slice() else {
            return self.line("kohm needs two numbers, one for each electrode, as in: kohm 4.8 5.5");
        };
        let (most, apart) = self.how.electrodes_kohm;
        let passes =
            [one, other].iter().all(|kohm| **kohm > 0.5 && **kohm <= most) && (one - other).abs() <= apart;
        self.board.set_impedance(passes);
        self.log("impedance", json!({"kohm": [one, other], "passes": passes}));
        if passes {
            self.line("electrodes pass");
        } else {
            self.line(&format!(
                "electrodes do not pass: 0.5 to {most} kOhm, at most {apart} apart; mend and measure again"
            ));
        }
    }

    fn ask(&mut self) {
        self.form = self.forms.pop();
        if let Some(question) = self.question() {
            self.line(&question);
        }
    }

    fn answer(&mut self, text: &str, now_s: f64) {
        let Some(form) = &mut self.form else { return };
        match form.answer(text) {
            Ok(Some(sheet)) => {
                self.filled(sheet, now_s);
                self.ask();
            }
            Ok(None) => {
                let question = form.question();
                self.line(&question);
            }
            Err(what) => self.line(&what),
        }
    }

    fn filled(&mut self, sheet: Sheet, now_s: f64) {
        let at = crate::session::moment::iso_8601(crate::clock::unix_s());
        self.deeds.push(Deed::Filled(Filled { at, run_s: now_s, block: self.about, sheet }));
    }

    fn tell(&mut self, told: Told) {
        if self.told.try_send(told).is_err() {
            self.line("the loop does not listen: the session is over");
        }
    }

    fn log(&mut self, kind: &'static str, data: Value) {
        self.deeds.push(Deed::Log(kind, data));
    }

    fn line(&mut self, text: &str) {
        self.deeds.push(Deed::Line(text.to_owned()));
    }
}

fn finite(x: f64) -> Option<f64> {
    x.is_finite().then_some(x)
}
