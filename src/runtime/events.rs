//! Notes in words: the JSON of the event stream and of the recording, and the lines that an operator reads.

use serde_json::{Value, json};

use super::{
    live::control::FROZEN_AFTER_S,
    observation::{Halt, Note, Stamped},
};
use crate::{
    estimator::{
        Estimate, Reason,
        through_current::{Proof, Unconfirmed, Unproven},
    },
    session::schedule::Phase,
    stimulator::State,
};

/// A note as one JSON object, for those that belong on the event stream; estimates, spectra and the device's
/// regular word have streams of their own.
#[must_use]
pub fn json(stamped: &Stamped) -> Option<String> {
    let value = match stamped.note {
        Note::Estimate(_) | Note::Spectrum(_) | Note::Device(_) | Note::Hop { .. } | Note::Bad(_) => {
            return None;
        }
        Note::Stream(state) => json!({"event": "stream", "state": state.label()}),
        Note::Through(e, proof) => {
            let why = not_proven(&e, &proof);
            json!({
                "event": "through_current", "target": e.target, "first_sample": e.first_sample,
                "last_sample": e.last_sample, "exponent": finite(e.fit.exponent),
                "exponent_se": finite(e.fit.exponent_se), "valid": why.is_none(), "reason": why.unwrap_or(""),
                "linearity_p": finite(proof.linearity_p), "residual_coherence": finite(proof.residual_coherence),
                "modulation_p": finite(proof.modulation_p), "removed_db": finite(proof.removed_db),
            })
        }
        Note::Decision(d) => {
            let mut event = json!({
                "event": "decision", "id": d.id, "estimate": d.estimate_id, "exponent": d.exponent,
                "bounded": d.bounded, "peak_ma": d.peak_ma, "flow": d.flow,
            });
            if let (true, Some(event)) = (d.through, event.as_object_mut()) {
                event.insert("through_current".to_owned(), true.into());
            }
            event
        }
        Note::Confirmed(verdict) => json!({
            "event": "through_current_confirmed", "confirmed": verdict.is_ok(),
            "reason": verdict.err().map_or("", Unconfirmed::as_str),
        }),
        Note::Phase(phase, left_s) => json!({
            "event": "phase", "phase": phase.label(), "block": block_of(phase),
            "seconds_left": finite(left_s),
        }),
        Note::Flow { flowing, contamination, frame } => json!({
            "event": "flow", "flowing": flowing, "contamination": contamination.as_str(), "frame": frame,
        }),
        Note::Host { state, decision_id, sample, exponent, rms_ma } => {
            let on = matches!(state, State::RampUp | State::Stimulating | State::RampDown);
            json!({
                "event": "current", "state": state_label(state), "decision": decision_id, "sample": sample,
                "exponent": if on { json!(exponent) } else { Value::Null },
                "rms_ma": if on { rms_ma } else { 0.0 },
            })
        }
        Note::Halted(why) => json!({"event": "halted", "why": halt_words(why)}),
        Note::HostFault(limit, value) => {
            json!({"event": "fault", "by": "host", "limit": limit, "value": finite(value)})
        }
        Note::DeviceFault(fault) => json!({
            "event": "fault", "by": "device", "code": format!("{:?}", fault.code), "value": fault.value,
            "at_s": fault.at_s,
        }),
        Note::LinkFault(what) => json!({"event": "fault", "by": "link", "what": what}),
        Note::Ahead(ahead_s) => json!({"event": "stamps", "ahead_s": finite(ahead_s)}),
        Note::Rate(off) => json!({
            "event": "rate", "nominal_hz": off.nominal_hz, "measured_hz": off.measured_hz, "refused": off.refused,
        }),
        Note::Refitted { rate_hz, frame } => json!({"event": "refitted", "rate_hz": rate_hz, "frame": frame}),
        Note::TakenUp => json!({"event": "stream", "taken_up": "from another host, by the operator"}),
        Note::Child(role, news) => json!({"event": "process", "what": news.words(role)}),
    };
    Some(value.to_string())
}

/// What is there in place of a lost stream, and why it is not taken; empty: nothing is any more.
#[must_use]
pub fn refused_json(why: &str) -> String {
    json!({"event": "stream", "state": "LOST", "refused": why}).to_string()
}

/// Why an estimate through the current must not be believed, if so.
#[must_use]
pub fn not_proven(estimate: &Estimate, proof: &Proof) -> Option<&'static str> {
    estimate.fit.invalid.map(Reason::as_str).or(proof.failed.map(Unproven::as_str))
}

/// The same while nobody may learn a block's condition: what is told of current and decisions is left out. `in_block`:
/// from a block's begin until its current has gone. A decision has no number then, because numbers count what a law has
/// decided in blocks.
#[must_use]
pub fn blind_json(stamped: &Stamped, in_block: bool) -> Option<String> {
    match stamped.note {
        Note::Decision(_) | Note::Host { .. } | Note::Flow { .. } if in_block => None,
        // What was removed says how much flowed, whenever it flowed.
        Note::Through(..) | Note::Confirmed(_) => None,
        Note::Decision(d) => Some(
            json!({
                "event": "decision", "estimate": d.estimate_id, "exponent": d.exponent, "bounded": d.bounded,
            })
            .to_string(),
        ),
        Note::Host { state, .. } => {
            Some(json!({"event": "current", "state": state_label(state)}).to_string())
        }
        _ => json(stamped),
    }
}

/// A fault in words, `None` for a note that is no fault. Times are those of the run, which began at `began_s`: a person
/// has no other clock to compare them with.
#[must_use]
pub fn fault_words(stamped: &Stamped, began_s: f64) -> Option<String> {
    let at_s = stamped.at_s - began_s;
    match stamped.note {
        Note::HostFault(limit, value) => {
            Some(format!("host limit {limit} reached with {value:.4} at {at_s:.1} s: ramped down"))
        }
        Note::DeviceFault(f) => {
            Some(format!("device fault {} with {:.4} at {:.1} s: latched", f.code, f.value, f.at_s - began_s))
        }
        Note::LinkFault(what) => Some(format!("stimulator: {what} at {at_s:.1} s")),
        // Of all halts the one that nothing outside the program explains.
        Note::Halted(Halt::Frozen) => Some(format!(
            "the loop stood still for {:.0} ms at {at_s:.1} s: ramped down, nothing starts any more in this run",
            FROZEN_AFTER_S * 1e3
        )),
        Note::Halted(Halt::DailyLimit(active_s)) => {
            Some(format!("limits.daily_min reached after {active_s:.0} s of this run: ramped down"))
        }
        Note::Halted(Halt::Ledger) => Some(format!(
            "the dose ledger has not confirmed a write for 10 s at {at_s:.1} s: ramped down, because the day's dose cannot be kept"
        )),
        Note::Halted(Halt::Stalled(thread)) => Some(format!(
            "{thread} shows no sign of life at {at_s:.1} s: ramped down, nothing starts any more in this run"
        )),
        _ => None,
    }
}

/// Whether a halt lasts: nothing starts any more in this run. The others go when their reason goes.
#[must_use]
pub fn lasts(why: Halt) -> bool {
    !matches!(why, Halt::StreamLost | Halt::Stale(_))
}

/// Why stimulation halted, in words.
#[must_use]
pub fn halt_words(why: Halt) -> String {
    match why {
        Halt::Operator => "stopped by the operator".to_owned(),
        Halt::Ends(by) => by.words().to_owned(),
        Halt::StreamLost => "the EEG stream is lost".to_owned(),
        Halt::Stale(age_s) => format!("the newest EEG is {age_s:.2} s old"),
        Halt::Impedance { kohm, limit_kohm } => {
            format!(
                "the electrodes have {kohm:.1} kOhm at the start, limits.start_kohm is {limit_kohm}: mend their contact"
            )
        }
        Halt::Fault => "a fault is latched".to_owned(),
        Halt::Frozen => "the loop does not go round any more".to_owned(),
        Halt::DailyLimit(_) => "the day's limit of stimulation is reached".to_owned(),
        Halt::Ledger => "the ledger of the day's dose does not confirm what was given".to_owned(),
        Halt::Stalled(thread) => format!("{thread} has stalled"),
    }
}

/// A state of host or device as the operator reads it.
#[must_use]
pub fn state_label(state: State) -> &'static str {
    match state {
        State::Disarmed => "disarmed",
        State::Armed => "armed",
        State::RampUp => "ramp up",
        State::Stimulating => "stimulating",
        State::RampDown => "ramp down",
        State::Fault => "FAULT",
    }
}

/// Whether a phase is a block, or its end.
#[must_use]
pub fn is_block(phase: Phase) -> bool {
    matches!(phase, Phase::Block(_) | Phase::Ending(_))
}

/// The block that a phase belongs to.
#[must_use]
pub fn block_of(phase: Phase) -> Option<u32> {
    match phase {
        Phase::Block(n) | Phase::Ending(n) | Phase::Gap(n) => Some(n),
        Phase::Baseline | Phase::Part(_) | Phase::Waiting | Phase::Done => None,
    }
}

fn finite(x: f64) -> Option<f64> {
    x.is_finite().then_some(x)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::acquisition::state::StreamState;

    #[test]
    fn every_event_is_json_with_its_kind() {
        let notes = [
            Note::Stream(StreamState::Lost),
            Note::Phase(Phase::Done, f64::INFINITY),
            Note::Host { state: State::RampUp, decision_id: 3, sample: 0, exponent: 1.8, rms_ma: 0.16 },
            Note::Halted(Halt::Stale(0.7)),
            Note::HostFault("dc", f64::NAN),
        ];
        for note in notes {
            let text = json(&Stamped { at_s: 1.0, note }).unwrap_or_default();
            let value: Value = serde_json::from_str(&text).unwrap_or_default();
            assert!(value["event"].is_string(), "{text}");
        }
    }
}
