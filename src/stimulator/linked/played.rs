//! What the device has played, sample by sample, where only its telemetry tells: how many samples it has
//! reached, and in which state.
//!
//! The current is the queued sample under the device's own ramps, which are part of the firmware's contract:
//! a raised cosine of 5 s at the start of each burst, and one of 1 s after a soft stop, whose start is known to
//! within one telemetry interval. The fade of an underrun and the ramp after a fault are not in it: no sample
//! is reached there.

use tras_device::hard::{RAMP_UP_US, SAMPLE_US, SOFT_STOP_US};
use tras_wire::{State, Telemetry};

use super::{clock::Clock, outbox::Outbox};
use crate::stimulator::Delivered;

/// See the module.
#[derive(Clone, Debug, Default)]
pub(super) struct Played {
    next: u64,
    burst_start: u64,
    /// Of the ramp, from 0 to 1.
    position: f64,
    falling: bool,
    /// The device's time of sample 0, had it played from there without a pause, in us.
    anchor_us: Option<f64>,
}

impl Played {
    /// A burst begins with the sample of this index; after a stop nothing before it is played any more.
    pub(super) fn begin(&mut self, index: u64, after_stop: bool) {
        self.burst_start = index;
        if after_stop {
            self.next = index;
        }
    }

    /// Hands out what was reached since the last telemetry.
    pub(super) fn heed(
        &mut self,
        telemetry: &Telemetry,
        outbox: &Outbox,
        clock: &Clock,
        each: &mut dyn FnMut(Delivered),
    ) {
        self.falling = telemetry.state == State::RampDown;
        let reached = telemetry.delivered.min(outbox.made());
        if reached <= self.next {
            return;
        }
        let anchor_us = self.anchor(telemetry.at_us, reached);
        for index in self.next..reached {
            let gain = self.gain(index);
            let at_us = anchor_us + index as f64 * f64::from(SAMPLE_US);
            if let (Some(sample_ma), Some(stamp_s)) =
                (outbox.sample(index), clock.host_s(at_us.max(0.0) as u64))
            {
                each(Delivered { index, stamp_s, current_ma: (f64::from(sample_ma) * gain) as f32 });
            }
        }
        self.next = reached;
    }

    /// The last sample was reached at most one sample's time before the telemetry was written; the earliest
    /// such bound is the sharpest, until a pause makes it wrong.
    fn anchor(&mut self, at_us: u64, reached: u64) -> f64 {
        let sample_us = f64::from(SAMPLE_US);
        let bound_us = at_us as f64 - (reached - 1) as f64 * sample_us;
        let anchor_us = match self.anchor_us {
            Some(old_us) if (old_us..old_us + 2.0 * sample_us).contains(&bound_us) => old_us,
            _ => bound_us,
        };
        self.anchor_us = Some(anchor_us);
        anchor_us
    }

    fn gain(&mut self, index: u64) -> f64 {
        if index == self.burst_start {
            self.position = 0.0;
        }
        let step = |over_us: u32| f64::from(SAMPLE_US) / f64::from(over_us);
        self.position = if self.falling {
            (self.position - step(SOFT_STOP_US)).max(0.0)
        } else {
            (self.position + step(RAMP_UP_US)).min(1.0)
        };
        0.5 - 0.5 * (std::f64::consts::PI * self.position).cos()
    }
}
