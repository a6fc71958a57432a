//! The observe thread: everything that flowed, to the screen's view, the outlets and the record thread.
//!
//! The loop rings when an estimate is there; for all else it looks a hundred times a second. Batches for the record thread go by a bounded
//! channel: a disk that stalls costs recorded data, which is counted, and nothing else.

use std::{sync::Arc, time::Duration};

use crossbeam_channel::{Receiver, Sender, TrySendError};
use ringbuf::{HeapCons, traits::Consumer};

use super::{
    control::{Control, Watched},
    json_lines::JsonLines,
    refit::Refitter,
    session::LiveSession,
};
use crate::{
    acquisition::frame::FrameHeader,
    clock,
    estimator::{Contamination, Estimate},
    outlets::remote::RemoteOutlets,
    ring::FrameConsumer,
    runtime::{
        conduct::Source,
        digest::Digest,
        events,
        keep::{CurrentRuns, Entry},
        observation::{Note, Stamped},
        view_feed::ViewFeed,
    },
    stimulator::Delivered,
};

/// The longest between two rounds.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// Everything that the thread owns.
pub(super) struct Observer {
    /// Notes of the stages.
    pub notes: Receiver<Stamped>,
    /// Frames, as acquired.
    pub frames: FrameConsumer,
    /// Samples of current, as delivered.
    pub delivered: HeapCons<Delivered>,
    /// Markers of other programs.
    pub markers: Receiver<(f64, Source, String)>,
    /// What the screen shows.
    pub feed: ViewFeed,
    /// Our streams.
    pub outlets: Option<RemoteOutlets>,
    /// To the record thread.
    pub record: Option<Sender<Entry>>,
    /// The summary in the making.
    pub digest: Digest,
    /// A block runs, as last told.
    pub block: bool,
    /// No current, and the blind gap is over, as last told.
    pub clean: bool,
    /// What conducts a session by a protocol.
    pub session: Option<LiveSession>,
    /// Makes estimators for the rate at which the stream really runs.
    pub refitter: Refitter,
    /// The lines that a script reads.
    pub told: Option<JsonLines>,
    /// Names of what is estimated.
    pub targets: Vec<String>,
    /// Why what is there in place of a lost stream is not taken.
    pub news: Option<Receiver<String>>,
    /// Shared words.
    pub control: Arc<Control>,
    /// Entries and outlet samples that were dropped.
    pub dropped: u64,
}

impl Observer {
    /// Observes until told to quit, and once more after that, so that nothing told before the end is missed.
    pub(super) fn run(mut self) -> (Digest, u64, Option<JsonLines>) {
        let mut runs = CurrentRuns::new();
        let mut values = vec![0.0; self.frames.width()];
        loop {
            self.control.beat_of(Watched::Observer, clock::now_s());
            let last = self.control.quits();
            let rung = self.control.observe_bell.seen();
            // Estimates first: others wait for them.
            self.notes();
            self.news();
            self.frames(&mut values);
            self.delivered(&mut runs);
            while let Ok((stamp_s, source, text)) = self.markers.try_recv() {
                if let Some(session) = &mut self.session {
                    session.marker(&source, &text);
                }
                self.keep(Entry::Marker(stamp_s, text));
            }
            if let Some(session) = &mut self.session {
                for entry in session.turn(clock::now_s(), self.outlets.as_mut()) {
                    self.keep(entry);
                }
            }
            if let Some(told) = &mut self.told {
                told.second(clock::now_s(), || self.feed.shown());
            }
            if last {
                if let Some(entry) = self.session.as_mut().and_then(LiveSession::end) {
                    self.keep(entry);
                }
                if let Some(outlets) = &mut self.outlets {
                    outlets.flush();
                    self.dropped += outlets.dropped();
                }
                return (self.digest, self.dropped, self.told);
            }
            self.control.observe_bell.wait(rung, LOOK_EVERY);
        }
    }

    fn frames(&mut self, values: &mut [f32]) {
        let mut headers: Vec<FrameHeader> = Vec::new();
        let mut all_uv: Vec<f32> = Vec::new();
        let ring_fill = self.frames.fill();
        while let Some(header) = self.frames.pop(values) {
            headers.push(header);
            all_uv.extend_from_slice(values);
        }
        self.feed.frames(&headers, &all_uv);
        self.feed.tick(
            clock::now_s(),
            ring_fill,
            self.frames.overruns(),
            self.control.active_s(),
            &self.digest,
        );
        if !headers.is_empty() {
            self.keep(Entry::Frames(headers, all_uv));
        }
    }

    fn delivered(&mut self, runs: &mut CurrentRuns) {
        let samples: Vec<Delivered> = self.delivered.pop_iter().collect();
        if samples.is_empty() {
            return;
        }
        self.feed.delivered(&samples);
        let mut finished = Vec::new();
        for sample in &samples {
            self.digest.delivered(sample.current_ma);
            finished.extend(runs.push(sample));
        }
        finished.extend(runs.take());
        for run in finished {
            let open = !self.blind();
            if let (Some(outlets), Entry::Current(stamp_s, values_ma), true) = (&mut self.outlets, &run, open)
            {
                outlets.push_current(*stamp_s, values_ma);
            }
            self.keep(run);
        }
    }

    fn notes(&mut self) {
        while let Ok(stamped) = self.notes.try_recv() {
            match stamped.note {
                Note::Phase(phase, _) => self.block = events::is_block(phase),
                Note::Flow { contamination, .. } => self.clean = contamination == Contamination::Clean,
                _ => {}
            }
            let blind = self.blind();
            let event = if blind {
                events::blind_json(&stamped, self.block || !self.clean)
            } else {
                events::json(&stamped)
            };
            // What is not told of a blinded block is kept all the same, sealed.
            let recorded = event.is_some() || (blind && events::json(&stamped).is_some());
            match (&stamped.note, &event) {
                // Under current an exponent is the current's.
                (Note::Estimate(e), _) if blind && e.contamination != Contamination::Clean => {}
                (Note::Estimate(estimate), _) => self.tell_estimate(stamped.at_s, estimate),
                (_, Some(json)) => self.tell_event(stamped.at_s, json),
                _ => {}
            }
            self.digest.note(&stamped);
            self.feed.note(&stamped, self.digest.steer());
            if let Note::Rate(off) = stamped.note
                && off.refused
                && let Err(error) = self.refitter.order(off.measured_hz)
            {
                self.feed.tell(format!("no estimate is valid: at {:.2} Hz {error}", off.measured_hz));
            }
            if let Some(session) = &mut self.session {
                session.note(&stamped);
            }
            if recorded || matches!(stamped.note, Note::Estimate(_)) {
                self.keep(Entry::Note(Box::new(stamped)));
            }
        }
    }

    /// On the screen, on the event stream and in the log at once: nobody looks for it after the end.
    fn news(&mut self) {
        while let Some(why) = self.news.as_ref().and_then(|news| news.try_recv().ok()) {
            self.feed.refused(&why);
            let at_s = clock::now_s();
            self.tell_event(at_s, &events::refused_json(&why));
            self.keep(Entry::Refused(at_s, why));
        }
    }

    /// To whoever listens, by LSL and by lines.
    fn tell_estimate(&mut self, at_s: f64, estimate: &Estimate) {
        if let Some(outlets) = &mut self.outlets {
            outlets.push_estimate(estimate);
        }
        if let Some(told) = &mut self.told {
            let target = self.targets.get(estimate.target).map_or("?", String::as_str);
            told.estimate(at_s, target, estimate);
        }
    }

    /// See [`Observer::tell_estimate`].
    fn tell_event(&mut self, at_s: f64, json: &str) {
        if let Some(outlets) = &mut self.outlets {
            outlets.push_event(at_s, json);
        }
        if let Some(told) = &mut self.told {
            told.event(at_s, json);
        }
    }

    fn blind(&self) -> bool {
        self.session.as_ref().is_some_and(LiveSession::blind)
    }

    fn keep(&mut self, entry: Entry) {
        if let Some(record) = &self.record
            && let Err(TrySendError::Full(_)) = record.try_send(entry)
        {
            self.dropped += 1;
        }
    }
}
