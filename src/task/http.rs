//! Who may see the page and talk to the program: this machine's browser, with the address that the program gave out.
//!
//! Bound to 127.0.0.1. Host and Origin must be ours, so that no page of the network reaches us by another name; the
//! token in the address works once and gives a cookie, with which the page may be loaded anew. Every connection is
//! judged in a short thread of its own, so that a slow one costs the task nothing.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender};
use tungstenite::WebSocket;

const PAGE: &str = include_str!("page.html");
/// A request of ours has some hundred bytes.
const MOST_BYTES: usize = 8_192;
const MOST_AT_ONCE: usize = 16;
const PATIENCE: Duration = Duration::from_secs(2);
const NAP: Duration = Duration::from_millis(5);

/// A connection that may talk to the task.
pub type Line = WebSocket<TcpStream>;

/// The open door.
pub struct Door {
    /// The address with its token.
    pub url: String,
    /// Connections that were let in.
    pub lines: Receiver<Line>,
    keys: Arc<Keys>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// What lets a request in.
struct Keys {
    port: u16,
    /// What the address holds; `None` once it was used.
    token: Mutex<Option<String>>,
    cookie: String,
    nonce: String,
}

impl Door {
    /// Listens on `port` of 127.0.0.1; 0 takes a free one.
    ///
    /// # Errors
    /// Says that the port is taken.
    pub fn open(port: u16) -> Result<Self, String> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))
            .map_err(|e| format!("127.0.0.1:{port}: cannot listen: {e}; take another --port"))?;
        let told = |e: std::io::Error| format!("127.0.0.1:{port}: {e}");
        let port = listener.local_addr().map_err(told)?.port();
        listener.set_nonblocking(true).map_err(told)?;
        let keys = Arc::new(Keys { port, token: Mutex::new(None), cookie: secret(), nonce: secret() });
        let url = keys.renew();
        let shared = Arc::clone(&keys);
        let (send, lines) = crossbeam_channel::bounded(MOST_AT_ONCE);
        let stop = Arc::new(AtomicBool::new(false));
        let watch = Arc::clone(&stop);
        let thread = std::thread::Builder::new()
            .name("tras-task-http".into())
            .spawn(move || accept(&listener, &keys, &send, &watch))
            .map_err(|e| format!("cannot start a thread: {e}"))?;
        Ok(Self { url, lines, keys: shared, stop, thread: Some(thread) })
    }

    /// Another address, which works once: for a browser that has died with its cookie. The one before works no more.
    #[must_use]
    pub fn renew(&self) -> String {
        self.keys.renew()
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// 128 random bits in hexadecimal, from the system.
fn secret() -> String {
    rand::random::<[u8; 16]>().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn accept(listener: &TcpListener, keys: &Arc<Keys>, lines: &Sender<Line>, stop: &AtomicBool) {
    let open = Arc::new(AtomicUsize::new(0));
    while !stop.load(Ordering::Relaxed) {
        let Ok((stream, _)) = listener.accept() else {
            std::thread::sleep(NAP);
            continue;
        };
        if open.fetch_add(1, Ordering::Relaxed) >= MOST_AT_ONCE {
            open.fetch_sub(1, Ordering::Relaxed);
            continue;
        }
        let (keys, lines, count) = (Arc::clone(keys), lines.clone(), Arc::clone(&open));
        let started = std::thread::Builder::new().name("tras-task-guest".into()).spawn(move || {
            // A guest that goes away in mid-sentence is no fault of ours.
            let _ = receive(stream, &keys, &lines);
            count.fetch_sub(1, Ordering::Relaxed);
        });
        if started.is_err() {
            open.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

fn receive(mut stream: TcpStream, keys: &Keys, lines: &Sender<Line>) -> std::io::Result<()> {
    stream.set_nonblocking(false)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut bytes = vec![0; MOST_BYTES];
    let until = Instant::now() + PATIENCE;
    // Only looked at: the socket's own handshake reads the same bytes again.
    let (length, verdict) = loop {
        let length = stream.peek(&mut bytes)?;
        let seen = bytes.get(..length).unwrap_or_default();
        if let Some(head) = seen.windows(4).position(|four| four == b"\r\n\r\n") {
            break (head + 4, keys.judge(seen));
        }
        if length == 0 || length == MOST_BYTES || Instant::now() > until {
            return Err(ErrorKind::InvalidData.into());
        }
        std::thread::sleep(Duration::from_millis(1));
    };
    if verdict == Verdict::Line {
        let line = tungstenite::accept(stream).map_err(|e| std::io::Error::other(e.to_string()))?;
        return lines.try_send(line).map_err(|_| ErrorKind::WouldBlock.into());
    }
    stream.read_exact(bytes.get_mut(..length).unwrap_or_default())?;
    stream.write_all(keys.answer(&verdict).as_bytes())
}

/// What becomes of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Verdict {
    /// The page; with its cookie where the token let it in.
    Page { cookie: bool },
    /// The page's connection.
    Line,
    /// A status and why.
    Refused(&'static str, &'static str),
}

impl Keys {
    fn renew(&self) -> String {
        let token = secret();
        let url = format!("http://127.0.0.1:{}/?t={token}", self.port);
        *self.token.lock().unwrap_or_else(PoisonError::into_inner) = Some(token);
        url
    }

    /// Whether `query` holds the token, which is used up then.
    fn takes(&self, query: &str) -> bool {
        let mut token = self.token.lock().unwrap_or_else(PoisonError::into_inner);
        let holds = token.as_ref().is_some_and(|token| query == format!("t={token}"));
        if holds {
            *token = None;
        }
        holds
    }

    fn judge(&self, bytes: &[u8]) -> Verdict {
        let mut headers = [httparse::EMPTY_HEADER; 64];
        let mut request = httparse::Request::new(&mut headers);
        if !request.parse(bytes).is_ok_and(|status| status.is_complete()) {
            return Verdict::Refused("400 Bad Request", "no request");
        }
        let header = |name: &str| {
            let mut all = request.headers.iter().filter(|h| h.name.eq_ignore_ascii_case(name));
            let first = all.next().and_then(|h| std::str::from_utf8(h.value).ok());
            // Twice is once too often: which one counts would be anybody's guess.
            if all.next().is_some() { None } else { first }
        };
        let ours = [format!("127.0.0.1:{}", self.port), format!("localhost:{}", self.port)];
        if !header("host").is_some_and(|host| ours.iter().any(|o| o == host)) {
            return Verdict::Refused("403 Forbidden", "this address is not the task's");
        }
        let origin = header("origin");
        let known = origin.is_some_and(|o| ours.iter().any(|host| o == format!("http://{host}")));
        if request.headers.iter().any(|h| h.name.eq_ignore_ascii_case("origin")) && !known {
            return Verdict::Refused("403 Forbidden", "another page may not talk to the task");
        }
        if request.method != Some("GET") {
            return Verdict::Refused("405 Method Not Allowed", "only GET");
        }
        let wanted = format!("tras={}", self.cookie);
        let cookie = header("cookie").is_some_and(|all| all.split(';').any(|one| one.trim() == wanted));
        let path = request.path.unwrap_or_default();
        match path.split_once('?').unwrap_or((path, "")) {
            ("/line", _) if cookie && known => Verdict::Line,
            ("/line", _) => Verdict::Refused("403 Forbidden", "only the task's own page talks to it"),
            ("/", _) if cookie => Verdict::Page { cookie: false },
            ("/", query) if self.takes(query) => Verdict::Page { cookie: true },
            ("/", query) if query.starts_with("t=") => Verdict::Refused(
                "403 Forbidden",
                "this address has been used, or is an older one; take the newest that the program told",
            ),
            ("/", _) => Verdict::Refused("403 Forbidden", "take the whole address that the program printed"),
            _ => Verdict::Refused("404 Not Found", "there is nothing here"),
        }
    }

    fn answer(&self, verdict: &Verdict) -> String {
        let (status, kind, body, cookie) = match verdict {
            Verdict::Page { cookie } => ("200 OK", "text/html", PAGE.replace("NONCE", &self.nonce), *cookie),
            Verdict::Refused(status, why) => (*status, "text/plain", format!("{why}\n"), false),
            Verdict::Line => ("500 Internal Server Error", "text/plain", String::new(), false),
        };
        let cookie = if cookie {
            format!("Set-Cookie: tras={}; HttpOnly; SameSite=Strict; Path=/\r\n", self.cookie)
        } else {
            String::new()
        };
        // Isolation from other origins also sharpens the page's clock.
        format!(
            "HTTP/1.1 {status}\r\nContent-Type: {kind}; charset=utf-8\r\nContent-Length: {}\r\nConnection: close\r\n\
             Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\nReferrer-Policy: no-referrer\r\n\
             Cross-Origin-Opener-Policy: same-origin\r\nCross-Origin-Embedder-Policy: require-corp\r\n\
             Content-Security-Policy: default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}' \
             'unsafe-hashes'; connect-src ws://127.0.0.1:{port} ws://localhost:{port}; frame-ancestors 'none'; \
             base-uri 'none'\r\n{cookie}\r\n{body}",
            body.len(),
            nonce = self.nonce,
            port = self.port,
        )
    }
}

#[cfg(test)]
#[path = "http_tests.rs"]
mod tests;
