//! Currents on the wire: whole steps of 0.1 uA in 16 bits, one to three bytes each, because a sample every
//! 500 us is most of what the line carries.
//!
//! A step is a twelfth of the smallest that the board's DAC can make. A sample becomes the largest step that
//! is not larger than itself, so that none grows beyond a limit; that adds 0.03 uA RMS of white noise. What
//! is beyond +-3.2767 mA stays there, above any limit of the firmware; what is no number stays none.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::MAX_SAMPLES;

/// Steps in a mA.
const STEPS_PER_MA: f32 = 10_000.0;
/// Stands for what is not a number.
const NOT_A_NUMBER: i16 = i16::MIN;

type Samples<T> = heapless::Vec<T, MAX_SAMPLES>;

/// What a sample in mA is after the wire has carried it.
pub fn carried_ma(current_ma: f32) -> f32 {
    from_steps(to_steps(current_ma))
}

fn to_steps(current_ma: f32) -> i16 {
    if current_ma.is_nan() {
        return NOT_A_NUMBER;
    }
    let size_ma = current_ma.abs();
    // A cast goes toward zero and stops at the ends.
    let nearest = (size_ma * STEPS_PER_MA + 0.5) as i16;
    let steps = if from_steps(nearest) > size_ma { nearest - 1 } else { nearest };
    if current_ma < 0.0 { -steps } else { steps }
}

fn from_steps(steps: i16) -> f32 {
    if steps == NOT_A_NUMBER { f32::NAN } else { f32::from(steps) / STEPS_PER_MA }
}

pub(crate) fn serialize<S: Serializer>(current_ma: &Samples<f32>, to: S) -> Result<S::Ok, S::Error> {
    current_ma.iter().map(|&ma| to_steps(ma)).collect::<Samples<i16>>().serialize(to)
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Samples<f32>, D::Error> {
    let steps = Samples::<i16>::deserialize(from)?;
    Ok(steps.iter().map(|&s| from_steps(s)).collect())
}
