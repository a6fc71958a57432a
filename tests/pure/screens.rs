//! What a person sees: every state of the screen at four sizes, against `snapshots/`. `make snapshots` writes them anew after
//! a change that is meant.

use tras::dashboard::draw::Theme;
use tras_test_support::picture::svg;
use tras_test_support::root;
use tras_test_support::screen::{drawn, rows, states};

const SIZES: [(u16, u16); 4] = [(60, 20), (80, 24), (120, 40), (200, 60)];

#[test]
fn every_state_at_four_sizes() {
    let _guard = super::said::snapshots();
    for (name, view, screen) in states(Theme { colour: false, ascii: false }) {
        let pictures = SIZES.map(|(width, height)| {
            let rows = rows(&view, &screen, width, height);
            let rows: Vec<&str> = rows.iter().map(|row| row.trim_end()).collect();
            format!("{width}x{height}\n{}\n", rows.join("\n"))
        });
        insta::assert_snapshot!(format!("screen_{}", name.replace(' ', "_")), pictures.join("\n"));
    }
}

/// The pictures in the documents: state, and size.
const PICTURES: [(&str, u16, u16); 6] = [
    ("session waits", 100, 26),
    ("session block", 100, 26),
    ("session question", 100, 26),
    ("session stopped", 100, 26),
    ("monitor", 100, 30),
    ("under current", 120, 36),
];

#[test]
fn the_pictures_in_the_documents_are_of_this_screen() {
    let states = states(Theme { colour: true, ascii: false });
    for (name, width, height) in PICTURES {
        let (_, view, screen) = states.iter().find(|(state, ..)| *state == name).unwrap();
        let path = root().join(format!("docs/screens/{}.svg", name.replace(' ', "-")));
        let picture = svg(&drawn(view, screen, width, height));
        if std::env::var("INSTA_UPDATE").is_ok_and(|how| how == "always") {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, &picture).unwrap();
        }
        let kept = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(kept == picture, "{}: not this screen; `make snapshots` draws it anew", path.display());
    }
}
