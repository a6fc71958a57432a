//! Notes and frames on their way to the screen's [`View`], and to the one line a second where there is none.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{
    digest::Digest,
    events,
    observation::{Halt, Note, Stamped},
};
use crate::{
    acquisition::{
        frame::{Facts, FrameHeader},
        state::StreamState,
    },
    dashboard::{View, reading::Reading, state::ThroughPoint},
    session::schedule::Phase,
    stimulator::{Delivered, State},
    units::hz,
};

/// A device that delivers nothing for so long delivers zero: the trace goes on.
const SILENT_S: f64 = 0.5;

/// Feeds a view. The lock is held for as long as it takes to copy a few numbers.
pub struct ViewFeed {
    view: Arc<Mutex<View>>,
    /// Rate of the current, in Hz.
    rate_hz: f64,
    began_s: f64,
    newest_s: f64,
    /// When current was delivered last.
    delivered_s: f64,
    next_phase_s: Option<f64>,
    /// Why stimulation is held, until its reason goes.
    held: Option<Halt>,
    /// In a block, or until so long after one, a blinded screen shows no estimate: sham and current would differ.
    block: bool,
    hide_until_s: f64,
    hide_after_s: f64,
    /// Smoothed squares and mean of the current, over about a second and ten.
    square_ma2: f64,
    mean_ma: f64,
    charge_mc: f64,
}

impl ViewFeed {
    /// A feed for `view`, whose current has `rate_hz`. For `hide_after_s` after a block its windows are not clean.
    #[must_use]
    pub fn new(view: Arc<Mutex<View>>, rate_hz: f64, began_s: f64, hide_after_s: f64) -> Self {
        Self {
            view,
            rate_hz,
            began_s,
            newest_s: began_s,
            delivered_s: began_s,
            next_phase_s: None,
            held: None,
            block: false,
            hide_until_s: f64::NEG_INFINITY,
            hide_after_s,
            square_ma2: 0.0,
            mean_ma: 0.0,
            charge_mc: 0.0,
        }
    }

    fn view(&self) -> MutexGuard<'_, View> {
        self.view.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Frames, their values sample by sample in uV.
    pub fn frames(&mut self, headers: &[FrameHeader], values_uv: &[f32]) {
        let Some(newest) = headers.last() else { return };
        self.newest_s = newest.stamp_s;
        let width = values_uv.len() / headers.len();
        let mut view = self.view();
        for (header, frame_uv) in headers.iter().zip(values_uv.chunks_exact(width.max(1))) {
            view.push_frame(header.stamp_s, frame_uv);
            view.stream.lost += u64::from(header.lost_before);
            view.stream.gaps += u64::from(header.facts.intersects(Facts::BREAKS));
        }
        view.stream.received = newest.index + 1;
        view.stream.spoilt = (0..view.stream.channels.len()).filter(|&c| newest.spoilt.contains(c)).collect();
    }

    /// Delivered current.
    pub fn delivered(&mut self, samples: &[Delivered]) {
        for sample in samples {
            let ma = f64::from(sample.current_ma);
            self.square_ma2 += (ma * ma - self.square_ma2) / self.rate_hz;
            self.mean_ma += (ma - self.mean_ma) / (10.0 * self.rate_hz);
            self.charge_mc += ma.abs() / self.rate_hz;
        }
        self.delivered_s = samples.last().map_or(self.delivered_s, |sample| sample.stamp_s);
        let (square_ma2, mean_ma) = (self.square_ma2, self.mean_ma);
        let charge_c = self.charge_mc * 1e-3;
        let mut view = self.view();
        for sample in samples {
            view.push_current(sample.stamp_s, sample.current_ma);
        }
        view.stimulation.charge_c = charge_c;
        view.stimulation.rms_ma = square_ma2.sqrt();
        view.stimulation.dc_ua = mean_ma * 1e3;
    }

    /// What is shown now.
    #[must_use]
    pub fn shown(&self) -> View {
        self.view().clone()
    }

    /// Tells the operator, on the screen and in the lines.
    pub fn tell(&self, words: String) {
        self.view().tell(words);
    }

    /// Time passes. `active_s`: seconds with current in this run.
    pub fn tick(&mut self, now_s: f64, ring_fill: f64, overruns: u64, active_s: f64, digest: &Digest) {
        let (newest_s, began_s, next_s) = (self.newest_s, self.began_s, self.next_phase_s);
        let latency = digest.latency();
        let silent = now_s - self.delivered_s > SILENT_S;
        let hides = self.block || now_s < self.hide_until_s;
        let held = self.held;
        let mut view = self.view();
        view.hidden = view.blinded && hides;
        let age_s = now_s - newest_s;
        if held.is_some() && view.stream.state == StreamState::Live && age_s <= view.stream.max_age_s {
            view.stimulation.held = None;
            view.push_event("held no longer: the EEG is fresh again");
        }
        if silent {
            view.push_current(now_s, 0.0);
            view.stimulation.rms_ma = 0.0;
        }
        view.elapsed_s = now_s - began_s;
        view.stimulation.active_s = active_s;
        view.stream.age_s = now_s - newest_s;
        view.stream.ring_fill = ring_fill;
        view.stream.overruns = overruns;
        view.stimulation.next_in_s = next_s.map(|at_s| (at_s - now_s).max(0.0));
        view.exponents.age_s = view.exponents.points.back().map_or(f64::NAN, |point| now_s - point.stamp_s);
        (view.latency.p50_us, view.latency.p99_us) = (latency.p50, latency.p99);
        view.latency.skipped = digest.skipped();
        let over = view.stimulation.held.is_none();
        drop(view);
        if over {
            self.held = None;
        }
    }

    /// Why what is there in place of a lost stream is not taken; empty: nothing is.
    pub fn refused(&mut self, why: &str) {
        let mut view = self.view();
        view.stream.refused = (!why.is_empty()).then(|| why.to_owned());
        if !why.is_empty() {
            view.tell(why);
        }
    }

    /// Takes a note onto the screen. `steer`: the steering region.
    pub fn note(&mut self, stamped: &Stamped, steer: usize) {
        match stamped.note {
            Note::Phase(phase, left_s) => {
                self.next_phase_s = left_s.is_finite().then_some(stamped.at_s + left_s);
                let block = events::is_block(phase);
                if self.block && !block {
                    self.hide_until_s = stamped.at_s + self.hide_after_s;
                }
                self.block = block;
            }
            Note::Halted(why) => self.held = (!events::lasts(why)).then_some(why),
            Note::Host { state: State::RampUp, .. } => self.held = None,
            _ => {}
        }
        let (rate_hz, began_s) = (self.rate_hz, self.began_s);
        let mut view = self.view();
        match stamped.note {
            Note::Stream(state) => {
                view.stream.state = state;
                if state == StreamState::Live {
                    view.stream.refused = None;
                }
                view.push_event(format!("stream {}", state.label()));
            }
            Note::Estimate(_) | Note::Spectrum(_) | Note::Through(..) | Note::Confirmed(_) if view.hidden => {}
            Note::Confirmed(verdict) => view.push_event(match verdict {
                Ok(()) => "windows under current steer from here on".to_owned(),
                Err(why) => format!("windows under current do not steer: {}", why.as_str()),
            }),
            Note::Through(estimate, proof) => {
                if estimate.target == steer {
                    view.exponents.through = Some(ThroughPoint {
                        stamp_s: estimate.stamp_s,
                        exponent: estimate.fit.exponent,
                        se: estimate.fit.exponent_se,
                        why_not: events::not_proven(&estimate, &proof),
                    });
                }
            }
            Note::Estimate(estimate) => {
                view.push_target(&estimate);
                if estimate.target == steer {
                    view.push_estimate(&estimate);
                }
            }
            Note::Spectrum(note) => {
                let bins = note.log10_power.iter().take(note.len).enumerate();
                let bins =
                    bins.map(|(i, &p)| (f64::from(note.first_hz + i as f32 * note.step_hz), f64::from(p)));
                view.spectrum.bins.clear();
                view.spectrum.bins.extend(bins.filter(|(f, p)| *f > 0.0 && p.is_finite()));
            }
            Note::Decision(decision) if !running(view.stimulation.host) => {
                view.stimulation.exponent = decision.exponent;
            }
            Note::Phase(phase, _) => phase_on_screen(&mut view, phase),
            Note::Host { state, exponent, .. } if state == view.stimulation.host => {
                // A burst whose exponent is on its way.
                view.stimulation.exponent = exponent;
            }
            Note::Host { state, exponent, .. } => {
                view.stimulation.host = state;
                if state == State::RampUp {
                    view.stimulation.exponent = exponent;
                    view.stimulation.held = None;
                }
                view.push_event(format!("current: {}", events::state_label(state)));
            }
            Note::Device(status) => {
                let ms = |samples: u32| f64::from(samples) / rate_hz * 1e3;
                view.stimulation.device_state = Some(status.state);
                view.stimulation.queue_ms = ms(status.queue_fill);
                view.stimulation.queue_capacity_ms = ms(status.queue_capacity);
                view.stimulation.underruns = status.underruns;
                view.stimulation.impedance_kohm = status.impedance_kohm.map(f64::from);
            }
            Note::Halted(why) => {
                let words = events::halt_words(why);
                view.push_event(format!("halted: {words}"));
                // What lasts is not taken back by a later word: the first says why.
                if !events::lasts(why) {
                    view.stimulation.held = Some(words);
                } else if view.stimulation.stopped.is_none() {
                    view.stimulation.held = None;
                    view.stimulation.stopped = Some(words);
                }
                if let Some(words) = events::fault_words(stamped, began_s) {
                    view.push_fault(words);
                }
            }
            Note::HostFault(..) | Note::DeviceFault(_) | Note::LinkFault(_) => {
                if let Some(words) = events::fault_words(stamped, began_s) {
                    view.push_fault(words);
                }
            }
            Note::Bad(causes) => {
                let channels = 0..view.stream.channels.len();
                view.stream.bad = channels.filter_map(|c| causes.of(c).map(|why| (c, why))).collect();
            }
            Note::TakenUp => view.tell("the stream from another host is taken up: the operator has confirmed it"),
            Note::Child(role, news) => view.tell(news.words(role)),
            Note::Rate(off) => view.tell(off.to_string()),
            Note::Refitted { rate_hz, .. } => view.tell(format!(
                "windows are cut by {} from here on; the first is whole in a window's length",
                hz(rate_hz)
            )),
            Note::Ahead(ahead_s) => view.tell(format!(
                "the sender's stamps lie {ahead_s:.2} s ahead of their arrival: not believed, no window is valid"
            )),
            Note::Decision(_) | Note::Hop { .. } | Note::Flow { .. } => {}
        }
    }
}

fn phase_on_screen(view: &mut View, phase: Phase) {
    let blocks = view.stimulation.blocks;
    view.stimulation.phase = phase.label().to_owned();
    view.stimulation.next_phase = match phase {
        Phase::Baseline => "block",
        Phase::Block(_) => "ramp down",
        Phase::Ending(_) => "gap",
        Phase::Gap(n) if n < blocks => "block",
        Phase::Gap(_) | Phase::Done => "done",
        Phase::Part(_) | Phase::Waiting => "next phase",
    }
    .to_owned();
    if let Some(block) = events::block_of(phase) {
        view.stimulation.block = block;
        view.push_event(format!("{} {block} of {blocks}", phase.label()));
    } else {
        view.push_event(phase.label());
    }
}

fn running(state: State) -> bool {
    matches!(state, State::RampUp | State::Stimulating | State::RampDown)
}

/// The run in one line.
#[must_use]
pub fn line(view: &View) -> String {
    let s = &view.stimulation;
    if view.blinded {
        return format!(
            "{:6.1} s {} {} samples, {} lost, age {:.0} ms, {} {}, dose within limits",
            view.elapsed_s,
            view.stream.state.label(),
            view.stream.received,
            view.stream.lost,
            view.stream.age_s * 1e3,
            s.phase,
            s.block,
        );
    }
    let exponent = format!("exponent {}", Reading::of(view));
    let current = if s.enabled {
        format!(
            ", {} {}, current {} {:.3} mA RMS at exponent {:.2}",
            s.phase,
            s.block,
            events::state_label(s.host),
            s.rms_ma,
            s.exponent
        )
    } else {
        String::new()
    };
    let faults =
        if view.faults.is_empty() { String::new() } else { format!(", {} FAULT", view.faults.len()) };
    format!(
        "{:6.1} s {} {} samples, {} lost, age {:.0} ms, {exponent}{current}{faults}",
        view.elapsed_s,
        view.stream.state.label(),
        view.stream.received,
        view.stream.lost,
        view.stream.age_s * 1e3,
    )
}
