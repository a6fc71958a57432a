//! What other programs of this field call our settings: whoever brings their names is told ours.

/// Their names (lower case, `_` between words), and our key.
const TABLE: [(&str, &[&str]); 17] = [
    (
        "range_hz",
        &["freq_range", "frequency_range", "fit_range", "f_range", "frange", "freqs", "fmin", "fmax"],
    ),
    ("mode", &["aperiodic_mode", "ap_mode", "background_mode"]),
    ("peak_width_hz", &["peak_width_limits", "peak_width_limit", "peak_widths"]),
    ("max_peaks", &["max_n_peaks", "n_peaks", "max_number_of_peaks", "npeaks"]),
    ("min_peak_height", &["peak_height", "min_height"]),
    ("peak_threshold", &["threshold_sd", "peak_threshold_sd"]),
    ("min_r_squared", &["r_squared", "r2", "min_r2", "r_squared_threshold", "r2_threshold"]),
    ("segment_s", &["nperseg", "n_per_seg", "n_fft", "nfft", "segment_length", "win_size", "epoch_s"]),
    ("overlap", &["noverlap", "n_overlap", "overlap_share"]),
    (
        "window_s",
        &["window_length", "window_size", "win_length", "win_len", "tlen", "epoch_length", "duration"],
    ),
    ("hop_s", &["hop_length", "hop_size", "step", "step_s", "stride", "step_size"]),
    ("line_hz", &["line_freq", "line_noise", "notch", "notch_freq", "mains", "mains_hz", "powerline"]),
    ("channels", &["ch_names", "picks", "chs", "electrodes", "channel_names"]),
    ("reference", &["ref", "ref_channels", "eeg_ref", "reref"]),
    ("unit", &["units", "scaling", "scale"]),
    (
        "rate",
        &["sfreq", "fs", "srate", "sampling_rate", "sample_rate", "sampling_frequency", "sampling_freq"],
    ),
    ("jobs", &["n_jobs", "threads", "workers", "cores"]),
];

/// Our key for what others call `theirs`.
pub(crate) fn ours(theirs: &str) -> Option<&'static str> {
    let theirs = theirs.trim_start_matches('-').replace('-', "_").to_lowercase();
    // `window_hz` and `window`, `range_hz` and `range`: with and without the unit it is the same thing.
    let bare = |name: &str| name.trim_end_matches("_hz").trim_end_matches("_s").to_owned();
    let known = |names: &[&str]| names.iter().any(|name| *name == theirs || *name == bare(&theirs));
    TABLE.iter().find(|(key, names)| known(names) || bare(key) == bare(&theirs)).map(|(key, _)| *key)
}

/// The option of the command line for a key of a configuration: `range_hz` is `--range`.
pub(crate) fn option(key: &str) -> String {
    let key = key.trim_start_matches("estimator.").trim_start_matches("stream.");
    let bare = key.strip_suffix("_hz").or_else(|| key.strip_suffix("_s")).unwrap_or(key);
    format!("--{}", bare.replace('_', "-"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_other_programs_lead_to_ours() {
        for (theirs, key, flag) in [
            ("freq_range", "range_hz", "--range"),
            ("--freq-range", "range_hz", "--range"),
            ("aperiodic_mode", "mode", "--mode"),
            ("peak_width_limits", "peak_width_hz", "--peak-width"),
            ("max_n_peaks", "max_peaks", "--max-peaks"),
            ("nperseg", "segment_s", "--segment"),
            ("sfreq", "rate", "--rate"),
            ("range", "range_hz", "--range"),
            ("min_r2", "min_r_squared", "--min-r-squared"),
        ] {
            assert_eq!(ours(theirs), Some(key), "{theirs}");
            assert_eq!(option(key), flag);
        }
        assert_eq!(ours("colour"), None);
    }
}
