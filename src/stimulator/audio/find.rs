//! The output by its name, and the format that it is opened in.

use cpal::{
    Device, SampleFormat, StreamConfig,
    traits::{DeviceTrait, HostTrait},
};

/// The buffer that is asked for, in s. Two of them wait at the output, which is the delay of a cut, and all that
/// a busy machine may be late by.
const BUFFER_S: f64 = 0.025;
/// Formats in the order of preference.
const FORMATS: [SampleFormat; 4] =
    [SampleFormat::F32, SampleFormat::I32, SampleFormat::F64, SampleFormat::I16];

/// An output and how it is to be opened.
pub struct Output {
    /// The device.
    pub device: Device,
    /// Channels, rate, buffer.
    pub config: StreamConfig,
    /// Of one value.
    pub format: SampleFormat,
}

/// Names that a person may call a device by: its description, and its identifier.
fn names(device: &Device) -> [Option<String>; 2] {
    [device.description().ok().map(|d| d.name().to_owned()), device.id().ok().map(|id| id.to_string())]
}

/// The output `name`, with at least `channel` channels (counted from 1), at `rate_hz` or at its own rate.
///
/// # Errors
/// No such output, several of that name, or no format that fits: what to do, for a person.
pub fn output(name: &str, channel: u32, rate_hz: Option<u32>) -> Result<Output, String> {
    let outputs = cpal::default_host()
        .output_devices()
        .map_err(|e| format!("audio outputs cannot be listed: {e}; is the audio server running?"))?;
    let mut found: Vec<Device> =
        outputs.filter(|device| names(device).iter().flatten().any(|known| known == name)).collect();
    let device = match (found.pop(), found.len()) {
        (Some(device), 0) => device,
        (None, _) => return Err("there is no such output (see `tras devices`)".into()),
        (Some(_), others) => {
            return Err(format!(
                "there are {} outputs of this name; name one by its id (see `tras devices`)",
                others + 1
            ));
        }
    };
    let own = device.default_output_config().map_err(|e| format!("it cannot be used: {e}"))?;
    let rate_hz = rate_hz.unwrap_or(own.sample_rate());
    let supported = device.supported_output_configs().map_err(|e| format!("it cannot be used: {e}"))?;
    let (mut best, mut most_channels) = (None, 0);
    for range in supported {
        most_channels = most_channels.max(range.channels());
        let Some(rank) = FORMATS.iter().position(|format| *format == range.sample_format()) else { continue };
        let fits_rate = (range.min_sample_rate()..=range.max_sample_rate()).contains(&rate_hz);
        if fits_rate && u32::from(range.channels()) >= channel {
            // Its own number of channels before any other, then the fewest, then the best format.
            let key = (range.channels() != own.channels(), range.channels(), rank);
            if best.is_none_or(|(known, _, _)| key < known) {
                best = Some((key, range.channels(), range.sample_format()));
            }
        }
    }
    let Some((_, channels, format)) = best else {
        return Err(format!(
            "it has no format with channel {channel} at {rate_hz} Hz (it has {most_channels} channels and runs at {} Hz)",
            own.sample_rate()
        ));
    };
    let frames = (f64::from(rate_hz) * BUFFER_S) as u32;
    let config =
        StreamConfig { channels, sample_rate: rate_hz, buffer_size: cpal::BufferSize::Fixed(frames) };
    Ok(Output { device, config, format })
}
