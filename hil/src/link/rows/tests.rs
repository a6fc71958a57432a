#![allow(clippy::unwrap_used, reason = "tests")]

use super::*;
use crate::link::host::End;
use tras::stimulator::Stop;

/// The device's code alone: neither QEMU nor a sound server.
#[test]
fn every_sample_comes_out_in_order_about_a_queue_later() {
    for via in [Via::Socket, Via::Terminal] {
        let setup =
            Setup { kind: Kind::Plain, via, image: Path::new(""), queue_ms: 100.0, load: 0, refuse: false };
        let burst = Burst { exponent: 1.0, seconds: RAMPED_S + 1.5, end: End::Stop(Stop::Fast) };
        // A machine that is too busy for 100 ms breaks a row off; not three in a row.
        let row = (0..3)
            .map(|_| Row::play(setup, vec![burst]).unwrap())
            .find(|row| row.underruns() == 0 && row.run.broken.is_none())
            .unwrap();
        let (_, aligned) = row.aligned.first().unwrap();
        assert_eq!(aligned.breaks, 0);
        assert!(aligned.pairs.len() > 2_500, "{} samples found", aligned.pairs.len());
        assert!(aligned.pairs.windows(2).all(|w| matches!(w, [a, b] if b.1 == a.1 + 1)));
        let p50_ms = percentile(&row.waits_ms(), 0.5);
        assert!((50.0..150.0).contains(&p50_ms), "{p50_ms} ms from queue() to the DAC");
        assert!(percentile(&row.fills_ms(), 0.5) > 50.0);
        assert!(row.run.cpu.stimulate_s > 0.0);
    }
}
