//! One message into the bytes of one frame, in a buffer that the caller owns.

use serde::Serialize;

use crate::{CRC, HEADER, Header, MAX_FRAME, TRAILER, VERSION};

/// Why a message could not be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EncodeError {
    /// The buffer is too short; [`MAX_FRAME`] bytes hold any message of this crate.
    BufferTooShort,
}

/// Writes `message` as one frame, closing zero included, and gives back its length.
///
/// # Errors
/// `out` is too short.
pub fn encode<M: Serialize>(header: Header, message: &M, out: &mut [u8]) -> Result<usize, EncodeError> {
    let mut plain = [0_u8; MAX_FRAME];
    let body = plain
        .get_mut(HEADER..MAX_FRAME - TRAILER)
        .and_then(|room| postcard::to_slice(message, room).ok())
        .map(|written| written.len())
        .ok_or(EncodeError::BufferTooShort)?;
    plain[0] = VERSION;
    plain[1..5].copy_from_slice(&header.nonce.to_le_bytes());
    plain[5..HEADER].copy_from_slice(&header.sequence.to_le_bytes());
    let end = HEADER + body;
    let crc = CRC.checksum(&plain[..end]);
    plain[end..end + TRAILER].copy_from_slice(&crc.to_le_bytes());
    let stuffed = cobs::try_encode(&plain[..end + TRAILER], out).map_err(|_| EncodeError::BufferTooShort)?;
    *out.get_mut(stuffed).ok_or(EncodeError::BufferTooShort)? = 0;
    Ok(stuffed + 1)
}
