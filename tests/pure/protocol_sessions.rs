//! Sessions by a protocol in virtual time: what holds of the folder that they leave.

use std::fmt::Write as _;
use std::path::PathBuf;

use tras_test_support::lab::Lab;

/// What the program says, both streams, where it ends with `code`.
fn says(lab: &Lab, code: i32, arguments: &str) -> String {
    let output = lab.tras(arguments).output().unwrap();
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert_eq!(output.status.code(), Some(code), "{arguments}: {text}");
    text
}

/// Three blocks of a minute, one of each condition, with a rest of 40 s behind each.
fn protocol(conditions: &[(&str, &str)]) -> String {
    let mut text = String::from(
        "[estimator]\nmethod = \"specparam\"\nrange_hz = [2, 35]\nwindow_s = 4\nhop_s = 0.5\n\
         [stimulation]\nenabled = true\npeak_ma = 0.5\nexponent = 2.0\nelectrode_area_cm2 = 35\n\
         [limits]\npeak_ma = 0.5\n[stimulator]\nkind = \"simulated\"\n\
         [controller]\nexponent_min = 0.5\nexponent_max = 2.5\n\
         [record]\nparticipant = \"P01\"\n\
         [protocol]\nstudy = \"wm\"\nsession = \"2\"\nallocation = \"wm.allocation.json\"\nconditions = [\n",
    );
    for (name, rest) in conditions {
        let _ = writeln!(text, "  {{ name = \"{name}\", peak_ma = 0.5, {rest} }},");
    }
    text.push_str(
        "]\nphases = [\n  { kind = \"impedance\" },\n  { kind = \"rest_eyes_open\", duration_s = 30 },\n\
           { repeat = 3, phases = [\n    { kind = \"task\", duration_s = 60, lead_s = 5, condition = \"allocated\" },\n\
             { kind = \"rest_eyes_open\", duration_s = 40 },\n  ] },\n  { kind = \"end\" },\n]\n",
    );
    text
}

/// Runs it with its own allocation. Gives the folder.
fn session(lab: &Lab, conditions: &[(&str, &str)]) -> PathBuf {
    lab.write("p.toml", &protocol(conditions));
    let names: Vec<&str> = conditions.iter().map(|(name, _)| *name).collect();
    let names = names.join(",");
    let allocate = format!(
        "allocate --study wm --participants 1 --session 2 --blocks 3 --conditions {names} \
         --new-emergency-key emergency.key --out wm.allocation.json"
    );
    says(lab, 0, &allocate);
    says(
        lab,
        0,
        "run -c p.toml --participant P01 --session 2 --virtual --headless --seed 7 --record recordings",
    );
    let folders = std::fs::read_dir(lab.folder().join("recordings")).unwrap();
    folders.map(|folder| folder.unwrap().path()).next().unwrap()
}

fn recomputed(lab: &Lab, folder: &std::path::Path) -> (u64, u64, String) {
    let told = says(lab, 0, &format!("verify {} --recompute", folder.display()));
    let line = told.lines().find(|line| line.starts_with("recomputed")).unwrap().to_owned();
    let count = |word: usize| line.split_whitespace().nth(word).unwrap().parse().unwrap();
    (count(1), count(4), line)
}

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
