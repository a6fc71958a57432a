//! The child process that reads the EEG stream: an [`LslSource`], copied sample by sample into a ring of the parent's.
//!
//! It wakes when a packet arrives, not by the clock: liblsl's own sockets are watched beside liblsl, and after each
//! event the inlet is asked until liblsl's thread has handed the samples over.

use std::{
    io,
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};

use super::{LslSource, sockets::Sockets};
use crate::{
    acquisition::{Poll, Source, StreamDescription, settings::AcquisitionSettings},
    child::{
        confine::parent_lives,
        link::{Link, Message, TEXT_BYTES, tell},
        ring::Writer,
        text,
    },
};

/// What the parent tells its child.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct InletOrder {
    /// Which stream, and how it is read.
    pub settings: AcquisitionSettings,
    /// How long to look for it, in s.
    pub wait_s: f64,
    /// The stream that was read before an earlier child died: only that one counts.
    pub known: Option<Known>,
}

/// A stream that was connected once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Known {
    /// What it said of itself.
    pub description: StreamDescription,
    /// Number format of its samples.
    pub format: String,
    /// The outlet's own identity.
    pub uid: String,
}

/// Kinds of messages.
pub mod message {
    /// Text: what is looked for, and what is there.
    pub const LOOKING: u64 = 1;
    /// A line of an error's text.
    pub const LINE: u64 = 2;
    /// The error is whole; `a`: 1 where it is about what is there, 0 where about what was asked for.
    pub const FAILED: u64 = 3;
    /// `a`: bits of the rate; `b`: channels; text: name, type, source id, host, format, uid.
    pub const DESCRIBED: u64 = 4;
    /// `a`: index; text: label, unit, type.
    pub const CHANNEL: u64 = 5;
    /// Everything was said: the parent lays the ring.
    pub const READY: u64 = 6;
    /// Text: why what is there is not resumed; empty when all is well.
    pub const REFUSED: u64 = 7;
    /// `a`, `b`: bits of the sender's chunk and of the time after which loss is noticed, in s.
    pub const LAG: u64 = 8;
    /// `a`: number of an outlet that waits for a person's word, 0 for none; text: stream, host that was, host that is.
    pub const OFFERED: u64 = 9;
}

/// Kinds of records: a sample, the stream is lost, the stream is back.
pub mod record {
    /// Then stamp, correction, values.
    pub const SAMPLE: u64 = 1;
    /// Nothing else.
    pub const LOST: u64 = 2;
    /// Nothing else.
    pub const RESUMED: u64 = 3;
    /// Words before the values of a sample.
    pub const HEAD: usize = 3;
}

/// Samples taken at once.
const BLOCK: usize = 256;
/// Without an event, a look at the inlet this often: a broken connection and silence are found by looking.
const LOOK_EVERY: Duration = Duration::from_millis(2);
/// After an event liblsl's thread has so long to hand over what has come.
const HAND_OVER: Duration = Duration::from_micros(600);

/// Reads until the parent says stop, or dies.
///
/// # Errors
/// The parent's order cannot be read, or nobody listens.
pub fn run(link: &Link) -> io::Result<()> {
    let order: InletOrder = serde_json::from_str(&link.config()?).map_err(io::Error::other)?;
    let mut teller = link.teller();
    let mut say = |kind, a, b, text: &str| {
        let message = Message { kind, a, b, text: text.to_owned() };
        let until = Instant::now() + Duration::from_secs(5);
        while !tell(&mut teller, &message) && Instant::now() < until && parent_lives() {
            std::thread::sleep(Duration::from_millis(1));
        }
        link.ring_parent();
    };
    let opened = match order.known {
        Some(known) => LslSource::lost(&order.settings, &known),
        None => LslSource::look_for(&order.settings, order.wait_s, &mut |looking| {
            say(message::LOOKING, 0, 0, looking);
        }),
    };
    let mut source = match opened {
        Ok(source) => source,
        Err(error) => {
            for line in error.to_string().lines() {
                say(message::LINE, 0, 0, line);
            }
            say(message::FAILED, u64::from(error.is_not_found()), 0, "");
            return Ok(());
        }
    };
    let known = source.known();
    let description = &known.description;
    let fields = [
        &description.name,
        &description.kind,
        &description.source_id,
        &description.hostname,
        &known.format,
        &known.uid,
    ];
    let most = TEXT_BYTES / 8;
    let whole = text::join(fields.into_iter().map(String::as_str), most);
    say(message::DESCRIBED, description.rate_hz.to_bits(), description.channels.len() as u64, &whole);
    for (index, channel) in description.channels.iter().enumerate() {
        let fields = text::join([channel.label.as_str(), &channel.unit, &channel.kind], most);
        say(message::CHANNEL, index as u64, 0, &fields);
    }
    say(message::READY, 0, 0, "");
    let place = loop {
        let seen = link.seen_of_parent();
        if let Some(place) = link.data()? {
            break place;
        }
        if link.stops() || !parent_lives() {
            return Ok(());
        }
        link.wait_for_parent(seen, Duration::from_millis(100));
    };
    let mut refused = String::new();
    let (mut lag, mut offered) = (None, None);
    let mut forward = Forward::new(link, Writer::new(place), source.description().channels.len());
    let mut looked = Instant::now();
    while !link.stops() {
        forward.turn(&mut source);
        if looked.elapsed() < Duration::from_millis(200) {
            continue;
        }
        looked = Instant::now();
        if !parent_lives() {
            break;
        }
        let now = source.refused().unwrap_or_default();
        if now != refused {
            say(message::REFUSED, 0, 0, &now);
            refused = now;
        }
        source.confirm(link.confirmed());
        let offer = source.offered();
        if offer != offered {
            let (number, text) = offer.as_ref().map_or((0, String::new()), |o| (o.number, o.fields(most)));
            say(message::OFFERED, number, 0, &text);
            offered = offer;
        }
        if source.sender_lag() != lag {
            lag = source.sender_lag();
            let (chunk_s, after_s) = lag.map_or((0.0, 0.0), |lag| (lag.chunk_s, lag.lost_after_s));
            say(message::LAG, chunk_s.to_bits(), after_s.to_bits(), "");
        }
    }
    // Not by returning: destructors of liblsl join threads that a hostile peer may hold.
    std::process::exit(0)
}

/// From the source to the ring: the child's frame path, which allocates nothing but at a return.
pub struct Forward<'a> {
    link: &'a Link,
    ring: Writer,
    sockets: Sockets,
    values: Vec<f64>,
    stamps_s: Vec<f64>,
    width: usize,
    /// A record that found no room, to be told before anything else.
    owed: Option<u64>,
    lost: bool,
}

impl<'a> Forward<'a> {
    /// For a source of so many channels.
    #[must_use]
    pub fn new(link: &'a Link, ring: Writer, width: usize) -> Self {
        Self {
            link,
            ring,
            sockets: Sockets::watch(),
            values: vec![0.0; BLOCK * width],
            stamps_s: vec![0.0; BLOCK],
            width,
            owed: None,
            lost: false,
        }
    }

    /// Takes what is there, or waits for it.
    pub fn turn(&mut self, source: &mut LslSource) {
        self.link.beat();
        if self.take(source) {
            return;
        }
        if !self.sockets.wait(LOOK_EVERY) {
            return;
        }
        // liblsl's thread was woken by the same packet: it needs some tens of microseconds.
        let until = Instant::now() + HAND_OVER;
        while !self.take(source) && Instant::now() < until {
            std::thread::yield_now();
        }
    }

    /// Whether the stream is lost, as told.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        self.lost
    }

    /// Whether anything came.
    fn take(&mut self, source: &mut LslSource) -> bool {
        if let Some(kind) = self.owed {
            if !self.ring.push([kind]) {
                return false;
            }
            self.owed = None;
        }
        match source.poll(&mut self.values, &mut self.stamps_s) {
            Poll::Samples(count) => {
                let correction = source.correction_s().to_bits();
                let samples = self.values.chunks_exact(self.width).zip(&self.stamps_s).take(count);
                for (values, stamp_s) in samples {
                    let head = [record::SAMPLE, stamp_s.to_bits(), correction];
                    // What finds no room is lost, and its stamps show it as a gap.
                    self.ring.push(head.into_iter().chain(values.iter().map(|value| value.to_bits())));
                }
                self.link.ring_parent();
                true
            }
            Poll::Lost if !self.lost => {
                self.lost = true;
                self.mark(record::LOST)
            }
            Poll::Resumed => {
                self.lost = false;
                self.sockets = Sockets::watch();
                self.mark(record::RESUMED)
            }
            Poll::Lost | Poll::Empty | Poll::End => false,
        }
    }

    fn mark(&mut self, kind: u64) -> bool {
        if !self.ring.push([kind]) {
            self.owed = Some(kind);
        }
        self.link.ring_parent();
        true
    }
}
