//! The chunks of a file, one after the other, past whatever is broken.
//!
//! A chunk that cannot be one (a length of 3 bytes, or one that leads past the end of the file) makes the
//! reader look for the next boundary, as the reference importers do. A samples chunk that the end of the file
//! cuts off is handed out as far as it goes.

use super::super::{Place, RecordingError};
use super::format::{BOUNDARY, MAGIC, tag};
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// Sentences about damage beyond this are counted only.
const MAX_DAMAGE: usize = 20;

/// Where a chunk lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Chunk {
    pub tag: u16,
    /// Of chunks that belong to a stream.
    pub stream: u32,
    /// First byte of the content, behind tag and stream id.
    pub at: u64,
    /// Bytes of the content.
    pub bytes: u64,
    /// Whether the end of the file cuts it off.
    pub clipped: bool,
}

/// Damage, in sentences.
#[derive(Clone, Debug, Default)]
pub(super) struct Damage {
    pub sentences: Vec<String>,
    pub more: usize,
}

impl Damage {
    pub(super) fn tell(&mut self, sentence: String) {
        if self.sentences.len() < MAX_DAMAGE {
            self.sentences.push(sentence);
        } else {
            self.more += 1;
        }
    }
}

/// The chunks of a file.
#[derive(Debug)]
pub(super) struct Chunks {
    file: BufReader<File>,
    path: PathBuf,
    length: u64,
    /// Where `file` stands.
    position: u64,
    /// Where the next chunk begins.
    next: u64,
    pub damage: Damage,
}

impl Chunks {
    pub(super) fn open(path: &Path) -> Result<Self, RecordingError> {
        let io = |error| RecordingError::io(path, Place::File, &error);
        let file = File::open(path).map_err(io)?;
        let length = file.metadata().map_err(io)?.len();
        let mut chunks = Self {
            file: BufReader::with_capacity(1 << 16, file),
            path: path.to_owned(),
            length,
            position: 0,
            next: MAGIC.len() as u64,
            damage: Damage::default(),
        };
        let mut magic = [0; MAGIC.len()];
        if length < magic.len() as u64 || chunks.read_exact(&mut magic).is_err() || &magic != MAGIC {
            return Err(RecordingError::new(
                path,
                Place::Byte(0),
                "is not XDF: it does not begin with \"XDF:\"",
            ));
        }
        Ok(chunks)
    }

    /// The next chunk; `None` at the end of what can be read.
    pub(super) fn next(&mut self) -> Result<Option<Chunk>, RecordingError> {
        loop {
            let begin = self.next;
            if begin >= self.length {
                return Ok(None);
            }
            let found = self.header(begin)?;
            if let Some(chunk) = found.filter(|chunk| !chunk.clipped) {
                self.next = chunk.at + chunk.bytes;
                return Ok(Some(chunk));
            }
            if let Some(boundary) = self.find_boundary(begin + 1)? {
                self.damage.tell(format!("bytes {begin} to {boundary} are broken and were passed over"));
                self.next = boundary;
                continue;
            }
            self.next = self.length;
            self.damage.tell(format!("the file breaks off in a chunk that begins at byte {begin}"));
            return Ok(found.filter(|chunk| chunk.tag == tag::SAMPLES));
        }
    }

    /// Tag, stream and extent of the chunk at `begin`; `None` where none can be.
    fn header(&mut self, begin: u64) -> Result<Option<Chunk>, RecordingError> {
        self.seek(begin)?;
        let Some(length) = self.read_length(self.length - begin)? else { return Ok(None) };
        let Some(end) = self.position.checked_add(length) else { return Ok(None) };
        let Some(raw) = self.read_array::<2>()? else { return Ok(None) };
        let tag = u16::from_le_bytes(raw);
        let owned = matches!(tag, tag::STREAM_HEADER | tag::SAMPLES | tag::CLOCK_OFFSET | tag::STREAM_FOOTER);
        if length < 2 || tag == 0 || (owned && length < 6) {
            return Ok(None);
        }
        let stream = if owned {
            let Some(raw) = self.read_array::<4>()? else { return Ok(None) };
            u32::from_le_bytes(raw)
        } else {
            0
        };
        let at = self.position;
        let clipped = end > self.length;
        Ok(Some(Chunk { tag, stream, at, bytes: end.min(self.length).saturating_sub(at), clipped }))
    }

    /// The first byte behind the first boundary at or after `from`. Reads no further than its buffer beyond it,
    /// so that a file of nothing but broken chunks is still passed over once.
    fn find_boundary(&mut self, from: u64) -> Result<Option<u64>, RecordingError> {
        const LENGTH: usize = BOUNDARY.len();
        let find = |bytes: &[u8]| bytes.windows(LENGTH).position(|some| some == BOUNDARY);
        self.seek(from)?;
        // The last bytes before the buffer: a boundary may straddle two of its fillings.
        let mut tail: Vec<u8> = Vec::with_capacity(2 * LENGTH);
        loop {
            let position = self.position;
            let buffer = self
                .file
                .fill_buf()
                .map_err(|e| RecordingError::io(&self.path, Place::Byte(position), &e))?;
            if buffer.is_empty() {
                return Ok(None);
            }
            let before = tail.len();
            tail.extend(buffer.iter().take(LENGTH - 1));
            if let Some(at) = find(&tail) {
                return Ok(Some(position - before as u64 + (at + LENGTH) as u64));
            }
            if let Some(at) = find(buffer) {
                return Ok(Some(position + (at + LENGTH) as u64));
            }
            let count = buffer.len();
            if count >= LENGTH {
                tail.clear();
                tail.extend(buffer.iter().skip(count - (LENGTH - 1)));
            } else {
                tail.drain(..tail.len().saturating_sub(LENGTH - 1));
            }
            self.file.consume(count);
            self.position += count as u64;
        }
    }

    fn error(&self, error: &std::io::Error) -> RecordingError {
        RecordingError::io(&self.path, Place::Byte(self.position), error)
    }

    pub(super) fn seek(&mut self, to: u64) -> Result<(), RecordingError> {
        let step = to.wrapping_sub(self.position).cast_signed();
        // Relative, because an absolute seek would throw the buffer away.
        let moved = if self.position.checked_add_signed(step) == Some(to) {
            self.file.seek_relative(step)
        } else {
            self.file.seek(SeekFrom::Start(to)).map(|_| ())
        };
        moved.map_err(|error| self.error(&error))?;
        self.position = to;
        Ok(())
    }

    pub(super) fn read_exact(&mut self, buffer: &mut [u8]) -> Result<(), RecordingError> {
        self.file.read_exact(buffer).map_err(|error| self.error(&error))?;
        self.position += buffer.len() as u64;
        Ok(())
    }

    /// So many bytes, or `None` where the file ends before.
    fn read_array<const N: usize>(&mut self) -> Result<Option<[u8; N]>, RecordingError> {
        let mut raw = [0; N];
        if self.length - self.position < N as u64 {
            return Ok(None);
        }
        self.read_exact(&mut raw)?;
        Ok(Some(raw))
    }

    /// A length of 1, 4 or 8 bytes that lies, itself, within `room` bytes.
    pub(super) fn read_length(&mut self, room: u64) -> Result<Option<u64>, RecordingError> {
        let begin = self.position;
        let Some([width]) = self.read_array::<1>()? else { return Ok(None) };
        let length = match width {
            1 => self.read_array()?.map(|raw| u64::from(u8::from_le_bytes(raw))),
            4 => self.read_array()?.map(|raw| u64::from(u32::from_le_bytes(raw))),
            8 => self.read_array()?.map(u64::from_le_bytes),
            _ => None,
        };
        Ok(length.filter(|_| self.position - begin <= room))
    }

    /// Where the file is being read.
    pub(super) fn position(&self) -> u64 {
        self.position
    }

    /// The content of a small chunk, as text; `None` where it is larger than any header.
    pub(super) fn text(&mut self, chunk: &Chunk) -> Result<Option<String>, RecordingError> {
        const MAX_XML: u64 = 16 << 20;
        if chunk.bytes > MAX_XML {
            return Ok(None);
        }
        self.seek(chunk.at)?;
        let mut raw = vec![0; usize::try_from(chunk.bytes).unwrap_or(0)];
        self.read_exact(&mut raw)?;
        Ok(Some(String::from_utf8_lossy(&raw).into_owned()))
    }
}
