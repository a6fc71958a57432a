//! What no section can see alone: settings that contradict one another.

use super::{Config, ConfigError, LawName, dose};
use crate::estimator::settings::DuringCurrent;

/// Key, what is wrong, what to do.
pub(super) type Found<'a> = Vec<(&'a str, String, String)>;

/// Half a microsecond: decimal fractions of a second are not exact in binary.
const TOLERANCE_S: f64 = 5e-7;

/// Fewest samples in a segment from which a spectrum can be fitted.
const MIN_SEGMENT_SAMPLES: f64 = 16.0;

/// Runs every check that needs no sampling rate.
pub(super) fn check(config: &Config) -> Result<(), ConfigError> {
    let mut found = Found::new();
    windows(config, &mut found);
    regions(config, &mut found);
    law(config, &mut found);
    if config.stimulation.enabled {
        dose::check(config, &mut found);
    }
    limits(config, &mut found);
    protocol(config, &mut found);
    under_current(config, &mut found);
    config.places.error(found)
}

/// Steering under current is built, and not released: nothing has shown yet that a first block confirms it.
fn under_current(config: &Config, found: &mut Found<'_>) {
    if config.estimator.during_current == DuringCurrent::Steer {
        found.push((
            "estimator.during_current",
            "is \"steer\", which is not released: in virtual time too few windows of a first block are proven to confirm it"
                .to_owned(),
            "set \"show\": estimates under current are shown and recorded, and do not steer".to_owned(),
        ));
    }
}

/// A protocol that the core refuses. The line is that of the list; what is wrong names the phase or condition.
fn protocol(config: &Config, found: &mut Found<'_>) {
    for fault in config.protocol.iter().flat_map(|protocol| protocol.faults(config)) {
        // A key of its own needs no place beside it.
        let own = [
            "protocol.allocation",
            "protocol.balanced",
            "protocol.phases",
            "task.blocks",
            "stimulation.enabled",
        ];
        if let Some(key) = own.into_iter().find(|key| *key == fault.place) {
            found.push((key, fault.what, fault.todo));
            continue;
        }
        let key =
            if fault.place.starts_with("condition") { "protocol.conditions" } else { "protocol.phases" };
        found.push((key, format!("{}: {}", fault.place, fault.what), fault.todo));
    }
}

fn windows(config: &Config, found: &mut Found<'_>) {
    let e = &config.estimator;
    if e.window_s < e.segment_s - TOLERANCE_S {
        found.push((
            "estimator.window_s",
            format!("{} s is shorter than segment_s, {} s", e.window_s, e.segment_s),
            format!("set at least {} s, or shorten the segment", e.segment_s),
        ));
    }
    if e.hop_s > e.window_s + TOLERANCE_S {
        found.push((
            "estimator.hop_s",
            format!(
                "{} s is longer than the window, {} s: samples would never be looked at",
                e.hop_s, e.window_s
            ),
            format!("set at most {} s", e.window_s),
        ));
    }
    let step_s = e.segment_step_s();
    // A window of one segment has no step to keep.
    let single = e.window_s - e.segment_s < step_s - TOLERANCE_S;
    if !single && !divide(e.hop_s, step_s, TOLERANCE_S) {
        found.push((
            "estimator.hop_s",
            format!("{} s and the segment step of {step_s} s do not divide one another", e.hop_s),
            format!("set a multiple or a whole part of {step_s} s (segment_s x (1 - overlap))"),
        ));
    }
    let steps = (e.window_s - e.segment_s) / step_s;
    if steps >= 0.0 && (steps.round() * step_s - steps * step_s).abs() > TOLERANCE_S {
        let fitting = |count: f64| e.segment_s + count * step_s;
        found.push((
            "estimator.window_s",
            format!("{} s is not one segment of {} s and whole steps of {step_s} s", e.window_s, e.segment_s),
            format!("set {} or {} s", fitting(steps.floor()), fitting(steps.ceil())),
        ));
    }
    let resolution_hz = 1.0 / e.segment_s;
    if e.range_hz[1] - e.range_hz[0] < 8.0 * resolution_hz {
        found.push((
            "estimator.range_hz",
            format!(
                "{} to {} Hz holds fewer than 8 bins of {resolution_hz:.3} Hz (1 / segment_s)",
                e.range_hz[0], e.range_hz[1]
            ),
            "widen the range or lengthen the segment".to_owned(),
        ));
    }
}

/// Whether one of the two is a whole multiple of the other, within `tolerance`.
fn divide(a: f64, b: f64, tolerance: f64) -> bool {
    let (small, large) = if a < b { (a, b) } else { (b, a) };
    small > 0.0 && ((large / small).round() * small - large).abs() <= tolerance.max(large * 1e-9)
}

fn regions(config: &Config, found: &mut Found<'_>) {
    let e = &config.estimator;
    if !e.regions.iter().any(|region| region.name == e.steer) {
        let names: Vec<_> = e.regions.iter().map(|region| region.name.as_str()).collect();
        found.push((
            "estimator.steer",
            format!("\"{}\" is no region", e.steer),
            format!("name one of the regions: {}", names.join(", ")),
        ));
    }
    for (i, region) in e.regions.iter().enumerate() {
        if e.regions.iter().skip(i + 1).any(|other| other.name == region.name) {
            found.push((
                "estimator.regions",
                format!("two regions are called \"{}\"", region.name),
                "give each its own name".to_owned(),
            ));
        }
        let chosen = &config.stream.channels;
        for channel in
            region.channels.iter().filter(|channel| !chosen.is_empty() && !chosen.contains(channel))
        {
            found.push((
                "estimator.regions",
                format!("region \"{}\" has {channel}, which stream.channels leaves out", region.name),
                format!("add {channel} to stream.channels, or take it out of the region"),
            ));
        }
    }
}

fn law(config: &Config, found: &mut Found<'_>) {
    let (c, s) = (&config.controller, &config.stimulation);
    if c.exponent_min > c.exponent_max {
        found.push((
            "controller.exponent_min",
            format!("{} is above exponent_max, {}", c.exponent_min, c.exponent_max),
            "exchange the two".to_owned(),
        ));
    }
    if c.law != LawName::Adaptive {
        return;
    }
    if c.target_exponent.is_none() {
        found.push((
            "controller.target_exponent",
            "is missing, and the adaptive law needs it".to_owned(),
            "give the exponent that the EEG should reach, from the participant's own baseline".to_owned(),
        ));
    }
    if !s.enabled {
        return;
    }
    if !(c.exponent_min..=c.exponent_max).contains(&s.exponent) {
        found.push((
            "stimulation.exponent",
            format!("{} is outside the law's {} to {}", s.exponent, c.exponent_min, c.exponent_max),
            "start within the bounds of [controller], or widen them".to_owned(),
        ));
    }
    let e = &config.estimator;
    let needed_s = s.blind_gap_s + e.window_s + s.ramp_down_s;
    if needed_s > s.gap_s + TOLERANCE_S {
        found.push((
            "stimulation.gap_s",
            format!(
                "{} s leave no clean window: blind_gap_s {} + window_s {} + ramp_down_s {} = {needed_s} s",
                s.gap_s, s.blind_gap_s, e.window_s, s.ramp_down_s
            ),
            format!("set at least {needed_s} s, or shorten the window"),
        ));
    }
    let baseline_s = config.stream.settle_s + e.window_s;
    if baseline_s > s.baseline_s + TOLERANCE_S {
        found.push((
            "stimulation.baseline_s",
            format!(
                "{} s hold no window before the first block: settle_s {} + window_s {} = {baseline_s} s",
                s.baseline_s, config.stream.settle_s, e.window_s
            ),
            format!("set at least {baseline_s} s"),
        ));
    }
}

fn limits(config: &Config, found: &mut Found<'_>) {
    let l = &config.limits;
    if l.dc_warn_ua > l.dc_max_ua {
        found.push((
            "limits.dc_warn_ua",
            format!(
                "{} uA is above dc_max_ua, {} uA: the warning would never come",
                l.dc_warn_ua, l.dc_max_ua
            ),
            format!("set at most {}", l.dc_max_ua),
        ));
    }
    if l.active_min > l.daily_min {
        found.push((
            "limits.active_min",
            format!("{} min a session is above daily_min, {} min", l.active_min, l.daily_min),
            format!("set at most {}", l.daily_min),
        ));
    }
}

/// Runs the checks that need the stream's rate; see [`Config::check_against_rate`].
pub(super) fn against_rate(config: &Config, rate_hz: f64) -> Result<(), ConfigError> {
    let e = &config.estimator;
    let mut found = Found::new();
    if !(rate_hz.is_finite() && rate_hz > 0.0) {
        found.push((
            "stream",
            format!("its sampling rate is {rate_hz} Hz"),
            "choose a stream with a regular rate".to_owned(),
        ));
        return config.places.error(found);
    }
    if e.range_hz[1] >= rate_hz / 2.0 {
        found.push((
            "estimator.range_hz",
            format!("{} Hz is not below half the stream's rate of {rate_hz} Hz", e.range_hz[1]),
            format!("set the upper end below {} Hz", rate_hz / 2.0),
        ));
    }
    let segment = (e.segment_s * rate_hz).round();
    if segment < MIN_SEGMENT_SAMPLES {
        found.push((
            "estimator.segment_s",
            format!("{} s are {segment} samples at {rate_hz} Hz", e.segment_s),
            format!("set at least {:.3} s", MIN_SEGMENT_SAMPLES / rate_hz),
        ));
    }
    // Which whole numbers of samples serve is the estimator's business; none at all serve no one.
    for (key, what, seconds) in
        [("estimator.hop_s", "a hop", e.hop_s), ("estimator.overlap", "a segment step", e.segment_step_s())]
    {
        if (seconds * rate_hz).round() < 1.0 {
            found.push((
                key,
                format!("{what} of {seconds} s is less than a sample at {rate_hz} Hz"),
                format!("make it at least {:.4} s", 1.0 / rate_hz),
            ));
        }
    }
    config.places.error(found)
}
