//! What a task leaves on disk: the plan of all trials before the first is shown, and a row of each trial as it ends.
//!
//! Rows are appended and synced one by one, so that a kill costs the trial under way and nothing else.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use super::progress::Listed;
use crate::offline::table::cell as number;

/// The plan's file.
pub const PLAN: &str = "task-plan.csv";
/// The trials' file.
pub const TRIALS: &str = "trials.csv";

/// Whose task it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Labels {
    /// The participant's code.
    pub participant: String,
    /// The session's name.
    pub session: String,
    /// The condition's name; empty while it is sealed.
    pub condition: String,
}

/// What became of a trial.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outcome {
    /// `done`, `missed` (no answer in time), `broken` (must not be used), `practice`.
    pub status: &'static str,
    /// Why it must be looked at: `slept`, `hidden`, `focus_lost`, `resized`, `slow_screen`, `reloaded`, `killed`, `not_shown`,
    /// `dropped_frames`, `times_wrong`.
    pub flags: Vec<String>,
    /// The answer, degrees.
    pub response_deg: Option<u16>,
    /// From the probe's frame to the click, s.
    pub rt_s: Option<f64>,
    /// When trial, sample, delay, probe began and the answer came: LSL clock, s.
    pub stamps_s: [Option<f64>; 5],
    /// The screen's interval of frames, ms.
    pub frame_ms: Option<f64>,
    /// Frames shown, and frames that should have been.
    pub frames: u32,
    /// Frames that were not shown.
    pub dropped: u32,
    /// The longest interval between two frames, ms.
    pub longest_ms: Option<f64>,
    /// Offset from the page's clock to LSL's as used, s, and the round trip behind it, ms.
    pub clock: Option<(f64, f64)>,
}

/// Appends rows of one task.
pub struct Record {
    file: File,
    path: PathBuf,
    labels: Labels,
    nontargets: usize,
    photodiode_ms: Option<f64>,
}

impl Record {
    /// Begins a task in `folder`, or goes on with one: how many trials have rows is the second value.
    ///
    /// # Errors
    /// Says which file stands in the way or cannot be written; with `resume`, that the plan there is another one.
    pub fn open(
        folder: &Path,
        labels: Labels,
        list: &[Listed],
        resume: bool,
        photodiode_ms: Option<f64>,
    ) -> Result<(Self, usize), String> {
        let told = |path: &Path, e: &dyn std::fmt::Display| format!("{}: {e}", path.display());
        std::fs::create_dir_all(folder).map_err(|e| told(folder, &e))?;
        let (plan, trials) = (folder.join(PLAN), folder.join(TRIALS));
        let planned = plan_text(list);
        let nontargets = list.iter().map(|l| l.planned.places.len().saturating_sub(1)).max().unwrap_or(0);
        let mut done = 0;
        if resume {
            let there = std::fs::read_to_string(&plan).map_err(|e| told(&plan, &e))?;
            if there != planned {
                return Err(told(
                    &plan,
                    &"is the plan of another task: take the same settings and seed to go on",
                ));
            }
            done = whole_rows(&trials)?;
        } else {
            for path in [&plan, &trials] {
                if path.exists() {
                    return Err(told(
                        path,
                        &"is there already: take another folder, or --resume to go on with it",
                    ));
                }
            }
            write_synced(&plan, planned.as_bytes()).map_err(|e| told(&plan, &e))?;
        }
        let fresh = !trials.exists();
        let file =
            OpenOptions::new().create(true).append(true).open(&trials).map_err(|e| told(&trials, &e))?;
        let mut record = Self { file, path: trials, labels, nontargets, photodiode_ms };
        if fresh {
            record.append(&header(nontargets))?;
        }
        Ok((record, done))
    }

    /// Appends one trial's row and waits until it is on disk.
    ///
    /// # Errors
    /// Names the file and why it cannot be written.
    pub fn add(&mut self, listed: &Listed, outcome: &Outcome) -> Result<(), String> {
        let p = &listed.planned;
        let some = |value: Option<f64>| value.map_or(String::new(), number);
        let time = |value: Option<f64>| value.map_or(String::new(), |s| format!("{s:.6}"));
        let mut cells = vec![
            self.labels.participant.clone(),
            self.labels.session.clone(),
            self.labels.condition.clone(),
            p.block.to_string(),
            p.trial.to_string(),
            p.places.len().to_string(),
            p.target_deg().to_string(),
            outcome.response_deg.map_or(String::new(), |deg| deg.to_string()),
            some(outcome.rt_s),
            outcome.status.to_owned(),
            outcome.flags.join(" "),
        ];
        cells.extend(p.nontargets_deg().map(|deg| deg.to_string()));
        cells.resize(11 + self.nontargets, String::new());
        cells.push(p.places.get(p.probe).map_or(String::new(), usize::to_string));
        cells.push(p.wheel_deg.to_string());
        cells.extend(outcome.stamps_s.map(time));
        let [_, sample, delay, probe, _] = outcome.stamps_s;
        let between = |from: Option<f64>, to: Option<f64>| some(from.zip(to).map(|(a, b)| (b - a) * 1_000.0));
        cells.push(between(sample, delay));
        cells.push(between(delay, probe));
        cells.push(some(outcome.frame_ms));
        cells.push(outcome.frames.to_string());
        cells.push(outcome.dropped.to_string());
        cells.push(some(outcome.longest_ms));
        cells.push(time(outcome.clock.map(|c| c.0)));
        cells.push(some(outcome.clock.map(|c| c.1)));
        cells.push(some(self.photodiode_ms));
        self.append(&cells)
    }

    fn append(&mut self, cells: &[String]) -> Result<(), String> {
        let told = |e: &dyn std::fmt::Display| format!("{}: cannot be written: {e}", self.path.display());
        let mut line = csv::Writer::from_writer(Vec::new());
        line.write_record(cells).map_err(|e| told(&e))?;
        let line = line.into_inner().map_err(|e| told(&e))?;
        self.file.write_all(&line).and_then(|()| self.file.sync_data()).map_err(|e| told(&e))
    }
}

fn header(nontargets: usize) -> Vec<String> {
    let before = [
        "participant",
        "session",
        "condition",
        "block",
        "trial",
        "load",
        "target_deg",
        "response_deg",
        "rt_s",
        "status",
        "flags",
    ];
    let after = [
        "probe_place",
        "wheel_deg",
        "trial_start_s",
        "sample_on_s",
        "delay_on_s",
        "probe_on_s",
        "response_s",
        "sample_ms",
        "delay_ms",
        "frame_ms",
        "frames",
        "frames_dropped",
        "longest_frame_ms",
        "clock_offset_s",
        "clock_trip_ms",
        "photodiode_ms",
    ];
    let middle = (1..=nontargets).map(|k| format!("nontarget{k}_deg"));
    before.into_iter().map(str::to_owned).chain(middle).chain(after.into_iter().map(str::to_owned)).collect()
}

/// The plan as CSV: what will be shown, in order.
fn plan_text(list: &[Listed]) -> String {
    let mut text =
        String::from("number,practice,block,trial,load,target_deg,probe,places,features_deg,wheel_deg\n");
    for (number, listed) in list.iter().enumerate() {
        let p = &listed.planned;
        let words = |list: &[usize]| list.iter().map(usize::to_string).collect::<Vec<_>>().join(" ");
        text += &format!(
            "{number},{},{},{},{},{},{},{},{},{}\n",
            u8::from(listed.practice),
            p.block,
            p.trial,
            p.places.len(),
            p.target_deg(),
            p.probe,
            words(&p.places),
            words(&p.features_deg),
            p.wheel_deg
        );
    }
    text
}

/// Rows of `path` that are whole; a last one that a kill cut off is cut away.
fn whole_rows(path: &Path) -> Result<usize, String> {
    if !path.exists() {
        return Ok(0);
    }
    let told = |e: &dyn std::fmt::Display| format!("{}: {e}", path.display());
    let text = std::fs::read(path).map_err(|e| told(&e))?;
    let whole = text.iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1);
    if whole < text.len() {
        let file = OpenOptions::new().write(true).open(path).map_err(|e| told(&e))?;
        file.set_len(whole as u64).and_then(|()| file.sync_all()).map_err(|e| told(&e))?;
    }
    if whole == 0 {
        std::fs::remove_file(path).map_err(|e| told(&e))?;
    }
    Ok(text.iter().take(whole).filter(|b| **b == b'\n').count().saturating_sub(1))
}

fn write_synced(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

#[cfg(test)]
#[path = "record_tests.rs"]
mod tests;
