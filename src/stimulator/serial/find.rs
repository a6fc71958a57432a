//! Which port: by its path, or by the USB id of the board behind it.

use std::fmt;

use serialport::{SerialPortInfo, SerialPortType};

/// Where the device is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// For instance `/dev/ttyACM0` or `COM3`.
    Path(String),
    /// USB vendor and product, and the board's serial number where there are several.
    Usb {
        /// Vendor.
        vendor: u16,
        /// Product.
        product: u16,
        /// Serial number.
        serial: Option<String>,
    },
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(path) => f.write_str(path),
            Self::Usb { vendor, product, serial: None } => write!(f, "usb {vendor:04x}:{product:04x}"),
            Self::Usb { vendor, product, serial: Some(serial) } => {
                write!(f, "usb {vendor:04x}:{product:04x}:{serial}")
            }
        }
    }
}

impl Place {
    /// Reads `vendor:product` or `vendor:product:serial`, the first two in hexadecimal.
    #[must_use]
    pub fn usb(text: &str) -> Option<Self> {
        let mut parts = text.splitn(3, ':');
        let mut hex = || {
            let part = parts.next().filter(|part| part.len() == 4)?;
            u16::from_str_radix(part, 16).ok()
        };
        let (vendor, product) = (hex()?, hex()?);
        let serial = parts.next().map(str::to_owned);
        let named = serial.as_deref() != Some("");
        named.then_some(Self::Usb { vendor, product, serial })
    }

    /// The path of the port.
    ///
    /// # Errors
    /// No such board, or several: what to do, for a person.
    pub fn resolve(&self) -> Result<String, String> {
        match self {
            Self::Path(path) => Ok(path.clone()),
            Self::Usb { .. } => {
                let ports =
                    serialport::available_ports().map_err(|e| format!("ports cannot be listed: {e}"))?;
                self.choose(&ports)
            }
        }
    }

    fn choose(&self, ports: &[SerialPortInfo]) -> Result<String, String> {
        let Self::Usb { vendor, product, serial } = self else { return Err("it is no USB id".into()) };
        let found: Vec<(&str, &str)> = ports
            .iter()
            .filter_map(|port| match &port.port_type {
                SerialPortType::UsbPort(usb) if (usb.vid, usb.pid) == (*vendor, *product) => {
                    Some((port.port_name.as_str(), usb.serial_number.as_deref().unwrap_or("")))
                }
                _ => None,
            })
            .filter(|(_, number)| serial.as_deref().is_none_or(|wanted| wanted == *number))
            .collect();
        match found.as_slice() {
            [] => Err("no such board is plugged in (see `tras devices`)".into()),
            [(path, _)] => Ok((*path).to_owned()),
            several => {
                let list: Vec<String> =
                    several.iter().map(|(path, number)| format!("{path} ({number})")).collect();
                Err(format!(
                    "there are {}: {}; name the port, or add the serial number",
                    several.len(),
                    list.join(", ")
                ))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn usb(name: &str, pid: u16, number: &str) -> SerialPortInfo {
        SerialPortInfo {
            port_name: name.into(),
            port_type: SerialPortType::UsbPort(serialport::UsbPortInfo {
                vid: 0x0483,
                pid,
                serial_number: Some(number.into()),
                manufacturer: None,
                product: None,
            }),
        }
    }

    #[test]
    fn one_board_is_found_and_two_are_told_apart_by_their_numbers() {
        let ports = [
            usb("/dev/ttyACM0", 0x5740, "A1"),
            usb("/dev/ttyACM1", 0x5740, "B2"),
            usb("/dev/ttyUSB0", 1, ""),
        ];
        let choose = |id: &str| Place::usb(id).unwrap().choose(&ports);
        assert_eq!(choose("0483:5740:B2"), Ok("/dev/ttyACM1".into()));
        assert_eq!(choose("0483:0001"), Ok("/dev/ttyUSB0".into()));
        assert!(choose("0483:5740").unwrap_err().contains("/dev/ttyACM0 (A1), /dev/ttyACM1 (B2)"));
        assert!(choose("0483:5740:C3").unwrap_err().contains("no such board"));
        for nonsense in ["", "0483", "0483:57", "0483:574g", "0483:5740:", ":5740"] {
            assert_eq!(Place::usb(nonsense), None, "{nonsense}");
        }
    }
}
