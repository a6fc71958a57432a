//! What parent and child share: a page of words, a configuration, a ring of messages, a ring of data.
//!
//! ```text
//! byte 0       words: magic, beat, stop, bells, places of the rings, shape of the data ring
//! byte 4096    configuration, as JSON of the parent's own
//! byte 64 Ki   messages of the child: 64 slots of 1 KiB
//! byte 128 Ki  data, whose shape the parent writes down before it lets the child go on
//! ```
//! The parent keeps its own copy of every number that it wrote and never reads one back.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use super::{
    bell, memory,
    memory::Memory,
    ring::{Broken, Place, Reader, Writer},
    text,
};
use crate::clock;

const MAGIC: u64 = 0x7472_6173_2d6c_7331;
const PAGE: usize = 4096;
const CONFIG_AT: usize = PAGE / 8;
const CONFIG_WORDS: usize = (64 * 1024 - PAGE) / 8;
const MESSAGES_AT: usize = 64 * 1024 / 8;
const MESSAGE_SLOTS: usize = 64;
/// Words of a message: kind, two numbers, text.
pub const MESSAGE_WORDS: usize = 128;
const HEAD_WORDS: usize = 128 * 1024 / 8;
/// The most that a data ring may take, in bytes.
pub const DATA_BYTES: usize = 96 << 20;
/// Bytes of text in a message.
pub const TEXT_BYTES: usize = (MESSAGE_WORDS - 4) * 8;

/// Words of the first page. A bell is a half word, so each has a word to itself.
mod at {
    pub(super) const MAGIC: usize = 0;
    pub(super) const BEAT: usize = 1;
    pub(super) const STOP: usize = 2;
    pub(super) const CONFIG_BYTES: usize = 3;
    pub(super) const TO_PARENT: usize = 4;
    pub(super) const TO_CHILD: usize = 5;
    pub(super) const MESSAGES: usize = 8;
    pub(super) const DATA: usize = 16;
    pub(super) const SLOTS: usize = 24;
    pub(super) const WIDTH: usize = 25;
    pub(super) const CONFIRMED: usize = 26;
}

/// What a child tells, beside its data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// What it is; see the roles.
    pub kind: u64,
    /// Two numbers.
    pub a: u64,
    /// See `a`.
    pub b: u64,
    /// Cleaned text of at most [`TEXT_BYTES`].
    pub text: String,
}

/// The shared memory, as both sides see it.
#[derive(Debug)]
pub struct Link {
    fd: OwnedFd,
    head: Arc<Memory>,
}

impl Link {
    /// The parent's: new memory with `config` in it.
    ///
    /// # Errors
    /// The system refuses, or the configuration is too long.
    pub fn create(config: &str) -> io::Result<Self> {
        let fd = memory::create(c"tras-link", HEAD_WORDS * 8)?;
        let head = Arc::new(Memory::map(fd.as_fd(), 0, HEAD_WORDS)?);
        let link = Self { fd, head };
        link.configure(config)?;
        link.store(at::MAGIC, MAGIC);
        Ok(link)
    }

    /// The child's: from the descriptor that it was started with.
    ///
    /// # Errors
    /// It is no such memory.
    pub fn open(fd: OwnedFd) -> io::Result<Self> {
        let strange = || {
            io::Error::other("this command is a part of tras that it starts itself; it is of no use by hand")
        };
        let head = Arc::new(Memory::map(fd.as_fd(), 0, HEAD_WORDS).map_err(|_| strange())?);
        let link = Self { fd, head };
        if link.load(at::MAGIC) == MAGIC { Ok(link) } else { Err(strange()) }
    }

    /// Writes another configuration: while no child lives.
    ///
    /// # Errors
    /// It is too long.
    pub fn configure(&self, config: &str) -> io::Result<()> {
        let bytes = config.as_bytes();
        if bytes.len() > CONFIG_WORDS * 8 {
            return Err(io::Error::other("too many channels or names for one child process"));
        }
        for (at, chunk) in bytes.chunks(8).enumerate() {
            let mut word = [0; 8];
            for (to, from) in word.iter_mut().zip(chunk) {
                *to = *from;
            }
            self.store(CONFIG_AT + at, u64::from_le_bytes(word));
        }
        self.store(at::CONFIG_BYTES, bytes.len() as u64);
        Ok(())
    }

    /// The configuration: the child's side, which trusts its parent.
    ///
    /// # Errors
    /// It is no text.
    pub fn config(&self) -> io::Result<String> {
        let length = usize::try_from(self.load(at::CONFIG_BYTES)).unwrap_or(0).min(CONFIG_WORDS * 8);
        let words = (0..length.div_ceil(8)).map(|at| self.load(CONFIG_AT + at).to_le_bytes());
        let bytes: Vec<u8> = words.flatten().take(length).collect();
        String::from_utf8(bytes).map_err(io::Error::other)
    }

    /// The descriptor, for the child's standard input.
    #[must_use]
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    /// Makes room for a data ring of `slots` slots of `width` words, lays it out, and tells the child. The parent's, once.
    ///
    /// # Errors
    /// It would be too large, or the system refuses.
    pub fn lay_data(&self, slots: usize, width: usize) -> io::Result<Place> {
        let words = slots.saturating_mul(width);
        if words.saturating_mul(8) > DATA_BYTES {
            return Err(io::Error::other(
                "too many channels at too high a rate for the ring between the processes",
            ));
        }
        memory::grow(&self.fd, HEAD_WORDS * 8 + words * 8)?;
        let place = self.data_place(slots, width)?;
        self.store(at::WIDTH, width as u64);
        self.store(at::SLOTS, slots as u64);
        self.ring_child();
        Ok(place)
    }

    /// The data ring that the parent has laid, once it has: the child's side.
    ///
    /// # Errors
    /// The memory cannot be mapped.
    pub fn data(&self) -> io::Result<Option<Place>> {
        let (slots, width) = (self.load(at::SLOTS) as usize, self.load(at::WIDTH) as usize);
        if slots == 0 { Ok(None) } else { self.data_place(slots, width).map(Some) }
    }

    fn data_place(&self, slots: usize, width: usize) -> io::Result<Place> {
        let data = Arc::new(Memory::map(self.fd.as_fd(), HEAD_WORDS * 8, slots * width)?);
        Ok(Place { control: Arc::clone(&self.head), at: at::DATA, data, first: 0, slots, width })
    }

    /// The ring of messages.
    fn messages(&self) -> Place {
        Place {
            control: Arc::clone(&self.head),
            at: at::MESSAGES,
            data: Arc::clone(&self.head),
            first: MESSAGES_AT,
            slots: MESSAGE_SLOTS,
            width: MESSAGE_WORDS,
        }
    }

    /// The child's end of the messages.
    #[must_use]
    pub fn teller(&self) -> Writer {
        Writer::new(self.messages())
    }

    /// The parent's end of the messages.
    #[must_use]
    pub fn listener(&self) -> Reader {
        Reader::new(self.messages())
    }

    /// Before a child is started in the place of one that has ended: empties what the child writes.
    pub fn reset(&self) {
        self.messages().reset();
        self.store(at::STOP, 0);
        self.store(at::BEAT, 0);
    }

    /// The child: it lives.
    pub fn beat(&self) {
        self.store(at::BEAT, clock::now_s().to_bits());
    }

    /// When the child last said that it lives; NaN or nonsense counts as never.
    #[must_use]
    pub fn beaten_s(&self) -> f64 {
        let at_s = f64::from_bits(self.load(at::BEAT));
        if at_s.is_finite() { at_s } else { 0.0 }
    }

    /// The parent: end.
    pub fn stop(&self) {
        self.store(at::STOP, 1);
        self.ring_child();
    }

    /// The child: whether it is to end.
    #[must_use]
    pub fn stops(&self) -> bool {
        self.load(at::STOP) != 0
    }

    /// The parent: a person has confirmed what the child has offered by this number.
    pub fn confirm(&self, number: u64) {
        self.store(at::CONFIRMED, number);
        self.ring_child();
    }

    /// The child: the number that was confirmed last, 0 for none.
    #[must_use]
    pub fn confirmed(&self) -> u64 {
        self.load(at::CONFIRMED)
    }

    /// The child has something for the parent.
    pub fn ring_parent(&self) {
        self.head.bell(at::TO_PARENT).into_iter().for_each(bell::ring);
    }

    /// The parent has something for the child.
    pub fn ring_child(&self) {
        self.head.bell(at::TO_CHILD).into_iter().for_each(bell::ring);
    }

    /// The parent: the value to give to [`Link::wait_for_child`].
    #[must_use]
    pub fn seen_of_child(&self) -> u32 {
        self.head.bell(at::TO_PARENT).map_or(0, bell::seen)
    }

    /// The parent waits for the child to ring.
    pub fn wait_for_child(&self, seen: u32, timeout: Duration) {
        if let Some(word) = self.head.bell(at::TO_PARENT) {
            bell::wait(word, seen, timeout);
        }
    }

    /// The child: the value to give to [`Link::wait_for_parent`].
    #[must_use]
    pub fn seen_of_parent(&self) -> u32 {
        self.head.bell(at::TO_CHILD).map_or(0, bell::seen)
    }

    /// The child waits for the parent to ring.
    pub fn wait_for_parent(&self, seen: u32, timeout: Duration) {
        if let Some(word) = self.head.bell(at::TO_CHILD) {
            bell::wait(word, seen, timeout);
        }
    }

    fn store(&self, at: usize, value: u64) {
        if let Some(word) = self.head.words().get(at) {
            word.store(value, Ordering::SeqCst);
        }
    }

    fn load(&self, at: usize) -> u64 {
        self.head.words().get(at).map_or(0, |word| word.load(Ordering::SeqCst))
    }
}

/// Writes a message; `false` where the parent does not read.
pub fn tell(teller: &mut Writer, message: &Message) -> bool {
    let words = [message.kind, message.a, message.b].into_iter().chain(text::pack(&message.text, TEXT_BYTES));
    teller.push(words)
}

/// Reads a message.
///
/// # Errors
/// The child has gone mad.
pub fn hear(listener: &mut Reader) -> Result<Option<Message>, Broken> {
    let mut words = [0; MESSAGE_WORDS];
    if !listener.pop(&mut words)? {
        return Ok(None);
    }
    let [kind, a, b, text @ ..] = words;
    Ok(Some(Message { kind, a, b, text: text::unpack(&text) }))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn what_the_parent_lays_the_child_finds() {
        let parent = Link::create("{\"a\":\"µ\"}").unwrap();
        let child = Link::open(parent.fd().try_clone_to_owned().unwrap()).unwrap();
        assert_eq!(child.config().unwrap(), "{\"a\":\"µ\"}");
        assert!(child.data().unwrap().is_none());
        let mut reader = Reader::new(parent.lay_data(10, 5).unwrap());
        let mut writer = Writer::new(child.data().unwrap().unwrap());
        assert!(writer.push([1, 2, 3, 4, 5]));
        let mut slot = [0; 5];
        assert!(reader.pop(&mut slot).unwrap());
        assert_eq!(slot, [1, 2, 3, 4, 5]);
        let told = Message { kind: 3, a: 4, b: 5, text: "looking".into() };
        assert!(tell(&mut child.teller(), &told));
        assert_eq!(hear(&mut parent.listener()).unwrap(), Some(told));
        assert!(!child.stops());
        parent.stop();
        assert!(child.stops());
    }

    #[test]
    fn the_child_cannot_take_memory_away() {
        use std::os::fd::AsRawFd;
        let parent = Link::create("").unwrap();
        // SAFETY: a plain system call on an open descriptor.
        assert!(unsafe { libc::ftruncate(parent.fd().as_raw_fd(), 0) } < 0);
    }

    #[test]
    fn something_else_is_no_link() {
        let file = tempfile::tempfile().unwrap();
        let error = Link::open(file.into()).unwrap_err();
        assert!(error.to_string().contains("of no use by hand"));
    }
}
