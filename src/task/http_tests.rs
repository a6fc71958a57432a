#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]
use super::*;

fn keys() -> Keys {
    Keys {
        port: 4_000,
        token: Mutex::new(Some("right".into())),
        cookie: "crumb".into(),
        nonce: "once".into(),
    }
}

fn judge(keys: &Keys, line: &str, headers: &str) -> Verdict {
    keys.judge(format!("{line} HTTP/1.1\r\n{headers}\r\n\r\n").as_bytes())
}

const HOST: &str = "Host: 127.0.0.1:4000";

fn refused(verdict: &Verdict) -> &'static str {
    let Verdict::Refused(status, _) = verdict else { panic!("let in: {verdict:?}") };
    status
}

#[test]
fn the_token_works_once_and_the_cookie_reloads() {
    let keys = keys();
    assert_eq!(judge(&keys, "GET /?t=right", HOST), Verdict::Page { cookie: true });
    assert!(
        keys.answer(&Verdict::Page { cookie: true })
            .contains("Set-Cookie: tras=crumb; HttpOnly; SameSite=Strict")
    );
    refused(&judge(&keys, "GET /?t=right", HOST));
    let with = format!("{HOST}\r\nCookie: a=b; tras=crumb");
    assert_eq!(judge(&keys, "GET /?t=right", &with), Verdict::Page { cookie: false });
    assert_eq!(judge(&keys, "GET /", &with), Verdict::Page { cookie: false });
    refused(&judge(&keys, "GET /", HOST));
    refused(&judge(&keys, "GET /?t=wrong", HOST));
}

#[test]
fn names_and_pages_that_are_not_ours_are_refused() {
    let keys = keys();
    let with = |more: &str| format!("{HOST}\r\nCookie: tras=crumb{more}");
    let ours = with("\r\nOrigin: http://127.0.0.1:4000\r\nUpgrade: websocket");
    assert_eq!(judge(&keys, "GET /line", &ours), Verdict::Line);
    for (line, headers) in [
        ("GET /line", with("\r\nOrigin: http://evil.example")),
        ("GET /line", with("\r\nOrigin: null")),
        ("GET /line", with("\r\nOrigin: http://127.0.0.1:4001")),
        ("GET /line", with("\r\nOrigin: http://127.0.0.1:4000\r\nOrigin: http://evil.example")),
        ("GET /line", with("")),
        ("GET /line", format!("{HOST}\r\nOrigin: http://127.0.0.1:4000")),
        ("GET /", "Host: evil.example:4000\r\nCookie: tras=crumb".into()),
        ("GET /", "Cookie: tras=crumb".into()),
        ("GET /", format!("{HOST}\r\n{HOST}\r\nCookie: tras=crumb")),
        ("POST /", with("")),
        ("GET /other", with("")),
    ] {
        refused(&judge(&keys, line, &headers));
    }
    assert_eq!(refused(&keys.judge(b"\x16\x03\x01\r\n\r\n")), "400 Bad Request");
}

#[test]
fn over_the_wire_the_page_comes_with_its_rules_and_a_slow_guest_blocks_nobody() {
    let door = Door::open(0).unwrap();
    let address = door.url.trim_start_matches("http://").split('/').next().unwrap().to_owned();
    // Says nothing, and stays.
    let _slow = TcpStream::connect(&address).unwrap();
    let ask = |path: &str| {
        let mut stream = TcpStream::connect(&address).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n").unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        text
    };
    let path = door.url.split_once(&address).unwrap().1;
    let page = ask(path);
    assert!(page.starts_with("HTTP/1.1 200 OK") && page.contains("Cross-Origin-Opener-Policy"), "{page}");
    assert!(page.contains("<canvas") && !page.contains("NONCE"), "{page}");
    assert!(ask(path).starts_with("HTTP/1.1 403"));
}
