//! What the simulated device is, and what goes wrong with it.

/// What the simulated device is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    /// How much faster its clock runs than the caller's, in parts per million.
    pub rate_error_ppm: f64,
    /// Samples that its queue holds.
    pub queue_capacity: u16,
    /// Updates of its DAC a second, a multiple of 2,000 that divides 1,000,000.
    pub dac_rate_hz: u32,
    /// Makes session numbers differ between devices.
    pub entropy: u32,
}

impl Default for Settings {
    /// 100 ms of queue, 4,000 updates a second, a perfect clock.
    fn default() -> Self {
        Self { rate_error_ppm: 0.0, queue_capacity: 200, dac_rate_hz: 4_000, entropy: 1 }
    }
}

/// What goes wrong, as long as it is set. For tests and for showing what a fault looks like.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Injected {
    /// Nothing passes the line, either way.
    pub link_lost: bool,
    /// Samples are lost on the way, so that the queue runs dry.
    pub samples_lost: bool,
    /// The emergency stop is pressed.
    pub e_stop: bool,
    /// The DAC does not answer.
    pub dac_failed: bool,
    /// The DAC puts out this current whatever is commanded, in mA.
    pub dac_stuck_ma: Option<f32>,
    /// The measured current over the real one.
    pub readback_gain: f32,
    /// Of the electrodes, in kOhm.
    pub impedance_kohm: f32,
}

impl Default for Injected {
    /// Nothing wrong, and 5 kOhm.
    fn default() -> Self {
        Self {
            link_lost: false,
            samples_lost: false,
            e_stop: false,
            dac_failed: false,
            dac_stuck_ma: None,
            readback_gain: 1.0,
            impedance_kohm: 5.0,
        }
    }
}
