//! The whole program as a process, in an LSL session of one test's own, and what its recordings say.
#![allow(dead_code, missing_docs, reason = "each test uses some of it")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;
use tras::acquisition::recording::xdf::{Survey, survey};

use crate::reader::Killed;
use crate::sessions::numbers;

static NEXT: AtomicU32 = AtomicU32::new(1);

/// A folder and an LSL session that no other test shares: two tests of one file run at once.
pub struct Lab {
    folder: tempfile::TempDir,
    lsl: PathBuf,
}

impl Lab {
    #[allow(clippy::new_without_default, reason = "a default would not say that it makes a folder")]
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let lsl = folder.path().join("lsl_api.cfg");
        crate::lsl::configure(&lsl);
        Self { folder, lsl }
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A file of this lab.
    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    /// `program` in this session and folder, its output kept.
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command
            .env("LSLAPICFG", &self.lsl)
            .env("XDG_STATE_HOME", self.folder().join("state"))
            .env("TRAS_KEYS", self.folder().join("keys"))
            .current_dir(self.folder())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// `tras` with `args`, as words of one line.
    pub fn tras(&self, args: &str) -> Command {
        let mut command = self.command(crate::tras());
        command.args(args.split_whitespace());
        command
    }

    /// Starts `tests/peers/<script>`, its output kept.
    pub fn peer(&self, python: &Path, script: &str, args: &[&str]) -> Killed {
        let script = crate::root().join("tests/peers").join(script);
        Killed(self.command(python).arg(script).args(args).spawn().expect("the Python peer starts"))
    }

    /// Starts `tras`; nobody reads what it says, so that is thrown away.
    pub fn start(&self, args: &str) -> Killed {
        Killed(self.tras(args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
    }

    /// Starts `tras` with its output going to files: a pipe that nobody empties would stop it.
    pub fn run(&self, args: &str) -> Run {
        self.run_with(args, &[])
    }

    /// The same, with someone at the keys.
    pub fn run_typed(&self, args: &str) -> (Run, std::process::ChildStdin) {
        let mut run = self.spawn(args, &[], Stdio::piped());
        let typed = run.child.0.stdin.take().unwrap();
        (run, typed)
    }

    /// The same, with more in its environment.
    pub fn run_with(&self, args: &str, environment: &[(&str, &Path)]) -> Run {
        self.spawn(args, environment, Stdio::null())
    }

    fn spawn(&self, args: &str, environment: &[(&str, &Path)], typed: Stdio) -> Run {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let file = |name: &str| self.folder().join(format!("{name}-{number}"));
        let (out, err) = (file("stdout"), file("stderr"));
        let mut command = self.tras(args);
        command.envs(environment.iter().copied()).stdin(typed);
        command.stdout(std::fs::File::create(&out).unwrap()).stderr(std::fs::File::create(&err).unwrap());
        Run { child: Killed(command.spawn().unwrap()), out, err }
    }
}

/// A running `tras` whose words are kept.
pub struct Run {
    child: Killed,
    out: PathBuf,
    err: PathBuf,
}

impl Run {
    pub fn pid(&self) -> u32 {
        self.child.0.id()
    }

    pub fn signal(&self, signal: i32) {
        self.child.signal(signal);
    }

    pub fn said(&self) -> String {
        std::fs::read_to_string(&self.out).unwrap()
    }

    pub fn complained(&self) -> String {
        std::fs::read_to_string(&self.err).unwrap()
    }

    /// Waits for its end.
    pub fn end(&mut self, within_s: f64) -> ExitStatus {
        let start = Instant::now();
        loop {
            if let Some(status) = self.child.0.try_wait().unwrap() {
                return status;
            }
            let (said, complained) = (self.said(), self.complained());
            assert!(start.elapsed().as_secs_f64() < within_s, "still running:\n{said}\n{complained}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits for its end with `code`, and reads the last line of its standard output.
    pub fn summary(&mut self, code: i32, within_s: f64) -> Value {
        let status = self.end(within_s);
        let (said, complained) = (self.said(), self.complained());
        assert_eq!(status.code(), Some(code), "{said}\n{complained}");
        serde_json::from_str(said.lines().last().unwrap_or_default())
            .unwrap_or_else(|error| panic!("{error}: the last line is not JSON:\n{said}\n{complained}"))
    }
}

pub fn sleep_s(seconds: f64) {
    std::thread::sleep(Duration::from_secs_f64(seconds));
}

/// Asks again and again until `found` gives something.
pub fn wait_for<T>(what: &str, within_s: f64, mut found: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = found() {
            return found;
        }
        assert!(start.elapsed().as_secs_f64() < within_s, "not within {within_s} s: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// A session file as our own reader finds it.
pub struct Session {
    pub path: PathBuf,
    pub survey: Survey,
}

/// One row of the estimates' stream, by the labels of its columns.
pub type Row = BTreeMap<String, f64>;

impl Session {
    pub fn open(folder: &Path) -> Self {
        let path = folder.join("session.xdf");
        let survey = survey(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        Self { path, survey }
    }

    /// Of a summary that says where it recorded; `lab` where the program ran.
    pub fn of(summary: &Value, lab: &Lab) -> Self {
        Self::open(&lab.folder().join(summary["record_dir"].as_str().expect("a recording")))
    }

    /// Values (sample-major) and stamps of a stream of numbers.
    pub fn numbers(&self, name: &str) -> (Vec<f64>, Vec<f64>) {
        numbers(&self.path, &self.survey, name)
    }

    /// Name of the EEG stream, and its channels' labels.
    pub fn eeg(&self) -> (String, Vec<String>) {
        let stream = self.survey.streams.iter().find(|s| s.description.kind == "EEG").unwrap();
        let labels = stream.description.channels.iter().map(|c| c.label.clone()).collect();
        (stream.description.name.clone(), labels)
    }

    /// A stream of numbers, row by row, by the labels of its columns; stamps beside it.
    pub fn rows(&self, name: &str) -> Vec<(f64, Row)> {
        let stream = self.survey.streams.iter().find(|s| s.description.name == name).unwrap();
        let labels: Vec<&str> = stream.description.channels.iter().map(|c| c.label.as_str()).collect();
        let (values, stamps_s) = self.numbers(name);
        let row = |row: &[f64]| labels.iter().map(|l| (*l).to_owned()).zip(row.iter().copied()).collect();
        stamps_s.into_iter().zip(values.chunks(labels.len()).map(row)).collect()
    }

    /// Names of the estimates' targets, in their order.
    pub fn targets(&self) -> Vec<String> {
        let stream = self.survey.streams.iter().find(|s| s.description.name == "estimates").unwrap();
        let header = &stream.header;
        let targets = header.child("desc").and_then(|desc| desc.child("targets")).unwrap();
        targets.children.iter().map(|target| target.text_of("label").to_owned()).collect()
    }

    /// Every event with its stamp.
    pub fn events(&self) -> Vec<(f64, Value)> {
        let id = self.survey.streams.iter().find(|s| s.description.name == "events").unwrap().id;
        let events = self.survey.annotations.iter().filter(|(stream, _)| *stream == id);
        events.map(|(_, a)| (a.onset_s, serde_json::from_str(&a.text).expect("an event is JSON"))).collect()
    }

    /// Stamps at which an event of `kind` had `key` = `value`.
    pub fn when(&self, kind: &str, key: &str, value: &str) -> Vec<f64> {
        let events = self.events().into_iter();
        events.filter(|(_, e)| e["event"] == kind && e[key] == value).map(|(stamp_s, _)| stamp_s).collect()
    }
}

/// The keys that scripts were promised.
pub fn assert_contract(summary: &Value) {
    for key in ["samples_received", "samples_lost", "gaps", "estimates", "estimates_valid"] {
        assert!(summary[key].is_u64(), "{key} in {summary}");
    }
    for key in ["stimulation_seconds", "current_rms_ma", "current_peak_ma"] {
        assert!(summary[key].is_f64(), "{key} in {summary}");
    }
    for key in ["exponent_mean", "exponent_sd"] {
        assert!(summary[key].is_f64() || (summary.get(key).is_some() && summary[key].is_null()), "{key}");
    }
    for key in ["p50", "p99", "p999", "max"] {
        assert!(summary["loop_latency_us"][key].is_f64(), "{key} in {summary}");
    }
    assert!(summary["faults"].is_array(), "{summary}");
    assert!(summary.get("record_dir").is_some(), "{summary}");
}
