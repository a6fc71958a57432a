//! A stream that has come back from another machine than it went: anyone may claim its name and source id, so it is taken
//! up only on a person's word, and that person is told both machines.
//!
//! In: what the inlet's child has found. Out: the number of the outlet that was confirmed, which that child looks for.
//! The child connects to no such outlet before.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use super::lsl::child::message;
use crate::child::{
    link::{Link, Message},
    text::SEPARATOR,
};

/// What an operator types to take it up; in the dashboard a key does.
pub const TAKE_UP: &str = "take up";

/// One outlet that waits for a person's word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    number: u64,
    name: String,
    was: String,
    is: String,
}

impl fmt::Display for Offer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, was, is, .. } = self;
        write!(
            f,
            "stream \"{name}\" is back, but from host {is}: it was on host {was}. Is that your device? Then press y, or type \
             {TAKE_UP:?}; otherwise stop, and look who sends there"
        )
    }
}

#[derive(Debug, Default)]
struct State {
    offer: Option<Offer>,
    told: bool,
}

/// The operator's side of it.
#[derive(Debug)]
pub struct Moved {
    link: Arc<Link>,
    state: Mutex<State>,
}

impl Moved {
    pub(super) fn new(link: Arc<Link>) -> Self {
        Self { link, state: Mutex::default() }
    }

    /// What the child has found; number 0: nothing any more.
    pub(super) fn hear(&self, told: &Message) {
        if told.kind != message::OFFERED {
            return;
        }
        let mut fields = told.text.split(SEPARATOR).map(str::to_owned);
        let mut field = || fields.next().unwrap_or_default();
        let offer = Offer { number: told.a, name: field(), was: field(), is: field() };
        let offer = (told.a != 0).then_some(offer);
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.offer != offer {
            *state = State { offer, told: false };
        }
    }

    /// An outlet that nobody was told of yet.
    pub fn news(&self) -> Option<Offer> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let news = if state.told { None } else { state.offer.clone() };
        state.told = true;
        news
    }

    /// What still waits, for the summary.
    pub(super) fn unconfirmed(&self) -> Option<String> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let Offer { name, was, is, .. } = state.offer.as_ref()?;
        Some(format!(
            "stream \"{name}\" came back from host {is}, it was on host {was}: nobody has confirmed it"
        ))
    }

    /// A person says: that is my device. Gives what is taken up; nothing where nothing waits, or nobody was told of it yet.
    pub fn take_up(&self) -> Option<Offer> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if !state.told {
            return None;
        }
        let offer = state.offer.take()?;
        self.link.confirm(offer.number);
        Some(offer)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn offered(number: u64, is: &str) -> Message {
        let text = ["amp", "lab-1", is].join(&SEPARATOR.to_string());
        Message { kind: message::OFFERED, a: number, b: 0, text }
    }

    #[test]
    fn only_what_was_told_is_taken_up_and_only_that_very_outlet() {
        let link = Arc::new(Link::create("").unwrap());
        let moved = Moved::new(Arc::clone(&link));
        moved.hear(&offered(7, "elsewhere"));
        // A key that was pressed before anyone could read of it confirms nothing.
        assert_eq!((moved.take_up(), link.confirmed()), (None, 0));
        let told = moved.news().unwrap().to_string();
        assert!(told.contains("lab-1") && told.contains("elsewhere") && told.contains(TAKE_UP), "{told}");
        assert_eq!(moved.news(), None);
        moved.hear(&offered(7, "elsewhere"));
        assert_eq!(moved.news(), None, "told twice");
        // Another one in its place: it has to be told first.
        moved.hear(&offered(9, "nowhere"));
        assert_eq!(moved.take_up(), None);
        assert!(moved.news().is_some());
        assert!(moved.take_up().is_some());
        assert_eq!(link.confirmed(), 9);
        assert_eq!(moved.take_up(), None, "one word confirms once");
        moved.hear(&offered(11, "nowhere"));
        moved.hear(&offered(0, ""));
        assert_eq!(moved.news(), None);
    }
}
