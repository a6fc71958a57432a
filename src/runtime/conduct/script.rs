//! A scripted operator, participant and task program for virtual sessions: what people would do in the laboratory, under
//! the virtual clock. Where the protocol has a task of its own, its trials are sat through ([`super::sitting`]); where not,
//! another program's task is played, which sends what `tests/peers/task_sender.py` sends.

use rand::{RngExt, SeedableRng, rngs::StdRng};

use super::{
    Conductor, Deed, Source,
    sitting::{Act, Sitting},
    task::TaskOrder,
};
use crate::session::{protocol::Kind, sequencer::Need};

/// From one trial to the next, in s.
const TRIAL_S: f64 = 5.0;
/// Trials are shown from the task's begin on for so long, in s.
const TASK_S: f64 = 270.0;
/// Chance that a response does not come.
const MISSING: f64 = 0.03;

/// See the module.
pub struct Script {
    rng: StdRng,
    source: Source,
    /// The session's own task.
    sitting: Option<Sitting>,
    /// What the task does, in order.
    due: Vec<(f64, Act)>,
    next: usize,
    sent: u64,
    measured: bool,
    /// No question stands, and that was told.
    answered: bool,
    /// A block cannot begin: nobody would wait for ever.
    refused: bool,
    failed: Option<String>,
    block: u32,
}

impl Script {
    /// The same seed does the same.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let source = Source { source_id: "tras-task".to_owned(), host: "virtual".to_owned() };
        Self {
            rng: StdRng::seed_from_u64(seed),
            source,
            sitting: None,
            due: Vec::new(),
            next: 0,
            sent: 0,
            measured: false,
            answered: true,
            refused: false,
            failed: None,
            block: 0,
        }
    }

    /// With the session's own task.
    ///
    /// # Errors
    /// Its files are in the way, or its settings do not fit.
    pub fn with_task(mut self, order: Option<&TaskOrder>) -> Result<Self, String> {
        self.sitting = order.map(Sitting::begin).transpose()?;
        Ok(self)
    }

    /// Sees what the session did.
    pub fn see(&mut self, deed: &Deed, now_s: f64) {
        self.refused |= matches!(deed, Deed::Log("refused", _));
        let Deed::Marker(text) = deed else { return };
        let parts: Vec<&str> = text.split('/').collect();
        match parts.as_slice() {
            ["block", n, "start"] => {
                self.block = n.parse().unwrap_or(0);
                self.plan(now_s);
            }
            // A task that is told of a broken or ended block stops.
            ["block", n, "broken" | "end"] => {
                self.due.truncate(self.next);
                let closed = self.sitting.as_mut().map(|sitting| sitting.close(n.parse().unwrap_or(0)));
                self.failed = self.failed.take().or(closed.and_then(Result::err));
            }
            _ => {}
        }
    }

    /// What could not be kept.
    pub fn failed(&mut self) -> Option<String> {
        self.failed.take()
    }

    fn plan(&mut self, now_s: f64) {
        (self.due, self.next) = (Vec::new(), 0);
        let block = self.block;
        if let Some(sitting) = &mut self.sitting {
            self.due = sitting.block(block, now_s, &mut self.rng);
            return;
        }
        self.put(now_s + 0.1, &format!(r#""event":"block_start","block":{block}"#));
        for trial in 1..=(TASK_S / TRIAL_S) as u32 {
            let at_s = now_s + 1.0 + f64::from(trial - 1) * TRIAL_S;
            let load = self.rng.random_range(3..=6);
            let of = format!(r#""block":{block},"trial":{trial},"load":{load}"#);
            self.put(at_s, &format!(r#""event":"trial_start",{of}"#));
            self.put(at_s + 0.5, &format!(r#""event":"delay_on",{of}"#));
            self.put(at_s + 1.4, &format!(r#""event":"probe_on",{of}"#));
            if self.rng.random_range(0.0..1.0) >= MISSING {
                let (deg, after_s) = (self.rng.random_range(-60..=60), self.rng.random_range(0.8..2.8));
                self.put(at_s + 1.4 + after_s, &format!(r#""event":"response",{of},"deg":{deg}"#));
            }
        }
        self.put(now_s + TASK_S + 2.0, &format!(r#""event":"block_end","block":{block}"#));
    }

    fn put(&mut self, at_s: f64, fields: &str) {
        self.sent += 1;
        self.due.push((at_s, Act::Marker(format!(r#"{{"n":{},{fields}}}"#, self.sent))));
    }

    /// Does what is due. Gives the markers that the task has sent.
    pub fn act(&mut self, conductor: &mut Conductor, now_s: f64) -> Vec<(f64, String)> {
        let mut sent = Vec::new();
        while let Some((at_s, act)) = self.due.get(self.next).filter(|(at_s, _)| *at_s <= now_s) {
            match (act, &mut self.sitting) {
                (Act::Marker(text), Some(_)) => {
                    conductor.task_marker(text);
                    sent.push((*at_s, text.clone()));
                }
                (Act::Marker(text), None) => {
                    conductor.marker(&self.source, text);
                    sent.push((*at_s, text.clone()));
                }
                (Act::Row(trial, outcome), Some(sitting)) => {
                    self.failed = self.failed.take().or(sitting.keep(*trial, outcome).err());
                }
                (Act::Row(..), None) => {}
            }
            self.next += 1;
        }
        if std::mem::take(&mut self.refused) {
            conductor.typed("quit", now_s);
        }
        if let Some(question) = conductor.question() {
            let answer = self.answer(&question);
            conductor.typed(&answer, now_s);
            self.answered = false;
            return sent;
        }
        let Some(missing) = conductor.at().map(|heard| heard.missing) else { return sent };
        match missing {
            Some(Need::Keys) => {
                conductor.typed("arm", now_s);
                conductor.typed("go", now_s);
            }
            Some(Need::Next) => conductor.typed("next", now_s),
            _ if conductor.kind() == Some(Kind::Questionnaire) && !self.answered => {
                self.answered = true;
                conductor.typed("next", now_s);
            }
            _ if conductor.kind() == Some(Kind::Impedance) && !self.measured => {
                self.measured = true;
                conductor.typed("kohm 4.8 5.5", now_s);
                conductor.typed("next", now_s);
            }
            _ => {}
        }
        sent
    }

    fn answer(&mut self, question: &str) -> String {
        if question.starts_with("which condition") {
            return match self.rng.random_range(0..4) {
                0 => "d".to_owned(),
                n => format!("{n} {}", self.rng.random_range(1..=10)),
            };
        }
        match self.rng.random_range(0..4) {
            0 => self.rng.random_range(1..=5).to_string(),
            _ => "n".to_owned(),
        }
    }
}
