//! Every state of the screen at every size from 60x20 to 200x60: no number and no reason is cut, and what matters most is
//! there.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use std::collections::HashSet;

use tras::dashboard::View;
use tras::dashboard::draw::{Screen, Theme};
use tras_test_support::screen::{rows, states};

/// A frame, or a place where a curve may run into a word.
fn is_frame(c: char) -> bool {
    "│|╭╮╰╯─+".contains(c)
}

/// The words of a row with whether each stands right before a frame or the edge, where it might have been cut.
fn words(row: &str) -> Vec<(String, bool)> {
    let cells: Vec<char> = row.chars().collect();
    let mut words = Vec::new();
    let mut word = String::new();
    for (at, &c) in cells.iter().enumerate() {
        if c == ' ' || is_frame(c) {
            if !word.is_empty() {
                words.push((std::mem::take(&mut word), is_frame(c) || at + 1 == cells.len()));
            }
        } else {
            word.push(c);
        }
    }
    if !word.is_empty() {
        words.push((word, true));
    }
    words
}

/// Whether a word could be the beginning of a longer one in text: it has a letter or a digit, and is no piece of a
/// curve, which ASCII draws of `x` among others.
fn is_text(word: &str) -> bool {
    word.chars().any(|c| c.is_ascii_alphanumeric()) && !word.chars().all(|c| "x*o.".contains(c))
}

/// Every word that stands clear of frames at some size: no clear word was cut, because cutting leaves no gap.
fn vocabulary(view: &View, screen: &Screen) -> HashSet<String> {
    let mut known = HashSet::new();
    for (width, height) in [(60, 20), (80, 24), (100, 30), (120, 40), (200, 60), (260, 90), (400, 120)] {
        for row in rows(view, screen, width, height) {
            known.extend(words(&row).into_iter().filter(|(_, at_edge)| !at_edge).map(|(word, _)| word));
        }
    }
    known
}

#[test]
fn no_figure_and_no_reason_is_cut_at_any_size() {
    for ascii in [false, true] {
        for (name, view, mut screen) in states(Theme { colour: false, ascii }) {
            // The help takes the place of the panels, so that one state shows it.
            for help in [false, true].into_iter().filter(|help| !help || name == "running") {
                screen.help = help;
                let known = vocabulary(&view, &screen);
                let sizes =
                    (60..=200).step_by(7).flat_map(|width| [20, 21, 24, 29, 33, 40, 60].map(|h| (width, h)));
                for (width, height) in sizes.chain([(80, 24), (120, 40)]) {
                    let shown = rows(&view, &screen, width, height);
                    for row in &shown {
                        for (word, at_edge) in words(row) {
                            if !at_edge || !is_text(&word) || known.contains(&word) {
                                continue;
                            }
                            let longer: Vec<&String> =
                                known.iter().filter(|whole| whole.starts_with(&word)).collect();
                            assert!(
                                longer.is_empty(),
                                "{name} at {width}x{height}: {word:?} is the beginning of {longer:?}:\n{}",
                                shown.join("\n")
                            );
                        }
                    }
                }
            }
        }
    }
}

/// What must be read at every size, in words that may be parted by line ends.
#[test]
fn what_matters_most_is_there_at_every_size() {
    let needs: &[(&str, &[&str])] = &[
        ("waiting", &["WAITING"]),
        ("running", &["LIVE", "RAMP UP", "2:03", "valid", "block 3/12"]),
        ("under current", &["STIMULATING", "under current;", "last clean", "14.0 s ago"]),
        ("lost", &["LOST", "stream", "last clean", "NOT RESUMED", "number of channels was 32, is 16"]),
        ("held", &["HELD the newest EEG is 0.72 s old", "last clean"]),
        ("stopped", &["STOPPED stopped by the operator"]),
        ("fault", &["FAULT", "host limit peak reached with 0.6213 at 121.4 s: ramped down"]),
        ("blinded", &["blinded", "hidden"]),
        ("monitor", &["LIVE", "95 % 1.", "valid", "bad: P4 flat", "804"]),
        ("monitor lost", &["LOST", "last clean"]),
        (
            "session waits",
            &["block 1", "next", "impedances", "a, then g", "measure again", "token=6f1c2a90d3e84b57"],
        ),
        ("session block", &["block 1", "3:57 left", "dose within limits"]),
        ("session stopped", &["STOPPED", "c, then g", "stopped by the operator (space)"]),
        ("session question", &["3 of 6: itching?", "and when it began"]),
        ("session over", &["done", "dose within limits"]),
    ];
    for (name, view, screen) in states(Theme { colour: false, ascii: false }) {
        let (_, needles) = needs.iter().find(|(known, _)| *known == name).expect("a state without needs");
        for (width, height) in [(60, 20), (80, 24), (120, 40), (200, 60)] {
            let shown = rows(&view, &screen, width, height);
            let text = shown.join("\n");
            // Reasons wrap over the whole width: line ends are spaces.
            let flat = shown.join(" ").split_whitespace().collect::<Vec<_>>().join(" ");
            for needle in *needles {
                assert!(
                    flat.contains(needle) || text.contains(needle) || wrapped(&shown, needle),
                    "{name} at {width}x{height}: {needle:?} is missing:\n{text}"
                );
            }
        }
    }
}

/// Whether every word of `needle` is on the screen, for text that wraps inside of a panel.
fn wrapped(shown: &[String], needle: &str) -> bool {
    let all: HashSet<String> = shown.iter().flat_map(|row| words(row)).map(|(word, _)| word).collect();
    needle.split(' ').all(|word| all.contains(word))
}

#[test]
fn a_monitor_has_nothing_about_stimulation() {
    for (name, view, screen) in states(Theme { colour: false, ascii: false }) {
        if !name.starts_with("monitor") {
            continue;
        }
        for (width, height) in [(60, 20), (80, 24), (120, 40), (200, 60)] {
            let text = rows(&view, &screen, width, height).join("\n");
            for word in ["current", "stimul", "DISARMED", "mA", "queue", "dose", "space"] {
                assert!(!text.contains(word), "{name} at {width}x{height}: {word}:\n{text}");
            }
        }
    }
}

#[test]
fn an_ascii_wave_can_be_read() {
    let states = states(Theme { colour: false, ascii: true });
    let (_, view, screen) = states.iter().find(|(name, ..)| *name == "running").unwrap();
    let shown = rows(view, screen, 120, 40);
    let lane: String = shown.iter().filter(|row| row.contains("Fp1")).cloned().collect();
    // A wave goes up and down through levels: several kinds of characters, and gaps between them.
    let kinds: HashSet<char> = lane.chars().filter(|c| ".-'|".contains(*c)).collect();
    assert!(kinds.len() >= 3, "{}", shown.join("\n"));
    assert!(shown.iter().all(|row| row.is_ascii()), "{}", shown.join("\n"));
}
