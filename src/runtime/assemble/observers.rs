//! `[record]` and `[outlets]`: what a run leaves behind, and what the screen shows before anything has happened.

use std::path::{Path, PathBuf};

use super::Order;
use crate::{
    acquisition::{Channel, StreamDescription},
    clock,
    dashboard::{View, state::TargetView},
    failure::Failure,
    markers::MarkersOrder,
    outlets::{OutletSettings, remote::RemoteOrder},
    recorder::{Recorder, SessionStreams, disk::Disk},
    runtime::{audited::Audited, keep::Keeper},
    session::{
        audit::{AuditLog, new_session},
        dose::{self, DoseLedger},
        hash::{Hash, build},
        moment::Moment,
        recorded::SITTING,
    },
    stimulator::Stimulator,
};

impl Order {
    /// The participant's ledger, where `stimulates` and the stimulator is real: nothing flows into a person from a
    /// simulation.
    ///
    /// # Errors
    /// It cannot be read, or the day's limit is reached.
    pub(super) fn ledger(&self, stimulates: bool) -> Result<Option<DoseLedger>, Failure> {
        if !(stimulates && self.config.stimulator.kind.is_real()) {
            return Ok(None);
        }
        let (record, limits) = (&self.config.record, &self.config.limits);
        let folder =
            record.ledger.clone().map(PathBuf::from).or_else(dose::state_folder).ok_or_else(|| {
                Failure::usage(
                    "record.ledger: no home folder to keep the day's dose in; name a folder that stays",
                )
            })?;
        DoseLedger::open(&folder, &record.participant, limits.daily_min, clock::unix_s())
            .map(Some)
            .map_err(Failure::usage)
    }

    /// Streams of markers that are heard: those that the configuration names, and those that a protocol pins.
    pub(super) fn marker_order(&self) -> MarkersOrder {
        let protocol = self.config.protocol.iter().flat_map(|protocol| &protocol.markers);
        let mut source_ids: Vec<String> = protocol.map(|rule| rule.source_id.clone()).collect();
        if self.config.task.is_some() {
            // The session's own task is heard within the program.
            source_ids.retain(|id| id != crate::task::markers::STREAM);
        }
        source_ids.sort();
        source_ids.dedup();
        MarkersOrder { streams: self.config.markers.streams.clone(), source_ids }
    }

    /// Streams of our own, where the configuration wants them.
    pub(super) fn outlets(&self, targets: Vec<String>, current_rate_hz: f64) -> Option<RemoteOrder> {
        let outlets = &self.config.outlets;
        let settings = OutletSettings { prefix: outlets.prefix.clone(), notes: Vec::new() };
        outlets.enabled.then_some(RemoteOrder {
            settings,
            targets,
            current_rate_hz: self.config.stimulates().then_some(current_rate_hz),
            to_network: outlets.network,
        })
    }

    /// The recorder, where there is a folder for it.
    ///
    /// # Errors
    /// The file cannot be made.
    pub(super) fn keeper(
        &self,
        stream: &StreamDescription,
        eeg: &[Channel],
        targets: &[String],
        current_rate_hz: f64,
        now_s: f64,
    ) -> Result<Option<Keeper>, Failure> {
        let Some(folder) = &self.record else { return Ok(None) };
        let session = self.session_streams(stream, eeg, targets.to_vec(), current_rate_hz, now_s);
        let recorder = Recorder::create(folder, "session", &session, now_s).map_err(Failure::usage)?;
        let mut keeper = Keeper::new(recorder, current_rate_hz, self.config.record.eeg, now_s);
        if self.wall_clock.is_some() {
            let disk = Disk::in_thread();
            keeper =
                keeper.with_disk(disk.map_err(|e| Failure::Fault(format!("cannot start a thread: {e}")))?);
        }
        Ok(Some(keeper.with_audit(self.audit(folder, current_rate_hz, now_s)?)))
    }

    /// The audit log of the recording's folder, where there are keys to sign it.
    ///
    /// # Errors
    /// It cannot be begun: the folder has one, or there is no room.
    fn audit(&self, folder: &Path, current_rate_hz: f64, now_s: f64) -> Result<Option<Audited>, Failure> {
        // A session by a protocol has a log of its own, which knows of boxes and sealed chunks.
        if self.session.is_some() {
            return Ok(None);
        }
        let Some(keys) = self.keys.clone() else { return Ok(None) };
        let at = Moment::now(now_s);
        let mut about = serde_json::Map::new();
        for (name, text) in self.about(current_rate_hz) {
            // The configuration stands beside the log; its hash is enough.
            let text = if name == "configuration" { Hash::of(text.as_bytes()).to_string() } else { text };
            about.insert(name, text.into());
        }
        let log = AuditLog::create(folder, &new_session(), about.into(), at).map_err(Failure::usage)?;
        Ok(Some(Audited::new(log, keys, self.wall_clock.is_some(), at)))
    }

    /// What the recording's headers say. `eeg`: the chosen channels.
    #[must_use]
    pub(super) fn session_streams(
        &self,
        stream: &StreamDescription,
        eeg: &[Channel],
        targets: Vec<String>,
        rate_hz: f64,
        now_s: f64,
    ) -> SessionStreams {
        let microvolts = |channel: &Channel| Channel { unit: "microvolts".to_owned(), ..channel.clone() };
        SessionStreams {
            eeg: StreamDescription { channels: eeg.iter().map(microvolts).collect(), ..stream.clone() },
            targets,
            method: self.config.estimator.method.name().to_owned(),
            current_rate_hz: self.config.stimulates().then_some(rate_hz),
            eeg_clock_offset_s: 0.0,
            began: self.wall_clock.map(|_| Moment::now(now_s)),
            about: self.about(rate_hz),
        }
    }

    /// What made the recording: enough to repeat it, and to recompute it.
    fn about(&self, current_rate_hz: f64) -> Vec<(String, String)> {
        let mut about = vec![
            ("version".to_owned(), env!("CARGO_PKG_VERSION").to_owned()),
            ("build".to_owned(), build::id().to_owned()),
            ("command".to_owned(), self.command.to_owned()),
            ("seed".to_owned(), self.seed.to_string()),
            ("participant".to_owned(), self.config.record.participant.clone()),
        ];
        if let Some(protocol) = &self.config.protocol {
            about.push(("study".to_owned(), protocol.study.clone()));
            about.push(("session".to_owned(), protocol.session.clone()));
            if self.config.task.is_some() {
                about.push(("task".to_owned(), "delayedestimation".to_owned()));
            }
        }
        if let Some(session) = self.session.as_ref().filter(|session| session.sitting > 1) {
            about.push((SITTING.to_owned(), session.sitting.to_string()));
        }
        if self.config.stimulates() {
            about.push(("current_rate_hz".to_owned(), current_rate_hz.to_string()));
        }
        about.push(("configuration".to_owned(), self.config.to_toml()));
        about
    }

    /// What the screen shows before anything has happened.
    #[must_use]
    pub(super) fn view(
        &self,
        stream: &StreamDescription,
        labels: &[String],
        targets: &[String],
        device: Option<&dyn Stimulator>,
    ) -> View {
        let (s, l) = (&self.config.stimulation, &self.config.limits);
        let mut view = View { command: self.command.to_owned(), ..View::default() };
        view.set_stream(&stream.name, stream.rate_hz, labels);
        let named = |name: &String| TargetView { name: name.clone(), ..TargetView::default() };
        view.targets = targets.iter().map(named).collect();
        view.stream.max_age_s = self.config.stream.max_age_s;
        view.exponents.hop_s = self.config.estimator.hop_s;
        view.spectrum.region.clone_from(&self.config.estimator.steer);
        view.spectrum.range_hz = self.config.estimator.range_hz;
        view.exponents.target = self.config.controller.target_exponent;
        view.recording = self.record.as_ref().map_or_else(String::new, |dir| dir.display().to_string());
        let burst = self.burst();
        let stimulation = &mut view.stimulation;
        stimulation.enabled = self.config.stimulates();
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
}
