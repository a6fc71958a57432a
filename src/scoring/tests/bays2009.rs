//! The three-part mixture on the responses of Bays, Catalao and Husain (2009), to the digits of another program.
//! The responses lie beside the project (`../shared`), not in it; without them this says so by name.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::io::Write as _;

use tras_scoring::angle::circular_sd_deg;
use tras_scoring::mixture::{Parts, Response, fit};

/// Set size, person, ln likelihood, kappa, p_t, p_n, p_u, circular SD in radians.
type Printed = (u32, u32, f64, f64, f64, f64, f64, f64);
const PRINTED: [Printed; 4] = [
    (2, 2, -110.1552, 8.7692, 0.8705, 0.0735, 0.0561, 0.620398),
    (4, 2, -196.9242, 7.4813, 0.6166, 0.0924, 0.2910, 0.987687),
    (6, 2, -229.8590, 9.8922, 0.3675, 0.3387, 0.2939, 1.355804),
    (6, 3, -170.1422, 4.3391, 0.8184, 0.1816, 0.0000, 0.800665),
];

/// As the workshop of the program's tests does it, which this package is built without.
fn skipped(what: &str) {
    let line = format!("skipped: {what}\n");
    std::io::stderr().write_all(line.as_bytes()).unwrap();
    if let Some(path) = std::env::var_os("TRAS_SKIPS") {
        let file = std::fs::OpenOptions::new().append(true).create(true).open(path);
        file.unwrap().write_all(line.as_bytes()).unwrap();
    }
}

#[test]
fn fits_agree_with_the_printed_ones() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data/bays2009-three.csv");
    let Ok(text) = std::fs::read_to_string(path) else {
        skipped("fits_agree_with_the_printed_ones: no shared/data/bays2009-three.csv beside the project");
        return;
    };
    for (set_size, person, ln, kappa, p_t, p_n, p_u, sd_rad) in PRINTED {
        let responses: Vec<Response> = text
            .lines()
            .skip(1)
            .filter_map(|line| {
                let row: Vec<Option<f64>> = line.split(',').map(|cell| cell.parse().ok()).collect();
                let is = |at: usize, value: u32| row[at] == Some(f64::from(value));
                let (response, target) = (row[3]?, row[4]?);
                (is(0, person) && is(1, set_size)).then(|| Response {
                    error_deg: (response - target).to_degrees(),
                    to_nontargets_deg: row[5..]
                        .iter()
                        .flatten()
                        .map(|n| (response - n).to_degrees())
                        .collect(),
                })
            })
            .collect();
        let m = fit(&responses, Parts::Three).unwrap();
        let sd = circular_sd_deg(responses.iter().map(|r| r.error_deg)).to_radians();
        let close = |found: f64, printed: f64, digit: f64| {
            assert!(
                (found - printed).abs() <= digit,
                "{set_size}/{person}: {found}, printed {printed}: {m:?}"
            );
        };
        println!("{set_size}/{person} {m:?} {sd}");
        close(m.log_likelihood, ln, 6e-5);
        close(m.kappa, kappa, 1.5e-4);
        close(m.p_target, p_t, 6e-5);
        close(m.p_nontarget, p_n, 6e-5);
        close(m.p_guess, p_u, 6e-5);
        close(sd, sd_rad, 6e-7);
    }
}
