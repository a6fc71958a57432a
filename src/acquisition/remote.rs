//! The live stream as the process that stimulates sees it: fixed slots out of a ring that a child process fills.
//!
//! [`RemoteSource`] never waits and never allocates once it is open. It does not trust its child: a sign of life that is
//! late, a place in the ring that cannot be, a record of no known kind, each is a lost stream; the supervisor starts
//! another child, which may resume only the stream that was read before. No text of the network is parsed here: it comes
//! cut, cleaned and counted.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, Sender, bounded};

use super::{
    Channel, Poll, Source, StreamDescription,
    lsl::child::{InletOrder, Known, message, record},
    moved::Moved,
    settings::{AcquisitionError, AcquisitionSettings},
};
use crate::{
    child::{
        link::{Link, Message},
        process::{Pulse, Supervised},
        ring::{Broken, Reader},
        role::{News, Role},
        text::SEPARATOR,
    },
    clock,
};

/// Seconds of samples that the ring holds.
const RING_S: f64 = 10.0;
/// A pause between polls beyond this is a stall of ours, in s.
const STALL_S: f64 = 0.1;
/// Bounds of what a child may say of a stream.
const MOST_CHANNELS: u64 = 1024;
const MOST_HZ: f64 = 100_000.0;
/// Words of the child under way at most.
const NEWS: usize = 16;
/// Longer than the search a child may take to connect, in s.
const CONNECT_S: f64 = 25.0;

/// A live stream, read by a child process.
pub struct RemoteSource {
    description: StreamDescription,
    link: Arc<Link>,
    pulse: Arc<Pulse>,
    generation: u32,
    ring: Reader,
    slot: Vec<u64>,
    lost: bool,
    correction_s: f64,
    seen: u32,
    polled_at_s: f64,
    lost_after_s: f64,
    max_age_s: f64,
    keep: usize,
    skipped: u64,
    told: Arc<Mutex<Told>>,
    moved: Arc<Moved>,
    news: Receiver<String>,
}

/// What the child has said of its stream, for people.
#[derive(Debug, Default)]
struct Told {
    refused: Option<String>,
    lag: Option<(f64, f64)>,
}

/// How the wait for a stream ended.
#[derive(Debug)]
pub enum Opened {
    /// It is there. The child must be supervised from now on.
    Stream(Box<RemoteSource>, Box<Supervised>),
    /// Someone said stop.
    Interrupted,
}

impl std::fmt::Debug for RemoteSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RemoteSource").field("description", &self.description).finish_non_exhaustive()
    }
}

impl RemoteSource {
    /// Starts the child and waits until it has found and opened the stream. `looking` is told what is looked for;
    /// `interrupted` is asked twenty times a second.
    ///
    /// # Errors
    /// [`AcquisitionError`], in the child's words.
    pub fn open(
        settings: &AcquisitionSettings,
        wait_s: f64,
        looking: &mut dyn FnMut(&str),
        interrupted: &mut dyn FnMut() -> bool,
    ) -> Result<Opened, AcquisitionError> {
        let failed = |what: String| AcquisitionError::Told { not_found: true, what };
        let system = |error: std::io::Error| failed(format!("{}: {error}", Role::Inlet));
        let mut order = InletOrder { settings: settings.clone(), wait_s, known: None };
        let config = |order: &InletOrder| serde_json::to_string(order).map_err(|e| system(e.into()));
        let mut child = Supervised::start(Role::Inlet, &config(&order)?).map_err(system)?;
        let until = Instant::now() + Duration::from_secs_f64((wait_s + CONNECT_S).clamp(0.0, 1e6));
        let (mut known, mut error, mut promised) = (None::<Known>, Vec::new(), 0);
        loop {
            if interrupted() {
                child.end(Duration::ZERO);
                return Ok(Opened::Interrupted);
            }
            let message = match child.message(Duration::from_millis(50)) {
                Ok(Some(message)) => message,
                Ok(None) if Instant::now() < until => continue,
                Ok(None) => return Err(failed(format!("{} does not answer", Role::Inlet))),
                Err(news) => return Err(failed(died(news))),
            };
            match message.kind {
                message::LOOKING => looking(&message.text),
                message::LINE if error.len() < 600 => error.push(message.text),
                message::FAILED => {
                    return Err(AcquisitionError::Told { not_found: message.a == 1, what: error.join("\n") });
                }
                message::DESCRIBED => {
                    promised = message.b;
                    known = described(&message);
                }
                message::CHANNEL => {
                    if let Some(known) = &mut known {
                        known
                            .description
                            .channels
                            .extend(channel(&message, known.description.channels.len()));
                    }
                }
                message::READY => break,
                _ => {}
            }
        }
        let known = known
            .filter(|known| {
                !known.description.channels.is_empty() && known.description.channels.len() as u64 == promised
            })
            .ok_or_else(|| failed("the stream's description does not hold together".to_owned()))?;
        let description = known.description.clone();
        let width = description.channels.len() + record::HEAD;
        let most = crate::child::link::DATA_BYTES / (8 * width);
        let slots = ((RING_S * description.rate_hz).ceil() as usize).clamp(64.min(most), most);
        let place = child.link().lay_data(slots, width).map_err(system)?;
        child.set_data(place.clone());
        // Whoever takes the place of this child may only resume what this one has read.
        order.known = Some(known);
        child.link().configure(&config(&order)?).map_err(system)?;
        let told = Arc::new(Mutex::new(Told::default()));
        let moved = Arc::new(Moved::new(Arc::clone(child.link())));
        let (heard, offered) = (Arc::clone(&told), Arc::clone(&moved));
        // Said seldom; where nobody listens, only the newest is kept for the end.
        let (tell, news) = bounded(NEWS);
        child.heed(move |message| {
            offered.hear(&message);
            hear(&heard, &tell, message);
        });
        let source = Self {
            link: Arc::clone(child.link()),
            pulse: Arc::clone(child.pulse()),
            generation: child.pulse().generation(),
            ring: Reader::new(place),
            slot: vec![0; width],
            lost: false,
            correction_s: 0.0,
            seen: 0,
            polled_at_s: clock::now_s(),
            lost_after_s: settings.lost_after_s,
            max_age_s: settings.max_age_s,
            keep: (settings.max_age_s * description.rate_hz).ceil().max(1.0) as usize,
            skipped: 0,
            told,
            moved,
            news,
            description,
        };
        Ok(Opened::Stream(Box::new(source), Box::new(child)))
    }

    /// What waits for a person's word, if the stream comes back from another host.
    #[must_use]
    pub fn moved(&self) -> &Arc<Moved> {
        &self.moved
    }

    /// Samples passed over since the start, because they had waited for longer than `max_age_s` when this process came
    /// back from a stall. The stamps show them as a gap of the same number.
    #[must_use]
    pub fn skipped(&self) -> u64 {
        self.skipped
    }

    /// Why what is there in place of the lost stream is not taken, as soon as the child says so; empty when that is over.
    #[must_use]
    pub fn news(&self) -> Receiver<String> {
        self.news.clone()
    }

    fn lose(&mut self) -> Poll {
        self.lost = true;
        Poll::Lost
    }

    fn take(&mut self, values: &mut [f64], stamps_s: &mut [f64]) -> Result<Poll, Broken> {
        let width = self.description.channels.len();
        let mut count = 0;
        for (values, stamp) in values.chunks_exact_mut(width).zip(stamps_s) {
            match self.ring.peek(0)? {
                None => break,
                Some(record::SAMPLE) => {
                    if self.lost {
                        self.lost = false;
                        return Ok(Poll::Resumed);
                    }
                    let correction_s = f64::from_bits(self.ring.peek(2)?.unwrap_or_default());
                    if correction_s.to_bits() != self.correction_s.to_bits() {
                        if count > 0 {
                            break;
                        }
                        self.correction_s = correction_s;
                    }
                    self.ring.pop(&mut self.slot)?;
                    let [_, stamp_s, _, sample @ ..] = self.slot.as_slice() else { break };
                    *stamp = f64::from_bits(*stamp_s);
                    for (to, from) in values.iter_mut().zip(sample) {
                        *to = f64::from_bits(*from);
                    }
                    count += 1;
                }
                Some(other) => {
                    if count > 0 {
                        break;
                    }
                    self.ring.pass(1);
                    match other {
                        record::LOST => return Ok(self.lose()),
                        record::RESUMED => {
                            self.lost = false;
                            return Ok(Poll::Resumed);
                        }
                        _ => return Err(Broken),
                    }
                }
            }
        }
        Ok(match (count, self.lost) {
            (0, true) => Poll::Lost,
            (0, false) => Poll::Empty,
            (count, _) => Poll::Samples(count),
        })
    }

    /// After a stall of ours: passes over what is older than `max_age_s`.
    fn skip_to_newest(&mut self) -> Result<(), Broken> {
        let waiting = self.ring.waiting()?;
        let old = waiting.saturating_sub(self.keep);
        self.ring.pass(old);
        self.skipped += old as u64;
        Ok(())
    }
}

impl Source for RemoteSource {
    fn description(&self) -> &StreamDescription {
        &self.description
    }

    fn correction_s(&self) -> f64 {
        if self.correction_s.is_finite() { self.correction_s } else { 0.0 }
    }

    fn poll(&mut self, values: &mut [f64], stamps_s: &mut [f64]) -> Poll {
        let now_s = clock::now_s();
        let pause_s = now_s - std::mem::replace(&mut self.polled_at_s, now_s);
        self.seen = self.link.seen_of_child();
        let generation = self.pulse.generation();
        if generation != self.generation {
            self.generation = generation;
            self.ring.restart();
            self.lost = true;
        }
        if !self.pulse.is_up() {
            return self.lose();
        }
        if pause_s > self.max_age_s.max(STALL_S) && self.skip_to_newest().is_err() {
            return self.lose();
        }
        match self.take(values, stamps_s) {
            Ok(Poll::Empty) if pause_s < STALL_S && now_s - self.link.beaten_s() > self.lost_after_s => {
                self.lose()
            }
            Ok(poll) => poll,
            // The supervisor sees the same and ends the child.
            Err(Broken) => self.lose(),
        }
    }

    fn wait(&mut self, timeout: Duration) {
        self.link.wait_for_child(self.seen, timeout);
    }

    fn warnings(&self) -> Vec<String> {
        let told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let lag = told.lag.map(|(chunk_s, after_s)| {
            format!(
                "the sender sends chunks of {chunk_s:.2} s: every estimate is so much late, and loss is noticed after {after_s:.2} s"
            )
        });
        let skipped = (self.skipped > 0)
            .then(|| format!("{} samples were passed over after stalls of this process", self.skipped));
        lag.into_iter().chain(told.refused.clone()).chain(self.moved.unconfirmed()).chain(skipped).collect()
    }
}

fn hear(told: &Mutex<Told>, news: &Sender<String>, message: Message) {
    if message.kind == message::REFUSED {
        let _ = news.try_send(message.text.clone());
    }
    let mut told = told.lock().unwrap_or_else(PoisonError::into_inner);
    match message.kind {
        message::REFUSED => told.refused = (!message.text.is_empty()).then_some(message.text),
        message::LAG => {
            let (chunk_s, after_s) = (f64::from_bits(message.a), f64::from_bits(message.b));
            told.lag = (chunk_s > 0.0 && after_s.is_finite()).then_some((chunk_s, after_s));
        }
        _ => {}
    }
}

fn died(news: News) -> String {
    let how = match news {
        News::Died(death) => format!("{death:?}"),
        News::Stuck | News::Restarted => "nonsense".to_owned(),
    };
    format!(
        "{} has ended ({how}) while it looked for the stream: something on this network sends what it cannot take; \
         see docs/network.md",
        Role::Inlet
    )
}

fn fields(text: &str) -> [String; 6] {
    let mut fields: [String; 6] = Default::default();
    for (slot, field) in fields.iter_mut().zip(text.split(SEPARATOR)) {
        field.clone_into(slot);
    }
    fields
}

/// What the child says of the stream, if that can be.
fn described(message: &Message) -> Option<Known> {
    let rate_hz = f64::from_bits(message.a);
    if !(rate_hz.is_finite()
        && rate_hz > 0.0
        && rate_hz <= MOST_HZ
        && (1..=MOST_CHANNELS).contains(&message.b))
    {
        return None;
    }
    let [name, kind, source_id, hostname, format, uid] = fields(&message.text);
    let description = StreamDescription { name, kind, source_id, hostname, rate_hz, channels: Vec::new() };
    Some(Known { description, format, uid })
}

fn channel(message: &Message, next: usize) -> Option<Channel> {
    let [label, unit, kind, ..] = fields(&message.text);
    (message.a == next as u64 && message.a < MOST_CHANNELS).then_some(Channel { label, unit, kind })
}
