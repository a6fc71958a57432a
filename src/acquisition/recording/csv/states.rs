//! State columns (`eyes_closed`) and columns of texts (`marker`) as annotations: one for each stretch of one value, one
//! wherever a text stands.

use super::super::{Annotation, MAX_ANNOTATIONS, MAX_TEXT};
use super::columns::{Columns, Role};

/// What the columns of states have said so far.
#[derive(Debug)]
pub(super) struct States {
    names: Vec<Option<String>>,
    /// Of each column: its value and since when.
    running: Vec<Option<(Vec<u8>, f64)>>,
    pub found: Vec<Annotation>,
    pub left_out: u64,
}

impl States {
    pub(super) fn new(columns: &Columns) -> Self {
        let state = |(name, role): (&String, &Role)| (*role == Role::State).then(|| name.clone());
        Self {
            names: columns.names.iter().zip(&columns.roles).map(state).collect(),
            running: vec![None; columns.names.len()],
            found: Vec::new(),
            left_out: 0,
        }
    }

    /// Takes a cell at a time.
    pub(super) fn cell(&mut self, column: usize, cell: &[u8], now_s: f64) {
        if !self.names.get(column).is_some_and(Option::is_some) {
            return;
        }
        let cell = cell.get(..MAX_TEXT).unwrap_or(cell);
        let before = self.running.get_mut(column);
        if let Some(before) =
            before.filter(|state| state.as_ref().is_none_or(|(value, _)| value.as_slice() != cell))
        {
            let ended = before.replace((cell.to_vec(), now_s));
            self.end(column, ended, now_s);
        }
    }

    fn end(&mut self, column: usize, state: Option<(Vec<u8>, f64)>, now_s: f64) {
        // Between two texts there is nothing.
        let Some((value, onset_s)) = state.filter(|(value, _)| !value.is_empty()) else { return };
        if self.found.len() >= MAX_ANNOTATIONS {
            self.left_out += 1;
            return;
        }
        let name = self.names.get(column).cloned().flatten().unwrap_or_default();
        let text = format!("{name}={}", String::from_utf8_lossy(&value));
        self.found.push(Annotation { onset_s, duration_s: (now_s - onset_s).max(0.0), text });
    }

    /// After the last row.
    pub(super) fn finish(&mut self, end_s: f64) {
        for column in 0..self.running.len() {
            let state = self.running.get_mut(column).and_then(Option::take);
            self.end(column, state, end_s);
        }
    }
}
