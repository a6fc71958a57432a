//! A headless Chromium with a scripted participant: sees the page's phase, moves the pointer, clicks, looks.
#![allow(dead_code, missing_docs, reason = "each test uses some of it")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tungstenite::{Message, WebSocket};

pub(crate) const SIZE: (f64, f64) = (900.0, 700.0);

pub(crate) struct Browser {
    child: Child,
    /// As it was started.
    pub(crate) program: String,
    port: String,
    _profile: tempfile::TempDir,
}

impl Browser {
    /// `None`, and says so in the name of `test`, where there is no Chromium.
    pub(crate) fn open(test: &str) -> Option<Self> {
        let named = std::env::var("TRAS_CHROMIUM").ok();
        let known = ["chromium-headless-shell", "chromium", "google-chrome"].map(str::to_owned);
        let profile = tempfile::tempdir().unwrap();
        for program in named.into_iter().chain(known) {
            let started = Command::new(&program)
                .args([
                    "--headless",
                    "--no-sandbox",
                    "--disable-gpu",
                    "--no-first-run",
                    "--remote-debugging-port=0",
                ])
                .arg(format!("--window-size={},{}", SIZE.0, SIZE.1))
                .arg(format!("--user-data-dir={}", profile.path().display()))
                .arg("about:blank")
                // Debian's program is a script that stays in front of the browser: both are ended as one group.
                .process_group(0)
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::piped())
                .spawn();
            let Ok(mut child) = started else { continue };
            let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
            let port = lines.by_ref().map_while(Result::ok).find_map(|line| {
                let rest = line.split_once("DevTools listening on ws://127.0.0.1:")?.1.to_owned();
                Some(rest.split('/').next()?.to_owned())
            });
            // Somebody must read what it goes on to say.
            std::thread::spawn(move || lines.for_each(drop));
            if let Some(port) = port {
                return Some(Self { child, program, port, _profile: profile });
            }
            let _ = child.kill();
            let _ = child.wait();
        }
        tras_test_support::skipped(
            test,
            "no Chromium (apt install chromium-headless-shell, or set TRAS_CHROMIUM)",
        );
        None
    }

    /// A new window at `url`.
    pub(crate) fn window(&self, url: &str) -> Window {
        self.window_with(url, "")
    }

    /// The same, where `script` runs before the page's own.
    pub(crate) fn window_with(&self, url: &str, script: &str) -> Window {
        // The list of windows has the first one, which is enough to ask for others.
        let mut list = TcpStream::connect(format!("127.0.0.1:{}", self.port)).unwrap();
        let ask = format!(
            "PUT /json/new?about:blank HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nConnection: close\r\n\r\n",
            self.port
        );
        std::io::Write::write_all(&mut list, ask.as_bytes()).unwrap();
        let mut reader = BufReader::new(list);
        let mut length = 0;
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).unwrap();
            if let Some(n) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = n.trim().parse().unwrap();
            }
            if line.trim().is_empty() {
                break;
            }
        }
        let mut body = vec![0; length];
        std::io::Read::read_exact(&mut reader, &mut body).unwrap();
        let about: Value = serde_json::from_slice(&body).unwrap();
        let address = about["webSocketDebuggerUrl"].as_str().unwrap();
        let stream = TcpStream::connect(format!("127.0.0.1:{}", self.port)).unwrap();
        stream.set_nodelay(true).unwrap();
        let (socket, _) = tungstenite::client(address, stream).unwrap();
        let mut window = Window { socket, asked: 0 };
        window.call("Page.enable", json!({}));
        // A headless window has the focus only where it is said to.
        window.call("Emulation.setFocusEmulationEnabled", json!({ "enabled": true }));
        if !script.is_empty() {
            window.call("Page.addScriptToEvaluateOnNewDocument", json!({ "source": script }));
        }
        window.call("Page.navigate", json!({ "url": url }));
        window
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let group = i32::try_from(self.child.id()).unwrap();
        // SAFETY: `kill` only takes numbers; the group is of our own child, which has not been waited for.
        unsafe { libc::kill(-group, libc::SIGKILL) };
        let _ = self.child.wait();
    }
}

pub(crate) struct Window {
    socket: WebSocket<TcpStream>,
    asked: u64,
}

impl Window {
    pub(crate) fn call(&mut self, method: &str, params: Value) -> Value {
        self.asked += 1;
        let message = json!({ "id": self.asked, "method": method, "params": params });
        self.socket.send(Message::text(message.to_string())).unwrap();
        loop {
            let Message::Text(text) = self.socket.read().unwrap() else { continue };
            let answer: Value = serde_json::from_str(&text).unwrap();
            if answer["id"] == json!(self.asked) {
                return answer["result"].clone();
            }
        }
    }

    pub(crate) fn evaluate(&mut self, what: &str) -> Value {
        self.call("Runtime.evaluate", json!({ "expression": what }))["result"]["value"].clone()
    }

    pub(crate) fn phase(&mut self) -> String {
        self.evaluate("document.body ? document.body.dataset.phase || '' : ''")
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }

    /// Waits for one of `phases`.
    pub(crate) fn until(&mut self, phases: &[&str]) -> String {
        let end = Instant::now() + Duration::from_secs(60);
        loop {
            let phase = self.phase();
            if phases.contains(&phase.as_str()) {
                return phase;
            }
            assert!(Instant::now() < end, "waited 60 s for {phases:?}, the page is in `{phase}`");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    pub(crate) fn click(&mut self, x: f64, y: f64) {
        for kind in ["mouseMoved", "mousePressed", "mouseReleased"] {
            let params = json!({ "type": kind, "x": x, "y": y, "button": if kind == "mouseMoved" { "none" } else { "left" }, "clickCount": 1 });
            self.call("Input.dispatchMouseEvent", params);
        }
    }

    /// Clicks on the wheel in a direction, degrees counter-clockwise from the right.
    pub(crate) fn answer(&mut self, deg: f64) {
        let (w, h) =
            (self.evaluate("innerWidth").as_f64().unwrap(), self.evaluate("innerHeight").as_f64().unwrap());
        let (sin, cos) = deg.to_radians().sin_cos();
        let radius = 0.4 * w.min(h);
        self.click(w / 2.0 + radius * cos, h / 2.0 - radius * sin);
    }

    /// The screen as PNG.
    pub(crate) fn look(&mut self) -> Vec<u8> {
        let shot = self.call("Page.captureScreenshot", json!({ "format": "png" }));
        decode(shot["data"].as_str().unwrap())
    }

    pub(crate) fn reload(&mut self) {
        self.call("Page.reload", json!({}));
    }
}

/// Base 64.
fn decode(text: &str) -> Vec<u8> {
    let value = |b: u8| match b {
        b'A'..=b'Z' => u32::from(b - b'A'),
        b'a'..=b'z' => u32::from(b - b'a') + 26,
        b'0'..=b'9' => u32::from(b - b'0') + 52,
        b'+' => 62,
        _ => 63,
    };
    let mut bytes = Vec::new();
    for four in text.trim_end_matches('=').as_bytes().chunks(4) {
        let word = four.iter().fold(0, |word, b| (word << 6) | value(*b)) << (6 * (4 - four.len()));
        bytes.extend(word.to_be_bytes().into_iter().skip(1).take(four.len() * 6 / 8));
    }
    bytes
}
