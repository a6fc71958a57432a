//! One thread's share of a recording: an estimator for some of the channels and regions, and their read-outs.

use std::sync::Arc;

use crate::acquisition::frame::{ChannelSet, FrameHeader};
use crate::estimator::bands::Band;
use crate::estimator::settings::Settings;
use crate::estimator::timescale::Timescale;
use crate::estimator::tracking::{Drift, Follower};
use crate::estimator::window::{Estimator, Target};
use crate::estimator::{Contamination, Estimate, Reason, assemble};
use crate::offline::current::Timeline;
use crate::offline::table::{Row, Z_95};
use crate::offline::through::{Figures, Prepared, Seen, Windows};

/// What is read out beside the fit.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Readouts {
    /// Aperiodic-adjusted power of these bands.
    pub bands: Vec<Band>,
    /// The ACF-50 timescale.
    pub timescale: bool,
    /// The exponent followed by a Kalman filter.
    pub track: Option<Drift>,
}

impl Readouts {
    /// Names of their columns.
    #[must_use]
    pub fn columns(&self) -> Vec<String> {
        let mut names: Vec<String> = self.bands.iter().map(|band| format!("{}_power", band.name)).collect();
        if self.timescale {
            names.push("timescale_s".into());
        }
        if self.track.is_some() {
            names.extend(["tracked".into(), "tracked_low".into(), "tracked_high".into()]);
        }
        names
    }
}

/// The windows of some targets.
pub struct Lane {
    estimator: Estimator,
    readouts: Readouts,
    first_target: usize,
    /// For each channel of the lane its index in a frame.
    take: Vec<usize>,
    samples_uv: Vec<f32>,
    recent: Option<Recent>,
    trackers: Vec<Follower>,
    found: Vec<Estimate>,
    /// What samples saw of the current, where that is known, and whether the table has a column for it.
    timeline: Option<Arc<Timeline>>,
    tells: bool,
    /// Windows under current, where they were asked for.
    through: Option<Windows>,
}

/// The window's samples, for the timescale.
struct Recent {
    len: usize,
    /// [channel][sample], written in a circle.
    rings: Vec<f32>,
    /// Frames since a channel was last spoilt.
    clean: Vec<usize>,
    next: usize,
    timescale: Timescale,
}

impl Lane {
    /// For `targets`, whose channels are indices into frames at `rate_hz`; the first of them is number `first_target`
    /// of the recording's.
    ///
    /// # Errors
    /// Names the setting that does not fit the recording.
    pub fn new(
        e: &Settings,
        readouts: &Readouts,
        targets: &[Target],
        first_target: usize,
        rate_hz: f64,
    ) -> Result<Self, String> {
        let mut take: Vec<usize> =
            targets.iter().flat_map(|target| target.channels.iter().copied()).collect();
        take.sort_unstable();
        take.dedup();
        let own = |channel: &usize| take.binary_search(channel).unwrap_or(0);
        let targets: Vec<Target> = targets
            .iter()
            .map(|target| Target { channels: target.channels.iter().map(own).collect(), ..target.clone() })
            .collect();
        let count = targets.len();
        let settings = assemble::estimator_settings(e, targets);
        let method = assemble::method(e, &settings, rate_hz)?;
        let estimator = Estimator::new(settings, rate_hz, take.len(), method)?;
        let window = estimator.window_samples();
        let fit_range_hz = (e.range_hz[0], e.range_hz[1]);
        let track = readouts.track.map(|drift| Follower::new(drift, e.window_s, e.hop_s, fit_range_hz));
        Ok(Self {
            readouts: Readouts {
                bands: readouts.bands.iter().map(|band| band.within(fit_range_hz)).collect(),
                ..*readouts
            },
            first_target,
            samples_uv: vec![0.0; take.len()],
            recent: readouts.timescale.then(|| Recent {
                len: window,
                rings: vec![0.0; window * take.len()],
                clean: vec![0; take.len()],
                next: 0,
                timescale: Timescale::new(window, rate_hz),
            }),
            trackers: track.map(|fresh| vec![fresh; count]).unwrap_or_default(),
            found: Vec::with_capacity(count),
            timeline: None,
            tells: false,
            through: None,
            estimator,
            take,
        })
    }

    /// What samples saw of the current; `tells`: the table has a column for it.
    #[must_use]
    pub fn with_current(self, timeline: Option<Arc<Timeline>>, tells: bool) -> Self {
        Self { timeline, tells, ..self }
    }

    /// Estimates under the current that was `prepared` too, with their columns.
    ///
    /// # Errors
    /// Names the setting that the removal cannot work with.
    pub(super) fn with_through(self, e: &Settings, prepared: Prepared, rate_hz: f64) -> Result<Self, String> {
        let targets = &self.estimator.settings().targets;
        let windows = Windows::new(e, prepared, targets, self.first_target, rate_hz, self.take.len())?;
        Ok(Self { through: Some(windows), ..self })
    }

    /// What a user should know about the settings.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        self.estimator.warnings()
    }

    /// Takes a frame of the recording and adds a row for each target where a whole window ends with it.
    pub fn push(&mut self, frame: &FrameHeader, frame_uv: &[f32], rows: &mut Vec<Row>) {
        let mut header = FrameHeader { spoilt: ChannelSet::EMPTY, ..*frame };
        for (own, (slot, &channel)) in self.samples_uv.iter_mut().zip(&self.take).enumerate() {
            *slot = frame_uv.get(channel).copied().unwrap_or(f32::NAN);
            if frame.spoilt.contains(channel) {
                header.spoilt.insert(own);
            }
        }
        let seen = self.timeline.as_ref().map(|timeline| timeline.at(header.stamp_s)).unwrap_or_default();
        if let Some(recent) = &mut self.recent {
            recent.push(&header, &self.samples_uv);
        }
        let mut found = Vec::new();
        if self.estimator.push(&header, &self.samples_uv, seen) {
            self.found.clear();
            self.found.extend_from_slice(self.estimator.estimates(header.stamp_s));
            found.extend((0..self.found.len()).filter_map(|at| self.row(at)));
        }
        let before = rows.len();
        match &mut self.through {
            None => rows.append(&mut found),
            Some(through) => {
                let bands = &self.readouts.bands;
                through.push(&header, &self.samples_uv, found, &mut |row, seen| see(row, seen, bands), rows);
            }
        }
        self.complete(rows.get_mut(before..).unwrap_or_default());
    }

    /// The recording has ended: rows that still wait.
    pub fn finish(&mut self, rows: &mut Vec<Row>) {
        let before = rows.len();
        if let Some(through) = &mut self.through {
            through.finish(rows);
        }
        self.complete(rows.get_mut(before..).unwrap_or_default());
    }

    /// What depends on whether a row is valid, or stands behind everything else.
    fn complete(&mut self, rows: &mut [Row]) {
        for row in rows {
            let through = self.through.is_some();
            if let Some(tracker) = self.trackers.get_mut(row.target.saturating_sub(self.first_target)) {
                let usable = if through { row.is_valid() } else { row.invalid.is_none() };
                let measured = usable.then_some((row.exponent, row.exponent_se));
                let tracked = tracker
                    .step(row.time_s, measured)
                    .map(|t| [t.exponent, t.exponent - Z_95 * t.sd, t.exponent + Z_95 * t.sd]);
                row.extras.extend(tracked.unwrap_or([f64::NAN; 3]));
            }
            if through {
                row.texts.extend(Figures::cells(row.through.as_ref()));
            }
        }
    }

    fn row(&mut self, at: usize) -> Option<Row> {
        let Estimate { target, fit, .. } = self.found.get(at)?;
        // Less than a window since the start or a gap: there is nothing to report yet.
        if fit.invalid == Some(Reason::Filling) {
            return None;
        }
        let mut extras = Vec::with_capacity(self.readouts.bands.len() + 4);
        for band in &self.readouts.bands {
            let spectrum = self.estimator.spectrum(*target);
            extras.push(spectrum.map_or(f64::NAN, |s| band.adjusted_power_log10(&s, fit)));
        }
        if let Some(recent) = &mut self.recent {
            let channels = self.estimator.settings().targets.get(*target).map(|t| t.channels.as_slice());
            extras.push(recent.timescale_s(channels.unwrap_or_default()));
        }
        let estimate = self.found.get(at)?;
        let contamination = self.timeline.is_some().then_some(estimate.contamination);
        let seen = contamination.map_or("", Contamination::as_str).to_owned();
        let texts = if self.tells { vec![seen] } else { Vec::new() };
        let target = self.first_target + estimate.target;
        Some(Row { target, extras, texts, ..Row::of(estimate, contamination) })
    }
}

/// Puts the estimate of what the removal has left in the place of the one under current. The timescale of a thinned
/// signal is another one: it stays empty.
fn see(row: &mut Row, seen: &Seen<'_>, bands: &[Band]) {
    let Seen { estimate, figures, spectrum } = seen;
    let mut extras: Vec<f64> = bands
        .iter()
        .map(|band| spectrum.as_ref().map_or(f64::NAN, |s| band.adjusted_power_log10(s, &estimate.fit)))
        .collect();
    extras.resize(row.extras.len(), f64::NAN);
    let fitted = Row::of(estimate, row.contamination);
    *row = Row {
        time_s: row.time_s,
        target: row.target,
        exponent_se: fitted.exponent_se * figures.proof.se_factor(),
        through: Some(*figures),
        extras,
        texts: std::mem::take(&mut row.texts),
        ..fitted
    };
}

impl Recent {
    fn push(&mut self, header: &FrameHeader, samples_uv: &[f32]) {
        let all = header.facts.intersects(crate::acquisition::frame::Facts::BREAKS)
            || header.facts.intersects(crate::acquisition::frame::Facts::REPEATED);
        for (channel, (&sample, clean)) in samples_uv.iter().zip(&mut self.clean).enumerate() {
            if let Some(slot) = self.rings.get_mut(channel * self.len + self.next) {
                *slot = sample;
            }
            // A frame after a break begins a new run, and is itself good.
            *clean = if header.spoilt.contains(channel) {
                0
            } else if all {
                1
            } else {
                *clean + 1
            };
        }
        self.next = (self.next + 1) % self.len.max(1);
    }

    /// Of the mean autocorrelation of those of `channels` whose whole window is unspoilt.
    fn timescale_s(&mut self, channels: &[usize]) -> f64 {
        self.timescale.clear();
        for &channel in channels {
            let ring = self.rings.get(channel * self.len..(channel + 1) * self.len).unwrap_or_default();
            if self.clean.get(channel).is_some_and(|&clean| clean >= self.len) {
                let (newer, older) = ring.split_at_checked(self.next).unwrap_or_default();
                self.timescale.add(older.iter().chain(newer).map(|&x| f64::from(x)));
            }
        }
        self.timescale.acf50_s()
    }
}
