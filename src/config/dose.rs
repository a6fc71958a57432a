//! A session that could not be delivered as planned, or would have to break a limit, is refused before it starts.

use super::checks::Found;
use super::{Config, StimulatorKind};
use crate::{
    current::Refusal,
    limits::{LimitError, hard},
    plan::Refused,
};

/// Runs every check of a session with stimulation.
pub(super) fn check(config: &Config, found: &mut Found<'_>) {
    blocks(config, found);
    output(config, found);
    electrodes(config, found);
    // What a protocol's own blocks add up to, its own check says.
    if config.protocol.is_none() {
        dose(config, found);
    }
}

fn blocks(config: &Config, found: &mut Found<'_>) {
    let s = &config.stimulation;
    let ramps_s = s.ramp_up_s + s.ramp_down_s;
    if s.block_s < ramps_s {
        found.push((
            "stimulation.block_s",
            format!("{} s is shorter than its ramps, {} + {} s", s.block_s, s.ramp_up_s, s.ramp_down_s),
            format!("set at least {ramps_s} s"),
        ));
    }
    let [low, high] = s.band_hz;
    if (low < 0.5 || high > 100.0) && !s.override_band {
        found.push((
            "stimulation.band_hz",
            format!("{low} to {high} Hz is outside 0.5 to 100 Hz"),
            "stay inside, or set override_band = true where the protocol was approved for it".to_owned(),
        ));
    }
}

fn output(config: &Config, found: &mut Found<'_>) {
    let (s, o) = (&config.stimulation, &config.stimulator);
    if o.kind == StimulatorKind::None {
        found.push((
            "stimulator.kind",
            "is \"none\" while stimulation is enabled".to_owned(),
            "choose a stimulator, or set stimulation.enabled = false".to_owned(),
        ));
    }
    // The noise is shaped up to the band's top: leave room for its skirt below Nyquist.
    let least_hz = 2.5 * s.band_hz[1];
    if o.rate_hz < least_hz {
        found.push((
            "stimulator.rate_hz",
            format!("{} Hz cannot carry a band up to {} Hz", o.rate_hz, s.band_hz[1]),
            format!("set at least {least_hz} Hz, or lower the band"),
        ));
    }
    if o.kind.is_real() && s.electrode_area_cm2.is_none() {
        found.push((
            "stimulation.electrode_area_cm2",
            "is missing, and a real stimulator needs it for the current density".to_owned(),
            "give the area of the smaller electrode, 35 for 5 x 7 cm".to_owned(),
        ));
    }
    if let (Some(scale), Some(volts)) = (o.scale_ma_per_v, o.full_scale_v)
        && scale * volts < s.peak_ma
    {
        found.push((
            "stimulator.full_scale_v",
            format!("{volts} V x {scale} mA/V reach {} mA, below peak_ma {}", scale * volts, s.peak_ma),
            "lower stimulation.peak_ma, or use an output or a source with more range".to_owned(),
        ));
    }
}

/// What the operator measured: the device cannot tell the two electrodes apart.
fn electrodes(config: &Config, found: &mut Found<'_>) {
    let (s, l) = (&config.stimulation, &config.limits);
    let real = config.stimulator.kind.is_real();
    if real && config.record.participant == super::record::NOBODY {
        found.push((
            "record.participant",
            "is missing, and a real stimulator needs it: the day's dose is kept for each participant"
                .to_owned(),
            "give the participant's code, \"P01\" for instance; never a name".to_owned(),
        ));
    }
    let Some([one, other]) = s.electrode_kohm else {
        if real {
            found.push((
                "stimulation.electrode_kohm",
                "is missing, and a real stimulator needs it: the device cannot tell one bad electrode from two fair ones"
                    .to_owned(),
                "measure each electrode and give both, [4.8, 5.5] for instance".to_owned(),
            ));
        }
        return;
    };
    if one.max(other) > l.start_kohm {
        found.push((
            "stimulation.electrode_kohm",
            format!("{} kOhm is above limits.start_kohm, {} kOhm", one.max(other), l.start_kohm),
            "improve the contact of that electrode and measure again".to_owned(),
        ));
    }
    let mismatch_kohm = (one - other).abs();
    if mismatch_kohm > l.mismatch_kohm + 1e-9 {
        found.push((
            "stimulation.electrode_kohm",
            format!(
                "the electrodes differ by {mismatch_kohm:.1} kOhm, limits.mismatch_kohm is {} kOhm",
                l.mismatch_kohm
            ),
            "improve the contact of the worse one and measure again".to_owned(),
        ));
    }
}

/// What the core's plan would be refused for, under the key that would mend it.
fn dose(config: &Config, found: &mut Found<'_>) {
    let (s, l, plan) = (&config.stimulation, &config.limits, config.plan());
    let delivers = plan.delivers().unwrap_or_default();
    let active_min = delivers.active_s / 60.0;
    if active_min > l.daily_min + 1e-9 {
        found.push((
            "stimulation.blocks",
            format!("the session stimulates for {active_min:.1} min, the limit is {} min", l.daily_min),
            "plan fewer or shorter blocks".to_owned(),
        ));
    }
    for refused in plan.refused() {
        found.push(match refused {
            Refused::Noise(Refusal::Limit { key: "peak_ma", .. }) => (
                "stimulation.peak_ma",
                format!("{} mA is above limits.peak_ma, {} mA", s.peak_ma, l.peak_ma),
                "lower it, or raise the limit where the protocol was approved for it".to_owned(),
            ),
            Refused::Noise(Refusal::Expected { what: "RMS", value, .. }) => {
                let most = hard::DENSITY_MA_PER_CM2;
                // Without an area the key's own check has said so.
                let Ok(area_cm2) = plan.limits.area_cm2() else { continue };
                let density = value / area_cm2;
                (
                    "stimulation.electrode_area_cm2",
                    format!("RMS density may reach {density:.4} mA/cm2, above {most} mA/cm2"),
                    format!("use electrodes of at least {:.1} cm2", value / most),
                )
            }
            Refused::Noise(Refusal::Expected { exponent, what, value, limit, unit, advice, .. }) => {
                let key = match what {
                    "slew" => "limits.slew_ma_per_ms",
                    "10 s mean" => "limits.dc_max_ua",
                    _ => "limits.net_charge_mc",
                };
                let what = format!(
                    "{what} of {value:.3} {unit} is certain within a session at exponent {exponent}, the limit is \
                     {limit} {unit}"
                );
                (key, what, advice.to_owned())
            }
            Refused::ActiveTime { active_s, limit_s } => {
                let ramp = if active_s > limit_s { "" } else { ", which must hold the 0.1 s ramp of a fault" };
                (
                    "stimulation.blocks",
                    format!(
                        "the session stimulates for {active_min:.1} min, the limit is {} min{ramp}",
                        l.active_min
                    ),
                    "plan fewer or shorter blocks".to_owned(),
                )
            }
            Refused::BurstTime { burst_s, .. } => (
                "stimulation.blocks",
                format!(
                    "the device is in bursts for {:.1} min, zeros of a sham included, and its limit is {} min",
                    burst_s / 60.0,
                    l.active_min
                ),
                "plan fewer or shorter blocks".to_owned(),
            ),
            Refused::Charge { charge_mc, most_mc, limit_mc } => {
                let most = if charge_mc > limit_mc {
                    String::new()
                } else {
                    format!(", up to {:.3} C as noise will have it", most_mc * 1e-3)
                };
                (
                    "limits.total_charge_c",
                    format!(
                        "the session delivers about {:.3} C{most}, the limit is {} C",
                        charge_mc * 1e-3,
                        l.total_charge_c
                    ),
                    "plan fewer or shorter blocks, or a lower stimulation.peak_ma".to_owned(),
                )
            }
            // Its own check has said so.
            Refused::Limit(LimitError::Area) => continue,
            other => ("stimulation", other.to_string(), "change what it names".to_owned()),
        });
    }
    seed(config, found);
}

/// A seed that was asked for must make a noise that a run accepts.
fn seed(config: &Config, found: &mut Found<'_>) {
    let Some(seed) = config.stimulation.seed else { return };
    if let Err(error) = config.plan().check_seed(seed) {
        found.push((
            "stimulation.seed",
            error.to_string(),
            "choose another, or leave it to the run".to_owned(),
        ));
    }
}
