//! A scene of the campaign: an instrument, a session that drives it, and a fault in the midst of it.

use std::io::{Error, Result};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tras_test_support::{disk::Disk, freeze::Frozen};

use super::{
    eeg, keep,
    operator::{self, Session},
    trace::{Aftermath, Trace},
    verdict,
};

/// Patience until a session is where the fault shall strike.
const WITHIN: Duration = Duration::from_secs(45);
/// Watched after the fault, and once more after all is mended again: nothing may start from that.
const WATCH: Duration = Duration::from_secs(3);
/// A second block would begin before this: 2 s of baseline, the block, 30 s of gap, and some.
const SECOND_BLOCK: Duration = Duration::from_secs(52);
/// For the end of a session that was asked to end.
const END: Duration = Duration::from_secs(12);

/// An emulated board whose clock went slower than this, of the right speed, has missed samples by itself: whether
/// a current would have gone on cannot be told.
const STARVED: f64 = 0.93;

/// What a program that was killed ends with.
pub(super) const KILLED: i32 = 137;

/// What stands between `tras run` and a head.
pub(super) trait Instrument {
    /// The `[stimulator]` section of the session.
    fn section(&self) -> String;
    /// What `tras run` is told beside its configuration.
    fn arguments(&self) -> Vec<String> {
        Vec::new()
    }
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
pub(super) enum During {
    /// 2 s into the first ramp.
    Ramp,
    /// 1 s into full amplitude.
    Block,
    /// Before the session begins.
    Start,
}

/// What a scene needs beside its instrument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Needs {
    /// Nothing.
    Nothing,
    /// A disk that stalls or is full on command.
    Disk,
    /// Outlets, and a network that nobody else is on.
    Network,
}

/// What a fault must lead to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Outcome {
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
pub(super) struct Scenario<I> {
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
    /// What else it needs.
    pub needs: Needs,
    /// Done to the instrument before the session begins.
    pub before: fn(&mut I, &Before<'_>) -> Result<()>,
    /// The fault.
    pub happen: fn(&mut Scene<I>) -> Result<()>,
}

/// What there is before a session.
pub(super) struct Before<'a> {
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
    pub(super) fn session<I: Instrument>(&self, instrument: &I) -> Result<()> {
        let folder = self.folder.join("before");
        let mut session = begin(instrument, self.tras, &folder, &Setting::default())?;
        wait_for(&mut session, During::Ramp)?;
        session.signal(libc::SIGINT);
        match session.end(END).map(code_of) {
            Some(0) => Ok(()),
            other => Err(Error::other(format!("the session before it ended with {other:?}"))),
        }
    }
}

/// An instrument and the session on it.
pub(super) struct Scene<I> {
    /// What the fault may be done to.
    pub instrument: I,
    /// What drives it.
    pub session: Session,
    /// What a fault keeps until all is mended: frozen threads.
    pub kept: Vec<Frozen>,
    /// The session's disk, where the scene needs one.
    disk: Option<Disk>,
}

/// What came of a scene.
pub(super) struct Row {
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
    /// The recording.
    pub recording: Option<PathBuf>,
    /// Seconds of EEG in it, or what is wrong with it.
    pub kept: Option<std::result::Result<f64, String>>,
    /// Of the instrument.
    pub clock: Option<f64>,
    /// Bounds that were broken.
    pub broken: Vec<String>,
}

/// In what the session of a scene differs from others.
#[derive(Default)]
struct Setting {
    /// A second block is waited for.
    patient: bool,
    /// Its own streams are published.
    outlets: bool,
    /// Its disk.
    disk: Option<Disk>,
}

/// The session that every scene runs: the longest block in most, a short one where a second is waited for.
fn config(setting: &Setting, folder: &Path, section: &str) -> String {
    let block_s = if setting.patient { 14 } else { 90 };
    let outlets = setting.outlets;
    format!(
        "[stream]\nname = \"{}\"\n\
         [stimulation]\nenabled = true\nexponent = 1.0\npeak_ma = 0.5\nramp_up_s = 5\nramp_down_s = 5\n\
         block_s = {block_s}\nblocks = 2\ngap_s = 30\nbaseline_s = 2\nelectrode_area_cm2 = 35\nelectrode_kohm = [2.5, 2.5]\nseed = 11\n\
         [stimulator]\n{section}\n[outlets]\nenabled = {outlets}\n[record]\ndir = \"{1}\"\nledger = \"{1}\"\nparticipant = \"HEAD\"\n",
        eeg::STREAM,
        folder.display()
    )
}

fn begin<I: Instrument>(instrument: &I, tras: &Path, folder: &Path, setting: &Setting) -> Result<Session> {
    std::fs::create_dir_all(folder)?;
    let text = config(setting, folder, &instrument.section());
    let mut environment = instrument.environment();
    // The ledger's second place: a scene that is played again begins with none, as its folder does.
    environment.push(("XDG_STATE_HOME".to_owned(), folder.join("state").display().to_string()));
    if let Some(disk) = &setting.disk {
        let words = disk.environment();
        environment.extend(words.map(|(key, path)| (key.to_owned(), path.display().to_string())));
    }
    let environment: Vec<(&str, &str)> =
        environment.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    let arguments = instrument.arguments();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    Session::start(tras, folder, &text, &arguments, &environment)
}

impl<I: Instrument> Scenario<I> {
    /// Plays the scene on `instrument`.
    ///
    /// # Errors
    /// It could not be played; what broke in it is in the row.
    pub(super) fn play(&self, instrument: I, tras: &Path, folder: &Path) -> Result<Row> {
        let mut instrument = instrument;
        (self.before)(&mut instrument, &Before { tras, folder })?;
        let patient = self.patient || self.outcome == Outcome::Plays;
        let begun = Instant::now();
        std::fs::create_dir_all(folder)?;
        let disk = (self.needs == Needs::Disk).then(|| Disk::new(folder)).transpose()?;
        let setting = Setting { patient, outlets: self.needs == Needs::Network, disk };
        let session = begin(&instrument, tras, folder, &setting)?;
        let mut scene = Scene { instrument, session, kept: Vec::new(), disk: setting.disk };
        wait_for(&mut scene.session, self.during)?;
        let fault = scene.instrument.trace().current_ma.len();
        let at = Instant::now();
        (self.happen)(&mut scene)?;
        if self.outcome == Outcome::Plays {
            until_told(&mut scene.session, "gap 1", WITHIN);
        }
        std::thread::sleep(WATCH);
        scene.kept.clear();
        scene.disk.iter().try_for_each(Disk::mend)?;
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
            // A killed program closes nothing; what it wrote must be readable all the same.
            kept: recording.as_deref().map(|path| keep::look(path, code != Some(KILLED))),
            recording,
            clock,
            broken: Vec::new(),
        };
        let goes_on = matches!(self.outcome, Outcome::GoesOn | Outcome::Plays);
        if goes_on && code != Some(0) && clock.is_some_and(|clock| clock < STARVED) {
            return Err(Error::other("the machine had too little time for the emulated board"));
        }
        row.broken = self.judge(&row, had.as_secs_f64());
        if felt && self.outcome == Outcome::Plays {
            verdict::feel(&mut row);
        }
        Ok(row)
    }
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
    /// The session is killed.
    ///
    /// # Errors
    /// None; a fault may have some.
    pub(super) fn kill(&mut self) -> Result<()> {
        self.session.signal(libc::SIGKILL);
        Ok(())
    }

    /// The session is stopped for 1.5 s, all its threads at once.
    ///
    /// # Errors
    /// None; a fault may have some.
    pub(super) fn stop_and_resume(&mut self) -> Result<()> {
        self.session.signal(libc::SIGSTOP);
        std::thread::sleep(Duration::from_millis(1_500));
        self.session.signal(libc::SIGCONT);
        Ok(())
    }

    /// Waits until the session has told a fault.
    ///
    /// # Errors
    /// It told none in time.
    pub(super) fn fault_told(&mut self) -> Result<()> {
        if until_told(&mut self.session, " s FAULT ", WITHIN) {
            Ok(())
        } else {
            Err(Error::other("the session told no fault"))
        }
    }

    /// The session's disk.
    ///
    /// # Errors
    /// The scene has none.
    pub(super) fn disk(&self) -> Result<&Disk> {
        self.disk.as_ref().ok_or_else(|| Error::other("the scene has no disk of its own"))
    }

    /// Freezes a thread of the session until all is mended.
    ///
    /// # Errors
    /// There is none of that name, or the system refuses.
    pub(super) fn freeze(&mut self, thread: &str) -> Result<()> {
        self.kept.push(Frozen::thread(self.session.pid(), thread)?);
        Ok(())
    }
}
