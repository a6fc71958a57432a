//! What a table says of an estimate under current.

use crate::estimator::through_current::{Proof, Unproven};
use crate::offline::table::cell;

/// Names of the columns, behind all others.
pub const COLUMNS: [&str; 5] =
    ["through_current", "linearity_p", "residual_coherence", "modulation_p", "removed_db"];

/// An estimate that was taken under current.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Figures {
    /// What was proven of its window.
    pub proof: Proof,
    /// Why it is shown at most, whatever was proven: the current itself is not to be trusted.
    pub withheld: Option<&'static str>,
}

impl Figures {
    /// Why the estimate must not be used.
    #[must_use]
    pub fn reason(&self) -> Option<&'static str> {
        self.withheld.or(self.proof.failed.map(Unproven::as_str))
    }

    /// The cells of [`COLUMNS`]; of a window that no removal was made for where it is `None`.
    #[must_use]
    pub fn cells(figures: Option<&Self>) -> Vec<String> {
        let Some(Self { proof, .. }) = figures else {
            let mut cells = vec!["false".to_owned()];
            cells.resize(COLUMNS.len(), String::new());
            return cells;
        };
        vec![
            "true".to_owned(),
            probability(proof.linearity_p),
            cell(proof.residual_coherence),
            probability(proof.modulation_p),
            cell(proof.removed_db),
        ]
    }
}

/// Probabilities by chance are small where they matter: three digits, whatever the size.
fn probability(p: f64) -> String {
    if !p.is_finite() {
        String::new()
    } else if p == 0.0 || p >= 1e-3 {
        cell(p)
    } else {
        format!("{p:.2e}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_as_many_as_columns_and_small_probabilities_are_told() {
        let proof = Proof {
            linearity_p: 3.21e-7,
            residual_coherence: 0.0123,
            modulation_p: 0.5,
            removed_db: 31.5,
            cost: 0.03,
            failed: Some(Unproven::Bent),
        };
        let figures = Figures { proof, withheld: None };
        assert_eq!(Figures::cells(Some(&figures)), ["true", "3.21e-7", "0.0123", "0.5", "31.5"]);
        assert_eq!(Figures::cells(None), ["false", "", "", "", ""]);
        assert_eq!(figures.reason(), Some("path not linear"));
        assert_eq!(Figures { withheld: Some("x"), ..figures }.reason(), Some("x"));
        let nothing = Figures { proof: Proof::failed(Unproven::NoTelemetry), withheld: None };
        assert_eq!(Figures::cells(Some(&nothing)), ["true", "", "", "", ""]);
        assert!((nothing.proof.se_factor() - 1.0).abs() < 1e-12 && figures.proof.se_factor() > 1.02);
    }
}
