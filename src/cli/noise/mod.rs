//! `tras noise`: writes a noise current to a file, and says what it measures in it.
//!
//! In: profile, exponent, band, peak, seed. Out: WAV (mono, float32, in mA) or CSV, and a table or a JSON line of
//! figures measured from the samples written. Memory does not grow with the length. The file appears under its
//! name only once it is whole.

mod file;

use std::io::{IsTerminal, Write};
use std::path::PathBuf;

use clap::Args;

use self::file::{Format, Sink};
use crate::noise::course::{Course, Shape};
use crate::noise::measure::{Figures, Measure};
use crate::noise::profile;
use crate::noise::{Colour, Noise, NoiseError, Parameters, Profile};

/// Samples worked on at a time.
const CHUNK: usize = 8192;
/// Longest file in s.
const LONGEST_S: f64 = 86_400.0;
/// Samples above which a terminal gets a progress bar.
const LONG: u64 = 20_000_000;

/// Write a noise current to WAV or CSV and measure it
#[derive(Args, Clone, Debug)]
pub struct NoiseArgs {
    /// steep, flat, or sham (30 s with ramps, then zero)
    #[arg(long, default_value = "steep")]
    pub profile: String,
    /// Exponent of the spectrum f^-x, 0 to 3 [default: steep and sham 2.0, flat 0.5: ours, not the study's]
    #[arg(long, allow_negative_numbers = true)]
    pub exponent: Option<f64>,
    /// Low and high edge of the band in Hz
    #[arg(long, default_value = "0.5,100", value_delimiter = ',', num_args = 1.., allow_negative_numbers = true)]
    pub band: Vec<f64>,
    /// Largest current in mA (three standard deviations), at most 1
    #[arg(long, default_value_t = 0.5, allow_negative_numbers = true)]
    pub peak_ma: f64,
    /// Samples a second
    #[arg(long, default_value_t = 2000)]
    pub rate: u32,
    /// Length in s
    #[arg(long, default_value_t = 60.0, allow_negative_numbers = true)]
    pub seconds: f64,
    /// Seed of the noise: the same seed gives the same samples
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// File to write, .wav or .csv; without it the noise is only measured
    #[arg(long)]
    pub out: Option<PathBuf>,
    /// One line of JSON instead of the table
    #[arg(long)]
    pub json: bool,
}

/// Why nothing, or not everything, was written.
#[allow(missing_docs, reason = "the fields are named after what the message says")]
#[derive(Debug, thiserror::Error)]
pub enum NoiseCommandError {
    /// Bad argument: exit code 2.
    #[error("noise: {0}")]
    Noise(#[from] NoiseError),
    /// Bad argument: exit code 2.
    #[error("noise: --{key} {value}: {needs}")]
    Argument { key: &'static str, value: String, needs: &'static str },
    /// The file or the standard output could not be written.
    #[error("noise: {}: {source}", path.display())]
    Write { path: PathBuf, source: std::io::Error },
}

/// Runs the command.
///
/// # Errors
/// Bad arguments, or a file that cannot be written.
pub fn run(args: &NoiseArgs) -> Result<(), NoiseCommandError> {
    let plan = Plan::new(args)?;
    let clipped_share =
        profile::check_seed(&plan.parameters, plan.rate_hz(), args.seed, plan.sounding_samples())?;
    let mut sink = args.out.as_deref().map(|path| Sink::create(path, plan.rate)).transpose()?;
    let (before, after) = plan.make(args.seed, sink.as_mut())?;
    if let Some(sink) = sink {
        sink.finish()?;
    }
    let text = if args.json {
        plan.json(args, clipped_share, &before, &after)
    } else {
        plan.table(args, clipped_share, &before, &after)
    };
    match writeln!(std::io::stdout().lock(), "{text}") {
        // A reader that has gone (`| head`) has what it wanted.
        Err(source) if source.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(NoiseCommandError::Write { path: "standard output".into(), source })
        }
        _ => Ok(()),
    }
}

/// The arguments, checked.
struct Plan {
    profile: Profile,
    parameters: Parameters,
    rate: u32,
    samples: u64,
    /// Range of the measured exponent in Hz.
    range_hz: (f64, f64),
}

impl Plan {
    fn new(args: &NoiseArgs) -> Result<Self, NoiseCommandError> {
        let profile: Profile = args.profile.parse()?;
        let &[low_hz, high_hz] = args.band.as_slice() else {
            let value = args.band.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
            let needs = "needs two frequencies in Hz, as in 0.5,100";
            return Err(NoiseCommandError::Argument { key: "band", value, needs });
        };
        if !(args.seconds > 0.0 && args.seconds <= LONGEST_S) {
            let needs = "must be above 0 and at most 86400 s";
            let value = args.seconds.to_string();
            return Err(NoiseCommandError::Argument { key: "seconds", value, needs });
        }
        if !(100..=200_000).contains(&args.rate) {
            let needs = "must lie in 100..200000 samples/s";
            return Err(NoiseCommandError::Argument { key: "rate", value: args.rate.to_string(), needs });
        }
        let samples = (args.seconds * f64::from(args.rate)).round() as u64;
        let is_wav = args.out.as_deref().is_some_and(|path| Format::of(path) == Some(Format::Wav));
        if is_wav && samples > u64::from(u32::MAX / 4 - 64) {
            let needs = "a WAV file holds at most 4 GiB: fewer seconds or a lower rate";
            return Err(NoiseCommandError::Argument {
                key: "seconds",
                value: args.seconds.to_string(),
                needs,
            });
        }
        let exponent = args.exponent.unwrap_or(profile.default_exponent());
        let parameters = Parameters { exponent, band_hz: (low_hz, high_hz), peak_ma: args.peak_ma };
        parameters.check()?;
        let range_hz = (1f64.max(2.0 * low_hz), 0.9 * high_hz);
        Ok(Self { profile, parameters, rate: args.rate, samples, range_hz })
    }

    fn rate_hz(&self) -> f64 {
        f64::from(self.rate)
    }

    /// Samples that are not zero by the profile's course.
    fn sounding_samples(&self) -> u64 {
        // A duration beyond what fits becomes the largest count, which `min` leaves out.
        self.samples.min((self.shape().flows_s() * self.rate_hz()) as u64)
    }

    /// The amplitude over time: the plain noise from its first sample on, or a sham's course.
    fn shape(&self) -> Shape {
        self.profile.shape(0.0)
    }

    /// Makes the samples, writes them, measures them before and after limiting and ramps.
    fn make(&self, seed: u64, mut sink: Option<&mut Sink>) -> Result<(Figures, Figures), NoiseCommandError> {
        let Parameters { exponent, band_hz, .. } = self.parameters;
        // The same noise twice: as it is shaped, of RMS 1, and as it is limited, in mA.
        let mut colour = Colour::new(self.rate_hz(), band_hz, exponent, seed)?;
        let mut noise = Noise::new(&self.parameters, self.rate_hz(), seed)?;
        let mut course = Course::new(&self.shape(), self.rate_hz());
        let (mut before, mut after) = (Measure::new(self.rate_hz()), Measure::new(self.rate_hz()));
        let bar = (self.samples > LONG && std::io::stderr().is_terminal())
            .then(|| indicatif::ProgressBar::new(self.samples));
        let mut buffer = vec![0f32; CHUNK];
        let mut left = self.samples;
        while left > 0 {
            let n = left.min(CHUNK as u64);
            let chunk = buffer.get_mut(..n as usize).unwrap_or_default();
            colour.fill(chunk);
            before.push(chunk);
            noise.fill(chunk);
            course.apply(chunk);
            after.push(chunk);
            if let Some(sink) = &mut sink {
                sink.write(chunk)?;
            }
            left -= n;
            if let Some(bar) = &bar {
                bar.inc(n);
            }
        }
        if let Some(bar) = bar {
            bar.finish_and_clear();
        }
        Ok((before.figures(self.range_hz), after.figures(self.range_hz)))
    }

    fn json(&self, args: &NoiseArgs, clipped_share: f64, before: &Figures, after: &Figures) -> String {
        let slope = |figures: &Figures| figures.slope.map(|s| s.exponent);
        serde_json::json!({
            "profile": self.profile.name(),
            "exponent_asked": self.parameters.exponent,
            "band_hz": [self.parameters.band_hz.0, self.parameters.band_hz.1],
            "peak_asked_ma": self.parameters.peak_ma,
            "rate_hz": self.rate,
            "samples": self.samples,
            "seed": args.seed,
            "exponent_before_limit": slope(before),
            "exponent": if self.profile == Profile::Sham { None } else { slope(after) },
            "exponent_se": after.slope.map(|s| s.se),
            "exponent_range_hz": [self.range_hz.0, self.range_hz.1],
            "rms_ma": after.rms_ma,
            "rms_expected_ma": if self.profile == Profile::Sham { None } else { Some(self.parameters.rms_ma()) },
            "peak_ma": after.peak_ma,
            "crest_factor": after.crest_factor,
            "dc_ma": after.dc_ma,
            "dc_10s_ma": after.dc_10s_ma,
            "dc_10s_plain_ma": after.dc_10s_plain_ma,
            "clipped_share": clipped_share,
            "out": args.out,
        })
        .to_string()
    }

    fn table(&self, args: &NoiseArgs, clipped_share: f64, before: &Figures, after: &Figures) -> String {
        let (low_hz, high_hz) = self.range_hz;
        let slope = |figures: &Figures| {
            figures.slope.map_or_else(
                || "too short to measure".to_owned(),
                |s| format!("{:.4} +- {:.4} (standard error)", s.exponent, s.se),
            )
        };
        let sham = self.profile == Profile::Sham;
        let mut lines = vec![
            format!("profile               {}, exponent {}", self.profile.name(), self.parameters.exponent),
            format!("exponent, unlimited   {}, {low_hz}..{high_hz} Hz", slope(before)),
        ];
        if !sham {
            lines.push(format!("exponent, as written  {}", slope(after)));
        }
        let expected =
            if sham { String::new() } else { format!(", expected {:.4}", self.parameters.rms_ma()) };
        lines.extend([
            format!("RMS                   {:.4} mA{expected}", after.rms_ma),
            format!("peak, crest factor    {:.4} mA, {:.2}", after.peak_ma, after.crest_factor),
            format!("DC, whole length      {:.3} uA", after.dc_ma * 1e3),
            format!(
                "DC, worst 10 s        {:.2} uA (plain mean {:.2} uA)",
                after.dc_10s_ma * 1e3,
                after.dc_10s_plain_ma * 1e3
            ),
            format!("beyond three sigma    {:.3} % of the samples", clipped_share * 100.0),
        ]);
        if let Some(out) = &args.out {
            lines.push(format!("written               {}, {} samples in mA", out.display(), self.samples));
        }
        lines.join("\n")
    }
}
