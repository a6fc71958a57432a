//! `tras task`: the working-memory task in a browser.

use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use clap::Args;
use crossbeam_channel::Receiver;

use crate::failure::Failure;
use crate::runtime::signals::Signals;
use crate::task::calibrate::{compare, rises};
use crate::task::conduct::{Ended, Running, Start, start};
use crate::task::record::Labels;
use crate::task::settings::TaskSettings;

const AFTER_HELP: &str = "\
The task is a page that this program serves on 127.0.0.1; it prints the address, whose token works once. Loading the
page anew goes on with the next trial and marks the one that was cut short; a second window is refused.
Configuration: the table [task]: feature (colour, orientation), loads, order (balanced, runs, random), blocks,
  trials_per_block, places, min_distance_deg, practice, fixation_ms, sample_ms, delay_ms, response_ms, feedback_ms,
  iti_ms, text (the participant's texts, for a translation; --print-text writes ours), photodiode_patch,
  photodiode_ms, fullscreen.
Files in --out: task-plan.csv, every trial before the first is shown; trials.csv, a row as each trial ends, synced.
  status: done, missed (no answer in time), practice, broken (must not be used: flags says why); tras score reads it.
Markers, type Markers, stream tras-task, JSON: event trial_start, sample_on, delay_on, probe_on, response (deg, rt),
  block_start, block_end, trial_broken, with number, block, trial, load; stamped with the frame that showed it.
Exit codes: 0 done; 2 bad arguments or configuration; 3 a file or the photodiode's stream is not found; 4 it ended
  before its last trial, or could not write.";

/// The working-memory task (delayed estimation) in a browser on this machine.
#[derive(Args, Clone, Debug)]
#[command(after_help = AFTER_HELP)]
pub struct TaskArgs {
    /// A TOML file with a table [task]; without it the defaults
    #[arg(short, long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Where its files go
    #[arg(long, value_name = "DIR", required_unless_present_any = ["calibrate", "print_text"])]
    pub out: Option<PathBuf>,
    /// The participant's code
    #[arg(long, value_name = "CODE", default_value = "P01")]
    pub participant: String,
    /// The session's name
    #[arg(long, value_name = "NAME", default_value = "1")]
    pub session: String,
    /// The condition's name, for the table alone: the page is never told
    #[arg(long, value_name = "NAME", default_value = "none")]
    pub condition: String,
    /// What the trials are made from
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// Go on with the task in --out
    #[arg(long)]
    pub resume: bool,
    /// Port on 127.0.0.1; without it a free one
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    pub port: u16,
    /// A browser to start with the address, for instance \"chromium --kiosk\"
    #[arg(long, value_name = "COMMAND")]
    pub browser: Option<String>,
    /// No LSL markers
    #[arg(long)]
    pub no_lsl: bool,
    /// Flash the patch so often instead of a task, for photodiode_ms
    #[arg(long, value_name = "FLASHES", num_args = 0..=1, default_missing_value = "60",
          value_parser = clap::value_parser!(u32).range(10..=1000))]
    pub calibrate: Option<u32>,
    /// With --calibrate: LSL predicate of the stream that has the photodiode, for instance \"name='aux'\"
    #[arg(long, value_name = "PREDICATE", requires = "calibrate")]
    pub photodiode: Option<String>,
    /// With --photodiode: its channel, from 1
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=4096))]
    pub channel: u32,
    /// Print the participant's texts, to translate, and end
    #[arg(long)]
    pub print_text: bool,
}

/// Runs the task to its end.
///
/// # Errors
/// [`Failure`] by exit code, as `--help` lists them.
pub fn run(args: &TaskArgs) -> Result<(), Failure> {
    if args.print_text {
        print!("{}", crate::task::texts::ENGLISH);
        return Ok(());
    }
    let settings = match &args.config {
        Some(path) => {
            super::files_exist(std::slice::from_ref(path))?;
            let text = std::fs::read_to_string(path)
                .map_err(|e| Failure::Usage(format!("{}: {e}", path.display())))?;
            let folder = path.parent().unwrap_or(std::path::Path::new("."));
            TaskSettings::from_toml(&text, folder)
                .map_err(|what| Failure::Usage(format!("{}: {what}", path.display())))?
        }
        None => TaskSettings::default(),
    };
    let photodiode =
        args.photodiode.as_deref().map(|named| Photodiode::open(named, args.channel)).transpose()?;
    let stop = Signals::register().map_err(Failure::fault)?;
    let (notices, told) = crossbeam_channel::bounded(256);
    let running = start(Start {
        settings,
        labels: Labels {
            participant: args.participant.clone(),
            session: args.session.clone(),
            condition: args.condition.clone(),
        },
        folder: args.out.clone().unwrap_or_default(),
        seed: args.seed,
        resume: args.resume,
        gated: false,
        port: args.port,
        lsl: !args.no_lsl,
        channel: None,
        notices: Some(notices),
        flashes: args.calibrate.unwrap_or(0),
    })
    .map_err(Failure::Usage)?;
    if running.resumed_at > 0 {
        println!(
            "goes on after {} trials; the one that may have been under way is marked broken",
            running.resumed_at
        );
    }
    println!("{}", running.url);
    let mut browser =
        args.browser.as_deref().map(|command| open_browser(command, &running.url)).transpose()?;
    let (ended, samples) = wait(running, &told, &stop, photodiode);
    if let Some(browser) = &mut browser {
        // Ours to end: it was started for this task.
        end_browser(browser);
    }
    finish(args, &ended.map_err(Failure::Fault)?, &samples)
}

fn open_browser(command: &str, url: &str) -> Result<Child, Failure> {
    let mut words = command.split_whitespace();
    let program = words.next().ok_or_else(|| Failure::Usage("--browser: is empty".into()))?;
    Command::new(program)
        .args(words)
        .arg(url)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        // A browser is many processes, and often a script in front of them: they are ended as one group.
        .process_group(0)
        .spawn()
        .map_err(|e| Failure::NotFound(format!("--browser {program}: cannot be started: {e}")))
}

/// Asks the browser and all that it started to end, and ends what has not within a second.
fn end_browser(browser: &mut Child) {
    let Ok(group) = i32::try_from(browser.id()) else { return };
    // SAFETY: `kill` only takes numbers; the group is of our own child, which is waited for below.
    unsafe { libc::kill(-group, libc::SIGTERM) };
    for _ in 0..20 {
        if matches!(browser.try_wait(), Ok(Some(_))) {
            break;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    // SAFETY: as above. Where the first of them has ended, the others still have its group.
    unsafe { libc::kill(-group, libc::SIGKILL) };
    let _ = browser.wait();
}

/// Tells notices as they come, until the task or a signal ends it.
fn wait(
    running: Running,
    told: &Receiver<String>,
    stop: &Signals,
    mut photodiode: Option<Photodiode>,
) -> (Result<Ended, String>, Vec<(f64, f64)>) {
    let mut samples = Vec::new();
    let mut stopping = false;
    while !running.is_over() {
        if let Ok(notice) = told.recv_timeout(Duration::from_millis(50)) {
            eprintln!("tras: {notice}");
        }
        if let Some(photodiode) = &mut photodiode {
            photodiode.pull(&mut samples);
        }
        if stop.count() > 0 && !stopping {
            stopping = true;
            running.stop();
        }
    }
    if let Some(photodiode) = &mut photodiode {
        photodiode.pull(&mut samples);
    }
    let ended = running.join();
    for notice in told.try_iter() {
        eprintln!("tras: {notice}");
    }
    (ended, samples)
}

fn finish(args: &TaskArgs, ended: &Ended, samples: &[(f64, f64)]) -> Result<(), Failure> {
    let [median, high, most] = ended.trips_ms;
    println!(
        "frame interval {:.2} ms, round trips {median:.2} ms (99 % {high:.2}, largest {most:.2}), {} markers",
        ended.frame_ms.unwrap_or(f64::NAN),
        ended.markers.0
    );
    if args.calibrate.is_some() {
        if !ended.complete {
            return Err(Failure::Fault("ended before the last flash".into()));
        }
        if args.photodiode.is_none() {
            println!(
                "{} flashes sent as patch_on and patch_off: compare them with the photodiode in your recording",
                ended.patch_on_s.len()
            );
            return Ok(());
        }
        let found = compare(&ended.patch_on_s, &rises(samples)).map_err(Failure::Fault)?;
        println!(
            "photodiode_ms = {:.1}  # sd {:.2} ms, {} of {} flashes seen; for [task]",
            found.median_ms, found.sd_ms, found.seen, found.flashes
        );
        return Ok(());
    }
    let [done, missed, broken, practice] = ended.rows;
    println!(
        "{done} trials done, {missed} missed, {broken} broken, {practice} for practice; {} frames dropped, all flagged",
        ended.frames_dropped
    );
    if ended.complete {
        Ok(())
    } else {
        Err(Failure::Fault("ended before its last trial; --resume goes on with it".into()))
    }
}

/// One channel of an LSL stream.
struct Photodiode {
    inlet: lsl::StreamInlet,
    channel: usize,
    correction_s: f64,
}

impl Photodiode {
    fn open(predicate: &str, channel: u32) -> Result<Self, Failure> {
        let told = |e: lsl::Error| Failure::NotFound(format!("--photodiode {predicate}: {e}"));
        let found = lsl::resolve_bypred(predicate, 1, 5.0).map_err(told)?;
        let info = found.first().ok_or_else(|| {
            Failure::NotFound(format!("--photodiode {predicate}: no such stream within 5 s"))
        })?;
        if i64::from(channel) > i64::from(info.channel_count()) {
            return Err(Failure::Usage(format!(
                "--channel {channel}: the stream has {}",
                info.channel_count()
            )));
        }
        let inlet = lsl::StreamInlet::new(info, 60, 0, true).map_err(told)?;
        inlet.open_stream(5.0).map_err(told)?;
        let correction_s = inlet.time_correction(5.0).map_err(told)?;
        Ok(Self { inlet, channel: channel as usize - 1, correction_s })
    }

    /// Takes what has come since the last time.
    fn pull(&mut self, samples: &mut Vec<(f64, f64)>) {
        while let Ok((row, stamp_s)) = lsl::Pullable::<f64>::pull_sample(&self.inlet, 0.0) {
            if stamp_s == 0.0 {
                break;
            }
            samples.extend(row.get(self.channel).map(|value| (stamp_s + self.correction_s, *value)));
        }
    }
}
