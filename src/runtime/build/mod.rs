//! From a checked configuration to the parts that run: sample counts, buffers, limits. The last place that
//! sees a configuration.

mod estimator;

use std::path::PathBuf;

use crate::{
    acquisition::{
        Channel, StreamDescription,
        settings::{AcquisitionSettings, Reference, StreamChoice},
    },
    config::{self, Config, LawName, ProfileName, StimulatorKind},
    controller::{Controller, ControllerSettings, Law, adaptive::Adaptive, fixed::Fixed},
    current::{Current, Setup},
    dashboard::View,
    failure::Failure,
    limits::HostLimits,
    noise::{NoiseError, Parameters, Profile, profile::check_seed},
    recorder::SessionStreams,
    runtime::stages::{closed_loop::LoopSettings, stimulate::BurstSettings},
    session::schedule::Schedule,
    simulation::{
        montage, participant::ParticipantSettings, response::ResponseSettings, rhythm::RhythmSettings,
    },
    stimulator::{
        Latched, Stimulator, StimulatorError,
        audio::{AudioSettings, AudioStimulator},
        serial::{Place, SerialStimulator},
        simulated::{Settings as SimulatedSettings, SimulatedStimulator},
    },
};

/// A seed is judged by its first ten minutes of noise, in s.
const SEED_CHECKED_S: f64 = 600.0;

/// A run as it was asked for: the configuration and what the command line says over it.
#[derive(Clone, Debug)]
pub struct Built {
    /// Checked.
    pub config: Config,
    /// `run`, `demo` or `monitor`.
    pub command: &'static str,
    /// Seed of the noise, and of a simulation.
    pub seed: u64,
    /// End after so many seconds.
    pub seconds: Option<f64>,
    /// Folder of the recording.
    pub record: Option<PathBuf>,
    /// When the run was asked for, in s since 1970; `None` in virtual time, whose bytes must repeat.
    pub wall_clock: Option<u64>,
    /// Seconds to wait for the stream at the start.
    pub patience_s: f64,
    /// The operator wants a fault cleared that the device has latched in an earlier run.
    pub clear_fault: bool,
}

pub(super) fn usage(error: impl std::fmt::Display) -> Failure {
    Failure::Usage(error.to_string())
}

impl Built {
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
            reference: match &stream.reference {
                config::Reference::None => Reference::None,
                config::Reference::Average => Reference::Average,
                config::Reference::Channels(labels) => Reference::Channels(labels.clone()),
            },
            lost_after_s: stream.lost_after_s,
            max_age_s: stream.max_age_s,
            settle_s: stream.settle_s,
            range_uv: stream.range_uv,
            ..AcquisitionSettings::default()
        }
    }

    /// Whether current is to flow at all.
    #[must_use]
    pub fn stimulates(&self) -> bool {
        self.config.stimulation.enabled && self.config.stimulator.kind != StimulatorKind::None
    }

    /// The session's plan, `None` without stimulation.
    #[must_use]
    pub fn schedule(&self) -> Option<Schedule> {
        let s = &self.config.stimulation;
        self.stimulates().then_some(Schedule {
            baseline_s: s.baseline_s,
            block_s: s.block_s,
            gap_s: s.gap_s,
            blocks: s.blocks,
            ramp_down_s: s.ramp_down_s,
        })
    }

    /// What the loop goes by.
    #[must_use]
    pub fn loop_settings(&self) -> LoopSettings {
        LoopSettings {
            schedule: self.schedule(),
            steer: self.config.estimator.steering_region(),
            blind_gap_s: self.config.stimulation.blind_gap_s,
            max_age_s: self.config.stream.max_age_s,
        }
    }

    /// The least and the largest exponent that the law may give.
    fn exponent_bounds(&self) -> (f64, f64) {
        let c = &self.config.controller;
        match c.law {
            // An open loop gives what the protocol says, whatever an adaptive law would be bounded by.
            LawName::Fixed => (self.config.stimulation.exponent, self.config.stimulation.exponent),
            LawName::Adaptive => (c.exponent_min, c.exponent_max),
        }
    }

    /// The control law within its bounds.
    ///
    /// # Errors
    /// An adaptive law without a target; a checked configuration has one.
    pub fn controller(&self) -> Result<Controller, Failure> {
        let c = &self.config.controller;
        let start = self.config.stimulation.exponent;
        let (min, max) = self.exponent_bounds();
        let settings = ControllerSettings {
            start_exponent: start.clamp(min, max),
            min_exponent: min,
            max_exponent: max,
        };
        let law: Box<dyn Law> = match c.law {
            LawName::Fixed => Box::new(Fixed),
            LawName::Adaptive => {
                let target =
                    c.target_exponent.ok_or_else(|| usage("controller.target_exponent is missing"))?;
                Box::new(Adaptive::new(target, c.gain_p, c.gain_i, settings))
            }
        };
        Ok(Controller::new(law, settings))
    }

    /// The host's limits.
    #[must_use]
    pub fn limits(&self) -> HostLimits {
        let l = &self.config.limits;
        HostLimits {
            peak_ma: l.peak_ma,
            dc_ma: l.dc_max_ua * 1e-3,
            slew_ma_per_ms: l.slew_ma_per_ms,
            net_charge_mc: l.net_charge_mc,
            total_charge_mc: l.total_charge_c * 1e3,
            active_s: l.active_min * 60.0,
            electrode_area_cm2: self.config.stimulation.electrode_area_cm2,
            ..HostLimits::default()
        }
    }

    /// From where a mean current over 10 s deserves a warning, in mA.
    #[must_use]
    pub fn dc_warn_ma(&self) -> f64 {
        self.config.limits.dc_warn_ua * 1e-3
    }

    /// The noise of a burst, at the exponent that the session begins with.
    fn noise(&self) -> Parameters {
        let s = &self.config.stimulation;
        Parameters { exponent: s.exponent, band_hz: (s.band_hz[0], s.band_hz[1]), peak_ma: s.peak_ma }
    }

    /// Refuses a seed whose noise would be clipped too often over a session; one that nobody asked for is
    /// replaced by the next that will do.
    ///
    /// # Errors
    /// The seed, if it was asked for, and which one would pass.
    pub fn check_seed(&mut self, asked_for: bool) -> Result<(), Failure> {
        if !self.stimulates() {
            return Ok(());
        }
        let rate_hz = self.config.stimulator.rate_hz;
        let samples = (SEED_CHECKED_S * rate_hz) as u64;
        match check_seed(&self.noise(), rate_hz, self.seed, samples) {
            Ok(_) => Ok(()),
            Err(NoiseError::Seed { better: Some(better), .. }) if !asked_for => {
                self.seed = better;
                Ok(())
            }
            Err(error) => Err(usage(error)),
        }
    }

    /// What every burst has in common.
    #[must_use]
    pub fn burst(&self) -> BurstSettings {
        let s = &self.config.stimulation;
        let profile = match s.profile {
            ProfileName::Steep => Profile::Steep,
            ProfileName::Flat => Profile::Flat,
            ProfileName::Sham => Profile::Sham,
        };
        BurstSettings {
            profile,
            peak_ma: s.peak_ma,
            rms_ma: self.noise().rms_ma(),
            start_kohm: self.config.limits.start_kohm,
        }
    }

    /// The host's current, disarmed.
    ///
    /// # Errors
    /// A limit beyond its hard limit, a noise that cannot be made at the device's rate, or a law whose bounds hold
    /// an exponent that a burst would be refused for: better told now than at the third block.
    pub fn current(&self, rate_hz: f64) -> Result<Current, Failure> {
        let s = &self.config.stimulation;
        let setup = Setup {
            rate_hz,
            band_hz: (s.band_hz[0], s.band_hz[1]),
            ramp_up_s: s.ramp_up_s,
            ramp_down_s: s.ramp_down_s,
            arm_expires_s: s.gap_s + s.baseline_s + 60.0,
            ..Setup::new(self.limits(), self.seed)
        };
        let current = Current::new(&setup).map_err(usage)?;
        let (min, max) = self.exponent_bounds();
        for exponent in [s.exponent, min, max] {
            current.check(exponent, s.peak_ma).map_err(|e| usage(format!("[stimulation] {e}")))?;
        }
        Ok(current)
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
                let place = place.ok_or_else(|| usage("stimulator.port is missing"))?;
                Box::new(SerialStimulator::at(place, s.queue_ms * 1e-3))
            }
            StimulatorKind::Audio => Box::new(AudioStimulator::at(self.audio()?)),
            StimulatorKind::None => return Err(usage("stimulator.kind is \"none\"")),
        };
        let mut wanted = self.limits().to_device();
        wanted.heartbeat_ms = self.config.limits.heartbeat_ms as u32;
        let latched = if self.clear_fault { Latched::Clear } else { Latched::Refuse };
        device.connect(&wanted, latched, now_s).map_err(|e| match e {
            StimulatorError::Faulted { .. } => Failure::Fault(e.to_string()),
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
        let missing = |key: &str| usage(format!("stimulator.{key} is missing"));
        if !s.external_limits {
            return Err(usage("stimulator.external_limits: audio has no independent watchdog"));
        }
        Ok(AudioSettings {
            device: s.device.clone().ok_or_else(|| missing("device"))?,
            channel: s.channel.ok_or_else(|| missing("channel"))?,
            // Below 8 kHz it is not meant for the output: the stream of samples has 2,000 a second.
            rate_hz: (s.rate_hz >= 8_000.0).then_some(s.rate_hz as u32),
            scale_ma_per_v: s.scale_ma_per_v.ok_or_else(|| missing("scale_ma_per_v"))?,
            full_scale_v: s.full_scale_v.ok_or_else(|| missing("full_scale_v"))?,
            rolloff_hz: s.rolloff_hz,
            peak_ma: self.config.limits.peak_ma,
            queue_s: s.queue_ms * 1e-3,
        })
    }

    /// What the recording's headers say. `eeg`: the chosen channels.
    #[must_use]
    pub fn session_streams(
        &self,
        stream: &StreamDescription,
        eeg: &[Channel],
        targets: Vec<String>,
        rate_hz: f64,
    ) -> SessionStreams {
        let microvolts = |channel: &Channel| Channel { unit: "microvolts".to_owned(), ..channel.clone() };
        SessionStreams {
            eeg: StreamDescription { channels: eeg.iter().map(microvolts).collect(), ..stream.clone() },
            targets,
            method: self.config.estimator.method.name().to_owned(),
            current_rate_hz: self.stimulates().then_some(rate_hz),
            eeg_clock_offset_s: 0.0,
            created: self.wall_clock.map(|s| format!("@{s}")),
        }
    }

    /// What the screen shows before anything has happened.
    #[must_use]
    pub fn view(
        &self,
        stream: &StreamDescription,
        labels: &[String],
        device: Option<&dyn Stimulator>,
    ) -> View {
        let (s, l) = (&self.config.stimulation, &self.config.limits);
        let mut view = View { command: self.command.to_owned(), ..View::default() };
        view.set_stream(&stream.name, stream.rate_hz, labels);
        view.spectrum.region.clone_from(&self.config.estimator.steer);
        view.spectrum.range_hz = self.config.estimator.range_hz;
        view.exponents.target = self.config.controller.target_exponent;
        view.recording = self.record.as_ref().map_or_else(String::new, |dir| dir.display().to_string());
        let burst = self.burst();
        let stimulation = &mut view.stimulation;
        stimulation.enabled = self.stimulates();
        stimulation.device = device.map_or_else(String::new, |device| device.name().to_owned());
        stimulation.profile = burst.profile.name().to_owned();
        stimulation.exponent = s.exponent;
        stimulation.peak_ma = s.peak_ma;
        stimulation.rms_ma = burst.rms_ma;
        stimulation.blocks = s.blocks;
        stimulation.active_limit_s = l.active_min * 60.0;
        stimulation.charge_limit_c = l.total_charge_c;
        view
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
