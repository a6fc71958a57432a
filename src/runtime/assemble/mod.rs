//! From a checked configuration to the parts that run: sample counts, buffers, limits. The last place that sees a
//! configuration; both runtimes, and the tests that drive the stages themselves, take their parts from here.
//!
//! [`live`] opens the stream and the device of a real run, [`in_virtual_time`] a simulated pair; [`Order::assemble`]
//! takes any. Everything that may be missing or refused is asked for here, before any thread starts.

mod conduct;
mod device;
mod estimator;
mod observers;
mod order;
mod stimulation;
mod stream;

use std::{path::PathBuf, sync::Arc};

use crossbeam_channel::Receiver;

pub use self::order::{Order, SessionOrder};
use super::{
    conduct::{Conductor, task::TaskOrder},
    digest::Digest,
    keep::Keeper,
    live::refit::Refit,
    observation::{Notes, Stamped},
    signals::Signals,
    stages::{acquire::AcquireStage, closed_loop::LoopStage, stimulate::StimulateStage},
};
use crate::{
    acquisition::{
        Source,
        conditioner::Conditioner,
        moved::Moved,
        remote::{Opened, RemoteSource},
        settings::{AcquisitionError, AcquisitionSettings},
    },
    child::process::Supervised,
    clock,
    dashboard::View,
    estimator::settings::Settings,
    failure::Failure,
    markers::MarkersOrder,
    outlets::remote::RemoteOrder,
    session::{course::Course, dose::DoseLedger},
    simulation::source::SimulatedSource,
    stimulator::Stimulator,
    watch::CurrentWatch,
};

/// Notes under way at most.
const NOTES: usize = 8_192;

/// A run, put together: nothing of it has moved yet.
pub struct Parts<S> {
    /// Source to frames.
    pub acquire: AcquireStage<S>,
    /// Frames to decisions, and the plan.
    pub looping: LoopStage,
    /// Commands to current; `None` where nothing stimulates.
    pub stimulate: Option<StimulateStage>,
    /// Whether current flows: what `stimulate` writes and `looping` reads.
    pub watch: Arc<CurrentWatch>,
    /// What the stages tell, and where it comes out.
    pub notes: Notes,
    /// See `notes`.
    pub notes_out: Receiver<Stamped>,
    /// The summary in the making.
    pub digest: Digest,
    /// The recording, where one is wanted.
    pub keeper: Option<Keeper>,
    /// What the screen shows before anything has happened.
    pub view: View,
    /// Streams of our own, where wanted.
    pub outlets: Option<RemoteOrder>,
    /// Which markers of other programs are recorded.
    pub markers: MarkersOrder,
    /// Why what is there in place of a lost stream is not taken, as it is found out.
    pub news: Option<Receiver<String>>,
    /// Processes that a part talks to, and that must be looked after.
    pub children: Vec<Supervised>,
    /// What waits for a person's word, if the stream comes back from another host.
    pub moved: Option<Arc<Moved>>,
    /// What the participant has had today, where current may reach a person.
    pub ledger: Option<DoseLedger>,
    /// Makes an estimator for a stream that runs at another rate than it says.
    pub refit: Refit,
    /// What conducts a session by a protocol.
    pub conductor: Option<Conductor>,
    /// The task of its blocks.
    pub task: Option<TaskOrder>,
    /// The numbers that threads and rings are cut to.
    pub shape: Shape,
    /// What a person should know before current flows.
    pub cautions: Vec<String>,
    /// What did not go quite as asked.
    pub warnings: Vec<String>,
}

/// The numbers that threads and rings are cut to, and when a run ends.
#[derive(Clone, Debug)]
pub struct Shape {
    /// When the run began, on this machine's LSL clock.
    pub began_s: f64,
    /// It ends after so many seconds; `None`: with its plan.
    pub seconds: Option<f64>,
    /// Of the EEG, in Hz.
    pub eeg_rate_hz: f64,
    /// Chosen channels.
    pub channels: usize,
    /// Frames from one window to the next.
    pub hop_frames: usize,
    /// Of the current, in Hz; 1 where nothing stimulates.
    pub current_rate_hz: f64,
    /// Names of what is estimated.
    pub targets: Vec<String>,
    /// After current has ended, no window is clean for so many seconds.
    pub unclean_s: f64,
    /// Whether current can flow at all.
    pub stimulates: bool,
    /// Folder of the recording.
    pub record_dir: Option<PathBuf>,
}

/// A source of any kind, as the acquire thread owns it.
pub type AnySource = Box<dyn Source + Send>;

/// The parts of a run on the stream and the device that `order` names; `None` where someone said stop while the stream
/// was looked for.
///
/// # Errors
/// Something that it asks for is not there, or does not fit.
pub fn live(order: &Order, signals: &Signals) -> Result<Option<Parts<AnySource>>, Failure> {
    let settings = order.acquisition();
    let opened = RemoteSource::open(
        &settings,
        order.patience_s,
        &mut |looking| eprintln!("tras: {looking}"),
        &mut || signals.count() > 0,
    );
    let Opened::Stream(source, child) = opened.map_err(not_found)? else { return Ok(None) };
    let now_s = clock::now_s();
    let moved = Arc::clone(source.moved());
    let news = source.news();
    let mut parts = order.assemble(&settings, source as AnySource, || order.device(now_s), now_s)?;
    parts.news = Some(news);
    parts.children.push(*child);
    parts.moved = Some(moved);
    Ok(Some(parts))
}

/// The parts of a run on a simulated participant under a clock that begins at `start_s`.
///
/// # Errors
/// The configuration does not fit the simulation.
pub fn in_virtual_time(order: &Order, start_s: f64) -> Result<Parts<SimulatedSource>, Failure> {
    // One process, one stamp a sample: there is nothing to smooth.
    let settings = AcquisitionSettings { settle_s: 0.0, ..order.acquisition() };
    let source =
        SimulatedSource::new(&order.participant(), order.seed, start_s, None).map_err(Failure::usage)?;
    order.assemble(&settings, source, || order.device(start_s), start_s)
}

impl Order {
    /// The parts of a run whose EEG comes from `source` and whose current goes to `device`, which is connected last:
    /// nothing is asked of it where the rest does not fit.
    ///
    /// # Errors
    /// Something does not fit, or cannot be opened.
    pub fn assemble<S: Source>(
        &self,
        acquisition: &AcquisitionSettings,
        source: S,
        device: impl FnOnce() -> Result<Option<Box<dyn Stimulator>>, Failure>,
        now_s: f64,
    ) -> Result<Parts<S>, Failure> {
        let stream = source.description().clone();
        let conditioner = Conditioner::new(&stream, acquisition).map_err(not_found)?;
        self.config.check_against_rate(stream.rate_hz).map_err(Failure::usage)?;
        let labels: Vec<String> = conditioner.channels().iter().map(|c| c.label.clone()).collect();
        let estimator = self.estimator(stream.rate_hz, &labels)?;
        let target_list = estimator.settings().targets.clone();
        let targets: Vec<String> = estimator.settings().targets.iter().map(|t| t.name.clone()).collect();
        let hop_frames = estimator.hop_samples();
        // The study's own peak width on its own segments is no news with every run: `tras check` tells it.
        let e = &self.config.estimator;
        let chosen =
            e.peak_width_hz != Settings::for_windows(e.method, e.window_s, e.hop_s, e.range_hz).peak_width_hz;
        let warnings =
            estimator.warnings().iter().filter(|what| chosen || !what.contains("smallest peak width"));
        let mut warnings: Vec<String> = warnings.cloned().collect();
        let controller = self.controller()?;
        let device = device()?;
        let current_rate_hz = device.as_ref().map_or(1.0, |device| device.rate_hz());
        let cautions = self.cautions(device.as_deref());
        let through = match &device {
            Some(_) => self.through(stream.rate_hz, current_rate_hz, &labels, target_list),
            None => Ok(None),
        };
        let seen_through = through.as_ref().map(|_| ()).map_err(String::as_str);
        let confirmation = match &device {
            Some(_) => self.confirmation(&stream, &labels, seen_through)?,
            None => None,
        };
        let current = device.as_ref().map(|_| self.current(current_rate_hz)).transpose()?;
        let ledger = self.ledger(device.is_some())?;
        let watch = Arc::new(CurrentWatch::default());
        let day_left_s = ledger.as_ref().map_or(self.config.limits.daily_min * 60.0, DoseLedger::left_s);
        let conducted = self.conducted(Arc::clone(&watch), day_left_s)?;
        let keeper = self.keeper(&stream, conditioner.channels(), &targets, current_rate_hz, now_s)?;
        let keeper =
            self.keeping(keeper, &stream, conditioner.channels(), &targets, current_rate_hz, now_s)?;
        let (course, conductor) = match conducted {
            Some((course, conductor)) => (Some(Box::new(course) as Box<dyn Course>), Some(conductor)),
            None => (self.course(), None),
        };
        let view = self.view(&stream, &labels, &targets, device.as_deref());

        let (notes, notes_out) = Notes::channel(NOTES);
        let settings = self.loop_settings();
        // Whoever cannot see through the current waits for the gaps: a run goes on without it.
        let through = through.unwrap_or_else(|what| {
            warnings.push(format!("estimates under current are not shown: {what}"));
            None
        });
        let stimulate = current.zip(device).map(|(current, device)| {
            let (decision, watch) = (controller.decision(), Arc::clone(&watch));
            StimulateStage::new(self.burst(), current, device, decision, watch, notes.clone(), now_s)
        });
        Ok(Parts {
            acquire: AcquireStage::new(source, conditioner, notes.clone()),
            looping: LoopStage::new(
                settings,
                course,
                estimator,
                controller,
                Arc::clone(&watch),
                notes.clone(),
            )
            .with_through(through, confirmation),
            stimulate,
            watch,
            notes,
            notes_out,
            digest: Digest::new(settings.steer, current_rate_hz, self.dc_warn_ma(), now_s),
            keeper,
            view,
            outlets: self.outlets(targets.clone(), current_rate_hz),
            markers: self.marker_order(),
            news: None,
            children: Vec::new(),
            moved: None,
            ledger,
            refit: self.refit(&labels),
            conductor,
            task: self.task_order(),
            shape: Shape {
                began_s: now_s,
                seconds: self.seconds,
                eeg_rate_hz: stream.rate_hz,
                channels: labels.len(),
                hop_frames,
                current_rate_hz,
                targets,
                unclean_s: self.config.stimulation.blind_gap_s + self.config.estimator.window_s,
                stimulates: self.config.stimulates(),
                record_dir: self.record.clone(),
            },
            cautions,
            warnings,
        })
    }
}

fn not_found(error: AcquisitionError) -> Failure {
    if error.is_not_found() {
        Failure::NotFound(error.to_string())
    } else {
        Failure::Usage(error.to_string())
    }
}
