//! What the loop follows through a session: the seam between a plan and what carries it out.
//!
//! In: the time, and whether the data can be relied on. Out: where the session is, and what the current shall do. A
//! course never starts a current that its plan does not name at that place.

use super::schedule::Phase;
use crate::noise::Profile;

/// Whether the newest EEG can be relied on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Data {
    /// The stream is live and its newest sample young enough.
    Fresh,
    /// The stream is not live.
    Lost,
    /// The newest sample is older than the settings allow; how old, in s.
    Stale(f64),
}

/// What a course is told of a moment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Moment {
    /// On the clock that the course was begun with, in s.
    pub now_s: f64,
    /// Of the EEG.
    pub data: Data,
}

/// What a course wants of the current.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Want {
    /// A burst begins.
    Start,
    /// It ends by its ramp.
    Finish,
    /// It ends softly, now.
    Stop,
}

/// What the next burst is to be, where a course says it for each block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Load {
    /// The block.
    pub block: u32,
    /// The law: its number among the controller's.
    pub law: usize,
    /// The noise.
    pub profile: Profile,
}

/// What follows from a moment.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Step {
    /// A phase that begins here, and the seconds until the next one.
    pub entered: Option<(Phase, f64)>,
    /// Why the present block is given up, once for each.
    pub gave_up: Option<Data>,
    /// For the current.
    pub want: Option<Want>,
    /// With [`Want::Start`]: what begins; `None`: what the run began with.
    pub load: Option<Load>,
}

/// A session's course. `follow` neither blocks nor allocates.
pub trait Course: Send {
    /// Time counts from here. Gives the first phase, and the seconds until the next one.
    fn begin(&mut self, now_s: f64) -> (Phase, f64);
    /// Moves on to a moment. Nothing happens before [`Course::begin`].
    fn follow(&mut self, moment: &Moment) -> Step;
    /// No burst begins any more.
    fn end(&mut self);
    /// Where the session is.
    fn phase(&self) -> Phase;
    /// Whether the plan is done.
    fn done(&self) -> bool {
        self.phase() == Phase::Done
    }
}
