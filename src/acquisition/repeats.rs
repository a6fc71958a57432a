//! A device that hands out old data again.
//!
//! In: each frame's values. Out: whether the frame belongs to a run that equals an earlier run of frames, up
//! to a second back: the last packet sent again, a buffer that is read in a circle, a frame held. A digest
//! of each frame is kept, and for every lag how many frames in a row have equalled the one so far back. One
//! frame alone may equal another by chance, all the more with few channels and a coarse LSB, so 32 equal
//! values in a row are asked for. A test signal of the amplifier, exactly periodic, is found too: rightly.

/// How far back, seconds; and at most so many frames, to bound the cost at high rates.
const BACK_S: f64 = 1.0;
const MOST_LAGS: usize = 1024;
/// Equal values of channels that are not flat, in a row, that are no chance.
const EQUAL_VALUES: usize = 32;

/// Watches one stream.
#[derive(Clone, Debug)]
pub(super) struct Repeats {
    /// The newest digests, twice over, so that the last `lags` are always one slice.
    digests: Vec<u64>,
    at: usize,
    /// Frames in a row that equalled the one `index + 1` frames back.
    runs: Vec<u32>,
}

impl Repeats {
    pub(super) fn new(rate_hz: f64) -> Self {
        let lags = ((BACK_S * rate_hz).ceil() as usize).clamp(1, MOST_LAGS);
        // Digest 0 stands for no frame: no digest of a frame is 0.
        Self { digests: vec![0; 2 * lags], at: 0, runs: vec![0; lags] }
    }

    /// Takes a frame, `live` channels of which are not flat; whether it is a repetition.
    pub(super) fn push(&mut self, values: &[f64], live: usize) -> bool {
        let digest = digest(values);
        let lags = self.runs.len();
        let back = self.digests.get(self.at..self.at + lags).unwrap_or_default();
        let mut longest = 0;
        for (run, &earlier) in self.runs.iter_mut().zip(back.iter().rev()) {
            *run = if earlier == digest { run.saturating_add(1) } else { 0 };
            longest = longest.max(*run);
        }
        for at in [self.at, self.at + lags] {
            if let Some(place) = self.digests.get_mut(at) {
                *place = digest;
            }
        }
        self.at = (self.at + 1) % lags;
        longest as usize >= EQUAL_VALUES.div_ceil(live.max(1)).max(2)
    }
}

/// FNV-1a over whole words, never 0.
fn digest(values: &[f64]) -> u64 {
    let hash = values.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, value| {
        let mixed = (hash ^ value.to_bits()).wrapping_mul(0x0000_0100_0000_01b3);
        mixed ^ (mixed >> 29)
    });
    hash.max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    fn frames(count: usize, channels: usize, levels: u32, seed: u64) -> Vec<Vec<f64>> {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        (0..count)
            .map(|_| (0..channels).map(|_| f64::from(random.random_range(0..levels))).collect())
            .collect()
    }

    #[test]
    fn a_packet_sent_again_is_found_at_any_length() {
        for packet in [5, 10, 64, 250] {
            let mut stream = frames(2000, 4, 4096, 1);
            for k in 1000..1000 + packet {
                stream[k] = stream[k - packet].clone();
            }
            let mut repeats = Repeats::new(250.0);
            let found: Vec<usize> =
                stream.iter().enumerate().filter(|(_, f)| repeats.push(f, 4)).map(|(k, _)| k).collect();
            // 8 frames of 4 channels are 32 values: known from the eighth on.
            let expected: Vec<usize> = (1007..1000 + packet).collect();
            assert_eq!(found, expected, "packet of {packet}");
        }
    }

    #[test]
    fn chance_is_not_taken_for_it() {
        for (channels, levels) in [(1, 4), (2, 3), (14, 8)] {
            let mut repeats = Repeats::new(250.0);
            let found =
                frames(20_000, channels, levels, 3).iter().filter(|f| repeats.push(f, channels)).count();
            assert_eq!(found, 0, "{channels} channels of {levels} levels");
        }
    }

    #[test]
    fn a_circle_of_old_data_is_found_for_as_long_as_it_turns() {
        let circle = frames(100, 2, 4096, 5);
        let mut repeats = Repeats::new(250.0);
        let found = (0..5000).filter(|k| repeats.push(&circle[k % 100], 2)).count();
        assert_eq!(found, 5000 - 100 - 15);
    }
}
