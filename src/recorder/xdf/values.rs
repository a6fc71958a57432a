//! Values of any of XDF's types, as little-endian bytes.

use crate::acquisition::recording::xdf::format::Format;

/// Values, sample-major, as many as stamps times channels.
#[derive(Clone, Copy, Debug)]
pub enum Values<'a> {
    /// For [`Format::Float32`].
    Float32(&'a [f32]),
    /// For [`Format::Double64`].
    Double64(&'a [f64]),
    /// For [`Format::Int32`].
    Int32(&'a [i32]),
    /// For [`Format::Int64`].
    Int64(&'a [i64]),
    /// For [`Format::Text`].
    Text(&'a [&'a str]),
}

impl Values<'_> {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Float32(v) => v.len(),
            Self::Double64(v) => v.len(),
            Self::Int32(v) => v.len(),
            Self::Int64(v) => v.len(),
            Self::Text(v) => v.len(),
        }
    }

    pub(super) fn format(&self) -> Format {
        match self {
            Self::Float32(_) => Format::Float32,
            Self::Double64(_) => Format::Double64,
            Self::Int32(_) => Format::Int32,
            Self::Int64(_) => Format::Int64,
            Self::Text(_) => Format::Text,
        }
    }

    pub(super) fn encode(&self, range: std::ops::Range<usize>, out: &mut Vec<u8>) {
        match self {
            Self::Float32(v) => v.get(range).into_iter().flatten().for_each(|x| out.extend(x.to_le_bytes())),
            Self::Double64(v) => v.get(range).into_iter().flatten().for_each(|x| out.extend(x.to_le_bytes())),
            Self::Int32(v) => v.get(range).into_iter().flatten().for_each(|x| out.extend(x.to_le_bytes())),
            Self::Int64(v) => v.get(range).into_iter().flatten().for_each(|x| out.extend(x.to_le_bytes())),
            Self::Text(v) => v.get(range).into_iter().flatten().for_each(|x| {
                encode_length(x.len() as u64, out);
                out.extend(x.as_bytes());
            }),
        }
    }
}

/// A length: 1, 4 or 8, then so many bytes.
pub(super) fn encode_length(length: u64, out: &mut Vec<u8>) {
    if let Ok(short) = u8::try_from(length) {
        out.extend([1, short]);
    } else if let Ok(middle) = u32::try_from(length) {
        out.push(4);
        out.extend(middle.to_le_bytes());
    } else {
        out.push(8);
        out.extend(length.to_le_bytes());
    }
}
