//! Tables of trials into cells. What cannot be used is left out and told, with its lines; what is doubtful (angles
//! that look like radians) is refused until the user says what it is.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::f64::consts::TAU;
use std::path::Path;

use tras_scoring::{Cell, Trial};

use super::table::{Table, known};

/// The columns that a table must have, by our names.
pub const NEEDED: [&str; 5] = ["participant", "condition", "load", "target_deg", "response_deg"];
/// The columns that are used where they are there.
pub const OPTIONAL: [&str; 6] = ["rt_s", "session", "block", "trial", "status", "flags"];

/// How a user's table names and writes things.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Layout {
    /// Our name, the table's name; `nontarget` gives the beginning of the names of non-targets' columns.
    pub columns: Vec<(String, String)>,
    /// Our name, the value for every row, in place of a column.
    pub constants: Vec<(String, String)>,
    /// Whether angles are radians; `None`: degrees, unless they look like radians, which is refused.
    pub radians: Option<bool>,
    /// Conditions by block, for rows whose own is empty: what unblinding told of a session.
    pub conditions: HashMap<String, String>,
    /// The feature repeats after half a turn (orientations of bars): angles are doubled.
    pub half_circle: bool,
}

impl Layout {
    /// With the conditions of a session's unblinded blocks.
    #[must_use]
    pub fn of_blocks(self, conditions: &BTreeMap<u32, String>) -> Self {
        let named = conditions.iter().map(|(block, condition)| (block.to_string(), condition.clone()));
        Self { conditions: named.collect(), ..self }
    }
}

/// Cells in the order in which they first occur, and what to tell.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Trials {
    /// Participant, condition and load with their trials.
    pub cells: Vec<Cell>,
    /// Rows that were left out of each cell.
    pub left_out: Vec<usize>,
    /// What was left out or looks odd, a sentence each, with the file's name.
    pub notes: Vec<String>,
    index: HashMap<[String; 3], usize>,
    seen: HashSet<String>,
}

impl Trials {
    /// Adds the trials of one file.
    ///
    /// # Errors
    /// Says which columns are missing and which there are; which cell is no number, by line; which column looks like
    /// radians. Nothing of such a file is added.
    pub fn add(&mut self, path: &Path, layout: &Layout) -> Result<(), String> {
        let table = Table::read(path)?;
        self.take(&table, &name_of(path), layout).map_err(|what| format!("{}: {what}", path.display()))
    }

    fn take(&mut self, table: &Table, file: &str, layout: &Layout) -> Result<(), String> {
        let columns = Columns::find(table, file, layout)?;
        let rows = columns.rows(table, layout)?;
        let scale = columns.scale(&rows, layout)?;
        let mut told = Told::default();
        for row in rows {
            let cell = self.cell(&row);
            let fit = |deg: f64| scale.degrees(deg);
            let target = row.target.and_then(fit);
            let response = row.response.map(fit);
            let nontargets: Vec<Option<f64>> = row.nontargets.iter().map(|n| fit(*n)).collect();
            let refused = if row.status.as_deref().is_some_and(|s| !matches!(s, "done" | "missed")) {
                Some(&mut told.broken)
            } else if row.target.is_none() {
                Some(&mut told.without_target)
            } else if target.is_none() || response == Some(None) || nontargets.contains(&None) {
                Some(&mut told.outside)
            } else if !self.seen.insert(row.identity(&columns)) {
                Some(&mut told.twice)
            } else {
                None
            };
            if let Some(lines) = refused {
                lines.push(row.line);
                if let Some(count) = self.left_out.get_mut(cell) {
                    *count += 1;
                }
            } else if let (Some(cell), Some(target_deg)) = (self.cells.get_mut(cell), target) {
                told.flagged += usize::from(row.flagged);
                cell.trials.push(Trial {
                    target_deg,
                    response_deg: response.flatten(),
                    nontargets_deg: nontargets.into_iter().flatten().collect(),
                    rt_s: row.rt_s,
                });
            }
        }
        self.notes.extend(told.sentences(file));
        Ok(())
    }

    fn cell(&mut self, row: &Row) -> usize {
        *self.index.entry(row.names.clone()).or_insert_with(|| {
            let [participant, condition, load] = row.names.clone();
            self.cells.push(Cell { participant, condition, load, trials: Vec::new() });
            self.left_out.push(0);
            self.cells.len() - 1
        })
    }

    /// Adds the cells that a participant's conditions and loads let expect but no row has, each with a note.
    pub fn complete(&mut self) {
        let mut of: HashMap<String, (Vec<String>, Vec<String>)> = HashMap::new();
        let mut order = Vec::new();
        for cell in &self.cells {
            let (conditions, loads) = of.entry(cell.participant.clone()).or_insert_with(|| {
                order.push(cell.participant.clone());
                Default::default()
            });
            for (list, name) in [(conditions, &cell.condition), (loads, &cell.load)] {
                if !list.contains(name) {
                    list.push(name.clone());
                }
            }
        }
        for participant in order {
            let Some((conditions, loads)) = of.get(&participant) else { continue };
            for (condition, load) in conditions.iter().flat_map(|c| loads.iter().map(move |l| (c, l))) {
                let names = [participant.clone(), condition.clone(), load.clone()];
                if !self.index.contains_key(&names) {
                    self.cell(&Row { names, ..Row::default() });
                    self.notes.push(format!(
                        "participant {participant}: no trial of condition {condition} at load {load}"
                    ));
                }
            }
        }
    }
}

/// `sub-01_ses-2_task-wm_beh.tsv` from its path.
fn name_of(path: &Path) -> String {
    path.file_name().map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into_owned())
}

/// The lines that were left out, by reason.
#[derive(Default)]
struct Told {
    broken: Vec<u64>,
    without_target: Vec<u64>,
    outside: Vec<u64>,
    twice: Vec<u64>,
    /// Rows that are used, though a task flagged them.
    flagged: usize,
}

impl Told {
    fn sentences(&self, file: &str) -> Vec<String> {
        let why = [
            (&self.outside, "an angle outside the circle (-180 to 360 degrees)"),
            (&self.twice, "a trial that stood before"),
            (&self.without_target, "no target"),
            (&self.broken, "a status other than done or missed"),
        ];
        let flagged = (self.flagged > 0).then(|| {
            format!(
                "{file}: {} used that the task flagged (dropped frames, times): see its column flags",
                rows(self.flagged)
            )
        });
        why.into_iter()
            .filter(|(lines, _)| !lines.is_empty())
            .map(|(lines, why)| {
                let first: Vec<String> = lines.iter().take(5).map(u64::to_string).collect();
                let more = if lines.len() > 5 { ", ..." } else { "" };
                format!("{file}: {} left out, {why}: line {}{more}", rows(lines.len()), first.join(", "))
            })
            .chain(flagged)
            .collect()
    }
}

fn rows(count: usize) -> String {
    if count == 1 { "1 row".into() } else { format!("{count} rows") }
}

/// One row, its angles as written.
#[derive(Clone, Debug, Default)]
struct Row {
    line: u64,
    names: [String; 3],
    target: Option<f64>,
    response: Option<f64>,
    nontargets: Vec<f64>,
    rt_s: Option<f64>,
    status: Option<String>,
    flagged: bool,
    /// Session, block and trial as written.
    place: [Option<String>; 3],
    text: String,
}

impl Row {
    /// What tells a trial from every other. By its number where the table numbers trials; else by all that it says,
    /// which only tells where there is a response time or an angle with decimals: whole degrees repeat by chance.
    fn identity(&self, columns: &Columns) -> String {
        let names = self.names.join("\u{1}");
        let [session, block, trial] = &self.place;
        if let Some(trial) = trial {
            let part = |p: &Option<String>| p.clone().unwrap_or_default();
            return format!("{names}\u{1}{}\u{1}{}\u{1}{trial}", part(session), part(block));
        }
        let fractional = [self.target, self.response].iter().flatten().any(|v| v.fract() != 0.0);
        let telling = self.rt_s.is_some() || (fractional && self.response.is_some());
        if telling { self.text.clone() } else { format!("{}\u{1}{}", columns.file, self.line) }
    }
}

/// Where everything stands in one table.
struct Columns {
    file: String,
    /// By our names.
    at: HashMap<&'static str, usize>,
    constants: HashMap<&'static str, String>,
    nontargets: Vec<usize>,
}

impl Columns {
    fn find(table: &Table, file: &str, layout: &Layout) -> Result<Self, String> {
        let given = |list: &[(String, String)], ours: &str| {
            list.iter().find(|(name, _)| name == ours).map(|(_, theirs)| theirs.clone())
        };
        let bids = bids_entities(file);
        let mut columns = Self {
            file: file.to_owned(),
            at: HashMap::new(),
            constants: HashMap::new(),
            nontargets: Vec::new(),
        };
        let mut missing = Vec::new();
        for ours in NEEDED.into_iter().chain(OPTIONAL) {
            if let Some(value) = given(&layout.constants, ours) {
                columns.constants.insert(ours, value);
                continue;
            }
            let theirs = given(&layout.columns, ours);
            let stands = match &theirs {
                Some(theirs) => Some(table.column(theirs).ok_or_else(|| {
                    format!("no column `{theirs}` for {ours}; there are {}", table.columns.join(", "))
                })?),
                None => {
                    std::iter::once(ours).chain(aliases(ours).iter().copied()).find_map(|n| table.column(n))
                }
            };
            match (stands, bids.get(ours)) {
                (Some(at), _) => drop(columns.at.insert(ours, at)),
                (None, Some(value)) => drop(columns.constants.insert(ours, value.clone())),
                (None, None) if NEEDED.contains(&ours) => missing.push(ours),
                (None, None) => {}
            }
        }
        if !missing.is_empty() {
            return Err(format!(
                "no column {}; there are {}. Name one with --column {}=NAME, or a value for every row with \
                 --constant {}=VALUE",
                missing.join(", "),
                table.columns.join(", "),
                missing.first().unwrap_or(&""),
                missing.first().unwrap_or(&"")
            ));
        }
        let stem = given(&layout.columns, "nontarget");
        columns.nontargets = (0..table.columns.len())
            .filter(|at| table.columns.get(*at).is_some_and(|name| is_nontarget(name, stem.as_deref())))
            .collect();
        if let Some(stem) = stem.filter(|_| columns.nontargets.is_empty()) {
            return Err(format!("no column begins with `{stem}`; there are {}", table.columns.join(", ")));
        }
        Ok(columns)
    }

    fn rows(&self, table: &Table, layout: &Layout) -> Result<Vec<Row>, String> {
        let mut rows = Vec::with_capacity(table.rows.len());
        for (line, cells) in &table.rows {
            let text = |ours: &str| -> Option<&str> {
                let stands = self.at.get(ours).and_then(|at| cells.get(*at)).map(String::as_str);
                stands.or_else(|| self.constants.get(ours).map(String::as_str))
            };
            let given = |ours: &str| text(ours).filter(|cell| !cell.is_empty()).map(str::to_owned);
            let number = |what: &str, cell: Option<&str>| -> Result<Option<f64>, String> {
                let Some(cell) = cell else { return Ok(None) };
                match cell.parse::<f64>() {
                    Ok(value) if value.is_finite() => Ok(Some(value)),
                    _ => Err(format!("line {line}: {what} `{cell}` is no number")),
                }
            };
            let name = |ours: &str| text(ours).unwrap_or_default().to_owned();
            let mut nontargets = Vec::new();
            for at in &self.nontargets {
                nontargets.extend(number("non-target", cells.get(*at).map(String::as_str).and_then(known))?);
            }
            let block = text("block").and_then(|block| layout.conditions.get(block));
            let condition = Some(name("condition")).filter(|c| !c.is_empty()).or_else(|| block.cloned());
            rows.push(Row {
                line: *line,
                names: [name("participant"), condition.unwrap_or_default(), name("load")],
                target: number("target_deg", text("target_deg").and_then(known))?,
                response: number("response_deg", text("response_deg").and_then(known))?,
                nontargets,
                rt_s: number("rt_s", text("rt_s").and_then(known))?,
                status: given("status"),
                flagged: text("flags").and_then(known).is_some(),
                place: ["session", "block", "trial"].map(given),
                text: cells.join("\u{1}"),
            });
        }
        Ok(rows)
    }

    /// Degrees for an angle as written, after a look whether they can be degrees.
    fn scale(&self, rows: &[Row], layout: &Layout) -> Result<Scale, String> {
        if layout.radians.is_none() {
            let column = |of: fn(&Row) -> Option<f64>| rows.iter().filter_map(of).collect::<Vec<f64>>();
            for (what, values) in
                [("target_deg", column(|r| r.target)), ("response_deg", column(|r| r.response))]
            {
                let largest = values.iter().fold(0.0, |most: f64, v| most.max(v.abs()));
                let whole = values.iter().all(|v| v.fract() == 0.0);
                if values.len() >= 3
                    && largest <= TAU + 1e-6
                    && largest > 0.0
                    && (!whole || values.len() >= 20)
                {
                    return Err(format!(
                        "{what}: all {} values lie within {largest:.4} of zero, as radians do; say --unit radians, \
                         or --unit degrees if they are degrees all the same",
                        values.len()
                    ));
                }
            }
        }
        Ok(Scale { radians: layout.radians == Some(true), half_circle: layout.half_circle })
    }
}

/// From an angle as written to degrees on the whole circle.
#[derive(Clone, Copy)]
struct Scale {
    radians: bool,
    half_circle: bool,
}

impl Scale {
    /// `None` outside the circle, which runs from -180 to 360 degrees: both ways of writing it are in use.
    fn degrees(self, written: f64) -> Option<f64> {
        let deg = if self.radians { written.to_degrees() } else { written };
        let (least, most) = if self.half_circle { (-90.0, 180.0) } else { (-180.0, 360.0) };
        // Radians are printed to some digits: pi as 3.142 is 180.02 degrees.
        let slack = if self.radians { 0.06 } else { 1e-6 };
        let inside = deg >= least - slack && deg <= most + slack;
        inside.then_some(if self.half_circle { 2.0 * deg } else { deg })
    }
}

/// Names in use elsewhere for the same thing.
fn aliases(ours: &str) -> &'static [&'static str] {
    match ours {
        "participant" => &["participant_id", "subject"],
        "condition" => &["trial_type"],
        "load" => &["set_size"],
        "rt_s" => &["response_time"],
        "trial" => &["trial_number", "trial_index"],
        _ => &[],
    }
}

/// `nontarget1_deg`, `non_target_1`, ... or whatever begins with `stem`.
fn is_nontarget(name: &str, stem: Option<&str>) -> bool {
    let numbered = |rest: &str| {
        let digits = rest.strip_suffix("_deg").unwrap_or(rest);
        let digits = digits.strip_prefix('_').unwrap_or(digits);
        !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit())
    };
    match stem {
        Some(stem) => name.starts_with(stem),
        None => ["nontarget", "non_target"].iter().any(|s| name.strip_prefix(s).is_some_and(numbered)),
    }
}

/// What a BIDS file's name says: `sub-` is the participant, `ses-` the session.
fn bids_entities(file: &str) -> HashMap<&'static str, String> {
    let mut found = HashMap::new();
    if file.ends_with("_beh.tsv") {
        for part in file.split('_') {
            for (key, ours) in [("sub-", "participant"), ("ses-", "session")] {
                if let Some(value) = part.strip_prefix(key) {
                    found.insert(ours, value.to_owned());
                }
            }
        }
    }
    found
}

#[cfg(test)]
#[path = "read_tests.rs"]
mod tests;
