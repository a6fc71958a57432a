//! Slepian tapers against scipy's (tests/data/specparam/make_dpss.py).

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "tests"
)]

use tras_estimator::spectrum::dpss::dpss;

#[test]
fn slepian_tapers_are_scipys() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/data/specparam/dpss.csv");
    let text = std::fs::read_to_string(path).expect("tests/data/specparam/dpss.csv");
    let mut made = std::collections::HashMap::new();
    let mut compared = 0;
    for line in text.lines().skip(1) {
        let cells: Vec<&str> = line.split(',').collect();
        let (len, nw): (usize, f64) = (cells[0].parse().unwrap(), cells[1].parse().unwrap());
        let (order, index): (usize, usize) = (cells[2].parse().unwrap(), cells[3].parse().unwrap());
        let value: f64 = cells[4].parse().unwrap();
        let tapers = made.entry((len, nw.to_bits())).or_insert_with(|| dpss(len, nw, 7));
        assert!((tapers[order][index] - value).abs() < 1e-9, "{line}: {}", tapers[order][index]);
        compared += 1;
    }
    assert!(compared > 150, "{compared}");
}
