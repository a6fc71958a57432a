//! The child processes of a running `tras`, from outside: which there are, what they take, where they listen.

use std::{collections::BTreeSet, path::Path};

/// The child of `parent` with this role (`inlet`, `outlets`, `markers`), if it lives.
pub fn child(parent: u32, role: &str) -> Option<u32> {
    let processes = std::fs::read_dir("/proc").ok()?.filter_map(Result::ok);
    let mut numbers = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    numbers.find(|pid| {
        let words = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let mut words = words.split(|byte| *byte == 0);
        parent_of(*pid) == Some(parent) && words.any(|word| word == role.as_bytes())
    })
}

fn parent_of(pid: u32) -> Option<u32> {
    status(pid, "PPid:").map(|parent| parent as u32)
}

/// Memory that a process holds, in MB.
pub fn resident_mb(pid: u32) -> Option<f64> {
    status(pid, "VmRSS:").map(|kb| kb as f64 / 1024.0)
}

fn status(pid: u32, key: &str) -> Option<u64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    text.lines().find_map(|line| line.strip_prefix(key)?.split_whitespace().next()?.parse().ok())
}

/// Ports at which a process listens: TCP, UDP.
pub fn ports(pid: u32) -> (Vec<u16>, Vec<u16>) {
    of_tables(pid, &["tcp", "tcp6"], &["udp", "udp6"])
}

/// Those of them that are reached by IPv4: the same number by IPv6 may be another program's by IPv4.
pub fn ports_by_ipv4(pid: u32) -> (Vec<u16>, Vec<u16>) {
    of_tables(pid, &["tcp"], &["udp"])
}

/// States of a socket in the tables of `/proc/net`.
const LISTENS: &str = "0A";
const UNCONNECTED: &str = "07";

fn of_tables(pid: u32, tcp: &[&str], udp: &[&str]) -> (Vec<u16>, Vec<u16>) {
    let open = std::fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().filter_map(Result::ok);
    let sockets: BTreeSet<String> = open
        .filter_map(|entry| std::fs::read_link(entry.path()).ok())
        .filter_map(|link| Some(link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned()))
        .collect();
    let of = |tables: &[&str], state| {
        tables.iter().flat_map(|table| of_table(pid, &sockets, table, state)).collect()
    };
    (of(tcp, LISTENS), of(udp, UNCONNECTED))
}

fn of_table(pid: u32, sockets: &BTreeSet<String>, table: &str, state: &str) -> Vec<u16> {
    let path = format!("/proc/{pid}/net/{table}");
    let text = std::fs::read_to_string(Path::new(&path)).unwrap_or_default();
    let mut ports: Vec<u16> = text
        .lines()
        .skip(1)
        .filter_map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            let mine = words.get(3) == Some(&state) && sockets.contains(*words.get(9)?);
            let port = u16::from_str_radix(words.get(1)?.split(':').next_back()?, 16).ok()?;
            mine.then_some(port)
        })
        .collect();
    ports.sort_unstable();
    ports.dedup();
    ports
}
