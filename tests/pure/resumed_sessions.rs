//! Sessions that end in a block and go on: what is entered, what is done again, and that all of it is recomputed. And what
//! else of a session's folder says who saw what.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tras::session::recorded::Recorded;
use tras_test_support::lab::Lab;

use crate::protocols::{RUN, STUDY, entries, folder, prepare, protocol, recomputed, says, unblind};

/// Seconds of a session to the middle of its second block.
const IN_BLOCK_2: &str = "--seconds 150";

/// Blocks as they began, in order.
fn begun(folder: &Path) -> Vec<u64> {
    entries(folder, "phase").iter().filter_map(|entry| entry["data"]["block"].as_u64()).collect()
}

/// Blocks that are entered as broken, in order.
fn broken(folder: &Path) -> Vec<u64> {
    entries(folder, "broken").iter().filter_map(|entry| entry["data"]["block"].as_u64()).collect()
}

/// A session by `text` that ends in its second block and is resumed. Gives its folder.
fn resumed(lab: &Lab, text: &str) -> std::path::PathBuf {
    prepare(lab, text, &STUDY);
    says(lab, 0, &format!("{RUN} {IN_BLOCK_2}"));
    let folder = folder(lab);
    says(lab, 0, &format!("run --resume {} --virtual --headless --seed 8", folder.display()));
    folder
}

#[test]
fn a_session_goes_on_behind_its_broken_block_and_each_sitting_is_recomputed() {
    let lab = Lab::new();
    let folder = resumed(&lab, &protocol(&STUDY));
    assert_eq!((begun(&folder), broken(&folder)), (vec![1, 2, 3], vec![2]));
    // Blind: what stands before the first sealed sample of either sitting.
    let (blind, _, line) = recomputed(&lab, &folder);
    assert!(line.contains("in 2 sittings") && line.contains("missing or sealed"), "{line}");
    unblind(&lab, &folder, 1..=3);
    let (all, decisions, line) = recomputed(&lab, &folder);
    assert!(all > blind + 400 && decisions > 50, "{line}");
    assert!(line.contains("bit for bit in 2 sittings") && !line.contains("left out"), "{line}");
    let refused = says(&lab, 2, &format!("run --resume {} --virtual --headless", folder.display()));
    assert!(refused.contains("complete"), "{refused}");
    assert!(!folder.join("session-3.xdf").exists(), "what is refused leaves nothing");

    says(&lab, 0, &format!("export-bids {} --out bids", folder.display()));
    let frames = |sitting: &Recorded| {
        let mut frames = sitting.frames().unwrap();
        let (mut header, mut values) = (Default::default(), vec![0.0; frames.width()]);
        let mut count = 0;
        while frames.next(&mut header, &mut values).unwrap() {
            count += 1;
        }
        count * frames.width() as u64 * 4
    };
    let sittings = Recorded::open(&folder).unwrap().sittings();
    assert_eq!(sittings.len(), 2);
    for (run, sitting) in (1..).zip(&sittings) {
        let data = format!("bids/sub-P01/ses-2/eeg/sub-P01_ses-2_task-tras_run-{run:02}_eeg.eeg");
        assert_eq!(lab.folder().join(data).metadata().unwrap().len(), frames(sitting), "run {run}");
    }
}

#[test]
fn a_protocol_that_repeats_broken_blocks_does_them_again_in_a_stream_of_their_own() {
    let lab = Lab::new();
    let text = protocol(&STUDY).replace("[protocol]\n", "[protocol]\nbroken = \"repeat\"\n");
    let folder = resumed(&lab, &text);
    assert_eq!((begun(&folder), broken(&folder)), (vec![1, 2, 2, 3], vec![2]));
    let length = |name: &str| folder.join("sealed").join(name).metadata().unwrap().len();
    assert!(length("block-02.sealed") < length("block-02-2.sealed"), "the first one was broken off");
    assert_eq!(length("block-02-2.sealed"), length("block-03.sealed"));
    unblind(&lab, &folder, 1..=3);
    for name in ["block-02.xdf", "block-02-2.xdf"] {
        assert!(folder.join("unblinded").join(name).is_file(), "{name}");
    }
    let (_, decisions, line) = recomputed(&lab, &folder);
    assert!(line.contains("bit for bit in 2 sittings") && !line.contains("left out"), "{line}");
    assert!(decisions > 50, "{line}");
}

#[test]
fn a_block_in_which_the_program_was_killed_is_entered_as_broken_when_the_session_goes_on() {
    let lab = Lab::new();
    prepare(&lab, &protocol(&STUDY), &STUDY);
    let mut run = lab.run(RUN);
    let until = Instant::now() + Duration::from_secs(60);
    let within = loop {
        assert!(Instant::now() < until, "{}", run.said());
        if let Ok(mut folders) = std::fs::read_dir(lab.folder().join("recordings"))
            && let Some(Ok(made)) = folders.next()
            && made.path().join("audit.jsonl").is_file()
            && !begun(&made.path()).is_empty()
        {
            break made.path();
        }
        std::thread::sleep(Duration::from_millis(1));
    };
    run.signal(libc::SIGKILL);
    run.end(10.0);
    let (before, spoilt) = (begun(&within), broken(&within));
    assert_eq!(spoilt, [] as [u64; 0], "nobody was left to enter it");
    says(&lab, 5, &format!("verify {}", within.display()));

    says(&lab, 0, &format!("run --resume {} --virtual --headless --seed 8", within.display()));
    let last = before.last().copied().unwrap();
    let found = entries(&within, "broken");
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0]["data"], json!({"block": last, "why": "the session ended within it"}));
    assert_eq!(begun(&within), [1, 2, 3], "never repeated silently");
    let (_, _, line) = recomputed(&lab, &within);
    assert!(line.contains("in 2 sittings"), "{line}");
}

#[test]
fn an_engineer_s_session_hides_nothing_and_says_so() {
    let lab = Lab::new();
    prepare(&lab, &protocol(&STUDY), &STUDY);
    says(&lab, 0, &format!("{RUN} --role engineer"));
    let folder = folder(&lab);
    let begin = &entries(&folder, "opened")[0]["data"]["about"];
    assert_eq!((&begin["role"], &begin["blind"]), (&json!("engineer"), &json!(false)));
    let reasons = entries(&folder, "unblinded");
    let blocks: Vec<u64> = reasons.iter().filter_map(|entry| entry["data"]["block"].as_u64()).collect();
    assert_eq!(blocks, [1, 2, 3]);
    assert!(reasons.iter().all(|entry| entry["data"]["reason"].as_str().unwrap().contains("never blind")));
    let mut conditions = Vec::new();
    for block in 1..=3 {
        let text = std::fs::read_to_string(folder.join(format!("unblinded/block-{block:02}.json"))).unwrap();
        let opened: Value = serde_json::from_str(&text).unwrap();
        conditions.push(opened["condition"].as_str().unwrap().to_owned());
    }
    conditions.sort();
    assert_eq!(conditions, ["flat", "sham", "steep"]);
    // Nothing is sealed: the recording has the blocks' EEG and current, and all is recomputed from it alone.
    assert!(!folder.join("sealed").exists());
    let recorded = Recorded::open(&folder).unwrap();
    let currents = recorded.rows("current").unwrap();
    assert!(currents.iter().any(|(_, row)| row[0].abs() > 0.05), "{} samples", currents.len());
    let (estimates, _, line) = recomputed(&lab, &folder);
    assert!(estimates > 600 && line.contains("bit for bit") && !line.contains("left out"), "{line}");
}

#[test]
fn a_session_that_does_not_fit_its_allocation_leaves_no_folder() {
    let lab = Lab::new();
    prepare(&lab, &protocol(&STUDY), &STUDY);
    let other = RUN.replace("P01", "P02");
    assert!(says(&lab, 2, &other).contains("P02"));
    let pinned = format!("[protocol]\ncommitment = \"{}\"\n", "0".repeat(64));
    lab.write("p.toml", &protocol(&STUDY).replace("[protocol]\n", &pinned));
    assert!(says(&lab, 2, RUN).contains("commitment"));
    assert!(!lab.folder().join("recordings").exists(), "a refused session leaves nothing");
}

#[test]
fn a_participant_whose_rest_lies_outside_of_all_conditions_is_warned_of() {
    for (exponents, warned) in [((2.2, 2.4), true), ((0.5, 2.0), false)] {
        let lab = Lab::new();
        let (one, other) = exponents;
        let conditions = [
            ("one", format!("profile = \"steep\", exponent = {one}")),
            ("other", format!("profile = \"steep\", exponent = {other}")),
            ("sham", "profile = \"sham\", exponent = 2.0".to_owned()),
        ];
        let conditions = conditions.each_ref().map(|(name, rest)| (*name, rest.as_str()));
        prepare(&lab, &protocol(&conditions), &conditions);
        let told = says(&lab, 0, &format!("{RUN} --seconds 100"));
        let folder = folder(&lab);
        let rest = &entries(&folder, "resting_exponent")[0]["data"];
        // The simulated participant's own is 1.5.
        assert!((rest["exponent"].as_f64().unwrap() - 1.5).abs() < 0.3, "{rest}");
        assert_eq!(told.contains("the participant's exponent at rest is"), warned, "{exponents:?}: {told}");
        assert_eq!(entries(&folder, "warning").len(), usize::from(warned));
    }
}

#[test]
fn every_recording_says_what_made_it() {
    let lab = Lab::new();
    let folder = resumed(&lab, &protocol(&STUDY));
    unblind(&lab, &folder, 1..=1);
    let configuration = std::fs::read_to_string(folder.join("config.toml")).unwrap();
    let configuration = configuration.split_once('\n').unwrap().1;
    let seeds = [("session.xdf", "7", None), ("session-2.xdf", "8", Some("2"))];
    for (name, seed, sitting) in seeds.into_iter().chain([("unblinded/block-01.xdf", "7", None)]) {
        let recorded = Recorded::open(&folder.join(name)).unwrap();
        assert_eq!(recorded.about("version"), Some(env!("CARGO_PKG_VERSION")), "{name}");
        assert!(recorded.about("build").is_some_and(|build| build.len() >= 8), "{name}");
        assert_eq!((recorded.about("seed"), recorded.about("sitting")), (Some(seed), sitting), "{name}");
        assert_eq!(recorded.about("participant"), Some("P01"), "{name}");
        assert_eq!(recorded.about("configuration"), Some(configuration.trim_end()), "{name}");
        assert!(recorded.config().unwrap().protocol.is_some(), "{name}");
    }
}
