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
    let host = cpal::default_host();
    match host.output_devices() {
        Ok(devices) => {
            let mut count = 0;
            for device in devices {
                count += 1;
                let name = device.description().map_or_else(|e| format!("? ({e})"), |d| d.name().to_owned());
                let name = clean::line(&name);
                match device.default_output_config() {
                    Ok(c) => println!("  {name}  {} channels, {} Hz", c.channels(), c.sample_rate()),
                    Err(error) => println!("  {name}  cannot be used: {error}"),
                }
            }
            if count == 0 {
                println!("  none");
            }
        }
        Err(error) => println!("  cannot be listed: {error}"),
    }
    Ok(())
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
