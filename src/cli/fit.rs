//! `tras fit SPECTRA.csv`: fits spectra that were made elsewhere.

use std::collections::HashSet;
use std::io::Write;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::method::{MethodArg, MethodOptions, ModeArg};
use super::options::positive;
use crate::clean;
use crate::config::MethodName;
use crate::estimator::assemble;
use crate::estimator::settings;
use crate::estimator::specparam::{Mode, SpecparamSettings};
use crate::failure::Failure;
use crate::offline::fit::{FitRecord, FitSettings, Making, TaperChoice, fit_all};
use crate::offline::preset::Preset;
use crate::offline::settings::{Overrides, complaint};
use crate::offline::spectra::Spectra;

const AFTER_HELP: &str = "\
Input: CSV with the header freq,<name>,<name>,...; frequencies in Hz, evenly spaced; linear powers.
Output, jsonl: one JSON object a spectrum: name, exponent, offset, knee (knee mode), exponent_se, r_squared, mae,
  peaks [{cf, pw, bw}], valid, reason, adjusted_r_squared, median_error, knee_hz, bend_evidence,
  pivot_offset (log10 power at the range's geometric mean); null where a number is not known.
  csv: the same, peaks as cf:pw:bw;...
  --mode doublexp (specparam 2's): offset - log10(f^exponent0 (knee + f^exponent)), with the key
  exponent0: power falls as f^-exponent0 below the knee, as f^-(exponent0 + exponent) above it.
  The knee lies in the range.
  With several files each record begins with its file.
Exit codes: 0 done; 2 bad arguments; 3 a file is missing (nothing is fitted); 4 a file is broken: it is named on
  standard error and left out, the others are fitted. A spectrum that cannot be fitted is no error: valid is false.";

/// Fit spectra made elsewhere: CSV in, one record a spectrum out. Without options: the tRAS study's settings.
#[derive(Args, Clone, Debug)]
#[command(after_help = AFTER_HELP)]
pub struct FitArgs {
    /// CSV files of spectra
    #[arg(required = true, value_name = "SPECTRA.csv")]
    pub files: Vec<PathBuf>,
    /// Start from a study's settings: trasrest, trastask, rett, sertraline, sprint
    #[arg(long, value_name = "NAME")]
    pub preset: Option<String>,
    /// How to fit
    #[command(flatten)]
    pub fit: MethodOptions,
    /// How records are written
    #[arg(long, default_value = "jsonl")]
    pub format: Format,
    /// Write here instead of to standard output
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// whittle: how many segments are averaged in each spectrum; a segment is taken to last 1 / (frequency step)
    #[arg(long, value_name = "N", conflicts_with = "window")]
    pub segments: Option<usize>,
    /// whittle, instead of --segments: seconds of signal in each spectrum
    #[arg(long, value_name = "S", value_parser = positive)]
    pub window: Option<f64>,
    /// whittle: share of a segment that the next one repeats
    #[arg(long, value_name = "SHARE", default_value_t = 0.5)]
    pub overlap: f64,
    /// whittle: taper of a segment: hann, hamming, blackman, boxcar, or sine:K
    #[arg(long, value_name = "NAME", default_value = "hann", value_parser = TaperChoice::parse)]
    pub taper: TaperChoice,
}

/// `--format`
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// One JSON object a line
    Jsonl,
    /// A table
    Csv,
}

impl FitArgs {
    /// The settings: options over the preset's over the tRAS study's.
    ///
    /// # Errors
    /// Names the option that is wrong.
    pub fn settings(&self, step_hz: f64) -> Result<FitSettings, String> {
        let base = match &self.preset {
            Some(name) => Preset::named(name)?.estimator,
            None => Overrides::default(),
        };
        let e = base.resolve().map_err(|error| complaint(&error))?.estimator;
        let mut specparam = SpecparamSettings { line_noise: None, ..assemble::specparam_settings(&e) };
        if let Some([low, high]) = self.fit.range {
            specparam.range_hz = (low, high);
        }
        if let Some([narrow, wide]) = self.fit.peak_width {
            specparam.peak_width_hz = (narrow, wide);
        }
        if let Some(mode) = self.fit.mode {
            specparam.mode = match mode {
                ModeArg::Fixed => Mode::Fixed,
                ModeArg::Knee | ModeArg::Auto => Mode::Knee,
                ModeArg::Doublexp => Mode::Doublexp,
            };
        }
        specparam.max_n_peaks = self.fit.max_peaks.map_or(specparam.max_n_peaks, |most| most as usize);
        specparam.min_peak_height = self.fit.min_peak_height.unwrap_or(specparam.min_peak_height);
        specparam.peak_threshold = self.fit.peak_threshold.unwrap_or(specparam.peak_threshold);
        specparam.check()?;
        if !(0.0..=0.95).contains(&self.overlap) {
            return Err(format!("--overlap {}: must be 0 to 0.95", self.overlap));
        }
        let making = self.segments(step_hz)?.map(|segments| Making {
            segments,
            overlap: self.overlap,
            taper: self.taper,
        });
        let method = self.fit.method.map_or(e.method, MethodArg::name);
        let mode = self.fit.mode.map_or(e.mode, ModeArg::mode);
        if method == MethodName::Specparam && mode == settings::Mode::Auto {
            return Err("--mode auto: specparam cannot choose; use fixed or knee, or --method whittle".into());
        }
        if method == MethodName::Whittle && self.fit.mode == Some(ModeArg::Doublexp) {
            return Err("--mode doublexp: whittle has no such line; use --method specparam".into());
        }
        Ok(FitSettings { method, mode, specparam, making })
    }

    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "bounded")]
    fn segments(&self, step_hz: f64) -> Result<Option<usize>, String> {
        if let Some(segments) = self.segments {
            return match segments {
                1..=100_000 => Ok(Some(segments)),
                _ => Err(format!("--segments {segments}: must be 1 to 100000")),
            };
        }
        let Some(window_s) = self.window else { return Ok(None) };
        let segment_s = 1.0 / step_hz;
        let steps = (window_s - segment_s) / (segment_s * (1.0 - self.overlap));
        if !(-1e-6..=1e5).contains(&steps) {
            return Err(format!(
                "--window {window_s}: a segment lasts {segment_s:.3} s by the frequency step of {step_hz} Hz"
            ));
        }
        Ok(Some((steps + 1e-6).max(0.0) as usize + 1))
    }
}

/// Fits every file.
///
/// # Errors
/// [`Failure`] by exit code, as `--help` lists them.
pub fn run(args: &FitArgs) -> Result<(), Failure> {
    // Wrong options are found before any file is.
    if args.window.is_none() {
        args.settings(1.0).map_err(Failure::Usage)?;
    }
    super::files_exist(&args.files)?;
    let mut out: Box<dyn Write> = match &args.out {
        Some(path) => Box::new(std::io::BufWriter::new(
            std::fs::File::create(path)
                .map_err(|e| Failure::Usage(format!("--out {}: cannot be written: {e}", path.display())))?,
        )),
        None => Box::new(std::io::BufWriter::new(std::io::stdout().lock())),
    };
    let several = args.files.len() > 1;
    let mut broken = 0;
    let mut first = true;
    // What holds for the settings is the same for every file of one frequency step: it is said once.
    let mut said = HashSet::new();
    for file in &args.files {
        let spectra = match Spectra::read(file) {
            Ok(spectra) => spectra,
            Err(what) => {
                super::tell(&format!("tras: {what}"));
                broken += 1;
                continue;
            }
        };
        let settings = args.settings(spectra.step_hz()).map_err(Failure::Usage)?;
        for warning in settings.specparam.warnings(spectra.step_hz()) {
            if said.insert(warning.clone()) {
                super::tell(&format!("settings: {warning}"));
            }
        }
        if let Some(note) = spectra.beyond(settings.specparam.range_hz) {
            super::tell(&format!("{}: {note}", file.display()));
        }
        let mut failure = None;
        let fitted = fit_all(&spectra, &settings, |mut record| {
            record.file = several.then(|| file.display().to_string());
            let written = match args.format {
                Format::Jsonl => json_line(&mut out, &record),
                Format::Csv => csv_line(&mut out, &record, std::mem::take(&mut first)),
            };
            written.map_err(|e| {
                let what = format!("cannot write: {e}");
                failure = Some(e);
                what
            })
        });
        if failure.is_some_and(|e| e.kind() == std::io::ErrorKind::BrokenPipe) {
            return Ok(());
        }
        fitted.map_err(Failure::Fault)?;
    }
    match out.flush() {
        // A reader that has gone (`| head`) has what it wanted.
        Err(e) if e.kind() != std::io::ErrorKind::BrokenPipe => {
            return Err(Failure::Fault(format!("cannot write: {e}")));
        }
        _ => {}
    }
    match broken {
        0 => Ok(()),
        count => Err(Failure::Fault(format!("{count} of {} files could not be read", args.files.len()))),
    }
}

fn json_line(out: &mut dyn Write, record: &FitRecord) -> std::io::Result<()> {
    serde_json::to_writer(&mut *out, record)?;
    out.write_all(b"\n")
}

fn csv_line(out: &mut dyn Write, record: &FitRecord, with_header: bool) -> std::io::Result<()> {
    let number = |value: f64| if value.is_finite() { value.to_string() } else { String::new() };
    let peaks: Vec<String> = record.peaks.iter().map(|p| format!("{}:{}:{}", p.cf, p.pw, p.bw)).collect();
    let mut cells = vec![
        ("name", clean::cell(&record.name).into_owned()),
        ("exponent", number(record.exponent)),
        ("offset", number(record.offset)),
        ("exponent_se", number(record.exponent_se)),
        ("r_squared", number(record.r_squared)),
        ("mae", number(record.mae)),
        ("n_peaks", record.peaks.len().to_string()),
        ("peaks", peaks.join(";")),
        ("valid", record.valid.to_string()),
        ("reason", record.reason.clone().unwrap_or_default()),
        ("adjusted_r_squared", number(record.adjusted_r_squared)),
        ("median_error", number(record.median_error)),
        ("knee_hz", number(record.knee_hz)),
        ("bend_evidence", number(record.bend_evidence)),
        ("pivot_offset", number(record.pivot_offset)),
    ];
    if let Some(before) = record.exponent0 {
        cells.push(("exponent0", number(before)));
    }
    if let Some(knee) = record.knee {
        cells.insert(3, ("knee", number(knee)));
    }
    if let Some(file) = &record.file {
        cells.insert(0, ("file", clean::cell(file).into_owned()));
    }
    let mut table = csv::Writer::from_writer(out);
    if with_header {
        table.write_record(cells.iter().map(|(name, _)| *name))?;
    }
    table.write_record(cells.iter().map(|(_, value)| value))?;
    table.flush()
}
