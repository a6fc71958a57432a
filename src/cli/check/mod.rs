//! `tras check CONFIG`: reads a configuration, prints it with every default filled in and what its session would
//! deliver. Opens no device and no stream.

mod timeline;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use clap::Args;

use crate::clock;
use crate::config::{Config, MAX_BYTES};
use crate::failure::Failure;
use crate::session::keys::Keys;
use crate::session::through_certificate::{Here, ThroughCertificate};
use crate::stimulator::audio::certificate::Certificate;

/// Arguments of `tras check`.
#[derive(Args, Debug)]
pub struct CheckArgs {
    /// The configuration to check
    pub config: PathBuf,
    /// Of a protocol: its timeline and dose as a picture, into this file
    #[arg(long, value_name = "FILE")]
    pub svg: Option<PathBuf>,
}

/// Reads the configuration at `path`; at most [`MAX_BYTES`] of it.
///
/// # Errors
/// [`Failure::NotFound`] where there is no such file; [`Failure::Usage`] where it cannot be read, is no UTF-8, or its
/// content has problems.
pub fn load(path: &Path) -> Result<Config, Failure> {
    let mut config = load_as_written(path)?;
    certified(&mut config, path)?;
    let Some(named) = config.stimulator.calibration.clone() else { return Ok(config) };
    let named = path.parent().unwrap_or(Path::new("")).join(named);
    let of_file = |what: String| Failure::Usage(format!("{}: stimulator.{what}", path.display()));
    let keys = Keys::of_user().map_err(|e| of_file(format!("calibration: {e}")))?;
    calibrate(&mut config, &named, &keys).map_err(of_file)?;
    Ok(config)
}

/// The same without the calibration that it names: for making one.
///
/// # Errors
/// As [`load`].
pub fn load_as_written(path: &Path) -> Result<Config, Failure> {
    use std::io::Read as _;
    let file = path.display().to_string();
    if path.is_dir() {
        return Err(Failure::Usage(format!("{file}:1: file: is a directory; name a file in it")));
    }
    let mut text = String::new();
    std::fs::File::open(path)
        .and_then(|opened| opened.take(MAX_BYTES as u64 + 1).read_to_string(&mut text))
        .map_err(|error| {
            let todo = "check the path and that the file is a text you may read";
            let what = format!("{file}:1: file: cannot be read ({error}); {todo}");
            match error.kind() {
                std::io::ErrorKind::NotFound => Failure::NotFound(what),
                _ => Failure::Usage(what),
            }
        })?;
    // All defaults would be a run that nobody described.
    if text.lines().all(|line| line.trim().is_empty() || line.trim().starts_with('#')) {
        let what = "holds no setting; name what the run is to be, as configs/run.toml does";
        return Err(Failure::Usage(format!("{file}:1: file: {what}")));
    }
    Config::from_str(&text, &file).map_err(|error| Failure::Usage(error.to_string()))
}

/// Reads the certificate without which nothing that is estimated under current steers.
fn certified(config: &mut Config, path: &Path) -> Result<(), Failure> {
    let Some(named) = &config.through_current.certificate else { return Ok(()) };
    let named = path.parent().unwrap_or(Path::new("")).join(named);
    let (file, certificate) = (path.display(), named.display());
    let refused =
        |why: String| Failure::Usage(format!("{file}: through_current.certificate: {certificate} {why}"));
    let keys = Keys::of_user().map_err(|e| refused(e.to_string()))?;
    let own = keys.existing_signing().map_err(|e| refused(e.to_string()))?.map(|key| key.verifying_key());
    let found = ThroughCertificate::read(&named, own.as_ref()).map_err(refused)?;
    found.is_recent(clock::unix_s(), config.through_current.certificate_days).map_err(refused)?;
    let channels = &config.stream.channels;
    let here = Here {
        amplifier: config.stream.name.as_deref(),
        rate_hz: None,
        channels: (!channels.is_empty()).then_some(channels.as_slice()),
        stimulator: &config.stimulator.identity(),
        range_hz: config.estimator.range_hz,
        window_s: config.estimator.window_s,
    };
    found.fits(&here).map_err(refused)?;
    config.through_current.certified = Some(found);
    Ok(())
}

/// Puts what was measured in the place of what was written, and checks again what depends on it.
fn calibrate(config: &mut Config, named: &Path, keys: &Keys) -> Result<(), String> {
    let of_file = |what: String| format!("calibration: {} {what}", named.display());
    let own = keys.existing_signing().map_err(|e| of_file(e.to_string()))?.map(|key| key.verifying_key());
    let found = Certificate::read(named, own.as_ref()).map_err(of_file)?;
    let taken = config.stimulator.take_calibration(&found, clock::unix_s());
    taken.map_err(|(key, what, todo)| format!("{key}: {what}; {todo}"))?;
    let again = Config::from_str(&config.to_toml(), &format!("calibration: {}", named.display()));
    again.map(|_| ()).map_err(|error| error.to_string())
}

/// Runs the command. Gives back the exit code: 0 where the file is good, 2 where it is not, 3 where there is none.
#[must_use]
pub fn run(args: &CheckArgs) -> u8 {
    let checked = load(&args.config).and_then(|config| {
        if let Some(path) = &args.svg {
            picture(&config, path)?;
        }
        super::print(&summary(&config))
    });
    match checked {
        Ok(()) => 0,
        Err(error) => {
            super::tell(&error.to_string());
            error.code()
        }
    }
}

/// Draws the protocol's timeline.
fn picture(config: &Config, path: &Path) -> Result<(), Failure> {
    let built = config.protocol.as_ref().and_then(|protocol| protocol.build(config).ok());
    let protocol = built.ok_or_else(|| {
        Failure::usage("--svg draws a protocol's timeline, and the file has no [protocol]: leave --svg out")
    })?;
    std::fs::write(path, timeline::svg(config, &protocol))
        .map_err(|error| Failure::usage(format!("--svg {}: {error}", path.display())))
}

/// The resolved configuration as TOML, with the plan as comments below it.
#[must_use]
pub fn summary(config: &Config) -> String {
    let plan = config.outlook();
    let delivers = &plan.delivers;
    let mut text = config.to_toml();
    text.push_str("\n# Plan\n");
    let s = &config.stimulation;
    let protocol = config.protocol.as_ref().and_then(|protocol| protocol.build(config).ok());
    // Writing into a String cannot fail.
    let _ = if let Some(protocol) = &protocol {
        // [stimulation]'s own blocks are not run then: what a session gives is its protocol's.
        writeln!(text, "{}", timeline::lines(config, protocol).trim_end())
    } else if s.enabled {
        writeln!(
            text,
            "# {} blocks of {} s, gaps of {} s, {:.1} min in all, {:.1} min with current (limit {} min)\n\
             # charge about {:.3} C (limit {} C), one-sided charge sd {:.3} mC (limit {} mC)\n\
             # {:.3} mA peak, {:.4} mA RMS, {:.5} mA/cm2 RMS",
            plan.blocks,
            s.block_s,
            s.gap_s,
            delivers.session_s / 60.0,
            delivers.active_s / 60.0,
            config.limits.active_min,
            delivers.charge_mc * 1e-3,
            config.limits.total_charge_c,
            delivers.net_charge_sd_mc,
            config.limits.net_charge_mc,
            s.peak_ma,
            delivers.full_rms_ma,
            delivers.density_ma_cm2,
        )
    } else {
        writeln!(text, "# no stimulation")
    };
    for warning in plan.cautions.iter().chain(&plan.warnings) {
        let _ = writeln!(text, "# warning: {warning}");
    }
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    const AUDIO: &str = "[record]\nparticipant = \"P01\"\n[stimulation]\nenabled = true\nelectrode_area_cm2 = 35\nelectrode_kohm = [4.8, 5.5]\n[stimulator]\nkind = \"audio\"\ndevice = \"out\"\nchannel = 1\n\
                         calibration = \"c.toml\"\nexternal_limits = true\n";

    /// `tras check` of a configuration that names what was measured: 2.1 mA/V, 1 V.
    fn checked(
        more: &str,
        change: impl Fn(&mut Certificate),
        spoil: impl Fn(String) -> String,
    ) -> Result<Config, String> {
        let folder = tempfile::tempdir().unwrap();
        let keys = Keys::within(folder.path().join("keys"));
        let mut certificate = Certificate {
            device: "out".into(),
            channel: 1,
            scale_ma_per_v: 2.1,
            full_scale_v: 1.0,
            rolloff_hz: Some(0.3),
            measured_unix_s: clock::unix_s().floor() - 86_400.0,
            measured_at: "yesterday".into(),
            meter: "Fluke 87V 12345".into(),
            readings: vec![[0.1, 0.105]],
        };
        change(&mut certificate);
        let named = folder.path().join("c.toml");
        std::fs::write(&named, spoil(certificate.signed(&keys.signing().unwrap()))).unwrap();
        let mut config = Config::from_str(&format!("{AUDIO}{more}"), "a.toml").map_err(|e| e.to_string())?;
        calibrate(&mut config, &named, &keys).map(|()| config)
    }

    #[test]
    fn measured_values_are_taken_and_no_caution_is_left() {
        let config = checked("", |_| {}, |text| text).unwrap();
        let s = &config.stimulator;
        assert_eq!((s.scale_ma_per_v, s.full_scale_v, s.rolloff_hz), (Some(2.1), Some(1.0), Some(0.3)));
        assert!(
            !config.outlook().cautions.iter().any(|caution| caution.contains("calibration")),
            "{:?}",
            config.outlook().cautions
        );
        // Values near them may stand beside, as in a recording's own configuration.
        assert!(checked("scale_ma_per_v = 2.0\nrolloff_hz = 0.3\n", |_| {}, |text| text).is_ok());
        let old = checked("", |c| c.measured_unix_s -= 400.0 * 86_400.0, |text| text).unwrap();
        assert!(
            old.outlook().cautions.iter().any(|caution| caution.contains("401 days ago")),
            "{:?}",
            old.outlook().cautions
        );
    }

    #[test]
    fn a_slip_of_the_point_another_output_and_a_changed_file_are_refused() {
        let same = |text: String| text;
        let refused = |more: &str| checked(more, |_| {}, same).unwrap_err();
        assert!(
            refused("scale_ma_per_v = 20\n").starts_with("scale_ma_per_v: 20 mA/V is not what was measured")
        );
        assert!(refused("full_scale_v = 0.1\n").starts_with("full_scale_v: 0.1 V is not"));
        assert!(checked("", |c| c.channel = 2, same).unwrap_err().contains("is of \"out\", channel 2"));
        let changed = |text: String| text.replacen("2.10000", "2.00000", 1);
        assert!(checked("", |_| {}, changed).unwrap_err().contains("was changed after it was signed"));
        // What depends on it is checked again: 0.2 mA at full scale do not reach the peak of 0.5.
        assert!(checked("", |c| c.scale_ma_per_v = 0.2, same).unwrap_err().contains("below peak_ma"));
    }
}
