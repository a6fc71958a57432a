//! The whole program on real LSL streams: latency of the loop, and what many channels cost.
//!
//! `cargo bench --bench pipeline [-- SECONDS]` (60 without). Each row runs `tras simulate` and `tras run` as
//! processes on loopback and prints what the summary and the operating system say of them.

use std::{
    error::Error,
    path::Path,
    process::{Child, Command, Stdio},
};

use serde_json::Value;

const TRAS: &str = env!("CARGO_BIN_EXE_tras");

struct Row {
    name: &'static str,
    channels: usize,
    rate_hz: u32,
    /// The `[estimator]` section.
    estimator: &'static str,
}

const ROWS: &[Row] = &[
    Row { name: "1 region, 4 s window, 10 Hz", channels: 8, rate_hz: 250, estimator: "hop_s = 0.1" },
    Row {
        name: "64 channels at 1 kHz, each at 10 Hz",
        channels: 64,
        rate_hz: 1000,
        estimator: "hop_s = 0.1\neach_channel = true",
    },
    Row {
        name: "256 channels at 1 kHz, each at 10 Hz",
        channels: 256,
        rate_hz: 1000,
        estimator: "hop_s = 0.1\neach_channel = true",
    },
];

/// A child that does not outlive the bench.
struct Owned(Child);

impl Drop for Owned {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let seconds = std::env::args().skip(1).find_map(|arg| arg.parse::<f64>().ok()).unwrap_or(60.0);
    println!("{seconds} s each; latency from the last sample of a window in the ring to the decision queued");
    println!(
        "{:38} {:>7} {:>7} {:>7} {:>8} {:>6} {:>9} {:>7}",
        "", "p50 us", "p99 us", "p999 us", "max us", "cores", "estimates", "lost"
    );
    for row in ROWS {
        let dir = tempfile::tempdir()?;
        let summary = run(row, seconds, dir.path())?;
        let latency = |key: &str| summary["loop_latency_us"][key].as_f64().unwrap_or(f64::NAN);
        println!(
            "{:38} {:>7.0} {:>7.0} {:>7.0} {:>8.0} {:>6.2} {:>9} {:>7}",
            row.name,
            latency("p50"),
            latency("p99"),
            latency("p999"),
            latency("max"),
            summary["cpu_cores"].as_f64().unwrap_or(f64::NAN),
            summary["estimates"],
            summary["samples_lost"],
        );
    }
    Ok(())
}

fn run(row: &Row, seconds: f64, dir: &Path) -> Result<Value, Box<dyn Error>> {
    let lsl = dir.join("lsl_api.cfg");
    std::fs::write(
        &lsl,
        format!(
            "[ports]\nIPv6 = disable\n[multicast]\nResolveScope = machine\nAddressesOverride = {{127.0.0.1}}\n\
             TTLOverride = 0\n[lab]\nKnownPeers = {{127.0.0.1}}\nSessionID = bench-{}-{}\n",
            std::process::id(),
            row.channels
        ),
    )?;
    let config = dir.join("bench.toml");
    std::fs::write(
        &config,
        format!(
            "[stream]\nname = \"bench\"\n[estimator]\n{}\n[controller]\nlaw = \"fixed\"\n\
             [stimulation]\nenabled = false\n[outlets]\nenabled = false\n",
            row.estimator
        ),
    )?;
    let _source = Owned(
        Command::new(TRAS)
            .args(["simulate", "--name", "bench", "--seed", "1"])
            .args(["--channels", &row.channels.to_string(), "--rate", &row.rate_hz.to_string()])
            .env("LSLAPICFG", &lsl)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?,
    );
    let output = Command::new(TRAS)
        .arg("run")
        .arg("-c")
        .arg(&config)
        .args(["--headless", "--json", "--no-record", "--seconds", &seconds.to_string()])
        .env("LSLAPICFG", &lsl)
        .output()?;
    let text = String::from_utf8(output.stdout)?;
    let last = text.lines().last().unwrap_or_default();
    serde_json::from_str(last)
        .map_err(|e| format!("no summary ({e}): {}", String::from_utf8_lossy(&output.stderr)).into())
}
