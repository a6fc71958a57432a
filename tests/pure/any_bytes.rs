//! The fuzz targets' bodies over every file of their kind that the repository holds, and over damaged ones: what
//! `make fuzz` searches further, without a fuzzer. The same damage each time.

use std::path::PathBuf;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use tras_test_support::fuzz;

/// Damaged copies of each file.
const COPIES: usize = 40;

/// Every file of `folders` that ends in `.kind`, by name.
fn corpus(folders: &[&str], kind: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for folder in folders {
        for entry in tras_test_support::root().join(folder).read_dir().unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|end| end == kind) {
                let bytes = std::fs::read(&path).unwrap();
                found.push((path, bytes));
            }
        }
    }
    found.sort();
    assert!(!found.is_empty(), "no .{kind} in {folders:?}");
    found
}

/// A copy of `bytes` with some of it changed, left out, said twice, or cut off.
fn damaged(bytes: &[u8], rng: &mut ChaCha8Rng) -> Vec<u8> {
    let mut copy = bytes.to_vec();
    for _ in 0..=rng.next_u32() % 8 {
        let length = copy.len().max(1);
        // Headers are where damage tells most: every second place is among the first 1,000 bytes.
        let reach = if rng.next_u32().is_multiple_of(2) { length } else { length.min(1_000) };
        let at = rng.next_u64() as usize % reach;
        let end = copy.len().min(at + 1 + rng.next_u32() as usize % 64);
        match rng.next_u32() % 4 {
            0 => copy[at..end].fill(rng.next_u32() as u8),
            1 => drop(copy.drain(at..end)),
            2 => {
                let part = copy[at..end].to_vec();
                copy.splice(at..at, part);
            }
            _ => copy.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= 1 << (rng.next_u32() % 8)),
        }
        if copy.is_empty() {
            break;
        }
    }
    if rng.next_u32().is_multiple_of(4) {
        copy.truncate(rng.next_u64() as usize % (copy.len() + 1));
    }
    copy
}

#[test]
fn damaged_recordings_are_read_or_refused() {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    for kind in ["xdf", "edf", "csv"] {
        let mut whole = 0;
        for (path, bytes) in corpus(&["tests/data/cases"], kind) {
            println!("{}", path.display());
            whole += fuzz::recording(kind, &bytes);
            for _ in 0..COPIES {
                fuzz::recording(kind, &damaged(&bytes, &mut rng));
            }
        }
        assert!(whole > 0, "no .{kind} was read");
    }
}

#[test]
fn damaged_configurations_are_taken_or_refused() {
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    let folders = ["configs", "configs/devices", "tests/valid_configs", "tests/invalid_configs"];
    let (mut taken, mut refused) = (0, 0);
    for (path, bytes) in corpus(&folders, "toml") {
        println!("{}", path.display());
        for copy in 0..COPIES {
            let bytes = if copy == 0 { bytes.clone() } else { damaged(&bytes, &mut rng) };
            let was = std::str::from_utf8(&bytes).is_ok_and(fuzz::configuration);
            if was { taken += 1 } else { refused += 1 }
        }
    }
    // Damage to a comment or a digit is taken.
    assert!(taken > 20 && refused > 20, "{taken} taken, {refused} refused");
}
