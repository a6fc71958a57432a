//! A plan's sums against the current that its own numbers make: time, charge, RMS, and what is refused.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use proptest::prelude::*;
use tras_stimulation::current::{Cause, Current, Refusal, Start, Totals};
use tras_stimulation::limits::{HostLimits, Limit};
use tras_stimulation::noise::{Bins, Profile};
use tras_stimulation::plan::{Plan, Refused};
use tras_stimulation::session::schedule::Schedule;

const RATE_HZ: f64 = 2_000.0;

/// How a plan went.
#[derive(Debug)]
enum Outcome {
    Delivered(Totals),
    Refused(Refusal),
    Broken(Limit),
}

/// Carries `plan` out, block by block, in samples instead of seconds.
fn carry_out(plan: &Plan, seed: u64) -> Outcome {
    let mut current = Current::new(&plan.setup(seed)).unwrap();
    let mut chunk = [0f32; 200];
    let mut run = |current: &mut Current, seconds: f64| {
        for _ in 0..(seconds * RATE_HZ) as usize / chunk.len() {
            current.fill(&mut chunk);
        }
    };
    for block in 0..plan.schedule.blocks {
        let _ = current.arm();
        let start = Start {
            decision_id: u64::from(block),
            profile: plan.profile,
            exponent: plan.exponent,
            peak_ma: plan.peak_ma,
        };
        if let Err(refusal) = current.start(&start) {
            return Outcome::Refused(refusal);
        }
        run(&mut current, plan.schedule.block_s - plan.schedule.ramp_down_s);
        current.finish();
        run(&mut current, plan.schedule.ramp_down_s + 1.0);
        if let Some(Cause::Limit { limit, .. }) = current.latched() {
            return Outcome::Broken(limit);
        }
    }
    Outcome::Delivered(current.totals())
}

fn plans() -> impl Strategy<Value = Plan> {
    let profile = prop::sample::select(Profile::ALL.to_vec());
    let noise = (profile, 0.0..3.0_f64, 0.15..1.0_f64, 40.0..100.0_f64, 0.05..0.5_f64);
    let course = (1u32..4, 5u32..40, 5u32..40, 1u32..90);
    // Wide enough for most, tight enough for some.
    let limits = (0.15..0.6_f64, 10.0..80.0_f64, 20.0..400.0_f64, 4.0..40.0_f64);
    (noise, course, limits).prop_map(|((profile, exponent, low, high, peak_ma), course, limits)| {
        let ((blocks, up, down, steady), (net, charge, active_s, area)) = (course, limits);
        let block_s = f64::from(up + down + steady);
        Plan {
            schedule: Schedule { baseline_s: 5.0, block_s, gap_s: 30.0, blocks, ramp_down_s: down.into() },
            profile,
            exponent,
            exponents: (exponent, exponent),
            band_hz: (low, high),
            peak_ma,
            ramp_up_s: up.into(),
            limits: HostLimits {
                net_charge_mc: net,
                total_charge_mc: charge,
                active_s,
                ..HostLimits::for_electrode(area)
            },
            rate_hz: RATE_HZ,
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn what_a_plan_says_is_what_its_current_delivers(plan in plans(), seed in 0u64..1_000) {
        let (refused, outcome) = (plan.refused(), carry_out(&plan, seed));
        let delivers = plan.delivers().unwrap();
        match (refused.first(), outcome) {
            (None, Outcome::Delivered(totals)) => {
                let blocks = f64::from(plan.schedule.blocks);
                let active = (totals.stimulation_seconds - delivers.active_s).abs();
                prop_assert!(active < 0.1 * blocks, "{} s, not {}", totals.stimulation_seconds, delivers.active_s);
                let charge = (totals.charge_mc - delivers.charge_mc).abs();
                prop_assert!(charge < 5.0 * delivers.charge_sd_mc + 1e-3 * delivers.charge_mc, "{totals:?} {delivers:?}");
                let one = Bins::new(plan.rate_hz, plan.band_hz).unwrap().expected(plan.exponent).abs_charge_sd;
                // Half the relative spread of the mean square, whose integral of r² is pi times that square.
                let spread = 0.5 * one * (2.0 * std::f64::consts::PI / (0.6 * delivers.active_s)).sqrt();
                let rms = (totals.current_rms_ma / delivers.rms_ma - 1.0).abs();
                prop_assert!(rms < 5.0 * spread + 2e-3, "{} mA, not {}", totals.current_rms_ma, delivers.rms_ma);
            }
            // A noise is refused as a whole, before its first sample.
            (Some(Refused::Noise(planned)), Outcome::Refused(Refusal::Spent { .. } | Refusal::Expected { .. })) => {
                let by_its_statistics = matches!(planned, Refusal::Expected { .. });
                prop_assert!(by_its_statistics);
            }
            (Some(Refused::ActiveTime { .. }), Outcome::Refused(Refusal::Spent { .. }))
            | (Some(Refused::ActiveTime { .. }), Outcome::Broken(Limit::ActiveTime | Limit::TotalCharge)) => {}
            (Some(Refused::Charge { .. }), Outcome::Refused(Refusal::Spent { .. }))
            | (Some(Refused::Charge { .. }), Outcome::Broken(Limit::TotalCharge)) => {}
            // Only the device minds, which is not here.
            (Some(Refused::BurstTime { .. }), Outcome::Delivered(_) | Outcome::Broken(Limit::TotalCharge)) => {}
            (Some(Refused::BurstTime { .. }), Outcome::Refused(Refusal::Spent { .. })) => {}
            // Noise may stay below what it may come to.
            (Some(Refused::Charge { charge_mc, limit_mc, .. }), Outcome::Delivered(_)) => {
                prop_assert!(*charge_mc < limit_mc + 5.0 * delivers.charge_sd_mc);
            }
            (refused, outcome) => prop_assert!(false, "{refused:?}, but {outcome:?}"),
        }
    }
}
