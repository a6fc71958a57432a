//! The messages between host and stimulator, and their framing.
#![no_std]

use serde::{Deserialize, Serialize};

/// The limits that a device enforces on its own, sent by the host before arming and echoed.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Limits {
    /// Largest |current|, in mA.
    pub peak_ma: f32,
    /// Largest |mean current| over 10 s, in mA.
    pub dc_ma: f32,
    /// Largest change, in mA/ms.
    pub slew_ma_per_ms: f32,
    /// Largest |integral of the current| since the burst began, in mC.
    pub net_charge_mc: f32,
    /// Largest integral of |current| since arming, in mC.
    pub total_charge_mc: f32,
    /// Longest stimulation since arming, in s.
    pub active_s: f32,
    /// Longest silence of the host, in ms.
    pub heartbeat_ms: u32,
}
