//! Names, labels and markers from the network that are programs for a terminal: none of it reaches one.

use tras_test_support::{
    lab::{Lab, Session, sleep_s},
    network::alone,
    python,
};

fn assert_plain(what: &str, bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let strange = text.chars().find(|c| (c.is_control() && !"\n\t".contains(*c)) || *c == '\u{202e}');
    assert_eq!(strange, None, "{what}: {text:?}");
    assert!(!text.lines().any(|line| line.trim_start().starts_with("FAULT none")), "{what}: {text:?}");
}

#[test]
fn escapes_from_the_network_reach_no_terminal() {
    let name = "escapes_from_the_network_reach_no_terminal";
    let Some(python) = python(name) else { return };
    alone(name, move || {
        let lab = Lab::new();
        let _sender = lab.peer(&python, "send_evil.py", &[]);
        sleep_s(4.0);
        let devices = lab.tras("devices --wait 3").output().unwrap();
        let listed = String::from_utf8_lossy(&devices.stdout).into_owned();
        assert!(listed.contains("owned"), "the streams were listed: {listed}");
        assert_plain("devices", &devices.stdout);
        assert_plain("devices, complaints", &devices.stderr);
        let nobody =
            lab.tras("monitor --headless --no-record --wait 4 --seconds 2 --stream nobody").output().unwrap();
        assert!(String::from_utf8_lossy(&nobody.stderr).contains("owned"), "what is there is listed");
        assert_plain("an error", &nobody.stderr);
        let mut command =
            lab.tras("monitor --headless --json --record r --seconds 8 --wait 10 --markers task --stream");
        command.arg("type='EEG' and starts-with(source_id,'evil')");
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
        assert_plain("monitor", &output.stdout);
        assert_plain("monitor, complaints", &output.stderr);
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let summary: serde_json::Value = serde_json::from_str(said.lines().last().unwrap()).unwrap();
        let session = Session::of(&summary, &lab);
        assert_eq!(session.eeg().1.len(), 4, "{:?}", session.eeg());
        let marks =
            session.survey.annotations.iter().filter(|(_, mark)| mark.text.contains("marker")).count();
        println!("escapes: plain in devices, errors and monitor; {marks} markers recorded");
        assert!(marks > 3, "{marks} markers");
    });
}
