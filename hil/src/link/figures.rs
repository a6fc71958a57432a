//! The figures of `docs/`, drawn from what the parts have kept.

use std::error::Error;
use std::path::Path;

use plotters::coord::Shift;
use plotters::prelude::*;

use super::QUEUES_MS;
use super::board::{Kind, Via};
use super::found::Found;
use super::judge::EXPONENTS;
use super::rows::fill_name;

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Drawn = Result<(), Box<dyn Error>>;

// As in the estimator's figures.
const COLOURS: [RGBColor; 4] =
    [RGBColor(0, 90, 181), RGBColor(214, 95, 14), RGBColor(60, 140, 60), RGBColor(90, 170, 230)];
const GREY: RGBColor = RGBColor(110, 110, 110);
/// Frequencies that are drawn, in Hz, and points in each decade.
const SHOWN_HZ: (f64, f64) = (0.3, 300.0);
const PER_DECADE: f64 = 40.0;

/// Draws `link-current.svg` and `link-queue.svg`; what was not measured is left out.
///
/// # Errors
/// A file cannot be written.
pub(super) fn write(folder: &Path, found: &Found) -> Drawn {
    if EXPONENTS.iter().any(|chi| !found.kept(&format!("dac-{chi}")).is_empty()) {
        let title = "Captured current: one-sided density, mA²/Hz, against frequency, Hz";
        figure(
            &folder.join("link-current.svg"),
            title,
            &["at the DAC port", "at the audio monitor"],
            |area, at| {
                let chi = EXPONENTS.get(at).copied().unwrap_or(1.0);
                spectrum(area, found, chi)
            },
        )?;
    }
    let ends = [
        (Kind::Plain, Via::Socket, "the device's code, socket"),
        (Kind::Plain, Via::Terminal, "the device's code, serial port"),
        (Kind::Emulated, Via::Socket, "emulated board, socket"),
        (Kind::Emulated, Via::Terminal, "emulated board, serial port"),
    ];
    let is_kept = |(kind, via, _): &(Kind, Via, &str)| {
        QUEUES_MS.iter().any(|queue_ms| !found.kept(&fill_name(*kind, *via, *queue_ms)).is_empty())
    };
    if ends.iter().any(is_kept) {
        let names = QUEUES_MS.map(|q| format!("queue of {q} ms"));
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let title =
            "How full the device's queue is beside two busy loops: share of the time, against the fill, ms";
        figure(&folder.join("link-queue.svg"), title, &names, |area, at| match ends.get(at) {
            Some(&(kind, via, caption)) => fills(area, found, kind, via, caption),
            None => Ok(()),
        })?;
    }
    Ok(())
}

/// A title, a key, and panels beside each other.
fn figure(path: &Path, title: &str, key: &[&str], panel: impl Fn(&Area<'_>, usize) -> Drawn) -> Drawn {
    let panels = if key.len() == 2 { 3 } else { 4 };
    let root = SVGBackend::new(path, (1_280, 480)).into_drawing_area();
    root.fill(&WHITE)?;
    root.draw(&Text::new(title.to_owned(), (20, 14), ("sans-serif", 20)))?;
    let mut x = 20;
    for (name, colour) in key.iter().zip(COLOURS) {
        root.draw(&PathElement::new([(x, 56), (x + 26, 56)], colour.stroke_width(3)))?;
        root.draw(&Text::new((*name).to_owned(), (x + 34, 47), ("sans-serif", 16)))?;
        x += 34 + 9 * i32::try_from(name.len())? + 30;
    }
    if panels == 3 {
        let name = "grey: the request, f^-exponent over 0.5..100 Hz";
        root.draw(&Text::new(name, (x, 47), ("sans-serif", 16).into_font().color(&GREY)))?;
    }
    let (_, below) = root.split_vertically(76);
    for (at, area) in below.split_evenly((1, panels)).iter().enumerate() {
        panel(area, at)?;
    }
    root.present()?;
    Ok(())
}

/// Means over bins of equal width in log frequency.
fn in_log_bins(density: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let mut bins: Vec<(i64, f64, f64, f64)> = Vec::new();
    for &(f_hz, power) in density.iter().filter(|(f, p)| *f >= SHOWN_HZ.0 && *f <= SHOWN_HZ.1 && *p > 0.0) {
        let at = (f_hz.log10() * PER_DECADE).floor() as i64;
        match bins.last_mut() {
            Some((last, f_sum, p_sum, n)) if *last == at => {
                (*f_sum, *p_sum, *n) = (*f_sum + f_hz, *p_sum + power, *n + 1.0)
            }
            _ => bins.push((at, f_hz, power, 1.0)),
        }
    }
    bins.into_iter().map(|(_, f, p, n)| (f / n, p / n)).collect()
}

fn spectrum(area: &Area<'_>, found: &Found, chi: f64) -> Drawn {
    let mut chart = ChartBuilder::on(area)
        .caption(format!("exponent {chi}"), ("sans-serif", 17))
        .margin(8)
        .margin_right(16)
        .x_label_area_size(34)
        .y_label_area_size(58)
        .build_cartesian_2d((SHOWN_HZ.0..SHOWN_HZ.1).log_scale(), (1e-9..1.0).log_scale())?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(GREY.mix(0.18))
        .x_labels(6)
        .y_labels(10)
        .x_label_formatter(&|f| format!("{f}"))
        .y_label_formatter(&|p: &f64| format!("1e{:.0}", p.log10()))
        .label_style(("sans-serif", 13))
        .draw()?;
    let dac = in_log_bins(&found.kept(&format!("dac-{chi}")));
    let audio = in_log_bins(&found.kept(&format!("audio-{chi}")));
    // The request says nothing of the level: it is put through the middle of what was captured.
    let inside: Vec<_> = dac.iter().filter(|(f, _)| *f > 1.0 && *f < 90.0).collect();
    let level = inside.iter().map(|(f, p)| p.ln() + chi * f.ln()).sum::<f64>() / inside.len().max(1) as f64;
    if !inside.is_empty() {
        let at = |f: f64| (f, (level - chi * f.ln()).exp());
        chart.draw_series(LineSeries::new(
            [at(0.5), at(100.0)],
            GREY.stroke_width(7).color.mix(0.5).stroke_width(7),
        ))?;
    }
    for (line, colour) in [dac, audio].into_iter().zip(COLOURS) {
        let shown = line.into_iter().filter(|(_, p)| *p > 1e-9);
        chart.draw_series(LineSeries::new(shown, colour.stroke_width(2)))?;
    }
    Ok(())
}

fn fills(area: &Area<'_>, found: &Found, kind: Kind, via: Via, caption: &str) -> Drawn {
    let mut chart = ChartBuilder::on(area)
        .caption(caption, ("sans-serif", 17))
        .margin(8)
        .margin_right(16)
        .x_label_area_size(34)
        .y_label_area_size(58)
        .build_cartesian_2d(0.0..104.0, (1e-5..1.0).log_scale())?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(GREY.mix(0.18))
        .x_labels(6)
        .y_labels(6)
        .x_label_formatter(&|f| format!("{f:.0}"))
        .y_label_formatter(&|p| format!("{p:e}"))
        .label_style(("sans-serif", 13))
        .draw()?;
    for (queue_ms, colour) in QUEUES_MS.into_iter().zip(COLOURS) {
        let mut per_ms: Vec<(f64, f64)> = Vec::new();
        for (fill_ms, share) in found.kept(&fill_name(kind, via, queue_ms)) {
            match per_ms.last_mut() {
                Some((at_ms, sum)) if *at_ms == fill_ms.floor() => *sum += share,
                _ => per_ms.push((fill_ms.floor(), share)),
            }
        }
        let bar = |(at_ms, share): (f64, f64)| {
            Rectangle::new([(at_ms, 1e-5), (at_ms + 1.0, share)], colour.mix(0.55).filled())
        };
        chart.draw_series(per_ms.into_iter().map(bar))?;
    }
    Ok(())
}
