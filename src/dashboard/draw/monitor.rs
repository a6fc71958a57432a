//! `tras monitor`: the exponent large, every channel and region, hours of history, spectrum and EEG; nothing about
//! stimulation, because there is none.

use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::Span;
use ratatui::widgets::Widget;
use ratatui::widgets::canvas::Line;

use super::flow::{self, Flow};
use super::theme::Role;
use super::{Screen, digits, eeg, exponent, plot, spectrum, status, text};
use crate::dashboard::history::SPANS_S;
use crate::dashboard::panels::TargetView;
use crate::dashboard::reading::{Reading, Standing};
use crate::dashboard::state::View;

/// From this height on the EEG has a place too.
const EEG_FROM: u16 = 28;
/// From this width on the spectrum stands beside the history.
const SPECTRUM_FROM: u16 = 78;

/// Draws the monitor below the first line and above the keys.
pub(super) fn draw(view: &View, screen: &Screen, area: Rect, buffer: &mut Buffer) {
    let eeg_rows = if area.height >= EEG_FROM { Constraint::Fill(5) } else { Constraint::Length(0) };
    let [top, middle, lower, health] = area.layout(&Layout::vertical([
        Constraint::Length(digits::ROWS + 4 + area.height / 10),
        Constraint::Fill(4),
        eeg_rows,
        Constraint::Length(if area.width < 100 { 2 } else { 1 }),
    ]));
    let left = (area.width * 2 / 5).clamp(24, 44);
    let [number, targets] = top.layout(&Layout::horizontal([Constraint::Length(left), Constraint::Fill(1)]));
    large(view, screen, number, buffer);
    list(view, screen, targets, buffer);
    if area.width >= SPECTRUM_FROM {
        let [left, right] = middle.layout(&Layout::horizontal([Constraint::Fill(5), Constraint::Fill(3)]));
        history(view, screen, left, buffer);
        spectrum::draw(view, screen, right, buffer);
    } else {
        history(view, screen, middle, buffer);
    }
    if lower.height > 0 {
        eeg::draw(view, screen, lower, buffer);
    }
    numbers(view, screen, health, buffer);
}

/// The steering region: its exponent large, its interval, how it stands.
fn large(view: &View, screen: &Screen, area: Rect, buffer: &mut Buffer) {
    let theme = screen.theme;
    let region = text::clip(&view.spectrum.region, 16);
    let choices = [format!(" exponent of {region} "), format!(" {region} "), " exponent ".to_owned()];
    let title = flow::fitting(usize::from(area.width.saturating_sub(2)), choices);
    let block = theme.panel(Span::styled(title, theme.style(Role::Strong)));
    let inner = block.inner(area);
    block.render(area, buffer);
    let inner = Rect { x: inner.x + 1, width: inner.width.saturating_sub(1), ..inner };
    let reading = Reading::of(view);
    let valid = reading.standing == Standing::Valid;
    let mut words = Flow::default();
    if valid {
        let point = reading.point.filter(|point| point.se.is_finite());
        words.add(
            &point.map_or_else(
                || wanders(view),
                |point| {
                    let (low, high) = (point.exponent - 1.96 * point.se, point.exponent + 1.96 * point.se);
                    format!("95 % {}..{}", text::number(low, 2), text::number(high, 2))
                },
            ),
            Role::Plain,
        );
        words.add("valid", Role::Good);
    } else {
        let (reason, role) = reading.reason();
        words.add(&reason, role);
        if reading.point.is_some() {
            let value = reading.value(theme.symbol("±", "+-"));
            words.add(&format!("last clean {value}, {} ago", text::age(reading.age_s)), Role::Quiet);
        }
    }
    // The words first: the reason must have its place.
    let needs = u16::try_from(words.rows(usize::from(inner.width)).len()).unwrap_or(u16::MAX);
    let number = reading.point.map_or_else(|| "--".to_owned(), |point| text::number(point.exponent, 2));
    let role = if valid { Role::Strong } else { Role::Quiet };
    let mut rest = inner;
    if needs + digits::ROWS <= inner.height && digits::draw(&number, theme, role, inner, buffer) {
        let taken = (digits::ROWS + 1).min(inner.height - needs);
        rest = Rect { y: inner.y + taken, height: inner.height - taken, ..inner };
    } else if valid {
        buffer.set_stringn(rest.x, rest.y, &number, usize::from(rest.width), theme.style(role));
        rest = Rect { y: rest.y + 1, height: rest.height.saturating_sub(1), ..rest };
    }
    words.render(theme, rest, buffer);
}

/// What stands in for an interval where the method states no standard error.
fn wanders(view: &View) -> String {
    view.history.minute_sd().map_or_else(
        || "no interval yet".to_owned(),
        |sd| format!("sd {} in the last minute", text::number(sd, 2)),
    )
}

/// Every region and channel, in as many columns as there is room for.
fn list(view: &View, screen: &Screen, area: Rect, buffer: &mut Buffer) {
    let theme = screen.theme;
    let inner = theme.panel("").inner(area);
    let rows = usize::from(inner.height).max(1);
    let names = view.targets.iter().map(|target| target.name.chars().count()).max().unwrap_or(0).clamp(4, 10);
    // A name, a mark, a number with its error.
    let cell = names + 17;
    let columns = (usize::from(inner.width) / cell).max(1).min(view.targets.len().div_ceil(rows).max(1));
    let width = usize::from(inner.width) / columns;
    let room = rows * columns;
    let first = screen.first_channel.min(view.targets.len().saturating_sub(room));
    let shown = view.targets.len().min(first + room);
    let range = format!("{}-{} of {}", (first + 1).min(shown), shown, view.targets.len());
    let choices = [format!(" channels and regions {range} "), format!(" {range} ")];
    let title = flow::fitting(usize::from(area.width.saturating_sub(2)), choices);
    let block = theme.panel(Span::styled(title, theme.style(Role::Strong)));
    block.render(area, buffer);
    for (at, target) in view.targets.iter().skip(first).take(room).enumerate() {
        let (column, row) = (at / rows, at % rows);
        let x = inner.x + u16::try_from(column * width).unwrap_or(u16::MAX);
        let y = inner.y + u16::try_from(row).unwrap_or(u16::MAX);
        if x >= inner.right() || y >= inner.bottom() {
            continue;
        }
        let line = entry(view, screen, target, names, width.saturating_sub(1));
        buffer.set_line(x, y, &line, u16::try_from(width).unwrap_or(u16::MAX));
    }
}

/// One region or channel: its number while it is valid, else why not and how old the last one is.
fn entry(
    view: &View,
    screen: &Screen,
    target: &TargetView,
    names: usize,
    width: usize,
) -> ratatui::text::Line<'static> {
    let theme = screen.theme;
    let name = format!("{:<names$} ", text::clip(&target.name, names));
    let room = width.saturating_sub(name.chars().count());
    let reading = Reading::judge(view, target.newest.as_ref(), target.last_clean.as_ref());
    let plus_minus = theme.symbol("±", "+-");
    let value = reading.value(plus_minus);
    let bare = reading.point.map_or_else(String::new, |point| text::number(point.exponent, 2));
    let channel = view.stream.channels.iter().position(|label| *label == target.name);
    let bad = channel.and_then(|channel| view.stream.bad.iter().find(|(at, _)| *at == channel));
    let (choices, role) = if reading.standing == Standing::Valid {
        (vec![value, bare], Role::Plain)
    } else {
        let (mut reason, role) = reading.reason();
        if let Some((_, why)) = bad {
            reason = format!("bad: {why}");
        }
        let age = text::age(reading.age_s);
        let mark = theme.symbol("×", "x");
        let role = if role == Role::Alarm { Role::Warn } else { role };
        if bare.is_empty() {
            (vec![reason, mark.to_owned()], role)
        } else {
            let whole = format!("{reason}; last {bare}, {age} ago");
            (vec![whole, reason, format!("{mark} {bare}, {age} ago"), mark.to_owned()], role)
        }
    };
    ratatui::text::Line::from(vec![
        Span::styled(name, theme.style(Role::Strong)),
        Span::styled(flow::fitting(room, choices), theme.style(role)),
    ])
}

/// Means of the clean exponents over the chosen time span, with their extremes behind them.
fn history(view: &View, screen: &Screen, area: Rect, buffer: &mut Buffer) {
    let theme = screen.theme;
    let span = screen.span.min(SPANS_S.len() - 1);
    let span_s = SPANS_S.get(span).copied().unwrap_or(120.0);
    let choices =
        [format!(" history {}  t: another span ", span_words(span_s)), format!(" {} ", span_words(span_s))];
    let title = flow::fitting(usize::from(area.width.saturating_sub(2)), choices);
    let block = theme.panel(Span::styled(title, theme.style(Role::Strong)));
    let inner = block.inner(area);
    block.render(area, buffer);
    if inner.height < 2 {
        return;
    }
    let slices: Vec<_> = view.history.slices(span).collect();
    let extents = slices.iter().filter_map(|slice| slice.extent()).flat_map(|(low, high)| [low, high]);
    let y = exponent::bounds(extents);
    let ago = |share: f64| (1.0 - share, format!("-{}", span_words(span_s * share)));
    let times = [ago(1.0), ago(0.75), ago(0.5), ago(0.25), (1.0, "now".to_owned())];
    let area = exponent::axes(inner, buffer, theme, y, &times);
    #[allow(clippy::cast_precision_loss, reason = "a few hundred slices")]
    let length = slices.len() as f64;
    plot::canvas(area, buffer, theme, [0.0, length], y, |context| {
        #[allow(clippy::cast_precision_loss, reason = "a few hundred slices")]
        let at = |i: usize| i as f64 + 0.5;
        for (i, slice) in slices.iter().enumerate() {
            if let Some((low, high)) = slice.extent() {
                let (low, high) = (low.clamp(y[0], y[1]), high.clamp(y[0], y[1]));
                context.draw(&Line::new(at(i), low, at(i), high, theme.colour_of(Role::Quiet)));
            }
        }
        context.layer();
        let means = slices.iter().enumerate().map(|(i, s)| (at(i), s.mean().unwrap_or(f64::NAN)));
        plot::curve(context, means, y, theme.colour_of(Role::Good));
        for (i, _) in slices.iter().enumerate().filter(|(_, slice)| slice.only_invalid()) {
            context.print(at(i), y[0], Span::styled(theme.symbol("×", "x"), theme.style(Role::Warn)));
        }
    });
}

/// `30 s`, `2 min`, `1.5 h`.
fn span_words(seconds: f64) -> String {
    let (value, unit) = match seconds {
        s if s < 120.0 => (s, "s"),
        s if s < 3_600.0 => (s / 60.0, "min"),
        s => (s / 3_600.0, "h"),
    };
    format!("{} {unit}", text::number(value, usize::from(value.fract() != 0.0)))
}

/// Age of the data, losses, estimates, recording, in one or two rows.
fn numbers(view: &View, screen: &Screen, area: Rect, buffer: &mut Buffer) {
    let s = &view.stream;
    let late = s.age_s > 0.5;
    let mut flow = Flow::default();
    flow.add(&format!("data {} old;", text::age(s.age_s)), if late { Role::Warn } else { Role::Plain });
    let lost = format!(
        "{} samples, {} lost in {} gaps;",
        text::count(s.received),
        text::count(s.lost),
        text::count(s.gaps)
    );
    flow.add(&lost, if s.lost > 0 || s.gaps > 0 { Role::Warn } else { Role::Plain });
    flow.add(&format!("estimates {};", status::estimates(view)), Role::Plain);
    flow.add(&format!("recording {}", status::recording(view, usize::from(area.width) / 3)), Role::Plain);
    let area = Rect { x: area.x + 1, width: area.width.saturating_sub(2), ..area };
    flow.render(screen.theme, area, buffer);
}
