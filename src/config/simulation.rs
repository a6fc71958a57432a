//! `[simulation]`: the virtual participant of `tras demo`. No other command reads it.

use serde::Serialize;

use super::estimator::read_line;
use super::section::{Section, within};
use crate::acquisition::frame::MAX_CHANNELS;

/// The virtual participant of `tras demo`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Simulation {
    /// Sampling rate, in Hz.
    pub rate_hz: f64,
    /// Channels of EEG.
    pub channels: u32,
    /// Exponent of the background while nothing stimulates.
    pub exponent: f64,
    /// How far the participant's exponent follows the stimulation's: 0 not at all, 1 all the way. Invented for the
    /// demonstration; no study has measured it.
    pub response_gain: f64,
    /// Time constant of that, in s. Invented likewise.
    pub response_tau_s: f64,
    /// Mains frequency, 50 or 60 Hz; 0 for none.
    pub line_hz: f64,
    /// Alpha while it is on: RMS, in uV.
    pub alpha_uv: f64,
    /// Theta while it is on: RMS, in uV.
    pub theta_uv: f64,
}

impl Simulation {
    pub(super) fn read(s: &mut Section<'_, '_, '_>) -> Self {
        let most = u32::try_from(MAX_CHANNELS).unwrap_or(256);
        let simulation = Self {
            rate_hz: s.number("rate_hz", 250.0, within(64.0, 20_000.0, "Hz")),
            channels: s.count("channels", 8, 1, most),
            // Resting exponents of the scalp over 2..35 Hz lie around 1 to 2.
            exponent: s.number("exponent", 1.5, within(0.0, 3.0, "")),
            response_gain: s.number("response_gain", 0.3, within(-1.0, 1.0, "")),
            response_tau_s: s.number("response_tau_s", 20.0, within(0.1, 3600.0, "s")),
            line_hz: read_line(s, 50.0),
            alpha_uv: s.number("alpha_uv", 8.0, within(0.0, 200.0, "uV")),
            theta_uv: s.number("theta_uv", 4.0, within(0.0, 200.0, "uV")),
        };
        s.done();
        simulation
    }
}
