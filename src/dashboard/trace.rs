//! A signal as a screen can show it: smallest and largest value of each slice of time, in a ring of fixed size.

/// Smallest and largest value of one slice of time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Column {
    /// Smallest value.
    pub min: f32,
    /// Largest value.
    pub max: f32,
}

impl Column {
    /// A slice without data: a gap stays empty on the screen.
    pub const EMPTY: Self = Self { min: f32::INFINITY, max: f32::NEG_INFINITY };

    /// Whether nothing fell into the slice.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.min > self.max
    }

    fn add(&mut self, value: f32) {
        self.min = self.min.min(value);
        self.max = self.max.max(value);
    }
}

/// The recent past of one signal. Memory is fixed at construction; pushing never allocates.
#[derive(Clone, Debug)]
pub struct Trace {
    columns: Vec<Column>,
    column_s: f64,
    /// Number of the newest column since stamp 0; `None` before the first sample.
    newest: Option<i64>,
    last: f32,
}

impl Trace {
    /// Keeps `span_s` seconds in `columns` slices, both at least one slice's worth.
    #[must_use]
    pub fn new(span_s: f64, columns: usize) -> Self {
        let columns = columns.max(1);
        #[allow(clippy::cast_precision_loss, reason = "a few hundred columns")]
        let column_s = (span_s / columns as f64).max(1e-6);
        Self { columns: vec![Column::EMPTY; columns], column_s, newest: None, last: f32::NAN }
    }

    /// Seconds from the oldest slice to the newest.
    #[must_use]
    #[allow(clippy::cast_precision_loss, reason = "a few hundred columns")]
    pub fn span_s(&self) -> f64 {
        self.column_s * self.columns.len() as f64
    }

    /// The newest value, NaN before the first.
    #[must_use]
    pub fn last(&self) -> f32 {
        self.last
    }

    /// Adds a sample. One that is not finite leaves its slice as it is; a stamp that jumps by more than the span
    /// starts anew, one that is a little late counts for the newest slice.
    #[allow(clippy::cast_possible_truncation, clippy::cast_possible_wrap, reason = "float casts saturate")]
    pub fn push(&mut self, stamp_s: f64, value: f32) {
        if !stamp_s.is_finite() {
            return;
        }
        let at = (stamp_s / self.column_s).floor() as i64;
        let length = self.columns.len() as i64;
        match self.newest {
            Some(newest) if at > newest && at.saturating_sub(newest) < length => {
                for column in newest + 1..=at {
                    self.set(column, Column::EMPTY);
                }
                self.newest = Some(at);
            }
            Some(newest) if at <= newest && newest.saturating_sub(at) < length => {}
            _ => {
                self.columns.fill(Column::EMPTY);
                self.newest = Some(at);
            }
        }
        self.last = value;
        if value.is_finite()
            && let Some(newest) = self.newest
        {
            let slot = self.slot(newest);
            if let Some(column) = self.columns.get_mut(slot) {
                column.add(value);
            }
        }
    }

    /// Slices from oldest to newest.
    pub fn columns(&self) -> impl ExactSizeIterator<Item = Column> {
        let first = self.newest.map_or(0, |newest| self.slot(newest.wrapping_add(1)));
        let length = self.columns.len();
        (0..length).map(move |i| self.columns.get((first + i) % length).copied().unwrap_or(Column::EMPTY))
    }

    /// Largest |value - middle| that is on screen, where anything is.
    #[must_use]
    pub fn half_range(&self) -> Option<(f32, f32)> {
        let (mut low, mut high) = (f32::INFINITY, f32::NEG_INFINITY);
        for column in self.columns.iter().filter(|column| !column.is_empty()) {
            low = low.min(column.min);
            high = high.max(column.max);
        }
        (low <= high).then(|| (f32::midpoint(low, high), (high - low) / 2.0))
    }

    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_possible_wrap,
        reason = "a remainder"
    )]
    fn slot(&self, column: i64) -> usize {
        column.rem_euclid(self.columns.len() as i64) as usize
    }

    fn set(&mut self, column: i64, value: Column) {
        let slot = self.slot(column);
        if let Some(column) = self.columns.get_mut(slot) {
            *column = value;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_hold_extremes_and_a_gap_stays_empty() {
        let mut trace = Trace::new(5.0, 5);
        for (stamp_s, value) in [(0.1, 1.0), (0.9, -3.0), (1.5, 2.0), (3.2, 7.0)] {
            trace.push(stamp_s, value);
        }
        let columns: Vec<_> = trace.columns().collect();
        assert_eq!(columns[1], Column { min: -3.0, max: 1.0 });
        assert_eq!(columns[2], Column { min: 2.0, max: 2.0 });
        assert!(columns[0].is_empty() && columns[3].is_empty());
        assert_eq!(columns[4], Column { min: 7.0, max: 7.0 });
    }

    #[test]
    fn wild_stamps_and_values_start_anew_or_are_left_out() {
        let mut trace = Trace::new(5.0, 5);
        for stamp_s in [0.0, 1e300, -1e300, f64::NAN, f64::INFINITY, 3.0, 2.0] {
            trace.push(stamp_s, 1.0);
            trace.push(stamp_s, f32::NAN);
        }
        assert_eq!(trace.columns().filter(|column| !column.is_empty()).count(), 1);
        assert_eq!(trace.half_range(), Some((1.0, 0.0)));
    }

    #[test]
    fn old_slices_leave_in_order() {
        let mut trace = Trace::new(3.0, 3);
        for second in 0..10_u8 {
            trace.push(f64::from(second), f32::from(second));
        }
        let shown: Vec<_> = trace.columns().map(|column| column.min).collect();
        assert_eq!(shown, [7.0, 8.0, 9.0]);
    }
}
