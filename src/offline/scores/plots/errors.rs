//! Error histograms, one field for each condition and load, all participants together, with the fitted densities.

use std::path::Path;

use plotters::prelude::*;
use tras_scoring::LogTable;
use tras_scoring::angle::wrap_deg;
use tras_scoring::dprime::count;
use tras_scoring::mixture::{Parts, Response, fit};
use tras_scoring::tcc::density;

use super::super::run::Scored;
use super::super::shown;
use super::{Drawn, GREY, colour, names, words};

/// Width of a bar, degrees.
const BIN: usize = 10;
const FIELD: (u32, u32) = (300, 230);
const TITLE: u32 = 60;

/// Writes the picture.
pub(super) fn draw(path: &Path, scored: &[Scored], table: &LogTable) -> Drawn {
    let conditions = names(scored, |s| s.cell.condition.as_str());
    let loads = names(scored, |s| s.cell.load.as_str());
    let (across, down) = (loads.len().max(1), conditions.len().max(1));
    let size = (
        FIELD.0 * u32::try_from(across).map_err(words)?,
        FIELD.1 * u32::try_from(down).map_err(words)? + TITLE,
    );
    let root = SVGBackend::new(path, size).into_drawing_area();
    root.fill(&WHITE).map_err(words)?;
    let note = |text: &str, at: (i32, i32), size: i32, colour: &RGBColor| {
        root.draw(&Text::new(text.to_owned(), at, ("sans-serif", size).into_font().color(colour)))
            .map_err(words)
    };
    note(&format!("Errors, and their densities by kernel {}", table.kernel().name()), (10, 8), 17, &BLACK)?;
    note("line: target confusability", (10, 34), 13, &colour(0))?;
    note("dashes: mixture", (180, 34), 13, &colour(1))?;
    let (_, fields) = root.split_vertically(TITLE);
    for (field, (condition, load)) in fields
        .split_evenly((down, across))
        .iter()
        .zip(conditions.iter().flat_map(|c| loads.iter().map(move |l| (c, l))))
    {
        let own = || scored.iter().filter(|s| s.cell.condition == *condition && s.cell.load == *load);
        let responses: Vec<Response> = own().flat_map(responses_of).collect();
        field_of(
            field,
            &format!("{}, load {load}, n {}", shown(condition), responses.len()),
            &responses,
            table,
        )?;
    }
    root.present().map_err(words)
}

fn responses_of(one: &Scored) -> Vec<Response> {
    let responses = one.cell.trials.iter().filter_map(|t| {
        let response = t.response_deg?;
        Some(Response {
            error_deg: wrap_deg(response - t.target_deg),
            to_nontargets_deg: t.nontargets_deg.iter().map(|n| wrap_deg(response - n)).collect(),
        })
    });
    responses.collect()
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a bar of 36")]
fn field_of(
    field: &DrawingArea<SVGBackend<'_>, plotters::coord::Shift>,
    title: &str,
    responses: &[Response],
    table: &LogTable,
) -> Drawn {
    let mut bars = vec![0.0; 360 / BIN];
    let bin = BIN as f64;
    for response in responses {
        // Bars are centred on 0, so that the peak is not cut in two.
        let at = ((response.error_deg + 180.0 + bin / 2.0).rem_euclid(360.0) / bin) as usize;
        if let Some(bar) = bars.get_mut(at) {
            *bar += 1.0 / (responses.len() as f64 * bin);
        }
    }
    let tcc = table
        .fit(&count(responses.iter().map(|r| r.error_deg)))
        .map(|fit| density(table.kernel(), fit.d_prime, table.quadrature()));
    let three = responses.iter().all(|r| !r.to_nontargets_deg.is_empty());
    let mixture = fit(responses, if three { Parts::Three } else { Parts::Two });
    let curves = tcc.iter().flatten().copied().chain(mixture.iter().map(|m| m.error_density_per_deg(0.0)));
    let top = bars.iter().copied().chain(curves).fold(0.001, f64::max) * 1.08;
    let mut chart = ChartBuilder::on(field)
        .margin(8)
        .caption(title, ("sans-serif", 13))
        .x_label_area_size(28)
        .y_label_area_size(44)
        .build_cartesian_2d(-180f64..180f64, 0f64..top)
        .map_err(words)?;
    chart
        .configure_mesh()
        .disable_mesh()
        .x_labels(5)
        .y_labels(4)
        .x_label_formatter(&|x| format!("{x:.0}"))
        .y_label_formatter(&|y| format!("{y:.3}"))
        .x_desc("error, degrees")
        .label_style(("sans-serif", 11))
        .draw()
        .map_err(words)?;
    let shapes = bars.iter().enumerate().flat_map(|(k, height)| {
        let left = k as f64 * bin - 180.0 - bin / 2.0;
        let rectangle =
            |from: f64, to: f64| Rectangle::new([(from, 0.0), (to, *height)], GREY.mix(0.35).filled());
        // The bar around 180 degrees stands half at each end.
        if k == 0 {
            vec![rectangle(-180.0, left + bin), rectangle(180.0 - bin / 2.0, 180.0)]
        } else {
            vec![rectangle(left, left + bin)]
        }
    });
    chart.draw_series(shapes).map_err(words)?;
    if let Some(p) = &tcc {
        let line = (-180..=180)
            .map(|d: i32| (f64::from(d), p.get(d.unsigned_abs() as usize).copied().unwrap_or(0.0)));
        chart.draw_series(LineSeries::new(line, colour(0).stroke_width(2))).map_err(words)?;
    }
    if let Some(m) = mixture {
        let line = (-180..=180).map(|d| (f64::from(d), m.error_density_per_deg(f64::from(d))));
        chart.draw_series(DashedLineSeries::new(line, 5, 4, colour(1).stroke_width(2))).map_err(words)?;
    }
    Ok(())
}
