//! Where a session stands in a tree: `sub-…/ses-…`, and a run where there are several.

use std::path::{Path, PathBuf};

use super::BidsError;
use crate::session::audit::check::chain;
use crate::session::recorded::Recorded;

/// The task where a recording names none.
const TASK: &str = "tras";

/// A session's place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub participant: String,
    pub session: Option<String>,
    pub task: String,
    pub run: Option<u32>,
}

impl Place {
    /// `sub-…/ses-…`.
    pub(super) fn folder(&self) -> PathBuf {
        let folder = PathBuf::from(format!("sub-{}", self.participant));
        match &self.session {
            Some(session) => folder.join(format!("ses-{session}")),
            None => folder,
        }
    }

    /// `sub-…_ses-…`.
    pub(super) fn session_stem(&self) -> String {
        match &self.session {
            Some(session) => format!("sub-{}_ses-{session}", self.participant),
            None => format!("sub-{}", self.participant),
        }
    }

    /// `sub-…_ses-…_task-…_run-…`.
    pub(super) fn stem(&self) -> String {
        let run = self.run.map_or_else(String::new, |run| format!("_run-{run:02}"));
        format!("{}_task-{}{run}", self.session_stem(), self.task)
    }

    fn header(&self, tree: &Path) -> PathBuf {
        tree.join(self.folder()).join("eeg").join(format!("{}_eeg.vhdr", self.stem()))
    }
}

/// The places of sessions; one that would stand where another stands gets a run.
///
/// # Errors
/// A session has no participant, or its place is taken in the tree.
pub(super) fn places(sessions: &[Recorded], tree: &Path) -> Result<Vec<Place>, BidsError> {
    let mut places: Vec<Place> = Vec::with_capacity(sessions.len());
    for recorded in sessions {
        places.push(place(recorded)?);
    }
    let plain = places.clone();
    for (at, place) in places.iter_mut().enumerate() {
        let alike = plain.iter().filter(|other| *other == place).count();
        if alike > 1 {
            let before = plain.iter().take(at).filter(|other| Some(*other) == plain.get(at)).count();
            place.run = u32::try_from(before + 1).ok();
        }
        let header = place.header(tree);
        if header.exists() {
            return Err(BidsError::refused(
                &header,
                "is there already: nothing is overwritten; name another --out",
            ));
        }
    }
    Ok(places)
}

fn place(recorded: &Recorded) -> Result<Place, BidsError> {
    // The audit log says whose session it is; a run without one says it in its recording.
    let log = chain(recorded.folder()).ok();
    let allocation = log.as_ref().and_then(|log| log.last("allocation"));
    let said = |name: &str| {
        let by_log = allocation.and_then(|entry| entry.text(name)).map(str::to_owned);
        by_log
            .or_else(|| recorded.about(name).map(str::to_owned))
            .map(|text| label(&text))
            .filter(|l| !l.is_empty())
    };
    let participant = said("participant").ok_or_else(|| {
        BidsError::refused(recorded.folder(), "does not say whose it is: its recording names no participant")
    })?;
    let task = said("task").unwrap_or_else(|| TASK.to_owned());
    Ok(Place { participant, session: said("session"), task, run: None })
}

/// Labels of BIDS have letters and digits alone.
fn label(text: &str) -> String {
    text.chars().filter(char::is_ascii_alphanumeric).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_specification() {
        let place = Place {
            participant: label("P-01_a"),
            session: Some("2".into()),
            task: "wm".into(),
            run: Some(3),
        };
        assert_eq!(place.stem(), "sub-P01a_ses-2_task-wm_run-03");
        assert_eq!(place.folder(), Path::new("sub-P01a/ses-2"));
        let place = Place { session: None, run: None, ..place };
        assert_eq!(place.stem(), "sub-P01a_task-wm");
    }
}
