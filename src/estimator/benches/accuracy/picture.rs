//! Pictures of a fit in log-log: spectrum, truth, and what was fitted. Plain SVG, written down as it is.

use std::fmt::Write;

use tras_estimator::Fit;

use crate::signal::RATE_HZ;

const WIDTH: f64 = 560.0;
const HEIGHT: f64 = 380.0;
const MARGIN: (f64, f64, f64, f64) = (62.0, 16.0, 34.0, 46.0);
const COLOURS: [&str; 5] = ["#9aa0a6", "#000000", "#1f6fb4", "#c2410c", "#15803d"];

/// A curve: its name in the legend, points (Hz, uV^2/Hz), and whether it is dashed.
pub(crate) struct Curve {
    pub name: String,
    pub points: Vec<(f64, f64)>,
    pub dashed: bool,
}

impl Curve {
    pub(crate) fn of(name: &str, dashed: bool, freqs_hz: &[f64], at: impl Fn(f64) -> f64) -> Self {
        Self { name: name.into(), points: freqs_hz.iter().map(|&f| (f, at(f))).collect(), dashed }
    }
}

/// Power that a fit expects at `f`: line, floor and peaks.
pub(crate) fn fitted(fit: &Fit, f: f64) -> f64 {
    let line = |f: f64| 10f64.powf(fit.offset) / (fit.knee.unwrap_or(0.0) + f.powf(fit.exponent));
    let floor = if fit.floor_uv.is_finite() { fit.floor_uv.powi(2) / (RATE_HZ / 2.0) } else { 0.0 };
    let peaks: f64 = fit
        .peaks
        .as_slice()
        .iter()
        .map(|p| {
            let z = (f - p.centre_hz) / (0.5 * p.bandwidth_hz);
            line(p.centre_hz) * (10f64.powf(p.power_log10) - 1.0) * (-0.5 * z * z).exp()
        })
        .sum();
    line(f) + floor + peaks
}

/// Mean of Hann-tapered periodograms of 1 s, half overlapped, at `freqs_hz`: sums of cosines, no transform.
pub(crate) fn spectrum(x: &[f64], freqs_hz: &[f64]) -> Vec<(f64, f64)> {
    let len = RATE_HZ as usize;
    let taper: Vec<f64> =
        (0..len).map(|n| 0.5 - 0.5 * (std::f64::consts::TAU * (n as f64 + 0.5) / len as f64).cos()).collect();
    let energy: f64 = taper.iter().map(|w| w * w).sum();
    let mut power = vec![0.0; freqs_hz.len()];
    let mut count = 0.0;
    for start in (0..=x.len() - len).step_by(len / 2) {
        let segment = &x[start..start + len];
        let mean = segment.iter().sum::<f64>() / len as f64;
        count += 1.0;
        for (power, f) in power.iter_mut().zip(freqs_hz) {
            let (mut re, mut im) = (0.0, 0.0);
            for (n, (x, w)) in segment.iter().zip(&taper).enumerate() {
                let (s, c) = (std::f64::consts::TAU * f * n as f64 / RATE_HZ).sin_cos();
                re += w * (x - mean) * c;
                im += w * (x - mean) * s;
            }
            *power += 2.0 * (re * re + im * im) / (energy * RATE_HZ);
        }
    }
    freqs_hz.iter().zip(power).map(|(&f, p)| (f, p / count)).collect()
}

/// The picture as SVG.
pub(crate) fn svg(title: &str, curves: &[Curve]) -> String {
    let all = || curves.iter().flat_map(|curve| &curve.points);
    let span = |pick: fn(&(f64, f64)) -> f64| {
        let logs = || all().map(pick).filter(|v| *v > 0.0).map(f64::log10);
        (logs().fold(f64::INFINITY, f64::min), logs().fold(f64::NEG_INFINITY, f64::max))
    };
    let ((x0, x1), (y0, y1)) = (span(|p| p.0), span(|p| p.1));
    let (left, right, top, bottom) = MARGIN;
    let x = |f: f64| left + (f.log10() - x0) / (x1 - x0) * (WIDTH - left - right);
    let y = |p: f64| HEIGHT - bottom - (p.log10() - y0) / (y1 - y0) * (HEIGHT - top - bottom);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"#ffffff\"/>\n\
         <text x=\"{left}\" y=\"20\" font-size=\"14\">{title}</text>\n"
    );
    for f in [1.0, 2.0, 4.0, 8.0, 16.0, 32.0].into_iter().filter(|f: &f64| (x0..=x1).contains(&f.log10())) {
        let (at, low) = (x(f), HEIGHT - bottom);
        let _ = writeln!(
            out,
            "<path d=\"M{at:.1} {top}V{low}\" stroke=\"#e5e7eb\"/><text x=\"{at:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{f}</text>",
            low + 16.0
        );
    }
    for decade in y0.ceil() as i32..=y1.floor() as i32 {
        let at = y(10f64.powi(decade));
        let _ = writeln!(
            out,
            "<path d=\"M{left} {at:.1}H{}\" stroke=\"#e5e7eb\"/><text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
            WIDTH - right,
            left - 6.0,
            at + 4.0,
            10f64.powi(decade)
        );
    }
    let _ = writeln!(
        out,
        "<text x=\"{:.0}\" y=\"{:.0}\" text-anchor=\"middle\">Hz</text><text x=\"14\" y=\"{:.0}\" transform=\"rotate(-90 14 {:.0})\" text-anchor=\"middle\">uV²/Hz</text>",
        WIDTH / 2.0,
        HEIGHT - 10.0,
        HEIGHT / 2.0,
        HEIGHT / 2.0
    );
    for (nth, (curve, colour)) in curves.iter().zip(COLOURS).enumerate() {
        let points: Vec<String> = curve
            .points
            .iter()
            .filter(|(_, p)| *p > 0.0)
            .map(|&(f, p)| format!("{:.1},{:.1}", x(f), y(p)))
            .collect();
        let dash = if curve.dashed { " stroke-dasharray=\"5 4\"" } else { "" };
        // Below the curves: spectra fall to the right.
        let row = HEIGHT - bottom - 16.0 * (curves.len() - nth) as f64;
        let _ = writeln!(
            out,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.6\"{dash}/>\n\
             <path d=\"M{:.0} {:.0}h22\" stroke=\"{colour}\" stroke-width=\"2\"{dash}/><text x=\"{:.0}\" y=\"{row:.0}\">{}</text>",
            points.join(" "),
            left + 10.0,
            row - 4.0,
            left + 38.0,
            curve.name
        );
    }
    out + "</svg>\n"
}
