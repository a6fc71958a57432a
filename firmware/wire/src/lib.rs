//! The messages between host and stimulator, and their framing. No clock, no I/O, no allocation.
//!
//! In: a [`HostMessage`] or a [`DeviceMessage`], and a [`Header`]. Out: bytes for a serial line, by
//! [`encode`] into the caller's buffer; and back again, byte by byte, through a [`Decoder`] that finds the
//! next whole frame after any garbage. Host and firmware compile this same crate.
//!
//! A frame: `COBS( version u8 | nonce u32 | sequence u32 | postcard body | CRC-32 ) 0x00`, integers little
//! endian. The header is not postcard, so that every version to come can read the version of any frame.
#![no_std]

mod decoder;
mod encoder;
mod message;
mod steps;
mod words;

pub use decoder::{Counts, Decoder, Frame, FrameError};
pub use encoder::{EncodeError, encode};
pub use message::*;
pub use steps::carried_ma;
pub use words::*;

/// The protocol's version: another one is answered with [`Refusal::Version`] and nothing else.
pub const VERSION: u8 = 2;

/// Bytes of the longest frame, its closing zero included: a full [`HostMessage::Samples`] takes 224.
pub const MAX_FRAME: usize = 256;

/// Bytes before the postcard body.
const HEADER: usize = 9;
/// Bytes after it.
const TRAILER: usize = 4;

/// CRC-32 as in Ethernet and zip (reflected 0x04C11DB7): all burst errors up to 32 bits are found.
const CRC: crc::Crc<u32> = crc::Crc::<u32>::new(&crc::CRC_32_ISO_HDLC);

/// The checksum of a frame, for whoever else keeps bytes that may change.
pub fn crc32(bytes: &[u8]) -> u32 {
    CRC.checksum(bytes)
}

/// What stands before each message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Header {
    /// The session, as the device answered to hello; in a hello, a number of the host's choosing.
    pub nonce: u32,
    /// Counts the sender's frames from 0 at hello: a repeat or a reordered frame has an old number.
    pub sequence: u32,
}
