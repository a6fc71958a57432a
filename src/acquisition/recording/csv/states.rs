//! State columns (`eyes_closed`) as annotations: one for each stretch of one value.

use super::super::{Annotation, MAX_ANNOTATIONS, RecordingError};
use super::columns::{Columns, Role, is_state};
use super::lines;
use std::path::Path;

/// Reads all rows. Returns annotations, how many were left out, and the number of rows. A column that
/// turns out to hold something else after all becomes a channel.
pub(super) fn scan(
    path: &Path,
    columns: &mut Columns,
    rate_hz: f64,
) -> Result<(Vec<Annotation>, u64, Option<u64>), RecordingError> {
    let mut reader = lines::reader(path, columns.delimiter)?;
    let mut record = csv::ByteRecord::new();
    let time = columns.roles.iter().position(|role| *role == Role::Time);
    // Of each column: its value and since when.
    let mut running: Vec<Option<(Vec<u8>, f64)>> = vec![None; columns.roles.len()];
    let mut found: Vec<(usize, Annotation)> = Vec::new();
    let (mut rows, mut left_out, mut now_s) = (0_u64, 0_u64, 0.0);
    let mut end = |found: &mut Vec<(usize, Annotation)>,
                   column: usize,
                   state: (Vec<u8>, f64),
                   now_s: f64,
                   name: &str| {
        if found.len() < MAX_ANNOTATIONS {
            let text = format!("{name}={}", String::from_utf8_lossy(&state.0));
            found.push((
                column,
                Annotation { onset_s: state.1, duration_s: (now_s - state.1).max(0.0), text },
            ));
        } else {
            left_out += 1;
        }
    };
    while lines::next(&mut reader, &mut record, path)? {
        now_s = match time.and_then(|index| record.get(index)) {
            Some(cell) => columns.time(cell, lines::line(&record), path)?,
            None => rows as f64 / rate_hz,
        };
        rows += 1;
        for (index, cell) in record.iter().enumerate() {
            let (Some(role), Some(state)) = (columns.roles.get_mut(index), running.get_mut(index)) else {
                continue;
            };
            if *role != Role::State {
                continue;
            }
            if !is_state(cell) {
                *role = Role::Channel;
                found.retain(|(column, _)| *column != index);
                *state = None;
                continue;
            }
            if state.as_ref().is_none_or(|(value, _)| value.as_slice() != cell)
                && let Some(ended) = state.replace((cell.to_vec(), now_s))
            {
                end(&mut found, index, ended, now_s, columns.names.get(index).map_or("", String::as_str));
            }
        }
    }
    for (index, state) in running.into_iter().enumerate() {
        if let Some(state) = state {
            end(
                &mut found,
                index,
                state,
                now_s + 1.0 / rate_hz,
                columns.names.get(index).map_or("", String::as_str),
            );
        }
    }
    Ok((found.into_iter().map(|(_, annotation)| annotation).collect(), left_out, Some(rows)))
}
