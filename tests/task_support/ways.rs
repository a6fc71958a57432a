//! The task's other ways, by the real page: orientations, a screen of 30 Hz, a window that loses its focus or sleeps, a
//! browser that the program started, the photodiode.

use std::time::{Duration, Instant};

use super::task_support::Browser;
use super::{Task, leave, participate, rows};

const SHORT: &str = "[task]\nloads = [2, 4]\nblocks = 1\ntrials_per_block = 4\npractice = 0\nfixation_ms = 150\n\
    sample_ms = 250\ndelay_ms = 200\niti_ms = 100\nresponse_ms = 1500\nfullscreen = false\n";

/// Each frame but the second one is passed over, as a screen of half the rate would.
const HALF_RATE: &str = "const every = requestAnimationFrame.bind(window); \
    window.requestAnimationFrame = (then) => every(() => every(then));";

#[test]
fn orientations_are_answered_by_the_direction_of_a_bar() {
    tras_test_support::lsl::session();
    let Some(browser) = Browser::open("orientations_are_answered_by_the_direction_of_a_bar") else { return };
    let folder = tempfile::tempdir().unwrap();
    let settings = SHORT.replace("[task]\n", "[task]\nfeature = \"orientation\"\n");
    let task = Task::start_with(folder.path(), &settings, &["--no-lsl"]);
    let plan = rows(&folder.path().join("out/task-plan.csv"));
    let mut window = browser.window(&task.url);
    participate(&mut window, &plan, 0, &[], None);
    let (code, said, complained) = task.end();
    assert_eq!(code, Some(0), "{said}{complained}");
    let trials = rows(&folder.path().join("out/trials.csv"));
    assert_eq!(trials.len(), 4);
    for row in &trials {
        let value = |key: &str| row[key].parse::<f64>().unwrap();
        let error = (value("response_deg") - value("target_deg") + 540.0) % 360.0 - 180.0;
        assert!((error - 7.0).abs() <= 1.0 && row["status"] == "done", "{row:?}");
        assert_eq!(row["wheel_deg"], "0", "nothing is turned: the bar points where the pointer is");
    }
}

#[test]
fn a_screen_of_30_hz_is_told_and_every_trial_is_flagged() {
    tras_test_support::lsl::session();
    let Some(browser) = Browser::open("a_screen_of_30_hz_is_told_and_every_trial_is_flagged") else { return };
    let folder = tempfile::tempdir().unwrap();
    let task = Task::start_with(folder.path(), SHORT, &["--no-lsl"]);
    let plan = rows(&folder.path().join("out/task-plan.csv"));
    let mut window = browser.window_with(&task.url, HALF_RATE);
    // The participant is told as well, before the first trial.
    window.until(&["slow"]);
    participate(&mut window, &plan, 0, &[], None);
    let (code, said, complained) = task.end();
    assert_eq!(code, Some(0), "{said}{complained}");
    assert!(complained.contains("60 to 240 Hz") && complained.contains("slow_screen"), "{complained}");
    let trials = rows(&folder.path().join("out/trials.csv"));
    assert_eq!(trials.len(), 4);
    for row in &trials {
        assert!(row["flags"].contains("slow_screen"), "{row:?}");
        assert!((row["frame_ms"].parse::<f64>().unwrap() - 33.3).abs() < 4.0, "{row:?}");
    }
}

#[test]
fn a_window_that_sleeps_or_loses_its_focus_breaks_its_trial_and_no_other() {
    tras_test_support::lsl::session();
    let test = "a_window_that_sleeps_or_loses_its_focus_breaks_its_trial_and_no_other";
    let Some(browser) = Browser::open(test) else { return };
    let folder = tempfile::tempdir().unwrap();
    let task = Task::start_with(folder.path(), SHORT, &["--no-lsl"]);
    let plan = rows(&folder.path().join("out/task-plan.csv"));
    let mut window = browser.window(&task.url);
    let wrong = |window: &mut super::task_support::Window, number: usize, script: &str| {
        window.until(&["probe"]);
        window.evaluate(script);
        let deg = |key: &str| plan[number][key].parse::<f64>().unwrap();
        window.answer(deg("target_deg") + deg("wheel_deg") + 7.0);
        leave(window, "probe");
    };
    participate(&mut window, &plan, 0, &[], Some(1));
    wrong(&mut window, 1, "dispatchEvent(new Event('blur'))");
    wrong(&mut window, 2, "{ const since = performance.now(); while (performance.now() - since < 900); }");
    participate(&mut window, &plan, 3, &[], None);
    let (code, said, complained) = task.end();
    assert_eq!(code, Some(0), "{said}{complained}");
    let trials = rows(&folder.path().join("out/trials.csv"));
    let told: Vec<(&str, bool, bool)> = trials
        .iter()
        .map(|r| (r["status"].as_str(), r["flags"].contains("focus_lost"), r["flags"].contains("slept")))
        .collect();
    assert_eq!(
        told[..3],
        [("done", false, false), ("broken", true, false), ("broken", false, true)],
        "{trials:?}"
    );
    assert_eq!(told[3], ("done", false, false));
}

/// Processes whose command line has `words`.
fn processes(words: &str) -> Vec<u32> {
    let all = std::fs::read_dir("/proc").unwrap().flatten();
    let of = |name: String| {
        let pid: u32 = name.parse().ok()?;
        let line = std::fs::read(format!("/proc/{pid}/cmdline")).ok()?;
        String::from_utf8_lossy(&line).contains(words).then_some(pid)
    };
    all.filter_map(|item| of(item.file_name().to_string_lossy().into_owned())).collect()
}

#[test]
fn a_browser_that_the_task_started_ends_with_it_and_leaves_nothing_running() {
    tras_test_support::lsl::session();
    let test = "a_browser_that_the_task_started_ends_with_it_and_leaves_nothing_running";
    // Only to know whether there is one, and where.
    let Some(browser) = Browser::open(test) else { return };
    let program = browser.program.clone();
    drop(browser);
    let folder = tempfile::tempdir().unwrap();
    let profile = folder.path().join("profile-of-this-test");
    let profile = profile.to_str().unwrap();
    let command =
        format!("{program} --headless --no-sandbox --disable-gpu --no-first-run --user-data-dir={profile}");
    let task = Task::start_with(folder.path(), SHORT, &["--no-lsl", "--browser", &command]);
    let started = Instant::now();
    while processes(profile).len() < 3 {
        assert!(started.elapsed() < Duration::from_secs(30), "the browser and its processes run");
        std::thread::sleep(Duration::from_millis(50));
    }
    task.signal(libc::SIGTERM);
    let (code, _, complained) = task.end();
    assert_eq!(code, Some(4), "it ended before its last trial: {complained}");
    let ended = Instant::now();
    loop {
        let left: Vec<u32> =
            processes(profile).into_iter().filter(|pid| *pid != std::process::id()).collect();
        if left.is_empty() {
            return;
        }
        assert!(ended.elapsed() < Duration::from_secs(5), "still running: {left:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn flashes_and_a_photodiode_give_the_time_from_stamp_to_light() {
    const LIGHT_S: f64 = 0.025;
    tras_test_support::lsl::session();
    let Some(browser) = Browser::open("flashes_and_a_photodiode_give_the_time_from_stamp_to_light") else {
        return;
    };
    // A photodiode of 1 kHz that sees the patch 25 ms after its stamp.
    let aux = lsl::StreamInfo::new("aux", "Misc", 1, 1_000.0, lsl::ChannelFormat::Float32, "aux-1").unwrap();
    let outlet = lsl::StreamOutlet::new(&aux, 0, 360).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let task = Task::start_with(folder.path(), SHORT, &["--calibrate", "12", "--photodiode", "name='aux'"]);
    let found = lsl::resolve_bypred("name='tras-task' and type='Markers'", 1, 10.0).unwrap();
    let inlet = lsl::StreamInlet::new(&found[0], 60, 0, true).unwrap();
    inlet.open_stream(10.0).unwrap();
    let window = browser.window(&task.url);
    // Samples come half a second late, so that what they must show is known.
    let mut changes: Vec<(f64, f32)> = Vec::new();
    let mut sent_s = lsl::local_clock() - 0.5;
    let until = Instant::now() + Duration::from_secs(60);
    let mut quiet = Instant::now();
    while Instant::now() < until && quiet.elapsed() < Duration::from_secs(4) {
        while let Ok((text, stamp_s)) = lsl::Pullable::<String>::pull_sample(&inlet, 0.0)
            && stamp_s != 0.0
        {
            let marker: serde_json::Value = serde_json::from_str(&text[0]).unwrap();
            match marker["event"].as_str() {
                Some("patch_on") => changes.push((stamp_s + LIGHT_S, 1.0)),
                Some("patch_off") => changes.push((stamp_s + LIGHT_S, 0.0)),
                _ => {}
            }
            quiet = Instant::now();
        }
        while sent_s < lsl::local_clock() - 0.5 {
            sent_s += 0.001;
            let light = changes.iter().rev().find(|(at_s, _)| *at_s <= sent_s).map_or(0.0, |c| c.1);
            lsl::ExPushable::push_sample_ex(&outlet, &vec![light], sent_s, true).unwrap();
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    drop(window);
    let (code, said, complained) = task.end();
    assert_eq!(code, Some(0), "{said}{complained}");
    let line = said.lines().find(|line| line.starts_with("photodiode_ms")).unwrap();
    let value: f64 = line.split_whitespace().nth(2).unwrap().parse().unwrap();
    assert!((value - 1_000.0 * LIGHT_S).abs() < 2.0, "{line}");
}
