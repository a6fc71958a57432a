//! `[protocol]`: the sequencer and its conductor, the audit log, and who can open what is sealed.

use std::sync::Arc;

use crossbeam_channel::bounded;
use serde_json::json;

use super::Order;
use crate::{
    acquisition::{Channel, StreamDescription},
    failure::Failure,
    runtime::{
        conduct::{
            Board, Conducting, Conductor, Opener, SessionCourse,
            keeping::{Keeping, KeepingParts},
            task::TaskOrder,
        },
        keep::Keeper,
    },
    session::{
        allocation::Allocation,
        audit::{AuditLog, check, new_session},
        folder,
        hash::{Hash, build},
        keys::Keys,
        moment::Moment,
        private,
        protocol::Protocol,
        sequencer::Sequencer,
        verify::chunks_to_enter,
    },
    task::record::Labels,
    watch::CurrentWatch,
};

/// Keys, markers and words under way at most.
const UNDER_WAY: usize = 1_024;

impl Order {
    fn allocation(&self) -> Result<Option<Allocation>, Failure> {
        let path = self.session.as_ref().and_then(|session| session.allocation.as_ref());
        path.map(|path| Allocation::load(path).map_err(Failure::usage)).transpose()
    }

    /// The course of a session by a protocol, and what conducts it.
    ///
    /// # Errors
    /// The allocation does not fit, or there is no such block to resume at.
    pub(super) fn conducted(
        &self,
        watch: Arc<CurrentWatch>,
        day_left_s: f64,
    ) -> Result<Option<(SessionCourse, Conductor)>, Failure> {
        let (Some(session), Some(config)) = (&self.session, &self.config.protocol) else { return Ok(None) };
        let protocol = self.protocol()?;
        let opener = self.opener(&protocol)?;
        let sequencer = match session.resume {
            None => Sequencer::new(protocol.clone()),
            Some(block) => Sequencer::resumed(protocol.clone(), block)
                .ok_or_else(|| Failure::usage(format!("the session has no block {block}: it is complete")))?,
        };
        let (told_in, told_out) = bounded(UNDER_WAY);
        let (heard_in, heard_out) = bounded(UNDER_WAY);
        let board = Arc::new(Board::default());
        let course = SessionCourse::new(sequencer, told_out, heard_in, Arc::clone(&board), watch);
        let how = Conducting {
            protocol,
            config: config.clone(),
            opener,
            limits: self.config.host_limits(),
            day_left_s,
            blind: session.blind,
            electrodes_kohm: (self.config.limits.start_kohm, self.config.limits.mismatch_kohm),
            folder: self.record.clone(),
            steer: self.loop_settings().steer,
        };
        Ok(Some((course, Conductor::new(how, told_in, heard_out, board))))
    }

    /// What opens conditions.
    fn opener(&self, protocol: &Protocol) -> Result<Opener, Failure> {
        let (Some(allocation), Some(config)) = (self.allocation()?, &self.config.protocol) else {
            return Ok(Opener::none());
        };
        let identity = Keys::of_user().and_then(|keys| keys.instrument()).map_err(Failure::usage)?;
        let participant = &self.config.record.participant;
        Opener::new(allocation, config.commitment.as_deref(), identity, participant, protocol)
            .map_err(Failure::usage)
    }

    /// Refuses an allocation that does not fit, before anything is made.
    ///
    /// # Errors
    /// What does not fit, and what to do.
    pub fn check_allocation(&self) -> Result<(), Failure> {
        self.opener(&self.protocol()?).map(|_| ())
    }

    /// The task of a session's blocks, where its protocol has one.
    pub(super) fn task_order(&self) -> Option<TaskOrder> {
        let (session, folder) = (self.session.as_ref()?, self.record.as_ref()?);
        let settings = self.config.task.clone()?;
        let labels = Labels {
            participant: self.config.record.participant.clone(),
            session: self.config.protocol.as_ref()?.session.clone(),
            condition: String::new(),
        };
        Some(TaskOrder { settings, folder: folder.clone(), seed: self.seed, labels, resume: session.resume })
    }

    /// The same keeper with an audit log, in a session by a protocol.
    ///
    /// # Errors
    /// There is no recording, no key, or the log of the folder does not hold.
    pub(super) fn keeping(
        &self,
        keeper: Option<Keeper>,
        stream: &StreamDescription,
        eeg: &[Channel],
        targets: &[String],
        current_rate_hz: f64,
        now_s: f64,
    ) -> Result<Option<Keeper>, Failure> {
        let Some(session) = &self.session else { return Ok(keeper) };
        let (Some(keeper), Some(within)) = (keeper, &self.record) else {
            return Err(Failure::usage(
                "a session by a protocol is recorded: leave --no-record out, and record.enabled = true",
            ));
        };
        let keys = Keys::of_user().map_err(Failure::usage)?;
        let allocation = self.allocation()?;
        let at = match session.virtual_unix_s {
            Some(zero_s) => Moment { unix_s: zero_s + now_s, run_s: now_s },
            None => Moment::now(now_s),
        };
        let about = json!({
            "participant": self.config.record.participant,
            "session": self.config.protocol.as_ref().map(|p| p.session.clone()),
            "study": self.config.protocol.as_ref().map(|p| p.study.clone()),
            "version": env!("CARGO_PKG_VERSION"), "build": build::id(), "seed": self.seed.to_string(),
            "command": self.command, "blind": session.blind, "block": session.resume,
            "role": if session.blind { "operator" } else { "engineer" },
        });
        let log = if session.resume.is_some() {
            let chain = check::chain(within).map_err(Failure::usage)?;
            // What a killed process had sealed and not entered any more.
            let late = chunks_to_enter(within, &chain).map_err(Failure::usage)?;
            let mut log = AuditLog::resume(within, "resumed", about, at).map_err(Failure::usage)?;
            for chunk in late {
                log.append(at, "chunk", chunk.entry()).map_err(Failure::usage)?;
            }
            if let Some(block) = session.broke {
                let data = json!({"block": block, "why": "the session ended within it"});
                log.append(at, "broken", data).map_err(Failure::usage)?;
            }
            log
        } else {
            let mut log = AuditLog::create(within, &new_session(), about, at).map_err(Failure::usage)?;
            if let Some(allocation) = &allocation {
                private::write_new(&within.join(folder::ALLOCATION), allocation.to_text().as_bytes())
                    .map_err(Failure::usage)?;
                let data = json!({
                    "commitment": allocation.commitment, "study": allocation.study,
                    "participant": self.config.record.participant,
                    "session": self.config.protocol.as_ref().map(|p| p.session.clone()),
                });
                log.append(at, "allocation", data).map_err(Failure::usage)?;
            }
            if let Some(yoked) = &session.yoked {
                let (sha256, _) = Hash::of_file(&within.join(folder::YOKED)).map_err(Failure::usage)?;
                let data = json!({"session": yoked.session, "head": yoked.head, "sha256": sha256});
                log.append(at, "yoked", data).map_err(Failure::usage)?;
            }
            log
        };
        let recipients =
            allocation.as_ref().map(Allocation::recipients).transpose().map_err(Failure::usage)?;
        Ok(Some(keeper.with(Keeping::new(KeepingParts {
            log,
            keys,
            folder: within.clone(),
            blind: session.blind,
            recipients: recipients.unwrap_or_default(),
            streams: self.session_streams(stream, eeg, targets.to_vec(), current_rate_hz, now_s),
            virtual_unix_s: session.virtual_unix_s,
            blind_gap_s: self.config.stimulation.blind_gap_s,
            window_s: self.config.estimator.window_s,
        }))))
    }
}
