//! Where electrodes sit: labels of the 10-10 system, and their places on a unit sphere.
//!
//! A label is a row (`Fp AF F FC C CP P PO O`, front to back) and a number (`z` on the midline, odd left, even
//! right, larger further out). Each step in either direction is 18 degrees, a tenth of the arc over the head.

use std::f64::consts::PI;

/// Rows from front to back, with their steps in front of the vertex.
const ROWS: [(&str, f64); 9] = [
    ("Fp", 4.0),
    ("AF", 3.0),
    ("F", 2.0),
    ("FC", 1.0),
    ("C", 0.0),
    ("CP", -1.0),
    ("P", -2.0),
    ("PO", -3.0),
    ("O", -4.0),
];

/// What a montage begins with: the usual eight, then the rest of the 10-20 system, then 10-10.
const FIRST: [&str; 20] = [
    "Fz", "Cz", "Pz", "F3", "F4", "C3", "C4", "Oz", "Fp1", "Fp2", "F7", "F8", "T7", "T8", "P3", "P4", "P7",
    "P8", "O1", "O2",
];

/// Labels of a montage of `count` electrodes, all different. Beyond 10-10 they are `E<number>`.
#[must_use]
pub fn labels(count: usize) -> Vec<String> {
    let mut labels: Vec<String> = FIRST.iter().map(ToString::to_string).collect();
    for (row, step) in ROWS {
        let widest = if step.abs() > 3.5 { 2 } else { 8 };
        for number in 0..=widest {
            let row = if row == "C" && number > 6 { "T" } else { row };
            let label = if number == 0 { format!("{row}z") } else { format!("{row}{number}") };
            if !labels.contains(&label) {
                labels.push(label);
            }
        }
    }
    let mut number = labels.len();
    while labels.len() < count {
        number += 1;
        labels.push(format!("E{number}"));
    }
    labels.truncate(count);
    labels
}

/// Place of `label` on the unit sphere: x to the right ear, y to the nose, z up. `None` for a label that is not
/// of the 10-20 or 10-10 system.
#[must_use]
pub fn place(label: &str) -> Option<[f64; 3]> {
    let split = label.find(|c: char| c.is_ascii_digit() || c == 'z')?;
    let (row, number) = label.split_at(split);
    let outward = match number {
        "z" => 0.0,
        _ => {
            let number: u8 = number.parse().ok().filter(|n| (1..=10).contains(n))?;
            f64::from(number.div_ceil(2)) * if number % 2 == 1 { -1.0 } else { 1.0 }
        }
    };
    let row = match row {
        "T" => "C",
        "FT" => "FC",
        "TP" => "CP",
        row => row,
    };
    let forward = ROWS.iter().find(|(name, _)| *name == row)?.1;
    let (side, front) = (outward * PI / 10.0, forward * PI / 10.0);
    Some([side.sin(), side.cos() * front.sin(), side.cos() * front.cos()])
}

/// Places of all `labels`; unknown ones are spread evenly over the upper half of the sphere.
#[must_use]
pub fn places(labels: &[String]) -> Vec<[f64; 3]> {
    let golden = PI * (3.0 - 5.0_f64.sqrt());
    let count = labels.len().max(1) as f64;
    labels
        .iter()
        .enumerate()
        .map(|(i, label)| {
            place(label).unwrap_or_else(|| {
                let height = 1.0 - (i as f64 + 0.5) / count;
                let (radius, angle) = ((1.0 - height * height).sqrt(), golden * i as f64);
                [radius * angle.cos(), radius * angle.sin(), height]
            })
        })
        .collect()
}

/// How strongly a source under `focus` is seen at each of `places`: 1 at the focus, falling as a Gaussian of the
/// distance with the given `width` (unit: the head's radius).
#[must_use]
pub fn topography(places: &[[f64; 3]], focus: [f64; 3], width: f64) -> Vec<f64> {
    places
        .iter()
        .map(|place| {
            let squared: f64 = place.iter().zip(focus).map(|(a, b)| (a - b) * (a - b)).sum();
            (-squared / (2.0 * width * width)).exp()
        })
        .collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn labels_are_unique_for_any_count() {
        for count in [0, 1, 8, 19, 20, 64, 72, 256] {
            let mut labels = labels(count);
            assert_eq!(labels.len(), count);
            labels.sort();
            labels.dedup();
            assert_eq!(labels.len(), count);
        }
    }

    #[test]
    fn electrodes_sit_where_their_names_say() {
        let cz = place("Cz").unwrap();
        assert!((cz[2] - 1.0).abs() < 1e-12);
        assert!(place("Fz").unwrap()[1] > 0.5 && place("Oz").unwrap()[1] < -0.9);
        assert!(place("C3").unwrap()[0] < 0.0 && place("C4").unwrap()[0] > 0.0);
        for label in ["", "E71", "z", "F99", "Ch1", "11"] {
            assert_eq!(place(label), None, "{label}");
        }
    }
}
