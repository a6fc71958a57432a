//! What must hold for any bytes: a round trip gives the message back, a changed frame is never taken for
//! another message, garbage never panics and costs at most one frame.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use proptest::prelude::*;
use tras_wire::*;

fn limits() -> impl Strategy<Value = Limits> {
    (prop::array::uniform6(-1e6f32..1e6), any::<u32>()).prop_map(|(v, heartbeat_ms)| Limits {
        peak_ma: v[0],
        dc_ma: v[1],
        slew_ma_per_ms: v[2],
        net_charge_mc: v[3],
        total_charge_mc: v[4],
        active_s: v[5],
        heartbeat_ms,
    })
}

fn message() -> impl Strategy<Value = HostMessage> {
    let samples = (any::<u32>(), any::<u64>(), prop::collection::vec(-2f32..2.0, 0..=MAX_SAMPLES)).prop_map(
        |(burst, index, ma)| {
            let current_ma = ma.into_iter().map(carried_ma).collect();
            HostMessage::Samples(Samples { burst, index, current_ma })
        },
    );
    prop_oneof![
        Just(HostMessage::Hello),
        limits().prop_map(HostMessage::Limits),
        (limits(), any::<u32>()).prop_map(|(limits, valid_ms)| HostMessage::Arm { limits, valid_ms }),
        samples,
        prop::sample::select(vec![Stop::Soft, Stop::Fast, Stop::Cut]).prop_map(HostMessage::Stop),
        Just(HostMessage::Disarm),
        any::<u32>().prop_map(|echo| HostMessage::Heartbeat { echo }),
        prop::sample::select(FaultCode::ALL.to_vec()).prop_map(HostMessage::ClearFault),
    ]
}

fn frame(nonce: u32, sequence: u32, message: &HostMessage) -> Vec<u8> {
    let mut out = [0; MAX_FRAME];
    let n = encode(Header { nonce, sequence }, message, &mut out).unwrap();
    out[..n].to_vec()
}

fn decode(bytes: &[u8]) -> (Vec<Frame<HostMessage>>, Vec<FrameError>, Counts) {
    let mut decoder = Decoder::default();
    let (mut good, mut bad) = (Vec::new(), Vec::new());
    for &b in bytes {
        match decoder.push(b) {
            Some(Ok(f)) => good.push(f),
            Some(Err(e)) => bad.push(e),
            None => {}
        }
    }
    (good, bad, decoder.counts())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn a_round_trip_gives_the_message_back(nonce: u32, sequence: u32, message in message()) {
        let (good, bad, counts) = decode(&frame(nonce, sequence, &message));
        prop_assert_eq!(good, vec![Frame { header: Header { nonce, sequence }, message }]);
        prop_assert!(bad.is_empty());
        prop_assert_eq!(counts.frames, 1);
    }

    #[test]
    fn what_is_carried_is_not_larger_and_less_than_a_step_smaller(ma in -3.2767f32..3.2767) {
        let carried = carried_ma(ma);
        prop_assert!(carried.abs() <= ma.abs() && (carried - ma).abs() < 1.001e-4, "{} became {}", ma, carried);
        prop_assert_eq!(carried_ma(carried).to_bits(), carried.to_bits());
    }

    #[test]
    fn a_burst_of_up_to_32_changed_bits_is_found(
        message in message(), at in any::<prop::sample::Index>(), flip in 1u32.., nonce: u32,
    ) {
        let mut bytes = frame(nonce, 1, &message);
        let at = at.index(bytes.len() - 1);
        for (byte, change) in bytes[at..].iter_mut().zip(flip.to_le_bytes()) {
            *byte ^= change;
        }
        bytes.push(0);
        let (good, ..) = decode(&bytes);
        // Stuffing turns a changed length byte into a longer change, so this is 1 - 2^-32, not certainty.
        prop_assert!(good.is_empty(), "took {good:?}");
    }

    #[test]
    fn a_cut_frame_is_no_message(message in message(), keep in any::<prop::sample::Index>()) {
        let mut bytes = frame(1, 1, &message);
        bytes.truncate(keep.index(bytes.len() - 1));
        bytes.push(0);
        prop_assert!(decode(&bytes).0.is_empty());
    }

    #[test]
    fn after_garbage_the_second_frame_at_the_latest_is_read(
        garbage in prop::collection::vec(any::<u8>(), 0..2_000), message in message(),
    ) {
        let mut bytes = garbage;
        bytes.extend(frame(7, 1, &message));
        bytes.extend(frame(7, 2, &message));
        let (good, ..) = decode(&bytes);
        prop_assert_eq!(good.last().map(|f| f.header.sequence), Some(2));
    }

    #[test]
    fn any_bytes_are_survived_and_counted(bytes in prop::collection::vec(any::<u8>(), 0..4_000)) {
        let (good, bad, counts) = decode(&bytes);
        prop_assert_eq!(counts.frames as usize, good.len());
        prop_assert_eq!(counts.bad() as usize, bad.len());
    }
}

#[test]
fn the_longest_messages_fit_a_frame() {
    let samples = Samples {
        burst: u32::MAX,
        index: u64::MAX,
        current_ma: heapless::Vec::from_slice(&[f32::MIN; MAX_SAMPLES]).unwrap(),
    };
    assert_eq!(frame(u32::MAX, u32::MAX, &HostMessage::Samples(samples)).len(), 224);
    let telemetry = Telemetry {
        at_us: u64::MAX,
        echo: u32::MAX,
        state: State::Fault,
        fault: Some(Fault { code: FaultCode::Stalled, value: 1.0, at_us: u64::MAX }),
        relay_closed: true,
        queue_fill: u16::MAX,
        next_index: u64::MAX,
        delivered: u64::MAX,
        underruns: u32::MAX,
        current_ma: 1.0,
        measured_ma: Some(1.0),
        impedance_kohm: Some(1.0),
        total_charge_mc: 1.0,
        net_charge_mc: 1.0,
        dc_ma: 1.0,
        bad_frames: u32::MAX,
    };
    let mut out = [0; MAX_FRAME];
    let header = Header { nonce: u32::MAX, sequence: u32::MAX };
    assert!(encode(header, &DeviceMessage::Telemetry(telemetry), &mut out).unwrap() <= 128);
}

#[test]
fn the_wire_never_makes_a_sample_larger_and_keeps_what_is_no_number() {
    for (ma, carried) in [(0.5, 0.5), (-0.7, -0.7), (0.33338, 0.3333), (-1e-5, 0.0), (9.0, 3.2767)] {
        assert_eq!(carried_ma(ma), carried);
        assert_eq!(carried_ma(-ma), -carried);
        assert_eq!(carried_ma(carried_ma(ma)), carried, "twice");
    }
    assert_eq!(carried_ma(f32::NEG_INFINITY), -3.2767);
    assert!(carried_ma(f32::NAN).is_nan());
    for k in 0..=20_000_i16 {
        let ma = f32::from(k) / 10_000.0;
        assert_eq!(carried_ma(ma).to_bits(), ma.to_bits(), "{ma}");
    }
}

#[test]
fn a_short_buffer_is_an_error() {
    for n in 0..15 {
        let e = encode(Header::default(), &HostMessage::Hello, &mut [0; 20][..n]);
        assert_eq!(e, Err(EncodeError::BufferTooShort), "with {n} bytes");
    }
}

#[test]
fn another_version_is_named() {
    let mut plain = vec![VERSION + 1, 4, 3, 2, 1, 9, 0, 0, 0, 0];
    plain.extend(crc::Crc::<u32>::new(&crc::CRC_32_ISO_HDLC).checksum(&plain).to_le_bytes());
    let mut bytes = vec![0; cobs::max_encoding_length(plain.len())];
    let length = cobs::encode(&plain, &mut bytes);
    bytes.truncate(length);
    bytes.push(0);
    let header = Header { nonce: 0x0102_0304, sequence: 9 };
    assert_eq!(decode(&bytes).1, vec![FrameError::Version { got: VERSION + 1, header }]);
}
