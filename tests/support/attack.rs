//! What a hostile neighbour sends: lines that end liblsl's process, and an outlet that is none, with claims of its own.

use std::{
    io::{Read, Write},
    net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket},
    os::fd::FromRawFd,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

/// A question nested so deep that whoever parses it by recursion runs out of stack.
pub fn deep_question(depth: usize) -> Vec<u8> {
    let mut line = b"LSL:shortinfo\r\n".to_vec();
    line.resize(line.len() + depth, b'(');
    line.extend_from_slice(b"\r\n16999 1\r\n");
    line
}

/// One line to each TCP port of this machine; how many took it.
pub fn by_tcp(ports: &[u16], line: &[u8]) -> usize {
    let asks = |port: &&u16| {
        let at = SocketAddr::from((Ipv4Addr::LOCALHOST, **port));
        let Ok(mut there) = TcpStream::connect_timeout(&at, Duration::from_millis(200)) else { return false };
        let _ = there.set_write_timeout(Some(Duration::from_secs(1)));
        there.write_all(line).is_ok()
    };
    ports.iter().filter(asks).count()
}

/// One datagram to each UDP port of this machine.
pub fn by_udp(ports: &[u16], line: &[u8]) {
    let from = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    for port in ports {
        let _ = from.send_to(line, (Ipv4Addr::LOCALHOST, *port));
    }
}

/// What a forged outlet says of itself.
#[derive(Clone, Debug)]
pub struct Claims {
    pub name: &'static str,
    pub kind: &'static str,
    pub format: &'static str,
    /// As text: numbers that cannot be are among them.
    pub channels: String,
    /// A sample of one string of so many bytes is announced to whoever asks for samples.
    pub string_bytes: u64,
}

/// An outlet made of plain sockets: it answers every question, whatever was asked.
pub struct Forged {
    quit: Arc<AtomicBool>,
    asked: Arc<AtomicUsize>,
    threads: Vec<JoinHandle<()>>,
}

/// Of the ports that LSL looks at, far from where an honest outlet begins.
const DATA_PORT: u16 = 16_600;
const ASK_PORT: u16 = 16_601;
/// Where questions to everybody go.
const EVERYBODY: u16 = 16_571;
const UID: &str = "6f3c1d2e-9b70-4a51-8c33-0d4e5f6a7b88";

impl Forged {
    pub fn start(claims: Claims) -> Self {
        let (quit, asked) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let feeds = TcpListener::bind((Ipv4Addr::UNSPECIFIED, DATA_PORT)).unwrap();
        feeds.set_nonblocking(true).unwrap();
        let mut threads = Vec::new();
        for port in [ASK_PORT, EVERYBODY] {
            let questions = shared(port);
            let (done, said) = (Arc::clone(&quit), claims.clone());
            threads.push(std::thread::spawn(move || {
                let mut question = [0; 65_536];
                while !done.load(Ordering::Relaxed) {
                    let Ok((length, from)) = questions.recv_from(&mut question) else { continue };
                    let text = String::from_utf8_lossy(&question[..length]).into_owned();
                    answer(&questions, from, &text, &said);
                }
            }));
        }
        let (done, count) = (Arc::clone(&quit), Arc::clone(&asked));
        threads.push(std::thread::spawn(move || {
            let mut held = Vec::new();
            while !done.load(Ordering::Relaxed) {
                match feeds.accept() {
                    Ok((stream, _)) => held.extend(feed(stream, &claims, &count)),
                    Err(_) => std::thread::sleep(Duration::from_millis(5)),
                }
            }
        }));
        Self { quit, asked, threads }
    }

    /// How often samples were asked for.
    pub fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }
}

impl Drop for Forged {
    fn drop(&mut self) {
        self.quit.store(true, Ordering::Relaxed);
        self.threads.drain(..).for_each(|thread| drop(thread.join()));
    }
}

/// A socket at a port that others have as well; the newest of them gets what comes.
fn shared(port: u16) -> UdpSocket {
    let address = libc::sockaddr_in {
        sin_family: libc::AF_INET as libc::sa_family_t,
        sin_port: port.to_be(),
        sin_addr: libc::in_addr { s_addr: 0 },
        sin_zero: [0; 8],
    };
    let (on, length) = (1_i32, size_of::<libc::sockaddr_in>() as libc::socklen_t);
    // SAFETY: plain system calls; numbers and address live across them, and the descriptor is nobody else's.
    let socket = unsafe {
        let fd = libc::socket(libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0);
        assert!(fd >= 0, "{}", std::io::Error::last_os_error());
        libc::setsockopt(fd, libc::SOL_SOCKET, libc::SO_REUSEADDR, (&raw const on).cast(), 4);
        let bound = libc::bind(fd, (&raw const address).cast(), length);
        assert_eq!(bound, 0, "{}", std::io::Error::last_os_error());
        UdpSocket::from_raw_fd(fd)
    };
    socket.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    socket
}

fn description(claims: &Claims) -> String {
    format!(
        "<?xml version=\"1.0\"?>\n<info><name>{}</name><type>{}</type><channel_count>{}</channel_count>\
         <nominal_srate>250</nominal_srate><channel_format>{}</channel_format><source_id>forged</source_id>\
         <version>1.1</version><created_at>1.0</created_at><uid>{UID}</uid><session_id>default</session_id>\
         <hostname>elsewhere</hostname><v4address /><v4data_port>{DATA_PORT}</v4data_port>\
         <v4service_port>{ASK_PORT}</v4service_port><v6address /><v6data_port>0</v6data_port>\
         <v6service_port>0</v6service_port><desc /></info>\n",
        claims.name, claims.kind, claims.channels, claims.format
    )
}

fn answer(socket: &UdpSocket, from: SocketAddr, question: &str, claims: &Claims) {
    let mut lines = question.split("\r\n");
    match lines.next().map(str::trim) {
        Some("LSL:shortinfo") => {
            let mut to = lines.nth(1).unwrap_or_default().split_whitespace();
            let port = to.next().and_then(|port| port.parse::<u16>().ok());
            if let (Some(port), Some(number)) = (port, to.next()) {
                let text = format!("{number}\r\n{}", description(claims));
                let _ = socket.send_to(text.as_bytes(), (from.ip(), port));
            }
        }
        Some("LSL:timedata") => {
            let mut asked = lines.next().unwrap_or_default().split_whitespace();
            if let (Some(wave), Some(sent)) = (asked.next(), asked.next()) {
                let now_s = tras::clock::now_s();
                let _ = socket.send_to(format!(" {wave} {sent} {now_s:.9} {now_s:.9}").as_bytes(), from);
            }
        }
        _ => {}
    }
}

/// Answers one connection; what must be kept open is given back.
fn feed(mut stream: TcpStream, claims: &Claims, asked: &AtomicUsize) -> Option<TcpStream> {
    stream.set_nonblocking(false).ok()?;
    stream.set_read_timeout(Some(Duration::from_millis(500))).ok()?;
    let mut request = Vec::new();
    let mut bytes = [0; 4_096];
    loop {
        let length = stream.read(&mut bytes).ok().filter(|length| *length > 0)?;
        request.extend_from_slice(&bytes[..length]);
        if request.starts_with(b"LSL:fullinfo") {
            stream.write_all(description(claims).as_bytes()).ok()?;
            let _ = stream.shutdown(Shutdown::Write);
            return None;
        }
        if request.windows(4).any(|four| four == b"\r\n\r\n") {
            break;
        }
    }
    asked.fetch_add(1, Ordering::Relaxed);
    let head = format!(
        "LSL/110 200 OK\r\nUID: {UID}\r\nByte-Order: 1234\r\nSuppress-Subnormals: 0\r\nData-Protocol-Version: 110\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).ok()?;
    // A stamp, and a string whose length takes eight bytes.
    let mut sample = vec![2_u8];
    sample.extend_from_slice(&1.0_f64.to_le_bytes());
    sample.push(8);
    sample.extend_from_slice(&claims.string_bytes.to_le_bytes());
    stream.write_all(&sample).ok()?;
    Some(stream)
}
