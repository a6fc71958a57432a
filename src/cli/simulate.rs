//! `tras simulate`: publishes a virtual participant as an LSL stream.

use super::replay::interrupted;
use crate::failure::Failure;
use crate::simulation::SimulationError;
use crate::simulation::faults::Fault;
use crate::simulation::listen::Names;
use crate::simulation::montage;
use crate::simulation::participant::{ExponentChange, ParticipantSettings};
use crate::simulation::publish::{PublishSettings, publish};
use crate::simulation::response::ResponseSettings;
use crate::simulation::rhythm::RhythmSettings;
use clap::Args;
use std::io::IsTerminal;

/// Publish a virtual participant, whose exponent is known, as an LSL EEG stream.
///
/// Sample k leaves at start + k / rate by the monotonic clock. Ctrl-C ends it cleanly.
///
/// Faults are KIND[:CHANNEL]@START[+DURATION][=VALUE], seconds from the first sample: dropout@30+5 (not sent),
/// lost@30+5 (the stream goes away and returns), stall@30+5 (held, then all at once), burst@30+20=12 (groups of 12
/// with one stamp), jump@60=2.5 (stamps off by 2.5 s), nan:Fz@30+1, inf@30, flat:Cz@30+2, rail:Cz@30+2=100000,
/// spike:Fz@30=5000 (microvolts), repeat@30+2 (the same frame again and again).
#[derive(Args, Clone, Debug)]
pub struct SimulateArgs {
    /// Name of the stream
    #[arg(long, default_value = "tras-sim")]
    pub name: String,
    /// Sampling rate in Hz
    #[arg(long, default_value_t = 250.0)]
    pub rate: f64,
    /// How many channels (1 to 256), or their labels: 8, or Fz,Cz,Pz
    #[arg(long, default_value = "8")]
    pub channels: String,
    /// Aperiodic exponent, 0 to 3
    #[arg(long, default_value_t = 1.5)]
    pub exponent: f64,
    /// A later exponent: EXPONENT@START or EXPONENT@START+DURATION of the change (2 s); may be repeated
    #[arg(long = "exponent-at", value_name = "EXPONENT@START[+DURATION]")]
    pub exponent_at: Vec<String>,
    /// Alpha (10 Hz) in a burst, microvolts RMS at Oz
    #[arg(long, default_value_t = 10.0)]
    pub alpha: f64,
    /// Theta (6 Hz) in a burst, microvolts RMS at Fz
    #[arg(long, default_value_t = 5.0)]
    pub theta: f64,
    /// Beta (20 Hz) in a burst, microvolts RMS at Cz
    #[arg(long, default_value_t = 0.0)]
    pub beta: f64,
    /// Background between 1 and 45 Hz, microvolts RMS
    #[arg(long, default_value_t = 12.0)]
    pub background: f64,
    /// Blinks a minute
    #[arg(long, default_value_t = 12.0)]
    pub blinks: f64,
    /// Mains frequency in Hz: 50, 60, or 0 for none
    #[arg(long, default_value_t = 50.0)]
    pub line: f64,
    /// Electrode drift, microvolts RMS
    #[arg(long, default_value_t = 10.0)]
    pub drift: f64,
    /// Seed of everything random
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// End after so many seconds
    #[arg(long)]
    pub seconds: Option<f64>,
    /// Samples sent together
    #[arg(long, default_value_t = 1)]
    pub chunk: u32,
    /// Something that goes wrong; may be repeated. See above
    #[arg(long = "fault", value_name = "FAULT")]
    pub faults: Vec<Fault>,
    /// Respond to the current on this LSL stream, and show its artefact
    #[arg(long, value_name = "STREAM", num_args = 0..=1, default_missing_value = "tras-current")]
    pub respond_to: Option<String>,
    /// Share of the way to the stimulation's exponent that full current moves the participant, 0 to 1
    #[arg(long, default_value_t = ResponseSettings::default().gain)]
    pub gain: f64,
    /// Artefact in microvolts for 1 mA
    #[arg(long, default_value_t = ResponseSettings::default().artefact_uv_per_ma)]
    pub artefact: f64,
}

impl SimulateArgs {
    /// The arguments as settings.
    ///
    /// # Errors
    /// [`SimulationError::Arguments`] where one makes no sense.
    pub fn settings(&self) -> Result<PublishSettings, SimulationError> {
        let wrong = SimulationError::Arguments;
        let labels = match self.channels.trim().parse::<usize>() {
            Ok(count) if (1..=256).contains(&count) => montage::labels(count),
            Ok(count) => return Err(wrong(format!("--channels {count}: give 1 to 256"))),
            Err(_) => self.channels.split(',').map(|label| label.trim().to_owned()).collect(),
        };
        if labels.iter().any(String::is_empty) {
            return Err(wrong(format!(
                "--channels {}: give a number, or labels such as Fz,Cz,Pz",
                self.channels
            )));
        }
        if self.seconds.is_some_and(|s| !(s.is_finite() && s > 0.0)) {
            return Err(wrong("--seconds: give a number above 0".into()));
        }
        let mut changes: Vec<ExponentChange> =
            self.exponent_at.iter().map(|text| change(text)).collect::<Result<_, _>>()?;
        changes.sort_by(|a, b| a.at_s.total_cmp(&b.at_s));
        let rhythms = [
            RhythmSettings::alpha(self.alpha),
            RhythmSettings::theta(self.theta),
            RhythmSettings::beta(self.beta),
        ];
        let participant = ParticipantSettings {
            rate_hz: self.rate,
            labels,
            exponent: self.exponent,
            changes,
            background_uv: self.background,
            rhythms: rhythms.to_vec(),
            blinks_per_minute: self.blinks,
            line_hz: self.line,
            drift_uv: self.drift,
            response: ResponseSettings {
                gain: self.gain,
                artefact_uv_per_ma: self.artefact,
                ..ResponseSettings::default()
            },
            ..ParticipantSettings::default()
        };
        participant.check()?;
        Ok(PublishSettings {
            name: self.name.clone(),
            participant,
            seed: self.seed,
            chunk: self.chunk,
            seconds: self.seconds,
            faults: self.faults.clone(),
            respond_to: self.respond_to.as_deref().map(Names::of_current),
        })
    }
}

impl From<SimulationError> for Failure {
    fn from(error: SimulationError) -> Self {
        match error {
            SimulationError::Arguments(what) => Self::Usage(what),
            SimulationError::NotFound(what) => Self::NotFound(what),
            SimulationError::Fault(what) => Self::Fault(what),
        }
    }
}

/// `EXPONENT@START[+DURATION]`.
fn change(text: &str) -> Result<ExponentChange, SimulationError> {
    let read = || {
        let (exponent, when) = text.split_once('@')?;
        let (at, over) = when.split_once('+').unwrap_or((when, "2"));
        Some(ExponentChange {
            exponent: exponent.parse().ok()?,
            at_s: at.parse().ok()?,
            over_s: over.parse().ok()?,
        })
    };
    read().ok_or_else(|| {
        SimulationError::Arguments(format!(
            "--exponent-at {text}: write EXPONENT@START[+DURATION], 2.0@60+5 for instance"
        ))
    })
}

/// Publishes until the time is over or Ctrl-C comes.
///
/// # Errors
/// [`Failure::Usage`] or [`Failure::Fault`]; see [`publish`].
pub fn run(args: &SimulateArgs) -> Result<(), Failure> {
    let settings = args.settings()?;
    let stop = interrupted()?;
    let participant = &settings.participant;
    eprintln!(
        "publishing `{}`: {} channels at {} Hz, exponent {} (Ctrl-C ends)",
        settings.name,
        participant.labels.len(),
        participant.rate_hz,
        participant.exponent
    );
    let terminal = std::io::stderr().is_terminal();
    let done = publish(&settings, &stop, |so_far| {
        if terminal {
            let seconds = so_far.made as f64 / participant.rate_hz;
            eprint!("\r{seconds:8.0} s  {} samples  exponent {:.3}  ", so_far.sent, so_far.exponent);
        }
    })?;
    if terminal {
        eprintln!();
    }
    eprintln!(
        "{} samples made, {} sent; late by {:.0} us on average, {:.1} ms at worst; current heard {}, too late {}",
        done.made,
        done.sent,
        1e6 * done.lateness.mean_s(),
        1e3 * done.lateness.worst_s,
        done.current_heard,
        done.current_late
    );
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: SimulateArgs,
    }

    fn parse(line: &str) -> Result<PublishSettings, String> {
        let words = std::iter::once("simulate").chain(line.split_whitespace());
        let line = Line::try_parse_from(words).map_err(|error| error.to_string())?;
        line.args.settings().map_err(|error| error.to_string())
    }

    #[test]
    fn arguments_become_settings() {
        let plain = parse("").unwrap();
        assert_eq!((plain.name.as_str(), plain.participant.labels.len()), ("tras-sim", 8));
        assert_eq!(plain.respond_to, None);
        let full = parse(
            "--channels Fz,Oz --rate 500 --exponent-at 2.0@60+5 --exponent-at 1@30 --fault dropout@30+5 \
             --fault nan:Oz@3 --respond-to --line 0",
        )
        .unwrap();
        assert_eq!(full.participant.labels, ["Fz", "Oz"]);
        assert_eq!(full.participant.exponent_at(20.0), 1.5);
        assert_eq!((full.participant.exponent_at(32.0), full.participant.exponent_at(65.0)), (1.0, 2.0));
        assert_eq!(full.faults.len(), 2);
        assert_eq!(full.respond_to, Some(Names::of_current("tras-current")));
    }

    #[test]
    fn mistakes_are_named() {
        for (line, says) in [
            ("--channels 0", "1 to 256"),
            ("--channels 257", "1 to 256"),
            ("--channels Fz,,Cz", "labels such as"),
            ("--exponent 4", "exponent 4"),
            ("--exponent-at 2", "EXPONENT@START"),
            ("--exponent-at 9@2", "exponent 9"),
            ("--rate 0", "rate 0"),
            ("--rate nan", "rate NaN"),
            ("--seconds=-1", "above 0"),
            ("--seconds 0", "above 0"),
            ("--fault explode@3", "unknown kind `explode`"),
            ("--alpha=-1", "0 to 1000000"),
            ("--gain 2", "gain 2"),
        ] {
            let error = parse(line).unwrap_err();
            assert!(error.contains(says), "{line}: {error}");
        }
    }
}
