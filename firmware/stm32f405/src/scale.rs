//! Codes and what they mean, for one analogue stage: `firmware/README.md` derives the numbers.

/// Current at full scale of the DAC, in mA: 10 % above the analogue clamp, so that no code exceeds what the
/// clamp allows by more than its own tolerance.
const DAC_FULL_MA: f32 = 2.5;
/// Current at full scale of the ADC, in mA.
const ADC_FULL_MA: f32 = 2.5;
/// Voltage across the electrodes at full scale of the ADC, in V: 20 kOhm at 1.5 mA.
const ADC_FULL_V: f32 = 30.0;
/// Half of 12 bits: zero, for DAC and ADC alike.
const MIDDLE: f32 = 2_048.0;

/// 12 bits for the DAC inside and for the emulator.
pub fn dac12(current_ma: f32) -> u16 {
    // A float becomes an integer by saturation and a NaN by zero; the clamp takes that to the scale's ends,
    // and the device has clamped to its limits long before.
    let code = MIDDLE + current_ma * (MIDDLE / DAC_FULL_MA) + 0.5;
    (code as i32).clamp(0, 4_095) as u16
}

/// 16 bits for the DAC on SPI.
#[cfg(feature = "spi-dac")]
pub fn dac16(current_ma: f32) -> u16 {
    let code = 16.0 * (MIDDLE + current_ma * (MIDDLE / DAC_FULL_MA)) + 0.5;
    (code as i32).clamp(0, 65_535) as u16
}

/// In mA, from 12 bits.
pub fn adc_ma(code: u16) -> f32 {
    (f32::from(code) - MIDDLE) * (ADC_FULL_MA / MIDDLE)
}

/// In V, from 12 bits.
pub fn adc_v(code: u16) -> f32 {
    (f32::from(code) - MIDDLE) * (ADC_FULL_V / MIDDLE)
}
