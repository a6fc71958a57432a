//! A removal that is wrong on purpose, so that the proof can be tried: a loop that steers on its own current must be seen.

use super::Remover;

/// What is wrong with what is taken out. Nothing outside of tests and benches asks for it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Wrong {
    /// It is as it was learnt.
    #[default]
    Nothing,
    /// So many times what was learnt; 0 takes nothing out.
    Times(f64),
    /// Later by so many samples of the thinned EEG.
    Late(usize),
}

impl Remover {
    /// From the next block on, takes out something else than was learnt.
    pub fn spoil(&mut self, wrong: Wrong) {
        self.wrong = wrong;
    }

    /// Takes over what was learnt as what is taken out.
    pub(super) fn put_to_use(&mut self) {
        self.used.copy_from_slice(&self.path);
        let (columns, taps) = (self.counts.path(), self.counts.taps());
        match self.wrong {
            Wrong::Nothing => {}
            Wrong::Times(times) => self.used.iter_mut().for_each(|c| *c *= times),
            Wrong::Late(samples) => {
                let samples = samples.min(taps);
                for path in self.used.chunks_exact_mut(columns) {
                    path.copy_within(..taps - samples, samples);
                    path.iter_mut().take(samples).for_each(|c| *c = 0.0);
                }
            }
        }
    }
}
