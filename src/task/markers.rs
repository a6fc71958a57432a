//! The task's markers: numbered, to a channel of this program and to LSL, with the stamp of the page's frame.

use crossbeam_channel::Sender;
use lsl::{ChannelFormat, IRREGULAR_RATE, StreamOutlet};
use serde_json::{Value, json};

use crate::acquisition::{Channel, StreamDescription};
use crate::outlets::{
    describe::{declare, hostname},
    prompt,
};

/// The LSL stream's name.
pub const STREAM: &str = "tras-task";

/// One marker.
#[derive(Clone, Debug, PartialEq)]
pub struct Marker {
    /// The frame's stamp on this machine's LSL clock.
    pub stamp_s: f64,
    /// `trial_start`, `sample_on`, `delay_on`, `probe_on`, `response`, `block_end`, `trial_broken`.
    pub event: String,
    /// JSON: `event`, `number` (from 1, none left out), `block`, `trial`, `load`; with a response `deg` and `rt`.
    pub text: String,
}

/// Where markers go.
pub struct Markers {
    outlet: Option<StreamOutlet>,
    channel: Option<Sender<Marker>>,
    sent: u64,
    /// Markers that the channel had no room for.
    dropped: u64,
}

impl Markers {
    /// Opens the outlet. Without `lsl` markers go to the channel alone.
    ///
    /// # Errors
    /// LSL's own words.
    pub fn open(lsl: bool, channel: Option<Sender<Marker>>) -> Result<Self, String> {
        let outlet =
            if lsl { Some(outlet().map_err(|e| format!("LSL outlet {STREAM}: {e}"))?) } else { None };
        Ok(Self { outlet, channel, sent: 0, dropped: 0 })
    }

    /// Sends one; `fields` are added to its text. Never waits.
    pub fn send(&mut self, event: &str, stamp_s: f64, fields: Value) {
        self.sent += 1;
        let mut text = json!({ "event": event, "number": self.sent });
        if let (Some(all), Value::Object(more)) = (text.as_object_mut(), fields) {
            all.extend(more);
        }
        let text = text.to_string();
        if let Some(outlet) = &self.outlet {
            // A reader that is gone is no reason to stop a participant; the channel and the table have it all.
            let _ = prompt::push(outlet, &vec![text.clone()], stamp_s, true);
        }
        if let Some(channel) = &self.channel
            && channel.try_send(Marker { stamp_s, event: event.to_owned(), text }).is_err()
        {
            self.dropped += 1;
        }
    }

    /// How many were sent, and how many of these the channel had no room for.
    #[must_use]
    pub fn counts(&self) -> (u64, u64) {
        (self.sent, self.dropped)
    }
}

fn outlet() -> Result<StreamOutlet, lsl::Error> {
    let stream = StreamDescription {
        name: STREAM.into(),
        kind: "Markers".into(),
        source_id: format!("{STREAM}@{}", hostname()),
        hostname: String::new(),
        rate_hz: IRREGULAR_RATE,
        channels: vec![Channel { label: "event".into(), unit: "json".into(), kind: "Markers".into() }],
    };
    let notes = [("software", format!("tras {}", env!("CARGO_PKG_VERSION")))];
    StreamOutlet::new(&declare(&stream, ChannelFormat::String, &notes)?, 0, 360)
}
