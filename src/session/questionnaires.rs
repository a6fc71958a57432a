//! What a participant is asked after each block and at the end: sensations, and which condition it was.
//!
//! In: answers as they are typed, one at a time ([`Form`], pure). Out: one JSON object a questionnaire, appended to
//! `questionnaires.jsonl` ([`append`]).

use std::collections::VecDeque;
use std::io::{self, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::hash::Hash;
use super::{folder, private};

/// The sensations that are asked for where a protocol names no others (after Fertonani et al. 2015).
pub const SENSATIONS: [&str; 6] = ["itching", "pain", "burning", "warmth", "metallic taste", "fatigue"];
/// The least and the most of a rating and of a confidence.
pub const RATING: std::ops::RangeInclusive<u8> = 1..=10;

/// A sensation: felt or not, and how strongly.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sensation {
    /// Which.
    pub item: String,
    /// Whether it was felt.
    pub felt: bool,
    /// How strongly, 1 to 10; only where it was felt.
    pub rating: Option<u8>,
}

/// A filled questionnaire.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Sheet {
    /// What was felt.
    Sensations {
        /// The items, in the order in which they were asked.
        items: Vec<Sensation>,
    },
    /// Which condition the participant takes it for.
    Guess {
        /// The condition; `None` for "don't know".
        guess: Option<String>,
        /// How sure, 1 to 10; only with a guess.
        confidence: Option<u8>,
    },
}

/// A questionnaire as it is stored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Filled {
    /// By the wall clock, ISO 8601.
    pub at: String,
    /// By the run's clock, in s.
    pub run_s: f64,
    /// After which block, from 1; `None` at the end of the session.
    pub block: Option<u32>,
    /// The answers.
    #[serde(flatten)]
    pub sheet: Sheet,
}

/// Appends a questionnaire to a session's folder, and gives the hash of its line for the audit log.
///
/// # Errors
/// It cannot be written.
pub fn append(session: &Path, filled: &Filled) -> io::Result<Hash> {
    let line = serde_json::to_string(filled)?;
    let mut file = private::append(&session.join(folder::QUESTIONNAIRES))?;
    file.write_all(format!("{line}\n").as_bytes())?;
    file.sync_data()?;
    Ok(Hash::of(line.as_bytes()))
}

/// All questionnaires of a session; none where nobody was asked. A line that a dying process left half is left out.
///
/// # Errors
/// The file cannot be read, or a line other than the last is none.
pub fn read(session: &Path) -> Result<Vec<Filled>, String> {
    let path = session.join(folder::QUESTIONNAIRES);
    let text = match std::fs::read_to_string(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other.map_err(|error| format!("{}: {error}", path.display()))?,
    };
    let count = text.lines().count();
    let mut all = Vec::new();
    for (n, line) in (1..).zip(text.lines()) {
        match serde_json::from_str(line) {
            Ok(filled) => all.push(filled),
            Err(_) if n == count && !text.ends_with('\n') => {}
            Err(error) => return Err(format!("{}:{n}: is no questionnaire: {error}", path.display())),
        }
    }
    Ok(all)
}

/// A questionnaire that is being filled, one question at a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Form {
    ask: Ask,
    left: VecDeque<String>,
    items: Vec<Sensation>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Ask {
    Sensations,
    Guess(Vec<String>),
}

impl Form {
    /// Asks for sensations.
    #[must_use]
    pub fn sensations<S: AsRef<str>>(items: &[S]) -> Self {
        let left = items.iter().map(|item| item.as_ref().to_owned()).collect();
        Self { ask: Ask::Sensations, left, items: Vec::new() }
    }

    /// Asks which of these conditions it was. They are shown in the order given: the protocol's, the same for everyone.
    #[must_use]
    pub fn guess(conditions: &[String]) -> Self {
        Self { ask: Ask::Guess(conditions.to_vec()), left: VecDeque::new(), items: Vec::new() }
    }

    /// The question that stands.
    #[must_use]
    pub fn question(&self) -> String {
        match (&self.ask, self.left.front()) {
            (Ask::Sensations, Some(item)) => format!("{item}? n for no, or 1..10 for how strongly"),
            (Ask::Sensations, None) => String::new(),
            (Ask::Guess(conditions), _) => {
                let numbered = (1..).zip(conditions).map(|(n, name)| format!("{n} {name}"));
                let numbered: Vec<String> = numbered.collect();
                format!(
                    "which condition was it? {}, or d for don't know; then how sure, 1..10 (as in: 1 7)",
                    numbered.join(", ")
                )
            }
        }
    }

    /// Takes an answer. `Some` with the filled sheet where it was the last one.
    ///
    /// # Errors
    /// The answer is none, in words for the one who typed it; the question stands.
    pub fn answer(&mut self, text: &str) -> Result<Option<Sheet>, String> {
        let text = text.trim().to_lowercase();
        match &self.ask {
            Ask::Guess(conditions) => guess(&text, conditions).map(Some),
            Ask::Sensations => {
                let rating = sensation(&text)?;
                if let Some(item) = self.left.pop_front() {
                    self.items.push(Sensation { item, felt: rating.is_some(), rating });
                }
                let done = self.left.is_empty();
                Ok(done.then(|| Sheet::Sensations { items: std::mem::take(&mut self.items) }))
            }
        }
    }
}

fn rating(text: &str) -> Option<u8> {
    text.parse().ok().filter(|rating| RATING.contains(rating))
}

fn sensation(text: &str) -> Result<Option<u8>, String> {
    if ["n", "no"].contains(&text) {
        return Ok(None);
    }
    let number = text.strip_prefix("yes").or(text.strip_prefix('y')).unwrap_or(text).trim();
    match rating(number) {
        Some(rating) => Ok(Some(rating)),
        None if number.is_empty() && !text.is_empty() => Err("how strongly? 1..10".to_owned()),
        None => Err(format!("{text:?} is no answer: n, or 1..10")),
    }
}

fn guess(text: &str, conditions: &[String]) -> Result<Sheet, String> {
    if ["d", "?", "don't know", "dont know"].contains(&text) {
        return Ok(Sheet::Guess { guess: None, confidence: None });
    }
    // A name may hold blanks: how sure is the last word.
    let (named, sure) = text.rsplit_once([' ', ',']).unwrap_or((text, ""));
    let find = |named: &str| {
        let named = named.trim_matches([' ', ',']);
        let by_number = named.parse::<usize>().ok().and_then(|n| conditions.get(n.checked_sub(1)?));
        by_number.or_else(|| conditions.iter().find(|name| name.to_lowercase() == named)).cloned()
    };
    match (find(named), rating(sure.trim())) {
        (Some(guess), Some(confidence)) => {
            Ok(Sheet::Guess { guess: Some(guess), confidence: Some(confidence) })
        }
        (Some(_), None) => Err("how sure? 1..10 behind it, as in: 1 7".to_owned()),
        (None, _) if find(text).is_some() => Err("how sure? 1..10 behind it, as in: 1 7".to_owned()),
        (None, _) => Err(format!("{named:?} is none of them: 1..{}, or d for don't know", conditions.len())),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn sensations_are_asked_one_by_one() {
        let mut form = Form::sensations(&SENSATIONS);
        assert!(form.question().starts_with("itching?"));
        for wrong in ["", "11", "0", "maybe", "y", "yes 12"] {
            assert!(form.answer(wrong).is_err(), "{wrong}");
        }
        assert!(form.question().starts_with("itching?"), "the question stands");
        for answer in ["n", "y 3", "10", "No", "yes 1"] {
            assert_eq!(form.answer(answer), Ok(None));
        }
        let Some(Sheet::Sensations { items }) = form.answer("n").unwrap() else { unreachable!() };
        let ratings: Vec<Option<u8>> = items.iter().map(|item| item.rating).collect();
        assert_eq!(ratings, [None, Some(3), Some(10), None, Some(1), None]);
        assert!(items.iter().all(|item| item.felt == item.rating.is_some()));
    }

    #[test]
    fn a_guess_is_by_number_or_name_with_confidence_or_not_known() {
        let conditions: Vec<String> = ["steep", "flat", "sham at half"].map(str::to_owned).to_vec();
        let mut form = Form::guess(&conditions);
        assert!(form.question().contains("2 flat"));
        for (text, guess, confidence) in [
            ("1 7", Some("steep"), Some(7)),
            ("Flat 10", Some("flat"), Some(10)),
            ("sham at half, 1", Some("sham at half"), Some(1)),
            ("d", None, None),
            ("don't know", None, None),
        ] {
            let sheet = Sheet::Guess { guess: guess.map(str::to_owned), confidence };
            assert_eq!(form.answer(text), Ok(Some(sheet)), "{text}");
        }
        for wrong in ["", "1", "4 5", "steep", "steep 11", "0 5", "7"] {
            assert!(form.answer(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_was_filled_is_read_back() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(read(dir.path()), Ok(Vec::new()));
        let sheets = [
            Sheet::Sensations { items: vec![Sensation { item: "pain".into(), felt: true, rating: Some(2) }] },
            Sheet::Guess { guess: None, confidence: None },
        ];
        let filled: Vec<Filled> = sheets
            .into_iter()
            .map(|sheet| Filled { at: "2026".into(), run_s: 1.5, block: Some(3), sheet })
            .collect();
        let hashes: Vec<Hash> = filled.iter().map(|filled| append(dir.path(), filled).unwrap()).collect();
        assert_eq!(read(dir.path()).unwrap(), filled);
        let path = dir.path().join(folder::QUESTIONNAIRES);
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(Hash::of(text.lines().next().unwrap().as_bytes()), *hashes.first().unwrap());
        std::fs::write(&path, format!("{text}{{\"at\":")).unwrap();
        assert_eq!(read(dir.path()).unwrap(), filled, "a torn last line");
        std::fs::write(&path, format!("{{}}\n{text}")).unwrap();
        assert!(read(dir.path()).unwrap_err().contains("questionnaires.jsonl:1"));
    }
}
