//! `[estimator]`: window, spectrum, fit, and where the estimates are taken, read into the estimator's own settings.

use super::section::{Section, within};
use crate::estimator::{
    MAX_PEAKS,
    assemble::best_segments,
    settings::{Bent, DuringCurrent, Floor, MethodName, Mode, Region, Settings},
    spectrum::{Average, Detrend},
};

/// Reads the section.
pub(super) fn read(s: &mut Section<'_, '_, '_>) -> Settings {
    let methods = [("specparam", MethodName::Specparam), ("whittle", MethodName::Whittle)];
    let detrends = [("constant", Detrend::Constant), ("linear", Detrend::Linear), ("none", Detrend::None)];
    let most_peaks = u32::try_from(MAX_PEAKS).unwrap_or(16);
    let method = s.choice("method", MethodName::Specparam, &methods);
    let window_s = s.number("window_s", 4.0, within(0.5, 120.0, "s"));
    let hop_s = s.number("hop_s", 0.5, within(0.01, 60.0, "s"));
    let range_hz = s.pair("range_hz", [2.0, 35.0], within(0.1, 500.0, "Hz"));
    let (segment_s, mut overlap) = best_segments(method, window_s, range_hz);
    if s.is_set("segment_s") {
        overlap = 0.5;
    }
    let mut estimator = Settings {
        method,
        mode: s.choice(
            "mode",
            Mode::Fixed,
            &[("fixed", Mode::Fixed), ("knee", Mode::Knee), ("auto", Mode::Auto)],
        ),
        bent: s.choice(
            "bent",
            Bent::Hold,
            &[("hold", Bent::Hold), ("steer", Bent::Steer), ("warn", Bent::Warn)],
        ),
        floor: s.choice("floor", Floor::Auto, &[("auto", Floor::Auto), ("none", Floor::None)]),
        range_hz,
        window_s,
        hop_s,
        segment_s: s.number("segment_s", segment_s, within(0.1, 60.0, "s")),
        overlap: s.number("overlap", overlap, within(0.0, 0.95, "")),
        average: s.choice("average", Average::Mean, &[("mean", Average::Mean), ("median", Average::Median)]),
        detrend: s.choice("detrend", Detrend::Constant, &detrends),
        max_peaks: s.count("max_peaks", 12, 0, most_peaks),
        peak_width_hz: s.pair("peak_width_hz", [1.0, 8.0], within(0.05, 100.0, "Hz")),
        min_peak_height: s.number("min_peak_height", 0.05, within(0.0, 10.0, "log10 power")),
        peak_threshold: s.number("peak_threshold", 2.0, within(0.0, 100.0, "sd")),
        line_hz: read_line(s, 50.0),
        min_r_squared: s.number_opt("min_r_squared", within(0.0, 1.0, "")),
        min_segments_share: s.number("min_segments_share", 0.5, within(0.01, 1.0, "")),
        during_current: s.choice(
            "during_current",
            DuringCurrent::default(),
            &[("hide", DuringCurrent::Hide), ("show", DuringCurrent::Show), ("steer", DuringCurrent::Steer)],
        ),
        // Peaks of a minute ago are still there: what whittle may start from.
        memory_s: s.number("memory_s", 60.0, within(0.0, 600.0, "s")),
        regions: s.tables("regions", "[{ name = \"frontal\", channels = [\"Fz\", \"F3\"] }]", read_region),
        each_channel: s.flag("each_channel", false),
        steer: s.text("steer").unwrap_or_default(),
    };
    if estimator.method == MethodName::Specparam && estimator.mode == Mode::Auto {
        s.problem(
            "mode",
            "is \"auto\", but specparam cannot choose",
            "set \"fixed\" or \"knee\", or method = \"whittle\"",
        );
    }
    if !s.is_set("regions") {
        estimator.regions = vec![Region { name: "all".to_owned(), channels: Vec::new() }];
    } else if estimator.regions.is_empty() {
        s.problem(
            "regions",
            "the list is empty",
            "name a region, or leave the key out for one of all channels",
        );
    }
    if estimator.steer.is_empty() {
        estimator.steer = estimator.regions.first().map(|region| region.name.clone()).unwrap_or_default();
    }
    s.done();
    estimator
}

fn read_region(s: &mut Section<'_, '_, '_>) -> Region {
    let region = Region { name: s.text("name").unwrap_or_default(), channels: s.texts("channels") };
    if !s.is_set("name") {
        s.problem("name", "is missing", "give the region a name");
    }
    region
}

/// `line_hz` of this section: 50, 60 or 0.
pub(super) fn read_line(s: &mut Section<'_, '_, '_>, default: f64) -> f64 {
    let value = s.number("line_hz", default, within(0.0, 60.0, "Hz"));
    if value != 0.0 && value != 50.0 && value != 60.0 {
        s.problem("line_hz", format!("{value} Hz is no mains frequency"), "set 50, 60, or 0 for none");
        return default;
    }
    value
}
