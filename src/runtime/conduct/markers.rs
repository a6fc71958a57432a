//! Markers of the task's: which rule knows one, whether it comes from where the rule pins it to, and how many there were.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::config::protocol::MarkerRule;

/// Longer markers are none of ours: they are recorded, and move nothing.
const LONGEST: usize = 4_096;

/// Where a marker comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Source {
    /// The stream's source id.
    pub source_id: String,
    /// The machine.
    pub host: String,
}

/// Markers so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// All of them.
    pub received: u64,
    /// By a rule's name.
    pub matched: BTreeMap<String, u64>,
    /// Known by a rule, from elsewhere.
    pub elsewhere: u64,
    /// By the sender's own numbers: the last one, and those that never came or came twice.
    pub sent: BTreeMap<Source, u64>,
    /// See `sent`.
    pub missing: u64,
    /// See `sent`.
    pub twice: u64,
}

/// Compares markers with rules.
#[derive(Clone, Debug)]
pub struct Matcher {
    rules: Vec<MarkerRule>,
    counts: Counts,
}

impl Matcher {
    /// For these rules.
    #[must_use]
    pub fn new(rules: Vec<MarkerRule>) -> Self {
        Self { rules, counts: Counts::default() }
    }

    /// What was counted.
    #[must_use]
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// Takes a marker. Gives the number of its rule; `None` where no rule knows it.
    ///
    /// # Errors
    /// A rule knows it, and it comes from elsewhere, or a second time by the sender's number: it moves nothing.
    pub fn take(&mut self, source: &Source, text: &str) -> Result<Option<usize>, String> {
        self.counts.received += 1;
        if text.len() > LONGEST {
            return Ok(None);
        }
        let json: Option<Value> = serde_json::from_str(text).ok();
        let again = json
            .as_ref()
            .and_then(|json| json.get("n").or(json.get("number"))?.as_u64())
            .is_some_and(|n| self.number(source, n));
        let known = |rule: &MarkerRule| {
            let field = json.as_ref().and_then(|json| json.get(&rule.field));
            let said = field.map(|v| v.as_str().map_or_else(|| v.to_string(), str::to_owned));
            said.as_deref() == Some(&rule.matches) || text.trim() == rule.matches
        };
        let Some(place) = self.rules.iter().position(known) else { return Ok(None) };
        let Some(rule) = self.rules.get(place) else { return Ok(None) };
        let from = rule.source_id == source.source_id && (rule.host.is_empty() || rule.host == source.host);
        if !from {
            self.counts.elsewhere += 1;
            return Err(format!(
                "a marker {:?} came from {:?} on {:?}, the protocol pins it to {:?}: it moves nothing",
                rule.matches, source.source_id, source.host, rule.source_id
            ));
        }
        if again {
            return Err(format!("marker {:?} came a second time: it moves nothing", rule.matches));
        }
        *self.counts.matched.entry(rule.name.clone()).or_default() += 1;
        Ok(Some(place))
    }

    /// Whether the sender's number came before.
    fn number(&mut self, source: &Source, n: u64) -> bool {
        let last = self.counts.sent.entry(source.clone()).or_insert_with(|| n.saturating_sub(1));
        if n <= *last {
            self.counts.twice += 1;
            return true;
        }
        self.counts.missing += n - *last - 1;
        *last = n;
        false
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn matcher() -> (Matcher, Source) {
        let rule = |name: &str, matches: &str| MarkerRule {
            name: name.into(),
            matches: matches.into(),
            field: "event".into(),
            source_id: "task".into(),
            host: String::new(),
        };
        let source = Source { source_id: "task".into(), host: "lab".into() };
        (Matcher::new(vec![rule("start", "block_start"), rule("seven", "7")]), source)
    }

    #[test]
    fn text_json_and_integers_are_known() {
        let (mut m, task) = matcher();
        assert_eq!(m.take(&task, "block_start"), Ok(Some(0)));
        assert_eq!(m.take(&task, r#"{"event":"block_start","block":3}"#), Ok(Some(0)));
        assert_eq!(m.take(&task, "7"), Ok(Some(1)));
        assert_eq!(m.take(&task, r#"{"event":7}"#), Ok(Some(1)));
        for other in ["block", "{", r#"{"event":null}"#, ""] {
            assert_eq!(m.take(&task, other), Ok(None), "{other}");
        }
        assert_eq!(m.take(&task, &"x".repeat(5_000)), Ok(None));
    }

    #[test]
    fn from_elsewhere_or_twice_it_moves_nothing() {
        let (mut m, task) = matcher();
        let other = Source { source_id: "other".into(), ..task.clone() };
        assert!(m.take(&other, "block_start").is_err_and(|what| what.contains("other")));
        let numbered = |n: u64| format!(r#"{{"event":"block_start","n":{n}}}"#);
        assert_eq!(m.take(&task, &numbered(1)), Ok(Some(0)));
        assert!(m.take(&task, &numbered(1)).is_err_and(|what| what.contains("second")));
        assert_eq!(m.take(&task, &numbered(5)), Ok(Some(0)));
        let counts = m.counts();
        assert_eq!((counts.received, counts.elsewhere, counts.missing, counts.twice), (4, 1, 3, 1));
        assert_eq!((counts.sent[&task], counts.matched["start"]), (5, 2));
    }
}
