//! Bytes of a serial line back into messages, whatever else the line carries.
//!
//! A zero byte ends a frame and nothing else, so after any garbage the next zero is where sense begins
//! again: at most one good frame is lost. What does not fit the buffer is dropped up to the next zero.

use serde::de::DeserializeOwned;

use crate::{CRC, HEADER, Header, MAX_FRAME, TRAILER, VERSION};

/// A message with its header.
#[derive(Clone, Debug, PartialEq)]
pub struct Frame<M> {
    /// Session and sequence number.
    pub header: Header,
    /// What it says.
    pub message: M,
}

/// Why the bytes between two zeros are no message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameError {
    /// Longer than any frame.
    TooLong,
    /// Not COBS, or too short for a header.
    Framing,
    /// The CRC differs: bytes were changed on the way.
    Crc,
    /// A whole frame of another version of the protocol.
    Version {
        /// Its version.
        got: u8,
        /// Its header, to answer it.
        header: Header,
    },
    /// A whole frame of this version whose body is not one of our messages.
    Body,
}

/// What a decoder has seen, for telemetry and for the host's log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Good frames.
    pub frames: u32,
    /// Wrong CRC.
    pub crc: u32,
    /// Everything else that was not a frame of ours.
    pub garbage: u32,
}

impl Counts {
    /// Everything that was not a good frame.
    pub fn bad(&self) -> u32 {
        self.crc.wrapping_add(self.garbage)
    }
}

/// Collects bytes until a frame is whole. Bounded: [`MAX_FRAME`] bytes and a few numbers.
#[derive(Clone, Debug)]
pub struct Decoder {
    buffer: [u8; MAX_FRAME],
    filled: usize,
    overlong: bool,
    counts: Counts,
}

impl Default for Decoder {
    fn default() -> Self {
        Self { buffer: [0; MAX_FRAME], filled: 0, overlong: false, counts: Counts::default() }
    }
}

impl Decoder {
    /// Takes one byte; at the end of a frame gives it back, or says what was wrong with it.
    pub fn push<M: DeserializeOwned>(&mut self, byte: u8) -> Option<Result<Frame<M>, FrameError>> {
        if byte != 0 {
            match self.buffer.get_mut(self.filled) {
                Some(slot) => {
                    *slot = byte;
                    self.filled += 1;
                }
                None => self.overlong = true,
            }
            return None;
        }
        let (filled, overlong) = (self.filled, self.overlong);
        (self.filled, self.overlong) = (0, false);
        if filled == 0 {
            return None; // Two zeros in a row: a sender may lead with one to end what came before.
        }
        let frame = if overlong { Err(FrameError::TooLong) } else { self.open(filled) };
        match &frame {
            Ok(_) => self.counts.frames = self.counts.frames.wrapping_add(1),
            Err(FrameError::Crc) => self.counts.crc = self.counts.crc.wrapping_add(1),
            Err(_) => self.counts.garbage = self.counts.garbage.wrapping_add(1),
        }
        Some(frame)
    }

    /// What was seen so far.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    fn open<M: DeserializeOwned>(&mut self, filled: usize) -> Result<Frame<M>, FrameError> {
        let stuffed = self.buffer.get_mut(..filled).ok_or(FrameError::Framing)?;
        let length = cobs::decode_in_place(stuffed).map_err(|_| FrameError::Framing)?;
        let plain = self.buffer.get(..length).ok_or(FrameError::Framing)?;
        let (checked, crc) = plain.split_last_chunk::<TRAILER>().ok_or(FrameError::Framing)?;
        if checked.len() < HEADER {
            return Err(FrameError::Framing);
        }
        if CRC.checksum(checked) != u32::from_le_bytes(*crc) {
            return Err(FrameError::Crc);
        }
        let (version, rest) = checked.split_first().ok_or(FrameError::Framing)?;
        let (nonce, rest) = rest.split_first_chunk::<4>().ok_or(FrameError::Framing)?;
        let (sequence, body) = rest.split_first_chunk::<4>().ok_or(FrameError::Framing)?;
        let header = Header { nonce: u32::from_le_bytes(*nonce), sequence: u32::from_le_bytes(*sequence) };
        if *version != VERSION {
            return Err(FrameError::Version { got: *version, header });
        }
        match postcard::take_from_bytes(body) {
            Ok((message, [])) => Ok(Frame { header, message }),
            _ => Err(FrameError::Body),
        }
    }
}
