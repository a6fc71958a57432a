#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use super::*;
use proptest::prelude::*;

const SESSION: &str = "0123456789abcdef0123456789abcdef";
const OTHER: &str = "1123456789abcdef0123456789abcdef";

fn create(path: &Path, session: &str, block: u32, to: &[Recipient]) -> SealedFile {
    SealedFile::create(path, session, block, 5_000, to).unwrap()
}

fn seal(path: &Path, to: &Identity, pieces: &[&[u8]]) -> Vec<Sealed> {
    let mut file = create(path, SESSION, 3, &[to.to_public()]);
    let mut chunks = Vec::new();
    for piece in pieces {
        file.write_all(piece).unwrap();
        chunks.push(file.seal().unwrap());
    }
    chunks
}

#[test]
fn opens_with_either_key_and_no_other() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("block-03.sealed");
    let (instrument, emergency, stranger) =
        (Identity::generate(), Identity::generate(), Identity::generate());
    let mut file = create(&path, SESSION, 3, &[instrument.to_public(), emergency.to_public()]);
    file.write_all(b"one").unwrap();
    file.seal().unwrap();
    file.write_all(b"two").unwrap();
    file.seal().unwrap();
    for identity in [&instrument, &emergency] {
        assert_eq!(SealedReader::open(&path).unwrap().read_all(identity).unwrap(), b"onetwo");
    }
    assert!(SealedReader::open(&path).unwrap().read_all(&stranger).is_err());
    assert!(
        SealedFile::create(&path, SESSION, 3, 5_000, &[instrument.to_public()]).is_err(),
        "never overwritten"
    );
    let nobody = SealedFile::create(&dir.path().join("x"), SESSION, 3, 5_000, &[]);
    assert!(nobody.is_err(), "nobody could open it");
}

#[test]
fn grows_by_the_same_number_of_bytes_whatever_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let to = Identity::generate();
    let path = dir.path().join("s");
    let mut file = create(&path, SESSION, 3, &[to.to_public()]);
    let mut written = Vec::new();
    let mut sizes = vec![path.metadata().unwrap().len()];
    for length in [0, 1, 4_999, 5_000, 5_001, 12_000, 0, 0, 0] {
        let piece = vec![length as u8; length];
        file.write_all(&piece).unwrap();
        written.extend(piece);
        file.seal().unwrap();
        sizes.push(path.metadata().unwrap().len());
    }
    assert_eq!(file.waiting(), 0, "what did not fit went into the next chunks");
    let grown: Vec<u64> = sizes.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(grown.iter().all(|size| *size == grown[0]), "{grown:?}");
    assert_eq!(sizes[0], HEADER_BYTES as u64);
    assert_eq!(SealedReader::open(&path).unwrap().read_all(&to).unwrap(), written);
}

#[test]
fn hashes_need_no_key() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s");
    let chunks = seal(&path, &Identity::generate(), &[b"a", b"b", b"c"]);
    let mut reader = SealedReader::open(&path).unwrap();
    for chunk in &chunks {
        let record = reader.next_record().unwrap().unwrap();
        assert_eq!((record.n, record.sha256), (chunk.n, chunk.sha256));
    }
    assert_eq!(reader.next_record().unwrap(), None);
}

#[test]
fn a_kill_costs_one_chunk_at_most() {
    let dir = tempfile::tempdir().unwrap();
    let (path, cut) = (dir.path().join("s"), dir.path().join("cut"));
    let to = Identity::generate();
    seal(&path, &to, &[b"a", b"b", b"c"]);
    let bytes = std::fs::read(&path).unwrap();
    let record = (bytes.len() - HEADER_BYTES) / 3;
    for (kept, whole) in [(0, "abc"), (1, "ab"), (record - 1, "ab"), (record, "ab"), (record + 1, "a")] {
        std::fs::write(&cut, &bytes[..bytes.len() - kept]).unwrap();
        assert_eq!(SealedReader::open(&cut).unwrap().read_all(&to).unwrap(), whole.as_bytes(), "{kept}");
    }
}

#[test]
fn a_disk_that_refuses_costs_nothing_until_too_much_waits() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s");
    let to = Identity::generate();
    let mut file = create(&path, SESSION, 3, &[to.to_public()]);
    file.write_all(b"one").unwrap();
    let good = std::mem::replace(&mut file.file, File::open(&path).unwrap());
    assert!(file.seal().is_err());
    file.write_all(b"two").unwrap();
    file.file = good;
    assert_eq!(file.seal().unwrap().n, 0);
    assert_eq!(SealedReader::open(&path).unwrap().read_all(&to).unwrap(), b"onetwo");
    assert!(file.write_all(&vec![0; 5_000 * MAX_WAITING + 1]).is_err());
    assert_eq!(file.refused(), 5_000 * MAX_WAITING as u64 + 1);
}

#[test]
fn chunks_of_other_places_do_not_pass() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s");
    let to = Identity::generate();
    seal(&path, &to, &[b"a", b"b"]);
    let bytes = std::fs::read(&path).unwrap();
    let record = (bytes.len() - HEADER_BYTES) / 2;
    let (head, records) = bytes.split_at(HEADER_BYTES);
    let swapped = [head, &records[record..], &records[..record]].concat();
    std::fs::write(&path, swapped).unwrap();
    let error = SealedReader::open(&path).unwrap().read_all(&to).unwrap_err();
    assert!(error.to_string().contains("another place"), "{error}");
    // Under the header of another session, whose key is the same one.
    let text = String::from_utf8(head.to_vec()).unwrap().replace(SESSION, OTHER);
    std::fs::write(&path, [text.as_bytes(), records].concat()).unwrap();
    assert!(SealedReader::open(&path).unwrap().read_all(&to).is_err());
}

#[test]
fn a_file_key_alone_opens_its_block() {
    let dir = tempfile::tempdir().unwrap();
    let (one, two) = (dir.path().join("1"), dir.path().join("2"));
    let to = Identity::generate();
    seal(&one, &to, &[b"a"]);
    seal(&two, &to, &[b"b"]);
    let key = SealedReader::open(&one).unwrap().unlock(&to).unwrap();
    let mut other = SealedReader::open(&two).unwrap();
    let record = other.next_record().unwrap().unwrap();
    assert!(other.bytes(&record, &key).is_err());
}

#[test]
fn a_second_has_room_for_what_it_holds() {
    // 64 channels at 1 kHz with stamps, every frame with a fact, and 50 kHz of current.
    let xdf = 1_000 * (64 * 4 + 9) + 1_000 * (9 + 8 * 5) + 50_000 * 5;
    assert!(capacity(64, 1_000.0, 50_000.0) > xdf);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    /// A changed byte is either seen by age, or lies in padding that the record's hash covers.
    #[test]
    fn no_changed_byte_passes(place in 0.0..1.0f64, change in 1u8..=255) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s");
        let to = Identity::generate();
        let chunks = seal(&path, &to, &[b"some bytes"]);
        let mut bytes = std::fs::read(&path).unwrap();
        let records = bytes.len() - HEADER_BYTES;
        let at = HEADER_BYTES + (place * records as f64) as usize;
        bytes[at] ^= change;
        std::fs::write(&path, bytes).unwrap();
        let mut reader = SealedReader::open(&path).unwrap();
        if let Ok(Some(record)) = reader.next_record() {
            prop_assert_ne!(record.sha256, chunks[0].sha256);
        }
        if let Ok(read) = SealedReader::open(&path).unwrap().read_all(&to) {
            prop_assert_eq!(read, b"some bytes");
        }
    }
}

#[test]
fn opens_what_the_standard_tool_wrote() {
    // Made by age 1.1.1: `age -r $(age-keygen -y key.txt) -o message.age`.
    let key = include_str!("../../../tests/data/age/key.txt");
    let identity: Identity = key.lines().last().unwrap().parse().unwrap();
    let message = include_bytes!("../../../tests/data/age/message.age");
    assert_eq!(decrypt(&identity, message).unwrap(), b"written by the standard age tool\n");
}
