//! The thread that talks to the page: gives trials, answers its clock, writes rows, sends markers.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::Sender;
use serde_json::{Value, json};
use tungstenite::protocol::{CloseFrame, Message};

use super::http::{Door, Line};
use super::markers::{Marker, Markers};
use super::progress::{Listed, Next, Progress};
use super::record::{Labels, Outcome, Record};
use super::settings::TaskSettings;
use super::{answers, clock, texts};
use crate::clock::now_s;

/// Between two looks at the page's messages: what a message may wait.
const PATIENCE: Duration = Duration::from_millis(1);
const NAP: Duration = Duration::from_millis(2);
/// A window that is not the first one.
const SECOND_WINDOW: u16 = 4001;
/// The largest message of ours has some hundred bytes.
const MOST_BYTES: usize = 16_384;
/// Frame intervals that the task is made for, ms: 240 to 60 Hz, with some slack.
const FRAMES_MS: std::ops::RangeInclusive<f64> = 4.0..=17.5;

/// What a task needs to begin.
pub struct Start {
    /// What it is.
    pub settings: TaskSettings,
    /// Whose it is.
    pub labels: Labels,
    /// Where its files go.
    pub folder: PathBuf,
    /// What the trials are made from.
    pub seed: u64,
    /// Go on with the task in the folder.
    pub resume: bool,
    /// Whether blocks wait for [`Running::allow`].
    pub gated: bool,
    /// 0: any free one.
    pub port: u16,
    /// Whether markers go to LSL.
    pub lsl: bool,
    /// Where markers go within this program.
    pub channel: Option<Sender<Marker>>,
    /// Where what an operator must know goes, a sentence each.
    pub notices: Option<Sender<String>>,
    /// Flash the patch so often instead of a task.
    pub flashes: u32,
}

/// What a task came to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ended {
    /// Whether every trial has a row, or every flash was shown.
    pub complete: bool,
    /// Rows of this run by status: done, missed, broken, practice.
    pub rows: [usize; 4],
    /// Frames that were not shown, all trials.
    pub frames_dropped: u64,
    /// The screen's interval of frames, ms.
    pub frame_ms: Option<f64>,
    /// Round trips to the page, ms: median, 99 %, largest.
    pub trips_ms: [f64; 3],
    /// Markers sent, and those that the channel had no room for.
    pub markers: (u64, u64),
    /// When the patch turned white while flashing, LSL clock.
    pub patch_on_s: Vec<f64>,
}

/// A task under way.
pub struct Running {
    /// What the browser opens.
    pub url: String,
    /// Trials that had their rows when it began.
    pub resumed_at: usize,
    stop: Arc<AtomicBool>,
    allowed: Arc<AtomicUsize>,
    closed: Arc<AtomicUsize>,
    page: Arc<AtomicBool>,
    thread: JoinHandle<Result<Ended, String>>,
}

impl Running {
    /// Lets blocks up to `block` (from 1) begin; for a gated task.
    pub fn allow(&self, block: usize) {
        self.allowed.store(block, Ordering::Release);
    }

    /// The time of blocks up to `block` is over: trials that they have not shown are marked so and not shown any more.
    pub fn close(&self, block: usize) {
        self.closed.fetch_max(block, Ordering::AcqRel);
    }

    /// Whether a page is open.
    #[must_use]
    pub fn has_page(&self) -> bool {
        self.page.load(Ordering::Acquire)
    }

    /// Ends it; the trial under way is lost.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::Release);
    }

    /// Whether the thread has ended.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.thread.is_finished()
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// Why it could not go on: the table of trials cannot be written.
    pub fn join(self) -> Result<Ended, String> {
        self.thread.join().map_err(|_| "the task's thread broke down".to_owned())?
    }
}

/// Makes the trials, writes the plan, opens the door and starts the thread.
///
/// # Errors
/// Names what stands in the way: settings, texts, files, the port, LSL.
pub fn start(with: Start) -> Result<Running, String> {
    with.settings.check()?;
    let text = match &with.settings.text {
        Some(path) => std::fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))?,
        None => texts::ENGLISH.to_owned(),
    };
    let texts = texts::parse(&text)?;
    let list = trials(&with.settings, with.seed)?;
    let mut shown = Progress::new(list, 0);
    let mut record = None;
    let mut resumed_at = 0;
    if with.flashes == 0 {
        let (opened, done) = Record::open(
            &with.folder,
            with.labels.clone(),
            shown.list(),
            with.resume,
            with.settings.photodiode_ms,
        )?;
        record = Some(opened);
        resumed_at = done;
        shown = Progress::new(shown.list().to_vec(), done);
    }
    let door = Door::open(with.port)?;
    let stop = Arc::new(AtomicBool::new(false));
    let allowed = Arc::new(AtomicUsize::new(if with.gated { 0 } else { usize::MAX }));
    let url = door.url.clone();
    let (closed, page) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
    let words = Words {
        stop: Arc::clone(&stop),
        allowed: Arc::clone(&allowed),
        closed: Arc::clone(&closed),
        page: Arc::clone(&page),
    };
    let (ready, opened) = crossbeam_channel::bounded(1);
    let thread = std::thread::Builder::new()
        .name("tras-task".into())
        .spawn(move || {
            // An LSL outlet stays in the thread that opens it.
            let markers = match Markers::open(with.lsl, with.channel.clone()) {
                Ok(markers) => markers,
                Err(why) => {
                    let _ = ready.send(Err(why));
                    return Ok(Ended::default());
                }
            };
            let _ = ready.send(Ok(()));
            let mut task = Conductor {
                settings: with.settings,
                texts: json!(texts),
                flashes: with.flashes,
                notices: with.notices,
                resumed: resumed_at > 0,
                progress: shown,
                record,
                markers,
                clock: clock::PageClock::default(),
                ended: Ended::default(),
                trips_ms: Vec::new(),
                over: false,
                began_block: 0,
            };
            if resumed_at > 0 {
                task.break_after_kill()?;
            }
            task.run(&door, &words)
        })
        .map_err(|e| format!("cannot start a thread: {e}"))?;
    opened.recv().map_err(|_| "the task's thread broke down".to_owned())??;
    Ok(Running { url, resumed_at, stop, allowed, closed, page, thread })
}

/// Practice first (its own seed, so that its length moves no counted trial), then the design's trials.
///
/// # Errors
/// A design that cannot be made.
pub(crate) fn trials(settings: &TaskSettings, seed: u64) -> Result<Vec<Listed>, String> {
    let design = settings.design()?;
    let mut practice = design.clone();
    practice.blocks = 1;
    practice.order = tras_scoring::design::Order::Random;
    practice.trials_per_block = settings.practice.max(1);
    let first = practice.make(seed ^ 0x9e37_79b9_7f4a_7c15)?.into_iter().take(settings.practice);
    let first = first.map(|mut planned| {
        planned.block = 0;
        Listed { planned, practice: true }
    });
    let counted = design.make(seed)?.into_iter().map(|planned| Listed { planned, practice: false });
    let turned = settings.feature == "colour";
    // An orientation is answered where it points; only colours need a turned wheel.
    let unturned = |mut listed: Listed| {
        if !turned {
            listed.planned.wheel_deg = 0;
        }
        listed
    };
    Ok(first.chain(counted).map(unturned).collect())
}

/// What [`Running`] and its thread tell each other.
struct Words {
    stop: Arc<AtomicBool>,
    allowed: Arc<AtomicUsize>,
    closed: Arc<AtomicUsize>,
    page: Arc<AtomicBool>,
}

struct Conductor {
    settings: TaskSettings,
    texts: Value,
    flashes: u32,
    notices: Option<Sender<String>>,
    resumed: bool,
    progress: Progress,
    record: Option<Record>,
    markers: Markers,
    clock: clock::PageClock,
    ended: Ended,
    trips_ms: Vec<f64>,
    over: bool,
    /// The block that last told its start.
    began_block: usize,
}

impl Conductor {
    fn run(mut self, door: &Door, words: &Words) -> Result<Ended, String> {
        let mut line: Option<Line> = None;
        while !words.stop.load(Ordering::Acquire) && !self.over {
            self.progress.allow(words.allowed.load(Ordering::Acquire));
            self.progress.close(words.closed.load(Ordering::Acquire));
            self.pass_over()?;
            words.page.store(line.is_some(), Ordering::Release);
            while let Ok(mut guest) = door.lines.try_recv() {
                if line.is_some() {
                    close(&mut guest, SECOND_WINDOW, "second window");
                    self.tell("a second window was refused");
                } else {
                    line = self.welcome(guest);
                }
            }
            let Some(talking) = &mut line else {
                std::thread::sleep(NAP);
                continue;
            };
            match talking.read() {
                Ok(Message::Text(text)) => {
                    let message = serde_json::from_str(&text).unwrap_or(Value::Null);
                    if let Some(answer) = self.hear(&message)?
                        && talking.send(Message::text(answer.to_string())).is_err()
                    {
                        self.gone(&mut line, door)?;
                    }
                }
                Ok(Message::Close(_)) => self.gone(&mut line, door)?,
                Ok(_) => {}
                Err(tungstenite::Error::Io(e))
                    if matches!(e.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut) => {}
                Err(_) => self.gone(&mut line, door)?,
            }
        }
        if let Some(mut talking) = line {
            close(&mut talking, 1000, "over");
        }
        self.trips_ms.sort_by(f64::total_cmp);
        let trip = |share| tras_scoring::quantile::of_sorted(&self.trips_ms, share);
        self.ended.trips_ms = [trip(0.5), trip(0.99), trip(1.0)];
        self.ended.markers = self.markers.counts();
        Ok(self.ended)
    }

    fn tell(&self, what: impl Into<String>) {
        if let Some(notices) = &self.notices {
            let _ = notices.try_send(what.into());
        }
    }

    /// Tells a new page what the task is.
    fn welcome(&mut self, mut line: Line) -> Option<Line> {
        line.get_ref().set_read_timeout(Some(PATIENCE)).ok()?;
        line.set_config(|limits| {
            limits.max_message_size = Some(MOST_BYTES);
            limits.max_frame_size = Some(MOST_BYTES);
        });
        let s = &self.settings;
        let setup = json!({
            "type": "setup", "texts": self.texts, "feature": s.feature, "places": s.places,
            "patch": s.photodiode_patch, "fullscreen": s.fullscreen, "flashes": self.flashes,
            "resumed": self.resumed,
            "times": {
                "fixation_ms": s.fixation_ms, "sample_ms": s.sample_ms, "delay_ms": s.delay_ms,
                "response_ms": s.response_ms, "feedback_ms": s.feedback_ms, "iti_ms": s.iti_ms,
            },
        });
        line.send(Message::text(setup.to_string())).ok()?;
        Some(line)
    }

    /// The page is gone: the trial under way is broken.
    fn gone(&mut self, line: &mut Option<Line>, door: &Door) -> Result<(), String> {
        *line = None;
        self.resumed = true;
        let url = door.renew();
        self.tell(format!(
            "the page is gone: load it anew; a browser that has died needs another address, {url}"
        ));
        self.clock = clock::PageClock::default();
        if let Some((trial, ended_block)) = self.progress.broken() {
            self.tell("that was in mid-trial: the trial is marked broken");
            self.keep_broken(trial, "reloaded", ended_block)?;
        }
        Ok(())
    }

    /// Trials of blocks that are over, which nobody has seen.
    fn pass_over(&mut self) -> Result<(), String> {
        let mut count = 0;
        while let Some(trial) = self.progress.passed_over() {
            let outcome =
                Outcome { status: "broken", flags: vec!["not_shown".to_owned()], ..Outcome::default() };
            self.keep(trial, &outcome)?;
            count += 1;
        }
        if count > 0 {
            self.resumed = true;
            self.tell(format!("{count} trials of a block that is over were not shown"));
        }
        Ok(())
    }

    /// After a kill: the trial that may have been under way.
    fn break_after_kill(&mut self) -> Result<(), String> {
        // Asked for once, so that it counts as under way.
        self.progress.allow(usize::MAX);
        if let Next::Trial(_) = self.progress.upcoming()
            && let Some((trial, ended_block)) = self.progress.broken()
        {
            self.keep_broken(trial, "killed", ended_block)?;
        }
        Ok(())
    }

    fn keep_broken(&mut self, trial: usize, flag: &str, ended_block: bool) -> Result<(), String> {
        let outcome = Outcome { status: "broken", flags: vec![flag.to_owned()], ..Outcome::default() };
        self.keep(trial, &outcome)?;
        let fields = self.about(trial);
        self.markers.send("trial_broken", now_s(), fields.clone());
        if ended_block {
            self.markers.send("block_end", now_s(), fields);
        }
        Ok(())
    }

    fn keep(&mut self, trial: usize, outcome: &Outcome) -> Result<(), String> {
        let Some(listed) = self.progress.list().get(trial) else { return Ok(()) };
        let at = ["done", "missed", "broken", "practice"].iter().position(|s| *s == outcome.status);
        if let Some(count) = at.and_then(|at| self.ended.rows.get_mut(at)) {
            *count += 1;
        }
        self.ended.frames_dropped += u64::from(outcome.dropped);
        match &mut self.record {
            Some(record) => record.add(listed, outcome),
            None => Ok(()),
        }
    }

    /// What every marker of a trial says: never the condition.
    fn about(&self, trial: usize) -> Value {
        let Some(listed) = self.progress.list().get(trial) else { return json!({}) };
        let p = &listed.planned;
        let mut fields = json!({ "block": p.block, "trial": p.trial, "load": p.places.len() });
        if let (true, Some(all)) = (listed.practice, fields.as_object_mut()) {
            all.insert("practice".into(), json!(true));
        }
        fields
    }

    /// Takes a message; the answer, where one is wanted.
    fn hear(&mut self, message: &Value) -> Result<Option<Value>, String> {
        let text = |key: &str| message.get(key).and_then(Value::as_str).unwrap_or_default();
        let id = message.get("id").cloned().unwrap_or(Value::Null);
        let mut answer = match text("type") {
            "clock" => json!({ "s": now_s() }),
            "offset" => {
                self.offset(message);
                return Ok(None);
            }
            "hello" => self.hello(message),
            "event" => {
                self.event(text("name"), message);
                return Ok(None);
            }
            "next" => self.next(),
            "go" => {
                self.progress.rested();
                json!({})
            }
            "response" => self.response(message)?,
            "calibrated" => {
                self.over = true;
                self.ended.complete = true;
                json!({})
            }
            "bye" => {
                self.over = true;
                return Ok(None);
            }
            _ => return Ok(None),
        };
        if let Some(all) = answer.as_object_mut() {
            all.insert("id".into(), id);
        }
        Ok(Some(answer))
    }

    fn offset(&mut self, message: &Value) {
        let number = |key: &str| message.get(key).and_then(Value::as_f64).unwrap_or(f64::NAN);
        self.clock.take(clock::Offset {
            offset_s: number("offset_ms") / 1_000.0,
            trip_ms: number("trip_ms"),
            told_s: now_s(),
        });
        let trips = message.get("trips").and_then(Value::as_array).into_iter().flatten();
        self.trips_ms.extend(trips.filter_map(Value::as_f64).filter(|t| t.is_finite()).take(8));
    }

    fn hello(&mut self, message: &Value) -> Value {
        let frame_ms = message.get("frame_ms").and_then(Value::as_f64).unwrap_or(f64::NAN);
        self.ended.frame_ms = Some(frame_ms);
        let slow = !FRAMES_MS.contains(&frame_ms);
        if slow {
            self.tell(format!(
                "the screen shows a frame every {frame_ms:.1} ms ({:.0} Hz): the task is made for 60 to 240 Hz; every \
                 trial is flagged slow_screen",
                1_000.0 / frame_ms
            ));
        }
        json!({ "slow": slow })
    }

    fn event(&mut self, name: &str, message: &Value) {
        let known =
            ["trial_start", "sample_on", "delay_on", "probe_on", "block_end", "patch_on", "patch_off"];
        let Some(stamp_s) = message.get("t").and_then(Value::as_f64).and_then(|t| self.clock.stamp_s(t))
        else {
            return;
        };
        if !known.contains(&name) || !stamp_s.is_finite() {
            return;
        }
        if name == "patch_on" {
            self.ended.patch_on_s.push(stamp_s);
        }
        let trial = message.get("trial").and_then(Value::as_u64).and_then(|n| usize::try_from(n).ok());
        let fields = trial.map_or_else(|| json!({}), |trial| self.about(trial));
        if name == "trial_start" {
            let block = fields.get("block").and_then(Value::as_u64).and_then(|b| usize::try_from(b).ok());
            if let Some(block) = block.filter(|b| *b > self.began_block) {
                self.began_block = block;
                self.markers.send("block_start", stamp_s, json!({ "block": block }));
            }
        }
        self.markers.send(name, stamp_s, fields);
    }

    fn next(&mut self) -> Value {
        match self.progress.upcoming() {
            Next::Trial(number) => {
                let Some(listed) = self.progress.list().get(number) else { return json!({ "what": "end" }) };
                let p = &listed.planned;
                let items: Vec<Value> = p
                    .places
                    .iter()
                    .zip(&p.features_deg)
                    .map(|(place, deg)| json!({ "place": place, "deg": deg }))
                    .collect();
                json!({
                    "what": "trial", "number": number, "practice": listed.practice, "items": items,
                    "probe": p.probe, "wheel": p.wheel_deg,
                })
            }
            Next::PracticeOver => json!({ "what": "break", "practice_over": true }),
            Next::Break { done, of } => {
                json!({ "what": "break", "practice_over": false, "done": done, "of": of })
            }
            Next::Wait => json!({ "what": "wait" }),
            Next::End => {
                self.ended.complete = true;
                json!({ "what": "end" })
            }
        }
    }

    fn response(&mut self, message: &Value) -> Result<Value, String> {
        let trial = message.get("trial").and_then(Value::as_u64).and_then(|n| usize::try_from(n).ok());
        let Some(trial) = trial.filter(|t| *t < self.progress.list().len()) else { return Ok(json!({})) };
        let Some(block_end) = self.progress.done(trial) else { return Ok(json!({})) };
        let Some(listed) = self.progress.list().get(trial).cloned() else { return Ok(json!({})) };
        let outcome = answers::outcome(message, &self.clock, &self.settings, listed.practice);
        let mut fields = self.about(trial);
        if let Some(all) = fields.as_object_mut() {
            all.insert("deg".into(), json!(outcome.response_deg));
            all.insert("rt".into(), json!(outcome.rt_s));
        }
        // Without an answer the marker stands where waiting ended.
        let waited = outcome.stamps_s[3].map(|probe| probe + self.settings.response_ms / 1_000.0);
        self.markers.send("response", outcome.stamps_s[4].or(waited).unwrap_or_else(now_s), fields);
        self.keep(trial, &outcome)?;
        if outcome.status == "broken" {
            self.tell(format!(
                "block {}, trial {} is marked broken: {}",
                listed.planned.block,
                listed.planned.trial,
                outcome.flags.join(", ")
            ));
        }
        let mut answer = json!({ "block_end": block_end });
        let shown = self.settings.feedback_ms > 0.0 || listed.practice;
        if let (true, Some(all)) = (shown, answer.as_object_mut()) {
            all.insert("target".into(), json!(listed.planned.target_deg()));
            all.insert(
                "feedback_ms".into(),
                json!(self.settings.feedback_ms.max(if listed.practice { 1_000.0 } else { 0.0 })),
            );
        }
        Ok(answer)
    }
}

fn close(line: &mut Line, code: u16, why: &'static str) {
    let _ = line.close(Some(CloseFrame { code: code.into(), reason: why.into() }));
    let _ = line.flush();
}
