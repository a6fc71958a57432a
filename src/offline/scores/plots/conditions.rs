//! d' against load for each condition, and conditions side by side: means with 95 % intervals, each participant behind.

use std::path::Path;

use plotters::prelude::*;
use tras_scoring::quantile::{mean, sd};
use tras_scoring::regression::t_quantile_975;

use super::super::run::Scored;
use super::{Drawn, GREY, colour, names, words};

/// A mean with its interval: by the participants' spread (Student's t), or of one participant its own.
#[derive(Clone, Copy)]
struct Mean {
    value: f64,
    low: f64,
    high: f64,
}

/// d' of the cells that `wanted` takes, averaged within each participant, then over participants.
fn mean_of(scored: &[Scored], wanted: impl Fn(&Scored) -> bool) -> Option<(Mean, Vec<(String, f64)>)> {
    let mut each: Vec<(String, Vec<f64>, Option<[f64; 2]>)> = Vec::new();
    for one in scored.iter().filter(|s| wanted(s)) {
        let Some(fit) = one.score.d_prime else { continue };
        match each.iter_mut().find(|(who, ..)| *who == one.cell.participant) {
            Some((_, values, ci)) => {
                values.push(fit.d_prime);
                // Independent cells: half widths add by their squares below.
                *ci = ci.zip(one.score.d_prime_ci).map(|(a, b)| join(a, b));
            }
            None => each.push((one.cell.participant.clone(), vec![fit.d_prime], one.score.d_prime_ci)),
        }
    }
    let own: Vec<(String, f64)> = each.iter().map(|(who, values, _)| (who.clone(), mean(values))).collect();
    let values: Vec<f64> = own.iter().map(|(_, v)| *v).collect();
    let value = mean(&values);
    let half = match each.as_slice() {
        [] => return None,
        [(_, cells, ci)] => ci.map_or(0.0, |[low, high]| (high - low) / 2.0) / cells.len() as f64,
        _ => t_quantile_975(values.len() as f64 - 1.0) * sd(&values) / (values.len() as f64).sqrt(),
    };
    Some((Mean { value, low: value - half, high: value + half }, own))
}

/// An interval as wide as the sum of two independent ones.
fn join([a, b]: [f64; 2], [c, d]: [f64; 2]) -> [f64; 2] {
    let half = (b - a).hypot(d - c) / 2.0;
    [-half, half]
}

/// One row of points to draw.
struct Line {
    name: String,
    points: Vec<(f64, Mean)>,
    /// Each participant's points.
    own: Vec<Vec<(f64, f64)>>,
}

/// d' against load, one line a condition.
pub(super) fn against_load(path: &Path, scored: &[Scored]) -> Drawn {
    let loads = names(scored, |s| s.cell.load.as_str());
    let lines: Vec<Line> = names(scored, |s| s.cell.condition.as_str())
        .into_iter()
        .map(|condition| {
            line(scored, &condition, &loads, |s, c, l| s.cell.condition == c && s.cell.load == l)
        })
        .collect();
    picture(path, "d' against load: means with 95 % intervals, each participant thin", "load", &loads, &lines)
}

/// Conditions side by side, over all loads.
pub(super) fn side_by_side(path: &Path, scored: &[Scored]) -> Drawn {
    let conditions = names(scored, |s| s.cell.condition.as_str());
    let lines = [line(scored, "", &conditions, |s, _, c| s.cell.condition == c)];
    picture(
        path,
        "d' by condition, all loads: mean with 95 % interval, each participant thin",
        "",
        &conditions,
        &lines,
    )
}

fn line(scored: &[Scored], name: &str, places: &[String], wanted: fn(&Scored, &str, &str) -> bool) -> Line {
    let mut made = Line { name: name.to_owned(), points: Vec::new(), own: Vec::new() };
    let participants = names(scored, |s| s.cell.participant.as_str());
    made.own = vec![Vec::new(); participants.len()];
    for (at, place) in places.iter().enumerate() {
        let Some((mean, own)) = mean_of(scored, |s| wanted(s, name, place)) else { continue };
        made.points.push((at as f64, mean));
        for (slot, who) in made.own.iter_mut().zip(&participants) {
            slot.extend(own.iter().find(|(p, _)| p == who).map(|(_, v)| (at as f64, *v)));
        }
    }
    made
}

fn picture(path: &Path, title: &str, x_name: &str, places: &[String], lines: &[Line]) -> Drawn {
    let root = SVGBackend::new(path, (720, 460)).into_drawing_area();
    root.fill(&WHITE).map_err(words)?;
    let all = lines.iter().flat_map(|l| {
        let means = l.points.iter().flat_map(|(_, m)| [m.low, m.high]);
        means.chain(l.own.iter().flatten().map(|(_, v)| *v))
    });
    let (low, high) = all.fold((f64::INFINITY, 0.0_f64), |(a, b), v| (a.min(v), b.max(v)));
    let edge = 0.1 * (high - low).max(0.2);
    let last = places.len().saturating_sub(1) as f64;
    let mut chart = ChartBuilder::on(&root)
        .margin(14)
        .caption(title, ("sans-serif", 16))
        .x_label_area_size(40)
        .y_label_area_size(52)
        .build_cartesian_2d(-0.5..last + 0.5, (low - edge).max(0.0)..high + edge)
        .map_err(words)?;
    let name = |x: &f64| {
        let at = places.iter().enumerate().find(|(k, _)| (*k as f64 - x).abs() < 1e-6);
        at.map_or(String::new(), |(_, name)| super::super::shown(name).to_owned())
    };
    chart
        .configure_mesh()
        .disable_x_mesh()
        .light_line_style(WHITE)
        .bold_line_style(GREY.mix(0.2))
        .x_labels(places.len() * 2 + 1)
        .x_label_formatter(&name)
        .x_desc(x_name)
        .y_desc("d'")
        .label_style(("sans-serif", 14))
        .draw()
        .map_err(words)?;
    for (k, line) in lines.iter().enumerate() {
        // Lines stand a little apart, so that intervals do not cover each other.
        let aside = 0.06 * (k as f64 - (lines.len() as f64 - 1.0) / 2.0);
        let ink = colour(k);
        if line.own.len() > 1 {
            for own in &line.own {
                let points = own.iter().map(|(x, y)| (x + aside, *y));
                chart.draw_series(LineSeries::new(points, ink.mix(0.25))).map_err(words)?;
            }
        }
        let middle: Vec<(f64, f64)> = line.points.iter().map(|(x, m)| (x + aside, m.value)).collect();
        let series =
            chart.draw_series(LineSeries::new(middle.clone(), ink.stroke_width(2))).map_err(words)?;
        if !line.name.is_empty() {
            series
                .label(line.name.clone())
                .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], ink.stroke_width(2)));
        }
        for (x, m) in &line.points {
            let at = x + aside;
            let bar = PathElement::new([(at, m.low), (at, m.high)], ink.stroke_width(2));
            chart.draw_series([bar]).map_err(words)?;
            chart.draw_series([Circle::new((at, m.value), 4, ink.filled())]).map_err(words)?;
        }
    }
    if lines.iter().any(|l| !l.name.is_empty()) {
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::UpperRight)
            .background_style(WHITE.mix(0.8))
            .label_font(("sans-serif", 14))
            .draw()
            .map_err(words)?;
    }
    root.present().map_err(words)
}
