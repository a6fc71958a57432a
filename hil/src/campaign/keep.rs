//! What is left of a recording.

use std::path::Path;

use tras::acquisition::recording::{OpenOptions, Recording, xdf::survey};
use tras::recorder::check;

/// Seconds of EEG in the recording; of one that was closed (`whole`) only if it passes its own check.
///
/// # Errors
/// It cannot be read, is damaged, or has no EEG: in words.
pub(super) fn look(path: &Path, whole: bool) -> Result<f64, String> {
    if whole {
        check(path).map_err(|e| e.to_string())?;
    }
    let survey = survey(path).map_err(|e| e.to_string())?;
    let eeg = survey.streams.iter().find(|stream| stream.description.kind == "EEG");
    let eeg = eeg.ok_or_else(|| format!("{}: no EEG in it", path.display()))?;
    Ok(eeg.samples as f64 / eeg.description.rate_hz)
}

/// RMS of the first EEG channel in the first second and in the loudest one, in uV.
///
/// # Errors
/// It cannot be read, in words.
pub(super) fn artefact(path: &Path) -> Result<(f64, f64), String> {
    let mut recording = Recording::open(path, &OpenOptions::default()).map_err(|e| e.to_string())?;
    let (channels, rate) =
        (recording.description().channels.len().max(1), recording.description().rate_hz as usize);
    let (mut values, mut stamps_s) = (vec![0.0; channels * rate], vec![0.0; rate]);
    let mut rms = Vec::new();
    while recording.read_block(&mut values, &mut stamps_s).map_err(|e| e.to_string())? == rate {
        let first: Vec<f64> = values.iter().step_by(channels).copied().collect();
        let mean = first.iter().sum::<f64>() / rate as f64;
        rms.push((first.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / rate as f64).sqrt());
    }
    let loudest = rms.iter().copied().fold(0.0, f64::max);
    rms.first()
        .map(|quiet| (*quiet, loudest))
        .ok_or_else(|| format!("{}: less than 1 s of EEG", path.display()))
}
