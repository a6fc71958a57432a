//! A protocol against the limits of the core: everything that is wrong with it, each with what to do.

use super::dose::{Dose, largest_after, largest_of_block};
use super::protocol::{Begin, Finish, Given, Kind, LawPlan, Protocol};
use crate::limits::HostLimits;

/// No gap between currents is shorter, in s (the project's table of limits).
pub const LEAST_GAP_S: f64 = 30.0;
/// No phase is longer, in s.
const LONGEST_S: f64 = 4.0 * 3_600.0;
/// No session has more phases: a repetition of a repetition is a slip.
const MOST_PHASES: usize = 1_000;

/// A fault of a protocol: where, what, and what to do. `place` is `phase 3 (task)`, or `condition "steep"`.
#[derive(Clone, Debug, PartialEq)]
pub struct ProtocolFault {
    /// Where.
    pub place: String,
    /// What is wrong.
    pub what: String,
    /// What to do.
    pub todo: String,
}

fn fault(place: impl Into<String>, what: impl Into<String>, todo: impl Into<String>) -> ProtocolFault {
    ProtocolFault { place: place.into(), what: what.into(), todo: todo.into() }
}

/// All faults of a protocol; none where it may be run.
#[must_use]
pub fn check(protocol: &Protocol, limits: &HostLimits) -> Vec<ProtocolFault> {
    let mut found = Vec::new();
    course(protocol, &mut found);
    conditions(protocol, limits, &mut found);
    for (n, phase) in (1..).zip(&protocol.phases) {
        phase_times(protocol, &format!("phase {n} ({})", phase.kind.name()), phase, &mut found);
    }
    dose(protocol, limits, &mut found);
    found
}

fn course(protocol: &Protocol, found: &mut Vec<ProtocolFault>) {
    let ends = protocol.phases.iter().filter(|phase| phase.kind == Kind::End).count();
    if protocol.phases.last().is_none_or(|phase| phase.kind != Kind::End) || ends != 1 {
        found.push(fault(
            "protocol.phases",
            "do not close with one end",
            "put one phase of kind \"end\" last",
        ));
    }
    if protocol.phases.len() > MOST_PHASES {
        let what = format!("{} phases, at most {MOST_PHASES}", protocol.phases.len());
        found.push(fault("protocol.phases", what, "lower a repetition"));
    }
    let blocks = protocol.phases.iter().filter_map(|phase| phase.block);
    if !blocks.eq(1..=protocol.blocks()) {
        found.push(fault("protocol.phases", "blocks are not numbered from 1 in order", "number them so"));
    }
    if !(protocol.gap_s >= LEAST_GAP_S && protocol.gap_s <= LONGEST_S) {
        let what = format!("{} s between currents", protocol.gap_s);
        found.push(fault("protocol.gap_s", what, format!("set at least {LEAST_GAP_S} s")));
    }
    if !(0.0..=600.0).contains(&protocol.patience_s) {
        let what = format!("{} s without a healthy recording", protocol.patience_s);
        found.push(fault("protocol.patience_s", what, "set 0 to 600 s"));
    }
}

fn conditions(protocol: &Protocol, limits: &HostLimits, found: &mut Vec<ProtocolFault>) {
    for (n, condition) in protocol.conditions.iter().enumerate() {
        let place = format!("condition \"{}\"", condition.name);
        let mut say = |what: String, todo: &str| found.push(fault(place.clone(), what, todo));
        if condition.name.is_empty()
            || condition.name.len() > 40
            || condition.name.chars().any(char::is_control)
        {
            say("has no usable name".to_owned(), "name it in 1 to 40 characters");
        }
        if protocol.conditions.iter().skip(n + 1).any(|other| other.name == condition.name) {
            say("is there twice".to_owned(), "give each its own name");
        }
        if !(0.0..=3.0).contains(&condition.exponent) {
            say(format!("exponent {} cannot be played", condition.exponent), "set 0 to 3");
        }
        if !(condition.peak_ma > 0.0 && condition.peak_ma <= limits.peak_ma) {
            let what = format!("peak {} mA, limits.peak_ma is {} mA", condition.peak_ma, limits.peak_ma);
            say(what, "stay within the limit");
        }
        match condition.law {
            LawPlan::Individual { difference } if !(-3.0..=3.0).contains(&difference) => {
                say(format!("difference {difference}"), "set -3 to 3");
            }
            LawPlan::Adaptive { target } if !(0.0..=4.0).contains(&target) => {
                say(format!("target {target}"), "set 0 to 4");
            }
            LawPlan::Gated(gate) => {
                if let Err(what) = gate.check() {
                    say(what, "see docs/session.md for a gate that holds");
                }
            }
            _ => {}
        }
    }
}

fn phase_times(
    protocol: &Protocol,
    place: &str,
    phase: &super::protocol::PhasePlan,
    found: &mut Vec<ProtocolFault>,
) {
    let mut say = |what: String, todo: String| found.push(fault(place, what, todo));
    let endless = phase.duration_s.is_infinite() && phase.finish == Finish::Key && !phase.has_current();
    if phase.kind != Kind::End && !endless && !(phase.duration_s > 0.0 && phase.duration_s <= LONGEST_S) {
        say(format!("lasts {} s", phase.duration_s), format!("set more than 0 and at most {LONGEST_S} s"));
    }
    if phase.wait_s.is_nan() || phase.wait_s <= 0.0 {
        say(format!("waits {} s", phase.wait_s), "set more than 0 s".to_owned());
    }
    let known = |n: usize| n < protocol.markers.len();
    let unknown = matches!(phase.begin, Begin::Marker(n) if !known(n))
        || matches!(phase.finish, Finish::Marker(n) if !known(n));
    if unknown {
        say("waits for a marker that no rule names".to_owned(), "add it to protocol.markers".to_owned());
    }
    if (phase.kind == Kind::Task) != phase.block.is_some() {
        say("is not numbered as a block is".to_owned(), "only task phases are blocks".to_owned());
    }
    if !phase.has_current() {
        return;
    }
    if phase.kind != Kind::Task {
        say("has a condition".to_owned(), "only a task phase may have current".to_owned());
    }
    let known = match phase.given {
        Given::Condition(place) => place < protocol.conditions.len(),
        _ => !protocol.conditions.is_empty(),
    };
    if !known {
        say("has a condition that the protocol does not define".to_owned(), "define it".to_owned());
    }
    let least_s = protocol.ramp_up_s + protocol.ramp_down_s;
    if phase.duration_s < least_s.max(30.0) {
        let least_s = least_s.max(30.0);
        say(
            format!("{} s are shorter than ramps and sham, {least_s} s", phase.duration_s),
            format!("set at least {least_s} s"),
        );
    }
    if !(0.0..=phase.duration_s - protocol.ramp_down_s).contains(&phase.lead_s) {
        let what = format!("the task begins {} s after the current, outside the block", phase.lead_s);
        say(what, "shorten lead_s".to_owned());
    }
    if phase.begin == Begin::AtOnce && phase.needs.stream_s < 1.0 {
        let what = "a current that nothing but the clock begins needs a live stream".to_owned();
        say(what, "set needs.stream_s to 10".to_owned());
    }
}

fn dose(protocol: &Protocol, limits: &HostLimits, found: &mut Vec<ProtocolFault>) {
    if let Err(error) = limits.check() {
        found.push(fault("limits", error.to_string(), "mend the limit"));
    }
    for phase in &protocol.phases {
        let dose = largest_of_block(protocol, phase);
        if !dose.within(limits) {
            let block = phase.block.unwrap_or_default();
            let what = format!("{:.1} min and {:.2} C at most", dose.active_s / 60.0, dose.charge_mc * 1e-3);
            found.push(fault(format!("block {block}"), what, "shorten the block or lower its peak"));
        }
    }
    let whole = largest_after(protocol, protocol.blocks());
    if whole.active_s > limits.active_s {
        let what = format!(
            "{:.1} min with current at most, limits.active_min is {:.1} min",
            whole.active_s / 60.0,
            limits.active_s / 60.0
        );
        found.push(fault(
            "the session",
            what,
            "shorten blocks, leave some out, or raise the limit within 60 min",
        ));
    }
    let burst_s = Dose::burst_s(protocol, protocol.blocks());
    if burst_s > limits.active_s {
        let what = format!(
            "the device is in bursts for {:.1} min, zeros of a sham included, and its limit, limits.active_min, is {:.1} min",
            burst_s / 60.0,
            limits.active_s / 60.0
        );
        found.push(fault(
            "the session",
            what,
            "shorten blocks, leave some out, or raise the limit within 60 min",
        ));
    }
    if whole.charge_mc > limits.total_charge_mc {
        let what = format!(
            "{:.2} C at most, limits.total_charge_c is {:.2} C",
            whole.charge_mc * 1e-3,
            limits.total_charge_mc * 1e-3
        );
        found.push(fault("the session", what, "lower the peak, or leave blocks out"));
    }
}

#[cfg(test)]
mod tests {
    use super::super::protocol::{Overrun, PhasePlan};
    use super::super::tests::{limits, protocol};
    use super::*;

    #[test]
    fn a_sound_protocol_has_no_fault() {
        assert_eq!(check(&protocol(12), &limits()), []);
    }

    #[test]
    fn every_slip_is_found_and_says_what_to_do() {
        type Slip = (&'static str, fn(&mut Protocol));
        let slips: [Slip; 14] = [
            ("one end", |p| p.phases.truncate(p.phases.len() - 1)),
            ("one end", |p| p.phases.push(PhasePlan::timed(Kind::End, 0.0))),
            ("numbered", |p| p.phases[1].block = Some(7)),
            ("between currents", |p| p.gap_s = 29.0),
            ("between currents", |p| p.gap_s = f64::NAN),
            ("twice", |p| p.conditions[1].name = "steep".to_owned()),
            ("cannot be played", |p| p.conditions[0].exponent = 3.1),
            ("limits.peak_ma", |p| p.conditions[2].peak_ma = 0.51),
            ("lasts", |p| p.phases[2].duration_s = -1.0),
            ("only a task phase", |p| p.phases[0].given = Given::Allocated),
            ("no rule names", |p| p.phases[1].begin = Begin::Marker(9)),
            ("shorter than ramps", |p| p.phases[1].duration_s = 12.0),
            ("outside the block", |p| p.phases[1].lead_s = 295.0),
            ("device is in bursts", |p| p.phases[1].duration_s = 320.0),
        ];
        for (expected, slip) in slips {
            let mut protocol = protocol(12);
            slip(&mut protocol);
            let found = check(&protocol, &limits());
            assert!(
                found.iter().any(|f| f.what.contains(expected) || f.todo.contains(expected)),
                "{expected}: {found:?}"
            );
        }
        let mut waits = protocol(1);
        waits.phases[1].wait_s = 0.0;
        waits.phases[1].late_begin = Overrun::GoOn;
        assert!(check(&waits, &limits()).iter().any(|f| f.what.contains("waits")));
    }
}
