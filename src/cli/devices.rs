//! `tras devices`: what is there to read from and to write to.

use clap::Args;
use cpal::traits::{DeviceTrait, HostTrait};

use crate::acquisition::lsl::discover;
use crate::clean;
use crate::failure::Failure;

/// Arguments of `tras devices`.
#[derive(Args, Debug)]
pub struct DevicesArgs {
    /// How long to listen for LSL streams, in s
    #[arg(long, value_name = "S", default_value = "1.5", value_parser = super::options::positive)]
    pub wait: f64,
    /// Also list the audio outputs that cannot be used, and why
    #[arg(long)]
    pub all: bool,
}

/// Runs the command.
///
/// # Errors
/// The LSL library refuses to look for streams.
pub fn run(args: &DevicesArgs) -> Result<(), Failure> {
    println!("LSL streams");
    let streams = discover::visible_streams(args.wait).map_err(|e| Failure::Fault(e.to_string()))?;
    for stream in &streams {
        // Cleaned where it is written: anyone on the network may name a stream.
        println!("  {stream}");
    }
    if streams.is_empty() {
        println!("  none within {} s", args.wait);
    }
    println!("Serial ports");
    match serialport::available_ports() {
        Ok(ports) if ports.is_empty() => println!("  none"),
        Ok(ports) => {
            for port in ports {
                let kind = port_kind(&port.port_type);
                println!("  {}  {}", clean::line(&port.port_name), clean::line(&kind));
            }
        }
        Err(error) => println!("  cannot be listed: {error}"),
    }
    println!("Audio outputs");
    let mut unusable = Vec::new();
    match quietly(audio_outputs) {
        Ok(outputs) => {
            let mut count = 0;
            for (name, format) in outputs {
                match format {
                    Ok(format) => {
                        count += 1;
                        println!("  {name}  {format}");
                    }
                    Err(why) => unusable.push((name, why)),
                }
            }
            if count == 0 {
                println!("  none");
            }
        }
        Err(error) => println!("  cannot be listed: {error}"),
    }
    if args.all {
        for (name, why) in &unusable {
            println!("  {name}  cannot be used: {why}");
        }
    } else if !unusable.is_empty() {
        println!("  ({} more that cannot be used: --all lists them)", unusable.len());
    }
    Ok(())
}

/// An audio output's name, and its channels and rate or why it cannot be used.
type Output = (String, Result<String, String>);

fn audio_outputs() -> Result<Vec<Output>, String> {
    let devices = cpal::default_host().output_devices().map_err(|error| error.to_string())?;
    let about = |device: cpal::Device| {
        let name = device.description().map_or_else(|e| format!("? ({e})"), |d| d.name().to_owned());
        let format = device.default_output_config();
        let format = format.map(|c| format!("{} channels, {} Hz", c.channels(), c.sample_rate()));
        (clean::line(&name).into_owned(), format.map_err(|error| error.to_string()))
    };
    Ok(devices.map(about).collect())
}

/// Does `what` while standard error goes nowhere: ALSA and JACK print there whatever they try, past every setting.
#[cfg(unix)]
fn quietly<T>(what: impl FnOnce() -> T) -> T {
    use std::os::fd::{AsFd, AsRawFd};
    let nowhere = std::fs::File::options().write(true).open("/dev/null");
    let saved = std::io::stderr().as_fd().try_clone_to_owned();
    let (Ok(nowhere), Ok(saved)) = (nowhere, saved) else { return what() };
    // SAFETY: both descriptors are open; dup2 replaces 2 as a whole.
    unsafe { libc::dup2(nowhere.as_raw_fd(), libc::STDERR_FILENO) };
    let result = what();
    // SAFETY: `saved` is the open duplicate of what 2 was.
    unsafe { libc::dup2(saved.as_raw_fd(), libc::STDERR_FILENO) };
    result
}

#[cfg(not(unix))]
fn quietly<T>(what: impl FnOnce() -> T) -> T {
    what()
}

fn port_kind(kind: &serialport::SerialPortType) -> String {
    match kind {
        serialport::SerialPortType::UsbPort(usb) => format!(
            "USB {:04x}:{:04x} {} {}",
            usb.vid,
            usb.pid,
            usb.manufacturer.as_deref().unwrap_or(""),
            usb.product.as_deref().unwrap_or("")
        ),
        serialport::SerialPortType::PciPort => "PCI".to_owned(),
        serialport::SerialPortType::BluetoothPort => "Bluetooth".to_owned(),
        serialport::SerialPortType::Unknown => String::new(),
    }
}
