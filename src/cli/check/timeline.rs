//! A protocol as a person checks it: every phase with its times, each block's largest dose, the session's against every
//! limit; in words, and as a picture.
//!
//! Times are those of a session in which nothing is late; a phase that a key ends counts nothing.

use std::fmt::Write as _;

use crate::config::Config;
use crate::session::protocol::{Begin, Condition, Finish, Kind, LawPlan, PhasePlan, Protocol};
use crate::session::reckoned::{Dose, largest_after, largest_of_block, of_block};

/// Minutes and seconds.
fn clock(seconds: f64) -> String {
    let whole = seconds.max(0.0).round();
    format!("{:.0}:{:02.0}", (whole / 60.0).floor(), whole % 60.0)
}

/// A phase that lasts as long as a key says takes no time of the plan's.
fn planned_s(phase: &PhasePlan) -> f64 {
    if phase.duration_s.is_finite() && phase.finish != Finish::Key { phase.duration_s } else { 0.0 }
}

fn name(phase: &PhasePlan) -> String {
    phase.block.map_or_else(|| phase.kind.name().to_owned(), |block| format!("block {block}"))
}

/// What begins and ends a phase, where it is not the clock.
fn cues(protocol: &Protocol, phase: &PhasePlan) -> String {
    let rule = |place: usize| protocol.markers.get(place).cloned().unwrap_or_default();
    let begin = match phase.begin {
        Begin::AtOnce => None,
        Begin::Key => Some("begins by a key".to_owned()),
        Begin::Marker(place) => Some(format!("begins with marker {:?}", rule(place))),
    };
    let within = |until: &str| match phase.duration_s.is_finite() {
        true => format!("ends by {until}, within {}", clock(phase.duration_s)),
        false => format!("ends by {until}"),
    };
    let end = match phase.finish {
        Finish::Time => None,
        Finish::Key => Some(within("a key")),
        Finish::Marker(place) => Some(within(&format!("marker {:?}", rule(place)))),
    };
    begin.into_iter().chain(end).collect::<Vec<_>>().join(", ")
}

fn law(condition: &Condition) -> String {
    match condition.law {
        LawPlan::Fixed => "fixed".to_owned(),
        LawPlan::Individual { difference } => format!("the resting exponent {difference:+}"),
        LawPlan::Adaptive { target } => format!("adaptive, towards {target}"),
        LawPlan::Gated(gate) => format!(
            "gated, {} {}, {} s at a time, at most {:.0} % of a block",
            if gate.above { "above" } else { "below" },
            gate.threshold,
            gate.dwell_s,
            gate.share * 100.0
        ),
        LawPlan::Yoked => "yoked to another session".to_owned(),
    }
}

/// One line of a limit: what is reckoned, the limit, and its share.
fn against(text: &mut String, what: &str, value: f64, limit: f64, unit: &str) {
    let share = if limit > 0.0 { 100.0 * value / limit } else { f64::NAN };
    let _ = writeln!(text, "#   {what:<34} {value:9.3} of {limit:9.3} {unit:<7} {share:4.0} %");
}

/// The plan of a protocol, as comments below its configuration.
pub(super) fn lines(config: &Config, protocol: &Protocol) -> String {
    let mut text = String::new();
    let limits = config.host_limits();
    let _ = writeln!(
        text,
        "# session {} of study {}: {} phases, {} blocks, {} min where nothing is late",
        protocol.session,
        protocol.study,
        protocol.phases.len(),
        protocol.blocks(),
        clock(protocol.phases.iter().map(planned_s).sum())
    );
    if !protocol.conditions.is_empty() {
        let _ =
            writeln!(text, "#\n# condition    profile  exponent  peak     with current, charge of a block");
    }
    let longest = protocol.phases.iter().filter(|phase| phase.has_current());
    let longest = longest.max_by(|a, b| a.duration_s.total_cmp(&b.duration_s));
    for condition in &protocol.conditions {
        let dose = longest.map(|phase| of_block(protocol, phase, condition)).unwrap_or_default();
        let _ = writeln!(
            text,
            "# {:<12} {:<8} {:<9} {:.3} mA {:5.1} min, {:.3} C; {}",
            condition.name,
            condition.profile.name(),
            condition.exponent,
            condition.peak_ma,
            dose.active_s / 60.0,
            dose.charge_mc * 1e-3,
            law(condition)
        );
    }
    let _ = writeln!(text, "#\n# from    to      phase               current at most");
    let mut at_s = 0.0;
    for phase in &protocol.phases {
        let end_s = at_s + planned_s(phase);
        let dose = largest_of_block(protocol, phase);
        let current = if phase.has_current() {
            format!(
                "{:.1} min, {:.3} C, from {} s before the task",
                dose.active_s / 60.0,
                dose.charge_mc * 1e-3,
                phase.lead_s
            )
        } else {
            String::new()
        };
        let told = [current, cues(protocol, phase)].into_iter().filter(|t| !t.is_empty());
        let line = format!(
            "# {:<7} {:<7} {:<19} {}",
            clock(at_s),
            clock(end_s),
            name(phase),
            told.collect::<Vec<_>>().join("; ")
        );
        let _ = writeln!(text, "{}", line.trim_end());
        at_s = end_s;
    }
    if protocol.stimulates() {
        let whole = largest_after(protocol, protocol.blocks());
        let block = protocol
            .phases
            .iter()
            .map(|phase| largest_of_block(protocol, phase))
            .max_by(|a, b| a.charge_mc.total_cmp(&b.charge_mc))
            .unwrap_or_default();
        let peak_ma = protocol.conditions.iter().map(|c| c.peak_ma).fold(0.0, f64::max);
        let _ = writeln!(text, "#\n# the most that any allocation can give, against the limits");
        against(&mut text, "peak", peak_ma, limits.peak_ma, "mA");
        against(&mut text, "a block's charge", block.charge_mc * 1e-3, limits.total_charge_mc * 1e-3, "C");
        against(
            &mut text,
            "the session's charge",
            whole.charge_mc * 1e-3,
            limits.total_charge_mc * 1e-3,
            "C",
        );
        against(
            &mut text,
            "the session's time with current",
            whole.active_s / 60.0,
            limits.active_s / 60.0,
            "min",
        );
        against(
            &mut text,
            "the device's time in bursts",
            Dose::burst_s(protocol, protocol.blocks()) / 60.0,
            limits.active_s / 60.0,
            "min",
        );
        against(&mut text, "the participant's day", whole.active_s / 60.0, config.limits.daily_min, "min");
        let least = gaps(protocol).fold(f64::INFINITY, f64::min);
        if least.is_finite() {
            let _ = writeln!(
                text,
                "#   {:<34} {least:9.1} s, gap_s asks for {} s",
                "the shortest time between currents", protocol.gap_s
            );
        }
    }
    text
}

/// Planned seconds between one current and the next.
fn gaps(protocol: &Protocol) -> impl Iterator<Item = f64> {
    let (mut at_s, mut ended_s, mut found) = (0.0, None, Vec::new());
    for phase in &protocol.phases {
        if phase.has_current() {
            found.extend(ended_s.map(|ended_s: f64| at_s - ended_s));
            ended_s = Some(at_s + planned_s(phase));
        }
        at_s += planned_s(phase);
    }
    found.into_iter()
}

fn colour(phase: &PhasePlan) -> &'static str {
    match phase.kind {
        Kind::Task if phase.has_current() => "#d9822b",
        Kind::Task => "#4a7fb5",
        Kind::RestOpen | Kind::RestClosed | Kind::Baseline => "#8fb996",
        Kind::Questionnaire => "#b9a3d0",
        Kind::Impedance | Kind::Break | Kind::End => "#bbbbbb",
    }
}

/// The timeline and the dose that adds up along it. A phase that a key ends is as wide as half a minute.
pub(super) fn svg(config: &Config, protocol: &Protocol) -> String {
    const KEY_S: f64 = 30.0;
    let (width, left, top) = (960.0, 60.0, 56.0);
    let shown_s = |phase: &PhasePlan| if planned_s(phase) > 0.0 { planned_s(phase) } else { KEY_S };
    let total_s: f64 = protocol.phases.iter().map(shown_s).sum::<f64>().max(1.0);
    let scale = (width - left - 20.0) / total_s;
    let limits = config.host_limits();
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"330\" font-family=\"sans-serif\" \
         font-size=\"11\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n\
         <text x=\"{left}\" y=\"20\" font-size=\"14\">{}, session {}: {} min, {} blocks</text>\n",
        escaped(&protocol.study),
        escaped(&protocol.session),
        clock(protocol.phases.iter().map(planned_s).sum()),
        protocol.blocks()
    );
    let mut at_s = 0.0;
    let (mut blocks, mut line) = (0, format!("M {left} 290"));
    for phase in &protocol.phases {
        let (x, w) = (left + at_s * scale, shown_s(phase) * scale);
        let _ = writeln!(
            text,
            "<rect x=\"{x:.1}\" y=\"{top}\" width=\"{:.1}\" height=\"50\" fill=\"{}\" stroke=\"white\"><title>{}: {}</title></rect>",
            w.max(0.5),
            colour(phase),
            escaped(&name(phase)),
            clock(planned_s(phase))
        );
        if let Some(block) = phase.block {
            let _ = writeln!(
                text,
                "<text x=\"{:.1}\" y=\"{}\" text-anchor=\"middle\" fill=\"white\">{block}</text>",
                x + w / 2.0,
                top + 30.0
            );
            let lead = phase.lead_s * scale;
            if lead > 0.5 {
                let _ = writeln!(
                    text,
                    "<rect x=\"{x:.1}\" y=\"{}\" width=\"{lead:.1}\" height=\"6\" fill=\"#a03c0c\"/>",
                    top + 50.0
                );
            }
            blocks = block;
        }
        let height = |blocks: u32| {
            let share = largest_after(protocol, blocks).charge_mc / limits.total_charge_mc;
            290.0 - 140.0 * share.min(1.0)
        };
        if phase.has_current() {
            let _ = write!(
                line,
                " L {x:.1} {:.1} L {:.1} {:.1}",
                height(blocks.saturating_sub(1)),
                x + w,
                height(blocks)
            );
        } else {
            let _ = write!(line, " L {:.1} {:.1}", x + w, height(blocks));
        }
        at_s += shown_s(phase);
    }
    let key = [
        ("#8fb996", "rest"),
        ("#4a7fb5", "task"),
        ("#d9822b", "task with current, steep, flat or sham alike"),
        ("#b9a3d0", "questionnaire"),
        ("#bbbbbb", "other"),
    ];
    let mut x = left;
    for (fill, what) in key {
        let _ = writeln!(
            text,
            "<rect x=\"{x}\" y=\"32\" width=\"10\" height=\"10\" fill=\"{fill}\"/><text x=\"{}\" y=\"41\">{what}</text>",
            x + 14.0
        );
        x += 34.0 + 6.0 * what.len() as f64;
    }
    if protocol.stimulates() {
        let whole = largest_after(protocol, protocol.blocks());
        let _ = writeln!(
            text,
            "<line x1=\"{left}\" y1=\"150\" x2=\"{}\" y2=\"150\" stroke=\"#a03c0c\" stroke-dasharray=\"4 3\"/>\n\
             <text x=\"{left}\" y=\"145\" fill=\"#a03c0c\">limits.total_charge_c {:.2} C</text>\n\
             <path d=\"{line}\" fill=\"none\" stroke=\"#333333\" stroke-width=\"1.5\"/>\n\
             <text x=\"{}\" y=\"200\" text-anchor=\"end\">at most {:.2} C, {:.1} min with current</text>",
            width - 20.0,
            limits.total_charge_mc * 1e-3,
            width - 20.0,
            whole.charge_mc * 1e-3,
            whole.active_s / 60.0
        );
    }
    let step_s = if total_s > 5_400.0 { 1_200.0 } else { 600.0 };
    let mut tick_s = 0.0;
    while tick_s <= total_s {
        let x = left + tick_s * scale;
        let _ = writeln!(
            text,
            "<line x1=\"{x:.1}\" y1=\"290\" x2=\"{x:.1}\" y2=\"295\" stroke=\"black\"/>\
             <text x=\"{x:.1}\" y=\"308\" text-anchor=\"middle\">{:.0}</text>",
            tick_s / 60.0
        );
        tick_s += step_s;
    }
    let _ = writeln!(
        text,
        "<line x1=\"{left}\" y1=\"290\" x2=\"{}\" y2=\"290\" stroke=\"black\"/>\n\
         <text x=\"{}\" y=\"324\" text-anchor=\"middle\">minutes; what a key ends counts half a minute here</text>\n</svg>",
        width - 20.0,
        width / 2.0
    );
    text
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn session_2() -> (Config, Protocol) {
        let text = include_str!("../../../configs/wm-session-2.toml");
        let config = Config::from_str(text, "wm-session-2.toml").unwrap();
        let protocol = config.protocol.clone().unwrap().build(&config).unwrap();
        (config, protocol)
    }

    #[test]
    fn the_timeline_adds_up_and_names_every_limit() {
        let (config, protocol) = session_2();
        let text = lines(&config, &protocol);
        // 4 min of rest, and twelve times a block and a rest; questionnaires end by a key.
        let total_s = 240.0 + 12.0 * (299.0 + 60.0);
        assert!(text.contains(&format!("{} min where nothing is late", clock(total_s))), "{text}");
        assert_eq!(text.lines().filter(|line| line.contains(" block ")).count(), 12, "{text}");
        // Eight blocks with current throughout, four of sham's half minute.
        assert!(text.contains("the session's time with current       41.867 of    60.000 min"), "{text}");
        for limit in ["peak", "charge", "bursts", "day", "between currents"] {
            assert!(text.contains(limit), "{limit}: {text}");
        }
        assert!(!text.contains("block_s"), "{text}");
    }

    #[test]
    fn the_picture_has_every_phase_and_is_well_formed() {
        let (config, protocol) = session_2();
        let text = svg(&config, &protocol);
        assert_eq!(text.matches("<title>").count(), protocol.phases.len());
        assert_eq!(text.matches("<text").count(), text.matches("</text>").count());
        assert!(text.ends_with("</svg>\n") && !text.contains("NaN"), "{text}");
    }
}
