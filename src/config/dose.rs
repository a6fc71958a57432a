//! A session that could not be delivered as planned, or would have to break a limit, is refused before it starts.

use super::checks::Found;
use super::plan::DENSITY_MAX_MA_CM2;
use super::{Config, StimulatorKind};

/// Runs every check of a session with stimulation.
pub(super) fn check(config: &Config, found: &mut Found<'_>) {
    blocks(config, found);
    output(config, found);
    electrodes(config, found);
    dose(config, found);
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

fn dose(config: &Config, found: &mut Found<'_>) {
    let (s, l, plan) = (&config.stimulation, &config.limits, config.plan());
    if s.peak_ma > l.peak_ma {
        found.push((
            "stimulation.peak_ma",
            format!("{} mA is above limits.peak_ma, {} mA", s.peak_ma, l.peak_ma),
            "lower it, or raise the limit where the protocol was approved for it".to_owned(),
        ));
    }
    let active_min = plan.active_s / 60.0;
    let limit_min = l.active_min.min(l.daily_min);
    if active_min > limit_min + 1e-9 {
        found.push((
            "stimulation.blocks",
            format!("the session stimulates for {active_min:.1} min, the limit is {limit_min} min"),
            "plan fewer or shorter blocks".to_owned(),
        ));
    }
    if plan.charge_c > l.total_charge_c {
        found.push((
            "limits.total_charge_c",
            format!("the session delivers about {:.3} C, the limit is {} C", plan.charge_c, l.total_charge_c),
            "plan fewer or shorter blocks, or a lower stimulation.peak_ma".to_owned(),
        ));
    }
    // Noise exceeds three standard deviations within a minute or so: such a session could not finish a block.
    if 3.0 * plan.net_charge_sd_mc > l.net_charge_mc {
        found.push((
            "limits.net_charge_mc",
            format!(
                "one-sided charge of {:.2} mC is certain within minutes, the limit is {} mC",
                3.0 * plan.net_charge_sd_mc,
                l.net_charge_mc
            ),
            "raise the low end of stimulation.band_hz, lower the exponent, or lower peak_ma".to_owned(),
        ));
    }
    if plan.density_ma_cm2 > DENSITY_MAX_MA_CM2 {
        found.push((
            "stimulation.electrode_area_cm2",
            format!("RMS density {:.4} mA/cm2 is above {DENSITY_MAX_MA_CM2} mA/cm2", plan.density_ma_cm2),
            format!("use electrodes of at least {:.1} cm2", plan.rms_ma / DENSITY_MAX_MA_CM2),
        ));
    }
}
