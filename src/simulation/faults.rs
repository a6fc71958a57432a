//! What goes wrong with amplifiers, done on purpose and at stated times.
//!
//! A fault is written `KIND[:CHANNEL]@START[+DURATION][=VALUE]`, times in seconds from the first sample:
//!
//! | kind | what happens | value |
//! |---|---|---|
//! | `dropout` | samples are not sent | |
//! | `lost` | the stream disappears and comes back | |
//! | `stall` | samples are held, then all sent at once, each with its own stamp | |
//! | `burst` | samples are sent in groups that share the last one's stamp | samples a group (10) |
//! | `jump` | stamps are off by the value | seconds (1) |
//! | `nan`, `inf` | the value is not a number, or infinite | |
//! | `flat` | a channel keeps the value that it had | |
//! | `rail` | a channel sits at the value | microvolts (100000) |
//! | `spike` | one sample is off by the value | microvolts (5000) |
//! | `repeat` | the whole last frame is sent again and again | |
//!
//! Without `+DURATION` a fault lasts one sample (`spike`, `nan`, `inf`), to the end (`jump`, `burst`), or 1 s.

use std::str::FromStr;

/// What can go wrong. See the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the table at the module's head")]
pub enum Kind {
    Dropout,
    Lost,
    Stall,
    Burst,
    Jump,
    Nan,
    Inf,
    Flat,
    Rail,
    Spike,
    Repeat,
}

const KINDS: [(&str, Kind); 11] = [
    ("dropout", Kind::Dropout),
    ("lost", Kind::Lost),
    ("stall", Kind::Stall),
    ("burst", Kind::Burst),
    ("jump", Kind::Jump),
    ("nan", Kind::Nan),
    ("inf", Kind::Inf),
    ("flat", Kind::Flat),
    ("rail", Kind::Rail),
    ("spike", Kind::Spike),
    ("repeat", Kind::Repeat),
];

/// One fault, as given.
#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    /// What goes wrong.
    pub kind: Kind,
    /// On which channel; `None`: on all.
    pub channel: Option<String>,
    /// Start in seconds from the first sample.
    pub start_s: f64,
    /// Duration in seconds; `None`: the kind's own.
    pub duration_s: Option<f64>,
    /// See the module's table.
    pub value: f64,
}

impl FromStr for Fault {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let usage = "write KIND[:CHANNEL]@START[+DURATION][=VALUE], for instance dropout@30+5";
        let (what, when) =
            text.split_once('@').ok_or_else(|| format!("fault `{text}` has no `@`: {usage}"))?;
        let (name, channel) = what.split_once(':').map_or((what, None), |(n, c)| (n, Some(c.to_owned())));
        let kind =
            KINDS.iter().find(|(known, _)| *known == name).map(|(_, kind)| *kind).ok_or_else(|| {
                let known: Vec<&str> = KINDS.iter().map(|(name, _)| *name).collect();
                format!("fault `{text}`: unknown kind `{name}`; known are {}", known.join(", "))
            })?;
        let number = |part: &str, least: f64| -> Result<f64, String> {
            let value: f64 =
                part.parse().map_err(|_| format!("fault `{text}`: `{part}` is no number; {usage}"))?;
            if (least..=1e9).contains(&value) {
                Ok(value)
            } else {
                Err(format!("fault `{text}`: {value} is out of range"))
            }
        };
        let (when, value) = when.split_once('=').map_or((when, None), |(w, v)| (w, Some(v)));
        let (start, duration) = when.split_once('+').map_or((when, None), |(s, d)| (s, Some(d)));
        let default = match kind {
            Kind::Burst => 10.0,
            Kind::Jump => 1.0,
            Kind::Rail => 1e5,
            Kind::Spike => 5000.0,
            _ => 0.0,
        };
        let least = if kind == Kind::Burst { 1.0 } else { -1e9 };
        let by_channel = matches!(kind, Kind::Nan | Kind::Inf | Kind::Flat | Kind::Rail | Kind::Spike);
        if channel.is_some() && !by_channel {
            return Err(format!("fault `{text}`: {name} concerns all channels; leave out `:CHANNEL`"));
        }
        Ok(Self {
            kind,
            channel,
            start_s: number(start, 0.0)?,
            duration_s: duration.map(|d| number(d, 0.0)).transpose()?,
            value: value.map_or(Ok(default), |v| number(v, least))?,
        })
    }
}

/// A fault with its times in samples and its channels resolved.
#[derive(Clone, Debug)]
struct Planned {
    kind: Kind,
    channel: Option<usize>,
    from: u64,
    until: u64,
    value: f64,
}

/// Applies the faults to a stream, sample by sample.
#[derive(Clone, Debug)]
pub struct Injector {
    faults: Vec<Planned>,
    /// Samples held back, with the stamps that they would have had.
    held: Vec<(f64, Vec<f32>)>,
    last: Vec<f32>,
    next: u64,
}

impl Injector {
    /// Plans `faults` for a stream of the given rate and labels.
    ///
    /// # Errors
    /// A message that names the fault whose channel the stream does not have.
    pub fn new(faults: &[Fault], rate_hz: f64, labels: &[String]) -> Result<Self, String> {
        let plan = |fault: &Fault| {
            let channel = match &fault.channel {
                None => None,
                Some(wanted) => Some(labels.iter().position(|l| l == wanted).ok_or_else(|| {
                    format!("a fault is on channel `{wanted}`; the stream has {}", labels.join(", "))
                })?),
            };
            let from = (fault.start_s * rate_hz).round() as u64;
            let length = match (fault.duration_s, fault.kind) {
                (_, Kind::Spike) | (None, Kind::Nan | Kind::Inf) => 1,
                (None, Kind::Jump | Kind::Burst) => u64::MAX,
                (seconds, _) => ((seconds.unwrap_or(1.0) * rate_hz).round() as u64).max(1),
            };
            Ok(Planned {
                kind: fault.kind,
                channel,
                from,
                until: from.saturating_add(length),
                value: fault.value,
            })
        };
        let faults = faults.iter().map(plan).collect::<Result<_, String>>()?;
        Ok(Self { faults, held: Vec::new(), last: vec![0.0; labels.len()], next: 0 })
    }

    /// Whether the stream is to be away at the next sample.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        self.active(Kind::Lost).is_some()
    }

    fn active(&self, kind: Kind) -> Option<&Planned> {
        self.faults.iter().find(|f| f.kind == kind && (f.from..f.until).contains(&self.next))
    }

    /// Takes the next sample with the stamp it should have; hands what is to be sent now to `send`.
    pub fn pass(&mut self, stamp_s: f64, frame: &mut Vec<f32>, mut send: impl FnMut(f64, &Vec<f32>)) {
        for fault in self.faults.iter().filter(|f| (f.from..f.until).contains(&self.next)) {
            let spoil = |slot: &mut f32, before: f32| match fault.kind {
                Kind::Nan => *slot = f32::NAN,
                Kind::Inf => *slot = f32::INFINITY,
                Kind::Flat | Kind::Repeat => *slot = before,
                Kind::Rail => *slot = fault.value as f32,
                Kind::Spike => *slot += fault.value as f32,
                Kind::Dropout | Kind::Lost | Kind::Stall | Kind::Burst | Kind::Jump => {}
            };
            for (i, (slot, before)) in frame.iter_mut().zip(&self.last).enumerate() {
                if fault.channel.is_none_or(|wanted| wanted == i) {
                    spoil(slot, *before);
                }
            }
        }
        let shift_s: f64 = self.active(Kind::Jump).map_or(0.0, |f| f.value);
        let missing = self.active(Kind::Dropout).is_some() || self.is_lost();
        let group = self.active(Kind::Burst).map(|f| f.value as usize);
        let stalled = self.active(Kind::Stall).is_some();
        self.last.clone_from(frame);
        self.next += 1;
        if missing {
            self.held.clear();
            return;
        }
        let stamp_s = stamp_s + shift_s;
        match group {
            Some(group) => {
                self.held.push((stamp_s, frame.clone()));
                if self.held.len() >= group && !stalled {
                    self.held.drain(..).for_each(|(_, frame)| send(stamp_s, &frame));
                }
            }
            None if stalled => self.held.push((stamp_s, frame.clone())),
            None => {
                self.held.drain(..).for_each(|(stamp_s, frame)| send(stamp_s, &frame));
                send(stamp_s, frame);
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What is sent of 100 samples at 10 Hz whose values are their indices.
    fn sent(faults: &[&str]) -> Vec<(f64, Vec<f32>)> {
        let faults: Vec<Fault> = faults.iter().map(|f| f.parse().unwrap()).collect();
        let labels = ["Fz".to_owned(), "Cz".to_owned()];
        let mut injector = Injector::new(&faults, 10.0, &labels).unwrap();
        let mut out = Vec::new();
        for k in 0..100 {
            let mut frame = vec![k as f32, -(k as f32)];
            injector.pass(f64::from(k) / 10.0, &mut frame, |stamp, frame| out.push((stamp, frame.clone())));
        }
        out
    }

    #[test]
    fn each_fault_does_what_it_says() {
        assert_eq!(sent(&[]).len(), 100);
        let dropout = sent(&["dropout@3+2"]);
        assert_eq!(dropout.len(), 80);
        assert_eq!((dropout[29].1[0], dropout[30].1[0]), (29.0, 50.0));
        let jump = sent(&["jump@5=2.5"]);
        assert!((jump[50].0 - 7.5).abs() < 1e-9 && (jump[49].0 - 4.9).abs() < 1e-9);
        let burst = sent(&["burst@0=10"]);
        assert_eq!(burst.len(), 100);
        assert!(burst[..10].iter().all(|(stamp, _)| (stamp - 0.9).abs() < 1e-9));
        assert_eq!(burst[3].1[0], 3.0);
        let stall = sent(&["stall@2+1"]);
        assert!(stall.len() == 100 && stall.iter().enumerate().all(|(k, s)| s.1[0] == k as f32));
        let flat = sent(&["flat:Cz@4+2"]);
        assert!((40..60).all(|k| flat[k].1 == [k as f32, -39.0]) && flat[60].1[1] == -60.0);
        let repeat = sent(&["repeat@4+2"]);
        assert!((40..60).all(|k| repeat[k].1 == [39.0, -39.0]));
        let spike = sent(&["spike:Fz@5=5000"]);
        assert_eq!((spike[50].1[0], spike[50].1[1], spike[51].1[0]), (5050.0, -50.0, 51.0));
        let nan = sent(&["nan@1", "rail:Fz@2+1=7"]);
        assert!(nan[10].1.iter().all(|x| x.is_nan()) && nan[11].1[0] == 11.0 && nan[25].1 == [7.0, -25.0]);
    }

    #[test]
    fn mistakes_are_named() {
        for (text, says) in [
            ("dropout", "no `@`"),
            ("drop@3", "unknown kind `drop`"),
            ("dropout@x", "`x` is no number"),
            ("dropout@-3", "out of range"),
            ("burst@1=0", "out of range"),
            ("jump:Fz@1", "leave out"),
            ("nan@1+inf", "out of range"),
        ] {
            let error = text.parse::<Fault>().unwrap_err();
            assert!(error.contains(says), "{text}: {error}");
        }
        let fault: Fault = "nan:Xx@1".parse().unwrap();
        assert!(Injector::new(&[fault], 10.0, &["Fz".to_owned()]).unwrap_err().contains("`Xx`"));
    }

    proptest! {
        #[test]
        fn parsing_never_panics(text in "\\PC{0,30}") {
            let _ = text.parse::<Fault>();
        }
    }
}
