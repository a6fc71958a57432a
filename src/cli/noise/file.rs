//! The file of `tras noise`: WAV or CSV, under a name of its own until it is whole.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use super::NoiseCommandError;

/// By the ending of a file's name.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Wav,
    Csv,
}

impl Format {
    pub(super) fn of(path: &Path) -> Option<Self> {
        let ending = path.extension()?.to_str()?;
        [("wav", Self::Wav), ("csv", Self::Csv)]
            .into_iter()
            .find_map(|(name, format)| ending.eq_ignore_ascii_case(name).then_some(format))
    }
}

enum Writer {
    Wav(hound::WavWriter<BufWriter<File>>),
    Csv { file: BufWriter<File>, written: u64, rate_hz: f64 },
}

/// The file: under a name of its own until it is whole.
pub(super) struct Sink {
    path: PathBuf,
    part: PathBuf,
    writer: Writer,
}

impl Sink {
    pub(super) fn create(path: &Path, rate: u32) -> Result<Self, NoiseCommandError> {
        let Some(format) = Format::of(path) else {
            let needs = "the name must end in .wav or .csv";
            return Err(NoiseCommandError::Argument { key: "out", value: path.display().to_string(), needs });
        };
        let mut part = path.as_os_str().to_owned();
        part.push(".part");
        let part = PathBuf::from(part);
        let failed = |source| NoiseCommandError::Write { path: path.to_owned(), source };
        let mut file = BufWriter::new(File::create(&part).map_err(failed)?);
        let writer = match format {
            Format::Wav => {
                let spec = hound::WavSpec {
                    channels: 1,
                    sample_rate: rate,
                    bits_per_sample: 32,
                    sample_format: hound::SampleFormat::Float,
                };
                Writer::Wav(hound::WavWriter::new(file, spec).map_err(|e| failed(to_io(e)))?)
            }
            Format::Csv => {
                writeln!(file, "time_s,current_ma").map_err(failed)?;
                Writer::Csv { file, written: 0, rate_hz: f64::from(rate) }
            }
        };
        Ok(Self { path: path.to_owned(), part, writer })
    }

    pub(super) fn write(&mut self, samples: &[f32]) -> Result<(), NoiseCommandError> {
        let result = match &mut self.writer {
            Writer::Wav(wav) => samples.iter().try_for_each(|&x| wav.write_sample(x)).map_err(to_io),
            Writer::Csv { file, written, rate_hz } => samples.iter().try_for_each(|x| {
                let time_s = *written as f64 / *rate_hz;
                *written += 1;
                writeln!(file, "{time_s:.6},{x}")
            }),
        };
        result.map_err(|source| NoiseCommandError::Write { path: self.path.clone(), source })
    }

    pub(super) fn finish(self) -> Result<(), NoiseCommandError> {
        let result = match self.writer {
            Writer::Wav(wav) => wav.finalize().map_err(to_io),
            Writer::Csv { mut file, .. } => file.flush(),
        };
        result
            .and_then(|()| std::fs::rename(&self.part, &self.path))
            .map_err(|source| NoiseCommandError::Write { path: self.path, source })
    }
}

fn to_io(error: hound::Error) -> std::io::Error {
    match error {
        hound::Error::IoError(source) => source,
        other => std::io::Error::other(other),
    }
}
