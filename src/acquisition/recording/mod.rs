//! Recordings as a source: an XDF, EDF, EDF+, BDF, BDF+, BrainVision or CSV file in, blocks of samples out.
//!
//! [`Recording::open`] reads what is needed to describe the file (headers, annotations, clock offsets) and
//! leaves the samples where they are; [`Recording::read_block`] hands them out in order. Memory does not grow
//! with the length of the recording, except by its annotations. A broken file is refused with its name, the
//! byte or line, and what to do; a file whose tail is missing is read as far as it is whole, and
//! [`Recording::notes`] says where it ends.

mod brainvision;
mod csv;
mod edf;
mod error;
mod source;
mod timeline;
pub mod xdf;

pub use error::{Place, RecordingError};
pub use source::RecordingSource;

use super::StreamDescription;
use std::path::{Path, PathBuf};

/// Channels beyond this are taken for damage.
const MAX_CHANNELS: usize = 4096;
/// Annotations beyond this are left out, so that a broken file cannot fill the memory.
const MAX_ANNOTATIONS: usize = 1_000_000;
/// Bytes of an annotation's text beyond this are left out.
const MAX_TEXT: usize = 65_536;

/// Something that happened during a recording.
#[derive(Clone, Debug, PartialEq)]
pub struct Annotation {
    /// When, on the time axis of the recording's stamps.
    pub onset_s: f64,
    /// How long; 0 where the file does not say.
    pub duration_s: f64,
    /// What.
    pub text: String,
}

/// What to make of a file that does not say everything itself.
#[derive(Clone, Debug, Default)]
pub struct OpenOptions {
    /// Sampling rate in Hz, over what the file says: needed for CSV without a time column; checked against the stamps
    /// where there are any.
    pub rate_hz: Option<f64>,
    /// Name or number of the XDF stream to read, where there are several that could be meant.
    pub stream: Option<String>,
    /// Labels of the channels that will be used, upper or lower case; without it, see [`Recording::open`].
    pub channels: Option<Vec<String>>,
    /// Unit of CSV columns; microvolts without it.
    pub unit: Option<String>,
}

/// Hands out samples in order.
trait Blocks: Send {
    /// Fills whole samples from the front of `values` (sample-major) and their stamps; 0 at the end.
    fn read_block(&mut self, values: &mut [f64], stamps_s: &mut [f64]) -> Result<usize, RecordingError>;
}

/// What a format's `open` returns.
struct Opened {
    description: StreamDescription,
    annotations: Vec<Annotation>,
    notes: Vec<String>,
    samples: Option<u64>,
    /// The rate that the stamps show, where they were looked at.
    measured_hz: Option<f64>,
    blocks: Box<dyn Blocks>,
}

/// An opened recording.
pub struct Recording {
    path: PathBuf,
    opened: Opened,
}

impl std::fmt::Debug for Recording {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Recording")
            .field("path", &self.path)
            .field("description", &self.opened.description)
            .field("notes", &self.opened.notes)
            .finish_non_exhaustive()
    }
}

impl Recording {
    /// Opens `path`; its extension (`.xdf`, `.edf`, `.bdf`, `.vhdr`, `.csv`, `.tsv`, `.txt`) says what it is.
    ///
    /// * **XDF**: the stream that `options.stream` names (or numbers), else the only one of type `EEG`, else the only one
    ///   with numbers at a nominal rate; of several the only one with samples. Text streams become annotations. Clock
    ///   offsets are applied by a robust line, so stamps are on the recorder's clock.
    /// * **EDF, BDF**: signals at the rate of the channels asked for, else of the EEG; others, and those without a scale,
    ///   are left out with a note. Stamps are seconds since the recording's start; in discontinuous files they jump
    ///   where the recording paused. Annotation signals, and a BioSemi status channel, become annotations.
    /// * **BrainVision**: the `.vhdr` leads to the data and the markers, which become annotations; stamps are seconds since the first sample.
    /// * **CSV**: a header of names; a column of times (`time`, `timestamps`, `t`, ...) in seconds, milliseconds or clock
    ///   times. The columns of `options.channels` are channels. Without it all others are, save those that are no EEG by
    ///   their name, columns of texts, and those that hold only whole numbers 0..=255 without a decimal point while
    ///   others have decimals: these last two are states (such as `eyes_closed`) and become annotations `name=value`
    ///   wherever they change. Empty cells are NaN.
    ///
    /// Where the stamps of an XDF or CSV file do not keep their rate to a third of a sample they are spaced evenly between
    /// gaps; where they show another rate than the nominal one by more than 1 % it counts, with a note, and by more than
    /// 5 % the file is refused until `options.rate_hz` states it.
    ///
    /// # Errors
    /// A file that cannot be read, is malformed, or does not say which of its streams is meant.
    pub fn open(path: &Path, options: &OpenOptions) -> Result<Self, RecordingError> {
        let extension = path.extension().and_then(|e| e.to_str()).unwrap_or("").to_ascii_lowercase();
        let opened = match extension.as_str() {
            "xdf" => xdf::open(path, options)?,
            "edf" | "bdf" => edf::open(path, options)?,
            "vhdr" => brainvision::open(path, options)?,
            "csv" | "tsv" | "txt" => csv::open(path, options)?,
            "xdfz" | "gz" => {
                let what = "is compressed; unpack it with gunzip first";
                return Err(RecordingError::new(path, Place::File, what));
            }
            "eeg" | "vmrk" | "dat" if path.with_extension("vhdr").is_file() => {
                let header = path.with_extension("vhdr");
                let what =
                    format!("is a part of a BrainVision recording; name its header, {}", header.display());
                return Err(RecordingError::new(path, Place::File, what));
            }
            other => {
                let what =
                    format!("is not a recording: {other:?} is none of xdf, edf, bdf, vhdr, csv, tsv, txt");
                return Err(RecordingError::new(path, Place::File, what));
            }
        };
        Ok(Self { path: path.to_owned(), opened })
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Name, rate, channels with their units.
    #[must_use]
    pub fn description(&self) -> &StreamDescription {
        &self.opened.description
    }

    /// Everything that is annotated, by onset.
    #[must_use]
    pub fn annotations(&self) -> &[Annotation] {
        &self.opened.annotations
    }

    /// What was left out, mended or found broken on opening, in sentences for a person.
    #[must_use]
    pub fn notes(&self) -> &[String] {
        &self.opened.notes
    }

    /// The rate that the stamps show, beside the nominal one of [`Self::description`]; `None` where the file has no
    /// stamps of its own.
    #[must_use]
    pub fn measured_rate_hz(&self) -> Option<f64> {
        self.opened.measured_hz
    }

    /// How many samples the recording has, where that is known before reading it.
    #[must_use]
    pub fn samples(&self) -> Option<u64> {
        self.opened.samples
    }

    /// Reads as many whole samples as fit both buffers: `values` sample-major in the channels' own units,
    /// `stamps_s` one a sample. Returns how many; 0 at the end.
    ///
    /// # Errors
    /// Where the file cannot be read or is malformed; whatever is good before it comes first, and nothing after.
    pub fn read_block(&mut self, values: &mut [f64], stamps_s: &mut [f64]) -> Result<usize, RecordingError> {
        self.opened.blocks.read_block(values, stamps_s)
    }
}

/// Sorts by onset, bounds the number, and says so.
fn settle(annotations: &mut [Annotation], left_out: u64, notes: &mut Vec<String>) {
    annotations.sort_by(|a, b| a.onset_s.total_cmp(&b.onset_s));
    if left_out > 0 {
        notes.push(format!("{left_out} annotations beyond the first {MAX_ANNOTATIONS} were left out"));
    }
}
