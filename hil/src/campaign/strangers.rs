//! Serial ports of other devices: one that says nothing, one that says everything back, a GPS receiver.

use std::fs::File;
use std::io::{Error, Read, Result, Write};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::time::Duration;

use super::{
    stage::{During, Instrument, Needs, Outcome, Scenario},
    trace::Trace,
};
use crate::line::pseudo_terminal;

/// Something else at a serial port.
pub(super) struct Stranger {
    port: PathBuf,
    _kept: OwnedFd,
}

const SENTENCE: &[u8] = b"$GPGGA,123519,4807.038,N,01131.000,E,1,08,0.9,545.4,M,46.9,M,,*47\r\n";

impl Stranger {
    /// The one of that name.
    ///
    /// # Errors
    /// No pseudo terminal is to be had.
    pub(super) fn start(name: &str) -> Result<Self> {
        let (far, near, port) = pseudo_terminal()?;
        let mut far = File::from(far);
        match name {
            "port-of-a-silent-device" => {
                // Reads, or the host could not write.
                std::thread::spawn(move || std::io::copy(&mut far, &mut std::io::sink()));
            }
            "port-of-an-echo" => {
                let mut back = far.try_clone()?;
                std::thread::spawn(move || -> Result<()> {
                    let mut chunk = [0; 256];
                    loop {
                        let n = far.read(&mut chunk)?;
                        back.write_all(chunk.get(..n).unwrap_or_default())?;
                    }
                });
            }
            "port-of-a-gps-receiver" => {
                std::thread::spawn(move || -> Result<()> {
                    loop {
                        far.write_all(SENTENCE)?;
                        std::thread::sleep(Duration::from_millis(20));
                    }
                });
            }
            other => return Err(Error::other(format!("no stranger is called {other}"))),
        }
        Ok(Self { port, _kept: near })
    }
}

impl Instrument for Stranger {
    fn section(&self) -> String {
        format!("kind = \"serial\"\nport = \"{}\"", self.port.display())
    }

    fn environment(&self) -> Vec<(String, String)> {
        Vec::new()
    }

    fn trace(&self) -> Trace {
        Trace { rate_hz: 1.0, current_ma: Vec::new() }
    }

    fn mend(&mut self) -> Result<()> {
        Ok(())
    }

    fn is_felt(&self) -> bool {
        false
    }

    fn clock(&self) -> Option<f64> {
        None
    }
}

/// All of them: each must be refused by name, with code 3, before anything flows.
#[must_use]
pub(super) fn all() -> Vec<Scenario<Stranger>> {
    let names = ["port-of-a-silent-device", "port-of-an-echo", "port-of-a-gps-receiver"];
    let scenario = |name| Scenario {
        name,
        during: During::Start,
        outcome: Outcome::Never,
        largest_ma: 0.0,
        codes: &[3],
        patient: false,
        emulator: false,
        needs: Needs::Nothing,
        before: |_, _| Ok(()),
        happen: |_| Ok(()),
    };
    names.map(scenario).into()
}
