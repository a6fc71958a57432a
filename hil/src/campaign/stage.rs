//! A scene of the campaign: an instrument, a session that drives it, and a fault in the midst of it.

use std::io::{Error, Result};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::{
    eeg,
    operator::{self, Session},
    trace::{Aftermath, Trace},
};

/// Patience until a session is where the fault shall strike.
const WITHIN: Duration = Duration::from_secs(45);
/// Watched after the fault, and once more after all is mended again: nothing may start from that.
const WATCH: Duration = Duration::from_secs(3);
/// A second block would begin before this: 2 s of baseline, the block, 30 s of gap, and some.
const SECOND_BLOCK: Duration = Duration::from_secs(52);
/// For the end of a session that was asked to end.
const END: Duration = Duration::from_secs(12);

/// What stands between `tras run` and a head.
pub trait Instrument {
    /// The `[stimulator]` section of the session.
    fn section(&self) -> String;
    /// What the session needs in its environment.
    fn environment(&self) -> Vec<(String, String)>;
    /// All current so far.
    fn trace(&self) -> Trace;
    /// Everything as it was before the fault.
    fn mend(&mut self) -> Result<()>;
    /// Whether its current reaches the participant's electrodes.
    fn is_felt(&self) -> bool;
    /// How fast the instrument's clock went since the start, of what it should; where that can be told.
    fn clock(&self) -> Option<f64>;
}

/// When a fault strikes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum During {
    /// 2 s into the first ramp.
    Ramp,
    /// 1 s into full amplitude.
    Block,
    /// Before the session begins.
    Start,
}

/// What a fault must lead to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Outcome {
    /// Zero within so many ms, for good.
    Zero(f64),
    /// Nothing: the current goes on.
    GoesOn,
    /// Either, as long as no limit breaks; if it ends, it ends for good.
    Either,
    /// No current at any time.
    Never,
    /// A whole block, and zero behind it.
    Plays,
}

/// One scene.
pub struct Scenario<I> {
    /// Its name, for the table and the command line.
    pub name: &'static str,
    /// When.
    pub during: During,
    /// What must come of it.
    pub outcome: Outcome,
    /// Largest |current| allowed after the fault, in mA.
    pub largest_ma: f32,
    /// What `tras run` may end with; 137 for a killed one.
    pub codes: &'static [i32],
    /// Waits until a second block would have begun.
    pub patient: bool,
    /// Needs the emulator: what a real board cannot be told to do.
    pub emulator: bool,
    /// Done to the instrument before the session begins.
    pub before: fn(&mut I, &Before<'_>) -> Result<()>,
    /// The fault.
    pub happen: fn(&mut Scene<I>) -> Result<()>,
}

/// What there is before a session.
pub struct Before<'a> {
    /// The program.
    pub tras: &'a Path,
    /// A folder for whatever is recorded.
    pub folder: &'a Path,
}

impl Before<'_> {
    /// A whole session that comes and goes: 2 s of current, then Ctrl-C.
    ///
    /// # Errors
    /// It never got that far, or did not end well.
    pub fn session<I: Instrument>(&self, instrument: &I) -> Result<()> {
        let folder = self.folder.join("before");
        let mut session = begin(instrument, self.tras, &folder, false)?;
        wait_for(&mut session, During::Ramp)?;
        session.signal(libc::SIGINT);
        match session.end(END).map(code_of) {
            Some(0) => Ok(()),
            other => Err(Error::other(format!("the session before it ended with {other:?}"))),
        }
    }
}

/// An instrument and the session on it.
pub struct Scene<I> {
    /// What the fault may be done to.
    pub instrument: I,
    /// What drives it.
    pub session: Session,
    /// What a fault keeps until all is mended: frozen threads.
    pub kept: Vec<super::freeze::Frozen>,
}

/// What came of a scene.
pub struct Row {
    /// The scene's name.
    pub name: &'static str,
    /// The current, and where in it the fault struck.
    pub trace: Trace,
    /// See `trace`.
    pub fault: usize,
    /// What happened.
    pub after: Aftermath,
    /// What the operator read first, and after how many s.
    pub first_word: Option<(f64, String)>,
    /// The faults of the closing summary.
    pub faults: Vec<String>,
    /// What `tras run` ended with.
    pub code: Option<i32>,
    /// The recording, and what is in it.
    pub recording: Option<PathBuf>,
    /// See `recording`.
    pub kept: String,
    /// Of the instrument.
    pub clock: Option<f64>,
    /// Bounds that were broken.
    pub broken: Vec<String>,
}

/// The session that every scene runs: the longest block in most, a short one where a second is waited for.
fn config(scenario_patient: bool, folder: &Path, section: &str) -> String {
    let block_s = if scenario_patient { 14 } else { 90 };
    format!(
        "[stream]\nname = \"{}\"\n\
         [stimulation]\nenabled = true\nexponent = 1.0\npeak_ma = 0.5\nramp_up_s = 5\nramp_down_s = 5\n\
         block_s = {block_s}\nblocks = 2\ngap_s = 30\nbaseline_s = 2\nelectrode_area_cm2 = 35\nseed = 11\n\
         [stimulator]\n{section}\n[outlets]\nenabled = false\n[record]\ndir = \"{}\"\n",
        eeg::STREAM,
        folder.display()
    )
}

fn begin<I: Instrument>(instrument: &I, tras: &Path, folder: &Path, patient: bool) -> Result<Session> {
    std::fs::create_dir_all(folder)?;
    let text = config(patient, folder, &instrument.section());
    let environment = instrument.environment();
    let environment: Vec<(&str, &str)> =
        environment.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    Session::start(tras, folder, &text, &environment)
}

impl<I: Instrument> Scenario<I> {
    /// Plays the scene on `instrument`.
    ///
    /// # Errors
    /// It could not be played; what broke in it is in the row.
    pub fn play(&self, instrument: I, tras: &Path, folder: &Path) -> Result<Row> {
        let mut instrument = instrument;
        (self.before)(&mut instrument, &Before { tras, folder })?;
        let patient = self.patient || self.outcome == Outcome::Plays;
        let begun = Instant::now();
        let session = begin(&instrument, tras, folder, patient)?;
        let mut scene = Scene { instrument, session, kept: Vec::new() };
        wait_for(&mut scene.session, self.during)?;
        let fault = scene.instrument.trace().current_ma.len();
        let at = Instant::now();
        (self.happen)(&mut scene)?;
        if self.outcome == Outcome::Plays {
            until_told(&mut scene.session, "gap 1", WITHIN);
        }
        std::thread::sleep(WATCH);
        scene.kept.clear();
        scene.instrument.mend()?;
        std::thread::sleep(WATCH);
        while self.patient && begun.elapsed() < SECOND_BLOCK && scene.session.runs() {
            std::thread::sleep(Duration::from_millis(100));
        }
        let (clock, felt) = (scene.instrument.clock(), scene.instrument.is_felt());
        // What goes on is judged while it does, not by its end.
        let trace = scene.instrument.trace();
        let had = at - begun;
        scene.session.signal(libc::SIGINT);
        let code = scene.session.end(END).map(code_of);
        let told = scene.session.told();
        let recording = operator::recording(folder);
        let mut row = Row {
            name: self.name,
            after: trace.after(fault),
            trace,
            fault,
            first_word: operator::first_word(&told, at),
            faults: operator::faults(&told),
            code,
            kept: String::new(),
            recording,
            clock,
            broken: Vec::new(),
        };
        self.judge(&mut row, had.as_secs_f64());
        if felt && self.outcome == Outcome::Plays {
            feel(&mut row);
        }
        Ok(row)
    }

    fn judge(&self, row: &mut Row, had_s: f64) {
        let after = row.after;
        let mut broken = Vec::new();
        if after.largest_ma > self.largest_ma {
            broken.push(format!("{:.4} mA, {:.4} allowed", after.largest_ma, self.largest_ma));
        }
        if after.restarted {
            broken.push("current flowed again by itself".to_owned());
        }
        match (self.outcome, after.zero_ms) {
            (Outcome::Zero(_) | Outcome::Plays, None) => broken.push("it never came to zero".to_owned()),
            (Outcome::Zero(bound_ms), Some(ms)) if ms > bound_ms => {
                broken.push(format!("zero after {ms:.0} ms, {bound_ms:.0} allowed"));
            }
            (Outcome::GoesOn, Some(_)) => broken.push("it should have gone on".to_owned()),
            (Outcome::Never, _) if row.trace.flowed() => broken.push("current flowed".to_owned()),
            _ => {}
        }
        let began = self.during == During::Start || row.trace.current_ma.get(..row.fault).is_some_and(some);
        if !began {
            broken.push("no current flowed before the fault: nothing was tested".to_owned());
        }
        if !row.code.is_some_and(|code| self.codes.contains(&code)) {
            broken.push(format!("exit code {:?}, expected {:?}", row.code, self.codes));
        }
        if self.outcome != Outcome::Never {
            let whole = row.code != Some(137);
            match row.recording.as_deref().map(|path| super::keep::look(path, whole)) {
                Some(Ok(seconds)) if seconds >= had_s - 4.0 => row.kept = format!("{seconds:.1} s"),
                Some(Ok(seconds)) => broken.push(format!("of {had_s:.1} s only {seconds:.1} s of EEG kept")),
                Some(Err(what)) => broken.push(what),
                None => broken.push("no recording".to_owned()),
            }
        }
        row.broken = broken;
    }
}

/// The current must be seen on the EEG that was recorded.
fn feel(row: &mut Row) {
    match row.recording.as_deref().map(super::keep::artefact) {
        Some(Ok((quiet_uv, loud_uv))) if loud_uv > 5.0 * quiet_uv => {
            row.first_word =
                Some((0.0, format!("artefact on the EEG: {quiet_uv:.0} -> {loud_uv:.0} uV RMS")));
        }
        Some(Ok((quiet_uv, loud_uv))) => {
            row.broken.push(format!("no artefact on the EEG: {quiet_uv:.1} -> {loud_uv:.1} uV RMS"));
        }
        Some(Err(what)) => row.broken.push(what),
        None => {}
    }
}

fn some(current_ma: &[f32]) -> bool {
    current_ma.iter().any(|ma| ma.abs() > 0.01)
}

fn code_of(status: std::process::ExitStatus) -> i32 {
    use std::os::unix::process::ExitStatusExt;
    status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(-1)
}

fn wait_for(session: &mut Session, during: During) -> Result<()> {
    let (word, then) = match during {
        During::Start => return Ok(()),
        During::Ramp => ("current ramp up", Duration::from_secs(2)),
        During::Block => ("current stimulating", Duration::from_secs(1)),
    };
    if !until_told(session, word, WITHIN) {
        let told = session.told();
        let is_telling = |line: &&str| line.contains(" s FAULT ") || line.starts_with("tras:");
        let mut lines: Vec<&str> = told.iter().map(|(_, line)| line.as_str()).filter(is_telling).collect();
        lines.extend(told.last().map(|(_, line)| line.as_str()));
        return Err(Error::other(format!("the session never came to {word:?}: {}", lines.join(" / "))));
    }
    std::thread::sleep(then);
    Ok(())
}

/// Waits for a line with `word`; says whether one came in time and while the session ran.
fn until_told(session: &mut Session, word: &str, patience: Duration) -> bool {
    let until = Instant::now() + patience;
    while Instant::now() < until {
        if session.told().iter().any(|(_, line)| line.contains(word)) {
            return true;
        }
        if !session.runs() {
            return false;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    false
}

impl<I> Scene<I> {
    /// Freezes a thread of the session until all is mended.
    ///
    /// # Errors
    /// There is none of that name, or the system refuses.
    pub fn freeze(&mut self, thread: &str) -> Result<()> {
        self.kept.push(super::freeze::Frozen::thread(self.session.pid(), thread)?);
        Ok(())
    }
}
