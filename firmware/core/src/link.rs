//! Bytes of the line on one side, the device on the other.

use tras_wire::{Decoder, DeviceMessage, FrameError, Header, HostMessage, Refusal, encode};

use crate::device::Device;

/// The device's end of the line.
#[derive(Clone, Debug, Default)]
pub struct Link {
    decoder: Decoder,
    sequence: u32,
}

impl Link {
    /// Takes one byte of the host. At the end of a message the answer is written to `out`
    /// ([`tras_wire::MAX_FRAME`] bytes); gives back its length, 0 for none.
    pub fn receive(&mut self, byte: u8, device: &mut Device, now_us: u64, out: &mut [u8]) -> usize {
        let answer = match self.decoder.push::<HostMessage>(byte) {
            None => return 0,
            Some(Ok(frame)) => device.on_message(frame.header, &frame.message, now_us),
            Some(Err(FrameError::Version { header, .. })) => device.refused(header, Refusal::Version),
            // Without a CRC that holds there is nobody to answer; the count is in the telemetry.
            Some(Err(_)) => {
                device.session.bad_frames = self.decoder.counts().bad();
                return 0;
            }
        };
        self.send(device, &answer, out)
    }

    /// Writes `message` to `out` as the next frame; gives back its length, 0 where `out` is too short.
    pub fn send(&mut self, device: &Device, message: &DeviceMessage, out: &mut [u8]) -> usize {
        let header = Header { nonce: device.nonce(), sequence: self.sequence };
        self.sequence = self.sequence.wrapping_add(1);
        encode(header, message, out).unwrap_or(0)
    }
}
