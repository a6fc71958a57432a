//! Which sample each tick of the DAC has played: found by the values themselves, so that a sample that is lost,
//! repeated or out of order shows.

/// Half a step of the DAC, one of the wire, and a little: in mA.
const TOLERANCE_MA: f32 = 0.000_75;
/// Samples in a row that must fit before a place is believed: noise does not repeat so many.
const RUN: usize = 48;
/// The first place is looked for among so many samples: 20 s.
const FIRST_WITHIN: usize = 40_000;
/// And the next within 2 s: what was queued and never played is less.
const NEXT_WITHIN: usize = 4_000;

/// Pairs of a tick and the sample that it played, and how often the row was broken.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Aligned {
    /// Index among the ticks, index among the samples.
    pub pairs: Vec<(usize, usize)>,
    /// Times that the row was broken, the search for its beginning not counted.
    pub breaks: usize,
}

/// Aligns `ticks_ma`, `per_sample` of them for each sample, with `samples_ma`.
pub(super) fn align(ticks_ma: &[f32], per_sample: usize, samples_ma: &[f32]) -> Aligned {
    let per_sample = per_sample.max(1);
    let mut aligned = Aligned::default();
    let (mut tick, mut least) = (0, 0);
    while tick + RUN * per_sample <= ticks_ma.len() {
        let Some(start) = find(ticks_ma, tick, per_sample, samples_ma, least) else {
            tick += 1;
            continue;
        };
        aligned.breaks += usize::from(!aligned.pairs.is_empty());
        let mut sample = start;
        while let (Some(t), Some(s)) = (ticks_ma.get(tick), samples_ma.get(sample))
            && fits(*t, *s)
        {
            aligned.pairs.push((tick, sample));
            (tick, sample) = (tick + per_sample, sample + 1);
        }
        least = sample;
        tick += 1;
    }
    aligned
}

fn fits(a: f32, b: f32) -> bool {
    (a - b).abs() <= TOLERANCE_MA
}

/// The first place from `least` on where the ticks from `tick` fit. A stretch that hardly moves fits anywhere and
/// is passed over.
fn find(ticks_ma: &[f32], tick: usize, per_sample: usize, samples_ma: &[f32], least: usize) -> Option<usize> {
    let run = || ticks_ma.iter().skip(tick).step_by(per_sample).take(RUN);
    let (low, high) = run().fold((f32::INFINITY, f32::NEG_INFINITY), |(l, h), &t| (l.min(t), h.max(t)));
    if high - low < 20.0 * TOLERANCE_MA {
        return None;
    }
    let within = if least == 0 { FIRST_WITHIN } else { NEXT_WITHIN };
    let mut places = samples_ma.get(least..)?.windows(RUN).take(within);
    places.position(|place| place.iter().zip(run()).all(|(&s, &t)| fits(t, s))).map(|found| least + found)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn wave(k: usize) -> f32 {
        let k = k as f32 * 0.0005;
        0.2 * (39.0 * k).sin() + 0.1 * (251.0 * k).sin() + 0.05 * (91.7 * k).cos()
    }

    #[test]
    fn ticks_are_told_which_sample_they_played_and_gaps_are_seen() {
        let samples: Vec<f32> = (0..4_000).map(wave).collect();
        let step = 2.5 / 2_048.0;
        let dac = |v: f32| (v / step).round() * step;
        // From sample 700 on, after other values; 30 samples are left out at 2,000.
        let mut ticks = vec![0.0; 100];
        ticks.extend(samples[700..2_000].iter().chain(&samples[2_030..]).map(|v| dac(*v)));
        let aligned = align(&ticks, 1, &samples);
        assert_eq!((aligned.breaks, aligned.pairs.first()), (1, Some(&(100, 700))));
        assert!(aligned.pairs.iter().all(|&(t, s)| s == t + 600 || s == t + 630));
        assert!(aligned.pairs.len() > 3_200 && aligned.pairs.last() == Some(&(3_369, 3_999)));
        // Two ticks a sample, straight lines between.
        let ticks: Vec<f32> =
            samples[900..].windows(2).flat_map(|w| [w[0], (w[0] + w[1]) / 2.0]).skip(1).collect();
        let aligned = align(&ticks, 2, &samples);
        assert_eq!((aligned.breaks, aligned.pairs.first()), (0, Some(&(1, 901))));
    }

    #[test]
    fn what_does_not_fit_is_not_aligned() {
        let samples: Vec<f32> = (0..4_000).map(wave).collect();
        let ticks: Vec<f32> = samples.iter().map(|v| v * 0.97).collect();
        assert_eq!(align(&ticks, 1, &samples), Aligned::default());
    }
}
