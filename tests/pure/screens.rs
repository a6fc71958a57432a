//! What a person sees: every state of the screen at four sizes, against `snapshots/`. `make snapshots` writes them anew after
//! a change that is meant.

use tras::dashboard::draw::Theme;
use tras_test_support::screen::{rows, states};

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
