//! A protocol for the tests of this folder: blocks of 5 min with 60 s between, three conditions.

use super::protocol::{
    Begin, Broken, Condition, Finish, Given, Kind, LawPlan, Needs, Overrun, PhasePlan, Protocol,
};
use crate::limits::HostLimits;
use crate::noise::Profile;

pub(crate) fn limits() -> HostLimits {
    HostLimits { active_s: 3_600.0, ..HostLimits::for_electrode(35.0) }
}

pub(crate) fn conditions() -> Vec<Condition> {
    Profile::ALL
        .into_iter()
        .map(|profile| Condition {
            name: profile.name().to_owned(),
            profile,
            exponent: profile.default_exponent(),
            peak_ma: 0.5,
            law: LawPlan::Fixed,
        })
        .collect()
}

pub(crate) fn protocol(blocks: u32) -> Protocol {
    let mut phases = vec![PhasePlan {
        finish: Finish::Key,
        duration_s: f64::INFINITY,
        ..PhasePlan::timed(Kind::Impedance, 0.0)
    }];
    for block in 1..=blocks {
        phases.push(PhasePlan {
            block: Some(block),
            given: Given::Allocated,
            lead_s: 12.0,
            begin: Begin::AtOnce,
            finish: Finish::Time,
            late_finish: Overrun::Break,
            needs: Needs { impedance: true, stream_s: 10.0, recording: true, dose: true },
            ..PhasePlan::timed(Kind::Task, 299.0)
        });
        phases.push(PhasePlan::timed(Kind::RestOpen, 60.0));
    }
    phases.push(PhasePlan::timed(Kind::End, 0.0));
    Protocol {
        study: "wm".to_owned(),
        session: "2".to_owned(),
        phases,
        conditions: conditions(),
        balanced: true,
        markers: vec!["ready".to_owned(), "done".to_owned()],
        patience_s: 5.0,
        broken: Broken::Skip,
        gap_s: 30.0,
        ramp_up_s: 10.0,
        ramp_down_s: 10.0,
    }
}
