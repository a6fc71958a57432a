//! What must not trip: ten minutes of the steepest default noise, with a measurement as imperfect as the
//! board's. A limit that trips falsely is a limit that someone will raise.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod common;

use common::{Bench, LIMITS, TICK_US};
use tras_device::*;
use tras_wire::{HostMessage, Limits};

/// xorshift64*, in 0..1.
struct Random(u64);

impl Random {
    fn next(&mut self) -> f64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// 1/f^exponent between 0.5 and 100 Hz as 240 sines, log spaced: RMS 1/3 of the peak, limited at the peak.
fn noise(exponent: f64, peak_ma: f64, seconds: usize) -> Vec<f32> {
    let mut random = Random(exponent.to_bits() | 1);
    // Each tone as a phasor turned by one sample at a time: sine, cosine, and those of the step.
    let mut tones: Vec<[f64; 5]> = (0..240)
        .map(|k| {
            let f = 0.5 * 200_f64.powf((f64::from(k) + random.next()) / 240.0);
            let (phase, step) = (random.next() * std::f64::consts::TAU, std::f64::consts::TAU * f / 2_000.0);
            // Power in a log-spaced band grows with f on top of f^-exponent.
            [f.powf((1.0 - exponent) / 2.0), phase.sin(), phase.cos(), step.sin(), step.cos()]
        })
        .collect();
    let rms = (tones.iter().map(|t| t[0] * t[0]).sum::<f64>() / 2.0).sqrt();
    (0..seconds * 2_000)
        .map(|_| {
            let mut sum = 0.0;
            for [a, s, c, ds, dc] in &mut tones {
                sum += *a * *s;
                (*s, *c) = (*s * *dc + *c * *ds, *c * *dc - *s * *ds);
            }
            (sum / rms * peak_ma / 3.0).clamp(-peak_ma, peak_ma) as f32
        })
        .collect()
}

#[test]
fn the_default_noise_trips_nothing() {
    let limits = Limits { peak_ma: 0.5, dc_ma: 0.005, ..LIMITS };
    for exponent in [0.5, 2.0] {
        let wave = noise(exponent, 0.5, 600);
        let mut b = Bench::armed(limits);
        let mut random = Random(3);
        let mut largest_dc_ma = 0.0_f32;
        for chunk in wave.chunks(20) {
            b.say(b.samples(b.index, chunk));
            b.index += chunk.len() as u64;
            if b.index.is_multiple_of(100) {
                b.say(HostMessage::Heartbeat { echo: 0 });
            }
            for _ in 0..40 {
                b.now_us += TICK_US;
                let mut sense = b.sense();
                if let Some(r) = &mut sense.reading {
                    // 1 % of gain, 3 uA of offset, 4 uA of noise, and 20 mV on the voltage.
                    r.current_ma = r.current_ma * 1.01 + 0.003 + 0.004 * (2.0 * random.next() as f32 - 1.0);
                    r.voltage_v += 0.02 * (2.0 * random.next() as f32 - 1.0);
                }
                b.device.tick(b.now_us, &sense);
            }
            let t = b.device.telemetry(b.now_us);
            assert_eq!(t.fault, None, "exponent {exponent} at {} s", b.now_us as f64 * 1e-6);
            largest_dc_ma = largest_dc_ma.max(t.dc_ma.abs());
        }
        assert_eq!(b.device.state(), State::Stimulating);
        assert_eq!(b.device.telemetry(0).underruns, 0);
        let kohm = b.device.telemetry(0).impedance_kohm.unwrap();
        assert!((kohm - 5.0).abs() < 0.2, "{kohm} kOhm");
        println!("exponent {exponent}: largest mean over 10 s {:.2} uA", largest_dc_ma * 1e3);
    }
}
