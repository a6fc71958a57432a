//! Who reaches our outlets: this machine always, a second one only where the configuration says so.

use std::{
    net::{SocketAddr, TcpStream, UdpSocket},
    time::Duration,
};

use tras_test_support::{
    children,
    lab::Lab,
    network::{HERE, Host, alone},
    skipped,
};

use crate::common::{SIMULATE, config, under_current};

const QUESTION: &str = "LSL:shortinfo\r\nchannel_count>0\r\n";

/// Ports that took a connection, and ports that answered a question, asked from wherever this is called.
fn reached(address: &str, tcp: &[u16], udp: &[u16]) -> (usize, usize) {
    let address = address.parse().unwrap();
    let connects = |port: &&u16| {
        TcpStream::connect_timeout(&SocketAddr::new(address, **port), Duration::from_millis(400)).is_ok()
    };
    let asks = UdpSocket::bind("0.0.0.0:0").unwrap();
    asks.set_read_timeout(Some(Duration::from_millis(400))).unwrap();
    let back = asks.local_addr().unwrap().port();
    let question = format!("{QUESTION}{back} 1\r\n");
    let answers = |port: &&u16| {
        let mut answer = [0; 65_536];
        asks.send_to(question.as_bytes(), SocketAddr::new(address, **port)).is_ok()
            && asks.recv_from(&mut answer).is_ok()
    };
    (tcp.iter().filter(connects).count(), udp.iter().filter(answers).count())
}

fn reach(test: &'static str, network: bool) {
    alone(test, move || {
        let host = match Host::beside() {
            Ok(host) => host,
            Err(why) => return skipped(test, &why),
        };
        let lab = Lab::new();
        let _sim = lab.start(SIMULATE);
        let more = format!("[outlets]\nnetwork = {network}\n");
        let mut run = under_current(&lab, &config("kind = \"simulated\"", &more), "--no-record");
        let pid = children::child(run.pid(), "outlets").expect("the outlets have a process");
        let (tcp, udp) = children::ports(pid);
        let here = reached("127.0.0.1", &tcp, &udp);
        let there = host.visit(|| reached(HERE, &tcp, &udp));
        println!(
            "outlets.network = {network}: {} TCP and {} UDP ports; this machine reaches {here:?}, a second one {there:?}",
            tcp.len(),
            udp.len()
        );
        assert!(here.0 > 0 && here.1 > 0, "this machine: {here:?}");
        if network {
            assert!(there.0 > 0 && there.1 > 0, "a second machine: {there:?}");
        } else {
            assert_eq!(there, (0, 0), "a second machine");
        }
        run.signal(libc::SIGTERM);
        run.end(15.0);
    });
}

#[test]
fn a_second_machine_does_not_reach_the_outlets() {
    reach("a_second_machine_does_not_reach_the_outlets", false);
}

#[test]
fn a_second_machine_reaches_outlets_that_the_configuration_opens() {
    reach("a_second_machine_reaches_outlets_that_the_configuration_opens", true);
}
