//! The XML of a stream: its header before, its footer behind the samples.

use crate::acquisition::Channel;
use crate::acquisition::recording::xdf::format::Format;
use crate::acquisition::recording::xdf::xml::Node;

/// What a stream's header says.
#[derive(Clone, Debug, PartialEq)]
pub struct StreamInfo {
    /// The stream's name.
    pub name: String,
    /// Content type: `EEG`, `Markers`, ...
    pub kind: String,
    /// Nominal rate in Hz; 0 for irregular streams.
    pub rate_hz: f64,
    /// Type of all values.
    pub format: Format,
    /// Channels in the order of the values.
    pub channels: Vec<Channel>,
    /// The device's identity.
    pub source_id: String,
    /// The sending machine.
    pub hostname: String,
    /// Further elements of `desc`: acquisition, columns' meanings, ...
    pub desc: Vec<Node>,
}

/// What the footer of a stream needs.
#[derive(Debug)]
pub(super) struct Written {
    pub name: String,
    pub format: Format,
    pub channels: usize,
    pub rate_hz: f64,
    pub samples: u64,
    pub first_stamp_s: f64,
    pub last_stamp_s: f64,
    pub offsets: Vec<(f64, f64)>,
}

pub(super) fn header(info: &StreamInfo, id: u32) -> Node {
    let channels = info.channels.iter().map(|channel| {
        Node::branch(
            "channel",
            vec![
                Node::leaf("label", &channel.label),
                Node::leaf("unit", &channel.unit),
                Node::leaf("type", &channel.kind),
            ],
        )
    });
    let mut desc = vec![Node::branch("channels", channels.collect())];
    desc.extend(info.desc.iter().cloned());
    Node::branch(
        "info",
        vec![
            Node::leaf("name", &info.name),
            Node::leaf("type", &info.kind),
            Node::leaf("channel_count", info.channels.len().to_string()),
            Node::leaf("nominal_srate", info.rate_hz.to_string()),
            Node::leaf("channel_format", info.format.name()),
            Node::leaf("source_id", &info.source_id),
            Node::leaf("hostname", &info.hostname),
            Node::leaf("version", "1.0"),
            Node::leaf("uid", format!("{}-{id}", info.name)),
            Node::branch("desc", desc),
        ],
    )
}

pub(super) fn footer(stream: &Written) -> Node {
    let offsets = stream.offsets.iter().map(|(time_s, value_s)| {
        Node::branch(
            "offset",
            vec![Node::leaf("time", time_s.to_string()), Node::leaf("value", value_s.to_string())],
        )
    });
    Node::branch(
        "info",
        vec![
            Node::leaf("first_timestamp", stream.first_stamp_s.to_string()),
            Node::leaf("last_timestamp", stream.last_stamp_s.to_string()),
            Node::leaf("sample_count", stream.samples.to_string()),
            Node::branch("clock_offsets", offsets.collect()),
        ],
    )
}
