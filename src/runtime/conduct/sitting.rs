//! A simulated participant at the session's own task, under the virtual clock: the trials of the real task from the real
//! seed, answered by an observer of the target confusability model, kept in the real table.

use std::collections::BTreeMap;

use rand::{RngExt, rngs::StdRng};
use serde_json::{Value, json};
use tras_scoring::{kernel::Kernel, simulate::Observer, stream::Streams};

use super::task::TaskOrder;
use crate::task::{
    TaskSettings,
    conduct::trials,
    progress::Listed,
    record::{Outcome, Record},
};

/// Chance that a response does not come.
const MISSING: f64 = 0.03;
/// The screen's interval of frames, ms.
const FRAME_MS: f64 = 1_000.0 / 60.0;
/// d' at a load of one; it falls with the square root of the load.
const D_PRIME: f64 = 4.0;

/// Something that the task does at a time.
#[derive(Clone, Debug)]
pub(super) enum Act {
    /// A marker.
    Marker(String),
    /// A trial has its row.
    Row(usize, Outcome),
}

/// See the module.
pub(super) struct Sitting {
    settings: TaskSettings,
    list: Vec<Listed>,
    record: Record,
    observers: BTreeMap<usize, Observer>,
    streams: Streams,
    sent: u64,
    /// Trials before this one have their rows.
    kept: usize,
}

impl Sitting {
    /// Sits down: the plan is on disk.
    ///
    /// # Errors
    /// A file is in the way, or the settings do not fit.
    pub(super) fn begin(order: &TaskOrder) -> Result<Self, String> {
        let list = trials(&order.settings, order.seed)?;
        let resume = order.resume.is_some() && order.folder.join(crate::task::record::TRIALS).exists();
        let (record, kept) =
            Record::open(&order.folder, order.labels.clone(), &list, resume, order.settings.photodiode_ms)?;
        let kernel = Kernel::named("naka35").ok_or("there is no kernel naka35")?;
        let loads: Vec<usize> = order.settings.loads.clone();
        let observers = loads
            .into_iter()
            .map(|load| (load, Observer::new(&kernel, D_PRIME / (load.max(1) as f64).sqrt())))
            .collect();
        let streams = Streams::new(order.seed, &["sitting"]);
        let mut sitting =
            Self { settings: order.settings.clone(), list, record, observers, streams, sent: 0, kept };
        if let Some(block) = order.resume {
            sitting.close(block.saturating_sub(1) as usize)?;
        }
        Ok(sitting)
    }

    /// What happens in a block that begins now, in the order of time; practice comes before the first.
    pub(super) fn block(&mut self, block: u32, now_s: f64, rng: &mut StdRng) -> Vec<(f64, Act)> {
        let mut acts = Vec::new();
        let mut at_s = now_s + 1.0;
        let own = |listed: &Listed| listed.planned.block == block as usize || listed.practice;
        let todo: Vec<(usize, Listed)> =
            self.list.iter().cloned().enumerate().skip(self.kept).filter(|(_, l)| own(l)).collect();
        for (number, listed) in todo {
            if listed.planned.trial == 1 && !listed.practice {
                self.marker(&mut acts, at_s, "block_start", json!({ "block": block }));
            }
            at_s = self.trial(&mut acts, number, &listed, at_s, rng);
        }
        let last = acts.last().map_or(at_s, |(at_s, _)| *at_s);
        self.marker(&mut acts, last + 0.1, "block_end", json!({ "block": block }));
        acts
    }

    /// One trial. Gives when the next one begins.
    fn trial(
        &mut self,
        acts: &mut Vec<(f64, Act)>,
        number: usize,
        listed: &Listed,
        start_s: f64,
        rng: &mut StdRng,
    ) -> f64 {
        let s = self.settings.clone();
        let p = &listed.planned;
        let load = p.places.len();
        let mut about = json!({ "block": p.block, "trial": p.trial, "load": load });
        if let (true, Some(all)) = (listed.practice, about.as_object_mut()) {
            all.insert("practice".into(), json!(true));
        }
        let frames = |ms: f64| (ms / FRAME_MS).round() * FRAME_MS * 1e-3;
        let sample_s = start_s + frames(s.fixation_ms);
        let delay_s = sample_s + frames(s.sample_ms);
        let probe_s = delay_s + frames(s.delay_ms);
        for (event, at_s) in
            [("trial_start", start_s), ("sample_on", sample_s), ("delay_on", delay_s), ("probe_on", probe_s)]
        {
            self.marker(acts, at_s, event, about.clone());
        }
        let limit_s = if s.response_ms > 0.0 { s.response_ms * 1e-3 } else { f64::INFINITY };
        let rt_s: f64 = rng.random_range(0.6..2.4);
        let answers = rng.random_range(0.0..1.0) >= MISSING && rt_s < limit_s;
        let mut stream = self.streams.replicate(number as u64);
        let error_deg = self.observers.get(&load).map_or(0.0, |observer| observer.error_deg(&mut stream));
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 359")]
        let deg = answers.then(|| (p.target_deg() as f64 + error_deg).rem_euclid(360.0) as u16);
        let waited_s = if answers { rt_s } else { limit_s.min(rt_s.max(4.0)) };
        let end_s = probe_s + waited_s;
        let rt_s = answers.then_some(rt_s);
        if let Some(all) = about.as_object_mut() {
            all.insert("deg".into(), json!(deg));
            all.insert("rt".into(), json!(rt_s));
        }
        self.marker(acts, end_s, "response", about);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "some hundred frames")]
        let outcome = Outcome {
            status: match (listed.practice, answers) {
                (true, _) => "practice",
                (false, true) => "done",
                (false, false) => "missed",
            },
            flags: Vec::new(),
            response_deg: deg,
            rt_s,
            stamps_s: [Some(start_s), Some(sample_s), Some(delay_s), Some(probe_s), answers.then_some(end_s)],
            frame_ms: Some(FRAME_MS),
            frames: ((end_s - start_s) * 1_000.0 / FRAME_MS) as u32,
            dropped: 0,
            longest_ms: Some(FRAME_MS),
            clock: Some((0.0, 0.0)),
        };
        acts.push((end_s, Act::Row(number, outcome)));
        let feedback_ms = s.feedback_ms.max(if listed.practice { 1_000.0 } else { 0.0 });
        end_s + frames(feedback_ms + s.iti_ms)
    }

    fn marker(&mut self, acts: &mut Vec<(f64, Act)>, at_s: f64, event: &str, fields: Value) {
        self.sent += 1;
        let mut text = json!({ "event": event, "number": self.sent });
        if let (Some(all), Value::Object(more)) = (text.as_object_mut(), fields) {
            all.extend(more);
        }
        acts.push((at_s, Act::Marker(text.to_string())));
    }

    /// Writes a trial's row.
    ///
    /// # Errors
    /// The disk refuses.
    pub(super) fn keep(&mut self, number: usize, outcome: &Outcome) -> Result<(), String> {
        let Some(listed) = self.list.get(number) else { return Ok(()) };
        self.kept = number + 1;
        self.record.add(listed, outcome)
    }

    /// The block's time is over: what it has not shown is marked.
    ///
    /// # Errors
    /// The disk refuses.
    pub(super) fn close(&mut self, block: usize) -> Result<(), String> {
        let outcome = Outcome { status: "broken", flags: vec!["not_shown".to_owned()], ..Outcome::default() };
        while self.list.get(self.kept).is_some_and(|next| next.planned.block <= block) {
            self.keep(self.kept, &outcome)?;
        }
        Ok(())
    }
}
