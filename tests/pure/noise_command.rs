//! `tras noise`: what it writes is what it says.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use clap::Parser;
use tras::cli::noise::{NoiseArgs, run};

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    noise: NoiseArgs,
}

fn args(line: &str) -> NoiseArgs {
    Line::try_parse_from(std::iter::once("noise").chain(line.split_whitespace())).unwrap().noise
}

#[test]
fn the_wav_holds_milliamperes_and_the_csv_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let common =
        "--profile steep --exponent 2.0 --band 0.5,100 --peak-ma 0.5 --rate 2000 --seconds 20 --seed 7";
    let (wav, csv) = (dir.path().join("n.wav"), dir.path().join("n.csv"));
    run(&args(&format!("{common} --out {}", wav.display()))).unwrap();
    run(&args(&format!("{common} --json --out {}", csv.display()))).unwrap();
    let mut reader = hound::WavReader::open(&wav).unwrap();
    let spec = reader.spec();
    assert_eq!((spec.channels, spec.sample_rate, spec.bits_per_sample), (1, 2000, 32));
    let samples: Vec<f32> = reader.samples::<f32>().map(Result::unwrap).collect();
    assert_eq!(samples.len(), 40_000);
    assert!(samples.iter().all(|x| x.abs() <= 0.5));
    let rms = (samples.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>() / 40_000.0).sqrt();
    assert!((rms - 0.166).abs() < 0.04, "{rms}");
    let rows: Vec<(f64, f32)> =
        csv::Reader::from_path(&csv).unwrap().deserialize().map(Result::unwrap).collect();
    assert_eq!(
        rows.iter().map(|r| r.1.to_bits()).collect::<Vec<_>>(),
        samples.iter().map(|x| x.to_bits()).collect::<Vec<_>>()
    );
    assert_eq!(rows[39_999].0, 19.9995);
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 2, "no part is left behind");
}

#[test]
fn sham_ends_after_30_s() {
    let dir = tempfile::tempdir().unwrap();
    let wav = dir.path().join("s.WAV");
    run(&args(&format!("--profile sham --seconds 40 --seed 3 --out {}", wav.display()))).unwrap();
    let samples: Vec<f32> =
        hound::WavReader::open(&wav).unwrap().samples::<f32>().map(Result::unwrap).collect();
    assert!(samples[30_000..35_000].iter().any(|x| x.abs() > 0.1));
    assert!(samples[60_000..].iter().all(|&x| x == 0.0) && samples.len() == 80_000);
    assert!(samples[0].abs() < 1e-6);
}

#[test]
fn bad_arguments_are_refused_and_leave_no_file() {
    let dir = tempfile::tempdir().unwrap();
    let wav = dir.path().join("n.wav");
    for (line, says) in [
        ("--peak-ma 1.5", "at most 1 mA"),
        ("--peak-ma -0.5", "above 0"),
        ("--peak-ma nan", "peak"),
        ("--exponent 3.5", "0..3"),
        ("--exponent -1", "0..3"),
        ("--band 0.05,100", "0.1..640"),
        ("--band 0.5,1000", "0.1..640"),
        ("--band 5", "two frequencies"),
        ("--band 0.5,640 --rate 1000", "0.45 of the rate"),
        ("--profile steeper", "steep, flat, sham"),
        ("--seconds 0", "seconds"),
        ("--seconds inf", "seconds"),
        ("--rate 0", "rate"),
        ("--band 0.1,3 --exponent 3 --seconds 20 --seed 2", "clips"),
    ] {
        // Over 20 s noise this slow has either no sample beyond three sigma or too many: look for such a seed.
        let refusal = if says == "clips" {
            (1..200).find_map(|seed| {
                run(&args(&format!(
                    "{} --seed {seed} --out {}",
                    line.replace(" --seed 2", ""),
                    wav.display()
                )))
                .err()
            })
        } else {
            run(&args(&format!("{line} --out {}", wav.display()))).err()
        };
        let message = refusal.unwrap().to_string();
        assert!(message.contains(says), "{line}: {message}");
        if says != "clips" {
            assert!(!wav.exists(), "{line}");
        }
    }
    let message = run(&args("--out n.mp3")).unwrap_err().to_string();
    assert!(message.contains(".wav or .csv"), "{message}");
}
