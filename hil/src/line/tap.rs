//! Someone who listens on the line: what the device says of itself, and what the host has sent.

use std::collections::VecDeque;
use std::time::Instant;

use tras_wire::{Decoder, DeviceMessage, Header, HostMessage, Telemetry};

/// Frames of the host that are kept: more than a session's first minute has.
const FRAMES: usize = 8_192;

/// See the module.
#[derive(Default)]
pub struct Tap {
    /// Every word of the device about itself, and when it passed.
    pub telemetry: Vec<(Instant, Telemetry)>,
    /// The host's whole frames as bytes, the newest last.
    pub frames: VecDeque<Vec<u8>>,
    /// The newest frame of the host.
    pub header: Header,
    /// Burst of the newest samples, and the index after their last.
    pub samples: (u32, u64),
    device: Decoder,
    host: Decoder,
}

impl Tap {
    /// Bytes of the device.
    pub(super) fn hear_device(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            let Some(Ok(frame)) = self.device.push::<DeviceMessage>(byte) else { continue };
            if let DeviceMessage::Telemetry(t) = frame.message {
                self.telemetry.push((Instant::now(), t));
            }
        }
    }

    /// One frame of the host with its closing zero; what it says, if it is one.
    pub(super) fn hear_host(&mut self, frame: &[u8]) -> Option<(Header, HostMessage)> {
        let heard = frame.iter().filter_map(|&byte| self.host.push::<HostMessage>(byte)).last()?.ok()?;
        self.header = heard.header;
        if let HostMessage::Samples(s) = &heard.message {
            self.samples = (s.burst, s.index + s.current_ma.len() as u64);
        }
        if self.frames.len() == FRAMES {
            self.frames.pop_front();
        }
        self.frames.push_back(frame.to_vec());
        Some((heard.header, heard.message))
    }
}
