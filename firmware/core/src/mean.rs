//! The mean current over 10 s, in whole numbers.
//!
//! Three boxes of 3.35 s, one after the other. One box of 10 s lets so much of steep noise above 0.5 Hz pass its
//! side lobes (-13 dB) that it would trip without any DC; two of 5 s (-26 dB) were measured to reach 3.5 uA in
//! 10 min of noise of exponent 2 and 0.5 mA peak, against a limit of 5 uA.

const BOXES: usize = 3;
/// 67 bins of 50 ms are 3.35 s in 268 bytes.
const BOX_BINS: usize = 67;
const BIN_US: u64 = 50_000;

/// Running means in series, fed with bins of 50 ms.
#[derive(Clone, Debug)]
pub(crate) struct SlowMean {
    bin_fc: i64,
    bin_us: u64,
    boxes: [RunningSum; BOXES],
}

impl SlowMean {
    pub(crate) fn new() -> Self {
        Self { bin_fc: 0, bin_us: 0, boxes: [RunningSum::NEW; BOXES] }
    }

    /// `na` have flowed for `dt_us`.
    pub(crate) fn push(&mut self, na: i64, dt_us: u64) {
        // Longer than all boxes together, the past is forgotten whole.
        let mut left_us = dt_us.min(BIN_US * (BOXES * BOX_BINS + 1) as u64);
        while left_us > 0 {
            let step_us = left_us.min(BIN_US - self.bin_us);
            self.bin_fc += na * step_us as i64;
            self.bin_us += step_us;
            left_us -= step_us;
            if self.bin_us == BIN_US {
                let mut mean = (self.bin_fc / BIN_US as i64) as i32;
                for b in &mut self.boxes {
                    mean = b.push(mean);
                }
                (self.bin_fc, self.bin_us) = (0, 0);
            }
        }
    }

    pub(crate) fn nanoamps(&self) -> i32 {
        self.boxes.last().map_or(0, RunningSum::mean)
    }
}

#[derive(Clone, Debug)]
struct RunningSum {
    bins: [i32; BOX_BINS],
    next: usize,
    sum: i64,
}

impl RunningSum {
    const NEW: Self = Self { bins: [0; BOX_BINS], next: 0, sum: 0 };

    fn push(&mut self, value: i32) -> i32 {
        if let Some(oldest) = self.bins.get_mut(self.next) {
            self.sum += i64::from(value) - i64::from(*oldest);
            *oldest = value;
        }
        self.next = (self.next + 1) % BOX_BINS;
        self.mean()
    }

    fn mean(&self) -> i32 {
        (self.sum / BOX_BINS as i64) as i32
    }
}
