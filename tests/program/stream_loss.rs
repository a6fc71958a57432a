//! The sender dies in mid-burst: LOST within 500 ms, current down, recovery, and no restart inside the block that
//! was given up. The times are those of the recording.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use tras::recorder::check;
use tras_test_support::lab::{Lab, Session, assert_contract, sleep_s, wait_for};

const SIMULATE: &str = "simulate --name sim --seed 5 --channels 4";

fn config(blocks: u32) -> String {
    format!(
        "[stream]\nname = \"sim\"\n[stimulation]\nenabled = true\nramp_up_s = 5\nramp_down_s = 5\nblock_s = 24\n\
         gap_s = 30\nblocks = {blocks}\nbaseline_s = 1\nelectrode_area_cm2 = 35\n\
         [stimulator]\nkind = \"simulated\"\n[record]\nparticipant = \"p\"\n"
    )
}

/// Until the recording says so.
fn wait_for_event(folder: &std::path::Path, kind: &str, key: &str, value: &str, count: usize) {
    wait_for(&format!("{kind} {key} = {value}, {count} times"), 60.0, || {
        let there = folder.join("session.xdf").exists();
        (there && Session::open(folder).when(kind, key, value).len() >= count).then_some(())
    });
}

#[test]
fn a_killed_sender_is_noticed_the_current_ends_and_the_next_block_is_a_block_again() {
    let lab = Lab::new();
    let config = lab.write("run.toml", &config(2));
    let mut sim = lab.start(SIMULATE);
    let mut run = lab.run(&format!("run --headless --json --record r -c {}", config.display()));
    let folder = lab.folder().join("r/p-001");
    wait_for_event(&folder, "current", "state", "stimulating", 1);
    sim.kill();
    sleep_s(1.0);
    let _again = lab.start(SIMULATE);
    // The second block, up to its full amplitude.
    wait_for_event(&folder, "current", "state", "stimulating", 2);
    sleep_s(1.0);
    run.signal(libc::SIGTERM);
    let summary = run.summary(0, 15.0);
    assert_contract(&summary);
    assert_eq!(summary["faults"].as_array().unwrap().len(), 0, "{summary}");
    assert!(summary["gaps"].as_u64().unwrap() >= 1, "{summary}");
    assert_eq!(summary["underruns"], 0, "{summary}");

    check(&folder.join("session.xdf")).unwrap();
    let session = Session::open(&folder);
    let lost_s = session.when("stream", "state", "LOST");
    let live_s = session.when("stream", "state", "LIVE");
    assert_eq!((lost_s.len(), live_s.len()), (1, 2), "{:?}", session.events());
    let (lost_s, back_s) = (lost_s[0], live_s[1]);
    let eeg_s = session.numbers("sim").1;
    let heard = eeg_s.partition_point(|s| *s < lost_s);
    let silent_s = lost_s - eeg_s[heard - 1];
    eprintln!("LOST {:.0} ms after the last sample, back {:.2} s later", silent_s * 1e3, back_s - lost_s);
    assert!((0.0..=0.5).contains(&silent_s), "LOST {silent_s} s after the last sample");
    assert!(eeg_s[heard] - eeg_s[heard - 1] > 0.9, "the sender was gone for a second");

    let halted_s = session.when("halted", "why", "the EEG stream is lost");
    assert_eq!(halted_s.len(), 1);
    assert!((halted_s[0] - lost_s).abs() < 0.1);
    let (current, current_s) = session.numbers("current");
    let largest = |from_s: f64, to_s: f64| {
        let within = current.iter().zip(&current_s).filter(|(_, s)| (from_s..to_s).contains(*s));
        within.fold(0.0_f64, |most, (ma, _)| most.max(ma.abs()))
    };
    let phases: Vec<(f64, String)> = session
        .events()
        .into_iter()
        .filter(|(_, e)| e["event"] == "phase")
        .map(|(stamp_s, e)| (stamp_s, format!("{} {}", e["phase"].as_str().unwrap(), e["block"])))
        .collect();
    let entered_s =
        |phase: &str| phases.iter().find(|(_, p)| p == phase).unwrap_or_else(|| panic!("{phases:?}")).0;
    assert!(largest(lost_s - 0.5, lost_s) > 0.05, "the sender died in mid-burst");
    // A ramp of 1 s, and what the device had queued.
    assert_eq!(largest(lost_s + 1.3, entered_s("block 2")), 0.0, "current after the stream was lost");
    // Back with so much of the block left that a restart would show.
    let ending_s = entered_s("ramp down 1");
    assert!(back_s + 2.0 < ending_s, "back {back_s}, block ends {ending_s}: too slow to prove anything");
    let ups_s = session.when("current", "state", "ramp up");
    assert_eq!(ups_s.len(), 2);
    assert!((ups_s[1] - entered_s("block 2")).abs() < 0.2);
    assert!(largest(ups_s[1] + 5.0, f64::INFINITY) > 0.1);

    // No window spans the gap, and estimates come again.
    let rows = session.rows("estimates");
    let spans = |row: &tras_test_support::lab::Row| {
        (row["first_sample"] as usize) < heard && heard <= row["last_sample"] as usize
    };
    let fresh =
        |row: &tras_test_support::lab::Row| row["first_sample"] as usize >= heard && row["valid"] == 1.0;
    assert!(rows.iter().all(|(_, row)| !(spans(row) && row["valid"] == 1.0)), "a valid window spans the gap");
    assert!(rows.iter().filter(|(_, row)| fresh(row)).count() > 20);
}

#[test]
fn a_changed_stream_is_not_resumed() {
    let lab = Lab::new();
    let config = lab.write("run.toml", &config(1));
    let mut sim = lab.start(SIMULATE);
    let mut run = lab.run(&format!("run --headless --json --record r -c {}", config.display()));
    let folder = lab.folder().join("r/p-001");
    wait_for_event(&folder, "current", "state", "stimulating", 1);
    sim.kill();
    // The same name and source id, but one channel more.
    let _other = lab.start(&SIMULATE.replace("--channels 4", "--channels 5"));
    wait_for_event(&folder, "stream", "state", "LOST", 1);
    sleep_s(8.0);
    run.signal(libc::SIGTERM);
    let summary = run.summary(4, 15.0);
    assert!(summary["faults"][0].as_str().unwrap().contains("did not come back"), "{summary}");
    let warnings = summary["warnings"].to_string();
    assert!(warnings.contains('5') && warnings.contains('4'), "what differs is told: {warnings}");
    let session = Session::open(&folder);
    assert_eq!(session.when("stream", "state", "LIVE").len(), 1, "{:?}", session.events());
    let lost_s = session.when("stream", "state", "LOST")[0];
    assert!(session.numbers("sim").1.iter().all(|s| *s < lost_s), "samples of another stream were recorded");
    let (current, current_s) = session.numbers("current");
    assert!(current.iter().zip(&current_s).all(|(ma, s)| *s < lost_s + 1.3 || *ma == 0.0));
    assert_eq!(session.when("current", "state", "ramp up").len(), 1);
}

#[test]
fn a_sender_that_falls_silent_is_lost_too_and_taken_up_where_it_goes_on() {
    let lab = Lab::new();
    let config = lab.write("run.toml", &config(1));
    let sim = lab.start(SIMULATE);
    let mut run = lab.run(&format!("run --headless --json --record r -c {}", config.display()));
    let folder = lab.folder().join("r/p-001");
    wait_for_event(&folder, "current", "state", "stimulating", 1);
    // Its connection stands; only nothing comes.
    sim.signal(libc::SIGSTOP);
    sleep_s(2.0);
    sim.signal(libc::SIGCONT);
    wait_for_event(&folder, "stream", "state", "LIVE", 2);
    sleep_s(5.0);
    run.signal(libc::SIGTERM);
    let summary = run.summary(0, 15.0);
    let session = Session::open(&folder);
    check(&session.path).unwrap();
    let (lost_s, eeg_s) = (session.when("stream", "state", "LOST"), session.numbers("sim").1);
    assert_eq!(lost_s.len(), 1, "{:?}", session.events());
    let (current, current_s) = session.numbers("current");
    let halted_s = session.when("halted", "why", "the EEG stream is lost");
    let stale =
        session.events().iter().any(|(_, e)| e["why"].as_str().is_some_and(|why| why.contains("old")));
    assert!(halted_s.len() == 1 || stale, "{:?}", session.events());
    assert!(current.iter().zip(&current_s).all(|(ma, s)| *s < lost_s[0] + 1.3 || *ma == 0.0));
    assert_eq!(session.when("current", "state", "ramp up").len(), 1, "no restart in the block");
    // The sender makes good what it missed, with its old stamps: the frame that is marked as the first after the
    // silence says which was the last before it.
    let facts = session.rows("frame_facts");
    let resumed: Vec<f64> =
        facts.iter().filter(|(_, r)| r["facts"] as u32 & 32 != 0).map(|(_, r)| r["index"]).collect();
    assert_eq!(resumed.len(), 1, "frames marked as the first of a returned stream");
    let silent_s = lost_s[0] - eeg_s[resumed[0] as usize - 1];
    eprintln!("LOST {:.0} ms after the last sample of a silent sender", silent_s * 1e3);
    assert!((0.3..=0.5).contains(&silent_s), "LOST {silent_s} s after the last sample");
    assert_eq!(summary["samples_received"].as_u64(), Some(eeg_s.len() as u64));
    let spans =
        |r: &tras_test_support::lab::Row| r["first_sample"] < resumed[0] && resumed[0] <= r["last_sample"];
    let rows = session.rows("estimates");
    assert!(rows.iter().all(|(_, r)| !(spans(r) && r["valid"] == 1.0)), "a valid window spans the silence");
}
