//! Notes and frames on their way to the screen's [`View`].

use super::{
    events,
    observation::{Note, Stamped},
};
use crate::{acquisition::frame::FrameHeader, dashboard::View, stimulator::State};

/// The newest frame's facts and age.
pub fn frame(view: &mut View, newest: &FrameHeader, now_s: f64, began_s: f64) {
    view.stream.received = newest.index + 1;
    view.stream.newest_s = newest.stamp_s;
    view.stream.spoilt = (0..view.stream.channels.len()).filter(|&c| newest.spoilt.contains(c)).collect();
    view.stream.lost += u64::from(newest.lost_before);
    age(view, now_s, began_s);
}

/// Time passes without data.
pub fn age(view: &mut View, now_s: f64, began_s: f64) {
    view.elapsed_s = now_s - began_s;
    view.stream.age_s = now_s - view.stream.newest_s;
    if let Some(point) = view.exponents.points.back() {
        view.exponents.age_s = now_s - point.stamp_s;
    }
}

/// Takes a note onto the screen. `steer`: the steering region.
pub fn note(view: &mut View, stamped: &Stamped, steer: usize) {
    match stamped.note {
        Note::Stream(state) => {
            view.stream.state = state;
            view.push_event(format!("stream {}", state.label()));
        }
        Note::Estimate(estimate) if estimate.target == steer => view.push_estimate(&estimate),
        Note::Spectrum(note) => {
            let bins = note.log10_power.iter().take(note.len).enumerate();
            view.spectrum.bins.clear();
            view.spectrum.bins.extend(
                bins.map(|(i, &p)| (f64::from(note.first_hz + i as f32 * note.step_hz), f64::from(p)))
                    .filter(|(f, p)| *f > 0.0 && p.is_finite()),
            );
        }
        Note::Decision(decision, took_s) => {
            view.stimulation.exponent = decision.exponent;
            view.latency.newest_us = took_s * 1e6;
        }
        Note::Phase(phase, left_s) => {
            view.stimulation.phase = phase.label().to_owned();
            view.stimulation.next_at_s = left_s.is_finite().then_some(stamped.at_s + left_s);
            view.push_event(match events::block_of(phase) {
                Some(block) => format!("{} {block}", phase.label()),
                None => phase.label().to_owned(),
            });
        }
        Note::Host { state, exponent, .. } => {
            view.stimulation.host = state;
            if state == State::RampUp {
                view.stimulation.exponent = exponent;
            }
            view.push_event(format!("current: {}", events::state_label(state)));
        }
        Note::Device(status) => {
            view.stimulation.device_state = Some(status.state);
            view.stimulation.queue_ms = f64::from(status.queue_fill) / view.stimulation.rate_hz * 1e3;
            view.stimulation.queue_capacity_ms =
                f64::from(status.queue_capacity) / view.stimulation.rate_hz * 1e3;
            view.stimulation.underruns = status.underruns;
            view.stimulation.impedance_kohm = status.impedance_kohm.map(f64::from);
        }
        Note::Halted(why) => {
            let words = events::halt_words(why);
            view.stimulation.held = Some(words.clone());
            view.push_event(format!("halted: {words}"));
        }
        Note::HostFault(..) | Note::DeviceFault(_) | Note::LinkFault(_) => {
            if let Some(words) = events::fault_words(stamped) {
                view.push_fault(words);
            }
        }
        Note::Estimate(_) | Note::Flow { .. } => {}
    }
}
