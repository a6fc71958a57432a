//! What a script reads while a run goes on: one JSON object a line for each estimate, event and second, the summary last.
//!
//! Every object has `kind`, `unix_s` (wall clock) and `run_s` (since the run began). The lines go to standard output, to
//! a file, or to both, by a thread of their own: a pipe that nobody reads costs lines, which are counted, and nothing
//! else.

use std::{
    fs::File,
    io::{self, Write},
    time::Duration,
};

use crossbeam_channel::{Receiver, Sender, bounded};
use serde_json::{Map, Value, json};

use crate::{clock, dashboard::View, estimator::Estimate, runtime::summary::Summary};

/// Lines under way at most.
const LINES: usize = 4_096;
/// At the end the reader has so long to take what is left.
const PATIENCE: Duration = Duration::from_secs(1);

/// The lines of one run.
pub struct JsonLines {
    lines: Sender<String>,
    written: Receiver<()>,
    began_s: f64,
    dropped: u64,
    next_s: f64,
}

impl JsonLines {
    /// Starts the thread that writes to standard output, where `to_stdout`, and to `log`.
    ///
    /// # Errors
    /// No thread can be started.
    pub fn start(to_stdout: bool, mut log: Option<File>) -> io::Result<Self> {
        let (lines, to_write) = bounded::<String>(LINES);
        let (done, written) = bounded(1);
        std::thread::Builder::new().name("tras-json".to_owned()).spawn(move || {
            let mut stdout = to_stdout.then(io::stdout);
            for mut line in to_write {
                line.push('\n');
                // A reader that has gone, or a disk that is full, is no fault of the run.
                if stdout.as_mut().is_some_and(|out| out.write_all(line.as_bytes()).is_err()) {
                    stdout = None;
                }
                if log.as_mut().is_some_and(|log| log.write_all(line.as_bytes()).is_err()) {
                    log = None;
                }
            }
            let _ = done.send(());
        })?;
        Ok(Self { lines, written, began_s: clock::now_s(), dropped: 0, next_s: 0.0 })
    }

    /// When the run began, on this machine's LSL clock.
    pub(super) fn begin(&mut self, began_s: f64) {
        self.began_s = began_s;
    }

    /// One target's estimate.
    pub(super) fn estimate(&mut self, at_s: f64, target: &str, estimate: &Estimate) {
        let fit = &estimate.fit;
        let number = |x: f64| x.is_finite().then_some(x);
        let body = json!({
            "id": estimate.id, "target": target,
            "exponent": number(fit.exponent), "se": number(fit.exponent_se), "offset": number(fit.offset),
            "r2": number(fit.r_squared), "valid": fit.invalid.is_none(),
            "reason": fit.invalid.map(|reason| reason.as_str()), "contamination": estimate.contamination.as_str(),
            "first_sample": estimate.first_sample, "last_sample": estimate.last_sample,
            "stamp_run_s": number(estimate.stamp_s - self.began_s),
        });
        self.send("estimate", at_s, body);
    }

    /// An event, as the event stream has it.
    pub(super) fn event(&mut self, at_s: f64, json: &str) {
        let body = serde_json::from_str(json).unwrap_or_else(|_| json!({ "text": json }));
        self.send("event", at_s, body);
    }

    /// Once a second: how it stands.
    pub(super) fn second(&mut self, now_s: f64, view: impl FnOnce() -> View) {
        if now_s - self.began_s < self.next_s {
            return;
        }
        self.next_s = (now_s - self.began_s).floor() + 1.0;
        let view = view();
        let number = |x: f64| x.is_finite().then_some(x);
        let mut body = json!({
            "stream": view.stream.state.label(), "samples_received": view.stream.received,
            "samples_lost": view.stream.lost, "gaps": view.stream.gaps, "age_s": number(view.stream.age_s),
            "faults": view.faults.len(),
        });
        if let (Some(body), false, true) = (body.as_object_mut(), view.blinded, view.stimulation.enabled) {
            let s = &view.stimulation;
            body.insert("phase".to_owned(), s.phase.as_str().into());
            body.insert("block".to_owned(), s.block.into());
            body.insert("current_rms_ma".to_owned(), json!(number(s.rms_ma)));
            body.insert("stimulation_exponent".to_owned(), json!(number(s.exponent)));
            body.insert("active_s".to_owned(), json!(number(s.active_s)));
        }
        self.send("second", now_s, body);
    }

    /// Lines that found no room so far.
    pub(super) fn dropped(&self) -> u64 {
        self.dropped
    }

    /// The summary, after which nothing follows.
    pub(super) fn finish(mut self, summary: &Summary) {
        let body = serde_json::to_value(summary).unwrap_or_default();
        self.send("summary", clock::now_s(), body);
        let Self { lines, written, .. } = self;
        drop(lines);
        let _ = written.recv_timeout(PATIENCE);
    }

    fn send(&mut self, kind: &str, at_s: f64, body: Value) {
        let line = line(kind, clock::unix_s() - (clock::now_s() - at_s), at_s - self.began_s, body);
        self.dropped += u64::from(self.lines.try_send(line).is_err());
    }
}

/// One line: what it is and when, first.
fn line(kind: &str, unix_s: f64, run_s: f64, body: Value) -> String {
    let micro = |s: f64| (s * 1e6).round() / 1e6;
    let mut object = Map::new();
    object.insert("kind".to_owned(), kind.into());
    object.insert("unix_s".to_owned(), json!(micro(unix_s)));
    object.insert("run_s".to_owned(), json!(micro(run_s)));
    if let Value::Object(body) = body {
        object.extend(body);
    }
    Value::Object(object).to_string()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn every_line_is_one_object_with_its_kind_and_both_times() {
        let text = line("event", 1_700_000_000.25, 12.5, json!({"event": "stream", "state": "LOST\nLIVE"}));
        assert_eq!(text.lines().count(), 1, "{text}");
        let value: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(
            (&value["kind"], &value["unix_s"], &value["run_s"]),
            (&json!("event"), &json!(1_700_000_000.25), &json!(12.5))
        );
        assert_eq!(value["state"], "LOST\nLIVE");
    }

    #[test]
    fn the_file_has_them_all_and_the_summary_last() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let mut lines = JsonLines::start(false, Some(File::create(&path).unwrap())).unwrap();
        for _ in 0..100 {
            lines.event(clock::now_s(), "{\"event\": \"x\"}");
        }
        lines.second(clock::now_s(), View::default);
        lines.second(clock::now_s(), View::default);
        assert_eq!(lines.dropped(), 0);
        lines.finish(&Summary::default());
        let text = std::fs::read_to_string(&path).unwrap();
        let kinds: Vec<Value> =
            text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["kind"].clone()).collect();
        assert_eq!(kinds.iter().filter(|kind| **kind == "event").count(), 100);
        assert_eq!(kinds.iter().filter(|kind| **kind == "second").count(), 1);
        assert_eq!(kinds.last().unwrap(), "summary");
    }
}
