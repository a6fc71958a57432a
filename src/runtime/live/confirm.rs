//! A person's word for a stream that has come back from another host, by key or typed line, past the main thread.

use std::sync::Arc;

use crate::{
    acquisition::moved::Moved,
    clock,
    runtime::observation::{Note, Notes},
};

/// What hears that word.
#[derive(Clone)]
pub(super) struct Confirm {
    /// The inlet's process, which waits for it.
    pub moved: Arc<Moved>,
    /// On record from here.
    pub notes: Notes,
}

impl Confirm {
    /// Takes up what the operator was told of; without such a stream it does nothing.
    pub(super) fn take_up(&self) {
        if self.moved.take_up().is_some() {
            self.notes.tell(clock::now_s(), Note::TakenUp);
        }
    }
}
