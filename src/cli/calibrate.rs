//! `tras calibrate audio -c FILE -o CALIBRATION`: known levels out, the operator's meter readings in, the scale and the
//! roll-off as a signed file that the configuration names.

use std::{
    io::{BufRead, Write},
    path::{Path, PathBuf},
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use clap::{Args, Subcommand, ValueEnum};

use super::check;
use crate::failure::Failure;
use crate::{
    config::{Config, StimulatorKind},
    session::{
        keys::Keys,
        moment::{self, Moment},
        private,
    },
    stimulator::audio::{
        calibration::{self, FADE_S, Knobs, Tone},
        certificate::{Certificate, NO_METER},
        find,
        player::Shared,
        rolloff::{Rolloff, WANTED_HZ},
        stream,
    },
};

/// Where the levels are read: high enough for any coupling, low enough for any meter.
const TONE_HZ: f64 = 10.0;
/// Shares of `limits.peak_ma` that are played, the least first: a wrong scale shows before it does harm.
const LEVELS: [f64; 5] = [0.2, 0.4, 0.6, 0.8, 1.0];
/// Frequencies for the roll-off, in Hz.
const ROLLOFF_HZ: [f64; 5] = [10.0, 5.0, 2.0, 1.0, 0.5];
/// Readings further from a straight line than this share are told.
const STRAIGHT: f64 = 0.02;

/// Arguments of `tras calibrate`.
#[derive(Args, Debug)]
pub struct CalibrateArgs {
    /// What is calibrated
    #[command(subcommand)]
    pub what: What,
}

/// What is calibrated.
#[derive(Subcommand, Debug)]
pub enum What {
    /// An audio output and the current source behind it, into a resistor of 1 kOhm
    Audio(AudioArgs),
}

/// Arguments of `tras calibrate audio`.
#[derive(Args, Debug)]
pub struct AudioArgs {
    /// Configuration with `stimulator.kind = "audio"`; its scale is the first guess
    #[arg(short, long, value_name = "FILE")]
    pub config: PathBuf,
    /// What the meter reads, as a true RMS value of the alternating part
    #[arg(long, value_enum, default_value_t = Reading::Ma)]
    pub reading: Reading,
    /// Read lower frequencies too and find the roll-off of the output
    #[arg(long)]
    pub rolloff: bool,
    /// Write what was measured to this file, signed, for `stimulator.calibration` of the configuration
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// The meter, with its number, for that file
    #[arg(long, value_name = "NAME")]
    pub meter: Option<String>,
}

/// What the meter reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Reading {
    /// mA through the resistor: finds `scale_ma_per_v`
    Ma,
    /// Volts at the audio output: finds `full_scale_v`
    V,
}

/// The operator at the terminal, or whatever stands in for one.
struct Operator<R, W> {
    answers: R,
    questions: W,
}

impl<R: BufRead, W: Write> Operator<R, W> {
    fn tell(&mut self, text: &str) -> Result<(), Failure> {
        writeln!(self.questions, "{text}").map_err(|e| Failure::Fault(e.to_string()))
    }

    fn ask(&mut self, question: &str) -> Result<String, Failure> {
        let failed = |e: std::io::Error| Failure::Fault(e.to_string());
        write!(self.questions, "{question} ").and_then(|()| self.questions.flush()).map_err(failed)?;
        let mut line = String::new();
        if self.answers.read_line(&mut line).map_err(failed)? == 0 {
            return Err(Failure::Usage(
                "the input ended before the last reading; nothing was written".into(),
            ));
        }
        Ok(line.trim().to_owned())
    }

    /// A number above zero; asks again until it is one.
    fn reading(&mut self, question: &str) -> Result<f64, Failure> {
        loop {
            let answer = self.ask(question)?;
            match answer.replace(',', ".").parse::<f64>() {
                Ok(value) if value.is_finite() && value > 0.0 => return Ok(value),
                _ => {
                    self.tell(&format!("  \"{answer}\" is no reading: a number above 0, for instance 0.354"))?
                }
            }
        }
    }
}

/// Runs the command.
///
/// # Errors
/// The output is not there, or the readings make no scale.
pub fn run(args: &CalibrateArgs) -> Result<(), Failure> {
    let What::Audio(args) = &args.what;
    let config = check::load_as_written(&args.config)?;
    if config.stimulator.kind != StimulatorKind::Audio {
        let file = args.config.display();
        return Err(Failure::Usage(format!(
            "{file}: stimulator.kind is not \"audio\": there is nothing to calibrate"
        )));
    }
    let (knobs, shared) = (Arc::new(Knobs::default()), Arc::new(Shared::new()));
    let stream = open(&config, &knobs, &shared)?;
    let mut operator = Operator { answers: std::io::stdin().lock(), questions: std::io::stdout().lock() };
    let mut bench = Bench { config: &config, knobs: &knobs, shared: &shared };
    let found = bench.session(args, &mut operator);
    // To zero before the output closes, however the session ended.
    knobs.set(0.0, TONE_HZ);
    std::thread::sleep(Duration::from_secs_f64(2.0 * FADE_S));
    drop(stream);
    let found = found?;
    operator.tell(&format!("\n{}", found.lines()))?;
    let Some(path) = &args.output else {
        return operator.tell(
            "Not kept. With -o FILE --meter NAME it is written and signed, for stimulator.calibration.",
        );
    };
    write(path, &config, found, args.meter.as_deref())?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    operator.tell(&format!("Beside {name}, in the configuration: stimulator.calibration = \"{name}\""))
}

fn write(path: &Path, config: &Config, found: Found, meter: Option<&str>) -> Result<(), Failure> {
    let now = Moment::now(0.0);
    let certificate = Certificate {
        device: config.stimulator.device.clone().unwrap_or_default(),
        channel: config.stimulator.channel.unwrap_or(1),
        scale_ma_per_v: found.scale,
        full_scale_v: found.full_v,
        rolloff_hz: found.rolloff_hz,
        measured_unix_s: now.unix_s,
        measured_at: moment::iso_8601(now.unix_s),
        meter: meter.map(str::trim).filter(|meter| !meter.is_empty()).unwrap_or(NO_METER).to_owned(),
        readings: found.readings,
    };
    let cannot = |why: String| Failure::Usage(format!("cannot write {}: {why}", path.display()));
    let key = Keys::of_user().and_then(|keys| keys.signing()).map_err(|e| cannot(e.to_string()))?;
    private::replace(path, certificate.signed(&key).as_bytes()).map_err(|e| cannot(e.to_string()))
}

/// What a session has found.
#[derive(Debug)]
struct Found {
    scale: f64,
    full_v: f64,
    rolloff_hz: Option<f64>,
    readings: Vec<[f64; 2]>,
}

impl Found {
    fn lines(&self) -> String {
        let mut lines = format!("scale_ma_per_v = {:.5}\nfull_scale_v = {:.5}\n", self.scale, self.full_v);
        if let Some(corner_hz) = self.rolloff_hz {
            lines.push_str(&format!("rolloff_hz = {corner_hz:.3}\n"));
        }
        lines
    }
}

fn open(config: &Config, knobs: &Arc<Knobs>, shared: &Arc<Shared>) -> Result<impl Sized, Failure> {
    let s = &config.stimulator;
    let (name, channel) = (s.device.as_deref().unwrap_or_default(), s.channel.unwrap_or(1));
    let not_found = |detail: String| Failure::NotFound(format!("audio {name:?} channel {channel}: {detail}"));
    let rate_hz = s.audio_rate_hz();
    let output = find::output(name, channel, rate_hz).map_err(not_found)?;
    let tone = Tone::new(output.config.sample_rate, Arc::clone(knobs), Arc::clone(shared));
    stream::start(&output, channel, tone, shared).map_err(not_found)
}

/// The output that is being calibrated.
struct Bench<'a> {
    config: &'a Config,
    knobs: &'a Knobs,
    shared: &'a Shared,
}

impl Bench<'_> {
    fn session<R: BufRead, W: Write>(
        &mut self,
        args: &AudioArgs,
        operator: &mut Operator<R, W>,
    ) -> Result<Found, Failure> {
        operator.tell(
            "This plays tones without any limit behind them but those of the current source.\n\
             Take the electrodes off. Connect a resistor of 1 kOhm to the source, and a true-RMS meter.",
        )?;
        if operator.ask("Type `resistor` when nobody is connected:")? != "resistor" {
            return Err(Failure::Usage("not confirmed; nothing was played".into()));
        }
        let s = &self.config.stimulator;
        let (Some(scale), Some(full_v)) = (s.scale_ma_per_v, s.full_scale_v) else {
            let what = "stimulator.scale_ma_per_v and full_scale_v: the first guess is missing; write what the manual says";
            return Err(Failure::Usage(what.into()));
        };
        let peak_ma = self.config.limits.peak_ma;
        let unit = if args.reading == Reading::Ma { "mA" } else { "V" };
        let per_ma = if args.reading == Reading::Ma { 1.0 } else { 1.0 / scale };
        let mut pairs = Vec::with_capacity(LEVELS.len());
        for share in LEVELS {
            let rms = share * peak_ma * per_ma / 2_f64.sqrt();
            let read = self.read(operator, share * peak_ma, TONE_HZ, &format!("{rms:.4} {unit}"), unit)?;
            if !(0.5 * rms..=2.0 * rms).contains(&read) {
                let how = if read > rms { "more than twice" } else { "less than half of" };
                let what = format!("{read} {unit} RMS is {how} what the configuration expects ({rms:.4})");
                return Err(Failure::Usage(format!("{what}; correct scale_ma_per_v and full_scale_v first")));
            }
            pairs.push((rms, read));
        }
        let line =
            calibration::line(&pairs).ok_or_else(|| Failure::Usage("the readings make no scale".into()))?;
        if line.worst > STRAIGHT {
            operator.tell(&format!(
                "warning: a reading lies {:.1} % off a straight line: does the source limit, or the output clip?",
                line.worst * 100.0
            ))?;
        }
        let (scale, full_v) = match args.reading {
            Reading::Ma => (scale * line.slope, full_v),
            Reading::V => (scale, full_v * line.slope),
        };
        let rolloff_hz = if args.rolloff { self.corner(operator, 0.6 * peak_ma, unit)? } else { None };
        Ok(Found { scale, full_v, rolloff_hz, readings: pairs.into_iter().map(<[f64; 2]>::from).collect() })
    }

    fn corner<R: BufRead, W: Write>(
        &self,
        operator: &mut Operator<R, W>,
        ma: f64,
        unit: &str,
    ) -> Result<Option<f64>, Failure> {
        operator.tell(
            "Now slower tones. Many meters read too little below 10 Hz: use an oscilloscope's RMS, or its\n\
             amplitude divided by 1.414.",
        )?;
        let mut pairs = Vec::with_capacity(ROLLOFF_HZ.len());
        for hz in ROLLOFF_HZ {
            pairs.push((hz, self.read(operator, ma, hz, "as before", unit)?));
        }
        let corner = calibration::corner(&pairs);
        match corner {
            None => operator.tell("no roll-off down to 0.5 Hz: nothing to compensate")?,
            Some(corner_hz) => {
                let reach_hz = Rolloff::new(corner_hz, 48_000.0).reach_hz();
                operator.tell(&format!("roll-off: first-order corner at {corner_hz:.3} Hz"))?;
                if reach_hz > WANTED_HZ {
                    operator.tell(&format!(
                        "warning: it can be compensated down to {reach_hz:.2} Hz only, not to {WANTED_HZ} Hz; use a DC-coupled output"
                    ))?;
                }
            }
        }
        Ok(corner)
    }

    fn read<R: BufRead, W: Write>(
        &self,
        operator: &mut Operator<R, W>,
        ma: f64,
        hz: f64,
        expected: &str,
        unit: &str,
    ) -> Result<f64, Failure> {
        let s = &self.config.stimulator;
        let full_ma = s.scale_ma_per_v.unwrap_or(1.0) * s.full_scale_v.unwrap_or(1.0);
        self.knobs.set(ma / full_ma, hz);
        let read =
            operator.reading(&format!("{hz} Hz, expected {expected} RMS; the meter reads, in {unit}:"));
        if self.shared.gone.load(Ordering::Acquire) {
            return Err(Failure::Fault("the audio output was lost during the calibration".into()));
        }
        read
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

    use super::*;

    fn config() -> Config {
        Config::from_str(
            "[stimulation]\nelectrode_area_cm2 = 35\n[stimulator]\nkind = \"audio\"\ndevice = \"out\"\nchannel = 1\n\
             scale_ma_per_v = 2.0\nfull_scale_v = 1.0\nexternal_limits = true\n",
            "test.toml",
        )
        .unwrap()
    }

    fn calibrate(reading: Reading, rolloff: bool, answers: &str) -> (Result<Found, Failure>, String) {
        let (config, knobs, shared) = (config(), Knobs::default(), Shared::new());
        let mut questions = Vec::new();
        let mut operator = Operator { answers: answers.as_bytes(), questions: &mut questions };
        let args = AudioArgs { config: PathBuf::new(), reading, rolloff, output: None, meter: None };
        let found = Bench { config: &config, knobs: &knobs, shared: &shared }.session(&args, &mut operator);
        (found, String::from_utf8(questions).unwrap())
    }

    /// Readings in mA of a source that delivers 5 % more than the configuration says.
    fn levels() -> String {
        LEVELS.iter().map(|share| format!("{:.9}\n", share * 0.5 / 2_f64.sqrt() * 1.05)).collect()
    }

    #[test]
    fn readings_become_a_scale() {
        let (found, _) = calibrate(Reading::Ma, false, &format!("resistor\n{}", levels()));
        assert_eq!(found.unwrap().lines(), "scale_ma_per_v = 2.10000\nfull_scale_v = 1.00000\n");
    }

    #[test]
    fn a_roll_off_out_of_reach_is_told() {
        let slow: String =
            ROLLOFF_HZ.iter().map(|f| format!("{:.5}\n", 0.2 / (1.0 + (3.0 / f).powi(2)).sqrt())).collect();
        let (found, told) = calibrate(Reading::Ma, true, &format!("resistor\n{}{slow}", levels()));
        let found = found.unwrap().lines();
        assert!(found.contains("rolloff_hz = 3.0") || found.contains("rolloff_hz = 2.9"), "{found}");
        assert!(told.contains("only, not to 0.5 Hz"), "{told}");
    }

    #[test]
    fn nothing_is_played_to_a_person_and_nonsense_is_asked_for_again() {
        let (found, _) = calibrate(Reading::Ma, false, "yes\n");
        assert!(found.unwrap_err().to_string().contains("nothing was played"));
        let (found, told) = calibrate(Reading::Ma, false, &format!("resistor\nabc\n-1\n{}", levels()));
        assert!(found.is_ok() && told.contains("\"abc\" is no reading"), "{told}");
        let (found, _) = calibrate(Reading::Ma, false, "resistor\n5\n");
        assert!(found.unwrap_err().to_string().contains("more than twice"));
        let (found, _) = calibrate(Reading::Ma, false, "resistor\n0.007\n");
        assert!(found.unwrap_err().to_string().contains("less than half"));
        let (found, _) = calibrate(Reading::Ma, false, "resistor\n0.07\n");
        assert!(found.unwrap_err().to_string().contains("the input ended"));
    }
}
