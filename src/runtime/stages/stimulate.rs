//! Stimulate: commands -> noise -> limits -> the device's queue, and the device's word back.
//!
//! **Deadline**: the device holds at least 20 ms of samples. When it is missed the device's queue runs dry,
//! the device ramps itself down and latches a fault: this stage is the only one whose delay a participant
//! could feel, and so it has the highest priority and the device does not trust it.

use std::sync::Arc;

use crate::{
    controller::Decision,
    current::{Current, CurrentEvent, StartCurrent},
    noise::Profile,
    runtime::{
        observation::{Halt, Note, Notes},
        stages::closed_loop::Command,
        watch::CurrentWatch,
    },
    stimulator::{Delivered, State, Status, Stimulator, Stop},
};

/// Most samples that are made and queued in one step.
const BLOCK: usize = 512;
/// The device's word is passed on this often.
const STATUS_EVERY_S: f64 = 0.05;

/// What every burst has in common.
#[derive(Clone, Copy, Debug)]
pub struct BurstSettings {
    /// Which noise.
    pub profile: Profile,
    /// Its largest |current|, in mA.
    pub peak_ma: f64,
}

/// The host's current and the device that takes it.
pub struct StimulateStage {
    burst: BurstSettings,
    current: Current,
    device: Box<dyn Stimulator>,
    watch: Arc<CurrentWatch>,
    notes: Notes,
    samples_ma: Vec<f32>,
    /// The newest decision; the next burst begins with it.
    decision: Decision,
    status: Option<Status>,
    /// Samples queued since arming.
    queued: u64,
    told_status_s: f64,
    /// A fault, or the end: nothing starts any more.
    locked: bool,
    /// Largest delivered |current|, and the sums for the summary.
    pub delivered: DeliveredTally,
}

/// Adds up the current as the device delivered it.
#[derive(Clone, Copy, Debug, Default)]
pub struct DeliveredTally {
    /// Samples that left while the device was stimulating.
    pub samples: u64,
    /// Largest |current|, in mA.
    pub peak_ma: f64,
    /// Sum of squares, in mA^2.
    pub squares: f64,
    /// Sum of |current|, in mA.
    pub absolute: f64,
}

impl DeliveredTally {
    fn push(&mut self, current_ma: f32) {
        let ma = f64::from(current_ma).abs();
        self.samples += 1;
        self.peak_ma = self.peak_ma.max(ma);
        self.squares += ma * ma;
        self.absolute += ma;
    }
}
