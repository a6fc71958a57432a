//! `[stimulator]`: the adapter to the device, connected.

use super::Order;
use crate::{
    config::StimulatorKind,
    failure::Failure,
    stimulator::{
        Latched, Stimulator, StimulatorError,
        audio::{AudioSettings, AudioStimulator},
        serial::{Place, SerialStimulator},
        simulated::{Settings as SimulatedSettings, SimulatedStimulator},
    },
};

impl Order {
    /// The device, connected; `None` where nothing stimulates.
    ///
    /// # Errors
    /// See [`Order::stimulator`].
    pub(super) fn device(&self, now_s: f64) -> Result<Option<Box<dyn Stimulator>>, Failure> {
        self.config.stimulates().then(|| self.stimulator(now_s)).transpose()
    }

    /// What a person should know before current flows through `device`.
    pub(super) fn cautions(&self, device: Option<&dyn Stimulator>) -> Vec<String> {
        let Some(device) = device else { return Vec::new() };
        device.cautions().into_iter().chain(self.config.outlook().cautions).collect()
    }

    /// The device, connected: its echo of the limits is matched.
    ///
    /// # Errors
    /// It is not there, its echo differs, or it has latched a fault that the operator does not want cleared.
    pub fn stimulator(&self, now_s: f64) -> Result<Box<dyn Stimulator>, Failure> {
        let s = &self.config.stimulator;
        let mut device: Box<dyn Stimulator> = match s.kind {
            StimulatorKind::Simulated => Box::new(SimulatedStimulator::simulated(SimulatedSettings {
                queue_capacity: (s.rate_hz * s.queue_ms * 1e-3).round().clamp(1.0, 4_000.0) as u16,
                ..SimulatedSettings::default()
            })),
            StimulatorKind::Serial => {
                let usb = || s.usb_id.as_deref().and_then(Place::usb);
                let place = s.port.clone().map(Place::Path).or_else(usb);
                let place = place.ok_or_else(|| Failure::usage("stimulator.port is missing"))?;
                Box::new(SerialStimulator::at(place, s.queue_ms * 1e-3))
            }
            StimulatorKind::Audio => Box::new(AudioStimulator::at(self.audio()?)),
            StimulatorKind::None => return Err(Failure::usage("stimulator.kind is \"none\"")),
        };
        let mut wanted = self.config.host_limits().to_device();
        wanted.heartbeat_ms = self.config.limits.heartbeat_ms as u32;
        let latched = self.clear_fault.map_or(Latched::Refuse, Latched::Clear);
        device.connect(&wanted, latched, now_s).map_err(|e| match e {
            StimulatorError::Faulted { .. } | StimulatorError::NotCleared { .. } => {
                Failure::Fault(e.to_string())
            }
            other => Failure::NotFound(other.to_string()),
        })?;
        Ok(device)
    }

    /// The audio output and the current source behind it.
    ///
    /// # Errors
    /// The configuration has no such output; a checked one has.
    pub fn audio(&self) -> Result<AudioSettings, Failure> {
        let s = &self.config.stimulator;
        let missing = |key: &str| Failure::usage(format!("stimulator.{key} is missing"));
        if !s.external_limits {
            return Err(Failure::usage("stimulator.external_limits: audio has no independent watchdog"));
        }
        Ok(AudioSettings {
            device: s.device.clone().ok_or_else(|| missing("device"))?,
            channel: s.channel.ok_or_else(|| missing("channel"))?,
            rate_hz: s.audio_rate_hz(),
            scale_ma_per_v: s.scale_ma_per_v.ok_or_else(|| missing("scale_ma_per_v"))?,
            full_scale_v: s.full_scale_v.ok_or_else(|| missing("full_scale_v"))?,
            rolloff_hz: s.rolloff_hz,
            peak_ma: self.config.limits.peak_ma,
            queue_s: s.queue_ms * 1e-3,
        })
    }
}
