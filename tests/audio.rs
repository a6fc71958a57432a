//! The audio adapter into a real PulseAudio null sink: what its monitor hears is measured.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::{
    io::Write,
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use tras::{
    noise::{Noise, Parameters, measure::Welch},
    stimulator::{
        Delivered, FaultCode, Latched, State, Status, Stimulator, StimulatorError, Stop,
        audio::{AudioSettings, AudioStimulator},
    },
};
use tras_test_support::audio::{Capture, RATE_HZ, Server, case, rms, run};
use tras_test_support::every_ms;
use tras_test_support::serial::LIMITS;

/// mA at digital full scale.
const FULL_MA: f64 = 2.0;

fn settings() -> AudioSettings {
    AudioSettings {
        device: "alsa:default".into(),
        channel: 2,
        rate_hz: None,
        scale_ma_per_v: 2.0,
        full_scale_v: 1.0,
        rolloff_hz: None,
        peak_ma: 0.5,
        queue_s: 0.2,
    }
}

struct Host {
    s: AudioStimulator,
    began: Instant,
    played_ma: Vec<f32>,
    delivered: Vec<Delivered>,
    error: Option<StimulatorError>,
}

impl Host {
    fn armed() -> Self {
        let mut s = AudioStimulator::at(settings());
        let began = Instant::now();
        assert_eq!(s.connect(&LIMITS, Latched::Refuse, 0.0).unwrap(), LIMITS);
        println!("{:?}", s.opened());
        let mut host = Self { s, began, played_ma: Vec::new(), delivered: Vec::new(), error: None };
        let now_s = host.now_s();
        host.s.poll(now_s, &mut |_| {});
        host.s.arm(now_s).unwrap();
        host
    }

    fn now_s(&self) -> f64 {
        self.began.elapsed().as_secs_f64()
    }

    fn poll(&mut self) -> Status {
        let (now_s, delivered) = (self.now_s(), &mut self.delivered);
        self.s.poll(now_s, &mut |d| delivered.push(d))
    }

    fn run(&mut self, seconds: f64, mut fill: impl FnMut(&mut [f32], u64)) -> Status {
        every_ms(seconds, || {
            let mut block = vec![0.0; self.s.room()];
            fill(&mut block, self.played_ma.len() as u64);
            match self.s.queue(&block, self.now_s()) {
                Ok(()) => self.played_ma.extend(&block),
                Err(error) => self.error = self.error.take().or(Some(error)),
            }
            self.poll();
        });
        self.poll()
    }

    fn watch(&mut self, seconds: f64) -> Status {
        every_ms(seconds, || {
            self.poll();
        });
        self.poll()
    }

    fn sine(&mut self, seconds: f64) -> Status {
        self.run(seconds, |block, from| {
            for (k, slot) in block.iter_mut().enumerate() {
                *slot =
                    0.45 * (std::f64::consts::TAU * 10.0 * (from + k as u64) as f64 / 2_000.0).sin() as f32;
            }
        })
    }
}

fn tone(dir: &Path) {
    let _server = Server::start(dir).unwrap();
    let mut host = Host::armed();
    let capture = Capture::start(dir);
    let status = host.sine(8.0);
    let stopped = capture.heard();
    assert_eq!(
        (status.state, status.fault, status.lost),
        (State::Stimulating, None, None),
        "{:?}",
        host.error
    );
    assert_eq!(status.impedance_kohm, None, "nothing measures it");
    host.s.stop(Stop::Soft, host.now_s());
    let after = host.watch(1.5);
    let [other, heard] = capture.stop();
    assert_eq!((after.state, after.fault), (State::Armed, None));
    // The last two seconds before the stop are at full amplitude.
    let late = &heard[stopped - (2.2 * RATE_HZ) as usize..stopped - (0.2 * RATE_HZ) as usize];
    let peak = late.iter().fold(0.0_f32, |m, v| m.max(v.abs()));
    let wanted = 0.45 / FULL_MA;
    println!(
        "tone: RMS {:.5} and peak {peak:.5} of {:.5} and {wanted}, {} underruns",
        rms(late),
        wanted / 2_f64.sqrt(),
        status.underruns
    );
    assert!((rms(late) * 2_f64.sqrt() / wanted - 1.0).abs() < 0.005);
    assert!((f64::from(peak) / wanted - 1.0).abs() < 0.005);
    assert!(rms(&other) == 0.0, "the other channel is not silent");
    // A soft stop brings it to zero within the second, and nothing steps: a 10 Hz sine of 0.225 changes by at
    // most 0.0003 a frame.
    let step = heard[stopped..].windows(2).map(|w| (w[1] - w[0]).abs()).fold(0.0, f32::max);
    println!("tone: largest step during the stop {step:.5}");
    assert!(step < 0.000_6 && rms(&heard[heard.len() - 24_000..]) == 0.0);
    assert!(
        host.delivered
            .windows(2)
            .all(|d| d[1].index == d[0].index + 1 && d[1].stamp_s > d[0].stamp_s - 0.002)
    );
}

/// Exponent as `noise::measure` finds it, of samples at 2,000/s.
/// Segments of 1 s: told an eighth of the rate, it finds the same slope at an eighth of the frequencies.
fn exponent(samples: &[f32]) -> f64 {
    let mut welch = Welch::new(2_000.0 / 8.0);
    welch.push(samples);
    welch.slope((2.0 / 8.0, 80.0 / 8.0)).unwrap().exponent
}

/// From the sink's rate to 2,000/s: means of 24 frames, 0.02 dB too low at 80 Hz.
fn thinned(heard: &[f32]) -> Vec<f32> {
    heard.chunks_exact(24).map(|frames| frames.iter().sum::<f32>() / 24.0).collect()
}

fn noise(dir: &Path, chi: f64) {
    let long = std::env::var_os("TRAS_LONG_TESTS").is_some();
    let seconds = if long { 60.0 } else { 10.0 };
    let _server = Server::start(dir).unwrap();
    let mut host = Host::armed();
    let parameters = Parameters { exponent: chi, band_hz: (0.5, 100.0), peak_ma: 0.45 };
    let mut noise = Noise::new(&parameters, 2_000.0, 5).unwrap();
    let capture = Capture::start(dir);
    host.run(6.0, |block, _| noise.fill(block));
    let (from, frame) = (host.played_ma.len(), capture.heard());
    let status = host.run(seconds + 0.5, |block, _| noise.fill(block));
    assert_eq!((status.state, status.fault), (State::Stimulating, None), "{:?}", host.error);
    let [_, heard] = capture.stop();
    let (sent, got) = (exponent(&host.played_ma[from..]), exponent(&thinned(&heard[frame..])));
    let case = format!("noise {chi}");
    println!("{case}: sent {sent:.3}, captured {got:.3} over {seconds} s, {} underruns", status.underruns);
    // Of the same stretch of noise, but for a fraction of a second at its ends.
    assert!((got - sent).abs() < 0.05, "captured {got} of {sent}");
    assert!(!long || (got - chi).abs() < 0.05, "captured {got} of {chi}");
}

/// Stops a process for so long.
fn stop_for(pid: u32, seconds: f64) -> std::process::Child {
    let script = format!("kill -STOP {pid}; sleep {seconds}; kill -CONT {pid}");
    Command::new("sh").args(["-c", &script]).spawn().unwrap()
}

/// Milliseconds from `from` to the last frame that is not zero.
fn last_ms(heard: &[f32], from: usize) -> f64 {
    heard.iter().rposition(|v| *v != 0.0).unwrap_or(0).saturating_sub(from) as f64 / RATE_HZ * 1e3
}

/// This process is stopped for a moment, as a machine that is too busy stops it: host and callback at once.
fn underrun(dir: &Path) {
    let _server = Server::start(dir).unwrap();
    let mut host = Host::armed();
    let capture = Capture::start(dir);
    host.sine(6.0);
    let (before, from) = (host.poll().underruns, capture.heard());
    host.sine(0.5);
    let mut stopper = stop_for(std::process::id(), 0.1);
    let status = host.sine(5.0);
    stopper.wait().unwrap();
    let [_, heard] = capture.stop();
    println!(
        "underrun: {} counted, state {:?}, lost {:?}, fault {:?}",
        status.underruns - before,
        status.state,
        status.lost,
        status.fault
    );
    assert!(status.underruns > before, "the output did not run dry");
    assert_eq!(
        (status.state, status.fault, status.lost),
        (State::Stimulating, None, None),
        "{:?}",
        host.error
    );
    // Silence, and after it nothing above the ramp: 10 ms after its start at most 1 % of the amplitude.
    let silent = (RATE_HZ * 0.04) as usize;
    let mut run = 0;
    let back = heard.iter().enumerate().skip(from).filter_map(|(k, v)| {
        let was = run;
        run = if *v == 0.0 { run + 1 } else { 0 };
        (run == 0 && was > silent).then_some((k, was))
    });
    let back: Vec<(usize, usize)> = back.collect();
    println!("underrun: back at frame, after frames of silence: {back:?}");
    assert!(!back.is_empty());
    for (k, _) in back {
        let start = heard[k..k + (0.010 * RATE_HZ) as usize].iter().fold(0.0_f32, |m, v| m.max(v.abs()));
        assert!(start < 0.01 * 0.225, "it comes back with {start}");
    }
    assert!((rms(&heard[heard.len() - 24_000..]) / (0.225 / 2_f64.sqrt()) - 1.0).abs() < 0.02);
}

/// Longer than the heartbeat limit: the device has given the host up, and nothing comes back by itself.
fn stopped(dir: &Path) {
    let _server = Server::start(dir).unwrap();
    let mut host = Host::armed();
    let capture = Capture::start(dir);
    host.sine(6.0);
    let from = capture.heard();
    stop_for(std::process::id(), 0.5).wait().unwrap();
    let status = host.sine(3.5);
    let [_, heard] = capture.stop();
    let last = last_ms(&heard, from);
    println!("stopped: last current {last:.0} ms after the stop, {:?}, {:?}", status.state, status.fault);
    assert!(rms(&heard[from - 24_000..from]) > 0.1);
    assert!(heard.len() - from > (3.0 * RATE_HZ) as usize && last < 300.0, "{last} ms");
    assert_eq!(status.state, State::Fault, "{status:?}");
    assert_eq!(status.fault.unwrap().code, FaultCode::Heartbeat);
    assert!(matches!(host.error, Some(StimulatorError::Refused { .. })), "{:?}", host.error);
}

/// The server is stopped for a second; this process lives and goes on queueing.
fn server_stopped(dir: &Path) {
    let server = Server::start(dir).unwrap();
    let mut host = Host::armed();
    let capture = Capture::start(dir);
    host.sine(6.0);
    let from = capture.heard();
    let mut stopper = stop_for(server.pid(), 1.0);
    let status = host.sine(5.0);
    stopper.wait().unwrap();
    let [_, heard] = capture.stop();
    let last = last_ms(&heard, from);
    println!(
        "server_stopped: last current {last:.0} ms after the stop, {:?}, {:?}, {:?}",
        status.state, status.fault, status.lost
    );
    // What lay in the server's own buffers is played when it wakes, and nothing after.
    assert!(rms(&heard[from - 24_000..from]) > 0.1);
    assert!(heard.len() - from > (3.0 * RATE_HZ) as usize && last < 1_400.0, "{last} ms");
    assert!(status.fault.is_some() || status.lost.is_some(), "{status:?}");
}

/// The output is taken away in mid-block.
fn removed(dir: &Path) {
    let _server = Server::start(dir).unwrap();
    let mut host = Host::armed();
    host.sine(6.0);
    let pactl = |args: &[&str]| {
        let done = Command::new("pactl").args(args).stdout(Stdio::null()).status().unwrap();
        assert!(done.success(), "pactl {args:?}");
    };
    pactl(&["unload-module", "module-null-sink"]);
    let status = host.sine(3.0);
    println!("removed: {:?}, {:?}, {:?}", status.lost, status.fault, host.error);
    assert!(status.lost.is_some() || status.fault.is_some(), "{status:?}");
    // Plugged in again: nothing is played into it.
    pactl(&[
        "load-module",
        "module-null-sink",
        "sink_name=stim",
        "rate=48000",
        "channels=2",
        "format=float32le",
    ]);
    let capture = Capture::start(dir);
    host.sine(3.0);
    let [_, heard] = capture.stop();
    println!("removed: heard {:.1} s of the new one", heard.len() as f64 / RATE_HZ);
    assert!(heard.len() > (0.5 * RATE_HZ) as usize, "the sink is back");
    assert!(rms(&heard) == 0.0, "{}", rms(&heard));
    let now_s = host.now_s();
    assert!(host.s.arm(now_s).is_err());
}

/// The stimulate thread is frozen, the callback lives: the device's own heartbeat ends the current.
fn frozen(dir: &Path) {
    let _server = Server::start(dir).unwrap();
    let mut host = Host::armed();
    let capture = Capture::start(dir);
    host.sine(6.0);
    let frozen = capture.heard();
    std::thread::sleep(Duration::from_secs(1));
    let [_, heard] = capture.stop();
    assert!(rms(&heard[frozen - 24_000..frozen]) > 0.1);
    let last = heard.iter().rposition(|v| *v != 0.0).unwrap_or(0).saturating_sub(frozen) as f64 / RATE_HZ;
    println!("frozen: silent after {:.0} ms", last * 1e3);
    assert!(last < 0.8);
    let status = host.poll();
    assert!(status.fault.is_some() && status.state == State::Fault, "{status:?}");
    host.sine(0.3);
    assert!(matches!(host.error, Some(StimulatorError::Refused { .. })), "{:?}", host.error);
}

fn server_killed(dir: &Path) {
    let server = Server::start(dir).unwrap();
    let mut host = Host::armed();
    host.sine(2.0);
    server.kill();
    let status = host.sine(3.0);
    println!("server_killed: {:?}, {:?}", status.lost, host.error);
    assert!(status.lost.is_some(), "{status:?}");
    assert!(matches!(host.error, Some(StimulatorError::Lost { .. })), "{:?}", host.error);
    // It comes back: nothing is played into it.
    let _server = Server::start(dir).unwrap();
    let capture = Capture::start(dir);
    host.sine(1.5);
    let [_, heard] = capture.stop();
    assert!(rms(&heard) == 0.0, "{}", rms(&heard));
    assert!(host.poll().lost.is_some());
    // A person connects anew, and only then may it be armed.
    let now_s = host.now_s();
    assert!(host.s.arm(now_s).is_err());
    host.s.connect(&LIMITS, Latched::Refuse, now_s).unwrap();
    host.s.arm(host.now_s()).unwrap();
}

fn refused(dir: &Path) {
    let _server = Server::start(dir).unwrap();
    let refusal = |settings: AudioSettings| {
        AudioStimulator::at(settings).connect(&LIMITS, Latched::Refuse, 0.0).unwrap_err()
    };
    let absent = refusal(AudioSettings { device: "Scarlett".into(), ..settings() });
    assert!(
        absent.to_string().contains("\"Scarlett\" channel 2: not found: there is no such output"),
        "{absent}"
    );
    let narrow = refusal(AudioSettings { channel: 200, ..settings() });
    assert!(narrow.to_string().contains("no format with channel 200"), "{narrow}");
}

/// An operator whose meter hears the monitor, behind a source that delivers 5 % more than the file says.
fn calibrated(dir: &Path) {
    let _server = Server::start(dir).unwrap();
    let (file, lines) = (dir.join("ds.toml"), dir.join("scale.toml"));
    let text = "[stimulator]\nkind = \"audio\"\ndevice = \"alsa:default\"\nchannel = 2\nscale_ma_per_v = 2.0\n\
                full_scale_v = 1.0\nexternal_limits = true\n";
    std::fs::write(&file, text).unwrap();
    let mut child = Command::new(tras_test_support::tras())
        .args(["calibrate", "audio", "-c", file.to_str().unwrap(), "-o", lines.to_str().unwrap()])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let capture = Capture::start(dir);
    let mut keys = child.stdin.take().unwrap();
    writeln!(keys, "resistor").unwrap();
    for level in 0..5 {
        // The first tone may wait for an idle sink to wake.
        std::thread::sleep(Duration::from_millis(if level == 0 { 3_500 } else { 1_200 }));
        let heard = capture.second();
        let late = &heard[heard.len().saturating_sub(24_000)..];
        writeln!(keys, "{:.5}", rms(late) * FULL_MA * 1.05).unwrap();
    }
    assert!(child.wait().unwrap().success());
    let [_, heard] = capture.stop();
    assert!(rms(&heard[heard.len() - 2_400..]) == 0.0, "a tone was left on");
    let found = std::fs::read_to_string(lines).unwrap();
    println!("calibrate: {}", found.replace('\n', "; "));
    let scale = found.split("scale_ma_per_v = ").nth(1).unwrap().lines().next().unwrap();
    assert!((scale.parse::<f64>().unwrap() - 2.1).abs() < 0.02, "{found}");
}

#[test]
fn a_calibration_finds_the_scale_by_what_is_heard() {
    dispatch("calibrate", calibrated);
}

#[test]
fn the_files_for_devices_are_sound() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("configs/devices");
    let mut count = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        let config = tras::config::Config::from_str(&text, &path.display().to_string()).unwrap();
        assert!(config.stimulator.external_limits && text.contains("[unverified]"), "{}", path.display());
        assert!(text.contains("NO INDEPENDENT WATCHDOG"), "{}", path.display());
        count += 1;
    }
    assert_eq!(count, 3);
}

fn dispatch(name: &str, body: impl FnOnce(&Path)) {
    match case() {
        Some((case, dir)) if case == name => body(&dir),
        Some(_) => {}
        None => run(std::thread::current().name().unwrap(), name),
    }
}

#[test]
fn a_tone_comes_out_at_its_amplitude_on_its_channel() {
    dispatch("tone", tone);
}

#[test]
fn noise_comes_out_with_its_exponent() {
    dispatch("noise 1", |dir| noise(dir, 1.0));
    if std::env::var_os("TRAS_LONG_TESTS").is_some() {
        dispatch("noise 0.5", |dir| noise(dir, 0.5));
        dispatch("noise 2", |dir| noise(dir, 2.0));
    }
}

#[test]
fn an_underrun_is_counted_and_the_current_comes_back_without_a_click() {
    dispatch("underrun", underrun);
}

#[test]
fn a_process_that_was_stopped_does_not_come_back() {
    dispatch("stopped", stopped);
}

#[test]
fn a_server_that_was_stopped_does_not_bring_the_current_back() {
    dispatch("server_stopped", server_stopped);
}

#[test]
fn an_output_that_is_removed_in_mid_block_is_a_loss_for_good() {
    dispatch("removed", removed);
}

#[test]
fn a_frozen_host_is_noticed_by_the_device_in_the_callback() {
    dispatch("frozen", frozen);
}

#[test]
fn a_killed_server_is_a_loss_and_its_return_starts_nothing() {
    dispatch("server_killed", server_killed);
}

#[test]
fn outputs_that_do_not_fit_are_refused() {
    dispatch("refused", refused);
}
