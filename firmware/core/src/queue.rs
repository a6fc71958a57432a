//! Samples between the link and the DAC: a ring of fixed size whose room is the host's credit.

/// Most samples that a queue can be set to hold: 1 s.
pub const MAX_QUEUE: usize = 2_000;

/// First in, first out.
#[derive(Clone, Debug)]
pub(crate) struct Queue {
    ring: [f32; MAX_QUEUE],
    head: usize,
    len: usize,
    capacity: usize,
}

impl Queue {
    /// Holds `capacity` samples, at least 1 and at most [`MAX_QUEUE`].
    pub(crate) fn new(capacity: usize) -> Self {
        Self { ring: [0.0; MAX_QUEUE], head: 0, len: 0, capacity: capacity.clamp(1, MAX_QUEUE) }
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn capacity(&self) -> usize {
        self.capacity
    }

    pub(crate) fn room(&self) -> usize {
        self.capacity - self.len
    }

    /// Takes one sample; `false` where there is no room.
    pub(crate) fn push(&mut self, sample_ma: f32) -> bool {
        if self.room() == 0 {
            return false;
        }
        let at = (self.head + self.len) % MAX_QUEUE;
        if let Some(slot) = self.ring.get_mut(at) {
            *slot = sample_ma;
            self.len += 1;
        }
        true
    }

    pub(crate) fn pop(&mut self) -> Option<f32> {
        if self.len == 0 {
            return None;
        }
        let sample = self.ring.get(self.head).copied();
        self.head = (self.head + 1) % MAX_QUEUE;
        self.len -= 1;
        sample
    }

    pub(crate) fn clear(&mut self) {
        self.len = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gives_back_in_order_and_never_more_than_it_holds() {
        let mut q = Queue::new(3);
        for round in 0..2_000 {
            let base = round as f32;
            assert!(q.push(base) && q.push(base + 0.1) && q.push(base + 0.2));
            assert!(!q.push(9.0));
            assert_eq!(
                (q.pop(), q.pop(), q.pop(), q.pop()),
                (Some(base), Some(base + 0.1), Some(base + 0.2), None)
            );
        }
        assert_eq!(Queue::new(0).capacity(), 1);
        assert_eq!(Queue::new(usize::MAX).capacity(), MAX_QUEUE);
    }
}
