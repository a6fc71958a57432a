//! Sessions by a protocol in virtual time: what holds of the folder that they leave.

use tras_test_support::lab::Lab;

use crate::protocols::{recomputed, says, session};

#[test]
fn a_blinded_session_is_recomputed_up_to_its_first_block_and_all_of_it_once_unblinded() {
    let lab = Lab::new();
    let folder = session(
        &lab,
        &[
            ("steep", "profile = \"steep\", exponent = 2.0"),
            ("sham", "profile = \"sham\", exponent = 2.0"),
            (
                "gated",
                "profile = \"steep\", exponent = 2.0, law = \"gated\", threshold = 0.2, dwell_s = 20, \
                 refractory_s = 30, share = 0.5",
            ),
        ],
    );
    let (blind, _, line) = recomputed(&lab, &folder);
    assert!(blind > 40 && line.contains("missing or sealed"), "{line}");
    let rows = std::fs::read_to_string(folder.join("estimates.csv")).unwrap().lines().count() as u64 - 1;

    for block in 1..=2 {
        let unblind = format!("unblind {} --block {block} --reason test", folder.display());
        says(&lab, 0, &unblind);
    }
    let (some, _, line) = recomputed(&lab, &folder);
    assert!(some > blind + 200 && line.contains("missing or sealed"), "{line}");
    says(&lab, 0, &format!("unblind {} --block 3 --reason test", folder.display()));
    let (all, decisions, line) = recomputed(&lab, &folder);
    // Every window of the run, those under current too, and what the clock decided in blocks.
    assert!(all > rows + 300 && decisions > 60, "{all} of {rows} open ones, {line}");
    assert!(line.contains("bit for bit") && !line.contains("left out"), "{line}");
}

#[test]
fn nothing_open_tells_what_a_law_did_in_its_block() {
    let lab = Lab::new();
    let folder = session(
        &lab,
        &[
            ("steep", "profile = \"steep\", exponent = 2.0"),
            ("flat", "profile = \"flat\", exponent = 0.5"),
            (
                "gated",
                "profile = \"steep\", exponent = 2.0, law = \"gated\", threshold = 0.2, dwell_s = 20, \
                 refractory_s = 30, share = 0.5",
            ),
        ],
    );
    let events = std::fs::read_to_string(folder.join("events.csv")).unwrap();
    assert!(!events.contains("\"\"id\"\""), "a decision's number counts what a law has decided");
    let estimates = std::fs::read_to_string(folder.join("estimates.csv")).unwrap();
    assert!(!estimates.contains("stimulating") && !estimates.contains("settling"));
    // What is seen through the current says how much flowed: sealed, and nowhere else.
    // With its quotes: the configuration in the header has a table of that name.
    let is_in = |bytes: &[u8]| bytes.windows(17).any(|word| word == b"\"through_current\"");
    assert!(!events.contains("through_current"), "{events}");
    assert!(!is_in(&std::fs::read(folder.join("session.xdf")).unwrap()));
    says(&lab, 0, &format!("unblind {} --block 1 --reason test", folder.display()));
    let opened = folder.join(tras::session::folder::unblinded_recording(1));
    assert!(is_in(&std::fs::read(opened).unwrap()), "the sealed stream has them");
    // Sealed streams have the same length, whatever flowed.
    let sizes: Vec<u64> = (1..=3)
        .map(|block| folder.join(format!("sealed/block-{block:02}.sealed")).metadata().unwrap().len())
        .collect();
    let padding = sizes.iter().max().unwrap() - sizes.iter().min().unwrap();
    assert_eq!(padding, 0, "{sizes:?}");
    // What a block's events are, without their times and numbers, is the same for each.
    let mut kinds: Vec<Vec<String>> = Vec::new();
    for line in events.lines() {
        if line.contains("block_start") || line.contains("\"\"phase\"\":\"\"block\"\"") {
            kinds.push(Vec::new());
        }
        let event = line.split("\"\"event\"\":\"\"").nth(1).and_then(|rest| rest.split('"').next());
        if let (Some(kinds), Some(event)) = (kinds.last_mut(), event)
            && ["current", "flow"].contains(&event)
        {
            kinds.push(event.to_owned());
        }
    }
    assert!(kinds.len() >= 3 && kinds.windows(2).all(|pair| pair[0] == pair[1]), "{kinds:?}");
}
