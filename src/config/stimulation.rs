//! `[stimulation]`: what is delivered, and when.

use serde::Serialize;

use super::section::{Section, within};
use crate::{
    limits::hard,
    noise::{
        EXPONENTS, Profile,
        profile::{DEFAULT_BAND_HZ, WIDEST_BAND_HZ},
    },
};

/// What is delivered, and when. The study's exponents, band, montage and ramps are not published: every default
/// here is this project's own, and a protocol must state its own.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Stimulation {
    /// Whether current is delivered at all.
    pub enabled: bool,
    /// The shape of the noise.
    pub profile: Profile,
    /// The noise falls as f^-exponent; where the file gives none, 2.0 for steep and sham, 0.5 for flat.
    pub exponent: f64,
    /// The current stays within minus to plus this many mA.
    pub peak_ma: f64,
    /// The noise's band, low and high, in Hz.
    pub band_hz: [f64; 2],
    /// Allows a band outside 0.5..100 Hz; it lifts no other limit.
    pub override_band: bool,
    /// Raised-cosine ramp at the start of a block, inside it, in s.
    pub ramp_up_s: f64,
    /// The same at the end.
    pub ramp_down_s: f64,
    /// Length of a block, ramps included, in s.
    pub block_s: f64,
    /// From the end of a block to the start of the next, in s.
    pub gap_s: f64,
    /// How many blocks.
    pub blocks: u32,
    /// Before the first block, in s.
    pub baseline_s: f64,
    /// After zero current the EEG still settles: no clean window begins earlier, in s.
    pub blind_gap_s: f64,
    /// Seed of the noise; where there is none a run draws one and records it.
    pub seed: Option<u64>,
    /// Area of the smaller electrode in cm²; must be given where a real stimulator delivers.
    pub electrode_area_cm2: Option<f64>,
    /// What the operator measured at each electrode before the session, in kOhm: a device sees only their sum.
    pub electrode_kohm: Option<[f64; 2]>,
}

impl Stimulation {
    pub(super) fn read(s: &mut Section<'_, '_, '_>) -> Self {
        let profiles = Profile::ALL.map(|profile| (profile.name(), profile));
        let profile = s.choice("profile", Profile::Steep, &profiles);
        let (least, most) = EXPONENTS;
        let ramp = within(5.0, 60.0, "s").because("a ramp lasts at least 5 s");
        let gap = within(30.0, 3600.0, "s").because("a gap lasts at least 30 s");
        let blind = within(1.0, 60.0, "s").because("the EEG needs at least 1 s after zero current");
        let stimulation = Self {
            enabled: s.flag("enabled", false),
            profile,
            exponent: s.number(
                "exponent",
                profile.default_exponent(),
                within(least, most, "").because("hard limit of the noise"),
            ),
            // ±0.5 mA is 1 mA peak to peak: half of what the configuration may ask for.
            peak_ma: s.number(
                "peak_ma",
                0.5,
                within(0.01, hard::PEAK_MA, "mA").because("hard limit of a configuration"),
            ),
            // 0.5 Hz and above: the low cut-off, more than the exponent, sets the exposure near DC.
            band_hz: s.pair(
                "band_hz",
                [DEFAULT_BAND_HZ.0, DEFAULT_BAND_HZ.1],
                within(WIDEST_BAND_HZ.0, WIDEST_BAND_HZ.1, "Hz").because("hard limits of the band"),
            ),
            override_band: s.flag("override_band", false),
            ramp_up_s: s.number("ramp_up_s", 10.0, ramp),
            ramp_down_s: s.number("ramp_down_s", 10.0, ramp),
            // Blocks of about 5 min as in the study. Its 12 held four of sham; seven of one profile stay within the
            // 40 min of `limits.active_min` with a margin, twelve would exceed them.
            block_s: s.number("block_s", 300.0, within(10.0, 1200.0, "s")),
            gap_s: s.number("gap_s", 60.0, gap),
            blocks: s.count("blocks", 7, 1, 100),
            baseline_s: s.number("baseline_s", 30.0, within(0.0, 3600.0, "s")),
            blind_gap_s: s.number("blind_gap_s", 2.0, blind),
            seed: s.integer_opt("seed", 0, i64::MAX).and_then(|seed| u64::try_from(seed).ok()),
            electrode_area_cm2: s.number_opt("electrode_area_cm2", within(1.0, 200.0, "cm2")),
            electrode_kohm: s.two_opt("electrode_kohm", within(0.1, 1000.0, "kOhm")),
        };
        s.done();
        stimulation
    }
}
