//! `tras score` and `tras study` as others script against them.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;
use tras_scoring::Kernel;
use tras_scoring::simulate::Observer;
use tras_scoring::stream::Streams;

fn tras(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(tras_test_support::tras()).args(arguments).current_dir(folder).output().unwrap()
}

fn lines(output: &Output) -> Vec<Value> {
    std::str::from_utf8(&output.stdout).unwrap().lines().map(|l| serde_json::from_str(l).unwrap()).collect()
}

fn complained(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

const HEAD: &str = "participant,condition,load,block,trial,target_deg,response_deg,nontarget1_deg,nontarget2_deg,rt_s,status\n";

/// Trials of simulated observers: (condition, block, d', missing of 60).
fn trials(participant: &str, cells: &[(&str, u32, f64, usize)]) -> String {
    let kernel = Kernel::named("naka35").unwrap();
    let mut text = String::from(HEAD);
    for (condition, block, d_prime, missing) in cells {
        let observer = Observer::new(&kernel, *d_prime);
        let mut stream = Streams::new(1, &[participant, condition]).replicate(u64::from(*block));
        for trial in 0..60 {
            let target = stream.below(360);
            let response = (target as f64 + observer.error_deg(&mut stream)).rem_euclid(360.0);
            let response = if trial < *missing { String::new() } else { response.to_string() };
            let (a, b) = (stream.below(360), stream.below(360));
            writeln!(
                text,
                "{participant},{condition},3,{block},{trial},{target},{response},{a},{b},0.8,done"
            )
            .unwrap();
        }
    }
    text
}

#[test]
fn a_cell_is_one_line_with_the_contracts_keys_and_the_same_bytes_for_any_number_of_threads() {
    let folder = tempfile::tempdir().unwrap();
    let text = trials("P1", &[("steep", 1, 2.0, 9), ("flat", 2, 2.0, 0)]);
    std::fs::write(folder.path().join("trials.csv"), text).unwrap();
    let ask = |more: &[&str]| tras(folder.path(), &[&["score", "trials.csv", "--json"], more].concat());
    let one = ask(&["--threads", "1"]);
    assert!(one.status.success(), "{}", complained(&one));
    assert_eq!(one.stdout, ask(&["--threads", "3", "--kernel", "naka35"]).stdout);
    assert_ne!(one.stdout, ask(&["--seed", "2"]).stdout);
    let cells = lines(&one);
    assert_eq!(cells.len(), 2);
    let steep = &cells[0];
    assert_eq!(
        (&steep["participant"], &steep["condition"], &steep["load"]),
        (&"P1".into(), &"steep".into(), &3.into())
    );
    assert_eq!((&steep["n"], &steep["missing"], &steep["kernel"]), (&60.into(), &9.into(), &"naka35".into()));
    let d = steep["d_prime"].as_f64().unwrap();
    let ci: Vec<f64> = steep["d_prime_ci"].as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect();
    assert!((d - 2.0).abs() < 0.7 && ci[0] < d && d < ci[1], "{steep}");
    assert!(steep["d_prime_imputed"].as_f64().unwrap() < d - 0.1, "{steep}");
    assert_eq!(cells[1]["d_prime_imputed"], cells[1]["d_prime"]);
    for key in ["kappa", "p_target", "p_nontarget", "p_guess", "log_likelihood"] {
        assert!(steep["mixture"][key].is_number(), "{key}: {steep}");
    }
    assert!(steep["circular_sd_deg"].is_number() && steep["kernel_sha256"].as_str().unwrap().len() == 64);
    assert!(complained(&one).contains("between conditions: steep 15.0 % (9 of 60), flat 0.0 % (0 of 60)"));
    // Another kernel, a table of one's own, and the public grid.
    let exp = lines(&ask(&["--kernel", "exp40"]))[0]["d_prime"].as_f64().unwrap();
    assert!((exp - d).abs() > 0.02, "{exp} {d}");
    let table: String = (0..=180).fold("distance_deg,similarity\n".into(), |t, d| {
        t + &format!("{d},{}\n", (-f64::from(d) / 40.0).exp())
    });
    std::fs::write(folder.path().join("mine.csv"), table).unwrap();
    let mine = lines(&ask(&["--kernel", "mine.csv"]));
    assert!((mine[0]["d_prime"].as_f64().unwrap() - exp).abs() < 1e-6 && mine[0]["kernel"] == "mine");
    assert_eq!(lines(&ask(&["--compat"]))[0]["quadrature"], "compat");
}

#[test]
fn bad_input_is_told_and_never_used_in_silence() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let good = trials("P1", &[("steep", 1, 2.0, 0), ("flat", 2, 2.0, 60)]);
    std::fs::write(path.join("good.csv"), &good).unwrap();
    let radians: String = (0..20).fold(HEAD.into(), |t, k| t + &format!("P1,s,3,1,{k},0.{k},1.{k},,,,\n"));
    std::fs::write(path.join("radians.csv"), radians).unwrap();
    std::fs::write(path.join("lacks.csv"), "participant,load\nP1,3\n").unwrap();

    let output = tras(path, &["score", "good.csv", "radians.csv", "lacks.csv", "--json"]);
    assert_eq!(output.status.code(), Some(4));
    let cells = lines(&output);
    assert_eq!(cells.len(), 2);
    // All missing: counted, and no figure.
    assert_eq!(
        (&cells[1]["n"], &cells[1]["missing"], &cells[1]["d_prime"]),
        (&60.into(), &60.into(), &Value::Null)
    );
    let told = complained(&output);
    assert!(
        told.contains("radians.csv: target_deg: all 20 values") && told.contains("--unit radians"),
        "{told}"
    );
    assert!(told.contains("lacks.csv: no column condition, target_deg, response_deg"), "{told}");
    assert!(told.contains("every response is missing"), "{told}");

    let rows: Vec<&str> = good.lines().collect();
    let twice = format!("{good}{}\nP1,steep,3,1,99,20,500,,,,done\n", rows[1]);
    std::fs::write(path.join("twice.csv"), twice).unwrap();
    let output = tras(path, &["score", "twice.csv", "--json"]);
    let told = complained(&output);
    assert!(
        told.contains("a trial that stood before: line 122") && told.contains("outside the circle"),
        "{told}"
    );
    assert_eq!((&lines(&output)[0]["n"], &lines(&output)[0]["left_out"]), (&60.into(), &2.into()));

    assert_eq!(tras(path, &["score", "absent.csv"]).status.code(), Some(3));
    assert_eq!(tras(path, &["score", "good.csv", "--kernel", "naka"]).status.code(), Some(2));
}

#[test]
fn tables_and_pictures_are_written() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("t.csv"), trials("P1", &[("steep", 1, 2.0, 3), ("flat", 2, 1.5, 0)]))
        .unwrap();
    let output =
        tras(folder.path(), &["score", "t.csv", "--out", "out", "--bootstraps", "50", "--imputations", "50"]);
    assert!(output.status.success(), "{}", complained(&output));
    let read = |name: &str| std::fs::read_to_string(folder.path().join("out").join(name)).unwrap();
    assert_eq!((read("scores.csv").lines().count(), read("trials.csv").lines().count()), (3, 121));
    assert_eq!(read("scores.jsonl").lines().count(), 2);
    for picture in ["errors.svg", "load.svg", "conditions.svg"] {
        assert!(read(picture).contains("</svg>"), "{picture}");
    }
}

#[test]
fn a_study_joins_what_unblinding_told_and_simulates_its_power() {
    let folder = tempfile::tempdir().unwrap();
    let mut arguments = vec!["study".to_owned()];
    for k in 0..6 {
        let name = format!("sub-P{k}_ses-2_20261125");
        let path = folder.path().join(&name);
        std::fs::create_dir_all(path.join("unblinded")).unwrap();
        // While blinded the table has no condition.
        let sealed = trials(&format!("P{k}"), &[("", 1, 2.4, 0), ("", 2, 1.6, 0), ("", 3, 1.6, 4)]);
        std::fs::write(path.join("trials.csv"), sealed).unwrap();
        for (block, condition) in [(1, "steep"), (2, "flat"), (3, "sham")] {
            let open = format!(
                "{{\"study\":\"s\",\"participant\":\"P{k}\",\"session\":\"2\",\"block\":{block},\"condition\":\"{condition}\",\
                 \"salt\":\"x\",\"reason\":\"end of study\",\"at\":\"2026-11-25T12:00:00Z\"}}"
            );
            std::fs::write(path.join(format!("unblinded/block-{block:02}.json")), open).unwrap();
        }
        arguments.push(name);
    }
    arguments.extend(["--json", "--out", "out"].map(str::to_owned));
    let output = tras(folder.path(), &arguments.iter().map(String::as_str).collect::<Vec<_>>());
    assert!(output.status.success(), "{}", complained(&output));
    let contrasts = lines(&output);
    assert_eq!(contrasts[0]["contrast"], "steep - flat");
    let d = &contrasts[0]["d_prime"];
    assert!(d["n"] == 6 && d["ci"][0].as_f64().unwrap() > 0.2 && d["mean"].as_f64().unwrap() < 1.4, "{d}");
    assert!(contrasts[0]["regression"].as_str().unwrap().contains("needed"));
    assert!(complained(&output).contains("no estimates.csv"));
    let table = std::fs::read_to_string(folder.path().join("out/study.csv")).unwrap();
    assert_eq!(table.lines().count(), 1 + 18);
    assert!(std::fs::read_to_string(folder.path().join("out/study.svg")).unwrap().contains("steep - flat"));

    // A session's own folder, and the table in it, have the conditions of its unblinded blocks.
    for named in ["sub-P0_ses-2_20261125", "sub-P0_ses-2_20261125/trials.csv"] {
        let scored =
            tras(folder.path(), &["score", named, "--json", "--bootstraps", "20", "--imputations", "10"]);
        let cells = lines(&scored);
        let conditions: Vec<&str> = cells.iter().filter_map(|cell| cell["condition"].as_str()).collect();
        assert_eq!(conditions, ["steep", "flat", "sham"], "{}", complained(&scored));
    }

    let power = tras(
        folder.path(),
        &["study", "--simulate", "--participants", "10,40", "--effect", "0.2", "--studies", "300"],
    );
    let text = String::from_utf8(power.stdout).unwrap();
    let found: Vec<f64> =
        text.lines().skip(1).map(|l| l.split(',').nth(3).unwrap().parse().unwrap()).collect();
    assert!(found.len() == 2 && found[1] > found[0] + 0.2, "{text}");
    assert_eq!(tras(folder.path(), &["study", "absent"]).status.code(), Some(3));
}
