use super::*;

const NOWHEN: f64 = f64::NAN;

/// Deterministic noise in -1..1.
fn noise(seed: &mut u64) -> f64 {
    *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    (*seed >> 33) as f64 / f64::from(1u32 << 30) - 1.0
}

#[test]
fn jitter_is_taken_out_and_drift_followed() {
    // 100 ppm off the nominal rate, 2 ms of jitter.
    let (period, mut seed) = (1.0001 / 250.0, 1);
    let mut smoother = Dejitter::new(250.0, 2.0);
    let (mut squares, mut n) = (0.0, 0);
    for k in 0..60 * 250u32 {
        let true_s = 1000.0 + f64::from(k) * period;
        let got = smoother.push(true_s + 0.002 * noise(&mut seed), true_s + 0.003);
        assert_eq!(got.lost_before, 0);
        assert!(!got.facts.intersects(Facts::BREAKS), "sample {k}");
        assert_eq!(got.facts.intersects(Facts::UNSETTLED), k + 1 < 500);
        if k > 2500 {
            (squares, n) = (squares + (got.smooth_s - true_s).powi(2), n + 1);
        }
    }
    let rms_s = (squares / f64::from(n)).sqrt();
    assert!(rms_s < 5e-5, "residual jitter {rms_s} s of 1.15e-3 s");
    assert!((smoother.rate_hz() - 1.0 / period).abs() < 1e-3, "{}", smoother.rate_hz());
}

#[test]
fn a_rate_other_than_the_nominal_one_is_followed_without_a_break() {
    let (mut smoother, mut seed) = (Dejitter::new(250.0, 2.0), 5);
    for k in 0..250 * 60u32 {
        let at_s = f64::from(k) / 256.0;
        let got = smoother.push(at_s + 0.001 * noise(&mut seed), at_s);
        assert!(!got.facts.intersects(Facts::BREAKS), "sample {k}");
    }
    assert!((smoother.rate_hz() - 256.0).abs() < 0.01, "{}", smoother.rate_hz());
}

#[test]
fn a_sender_that_stamps_when_it_sends_may_be_held_up() {
    let (mut smoother, mut seed) = (Dejitter::new(250.0, 2.0), 5);
    for k in 0..250 * 20u32 {
        let due_s = f64::from(k) / 250.0;
        // Every fourth second it is held up for 80 ms, and then sends what was due at once.
        let held_s = if due_s % 4.0 < 0.08 && due_s > 3.0 { 0.08 - due_s % 4.0 } else { 0.0 };
        let at_s = due_s + held_s + 0.0005 * (1.0 + noise(&mut seed));
        let got = smoother.push(at_s, at_s);
        assert!(!got.facts.intersects(Facts::BREAKS), "sample {k}: {got:?}");
        assert!(k < 1000 || (got.smooth_s - due_s).abs() < 0.005, "sample {k}: {got:?}");
    }
}

#[test]
fn bursts_of_one_stamp_come_out_even() {
    let (rate, mut seed) = (128.0, 7);
    let mut smoother = Dejitter::new(rate, 2.0);
    let (mut sent, mut last_s, mut worst) = (0u32, f64::NAN, 0.0f64);
    while sent < 60 * 128 {
        let burst = 8 + (2.0 * (noise(&mut seed) + 1.0)).round() as u32;
        sent += burst;
        let stamp_s = f64::from(sent) / rate;
        for _ in 0..burst {
            let got = smoother.push(stamp_s, stamp_s);
            assert!(!got.facts.intersects(Facts::BREAKS), "sample {sent}: {got:?}");
            if sent > 10 * 128 {
                worst = worst.max(((got.smooth_s - last_s) * rate - 1.0).abs());
            }
            last_s = got.smooth_s;
        }
    }
    assert!(worst < 0.05, "spacing off by {worst} of a period");
}

#[test]
fn a_second_at_a_time_with_one_stamp_is_no_gap() {
    let mut smoother = Dejitter::new(128.0, 2.0);
    for k in 0..128 * 30u32 {
        let stamp_s = f64::from(k / 128);
        let got = smoother.push(stamp_s, stamp_s);
        assert!(!got.facts.intersects(Facts::BREAKS), "sample {k}: {got:?}");
    }
}

#[test]
fn a_device_clock_shows_every_lost_sample() {
    for lost in [1u32, 2, 7, 128, 10_000] {
        let (mut smoother, mut at_s) = (Dejitter::new(128.0, 2.0), 5.0);
        for _ in 0..1000 {
            assert!(!smoother.push(at_s, at_s).facts.intersects(Facts::BREAKS));
            at_s += 1.0 / 128.0;
        }
        at_s += f64::from(lost) / 128.0;
        let got = smoother.push(at_s, at_s);
        assert_eq!(got.lost_before, lost);
        assert!(got.facts.intersects(Facts::GAP) && got.facts.intersects(Facts::UNSETTLED));
        assert!((got.smooth_s - at_s).abs() < 1e-9);
        let next = smoother.push(at_s + 1.0 / 128.0, NOWHEN);
        assert!(!next.facts.intersects(Facts::BREAKS));
    }
}

#[test]
fn a_clock_set_forward_or_back_is_a_jump_and_no_loss() {
    for jump_s in [2.0, -2.0, 3600.0, -0.5] {
        let (mut smoother, mut seed) = (Dejitter::new(250.0, 2.0), 3);
        for k in 0..2500u32 {
            let now_s = 100.0 + f64::from(k) / 250.0;
            let set_s = if k >= 1250 { jump_s } else { 0.0 };
            let got = smoother.push(now_s + set_s + 0.001 * noise(&mut seed), now_s + 0.002);
            assert_eq!(got.facts.intersects(Facts::STAMP_JUMP), k == 1250, "{jump_s} s, sample {k}");
            assert_eq!(got.lost_before, 0);
        }
    }
}

#[test]
fn one_wild_stamp_breaks_twice_and_loses_nothing() {
    let mut smoother = Dejitter::new(250.0, 2.0);
    for k in 0..1500u32 {
        let now_s = f64::from(k) / 250.0;
        let got = smoother.push(if k == 1000 { now_s + 7.0 } else { now_s }, now_s);
        assert_eq!(got.facts.intersects(Facts::STAMP_JUMP), k == 1000 || k == 1001, "sample {k}");
        assert_eq!(got.lost_before, 0);
    }
}

#[test]
fn a_pause_of_jittery_stamps_is_a_gap_of_about_its_length() {
    let (mut smoother, mut seed) = (Dejitter::new(250.0, 2.0), 3);
    let mut lost = 0;
    for k in 0..2500u32 {
        let now_s = f64::from(if k >= 1250 { k + 500 } else { k }) / 250.0;
        lost += smoother.push(now_s + 0.002 * noise(&mut seed), now_s + 0.003).lost_before;
    }
    assert!((499..=501).contains(&lost), "{lost}");
}

#[test]
fn a_restart_unsettles_and_still_counts_what_is_missing() {
    let mut smoother = Dejitter::new(100.0, 1.0);
    for k in 0..500u32 {
        smoother.push(f64::from(k) / 100.0, NOWHEN);
    }
    assert!(smoother.settled());
    smoother.restart();
    let got = smoother.push(7.0, NOWHEN);
    assert!(got.facts.intersects(Facts::UNSETTLED) && got.facts.intersects(Facts::GAP));
    assert_eq!(got.lost_before, 200);
}

#[test]
fn stamps_that_are_no_numbers_are_marked_and_forgotten() {
    let mut smoother = Dejitter::new(100.0, 1.0);
    assert!(smoother.push(f64::NAN, 0.0).facts.intersects(Facts::STAMP_JUMP));
    for k in 0..300u32 {
        let raw_s = if k == 200 { f64::INFINITY } else { f64::from(k) / 100.0 };
        let got = smoother.push(raw_s, NOWHEN);
        assert_eq!(got.facts.intersects(Facts::STAMP_JUMP), k == 200, "sample {k}");
        assert!((got.smooth_s - f64::from(k) / 100.0).abs() < 1e-6, "sample {k}: {got:?}");
    }
}

#[test]
fn true_stamps_show_every_gap_however_near_the_next() {
    let mut stamps = Dejitter::exact(250.0);
    let (mut at_s, mut lost, mut gaps) = (0.25, 0, 0);
    for k in 0..5000u32 {
        let missing = [(7, 1), (500, 10), (4001, 2500)].iter().find(|(every, _)| k > 0 && k % every == 0);
        let missing = missing.map_or(0, |(_, count)| *count);
        at_s += f64::from(missing) / 250.0;
        let got = stamps.push(at_s, NOWHEN);
        assert_eq!(got.lost_before, missing, "sample {k}");
        assert_eq!(got.facts.intersects(Facts::BREAKS), missing > 0);
        assert!(!got.facts.intersects(Facts::UNSETTLED) && got.smooth_s == at_s);
        (lost, gaps) = (lost + missing, gaps + u32::from(missing > 0));
        at_s += 1.0 / 250.0;
    }
    assert!(lost > 3000 && gaps > 700);
    let back = stamps.push(0.0, NOWHEN);
    assert!(back.facts.intersects(Facts::STAMP_JUMP) && back.lost_before == 0);
}

/// Samples lost as a sender loses them: `lost` of every `every`, at stamps with jitter that is held up now and then.
fn lossy(rate_hz: f64, every: u32, lost: u32, seconds: f64, jitter_s: f64) -> (u64, u64, u64) {
    let (mut smoother, mut seed) = (Dejitter::new(rate_hz, 2.0), 11);
    let (mut counted, mut truly, mut late) = (0_u64, 0_u64, 0_u64);
    let total = (seconds * rate_hz) as u32;
    for k in 0..total {
        if k % every >= every - lost {
            truly += u64::from(k + 2 * every < total);
            continue;
        }
        let at_s = 50.0 + f64::from(k) / rate_hz + jitter_s * noise(&mut seed).abs();
        let got = smoother.push(at_s, at_s + 0.001);
        counted += u64::from(got.lost_before);
        late += u64::from(got.facts.intersects(Facts::LATE));
    }
    (counted, truly, late)
}

#[test]
fn every_loss_of_four_and_more_is_counted_at_any_spacing() {
    for rate_hz in [128.0, 250.0, 500.0, 1000.0] {
        for (every, lost) in [(500, 10), (500, 20), (500, 50), (500, 4), (100, 4), (100, 10), (1000, 300)] {
            for jitter_s in [0.0, 0.0002, 0.1 / rate_hz, 0.5 / rate_hz] {
                let (counted, truly, _) = lossy(rate_hz, every, lost, 40.0, jitter_s);
                let off = counted.abs_diff(truly) as f64;
                let allowed = f64::from(2 * lost) + 0.01 * truly as f64;
                assert!(
                    off <= allowed,
                    "{rate_hz} Hz, {lost} of {every}, jitter {jitter_s} s: {counted} of {truly}"
                );
            }
        }
    }
}

#[test]
fn bursts_that_lose_samples_show_it() {
    // Chunks of 8 with one stamp, one chunk of ten lost, over a radio link.
    let (mut smoother, mut seed) = (Dejitter::new(250.0, 2.0), 5);
    let (mut counted, mut truly) = (0_u64, 0_u64);
    for chunk in 0..1000u32 {
        if chunk % 100 == 99 {
            truly += 8;
            continue;
        }
        let at_s = f64::from(chunk + 1) * 8.0 / 250.0 + 0.002 * noise(&mut seed).abs();
        for _ in 0..8 {
            counted += u64::from(smoother.push(at_s, at_s).lost_before);
        }
    }
    assert!(counted.abs_diff(truly) <= 8, "{counted} of {truly}");
}

#[test]
fn a_rate_that_is_far_from_the_nominal_one_is_known_when_settled() {
    for (nominal_hz, real_hz) in
        [(500.0, 250.0), (250.0, 500.0), (250.0, 240.0), (2500.0, 250.0), (25.0, 250.0)]
    {
        let (mut smoother, mut seed) = (Dejitter::new(nominal_hz, 2.0), 5);
        let mut settled_s = None;
        for k in 0..(20.0 * real_hz) as u32 {
            let at_s = f64::from(k) / real_hz;
            let got = smoother.push(at_s + 0.0005 * noise(&mut seed), at_s);
            assert_eq!(got.lost_before, 0, "{nominal_hz} {real_hz} sample {k}");
            if !got.facts.intersects(Facts::UNSETTLED) && settled_s.is_none() {
                settled_s = Some(at_s);
                assert!((smoother.rate_hz() / real_hz - 1.0).abs() < 3e-3, "{}", smoother.rate_hz());
            }
        }
        assert!(settled_s.is_some_and(|s| s < 4.0), "{nominal_hz} {real_hz}: {settled_s:?}");
        assert!((smoother.rate_hz() / real_hz - 1.0).abs() < 1e-4, "{}", smoother.rate_hz());
    }
}

proptest::proptest! {
    /// Whatever comes in, nothing panics, and settled stamps never run backwards.
    #[test]
    fn any_stamps(raws in proptest::collection::vec(proptest::num::f64::ANY, 1..100), rate in 0.1f64..1e5) {
        let mut smoother = Dejitter::new(rate, 0.01);
        let mut last = f64::NEG_INFINITY;
        for raw in raws {
            let got = smoother.push(raw, raw);
            if !got.facts.intersects(Facts::STAMP_JUMP) && got.smooth_s.is_finite() && last.is_finite() {
                proptest::prop_assert!(got.smooth_s >= last);
            }
            last = got.smooth_s;
        }
    }
}
