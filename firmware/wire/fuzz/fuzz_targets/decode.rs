//! Any bytes at all into the decoder of either side: it neither panics nor takes more than it should, and what
//! it takes for a message is written and read again unchanged.
//!
//! `make fuzz`; ten million inputs of up to 600 bytes: `make fuzz FUZZ=decode FUZZ_ARGS="-runs=10000000 -max_len=600"`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tras_wire::{Decoder, DeviceMessage, Header, HostMessage, MAX_FRAME, encode};

fuzz_target!(|bytes: &[u8]| {
    let (mut device, mut host) = (Decoder::default(), Decoder::default());
    let mut frames = 0;
    for &byte in bytes {
        if let Some(Ok(frame)) = device.push::<HostMessage>(byte) {
            again(frame.header, &frame.message);
            frames += 1;
        }
        if let Some(Ok(frame)) = host.push::<DeviceMessage>(byte) {
            again(frame.header, &frame.message);
        }
    }
    assert_eq!(device.counts().frames, frames);

    // The same bytes as the body of a frame whose CRC holds: what no random input would find.
    let mut whole = Vec::from([1, 2, 3, 4, 5, 6, 7, 8, 9]);
    whole.extend_from_slice(bytes.get(..230).unwrap_or(bytes));
    whole.extend(crc::Crc::<u32>::new(&crc::CRC_32_ISO_HDLC).checksum(&whole).to_le_bytes());
    for byte in cobs::encode_vec(&whole).into_iter().chain([0]) {
        if let Some(Ok(frame)) = device.push::<HostMessage>(byte) {
            again(frame.header, &frame.message);
        }
        if let Some(Ok(frame)) = host.push::<DeviceMessage>(byte) {
            again(frame.header, &frame.message);
        }
    }
});

/// Equal as a message, unless a sample is a NaN, which equals nothing; equal as bytes in any case.
fn again<M: Clone + PartialEq + serde::Serialize + serde::de::DeserializeOwned>(header: Header, message: &M) {
    let (mut first, mut second) = ([0; MAX_FRAME], [0; MAX_FRAME]);
    let n = encode(header, message, &mut first).expect("what was read can be written");
    let mut decoder = Decoder::default();
    let read = first[..n].iter().find_map(|&b| decoder.push::<M>(b)).expect("one frame").expect("a good one");
    let has_no_nan = *message == message.clone();
    assert!(!has_no_nan || read.message == *message, "written and read again it is another message");
    let m = encode(read.header, &read.message, &mut second).expect("and once more");
    assert_eq!(first[..n], second[..m]);
}
