//! A frame: one sample of every chosen channel, with what acquisition knows about it.

/// The most channels that a stream may have.
pub const MAX_CHANNELS: usize = 256;

/// A set of channels, by their index among the chosen ones.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct ChannelSet([u64; MAX_CHANNELS / 64]);

impl ChannelSet {
    /// The set of none.
    pub const EMPTY: Self = Self([0; MAX_CHANNELS / 64]);

    /// Adds `channel`; one at or above [`MAX_CHANNELS`] is ignored.
    pub fn insert(&mut self, channel: usize) {
        if let Some(word) = self.0.get_mut(channel / 64) {
            *word |= 1 << (channel % 64);
        }
    }

    /// Whether `channel` is in the set.
    #[must_use]
    pub fn contains(&self, channel: usize) -> bool {
        self.0.get(channel / 64).is_some_and(|word| word >> (channel % 64) & 1 == 1)
    }

    /// Whether nothing is in the set.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(|&word| word == 0)
    }

    /// How many channels are in the set.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// Both sets in one.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        let mut both = self;
        for (word, more) in both.0.iter_mut().zip(other.0) {
            *word |= more;
        }
        both
    }

    /// Whether the two share a channel.
    #[must_use]
    pub fn intersects(&self, other: &Self) -> bool {
        self.0.iter().zip(other.0).any(|(a, b)| a & b != 0)
    }
}

/// What is wrong with a frame as a whole, one bit each.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Facts(u16);

impl Facts {
    /// Nothing is wrong.
    pub const NONE: Self = Self(0);
    /// Samples are missing just before this frame.
    pub const GAP: Self = Self(1);
    /// The raw stamp does not follow from the one before.
    pub const STAMP_JUMP: Self = Self(1 << 1);
    /// The stamp smoother has not settled since the start, a gap or a jump.
    pub const UNSETTLED: Self = Self(1 << 2);
    /// The frame belongs to a run of identical frames: the device repeats itself.
    pub const REPEATED: Self = Self(1 << 3);
    /// The ring before the loop was full: frames were dropped just before this one.
    pub const OVERRUN: Self = Self(1 << 4);
    /// First frame after the stream came back.
    pub const RESUMED: Self = Self(1 << 5);

    /// The stamp is late: samples are missing before it, or the sender was held up; which, is not known yet.
    pub const LATE: Self = Self(1 << 6);

    /// No window may span the boundary before a frame with one of these.
    pub const BREAKS: Self = Self(Self::GAP.0 | Self::STAMP_JUMP.0 | Self::OVERRUN.0 | Self::RESUMED.0);

    /// Adds every fact of `other`.
    pub fn insert(&mut self, other: Self) {
        self.0 |= other.0;
    }

    /// Whether any fact of `other` holds.
    #[must_use]
    pub fn intersects(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// The bits, for the recording.
    #[must_use]
    pub fn bits(self) -> u16 {
        self.0
    }

    /// From the bits of a recording.
    #[must_use]
    pub fn from_bits(bits: u16) -> Self {
        Self(bits)
    }
}

/// All of a frame but its values.
#[derive(Clone, Copy, Default, Debug, PartialEq)]
pub struct FrameHeader {
    /// Counts received samples since the start, from 0.
    pub index: u64,
    /// When the sample was taken: smoothed, on this machine's LSL clock.
    pub stamp_s: f64,
    /// The sender's stamp as it came, on the sender's clock.
    pub raw_stamp_s: f64,
    /// When the frame was ready for the ring, on this machine's LSL clock.
    pub arrived_s: f64,
    /// Samples known to be missing just before this one.
    pub lost_before: u32,
    /// What is wrong with the frame as a whole.
    pub facts: Facts,
    /// Channels whose value here is not EEG: not finite, flat, at the rail, or a spike.
    pub spoilt: ChannelSet,
}

impl FrameHeader {
    /// How old the frame is at `now_s`, by its stamp or by its arrival, the older of the two: a stamp that runs ahead
    /// makes nothing young. An arrival that nobody knows does not count.
    #[must_use]
    pub fn age_s(&self, now_s: f64) -> f64 {
        (now_s - self.stamp_s).max(now_s - self.arrived_s)
    }
}
