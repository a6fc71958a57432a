//! What goes wrong on the way.

use tras_wire::{HostMessage, MAX_FRAME, encode};

use super::Tap;

/// What happens to bytes and frames, as long as it is set. Shares are of all bytes, both ways.
#[derive(Clone, Debug, Default)]
pub struct Spoil {
    /// Nothing passes.
    pub cut: bool,
    /// A bit is flipped in so many of a million bytes.
    pub flipped_ppm: u32,
    /// So many of a million bytes are lost.
    pub lost_ppm: u32,
    /// Every other frame of the host comes twice.
    pub repeated: bool,
    /// Every fourth frame of the host comes after the one behind it.
    pub reordered: bool,
    /// Samples of the host are lost; its heartbeats pass.
    pub starved: bool,
    /// Limits come as half of what the host sent, with a right CRC.
    pub limits_altered: bool,
    /// Noise fills the line to the device, without an end.
    pub flooded: bool,
    /// These bytes go to the device once, before anything else.
    pub injected: Vec<u8>,
}

/// Bytes of noise at a time: more than the emulated line takes.
const FLOOD: usize = 256;

/// The way from the host to the device.
pub(super) struct Downward {
    random: u64,
    rest: Vec<u8>,
    frames: u64,
    held: Option<Vec<u8>>,
}

impl Downward {
    /// At the start.
    pub(super) fn new() -> Self {
        Self { random: 1, rest: Vec::new(), frames: 0, held: None }
    }

    /// What becomes of the host's `bytes`. A frame is passed on when its closing zero is there.
    pub(super) fn pass(&mut self, bytes: &[u8], spoil: &mut Spoil, tap: &mut Tap) -> Vec<u8> {
        self.rest.extend_from_slice(bytes);
        let mut out = std::mem::take(&mut spoil.injected);
        if spoil.flooded {
            out.extend((0..FLOOD).map(|_| next(&mut self.random) as u8));
        }
        while let Some(end) = self.rest.iter().position(|&byte| byte == 0) {
            let behind = self.rest.split_off(end + 1);
            let frame = std::mem::replace(&mut self.rest, behind);
            self.frame(frame, spoil, tap, &mut out);
        }
        if spoil.cut { Vec::new() } else { noisy(&out, spoil, &mut self.random) }
    }

    fn frame(&mut self, frame: Vec<u8>, spoil: &Spoil, tap: &mut Tap, out: &mut Vec<u8>) {
        self.frames += 1;
        let frame = match tap.hear_host(&frame) {
            Some((_, HostMessage::Samples(_))) if spoil.starved => return,
            Some((header, message)) if spoil.limits_altered => {
                let message = match message {
                    HostMessage::Limits(mut limits) => {
                        limits.peak_ma /= 2.0;
                        HostMessage::Limits(limits)
                    }
                    other => other,
                };
                let mut bytes = [0; MAX_FRAME];
                encode(header, &message, &mut bytes)
                    .map_or(frame, |n| bytes.get(..n).unwrap_or_default().to_vec())
            }
            _ => frame,
        };
        if spoil.reordered && self.frames.is_multiple_of(4) && self.held.is_none() {
            self.held = Some(frame);
            return;
        }
        for _ in 0..1 + usize::from(spoil.repeated && self.frames.is_multiple_of(2)) {
            out.extend_from_slice(&frame);
        }
        out.extend(self.held.take().unwrap_or_default());
    }
}

/// Bytes with some lost and some flipped.
pub(super) fn noisy(bytes: &[u8], spoil: &Spoil, random: &mut u64) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    for &byte in bytes {
        if !chance(random, spoil.lost_ppm) {
            let flip = u8::from(chance(random, spoil.flipped_ppm)) << (*random % 8);
            out.push(byte ^ flip);
        }
    }
    out
}

fn chance(random: &mut u64, ppm: u32) -> bool {
    next(random) % 1_000_000 < u64::from(ppm)
}

/// xorshift64: the same faults in each run.
fn next(random: &mut u64) -> u64 {
    *random ^= *random << 13;
    *random ^= *random >> 7;
    *random ^= *random << 17;
    *random
}

#[cfg(test)]
mod tests {
    use tras_wire::{Header, Stop};

    use super::*;

    fn frame(sequence: u32) -> Vec<u8> {
        let mut bytes = [0; MAX_FRAME];
        let message = if sequence == 9 { HostMessage::Hello } else { HostMessage::Stop(Stop::Fast) };
        let n = encode(Header { nonce: 1, sequence }, &message, &mut bytes).unwrap_or(0);
        bytes[..n].to_vec()
    }

    #[test]
    fn frames_pass_whole_are_doubled_swapped_and_lost() {
        let (mut way, mut tap) = (Downward::new(), Tap::default());
        let frames: Vec<Vec<u8>> = (1..=6).map(frame).collect();
        let mut pass = |way: &mut Downward, bytes: &[u8], spoil: &mut Spoil| way.pass(bytes, spoil, &mut tap);
        let mut spoil = Spoil::default();
        let (head, tail) = frames[0].split_at(4);
        assert!(pass(&mut way, head, &mut spoil).is_empty());
        assert_eq!(pass(&mut way, tail, &mut spoil), frames[0]);
        spoil.repeated = true;
        assert_eq!(pass(&mut way, &frames[1], &mut spoil), [frames[1].clone(), frames[1].clone()].concat());
        spoil = Spoil { reordered: true, ..Spoil::default() };
        assert_eq!(pass(&mut way, &frames[2], &mut spoil), frames[2]);
        assert!(pass(&mut way, &frames[3], &mut spoil).is_empty());
        assert_eq!(pass(&mut way, &frames[4], &mut spoil), [frames[4].clone(), frames[3].clone()].concat());
        spoil = Spoil { cut: true, injected: vec![1, 2], ..Spoil::default() };
        assert!(pass(&mut way, &frames[5], &mut spoil).is_empty());
        assert_eq!(tap.header.sequence, 6);
        assert_eq!(tap.frames.len(), 6);
    }
}
