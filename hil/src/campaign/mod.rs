//! The fault campaign: `tras run` itself on the emulated board (or a real one) and on the audio path, one fault
//! after another; what left the instrument is measured where a head would be, and a broken bound fails the run.

mod audio_faults;
mod board;
mod board_faults;
mod eeg;
mod host_faults;
mod keep;
mod operator;
mod report;
mod sink;
mod stage;
mod strangers;
mod trace;
mod verdict;

use std::io::{Error, Result};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use self::{
    board::Board,
    eeg::{Conductor, Participant},
    sink::Sink,
    stage::{Needs, Row, Scenario},
    strangers::Stranger,
};
use tras_test_support::network;

use crate::emulator::hurry;

/// What the campaign runs with.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The firmware's image.
    pub image: PathBuf,
    /// The program.
    pub tras: PathBuf,
    /// A real board instead of the emulated one.
    pub port: Option<PathBuf>,
    /// Only scenes whose name begins so.
    pub only: Option<String>,
    /// Where the report and the recordings go.
    pub out: PathBuf,
}

/// A scene that did not come as far as its fault, because the machine had no time for the emulated board, is
/// played again so many times, as is one that should have gone on and did not because that board stood still. A
/// scene whose bound was broken is never repeated.
const TRIES: u32 = 3;

/// Plays all scenes, prints the table and writes the report.
///
/// # Errors
/// Something is not installed, or a bound is broken.
pub fn run(settings: &Settings) -> Result<()> {
    let began = Instant::now();
    std::fs::create_dir_all(&settings.out)?;
    let out = settings.out.canonicalize()?;
    eeg::keep_to_ourselves(&out)?;
    if !hurry() {
        println!("not allowed ahead of other processes: on a busy machine the emulated board may starve");
    }
    // Before anything listens: what hostile scenes send must reach nobody else.
    let alone = network::enter();
    let conductor = Conductor::start();
    let _participant = Participant::start(&settings.tras)?;
    std::thread::sleep(Duration::from_secs(1));
    let wanted = |name: &str| settings.only.as_deref().is_none_or(|only| name.starts_with(only));
    let (mut rows, mut broken) = (Vec::new(), 0);
    report::head();
    let mut tell = |row: Result<Row>, name: &str| match row {
        Ok(row) => {
            report::line(&row);
            broken += usize::from(!row.broken.is_empty());
            rows.push(row);
        }
        Err(e) => {
            println!("{name:<32} NOT PLAYED: {e}");
            broken += 1;
        }
    };
    let on_boards = board_faults::all().into_iter().chain(host_faults::all());
    for scenario in &on_boards.filter(|s| wanted(s.name)).collect::<Vec<_>>() {
        if settings.port.is_some() && scenario.emulator {
            println!("{:<32} skipped: needs the emulator", scenario.name);
            continue;
        }
        if let (Needs::Network, Err(why)) = (scenario.needs, &alone) {
            println!("{:<32} skipped: {why}", scenario.name);
            continue;
        }
        let played = tried(scenario.name, || on_board(scenario, settings, &out, &conductor));
        conductor.turn_to(None);
        tell(played, scenario.name);
    }
    for stranger in strangers::all().iter().filter(|s| wanted(s.name)) {
        let folder = fresh(&out, stranger.name)?;
        let played = Stranger::start(stranger.name).and_then(|s| stranger.play(s, &settings.tras, &folder));
        tell(played, stranger.name);
    }
    for scenario in audio_faults::all().iter().filter(|s| wanted(s.name)) {
        if settings.port.is_some() {
            println!("{:<32} skipped: the board alone is tried with PORT", scenario.name);
            continue;
        }
        let played = tried(scenario.name, || {
            let folder = fresh(&out, scenario.name)?;
            let sink = Sink::start(&folder.join("pulse"))?;
            scenario.play(sink, &settings.tras, &folder.join("recordings"))
        });
        tell(played, scenario.name);
    }
    let pictures = report::write(&out, &rows)?;
    report::peers(&rows);
    println!(
        "{} scenes in {:.0} s; report: {}",
        rows.len(),
        began.elapsed().as_secs_f64(),
        pictures.display()
    );
    if rows.is_empty() {
        return Err(Error::other("no scene of that name"));
    }
    if broken > 0 { Err(Error::other(format!("{broken} scenes broke a bound"))) } else { Ok(()) }
}

fn tried(name: &str, mut play: impl FnMut() -> Result<Row>) -> Result<Row> {
    let mut result = play();
    for _ in 1..TRIES {
        let Err(e) = &result else { break };
        println!("{name:<32} not played, once more: {e}");
        result = play();
    }
    result
}

/// An empty folder of that name.
fn fresh(out: &Path, name: &str) -> Result<PathBuf> {
    let folder = out.join(name);
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder)?;
    Ok(folder)
}

fn on_board(
    scenario: &Scenario<Board>,
    settings: &Settings,
    out: &Path,
    conductor: &Conductor,
) -> Result<Row> {
    let folder = fresh(out, scenario.name)?;
    let board = match &settings.port {
        Some(port) => Board::real(port)?,
        None => Board::emulated(&settings.image, &folder.join("board"), board_faults::speed(scenario.name))?,
    };
    conductor.turn_to(board.emulated.as_ref().map(|e| e.head.eye()));
    scenario.play(board, &settings.tras, &folder.join("recordings"))
}
