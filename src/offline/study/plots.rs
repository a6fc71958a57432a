//! One page: d' by condition, exponent at rest by condition, the differences of d', and d' against exponent.

use std::path::Path;

use plotters::coord::Shift;
use plotters::prelude::*;
use tras_scoring::quantile::{mean, sd};
use tras_scoring::regression::t_quantile_975;

use super::contrasts::Contrast;
use super::join::{Joined, Row};
use crate::offline::scores::plots::{Drawn, GREY, colour, words};

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// Writes the page.
///
/// # Errors
/// Where it cannot be written.
pub fn write(path: &Path, joined: &Joined, contrasts: &[Contrast]) -> Drawn {
    let root = SVGBackend::new(path, (1_100, 840)).into_drawing_area();
    root.fill(&WHITE).map_err(words)?;
    let fields = root.split_evenly((2, 2));
    let [a, b, c, d] = fields.as_slice() else { return Ok(()) };
    by_condition(a, "d' by condition: mean, 95 % interval, each participant", joined, |r| r.d_prime)?;
    by_condition(
        b,
        "exponent at rest after blocks, less that before the first",
        joined,
        Row::exponent_change,
    )?;
    differences(c, contrasts)?;
    scatter(d, contrasts)?;
    root.present().map_err(words)
}

/// Whether there is nothing to draw; then says so.
fn empty(field: &Area<'_>, title: &str, nothing: bool) -> Result<bool, String> {
    if nothing {
        let ink = ("sans-serif", 15).into_font().color(&GREY);
        field.draw(&Text::new(format!("{title}: no data"), (20, 20), ink)).map_err(words)?;
    }
    Ok(nothing)
}

fn range(values: impl Iterator<Item = f64>) -> std::ops::Range<f64> {
    let (low, high) = values
        .filter(|v| v.is_finite())
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), v| (a.min(v), b.max(v)));
    let edge = 0.1 * (high - low).max(0.1);
    low - edge..high + edge
}

fn by_condition(field: &Area<'_>, title: &str, joined: &Joined, of: fn(&Row) -> Option<f64>) -> Drawn {
    let mut conditions: Vec<&str> = Vec::new();
    for row in joined.rows.iter().filter(|r| of(r).is_some()) {
        if !conditions.contains(&row.condition.as_str()) {
            conditions.push(&row.condition);
        }
    }
    if empty(field, title, conditions.is_empty())? {
        return Ok(());
    }
    let last = conditions.len() as f64 - 0.5;
    let means: Vec<(f64, [f64; 2])> = conditions
        .iter()
        .map(|c| {
            let own: Vec<f64> = joined.rows.iter().filter(|r| r.condition == *c).filter_map(of).collect();
            let half = if own.len() > 1 {
                t_quantile_975(own.len() as f64 - 1.0) * sd(&own) / (own.len() as f64).sqrt()
            } else {
                0.0
            };
            (mean(&own), [mean(&own) - half, mean(&own) + half])
        })
        .collect();
    let all = joined.rows.iter().filter_map(of).chain(means.iter().flat_map(|(_, ci)| *ci));
    let mut chart = ChartBuilder::on(field)
        .margin(14)
        .caption(title, ("sans-serif", 15))
        .x_label_area_size(30)
        .y_label_area_size(46)
        .build_cartesian_2d(-0.5..last, range(all))
        .map_err(words)?;
    let name = |x: &f64| {
        let near = conditions.iter().enumerate().find(|(k, _)| (*k as f64 - x).abs() < 1e-6);
        near.map_or(String::new(), |(_, c)| crate::offline::scores::shown(c).to_owned())
    };
    chart
        .configure_mesh()
        .disable_mesh()
        .x_labels(2 * conditions.len() + 1)
        .x_label_formatter(&name)
        .draw()
        .map_err(words)?;
    let mut participants: Vec<&str> = joined.rows.iter().map(|r| r.participant.as_str()).collect();
    participants.dedup();
    for who in participants {
        let points: Vec<(f64, f64)> = conditions
            .iter()
            .enumerate()
            .filter_map(|(k, c)| {
                let row = joined.rows.iter().find(|r| r.participant == who && r.condition == *c)?;
                Some((k as f64, of(row)?))
            })
            .collect();
        chart.draw_series(LineSeries::new(points, GREY.mix(0.4))).map_err(words)?;
    }
    for (k, (value, [low, high])) in means.iter().enumerate() {
        let (x, ink) = (k as f64, colour(k));
        chart.draw_series([PathElement::new([(x, *low), (x, *high)], ink.stroke_width(3))]).map_err(words)?;
        chart.draw_series([Circle::new((x, *value), 5, ink.filled())]).map_err(words)?;
    }
    Ok(())
}

fn differences(field: &Area<'_>, contrasts: &[Contrast]) -> Drawn {
    let title = "differences of d': filled circle observed, open circle missing filled at random";
    let known: Vec<&Contrast> = contrasts.iter().filter(|c| c.differences[0].is_some()).collect();
    if empty(field, title, known.is_empty())? {
        return Ok(());
    }
    let all = known.iter().flat_map(|c| {
        let both = c.differences.iter().take(2).flatten().flat_map(|d| [d.value, d.ci[0], d.ci[1]]);
        both.chain(c.own.iter().map(|o| o.d_prime))
    });
    let mut chart = ChartBuilder::on(field)
        .margin(14)
        .caption(title, ("sans-serif", 15))
        .x_label_area_size(30)
        .y_label_area_size(46)
        .build_cartesian_2d(-0.5..known.len() as f64 - 0.5, range(all.chain([0.0])))
        .map_err(words)?;
    let name = |x: &f64| {
        let near = known.iter().enumerate().find(|(k, _)| (*k as f64 - x).abs() < 1e-6);
        near.map_or(String::new(), |(_, c)| format!("{} - {}", c.conditions.0, c.conditions.1))
    };
    chart
        .configure_mesh()
        .disable_mesh()
        .x_labels(2 * known.len() + 1)
        .x_label_formatter(&name)
        .draw()
        .map_err(words)?;
    chart
        .draw_series(LineSeries::new([(-0.5, 0.0), (known.len() as f64, 0.0)], GREY.mix(0.6)))
        .map_err(words)?;
    for (k, contrast) in known.iter().enumerate() {
        let x = k as f64;
        chart
            .draw_series(
                contrast.own.iter().map(|o| Circle::new((x - 0.2, o.d_prime), 3, GREY.mix(0.5).filled())),
            )
            .map_err(words)?;
        for (aside, difference) in [0.0, 0.12].into_iter().zip(contrast.differences) {
            let Some(d) = difference else { continue };
            let at = x + aside;
            if d.n > 1 {
                chart
                    .draw_series([PathElement::new(
                        [(at, d.ci[0]), (at, d.ci[1])],
                        colour(k).stroke_width(2),
                    )])
                    .map_err(words)?;
            }
            let style = if aside == 0.0 { colour(k).filled() } else { colour(k).stroke_width(2) };
            chart.draw_series([Circle::new((at, d.value), 5, style)]).map_err(words)?;
        }
    }
    Ok(())
}

fn scatter(field: &Area<'_>, contrasts: &[Contrast]) -> Drawn {
    let title = "change of d' against change of exponent; lines at the mean exponent at rest";
    let points = |c: &Contrast| -> Vec<(f64, f64)> {
        c.own.iter().filter_map(|o| Some((o.exponent?, o.d_prime))).collect()
    };
    let all: Vec<(f64, f64)> = contrasts.iter().flat_map(points).collect();
    if empty(field, title, all.is_empty())? {
        return Ok(());
    }
    let x_range = range(all.iter().map(|p| p.0));
    let mut chart = ChartBuilder::on(field)
        .margin(14)
        .caption(title, ("sans-serif", 15))
        .x_label_area_size(36)
        .y_label_area_size(46)
        .build_cartesian_2d(x_range.clone(), range(all.iter().map(|p| p.1)))
        .map_err(words)?;
    chart.configure_mesh().disable_mesh().x_desc("change of exponent").draw().map_err(words)?;
    for (k, contrast) in contrasts.iter().enumerate() {
        let ink = colour(k);
        let series = chart
            .draw_series(points(contrast).into_iter().map(|p| Circle::new(p, 4, ink.filled())))
            .map_err(words)?;
        series
            .label(format!("{} - {}", contrast.conditions.0, contrast.conditions.1))
            .legend(move |at| Circle::new(at, 4, ink.filled()));
        if let Ok(r) = &contrast.regression
            && let [intercept, slope, rest] = r.coefficients.as_slice()
        {
            let known: Vec<f64> = contrast.own.iter().filter_map(|o| o.exponent_rest).collect();
            let at = |x: f64| intercept.value + slope.value * x + rest.value * mean(&known);
            let ends = [x_range.start, x_range.end].map(|x| (x, at(x)));
            chart.draw_series(LineSeries::new(ends, ink.stroke_width(2))).map_err(words)?;
        }
    }
    chart.configure_series_labels().background_style(WHITE.mix(0.8)).draw().map_err(words)
}
