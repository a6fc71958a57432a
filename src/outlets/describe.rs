//! A stream's description as LSL carries it: the core fields, and the XML that recorders and readers look at.

use crate::acquisition::StreamDescription;
use lsl::{ChannelFormat, StreamInfo};

/// What the XML names as the maker of all our streams.
pub const MANUFACTURER: &str = "tras";

/// Builds the stream's declaration with manufacturer, channels (label, unit, type) and `notes` (name, value),
/// which become elements of the description.
///
/// # Errors
/// [`lsl::Error`] where LSL refuses the fields (empty name, negative rate).
pub fn declare(
    stream: &StreamDescription,
    format: ChannelFormat,
    notes: &[(&str, String)],
) -> Result<StreamInfo, lsl::Error> {
    let count = u32::try_from(stream.channels.len()).map_err(|_| lsl::Error::BadArgument)?;
    let mut info = StreamInfo::new(
        &clean(&stream.name),
        &clean(&stream.kind),
        count,
        stream.rate_hz,
        format,
        &clean(&stream.source_id),
    )?;
    let mut description = info.desc();
    description.append_child_value("manufacturer", MANUFACTURER);
    for (name, value) in notes {
        description.append_child_value(name, &clean(value));
    }
    let mut channels = description.append_child("channels");
    for channel in &stream.channels {
        let mut element = channels.append_child("channel");
        element.append_child_value("label", &clean(&channel.label));
        element.append_child_value("unit", &clean(&channel.unit));
        element.append_child_value("type", &clean(&channel.kind));
    }
    Ok(info)
}

/// `text` without the characters that XML 1.0 cannot carry; LSL's C strings end at the first zero.
#[must_use]
pub fn clean(text: &str) -> String {
    text.chars().filter(|c| !c.is_control() || matches!(c, '\t' | '\n' | '\r')).collect()
}

/// This machine's name; `localhost` where it has none.
#[must_use]
pub fn hostname() -> String {
    let from_file = || std::fs::read_to_string("/etc/hostname").ok();
    let from_environment = || ["HOSTNAME", "COMPUTERNAME"].iter().find_map(|name| std::env::var(name).ok());
    std::fs::read_to_string("/proc/sys/kernel/hostname")
        .ok()
        .or_else(from_file)
        .or_else(from_environment)
        .map(|name| name.trim().to_owned())
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| "localhost".into())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]
mod tests {
    use super::*;
    use crate::acquisition::Channel;

    #[test]
    fn hostile_names_are_cleaned_not_fatal() {
        let stream = StreamDescription {
            name: "a\0b<&>".into(),
            kind: "EEG".into(),
            source_id: "\u{1}id".into(),
            hostname: String::new(),
            rate_hz: 250.0,
            channels: vec![Channel { label: "F\0z".into(), unit: "µV".into(), kind: "EEG".into() }],
        };
        let info = declare(&stream, ChannelFormat::Float32, &[("note", "x\0<y>".into())]).unwrap();
        assert_eq!(info.stream_name(), "ab<&>");
        assert_eq!(info.source_id(), "id");
        let xml = info.to_xml().unwrap();
        assert!(xml.contains("<label>Fz</label>") && xml.contains("<unit>µV</unit>"), "{xml}");
    }
}
