//! What a channel is where its sender or file does not say: by its label and its unit.
//!
//! EDF, CSV and many streams give a channel nothing but a label. A status line, a pulse oximeter or a muscle that is
//! taken for EEG gives a plausible exponent of nothing; an EEG channel that is left out because of an odd name is a
//! loss that the notes name. So only what is surely no EEG is told apart here, and the rest counts as EEG.

use super::Channel;
use std::collections::HashSet;

/// Words of which one as a whole word of a label says that a channel is no EEG (lower case).
const NOT_EEG_WORDS: &[&str] = &[
    // Other potentials of the body.
    "emg",
    "eog",
    "heog",
    "veog",
    "eogh",
    "eogv",
    "eogl",
    "eogr",
    "loc",
    "roc",
    "ecg",
    "ekg",
    "ecgl",
    "ecgr",
    "erg",
    "egg",
    "submental",
    "chin",
    "leg",
    "tibialis",
    "masseter",
    "exg",
    "gsr",
    "eda",
    "scr",
    "ppg",
    // Breath, blood, heat, place.
    "resp",
    "respiration",
    "breath",
    "airflow",
    "flow",
    "nasal",
    "oral",
    "oro",
    "thor",
    "thorax",
    "thoracic",
    "abd",
    "abdo",
    "abdomen",
    "abdominal",
    "chest",
    "effort",
    "snore",
    "spo2",
    "sao2",
    "osat",
    "sat",
    "oximeter",
    "pulse",
    "pleth",
    "plethysmo",
    "hr",
    "bpm",
    "heart",
    "rr",
    "rri",
    "co2",
    "etco2",
    "cpap",
    "pressure",
    "temp",
    "temperature",
    "rectal",
    "position",
    "pos",
    "body",
    "light",
    "sound",
    "mic",
    "audio",
    "acc",
    "accel",
    "accelerometer",
    "accx",
    "accy",
    "accz",
    "gyro",
    "gyroscope",
    "gyrox",
    "gyroy",
    "gyroz",
    "mag",
    "magx",
    "magy",
    "magz",
    "motion",
    "quaternion",
    // What the machine says of itself, and of the experiment.
    "status",
    "sta",
    "marker",
    "markers",
    "mrk",
    "mark",
    "event",
    "events",
    "trig",
    "trigger",
    "triggers",
    "sti",
    "stim",
    "stimulus",
    "annotation",
    "annotations",
    "photic",
    "dc",
    "aux",
    "analog",
    "digital",
    "din",
    "gpio",
    "button",
    "counter",
    "count",
    "sample",
    "samples",
    "index",
    "idx",
    "package",
    "packet",
    "seq",
    "battery",
    "bat",
    "impedance",
    "quality",
    "cq",
    "interpolated",
    "time",
    "timestamp",
    "timestamps",
    "clock",
    "other",
    "reserved",
    "unused",
    "response",
    "resp1",
    "label",
    "class",
    "target",
];

/// Beginnings of a label's word, with a number behind, that say the same: `EMG1`, `DC04`, `AUX2`, `X1`.
const NOT_EEG_NUMBERED: &[&str] = &[
    "emg", "eog", "ecg", "ekg", "exg", "dc", "aux", "acc", "gyro", "trig", "sti", "stim", "resp", "leg",
    "chin", "temp", "stx", "mkr", "din", "ain", "gsr", "accel",
];

/// Units that measure something else than a potential (lower case, without blanks).
const OTHER_UNITS: &[&str] = &[
    "%", "percent", "bpm", "1/min", "/min", "degc", "°c", "c", "celsius", "degf", "k", "l/min", "l/s", "ml",
    "mmhg", "cmh2o", "pa", "kpa", "mbar", "bar", "ohm", "kohm", "lux", "lx", "g", "m/s2", "m/s^2", "deg",
    "deg/s", "dps", "rad", "s", "ms", "hz", "a", "ma", "ua", "us", "µs", "db", "bool", "boolean", "bit",
    "bits", "code", "event",
];

/// What a channel's label and unit say of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guess {
    /// A name of the 10-20 system or its finer ones, or it says EEG.
    Eeg,
    /// Surely something else.
    Other,
    /// Nothing.
    Unknown,
}

/// What `channel` is; its sender's word counts over its label, its label over its unit.
#[must_use]
pub fn guess(channel: &Channel) -> Guess {
    let kind = channel.kind.trim();
    if !kind.is_empty() {
        return if kind.eq_ignore_ascii_case("EEG") { Guess::Eeg } else { Guess::Other };
    }
    let of_label = by_label(&channel.label);
    let unit: String = channel.unit.to_lowercase().split_whitespace().collect();
    if of_label == Guess::Unknown && OTHER_UNITS.contains(&unit.as_str()) { Guess::Other } else { of_label }
}

fn by_label(label: &str) -> Guess {
    let lower = label.to_lowercase();
    let words: Vec<&str> =
        lower.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
    let Some(first) = words.first() else {
        // "-", "." and the like: a place in the layout that nothing is plugged into.
        return if label.trim().is_empty() { Guess::Unknown } else { Guess::Other };
    };
    // "EXG Channel 3" is how OpenBCI calls its EEG inputs; elsewhere EXG1 is an extra one.
    if words.contains(&"eeg") || (*first == "exg" && words.get(1) == Some(&"channel")) {
        // "EEG time", "EEG.Battery": not everything that says so is.
        let machine = ["counter", "battery", "quality", "time", "timestamp", "marker", "markers", "status"];
        return if words.iter().any(|word| machine.contains(word)) { Guess::Other } else { Guess::Eeg };
    }
    // The eyes of a polysomnography (AASM): against the mastoids these two are no electrodes of a net.
    let eye = matches!(*first, "e1" | "e2")
        && words.get(1).is_some_and(|w| matches!(*w, "m1" | "m2" | "a1" | "a2"));
    if eye {
        return Guess::Other;
    }
    if is_electrode(first) {
        return Guess::Eeg;
    }
    let numbered = |word: &str| {
        let bare = word.trim_end_matches(|c: char| c.is_ascii_digit());
        bare.len() < word.len() && NOT_EEG_NUMBERED.contains(&bare)
    };
    let other = words.iter().any(|word| NOT_EEG_WORDS.contains(word) || numbered(word));
    if other { Guess::Other } else { Guess::Unknown }
}

/// Whether a word is a place of the 10-5 system (Oostenveld & Praamstra 2001), or one of its older names.
fn is_electrode(word: &str) -> bool {
    let (letters, place) = word.split_at(word.find(|c: char| c.is_ascii_digit()).unwrap_or(word.len()));
    let row = letters.strip_suffix('z').filter(|_| place.is_empty());
    let rows = [
        "n", "fp", "af", "aff", "afp", "f", "fc", "ffc", "fcc", "ft", "fft", "ftt", "c", "cp", "ccp", "cpp",
        "t", "tp", "ttp", "tpp", "p", "po", "ppo", "poo", "o", "i", "oi", "iz", "m",
    ];
    let numbered = rows.contains(&letters)
        && place.trim_end_matches('h').parse::<u32>().is_ok_and(|number| (1..=10).contains(&number));
    row.is_some_and(|row| rows.contains(&row)) || numbered || matches!(word, "iz" | "nz" | "cz" | "a1" | "a2")
}

/// Whether `label` alone says that a channel is EEG.
#[must_use]
pub fn says_eeg(label: &str) -> bool {
    by_label(label) == Guess::Eeg
}

/// Gives every channel a label of its own: an empty one becomes the channel's number, a second `T8-P8` becomes
/// `T8-P8-2`. Returns what was changed, for a note.
pub fn distinct_labels(channels: &mut [Channel]) -> Option<String> {
    let mut taken: HashSet<String> = channels.iter().map(|c| c.label.trim().to_lowercase()).collect();
    let (mut seen, mut changed) = (HashSet::new(), Vec::new());
    for (at, channel) in channels.iter_mut().enumerate() {
        let label = channel.label.trim();
        if !label.is_empty() && seen.insert(label.to_lowercase()) {
            continue;
        }
        let stem = if label.is_empty() { (at + 1).to_string() } else { label.to_owned() };
        let first = if label.is_empty() { Some(stem.clone()) } else { None };
        let numbered = (2..).map(|number: u32| format!("{stem}-{number}"));
        // There are more numbers than channels: one is always free.
        let Some(own) = first.into_iter().chain(numbered).find(|name| taken.insert(name.to_lowercase()))
        else {
            continue;
        };
        seen.insert(own.to_lowercase());
        changed.push(if label.is_empty() {
            format!("channel {} has no label and is {own}", at + 1)
        } else {
            format!("another {label} is {own}")
        });
        channel.label = own;
    }
    (!changed.is_empty()).then(|| changed.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn channel(label: &str, unit: &str) -> Channel {
        Channel { label: label.into(), unit: unit.into(), kind: String::new() }
    }

    #[test]
    fn electrodes_by_all_their_names() {
        for label in [
            "Fz",
            "FP1",
            "fp2",
            "C3-A2",
            "C4-M1",
            "EEG Fpz-Cz",
            "EEG.AF3",
            "T8-P8",
            "FT10",
            "PO7",
            "POz",
            "Iz",
            "TP9",
            "AFF5h",
            "EEG 12",
            "EXG Channel 0",
            "O1-Ref",
            "CCP1h",
            "EEG C3-LE",
            "F3:M2",
        ] {
            assert_eq!(guess(&channel(label, "uV")), Guess::Eeg, "{label}");
        }
    }

    #[test]
    fn what_is_surely_no_eeg() {
        for label in [
            "EMG submental",
            "EMG1",
            "EMG Chin1-Chin2",
            "ECG",
            "EKG II",
            "EOG horizontal",
            "LOC",
            "ROC-A1",
            "Resp oro-nasal",
            "SpO2",
            "SaO2",
            "PULSE",
            "Temp rectal",
            "Event marker",
            "Status",
            "STATUS",
            "TRIG",
            "Trigger",
            "STI 014",
            "Photic",
            "DC01",
            "Airflow",
            "Thor",
            "Abdo",
            "Snore",
            "Pos.",
            "Light",
            "AUX1",
            "Right AUX",
            "Accelerometer_X",
            "Gyro_Z",
            "Battery",
            "Sample Index",
            "Counter",
            "Timestamp",
            "Other",
            "EEG.Counter",
            "EEG.Battery",
            "CQ.AF3",
            "-",
            "--",
            ".",
            "Analog Channel 0",
            "Accel Channel 2",
            "EXG1",
            "HR",
            "Marker",
            "Leg/R",
            "E1-M2",
            "E2:M2",
        ] {
            assert_eq!(guess(&channel(label, "uV")), Guess::Other, "{label}");
        }
        for unit in ["%", "bpm", "degC", "l/min", "mmHg", "Deg C"] {
            assert_eq!(guess(&channel("Ch3", unit)), Guess::Other, "{unit}");
        }
    }

    #[test]
    fn what_is_not_known_is_not_guessed() {
        for label in ["1", "A17", "Ch5", "E128", "LAH1", "left", "X", "", "B32"] {
            assert_eq!(guess(&channel(label, "uV")), Guess::Unknown, "{label}");
        }
        let typed = |kind: &str| guess(&Channel { kind: kind.into(), ..channel("TRIG", "uV") });
        assert_eq!((typed("eeg"), typed("AUX")), (Guess::Eeg, Guess::Other));
    }

    #[test]
    fn labels_become_distinct() {
        let mut channels: Vec<Channel> =
            ["T8-P8", "T8-P8", "", "t8-p8", "T8-P8-2", " "].iter().map(|label| channel(label, "")).collect();
        let note = distinct_labels(&mut channels).unwrap_or_default();
        let labels: Vec<&str> = channels.iter().map(|c| c.label.as_str()).collect();
        assert_eq!(labels, ["T8-P8", "T8-P8-3", "3", "t8-p8-4", "T8-P8-2", "6"]);
        assert!(
            note.contains("another T8-P8 is T8-P8-3") && note.contains("channel 3 has no label"),
            "{note}"
        );
        assert_eq!(distinct_labels(&mut channels), None);
    }
}
