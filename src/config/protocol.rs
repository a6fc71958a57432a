//! `[protocol]`: a session of phases in order, as a study's protocol has it. Without it `[stimulation]` alone says the
//! course: equal blocks with gaps between.

use serde::Serialize;

use super::Config;
use super::section::{Section, within};
use crate::controller::{Safe, gated::GateSettings};
use crate::noise::Profile;
use crate::session::check::{self, ProtocolFault};
use crate::session::protocol::{
    Begin, Broken, Condition, Finish, Given, Kind, LawPlan, Needs, Overrun, PhasePlan, Protocol,
};

/// A rule for a marker of the task's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MarkerRule {
    /// What phases call it.
    pub name: String,
    /// What the marker says: the whole text, an integer in digits, or the value of `field` in a JSON marker.
    pub matches: String,
    /// The field of a JSON marker that is compared.
    pub field: String,
    /// Of the task's stream; a marker from elsewhere moves nothing.
    pub source_id: String,
    /// The machine it comes from; empty: any.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub host: String,
}

/// A condition, as written.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ConditionConfig {
    /// As in the allocation.
    pub name: String,
    /// Which noise.
    pub profile: Profile,
    /// χ, or where the law starts.
    pub exponent: f64,
    /// In mA.
    pub peak_ma: f64,
    /// `fixed`, `individual`, `adaptive`, `gated`, `yoked`.
    pub law: &'static str,
    /// For `individual`: added to the resting exponent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub difference: Option<f64>,
    /// For `adaptive`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_exponent: Option<f64>,
    /// For `gated`: current only beyond it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub threshold: Option<f64>,
    /// For `gated`: `above` or `below`.
    pub side: &'static str,
    /// For `gated`.
    pub hysteresis: f64,
    /// For `gated`.
    pub dwell_s: f64,
    /// For `gated`.
    pub refractory_s: f64,
    /// For `gated`.
    pub share: f64,
}

/// A phase, or a group of phases that is repeated.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PhaseConfig {
    /// So many times.
    pub repeat: u32,
    /// What it is for; absent for a group.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<&'static str>,
    /// Its length or deadline; absent: a key ends it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration_s: Option<f64>,
    /// `now`, `key`, or a marker rule.
    pub begins: String,
    /// Waits so long for that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wait_s: Option<f64>,
    /// Where it does not come: `go_on`, `break`, `end`.
    pub late_begin: &'static str,
    /// `time`, `key`, or a marker rule.
    pub ends: String,
    /// Where it does not come.
    pub late_end: &'static str,
    /// `none`, `allocated`, or a condition.
    pub condition: String,
    /// From the current to the task.
    pub lead_s: f64,
    /// Needs the electrodes written down.
    pub needs_impedance: bool,
    /// Needs a stream that was live for so long.
    pub needs_stream_s: f64,
    /// Needs a healthy recording.
    pub needs_recording: bool,
    /// The group.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub phases: Vec<PhaseConfig>,
}

/// The section.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ProtocolConfig {
    /// The study, as in its allocation.
    pub study: String,
    /// Which of its sessions.
    pub session: String,
    /// The study's allocation, beside this file or by its whole path.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allocation: Option<String>,
    /// Its commitment, as `tras allocate` printed it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commitment: Option<String>,
    /// Each condition has as many blocks as any other.
    pub balanced: bool,
    /// A running block goes on without a healthy recording for so long.
    pub patience_s: f64,
    /// On resuming: `skip` or `repeat` a broken block.
    pub broken: &'static str,
    /// Least time between two currents.
    pub gap_s: f64,
    /// Where a law has nothing to go by: `hold`, `start`, `off`.
    pub safe: &'static str,
    /// After so many s.
    pub safe_after_s: f64,
    /// The participant's resting exponent, of an earlier session.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resting_exponent: Option<f64>,
    /// What a block may have.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<ConditionConfig>,
    /// Markers that phases wait for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub markers: Vec<MarkerRule>,
    /// In order.
    pub phases: Vec<PhaseConfig>,
}

const LAWS: [(&str, &str); 5] = [
    ("fixed", "fixed"),
    ("individual", "individual"),
    ("adaptive", "adaptive"),
    ("gated", "gated"),
    ("yoked", "yoked"),
];
const OVERRUNS: [(&str, &str); 3] = [("go_on", "go_on"), ("break", "break"), ("end", "end")];

impl ProtocolConfig {
    /// `None` where the file has no such section.
    pub(super) fn read(s: &mut Section<'_, '_, '_>) -> Option<Self> {
        if s.is_empty() {
            return None;
        }
        let protocol = Self {
            study: s.text("study").unwrap_or_else(|| "study".to_owned()),
            session: s.text("session").unwrap_or_else(|| "1".to_owned()),
            allocation: s.text("allocation"),
            commitment: s.text("commitment"),
            balanced: s.flag("balanced", true),
            patience_s: s.number("patience_s", 10.0, within(0.0, 600.0, "s")),
            broken: s.choice("broken", "skip", &[("skip", "skip"), ("repeat", "repeat")]),
            gap_s: s.number("gap_s", 30.0, within(30.0, 3_600.0, "s").because("hard limit between currents")),
            safe: s.choice("safe", "hold", &[("hold", "hold"), ("start", "start"), ("off", "off")]),
            safe_after_s: s.number("safe_after_s", 60.0, within(1.0, 3_600.0, "s")),
            resting_exponent: s.number_opt("resting_exponent", within(0.0, 4.0, "")),
            conditions: s.tables("conditions", "[{ name = \"steep\", profile = \"steep\" }]", condition),
            markers: s.tables("markers", "[{ name = \"done\", matches = \"block_end\" }]", marker),
            phases: s.tables("phases", "[{ kind = \"baseline\", duration_s = 120 }]", phase),
        };
        if protocol.phases.is_empty() {
            s.problem("phases", "are missing", "list what the session consists of, in order");
        }
        s.done();
        Some(protocol)
    }

    /// The core's protocol; repetitions unrolled, names resolved.
    ///
    /// # Errors
    /// A name that nothing defines, by place.
    pub fn build(&self, config: &Config) -> Result<Protocol, Vec<ProtocolFault>> {
        let mut faults = Vec::new();
        let mut protocol = Protocol {
            study: self.study.clone(),
            session: self.session.clone(),
            phases: Vec::new(),
            conditions: self.conditions.iter().map(|c| c.build(self, config)).collect(),
            balanced: self.balanced,
            markers: self.markers.iter().map(|rule| rule.name.clone()).collect(),
            patience_s: self.patience_s,
            broken: if self.broken == "repeat" { Broken::Repeat } else { Broken::Skip },
            gap_s: self.gap_s,
            ramp_up_s: config.stimulation.ramp_up_s,
            ramp_down_s: config.stimulation.ramp_down_s,
        };
        let mut blocks = 0;
        self.unroll(&self.phases, &mut protocol, &mut blocks, &mut faults);
        if faults.is_empty() { Ok(protocol) } else { Err(faults) }
    }

    fn unroll(
        &self,
        phases: &[PhaseConfig],
        into: &mut Protocol,
        blocks: &mut u32,
        faults: &mut Vec<ProtocolFault>,
    ) {
        for phase in phases {
            for _ in 0..phase.repeat {
                // Far above any session; the check tells of it.
                if into.phases.len() > 2_000 {
                    return;
                }
                match phase.kind.and_then(|name| Kind::ALL.into_iter().find(|kind| kind.name() == name)) {
                    Some(kind) => {
                        let place = format!("phase {} ({})", into.phases.len() + 1, kind.name());
                        match self.plan(phase, kind, blocks) {
                            Ok(plan) => into.phases.push(plan),
                            Err((what, todo)) => faults.push(ProtocolFault { place, what, todo }),
                        }
                    }
                    None => self.unroll(&phase.phases, into, blocks, faults),
                }
            }
        }
    }

    fn plan(&self, phase: &PhaseConfig, kind: Kind, blocks: &mut u32) -> Result<PhasePlan, (String, String)> {
        let rule = |name: &str| {
            let known = self.markers.iter().position(|rule| rule.name == name);
            known.ok_or_else(|| {
                (
                    format!("waits for \"{name}\", which is no marker"),
                    "define it in protocol.markers".to_owned(),
                )
            })
        };
        let begin = match phase.begins.as_str() {
            "now" => Begin::AtOnce,
            "key" => Begin::Key,
            name => Begin::Marker(rule(name)?),
        };
        let finish = match phase.ends.as_str() {
            "time" if phase.duration_s.is_none() && kind != Kind::End => Finish::Key,
            "time" => Finish::Time,
            "key" => Finish::Key,
            name => Finish::Marker(rule(name)?),
        };
        let given = match phase.condition.as_str() {
            "none" => Given::Nothing,
            "allocated" => Given::Allocated,
            name => {
                Given::Condition(self.conditions.iter().position(|c| c.name == name).ok_or_else(|| {
                    (
                        format!("has condition \"{name}\", which is not defined"),
                        "define it in protocol.conditions".to_owned(),
                    )
                })?)
            }
        };
        let block = (kind == Kind::Task).then(|| {
            *blocks += 1;
            *blocks
        });
        let current = given != Given::Nothing;
        Ok(PhasePlan {
            kind,
            block,
            begin,
            wait_s: phase.wait_s.unwrap_or(f64::INFINITY),
            late_begin: overrun(phase.late_begin),
            finish,
            duration_s: phase.duration_s.unwrap_or(if kind == Kind::End { 0.0 } else { f64::INFINITY }),
            late_finish: overrun(phase.late_end),
            given,
            lead_s: phase.lead_s,
            needs: Needs {
                impedance: phase.needs_impedance || current,
                stream_s: if current { phase.needs_stream_s.max(10.0) } else { phase.needs_stream_s },
                recording: phase.needs_recording,
                dose: current,
            },
        })
    }

    /// What a law does where it has nothing to go by.
    #[must_use]
    pub fn safe(&self) -> Safe {
        match self.safe {
            "start" => Safe::Start,
            "off" => Safe::Off,
            _ => Safe::Hold,
        }
    }

    /// All that is wrong with the protocol, against the configuration's limits.
    pub(super) fn faults(&self, config: &Config) -> Vec<ProtocolFault> {
        let protocol = match self.build(config) {
            Ok(protocol) => protocol,
            Err(faults) => return faults,
        };
        let mut found = check::check(&protocol, &config.host_limits());
        let allocated = protocol.phases.iter().any(|phase| phase.given == Given::Allocated);
        let mut say = |place: &str, what: &str, todo: &str| {
            let (place, what, todo) = (place.to_owned(), what.to_owned(), todo.to_owned());
            found.push(ProtocolFault { place, what, todo });
        };
        if allocated && self.allocation.is_none() {
            say(
                "protocol.allocation",
                "is missing, and blocks take their condition from it",
                "make one: tras allocate",
            );
        }
        let given = protocol.phases.iter().filter(|phase| phase.given == Given::Allocated).count();
        let conditions = protocol.conditions.len();
        if protocol.balanced && conditions > 0 && !given.is_multiple_of(conditions) {
            say(
                "protocol.balanced",
                &format!(
                    "is true, and {given} allocated blocks cannot be shared evenly by {conditions} conditions"
                ),
                "plan a multiple, or set it to false",
            );
        }
        if let Some(task) = config.task.as_ref().filter(|task| task.blocks != protocol.blocks() as usize) {
            say(
                "task.blocks",
                &format!("is {}, and the protocol has {} task blocks", task.blocks, protocol.blocks()),
                "make them as many",
            );
        }
        if protocol.stimulates() && !config.stimulation.enabled {
            say("stimulation.enabled", "is false, and the protocol has current", "set it to true");
        }
        for condition in &self.conditions {
            let place = format!("condition \"{}\"", condition.name);
            let missing = match condition.law {
                "individual" if condition.difference.is_none() => "difference",
                "adaptive" if condition.target_exponent.is_none() => "target_exponent",
                "gated" if condition.threshold.is_none() => "threshold",
                _ => continue,
            };
            say(&place, &format!("law {} needs {missing}", condition.law), &format!("give {missing}"));
        }
        found
    }
}

impl ConditionConfig {
    fn build(&self, protocol: &ProtocolConfig, config: &Config) -> Condition {
        let _ = protocol;
        let law = match self.law {
            "individual" => LawPlan::Individual { difference: self.difference.unwrap_or(0.0) },
            "adaptive" => LawPlan::Adaptive { target: self.target_exponent.unwrap_or(self.exponent) },
            "gated" => LawPlan::Gated(GateSettings {
                threshold: self.threshold.unwrap_or(0.0),
                above: self.side == "above",
                hysteresis: self.hysteresis,
                dwell_s: self.dwell_s,
                refractory_s: self.refractory_s,
                share: self.share,
                block_s: config.protocol.as_ref().map_or(300.0, ProtocolConfig::longest_block_s),
            }),
            "yoked" => LawPlan::Yoked,
            _ => LawPlan::Fixed,
        };
        Condition {
            name: self.name.clone(),
            profile: self.profile,
            exponent: self.exponent,
            peak_ma: self.peak_ma,
            law,
        }
    }
}

impl ProtocolConfig {
    fn longest_block_s(&self) -> f64 {
        fn longest(phases: &[PhaseConfig]) -> f64 {
            let of = |phase: &PhaseConfig| {
                let own =
                    if phase.kind == Some(Kind::Task.name()) { phase.duration_s.unwrap_or(0.0) } else { 0.0 };
                own.max(longest(&phase.phases))
            };
            phases.iter().map(of).fold(0.0, f64::max)
        }
        longest(&self.phases)
    }
}

fn overrun(name: &str) -> Overrun {
    match name {
        "go_on" => Overrun::GoOn,
        "break" => Overrun::Break,
        _ => Overrun::End,
    }
}

fn condition(s: &mut Section<'_, '_, '_>) -> ConditionConfig {
    let profiles = [("steep", Profile::Steep), ("flat", Profile::Flat), ("sham", Profile::Sham)];
    let profile = s.choice("profile", Profile::Steep, &profiles);
    ConditionConfig {
        name: s.text("name").unwrap_or_default(),
        profile,
        exponent: s.number(
            "exponent",
            profile.default_exponent(),
            within(0.0, 3.0, "").because("hard limit of the noise"),
        ),
        peak_ma: s.number("peak_ma", 0.5, within(0.0, 1.0, "mA").because("hard limit of the host")),
        law: s.choice("law", "fixed", &LAWS),
        difference: s.number_opt("difference", within(-3.0, 3.0, "")),
        target_exponent: s.number_opt("target_exponent", within(0.0, 4.0, "")),
        threshold: s.number_opt("threshold", within(0.0, 4.0, "")),
        side: s.choice("side", "above", &[("above", "above"), ("below", "below")]),
        hysteresis: s.number("hysteresis", 0.1, within(0.0, 2.0, "")),
        dwell_s: s.number("dwell_s", 60.0, within(20.0, 600.0, "s")),
        refractory_s: s.number("refractory_s", 30.0, within(30.0, 600.0, "s")),
        share: s.number("share", 0.5, within(0.01, 1.0, "")),
    }
}

fn marker(s: &mut Section<'_, '_, '_>) -> MarkerRule {
    let rule = MarkerRule {
        name: s.text("name").unwrap_or_default(),
        matches: s.text("matches").unwrap_or_default(),
        field: s.text("field").unwrap_or_else(|| "event".to_owned()),
        source_id: s.text("source_id").unwrap_or_default(),
        host: s.text("host").unwrap_or_default(),
    };
    if ["", "now", "key", "time"].contains(&rule.name.as_str()) || rule.matches.is_empty() {
        s.problem("name", "a rule needs a name of its own and what it matches", "give name and matches");
    }
    if rule.source_id.is_empty() {
        s.problem("source_id", "is missing: any program could send this marker", "pin the task's stream");
    }
    rule
}

fn phase(s: &mut Section<'_, '_, '_>) -> PhaseConfig {
    let kinds: Vec<(&str, &'static str)> = Kind::ALL.iter().map(|kind| (kind.name(), kind.name())).collect();
    let kind = s.choice_opt("kind", &kinds);
    let phases = s.tables("phases", "[{ kind = \"task\", duration_s = 300 }]", phase);
    if kind.is_some() != phases.is_empty() {
        s.problem("kind", "a phase has a kind, a group has phases", "give one of the two");
    }
    PhaseConfig {
        repeat: s.count("repeat", 1, 1, 200),
        kind,
        duration_s: s.number_opt("duration_s", within(0.1, 14_400.0, "s")),
        begins: s.text("begins").unwrap_or_else(|| "now".to_owned()),
        wait_s: s.number_opt("wait_s", within(0.1, 14_400.0, "s")),
        late_begin: s.choice("late_begin", "end", &OVERRUNS),
        ends: s.text("ends").unwrap_or_else(|| "time".to_owned()),
        late_end: s.choice("late_end", "go_on", &OVERRUNS),
        condition: s.text("condition").unwrap_or_else(|| "none".to_owned()),
        lead_s: s.number("lead_s", 0.0, within(0.0, 120.0, "s")),
        needs_impedance: s.flag("needs_impedance", false),
        needs_stream_s: s.number("needs_stream_s", 0.0, within(0.0, 600.0, "s")),
        needs_recording: s.flag("needs_recording", true),
        phases,
    }
}
