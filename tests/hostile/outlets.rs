//! A question that ends liblsl's process, asked of our outlets in mid-burst.

use tras_test_support::{
    attack, children,
    lab::{Lab, Session, sleep_s, wait_for},
    network::alone,
};

use crate::common::{BY_SIGNAL, SIMULATE, config, under_current};

#[test]
fn a_deep_question_ends_the_outlets_process_and_neither_the_run_nor_its_current() {
    alone("a_deep_question_ends_the_outlets_process_and_neither_the_run_nor_its_current", || {
        let lab = Lab::new();
        let _sim = lab.start(SIMULATE);
        let mut run = under_current(&lab, &config("kind = \"simulated\"", "dir = \"r\"\n"), "");
        let first = children::child(run.pid(), "outlets").expect("the outlets have a process");
        let (tcp, udp) = children::ports_by_ipv4(first);
        assert!(!tcp.is_empty() && !udp.is_empty(), "tcp {tcp:?}, udp {udp:?}");
        assert!(children::ports(run.pid()).0.is_empty(), "the process that stimulates listens");
        // By datagram nothing so long comes whole; by a connection anything does.
        for depth in [20_000, 60_000] {
            attack::by_udp(&udp, &attack::deep_question(depth));
        }
        assert!(attack::by_tcp(&tcp, &attack::deep_question(300_000)) > 0, "nobody took the line");
        wait_for("the outlets' process ends", 5.0, || {
            (children::child(run.pid(), "outlets") != Some(first)).then_some(())
        });
        wait_for("another takes its place", 5.0, || {
            children::child(run.pid(), "outlets").filter(|pid| *pid != first)
        });
        sleep_s(2.0);
        let line = run.said().lines().last().unwrap_or_default().to_owned();
        run.signal(libc::SIGTERM);
        let summary = run.summary(0, 15.0);
        assert_eq!(summary["faults"].as_array().map(Vec::len), Some(0), "{summary}");
        let session = Session::of(&summary, &lab);
        let ended = session.events().iter().any(|(_, e)| e.to_string().contains("ended by signal"));
        assert!(ended, "the death is not on record: {:?}", session.events());
        // The current went on under it: its last second before the stop is as large as any.
        let halted_s = session.when("halted", "why", BY_SIGNAL);
        let (current, current_s) = session.numbers("current");
        let last =
            current.iter().zip(&current_s).filter(|(_, s)| (halted_s[0] - 1.0..halted_s[0]).contains(*s));
        let largest_ma = last.fold(0.0_f64, |most, (ma, _)| most.max(ma.abs()));
        println!(
            "the outlets' process ended and came again; the current went on at {largest_ma:.3} mA: {line}"
        );
        assert!(largest_ma > 0.1, "{largest_ma} mA");
    });
}
