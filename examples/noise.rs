//! Stimulation noise to a file: ten seconds, steep, as CSV of seconds and milliamperes.
//!
//! `cargo run --example noise [FILE]`. The ramps of a block are the session's; `tras noise` measures what it writes.

use std::io::Write;

use tras_stimulation::noise::{Noise, Parameters, profile::DEFAULT_BAND_HZ};

const RATE_HZ: f64 = 2_000.0;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args().nth(1).unwrap_or_else(|| "target/noise.csv".to_owned());
    let parameters = Parameters { exponent: 2.0, band_hz: DEFAULT_BAND_HZ, peak_ma: 0.5 };
    let mut noise = Noise::new(&parameters, RATE_HZ, 1)?;
    let mut samples_ma = vec![0.0_f32; 10 * RATE_HZ as usize];
    noise.fill(&mut samples_ma);
    let mut file = std::io::BufWriter::new(std::fs::File::create(&path)?);
    writeln!(file, "time_s,current_ma")?;
    for (i, current_ma) in samples_ma.iter().enumerate() {
        writeln!(file, "{:.4},{current_ma:.6}", i as f64 / RATE_HZ)?;
    }
    file.flush()?;
    println!("{} samples, expected RMS {:.4} mA: {path}", samples_ma.len(), parameters.rms_ma());
    Ok(())
}
