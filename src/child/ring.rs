//! A ring of fixed slots in shared memory: one writer, one reader, each in a process of its own, no locks.
//!
//! Each end keeps its own place to itself and only publishes it, so that the other process can neither move it nor
//! make this one read or write outside the ring. A place that cannot be (more waiting than fits) is [`Broken`]: the
//! other side has gone mad, and its supervisor puts it away.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering, fence},
};

use super::memory::Memory;

/// The other side's place makes no sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Broken;

/// Where a ring lies: words of `control` for head and tail, and slots in `data`.
#[derive(Clone, Debug)]
pub struct Place {
    /// Holds head and tail.
    pub control: Arc<Memory>,
    /// Word of the head in it; the tail is the next.
    pub at: usize,
    /// Holds the slots.
    pub data: Arc<Memory>,
    /// First word of the first slot in it.
    pub first: usize,
    /// How many slots.
    pub slots: usize,
    /// Words in each.
    pub width: usize,
}

impl Place {
    fn word(&self, at: usize) -> &AtomicU64 {
        static NOWHERE: AtomicU64 = AtomicU64::new(0);
        self.control.words().get(self.at + at).unwrap_or(&NOWHERE)
    }

    fn slot(&self, number: u64) -> &[AtomicU64] {
        let index = (number % self.slots.max(1) as u64) as usize;
        let from = self.first + index * self.width;
        self.data.words().get(from..from + self.width).unwrap_or_default()
    }

    /// Empties it. Only while no writer lives.
    pub fn reset(&self) {
        self.word(0).store(0, Ordering::SeqCst);
        self.word(1).store(0, Ordering::SeqCst);
    }
}

/// The writing end.
#[derive(Debug)]
pub struct Writer {
    place: Place,
    head: u64,
    dropped: u64,
}

impl Writer {
    /// A writer that goes on where the ring stands.
    #[must_use]
    pub fn new(place: Place) -> Self {
        let head = place.word(0).load(Ordering::SeqCst);
        Self { place, head, dropped: 0 }
    }

    /// Appends `words`, the rest of the slot unchanged; `false`, and counted, where it is full or they do not fit.
    pub fn push(&mut self, words: impl IntoIterator<Item = u64>) -> bool {
        let tail = self.place.word(1).load(Ordering::Acquire);
        if self.head.wrapping_sub(tail) >= self.place.slots as u64 {
            self.dropped += 1;
            return false;
        }
        for (place, word) in self.place.slot(self.head).iter().zip(words) {
            place.store(word, Ordering::Relaxed);
        }
        self.head = self.head.wrapping_add(1);
        self.place.word(0).store(self.head, Ordering::Release);
        true
    }

    /// What found no room.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped
    }
}

/// The reading end.
#[derive(Debug)]
pub struct Reader {
    place: Place,
    tail: u64,
}

impl Reader {
    /// A reader at the beginning of a ring that was just emptied.
    #[must_use]
    pub fn new(place: Place) -> Self {
        Self { place, tail: 0 }
    }

    /// A reader that passes over what waits.
    #[must_use]
    pub fn at_end(place: Place) -> Self {
        let tail = place.word(0).load(Ordering::SeqCst);
        place.word(1).store(tail, Ordering::SeqCst);
        Self { place, tail }
    }

    /// The ring was emptied.
    pub fn restart(&mut self) {
        self.tail = 0;
        self.place.word(1).store(0, Ordering::SeqCst);
    }

    /// How many slots wait.
    ///
    /// # Errors
    /// [`Broken`].
    pub fn waiting(&self) -> Result<usize, Broken> {
        let waiting = self.place.word(0).load(Ordering::Acquire).wrapping_sub(self.tail);
        if waiting > self.place.slots as u64 { Err(Broken) } else { Ok(waiting as usize) }
    }

    /// Copies the oldest slot into `words`, as much as fits; `false` where none waits.
    ///
    /// # Errors
    /// [`Broken`].
    pub fn pop(&mut self, words: &mut [u64]) -> Result<bool, Broken> {
        if self.waiting()? == 0 {
            return Ok(false);
        }
        for (to, from) in words.iter_mut().zip(self.place.slot(self.tail)) {
            *to = from.load(Ordering::Relaxed);
        }
        self.pass(1);
        Ok(true)
    }

    /// One word of the oldest slot, which stays; `None` where none waits.
    ///
    /// # Errors
    /// [`Broken`].
    pub fn peek(&self, word: usize) -> Result<Option<u64>, Broken> {
        if self.waiting()? == 0 {
            return Ok(None);
        }
        Ok(self.place.slot(self.tail).get(word).map(|word| word.load(Ordering::Relaxed)))
    }

    /// Passes over the oldest `count` slots, which must wait.
    pub fn pass(&mut self, count: usize) {
        self.tail = self.tail.wrapping_add(count as u64);
        fence(Ordering::AcqRel);
        self.place.word(1).store(self.tail, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use std::os::fd::AsFd;

    use super::*;
    use crate::child::memory;

    fn place(slots: usize, width: usize) -> Place {
        let fd = memory::create(c"test", 4096 + slots * width * 8).unwrap();
        let control = Arc::new(Memory::map(fd.as_fd(), 0, 512).unwrap());
        let data = Arc::new(Memory::map(fd.as_fd(), 4096, slots * width).unwrap());
        Place { control, at: 4, data, first: 0, slots, width }
    }

    #[test]
    fn two_threads_pass_everything_in_order() {
        let place = place(8, 3);
        let (mut into, mut out) = (Writer::new(place.clone()), Reader::new(place));
        let writer = std::thread::spawn(move || {
            for number in 0..20_000_u64 {
                while !into.push([number, !number, number ^ 7]) {
                    std::thread::yield_now();
                }
            }
        });
        let (mut slot, mut expected) = ([0; 3], 0_u64);
        while expected < 20_000 {
            if out.pop(&mut slot).unwrap() {
                assert_eq!(slot, [expected, !expected, expected ^ 7]);
                expected += 1;
            } else {
                std::thread::yield_now();
            }
        }
        writer.join().unwrap();
    }

    #[test]
    fn a_full_ring_drops_and_counts() {
        let place = place(2, 1);
        let mut into = Writer::new(place);
        assert!(into.push([1]) && into.push([2]) && !into.push([3]));
        assert_eq!(into.dropped(), 1);
    }

    proptest::proptest! {
        /// Whatever the other process writes into head, tail and slots: nothing panics, nothing is read from
        /// elsewhere, and a head that cannot be is told.
        #[test]
        fn a_mad_writer_is_told(heads in proptest::collection::vec(proptest::num::u64::ANY, 1..50)) {
            let place = place(4, 2);
            let mut out = Reader::new(place.clone());
            let mut slot = [0; 2];
            for head in heads {
                place.word(0).store(head, Ordering::SeqCst);
                place.word(1).store(!head, Ordering::SeqCst);
                let waiting = head.wrapping_sub(out.tail);
                match out.pop(&mut slot) {
                    Err(Broken) => assert!(waiting > 4),
                    Ok(some) => assert_eq!(some, waiting > 0),
                }
            }
            let mut into = Writer::new(place);
            into.push([1, 2, 3]);
        }
    }

    #[test]
    fn a_reader_follows_a_reset() {
        let place = place(4, 1);
        let mut out = Reader::new(place.clone());
        let mut into = Writer::new(place.clone());
        let mut slot = [0];
        assert!(into.push([1]) && out.pop(&mut slot).unwrap());
        place.reset();
        assert_eq!(out.waiting(), Err(Broken));
        out.restart();
        let mut into = Writer::new(place);
        assert!(into.push([5]) && out.pop(&mut slot).unwrap());
        assert_eq!(slot, [5]);
    }
}
