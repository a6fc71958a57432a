//! What an operator must know before current flows, as far as the configuration alone tells it.

use super::{Config, StimulatorKind};
use crate::stimulator::audio::{drive, rolloff::Rolloff};

/// One sentence each; none without stimulation.
pub(super) fn of(config: &Config) -> Vec<String> {
    if !config.stimulation.enabled {
        return Vec::new();
    }
    let own = [clipping(config), uncalibrated(config), cut_short(config)];
    own.into_iter().flatten().chain(config.stimulator.calibration_notes.iter().cloned()).collect()
}

/// A sham that is over before its own course is another sham than the one that is named.
fn cut_short(config: &Config) -> Option<String> {
    let s = &config.stimulation;
    let flows_s = s.profile.shape(s.ramp_up_s).flows_s();
    (flows_s.is_finite() && s.block_s < flows_s).then(|| {
        format!(
            "stimulation.block_s: {} s cut the course of a {} short, which takes {flows_s} s; make the block at least as long",
            s.block_s,
            s.profile.name()
        )
    })
}

fn uncalibrated(config: &Config) -> Option<String> {
    let o = &config.stimulator;
    (o.kind == StimulatorKind::Audio && o.calibration.is_none()).then(|| {
        "stimulator.calibration: no measurement is named, so scale_ma_per_v and full_scale_v are what somebody has written; \
         `tras calibrate audio -o FILE --meter NAME` writes one"
            .to_owned()
    })
}

/// The share of the noise that compensating the roll-off drives beyond what may leave.
fn clipping(config: &Config) -> Option<String> {
    let (s, l, o) = (&config.stimulation, &config.limits, &config.stimulator);
    let (corner_hz, scale, volts) = (o.rolloff_hz?, o.scale_ma_per_v?, o.full_scale_v?);
    let plan = config.plan();
    let most_ma = l.peak_ma.min(scale * volts);
    // The boost is a property of the section alone, whatever its rate.
    let gain = Rolloff::new(corner_hz, 48_000.0).rms_gain(plan.steepest(), s.band_hz);
    let fitting_ma = most_ma / gain;
    (s.peak_ma > fitting_ma).then(|| {
        let share = drive::beyond(plan.noise(plan.exponent).sigma_ma() * gain, most_ma);
        format!(
            "stimulation.peak_ma: compensating a roll-off at {corner_hz} Hz takes {gain:.2} times the current, and nothing \
             beyond {most_ma} mA is driven: about {:.1} % of the samples will be cut off; set at most {:.3} mA",
            100.0 * share,
            (fitting_ma * 1e3).floor() * 1e-3
        )
    })
}
