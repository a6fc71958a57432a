//! The removal as a whole, on signals made without it: white current through a path that charges, onto coloured noise.
#![allow(clippy::unwrap_used, reason = "tests")]

use super::*;

const EEG_HZ: f64 = 250.0;
const CURRENT_HZ: f64 = 1000.0;

/// Uniform noise of unit variance.
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 11) as f64 / (1u64 << 53) as f64 - 0.5) * 12f64.sqrt()
    }
}

/// What a test does to the path.
#[derive(Clone, Copy)]
struct Case {
    artefact_uv: f64,
    /// Third order, as a share of the artefact.
    cubic: f64,
    /// The current that is told is the one that flows, or another.
    told: bool,
    /// From here on (s) the path's sign turns.
    turns_s: f64,
}

const GOOD: Case = Case { artefact_uv: 2000.0, cubic: 0.0, told: true, turns_s: f64::INFINITY };

/// Runs 40 s with current from 2 s on. Gives the proofs of every second with current, and RMS of EEG and of what is left of
/// the artefact in the last 10 s.
fn run(case: Case) -> (Vec<Proof>, f64, f64) {
    let mut remover = Remover::new(Settings::new(1, EEG_HZ, 35.0, CURRENT_HZ, 4.0, 0.5)).unwrap();
    let (mut current_noise, mut other, mut eeg_noise) = (Noise(5), Noise(77), Noise(9));
    let (mut slow, mut smooth, mut charged, mut other_slow, mut eeg) = (0.0, [0.0; 5], 0.0, 0.0, 0.0);
    // The EEG alone, through a removal of its own that is told of no current: the same low-pass.
    let mut alone = Remover::new(Settings::new(1, EEG_HZ, 35.0, CURRENT_HZ, 4.0, 0.5)).unwrap();
    let (mut cleaned, mut clean, mut proofs) = (vec![], vec![], vec![]);
    let mut told = 0;
    for n in 0..(40.0 * EEG_HZ) as u64 {
        let t = n as f64 / EEG_HZ;
        let mut artefact = 0.0;
        for k in 0..4 {
            let on = ((t - 2.0) / 3.0).clamp(0.0, 1.0);
            slow += 0.03 * (5.0 * current_noise.next() - slow);
            other_slow += 0.03 * (5.0 * other.next() - other_slow);
            let ma = 0.3 * slow * on;
            // Five low-passes in a row are the amplifier's; one part charges.
            charged += 0.03 * (ma - charged);
            let mut x = ma + 0.5 * charged;
            for stage in &mut smooth {
                *stage += 0.2 * (x - *stage);
                x = *stage;
            }
            if k == 3 {
                artefact = x;
            }
            let told_ma = if case.told { ma } else { 0.3 * other_slow * on };
            remover.current(100.0 + f64::from(told) / CURRENT_HZ, told_ma as f32, 0);
            told += 1;
        }
        eeg += 0.1 * (10.0 * eeg_noise.next() - eeg);
        let unit = artefact / 0.05;
        let sign = if t < case.turns_s { 1.0 } else { -1.0 };
        let recorded = eeg + sign * case.artefact_uv * (unit + case.cubic * (unit.powi(3) - 3.0 * unit));
        let header = FrameHeader { index: n, stamp_s: 100.004 + t, ..FrameHeader::default() };
        remover.frame(&header, &[recorded as f32]);
        remover.poll(&mut |header, values| cleaned.push((header.index, f64::from(values[0]))));
        alone.quiet(101.0 + t);
        alone.frame(&header, &[eeg as f32]);
        alone.poll(&mut |header, values| clean.push((header.index, f64::from(values[0]))));
        if n % 250 == 249 && t > 3.0 {
            proofs.push(remover.proof(&[0]));
        }
    }
    let (mut own, mut error, mut count) = (0.0, 0.0, 0.0);
    for (index, value) in cleaned.iter().filter(|(index, _)| *index as f64 > 28.0 * EEG_HZ) {
        if let Ok(at) = clean.binary_search_by_key(index, |(index, _)| *index) {
            own += clean[at].1.powi(2);
            error += (value - clean[at].1).powi(2);
            count += 1.0;
        }
    }
    (proofs, (own / count).sqrt(), (error / count).sqrt())
}

#[test]
fn a_linear_artefact_of_a_thousand_times_the_eeg_is_gone_and_proven() {
    let (proofs, own, error) = run(GOOD);
    // What is left is the removal's cost: a few per cent of the EEG's own power.
    assert!(error < 0.3 * own, "EEG {own:.3} uV, error {error:.3} uV");
    let late = &proofs[30..];
    assert!(late.iter().all(|p| p.failed.is_none()), "{late:?}");
    assert!(late.iter().all(|p| p.removed_db > 40.0 && p.cost < MAX_COST), "{late:?}");
}

#[test]
fn no_artefact_costs_little_and_is_proven() {
    let (proofs, own, error) = run(Case { artefact_uv: 0.0, ..GOOD });
    assert!(error < 0.3 * own, "{own} {error}");
    assert!(proofs[25..].iter().all(|p| p.failed.is_none()));
}

#[test]
fn what_is_not_proven_is_not_called_valid() {
    let bent = run(Case { cubic: 1e-2, ..GOOD }).0;
    assert!(bent[25..].iter().all(|p| p.failed.is_some()), "{:?}", bent.last());
    let wrong = run(Case { told: false, ..GOOD }).0;
    assert!(wrong.iter().all(|p| p.failed.is_some() || p.removed_db < 0.0), "{wrong:?}");
}

#[test]
fn a_path_that_turns_is_seen_within_two_windows() {
    let (proofs, ..) = run(Case { turns_s: 33.0, ..GOOD });
    // Proofs begin at 3 s; the frames come out half a second late.
    let after = &proofs[(34 - 3)..];
    assert!(after.iter().take(2).any(|p| p.failed.is_some()), "{after:?}");
}

#[test]
fn current_that_nobody_tells_leaves_nothing_valid() {
    let mut remover = Remover::new(Settings::new(1, EEG_HZ, 35.0, CURRENT_HZ, 4.0, 0.5)).unwrap();
    remover.quiet(100.0);
    let mut spoilt = 0;
    for n in 0..2000u64 {
        let header = FrameHeader { index: n, stamp_s: 100.0 + n as f64 / EEG_HZ, ..FrameHeader::default() };
        remover.frame(&header, &[1.0]);
        remover.poll(&mut |header, _| spoilt += u64::from(header.spoilt.contains(0)));
    }
    assert!(spoilt > 100, "{spoilt}");
    assert_eq!(remover.proof(&[0]).failed, Some(Unproven::NoTelemetry));
}
