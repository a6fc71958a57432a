//! A session that plays the decisions of another one: the same exponents at the same moments, and only of a session that
//! holds and is open.

use tras::session::recorded::{Recorded, What};
use tras_test_support::lab::Lab;

use crate::protocols::{RUN, entries, prepare, protocol, recomputed, says, unblind};

/// Decisions of blocks: the block, when from its begin, exponent, whether current may flow.
fn decided(folder: &std::path::Path) -> Vec<(u64, f64, f64, bool)> {
    let (mut block, mut begun_s, mut all) = (None, 0.0, Vec::new());
    let mut happened = Recorded::open(folder).unwrap().happened();
    // A decision of the moment in which its block begins stands behind the begin.
    let of = |what: &What| matches!(what, What::Event(event) if event["event"] == "decision");
    happened.sort_by(|a, b| a.at_s.total_cmp(&b.at_s).then(of(&a.what).cmp(&of(&b.what))));
    for item in happened {
        let What::Event(event) = item.what else { continue };
        if event["event"] == "phase" {
            block = event["block"].as_u64().filter(|_| event["phase"] == "block");
            begun_s = item.at_s;
        }
        if let (Some(block), true) = (block, event["event"] == "decision") {
            let exponent = event["exponent"].as_f64().unwrap();
            all.push((block, item.at_s - begun_s, exponent, event["flow"].as_bool().unwrap()));
        }
    }
    all
}

#[test]
fn a_yoked_session_gets_what_the_other_one_got_and_only_from_one_that_holds() {
    let lab = Lab::new();
    let gate = "profile = \"steep\", exponent = 2.0, law = \"gated\", threshold = 0.2, dwell_s = 20, \
                refractory_s = 30, share = 0.5";
    let closed =
        [("one", gate), ("other", "profile = \"flat\", exponent = 0.5"), ("sham", "profile = \"sham\"")];
    prepare(&lab, &protocol(&closed), &closed);
    says(&lab, 0, RUN);
    let first = crate::protocols::folder(&lab);

    // The same blocks of a second participant, all of them yoked.
    let yoked = "profile = \"steep\", exponent = 1.0, law = \"yoked\"";
    let text = protocol(&[("yoked", yoked)]).replace("condition = \"allocated\"", "condition = \"yoked\"");
    let text = text.replace("allocation = \"wm.allocation.json\"\n", "");
    lab.write("y.toml", &text);
    let run = "run -c y.toml --participant P02 --session 2 --virtual --headless --seed 9 --record yoked";
    let to = |folder: &std::path::Path| format!("{run} --yoked-to {}", folder.display());
    assert!(says(&lab, 2, run).contains("--yoked-to FOLDER"));
    let sealed = says(&lab, 2, &to(&first));
    assert!(sealed.contains("block 1 is still sealed: tras unblind"), "{sealed}");
    unblind(&lab, &first, 1..=3);
    assert!(!lab.folder().join("yoked").exists(), "a refused session leaves nothing");
    says(&lab, 0, &to(&first));
    let second = std::fs::read_dir(lab.folder().join("yoked")).unwrap().next().unwrap().unwrap().path();

    // Of the sham block nothing flows; of the others all is as it was, at most a turn of the loop later.
    let given = decided(&first);
    let got = decided(&second);
    let conditions: Vec<String> = (1..=3)
        .map(|block| std::fs::read_to_string(first.join(format!("unblinded/block-{block:02}.json"))).unwrap())
        .collect();
    let sham = 1 + conditions.iter().position(|text| text.contains("\"sham\"")).unwrap() as u64;
    let changes = |all: &[(u64, f64, f64, bool)], block: u64| {
        let mut own: Vec<(f64, f64, bool)> =
            all.iter().filter(|d| d.0 == block).map(|d| (d.1, d.2, d.3)).collect();
        own.dedup_by_key(|d| (d.1.to_bits(), d.2));
        own
    };
    let mut flows = 0;
    for block in 1..=3 {
        let (given, got) = (changes(&given, block), changes(&got, block));
        if block == sham {
            assert!(got.iter().all(|(_, _, flow)| !flow), "{got:?}");
            continue;
        }
        assert_eq!(given.len(), got.len(), "block {block}: {given:?}, {got:?}");
        for (was, is) in given.iter().zip(&got) {
            assert!(
                (was.1, was.2) == (is.1, is.2) && (0.0..0.02).contains(&(is.0 - was.0)),
                "{was:?} {is:?}"
            );
        }
        flows += given.iter().filter(|d| d.2).count();
    }
    assert!(flows >= 2, "the gate opened, and the fixed condition flowed: {given:?}");
    let rows = Recorded::open(&second).unwrap().rows("current").unwrap();
    assert!(rows.iter().any(|(_, row)| row[0].abs() > 0.05), "current of the yoked session");

    // Whose it was stands in the log, and the session is whole without the other folder.
    let entry = &entries(&second, "yoked")[0]["data"];
    assert_eq!(entry["session"], entries(&first, "opened")[0]["data"]["session"]);
    let kept = std::fs::read_to_string(first.join("audit.jsonl")).unwrap();
    std::fs::write(first.join("audit.jsonl"), kept.replacen("steep", "stoop", 1).replacen("P01", "P03", 1))
        .unwrap();
    let (_, decisions, line) = recomputed(&lab, &second);
    assert!(decisions > 20 && line.contains("bit for bit"), "{line}");
    let changed = says(&lab, 2, &to(&first));
    assert!(changed.contains("does not hold is not played again"), "{changed}");
}
