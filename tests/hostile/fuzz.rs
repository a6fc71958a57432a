//! Ten minutes of hostile packets at every port of ours while blocks play: `make hostile`.
//!
//! Sent: questions that end liblsl's process, requests of its protocol with bytes changed, claims of streams that cannot be,
//! random bytes, connections that say nothing. Judged: by what left the device. Nothing flows outside a burst that the host
//! has begun, every end of a burst has its cause on record and is a ramp, the run lives and ends as it was told to.

use std::{
    io::Write,
    net::{Ipv4Addr, SocketAddr, TcpStream, UdpSocket},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use tras::clock;
use tras_device::State;
use tras_test_support::{
    attack::{Claims, Forged, deep_question},
    children,
    lab::{Lab, Session, sleep_s},
    network::alone,
    serial::{Bench, Flow, Wrong},
};

use crate::common::{SIMULATE, comes_to, config, serial};

/// Between two packets of one attacker: a machine that has no time proves nothing.
const EVERY: Duration = Duration::from_millis(8);
/// Connections that are held and say nothing.
const HELD: usize = 40;
/// Amplitude in the last 50 ms of a burst, in mA: of a ramp down to zero in 1 s from 0.5 mA, twice over.
const LAST_MA: f32 = 0.05;
/// What the device drives into its closed shunt before each arming, in mA.
const PROOF_MA: f32 = 0.101;
/// What the host told and what the device did may lie so far apart, in s: the queue, and the kernel's pseudo terminal.
const APART_S: f64 = 0.6;

/// Requests and answers that liblsl knows.
const KNOWN: [&str; 7] = [
    "LSL:shortinfo\r\nsession_id='default' and type='EEG'\r\n16572 77\r\n",
    "LSL:fullinfo\r\n",
    "LSL:streamfeed\r\n0 0\r\n",
    "LSL:streamfeed/110 6f3c1d2e\r\nNative-Byte-Order: 1234\r\nEndian-Performance: 1\r\nHas-IEEE754-Floats: 1\r\n\
     Supports-Subnormals: 1\r\nValue-Size: 4\r\nData-Protocol-Version: 110\r\nMax-Buffer-Length: 360\r\n\
     Max-Chunk-Length: 0\r\nHostname: elsewhere\r\nSource-Id: x\r\nSession-Id: default\r\n\r\n",
    "LSL:timedata\r\n1 12.5\r\n",
    " 1 12.5 13.0 13.5",
    "77\r\n<?xml version=\"1.0\"?><info><name>sim</name><type>EEG</type><channel_count>2000000000</channel_count>\
     <nominal_srate>1e308</nominal_srate><channel_format>float32</channel_format><source_id>x</source_id>\
     <version>1.1</version><created_at>nan</created_at><uid>6f3c</uid><session_id>default</session_id>\
     <hostname>elsewhere</hostname><v4data_port>99999999999</v4data_port></info>",
];

struct Dice(u64);

impl Dice {
    fn below(&mut self, most: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) as usize % most.max(1)
    }

    /// What is sent next.
    fn packet(&mut self) -> Vec<u8> {
        match self.below(10) {
            0 => deep_question(300_000),
            1 => "<a>".repeat(1 + self.below(20_000)).into_bytes(),
            2 | 3 => (0..1 + self.below(4_096)).map(|_| self.below(256) as u8).collect(),
            _ => {
                let mut bytes = KNOWN[self.below(KNOWN.len())].as_bytes().to_vec();
                for _ in 0..self.below(6) {
                    let at = self.below(bytes.len());
                    match self.below(4) {
                        0 => bytes[at] = self.below(256) as u8,
                        1 => drop(bytes.drain(at..(at + 1 + self.below(20)).min(bytes.len()))),
                        2 => {
                            let number =
                                ["-1", "4294967296", "1e308", "nan", "99999999999999999999"][self.below(5)];
                            drop(bytes.splice(at..at, number.bytes()));
                        }
                        _ => {
                            let more = vec![bytes[at]; self.below(5_000)];
                            drop(bytes.splice(at..at, more));
                        }
                    }
                    if bytes.is_empty() {
                        bytes.push(0);
                    }
                }
                bytes
            }
        }
    }
}

/// Where our processes listen, looked up again and again: they are ended and come back elsewhere.
#[derive(Default)]
struct Targets {
    tcp: Vec<u16>,
    udp: Vec<u16>,
}

struct Attack {
    quit: Arc<AtomicBool>,
    sent: Arc<AtomicU64>,
    threads: Vec<JoinHandle<()>>,
}

impl Attack {
    fn on(pid: u32) -> Self {
        let (quit, sent) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let targets = Arc::new(Mutex::new(Targets::default()));
        let mut attack = Self { quit, sent, threads: Vec::new() };
        let found = Arc::clone(&targets);
        attack.repeat(Duration::from_millis(200), move |_| {
            let mut now = Targets::default();
            for role in ["inlet", "outlets", "markers"] {
                let (tcp, udp) = children::child(pid, role).map(children::ports_by_ipv4).unwrap_or_default();
                now.tcp.extend(tcp);
                now.udp.extend(udp);
            }
            *found.lock().unwrap() = now;
            0
        });
        for seed in [11, 23] {
            let (found, mut dice, mut held) = (Arc::clone(&targets), Dice(seed), Vec::new());
            attack.repeat(EVERY, move |_| {
                let Some(port) = one_of(&mut dice, &found.lock().unwrap().tcp) else { return 0 };
                let at = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
                let Ok(mut there) = TcpStream::connect_timeout(&at, Duration::from_millis(100)) else {
                    return 0;
                };
                let _ = there.set_write_timeout(Some(Duration::from_millis(200)));
                let _ = there.write_all(&dice.packet());
                if dice.below(4) == 0 {
                    held.push(there);
                    if held.len() > HELD {
                        held.remove(0);
                    }
                }
                1
            });
            let (found, mut dice) = (Arc::clone(&targets), Dice(seed + 1));
            let from = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
            attack.repeat(EVERY, move |_| {
                let Some(port) = one_of(&mut dice, &found.lock().unwrap().udp) else { return 0 };
                let packet = dice.packet();
                let packet = packet.get(..packet.len().min(60_000)).unwrap_or_default();
                u64::from(from.send_to(packet, (Ipv4Addr::LOCALHOST, port)).is_ok())
            });
        }
        attack
    }

    fn repeat(&mut self, every: Duration, mut deed: impl FnMut(u64) -> u64 + Send + 'static) {
        let (quit, sent) = (Arc::clone(&self.quit), Arc::clone(&self.sent));
        self.threads.push(std::thread::spawn(move || {
            while !quit.load(Ordering::Relaxed) {
                let done = deed(sent.load(Ordering::Relaxed));
                sent.fetch_add(done, Ordering::Relaxed);
                std::thread::sleep(every);
            }
        }));
    }

    fn end(mut self) -> u64 {
        self.quit.store(true, Ordering::Relaxed);
        self.threads.drain(..).for_each(|thread| thread.join().unwrap());
        self.sent.load(Ordering::Relaxed)
    }
}

fn one_of(dice: &mut Dice, ports: &[u16]) -> Option<u16> {
    ports.get(dice.below(ports.len())).copied()
}

/// From first to last nonzero sample of each burst, on the device's clock.
fn bursts(flow: &[Flow]) -> Vec<(f64, f64)> {
    let mut bursts: Vec<(f64, f64)> = Vec::new();
    for flow in flow.iter().filter(|flow| flow.current_ma != 0.0) {
        match bursts.last_mut() {
            Some((_, until_s)) if flow.at_s - *until_s < 1.0 => *until_s = flow.at_s,
            _ => bursts.push((flow.at_s, flow.at_s)),
        }
    }
    bursts
}

/// Judges every burst of the device against what the host has on record; `offset_s` from the device's clock to the host's.
/// Before each arming the device drives its closed shunt: that reaches nobody, and is no burst.
fn judge(flow: &[Flow], session: &Session, offset_s: f64) -> usize {
    let ups_s = session.when("current", "state", "ramp up");
    let downs_s = session.when("current", "state", "ramp down");
    let halts_s: Vec<f64> = session
        .events()
        .iter()
        .filter(|(_, e)| e["event"] == "halted")
        .map(|(stamp_s, _)| *stamp_s)
        .collect();
    let ends_s: Vec<f64> = session
        .events()
        .iter()
        .filter(|(_, e)| e["event"] == "phase" && e["phase"] == "ramp down")
        .map(|(stamp_s, _)| *stamp_s)
        .collect();
    let near =
        |times_s: &[f64], from_s: f64, until_s: f64| times_s.iter().any(|s| (from_s..until_s).contains(s));
    let idle = |state| matches!(state, State::Disarmed | State::Armed);
    let proof = flow.iter().filter(|f| idle(f.state)).fold(0.0_f32, |most, f| most.max(f.current_ma.abs()));
    assert!(proof <= PROOF_MA, "{proof} mA outside a burst");
    let all: Vec<(f64, f64)> =
        bursts(flow).into_iter().filter(|(from_s, until_s)| until_s - from_s > 1.0).collect();
    for (from_s, until_s) in &all {
        let (from_s, until_s) = (from_s + offset_s, until_s + offset_s);
        assert!(
            near(&ups_s, from_s - APART_S, from_s + APART_S),
            "current from {from_s} that nobody began: {ups_s:?}"
        );
        assert!(
            near(&downs_s, until_s - 5.0 - 2.0 * APART_S, until_s),
            "no ramp before {until_s}: {downs_s:?}"
        );
        let cause = near(&halts_s, until_s - 1.2 - 2.0 * APART_S, until_s)
            || near(&ends_s, until_s - 5.2 - 2.0 * APART_S, until_s);
        assert!(cause, "no word for the end at {until_s}: halts {halts_s:?}, planned {ends_s:?}");
        let last = flow.iter().filter(|f| (until_s - 0.05..=until_s).contains(&(f.at_s + offset_s)));
        let last_ma = last.fold(0.0_f32, |most, f| most.max(f.current_ma.abs()));
        assert!(last_ma < LAST_MA, "{last_ma} mA in the last 50 ms before {until_s}: no ramp");
    }
    all.len()
}

#[test]
#[ignore = "ten minutes: make hostile"]
fn ten_minutes_of_hostile_packets() {
    alone("ten_minutes_of_hostile_packets", || {
        let seconds: f64 = std::env::var("HOSTILE_SECONDS").map_or(600.0, |text| text.parse().unwrap());
        let lab = Lab::new();
        let _sim = lab.start(SIMULATE);
        let bench = Bench::start(Wrong::default());
        let offset_s = clock::now_s() - bench.now_s();
        let text = config(&serial(&bench), "dir = \"r\"\n[markers]\nstreams = [\"task\"]\n")
            .replace("block_s = 60", "block_s = 90")
            .replace("blocks = 2", "blocks = 12");
        let file = lab.write("run.toml", &text);
        let mut run = lab.run(&format!("run --headless --json -c {}", file.display()));
        comes_to(&bench, State::Stimulating, 45.0);
        let attack = Attack::on(run.pid());
        let forged = Forged::start(Claims {
            name: "task",
            kind: "Markers",
            format: "string",
            channels: "1".to_owned(),
            string_bytes: 3_000_000_000,
        });
        let began = Instant::now();
        while began.elapsed().as_secs_f64() < seconds {
            sleep_s(1.0);
            assert!(
                children::resident_mb(run.pid()).is_some(),
                "the run has ended: {}{}",
                run.said(),
                run.complained()
            );
        }
        let (sent, asked) = (attack.end(), forged.asked());
        drop(forged);
        run.signal(libc::SIGTERM);
        let summary = run.summary(0, 30.0);
        assert_eq!(summary["faults"].as_array().map(Vec::len), Some(0), "{summary}");
        let session = Session::of(&summary, &lab);
        let flow = bench.flow.lock().unwrap().clone();
        let bursts = judge(&flow, &session, offset_s);
        let largest_ma = flow.iter().fold(0.0_f32, |most, f| most.max(f.current_ma.abs()));
        let flowed_s = flow.iter().filter(|f| f.current_ma != 0.0).count() as f64 / 2_000.0;
        let told = |word: &str| session.events().iter().filter(|(_, e)| e.to_string().contains(word)).count();
        println!(
            "hostile packets for {seconds:.0} s: {sent} sent, 3 GB claimed {asked} times; processes ended {} times by a signal, \
             {} with a code, {} stuck; the stream LOST {} times; {bursts} bursts, {flowed_s:.0} s of current, at most \
             {largest_ma:.4} mA, no fault of the device; summary {summary}",
            told("ended by signal"),
            told("ended with code"),
            told("was stuck"),
            session.when("stream", "state", "LOST").len(),
        );
        assert!(flow.iter().all(|f| f.state != State::Fault), "a fault of the device");
        assert!(largest_ma <= 0.5 && bursts > 0, "{largest_ma} mA in {bursts} bursts");
        assert!(told("ended by signal") > 0, "nothing was ended: nothing was tested");
    });
}
