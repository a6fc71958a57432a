//! The table on the terminal; the same as a page with a picture of each current, and as Markdown with one picture
//! of all, for `docs/`.

use std::fmt::Write as _;
use std::io::Result;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::stage::Row;

/// Shown of each current: before and after the fault, in s.
const SHOWN_S: (f64, f64) = (0.5, 1.5);
/// Size of a picture.
const SIZE: (f64, f64) = (420.0, 70.0);
/// Columns of a picture: the current's range in each is drawn.
const COLUMNS: usize = 420;

/// The head of the table.
pub(super) fn head() {
    println!(
        "{:<32} {:>9} {:>9} {:>9} {:>5} {:>7} {:>6}  the operator sees",
        "fault", "zero ms", "peak mA", "uC", "exit", "kept", "clock"
    );
}

struct Cells {
    zero: String,
    code: String,
    kept: String,
    clock: String,
    sees: String,
}

fn cells(row: &Row) -> Cells {
    let first = row.first_word.as_ref().map_or("nothing".to_owned(), |(s, line)| {
        let line: String = line.trim().chars().take(110).collect();
        format!("{s:.1} s: {line}")
    });
    let sees = row.faults.first().map_or(first, |fault| fault.clone());
    Cells {
        zero: match row.after.zero_ms {
            _ if !row.trace.flowed() => "none".to_owned(),
            Some(ms) => format!("{ms:.1}"),
            None => "goes on".to_owned(),
        },
        code: row.code.map_or("-".to_owned(), |code| code.to_string()),
        kept: match &row.kept {
            Some(Ok(seconds)) => format!("{seconds:.1} s"),
            Some(Err(_)) => "no".to_owned(),
            None => "-".to_owned(),
        },
        clock: row.clock.map_or("-".to_owned(), |clock| format!("{clock:.3}")),
        sees,
    }
}

/// One line of the table, and below it what broke.
pub(super) fn line(row: &Row) {
    let (c, after) = (cells(row), &row.after);
    println!(
        "{:<32} {:>9} {:>9.4} {:>9.1} {:>5} {:>7} {:>6}  {}",
        row.name, c.zero, after.largest_ma, after.charge_uc, c.code, c.kept, c.clock, c.sees
    );
    for what in &row.broken {
        println!("{:<32} BROKEN: {what}", "");
    }
}

/// Writes `report.html` into `out`; gives its path.
///
/// # Errors
/// It cannot be written.
pub(super) fn write(out: &Path, rows: &[Row]) -> Result<PathBuf> {
    let mut page = String::from(
        "<!doctype html><meta charset=\"utf-8\"><title>tras: fault campaign</title>\n\
         <style>body{font:14px sans-serif;margin:2em}td,th{padding:4px 10px;text-align:right;\
         border-bottom:1px solid #ddd}td:first-child,td:last-child{text-align:left}.bad{color:#b00}</style>\n\
         <h1>Faults, and what left the instrument</h1>\n\
         <p>Current 0.5 s before and 1.5 s after each fault (red line), measured at the head or at the\n\
         monitor of the audio output; the grid is the session's peak, +-0.5 mA.</p>\n\
         <table><tr><th>fault<th>zero, ms<th>largest, mA<th>charge, uC<th>exit<th>EEG kept<th>clock<th>current\
         <th>the operator sees</tr>\n",
    );
    for row in rows {
        let (c, after) = (cells(row), &row.after);
        let broken: String =
            row.broken.iter().map(|what| format!("<div class=bad>BROKEN: {}</div>", text(what))).collect();
        let _ = writeln!(
            page,
            "<tr><td>{}<td>{}<td>{:.4}<td>{:.1}<td>{}<td>{}<td>{}<td>{}<td>{}{broken}</tr>",
            row.name,
            c.zero,
            after.largest_ma,
            after.charge_uc,
            c.code,
            c.kept,
            c.clock,
            picture(row),
            text(&c.sees)
        );
    }
    page.push_str("</table>\n");
    let path = out.join("report.html");
    std::fs::write(&path, page)?;
    std::fs::write(out.join("faults.md"), table(rows))?;
    std::fs::write(out.join("faults.svg"), all_pictures(rows))?;
    Ok(path)
}

fn table(rows: &[Row]) -> String {
    let mut table = String::from(
        "| fault | zero, ms | largest, mA | charge, uC | exit | EEG kept | board's clock | the operator sees |\n\
         |---|--:|--:|--:|--:|--:|--:|---|\n",
    );
    for row in rows {
        let (c, after) = (cells(row), &row.after);
        let broken: String = row.broken.iter().map(|what| format!(" **BROKEN: {what}**")).collect();
        let _ = writeln!(
            table,
            "| {} | {} | {:.4} | {:.1} | {} | {} | {} | {}{broken} |",
            row.name, c.zero, after.largest_ma, after.charge_uc, c.code, c.kept, c.clock, c.sees
        );
    }
    table
}

/// Every current in one picture, for those who look before they read.
fn all_pictures(rows: &[Row]) -> String {
    const ACROSS: usize = 3;
    let rows: Vec<&Row> = rows.iter().filter(|row| row.trace.flowed()).collect();
    let (width, height) = (SIZE.0 + 20.0, SIZE.1 + 24.0);
    let down = rows.len().div_ceil(ACROSS);
    let mut page = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{}\" height=\"{}\" font-family=\"sans-serif\" \
         font-size=\"12\"><rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n",
        width * ACROSS as f64,
        height * down as f64 + 6.0
    );
    for (k, row) in rows.iter().enumerate() {
        let (x, y) = ((k % ACROSS) as f64 * width + 10.0, (k / ACROSS) as f64 * height + 16.0);
        let picture = picture(row);
        let _ = writeln!(
            page,
            "<g transform=\"translate({x} {y})\"><text y=\"-2\">{}</text>{picture}</g>",
            row.name
        );
    }
    page.push_str("</svg>\n");
    page
}

fn text(raw: &str) -> String {
    raw.replace('&', "&amp;").replace('<', "&lt;")
}

/// The current around the fault as an SVG: of each column its smallest and its largest value.
fn picture(row: &Row) -> String {
    if row.trace.current_ma.is_empty() {
        return String::new();
    }
    let (width, height) = SIZE;
    let rate_hz = row.trace.rate_hz;
    let shown = SHOWN_S.0 + SHOWN_S.1;
    let largest_ma = f64::from(row.after.largest_ma).max(0.5) * 1.1;
    let y = |ma: f64| height / 2.0 * (1.0 - ma / largest_ma);
    let from = row.fault as f64 - SHOWN_S.0 * rate_hz;
    let at = |column: usize| (from + column as f64 / COLUMNS as f64 * shown * rate_hz).max(0.0) as usize;
    let mut path = String::new();
    for column in 0..COLUMNS {
        let part = row.trace.current_ma.get(at(column)..at(column + 1).max(at(column) + 1));
        let Some(part) = part.filter(|part| !part.is_empty()) else { continue };
        let low = part.iter().copied().fold(f32::INFINITY, f32::min);
        let high = part.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let x = column as f64 / COLUMNS as f64 * width;
        let _ = write!(path, "M{x:.1} {:.1}V{:.1}", y(f64::from(low)) + 0.5, y(f64::from(high)) - 0.5);
    }
    let fault = SHOWN_S.0 / shown * width;
    format!(
        "<svg width=\"{width}\" height=\"{height}\"><path d=\"M0 {0:.1}H{width}M0 {1:.1}H{width}\" stroke=\"#ccc\"/>\
         <path d=\"{path}\" stroke=\"#246\" fill=\"none\"/>\
         <path d=\"M{fault} 0V{height}\" stroke=\"#c00\"/></svg>",
        y(0.5),
        y(-0.5)
    )
}

/// Lets pyxdf open every recording, where there is a Python for it.
pub(super) fn peers(rows: &[Row]) {
    let files: Vec<&PathBuf> = rows.iter().filter_map(|row| row.recording.as_ref()).collect();
    let python = std::env::var_os("TRAS_PYTHON").map(PathBuf::from).filter(|path| path.exists());
    let Some(python) = python else {
        println!("skipped: pyxdf on the recordings: no Python peer (set TRAS_PYTHON)");
        return;
    };
    let script = "import sys, pyxdf\nfor f in sys.argv[1:]:\n    s, _ = pyxdf.load_xdf(f)\n    \
                  n = [len(x['time_stamps']) for x in s if x['info']['type'][0] == 'EEG']\n    \
                  assert n and n[0] > 0, f\nprint('pyxdf opens', len(sys.argv) - 1, 'recordings')";
    match Command::new(python).args(["-W", "ignore", "-c", script]).args(&files).output() {
        Ok(output) if output.status.success() => print!("{}", String::from_utf8_lossy(&output.stdout)),
        Ok(output) => println!("BROKEN: pyxdf: {}", String::from_utf8_lossy(&output.stderr)),
        Err(e) => println!("BROKEN: pyxdf: {e}"),
    }
}
