//! Whether a scene kept its bounds.

use super::{
    keep,
    stage::{During, Outcome, Row, Scenario},
};

/// Slack between the session's length and its recording's, in s: it opens its stream, and a killed one has not
/// written its last second.
const SLACK_S: f64 = 4.0;

impl<I> Scenario<I> {
    /// What broke; `had_s` is how long the session had run when the fault struck.
    pub(super) fn judge(&self, row: &Row, had_s: f64) -> Vec<String> {
        let after = row.after;
        let mut broken = Vec::new();
        if after.largest_ma > self.largest_ma {
            broken.push(format!("{:.4} mA, {:.4} allowed", after.largest_ma, self.largest_ma));
        }
        if after.restarted {
            broken.push("current flowed again by itself".to_owned());
        }
        match (self.outcome, after.zero_ms) {
            (Outcome::Zero(_) | Outcome::Plays, None) => broken.push("it never came to zero".to_owned()),
            (Outcome::Zero(bound_ms), Some(ms)) if ms > bound_ms => {
                broken.push(format!("zero after {ms:.0} ms, {bound_ms:.0} allowed"));
            }
            (Outcome::GoesOn, Some(_)) => broken.push("it should have gone on".to_owned()),
            (Outcome::Never, _) if row.trace.flowed() => broken.push("current flowed".to_owned()),
            _ => {}
        }
        let began = self.during == During::Start || row.trace.current_ma.get(..row.fault).is_some_and(some);
        if !began {
            broken.push("no current flowed before the fault: nothing was tested".to_owned());
        }
        if !row.code.is_some_and(|code| self.codes.contains(&code)) {
            broken.push(format!("exit code {:?}, expected {:?}", row.code, self.codes));
        }
        if self.outcome != Outcome::Never {
            match &row.kept {
                Some(Ok(seconds)) if *seconds >= had_s - SLACK_S => {}
                Some(Ok(seconds)) => broken.push(format!("of {had_s:.1} s only {seconds:.1} s of EEG kept")),
                Some(Err(what)) => broken.push(what.clone()),
                None => broken.push("no recording".to_owned()),
            }
        }
        broken
    }
}

/// The current must be seen on the EEG that was recorded.
pub(super) fn feel(row: &mut Row) {
    match row.recording.as_deref().map(keep::artefact) {
        Some(Ok((quiet_uv, loud_uv))) if loud_uv > 5.0 * quiet_uv => {
            row.first_word =
                Some((0.0, format!("artefact on the EEG: {quiet_uv:.0} -> {loud_uv:.0} uV RMS")));
        }
        Some(Ok((quiet_uv, loud_uv))) => {
            row.broken.push(format!("no artefact on the EEG: {quiet_uv:.1} -> {loud_uv:.1} uV RMS"));
        }
        Some(Err(what)) => row.broken.push(what),
        None => {}
    }
}

fn some(current_ma: &[f32]) -> bool {
    current_ma.iter().any(|ma| ma.abs() > 0.01)
}

#[cfg(test)]
mod tests {
    use super::super::{stage::Needs, trace::Trace};
    use super::*;

    fn scenario(outcome: Outcome) -> Scenario<()> {
        Scenario {
            name: "x",
            during: During::Block,
            outcome,
            largest_ma: 0.5,
            codes: &[4],
            patient: false,
            emulator: false,
            needs: Needs::Nothing,
            before: |(), _| Ok(()),
            happen: |_| Ok(()),
        }
    }

    /// 1 s of current, the fault, and then these.
    fn row(after: &[(f32, usize)], code: i32) -> Row {
        let parts = std::iter::once((0.3, 1_000)).chain(after.iter().copied());
        let current_ma = parts.flat_map(|(ma, n)| std::iter::repeat_n(ma, n)).collect();
        let trace = Trace { rate_hz: 1_000.0, current_ma };
        Row {
            name: "x",
            after: trace.after(1_000),
            trace,
            fault: 1_000,
            first_word: None,
            faults: Vec::new(),
            code: Some(code),
            recording: None,
            kept: Some(Ok(10.0)),
            clock: None,
            broken: Vec::new(),
        }
    }

    #[test]
    fn every_bound_can_be_broken() {
        let (zero, on) = (Outcome::Zero(200.0), Outcome::GoesOn);
        let good = row(&[(0.3, 150), (0.0, 1_000)], 4);
        assert_eq!(scenario(zero).judge(&good, 10.0), [""; 0]);
        let broken = |outcome, row: Row, word: &str| {
            let said = scenario(outcome).judge(&row, 10.0);
            assert!(said.len() == 1 && said.iter().all(|what| what.contains(word)), "{word}: {said:?}");
        };
        broken(zero, row(&[(0.3, 250), (0.0, 1_000)], 4), "zero after 250 ms");
        broken(zero, row(&[(0.3, 2_000)], 4), "never came to zero");
        broken(zero, row(&[(-0.6, 150), (0.0, 1_000)], 4), "0.6000 mA");
        broken(zero, row(&[(0.3, 150), (0.0, 1_000), (0.1, 1)], 4), "by itself");
        broken(zero, row(&[(0.3, 150), (0.0, 1_000)], 0), "exit code");
        broken(on, row(&[(0.3, 150), (0.0, 1_000)], 4), "gone on");
        broken(Outcome::Never, row(&[(0.0, 1_000)], 4), "current flowed");
        broken(zero, Row { kept: Some(Ok(5.0)), ..row(&[(0.0, 1_000)], 4) }, "only 5.0 s");
        broken(zero, Row { kept: None, ..row(&[(0.0, 1_000)], 4) }, "no recording");
        let idle = Row { fault: 0, ..row(&[(0.0, 1_000)], 4) };
        broken(zero, idle, "nothing was tested");
    }
}
