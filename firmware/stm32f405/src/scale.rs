//! Codes and what they mean, for one analogue stage: `firmware/README.md` derives the numbers.
//!
//! The ADC measures by VDDA, and its mid-scale is a reference of its own, 1.65 V. So every reading is put right by
//! the supply as VREFINT tells it; taken for 3.3 V, a supply 2 % off would hide 50 uA of direct current.

/// Current at full scale of the DAC, in mA: 10 % above the analogue clamp, so that no code exceeds what the
/// clamp allows by more than its own tolerance.
const DAC_FULL_MA: f32 = 2.5;
/// Current at full scale of the readback, in mA.
const ADC_FULL_MA: f32 = 2.5;
/// Voltage across the electrodes at full scale of its divider, in V: 20 kOhm at 1.5 mA.
const ADC_FULL_V: f32 = 30.0;
/// Steps of 12 bits.
const STEPS: f32 = 4_096.0;
/// The reference of mid-scale, in V, which is 0 mA and 0 V for readback and, without `spi-dac`, for the DAC.
const MIDDLE_V: f32 = 1.65;
/// The supply at which VREFINT was measured in the factory, in V.
pub const CALIBRATED_AT_V: f32 = 3.3;

/// 12 bits for the DAC inside, which makes its volts from `vdda_v`.
#[cfg(all(not(feature = "spi-dac"), not(feature = "emulator")))]
pub fn dac12_at(current_ma: f32, vdda_v: f32) -> u16 {
    to_code(MIDDLE_V * (1.0 + current_ma / DAC_FULL_MA) / vdda_v * STEPS)
}

/// 12 bits for the emulator.
#[cfg(feature = "emulator")]
pub fn dac12(current_ma: f32) -> u16 {
    to_code(STEPS / 2.0 * (1.0 + current_ma / DAC_FULL_MA))
}

#[cfg(any(feature = "emulator", not(feature = "spi-dac")))]
fn to_code(steps: f32) -> u16 {
    // A float becomes an integer by saturation and a NaN by zero; the clamp takes that to the scale's ends,
    // and the device has clamped to its limits long before.
    ((steps + 0.5) as i32).clamp(0, 4_095) as u16
}

/// 16 bits for the DAC on SPI, around its own reference.
#[cfg(all(feature = "spi-dac", not(feature = "emulator")))]
pub fn dac16(current_ma: f32) -> u16 {
    let code = 32_768.0 * (1.0 + current_ma / DAC_FULL_MA) + 0.5;
    (code as i32).clamp(0, 65_535) as u16
}

/// Volts above mid-scale, as a share of it, from 12 bits.
fn share(code: u16, vdda_v: f32) -> f32 {
    f32::from(code) / STEPS * vdda_v / MIDDLE_V - 1.0
}

/// In mA, from 12 bits.
pub fn adc_ma(code: u16, vdda_v: f32) -> f32 {
    share(code, vdda_v) * ADC_FULL_MA
}

/// In V, from 12 bits.
pub fn adc_v(code: u16, vdda_v: f32) -> f32 {
    share(code, vdda_v) * ADC_FULL_V
}

/// The supply, in V, from what VREFINT reads now and what it read at [`CALIBRATED_AT_V`]; 0 where either cannot be
/// right (VREFINT is 1.18 to 1.24 V).
pub fn vdda_v(code: f32, calibration: u16) -> f32 {
    let known = (1_460..=1_545).contains(&calibration) && code > 0.0;
    if known { CALIBRATED_AT_V * f32::from(calibration) / code } else { 0.0 }
}
