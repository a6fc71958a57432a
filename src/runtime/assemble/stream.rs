//! `[stream]` and `[simulation]`: where the EEG comes from.

use super::Order;
use crate::{
    acquisition::settings::{AcquisitionSettings, StreamChoice},
    simulation::{
        montage, participant::ParticipantSettings, response::ResponseSettings, rhythm::RhythmSettings,
    },
};

impl Order {
    /// What acquisition is told.
    #[must_use]
    pub fn acquisition(&self) -> AcquisitionSettings {
        let stream = &self.config.stream;
        AcquisitionSettings {
            choice: StreamChoice {
                name: stream.name.clone(),
                // A predicate says all that there is to say.
                kind: stream.predicate.is_none().then(|| stream.kind.clone()),
                source_id: stream.source_id.clone(),
                predicate: stream.predicate.clone(),
            },
            unit: stream.unit.map(|unit| unit.name().to_owned()),
            channels: stream.channels.clone(),
            reference: stream.reference.clone(),
            lost_after_s: stream.lost_after_s,
            max_age_s: stream.max_age_s,
            settle_s: stream.settle_s,
            range_uv: stream.range_uv,
            ..AcquisitionSettings::default()
        }
    }

    /// The virtual participant of a demo.
    #[must_use]
    pub fn participant(&self) -> ParticipantSettings {
        let s = &self.config.simulation;
        ParticipantSettings {
            rate_hz: s.rate_hz,
            labels: montage::labels(s.channels as usize),
            exponent: s.exponent,
            rhythms: vec![RhythmSettings::alpha(s.alpha_uv), RhythmSettings::theta(s.theta_uv)],
            line_hz: s.line_hz,
            response: ResponseSettings {
                gain: s.response_gain,
                rise_s: s.response_tau_s,
                ..ResponseSettings::default()
            },
            ..ParticipantSettings::default()
        }
    }
}
