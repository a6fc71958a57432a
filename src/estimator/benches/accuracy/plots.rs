//! Error and bias against the window's length and against the exponent, drawn from the rows of the table.

use std::ops::Range;
use std::path::Path;

use plotters::coord::Shift;
use plotters::prelude::*;

/// What one method made of one row of the table.
pub struct Measured {
    pub method: String,
    pub window_s: f64,
    pub chi: f64,
    pub peaks: &'static str,
    /// Root-mean-square error over the Cramer-Rao bound of the pure line.
    pub error_over_bound: f64,
    pub bias: f64,
}

impl Measured {
    fn value(&self, of: Quantity) -> f64 {
        match of {
            Quantity::Error => self.error_over_bound,
            Quantity::Bias => self.bias,
        }
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Quantity {
    Error,
    Bias,
}

/// What the horizontal axis is; the other one is held.
#[derive(Clone, Copy, PartialEq)]
enum Against {
    Window,
    Chi,
}

const HELD_WINDOW_S: f64 = 4.0;
const HELD_CHI: f64 = 1.0;
const COLOURS: [RGBColor; 4] =
    [RGBColor(0, 90, 181), RGBColor(90, 170, 230), RGBColor(214, 95, 14), RGBColor(60, 140, 60)];
const GREY: RGBColor = RGBColor(110, 110, 110);
const SIZE: (u32, u32) = (1280, 760);

/// Writes `estimator-error.svg` and `estimator-bias.svg` into `folder`. `drawn_from` says from how much.
pub fn write(folder: &Path, rows: &[Measured], drawn_from: &str) -> Result<(), Box<dyn std::error::Error>> {
    for (of, file, title) in [
        (
            Quantity::Error,
            "estimator-error.svg",
            "Root-mean-square error of the exponent over the Cramér-Rao bound of 2..35 Hz",
        ),
        (Quantity::Bias, "estimator-bias.svg", "Bias of the exponent: mean error"),
    ] {
        let path = folder.join(file);
        let root = SVGBackend::new(&path, SIZE).into_drawing_area();
        root.fill(&WHITE)?;
        figure(&root, rows, of, title, drawn_from)?;
        root.present()?;
    }
    Ok(())
}

fn different<T: PartialEq>(values: impl Iterator<Item = T>) -> Vec<T> {
    let mut found = Vec::new();
    for value in values {
        if !found.contains(&value) {
            found.push(value);
        }
    }
    found
}

/// The table's name of a set of peaks, for a caption.
fn spoken(peaks: &str) -> String {
    if peaks == "none" { "no peaks".to_owned() } else { peaks.replace('+', ", ") }
}

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

fn figure(
    root: &Area<'_>,
    rows: &[Measured],
    of: Quantity,
    title: &str,
    drawn_from: &str,
) -> Result<(), Box<dyn std::error::Error>> {
    let methods = different(rows.iter().map(|row| row.method.as_str()));
    let peaks = different(rows.iter().map(|row| row.peaks));
    root.draw(&Text::new(title, (20, 14), ("sans-serif", 22)))?;
    root.draw(&Text::new(drawn_from, (20, 42), ("sans-serif", 15).into_font().color(&GREY)))?;
    let mut x = 20;
    for (method, colour) in methods.iter().zip(COLOURS) {
        root.draw(&PathElement::new([(x, 76), (x + 26, 76)], colour.stroke_width(3)))?;
        root.draw(&Circle::new((x + 13, 76), 4, colour.filled()))?;
        root.draw(&Text::new((*method).to_owned(), (x + 34, 67), ("sans-serif", 16)))?;
        x += 34 + 9 * i32::try_from(method.len())? + 30;
    }
    let shown = match of {
        Quantity::Error => "line: the bound",
        Quantity::Bias => "band: ±0.02",
    };
    root.draw(&Text::new(shown, (x, 67), ("sans-serif", 16).into_font().color(&GREY)))?;

    let (_, below) = root.split_vertically(96);
    let panels = below.split_evenly((2, peaks.len().max(1)));
    let high = rows.iter().map(|row| row.value(of)).fold(f64::NEG_INFINITY, f64::max);
    let low = rows.iter().map(|row| row.value(of)).fold(f64::INFINITY, f64::min);
    let y = match of {
        Quantity::Error => 0.0..(high * 5.0).ceil() / 5.0 + 0.1,
        Quantity::Bias => (low.min(-0.03) * 50.0).floor() / 50.0..(high.max(0.03) * 50.0).ceil() / 50.0,
    };
    for (at, panel) in panels.iter().enumerate() {
        let against = if at < peaks.len() { Against::Window } else { Against::Chi };
        let name = peaks[at % peaks.len()];
        draw_panel(panel, rows, &methods, name, of, against, y.clone())?;
    }
    Ok(())
}

fn draw_panel(
    area: &Area<'_>,
    rows: &[Measured],
    methods: &[&str],
    peaks: &str,
    of: Quantity,
    against: Against,
    y: Range<f64>,
) -> Result<(), Box<dyn std::error::Error>> {
    // Windows double from one to the next: their axis is log2 T.
    let place = |row: &Measured| match against {
        Against::Window => row.window_s.log2(),
        Against::Chi => row.chi,
    };
    let held = |row: &&Measured| {
        row.peaks == peaks
            && match against {
                Against::Window => (row.chi - HELD_CHI).abs() < 1e-9,
                Against::Chi => (row.window_s - HELD_WINDOW_S).abs() < 1e-9,
            }
    };
    let (x, caption, label) = match against {
        Against::Window => (0.8..4.2, format!("{}, exponent {HELD_CHI}", spoken(peaks)), "T, s"),
        Against::Chi => (0.4..2.1, format!("{}, T = {HELD_WINDOW_S} s", spoken(peaks)), "exponent"),
    };
    let mut chart = ChartBuilder::on(area)
        .caption(caption, ("sans-serif", 16))
        .margin(8)
        .margin_right(14)
        .x_label_area_size(38)
        .y_label_area_size(50)
        .build_cartesian_2d(x.clone(), y)?;
    match of {
        Quantity::Error => {
            chart.draw_series([PathElement::new([(x.start, 1.0), (x.end, 1.0)], GREY.stroke_width(2))])?;
        }
        Quantity::Bias => {
            chart
                .draw_series([Rectangle::new([(x.start, -0.02), (x.end, 0.02)], GREY.mix(0.15).filled())])?;
            chart.draw_series([PathElement::new([(x.start, 0.0), (x.end, 0.0)], GREY.stroke_width(1))])?;
        }
    }
    let ticks = |value: &f64| match against {
        Against::Window if (value - value.round()).abs() < 1e-6 => format!("{:.0}", value.exp2()),
        Against::Window => String::new(),
        Against::Chi => format!("{value:.1}"),
    };
    chart
        .configure_mesh()
        .disable_x_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(GREY.mix(0.18))
        .x_labels(5)
        .y_labels(8)
        .x_desc(label)
        .x_label_formatter(&ticks)
        .y_label_formatter(&|value| match of {
            Quantity::Error => format!("{value:.1}"),
            Quantity::Bias => format!("{value:+.2}"),
        })
        .label_style(("sans-serif", 13))
        .axis_desc_style(("sans-serif", 14))
        .draw()?;
    for (method, colour) in methods.iter().zip(COLOURS) {
        let points: Vec<(f64, f64)> = rows
            .iter()
            .filter(|row| row.method == *method)
            .filter(held)
            .map(|row| (place(row), row.value(of)))
            .collect();
        chart.draw_series(LineSeries::new(points.iter().copied(), colour.stroke_width(2)))?;
        chart.draw_series(points.iter().map(|point| Circle::new(*point, 4, colour.filled())))?;
    }
    Ok(())
}
