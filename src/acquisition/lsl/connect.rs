//! From a stream that answers to a connection that flows, with all that the stream says of itself.

use super::raw::{Info, Inlet};
use crate::acquisition::StreamDescription;
use crate::acquisition::settings::AcquisitionError;

/// The most channels, and the highest rate, that a stream may claim.
pub(super) const MOST_CHANNELS: usize = 1024;
/// See [`MOST_CHANNELS`].
pub(super) const MOST_HZ: f64 = 100_000.0;

/// What must not change when a stream comes back.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Identity {
    pub description: StreamDescription,
    pub format: &'static str,
}

impl Identity {
    /// In words what differs in `again`; empty for nothing. The host must be the same too: anyone may claim a source
    /// id, and a device that has really moved is taken up by starting the run again, a person's decision.
    pub(super) fn changes(&self, again: &Self) -> String {
        let (was, is) = (&self.description, &again.description);
        let mut changes = Vec::new();
        let mut differ = |what: &str, was: &dyn std::fmt::Display, is: &dyn std::fmt::Display| {
            let (was, is) = (was.to_string(), is.to_string());
            if was != is {
                changes.push(format!("{what} was {was}, is {is}"));
            }
        };
        differ("name", &was.name, &is.name);
        differ("type", &was.kind, &is.kind);
        differ("source id", &was.source_id, &is.source_id);
        differ("host", &was.hostname, &is.hostname);
        differ("rate", &was.rate_hz, &is.rate_hz);
        differ("format", &self.format, &again.format);
        differ("number of channels", &was.channels.len(), &is.channels.len());
        if was.channels.len() == is.channels.len() {
            for (at, (was, is)) in was.channels.iter().zip(&is.channels).enumerate() {
                differ(&format!("label of channel {}", at + 1), &was.label, &is.label);
                differ(&format!("unit of channel {}", at + 1), &was.unit, &is.unit);
                differ(&format!("type of channel {}", at + 1), &was.kind, &is.kind);
            }
        }
        changes.join("; ")
    }
}

/// A flowing connection.
pub(super) struct Connection {
    pub inlet: Inlet,
    pub identity: Identity,
    pub uid: String,
    pub correction_s: f64,
}

/// Connects, describes, compares the clocks, and only then lets the samples flow, so that the first one
/// is new. Blocks about a second; each of its three steps at most `step_s`.
pub(super) fn connect(
    info: &Info,
    chunk_samples: usize,
    step_s: f64,
) -> Result<Connection, AcquisitionError> {
    let name = info.name();
    let unusable = |what: &str| AcquisitionError::Unusable { stream: name.clone(), what: what.to_owned() };
    let format = info.format();
    if matches!(format, "string" | "undefined") {
        return Err(unusable(&format!("its samples are of format {format}; EEG needs numbers")));
    }
    // Before any connection, and before memory is asked for: the number is the sender's word.
    match info.channel_count() {
        0 => return Err(unusable("it has no channels")),
        1..=MOST_CHANNELS => {}
        count => {
            return Err(unusable(&format!("it claims {count} channels; at most {MOST_CHANNELS} are taken")));
        }
    }
    if info.rate_hz() > MOST_HZ {
        return Err(unusable(&format!("it claims {} Hz; at most {MOST_HZ} Hz are taken", info.rate_hz())));
    }
    if info.rate_hz().is_nan() || info.rate_hz() <= 0.0 {
        return Err(unusable("its sampling rate is irregular (0 Hz); a spectrum needs a regular one"));
    }
    let inlet = Inlet::new(info, chunk_samples)
        .ok_or_else(|| unusable("LSL refuses to connect: the sender's protocol is newer than ours"))?;
    let full = inlet.full_info(step_s).ok_or_else(|| {
        unusable("it answers, but does not describe itself: is TCP 16572 to 16604 blocked by a firewall?")
    })?;
    let correction_s = inlet.time_correction_s(step_s).ok_or_else(|| {
        unusable("its clock could not be compared with ours: is UDP 16572 to 16604 blocked by a firewall?")
    })?;
    if !inlet.open(step_s) {
        return Err(unusable("it answers, but no data connection comes about; it may just have ended"));
    }
    Ok(Connection {
        inlet,
        identity: Identity { description: full.describe(), format },
        uid: info.uid(),
        correction_s,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::acquisition::Channel;

    fn identity() -> Identity {
        let channel = |label: &str| Channel { label: label.into(), unit: "uV".into(), kind: "EEG".into() };
        let description = StreamDescription {
            name: "amp".into(),
            kind: "EEG".into(),
            source_id: "s1".into(),
            hostname: "here".into(),
            rate_hz: 250.0,
            channels: vec![channel("Fz"), channel("Cz")],
        };
        Identity { description, format: "float32" }
    }

    #[test]
    fn each_change_is_named() {
        let was = identity();
        assert_eq!(was.changes(&identity()), "");
        type Change = (fn(&mut Identity), &'static str);
        let ways: [Change; 6] = [
            (|i| i.description.rate_hz = 500.0, "rate was 250, is 500"),
            (|i| i.format = "int16", "format was float32, is int16"),
            (|i| i.description.source_id = "s2".into(), "source id was s1, is s2"),
            (|i| i.description.channels.truncate(1), "number of channels was 2, is 1"),
            (|i| i.description.channels.swap(0, 1), "label of channel 1 was Fz, is Cz"),
            (
                |i| i.description.channels.iter_mut().for_each(|c| c.unit = "mV".into()),
                "unit of channel 2 was uV, is mV",
            ),
        ];
        for (change, told) in ways {
            let mut is = identity();
            change(&mut is);
            assert!(was.changes(&is).contains(told), "{}", was.changes(&is));
        }
    }

    #[test]
    fn a_stream_of_another_host_is_told_with_both() {
        let (mut was, mut is) = (identity(), identity());
        is.description.hostname = "there".into();
        assert!(was.changes(&is).contains("host was here, is there"));
        was.description.source_id.clear();
        is.description.source_id.clear();
        assert!(was.changes(&is).contains("host was here, is there"));
    }
}
