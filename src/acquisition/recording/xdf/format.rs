//! The XDF 1.0 container's constants, shared by the reader here and the writer in `recorder`.
//!
//! Source: the specification kept with the reference importers (github.com/sccn/xdf/wiki/Specifications).
//! A file is `XDF:` and then chunks: `[bytes of the length][length][tag u16][content]`, little-endian; the
//! length counts tag and content.

/// First bytes of every file.
pub const MAGIC: &[u8; 4] = b"XDF:";

/// Content of a boundary chunk: what a reader looks for to find its place again after damage.
pub const BOUNDARY: [u8; 16] =
    [0x43, 0xA5, 0x46, 0xDC, 0xCB, 0xF5, 0x41, 0x0F, 0xB3, 0x0E, 0xD5, 0x46, 0x73, 0x83, 0xCB, 0xE4];

/// Chunk tags.
pub mod tag {
    /// XML about the file.
    pub const FILE_HEADER: u16 = 1;
    /// Stream id, XML about the stream.
    pub const STREAM_HEADER: u16 = 2;
    /// Stream id, count, samples.
    pub const SAMPLES: u16 = 3;
    /// Stream id, collection time, offset.
    pub const CLOCK_OFFSET: u16 = 4;
    /// [`super::BOUNDARY`].
    pub const BOUNDARY: u16 = 5;
    /// Stream id, XML with counts and offsets.
    pub const STREAM_FOOTER: u16 = 6;
}

/// Type of a stream's values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// IEEE 754 single.
    Float32,
    /// IEEE 754 double.
    Double64,
    /// Signed 8 bit.
    Int8,
    /// Signed 16 bit.
    Int16,
    /// Signed 32 bit.
    Int32,
    /// Signed 64 bit.
    Int64,
    /// UTF-8 text of any length.
    Text,
}

impl Format {
    /// The name in a stream's XML.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Float32 => "float32",
            Self::Double64 => "double64",
            Self::Int8 => "int8",
            Self::Int16 => "int16",
            Self::Int32 => "int32",
            Self::Int64 => "int64",
            Self::Text => "string",
        }
    }

    /// The format of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Float32, Self::Double64, Self::Int8, Self::Int16, Self::Int32, Self::Int64, Self::Text]
            .into_iter()
            .find(|format| format.name() == name)
    }

    /// Bytes of one value; `None` for text.
    #[must_use]
    pub fn bytes(self) -> Option<usize> {
        match self {
            Self::Int8 => Some(1),
            Self::Int16 => Some(2),
            Self::Float32 | Self::Int32 => Some(4),
            Self::Double64 | Self::Int64 => Some(8),
            Self::Text => None,
        }
    }

    /// One little-endian value as a double (64-bit integers beyond 2^53 are rounded). `raw` holds at least
    /// [`Self::bytes`]; too few, or text, give NaN.
    #[must_use]
    pub fn decode(self, raw: &[u8]) -> f64 {
        fn first<const N: usize>(raw: &[u8]) -> Option<[u8; N]> {
            raw.first_chunk().copied()
        }
        let value = match self {
            Self::Float32 => first(raw).map(|b| f64::from(f32::from_le_bytes(b))),
            Self::Double64 => first(raw).map(f64::from_le_bytes),
            Self::Int8 => first(raw).map(|b| f64::from(i8::from_le_bytes(b))),
            Self::Int16 => first(raw).map(|b| f64::from(i16::from_le_bytes(b))),
            Self::Int32 => first(raw).map(|b| f64::from(i32::from_le_bytes(b))),
            #[allow(clippy::cast_precision_loss, reason = "documented: rounded beyond 2^53")]
            Self::Int64 => first(raw).map(|b| i64::from_le_bytes(b) as f64),
            Self::Text => None,
        };
        value.unwrap_or(f64::NAN)
    }
}
