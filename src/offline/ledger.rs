//! Remembers which recordings are done, so that a run that was ended goes on where it was, and a longer list of
//! recordings does only the new ones.
//!
//! While a run lasts, `OUT.parts/` holds the finished rows of each recording; a part appears under its name only
//! when it is whole. At the end the parts become the table, in the order of the command line, in one rename; the parts
//! go, and `OUT.done` says which bytes of the table are whose. A recording is known by its path, size, time of
//! change, the settings and this program's version: if any of them changes it is done again.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// A line of `OUT.done`.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Done {
    key: String,
    file: String,
    bytes: u64,
}

/// The parts of one table.
#[derive(Debug)]
pub struct Ledger {
    out: Option<PathBuf>,
    parts: PathBuf,
    header: Vec<u8>,
    remembers: bool,
    /// Offset and length in the table that is already there.
    earlier: HashMap<String, (u64, u64)>,
}

impl Ledger {
    /// For the table `out` (standard output where it is `None`) with this header line. It looks for what an earlier
    /// run has done only where it `remembers`.
    ///
    /// # Errors
    /// Where the folder of the parts cannot be made.
    pub fn open(out: Option<&Path>, header: Vec<u8>, remembers: bool) -> Result<Self, String> {
        let parts = match out {
            Some(out) => beside(out, ".parts"),
            None => std::env::temp_dir().join(format!("tras-estimate-{}.parts", std::process::id())),
        };
        fs::create_dir(&parts)
            .or_else(|e| if parts.is_dir() { Ok(()) } else { Err(e) })
            .map_err(|e| format!("--out {}: cannot be written: {e}", out.unwrap_or(&parts).display()))?;
        let mut ledger =
            Self { out: out.map(Path::to_owned), parts, header, remembers, earlier: HashMap::new() };
        if remembers && let Some(out) = out {
            ledger.earlier = ledger.read_done(out).unwrap_or_default();
        }
        Ok(ledger)
    }

    /// What the table that is already there holds; `None` where there is none, or it is not as it was left.
    fn read_done(&self, out: &Path) -> Option<HashMap<String, (u64, u64)>> {
        let mut found = HashMap::new();
        let mut offset = self.header.len() as u64;
        for line in fs::read_to_string(beside(out, ".done")).ok()?.lines() {
            let done: Done = serde_json::from_str(line).ok()?;
            found.insert(done.key, (offset, done.bytes));
            offset = offset.checked_add(done.bytes)?;
        }
        let mut table = File::open(out).ok()?;
        let mut header = vec![0; self.header.len()];
        table.read_exact(&mut header).ok()?;
        (header == self.header && table.metadata().ok()?.len() == offset).then_some(found)
    }

    /// What `file` is known by under `settings`.
    ///
    /// # Errors
    /// Where the file's size and time cannot be read.
    pub fn key(file: &Path, settings: &str) -> io::Result<String> {
        let metadata = fs::metadata(file)?;
        let changed = metadata.modified().ok().and_then(|at| at.duration_since(std::time::UNIX_EPOCH).ok());
        let place = fs::canonicalize(file)?;
        let text = format!(
            "{}\0{}\0{}\0{changed:?}\0{settings}",
            env!("CARGO_PKG_VERSION"),
            place.display(),
            metadata.len()
        );
        // FNV-1a of 64 bits, twice with different starts: names only have to differ, nobody attacks them.
        let hash = |start: u64| {
            text.bytes().fold(start, |h, byte| (h ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
        };
        Ok(format!("{:016x}{:016x}", hash(0xcbf2_9ce4_8422_2325), hash(0x9e37_79b9_7f4a_7c15)))
    }

    /// Whether the rows of `key` are there already.
    #[must_use]
    pub fn has(&self, key: &str) -> bool {
        self.remembers && (self.earlier.contains_key(key) || self.part(key).is_file())
    }

    /// Where the rows of `key` are written before they are whole.
    #[must_use]
    pub fn draft(&self, key: &str) -> PathBuf {
        self.parts.join(format!("{key}.tmp"))
    }

    /// The draft of `key` is whole.
    ///
    /// # Errors
    /// Where it cannot be renamed.
    pub fn finish(&self, key: &str) -> io::Result<()> {
        fs::rename(self.draft(key), self.part(key))
    }

    fn part(&self, key: &str) -> PathBuf {
        self.parts.join(format!("{key}.csv"))
    }

    /// Makes the table of the recordings `done` (key and name), in their order.
    ///
    /// # Errors
    /// Where a file cannot be read or written.
    pub fn assemble(&self, done: &[(String, String)]) -> io::Result<()> {
        let Some(out) = &self.out else {
            let mut table = BufWriter::new(io::stdout().lock());
            self.copy_all(done, &mut table)?;
            table.flush()?;
            return self.discard();
        };
        let draft = beside(out, ".tmp");
        let mut table = BufWriter::new(File::create(&draft)?);
        let entries = self.copy_all(done, &mut table)?;
        table.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
        fs::rename(&draft, out)?;
        if self.remembers {
            let mut text = String::new();
            for entry in entries {
                text += &serde_json::to_string(&entry)?;
                text.push('\n');
            }
            let draft = beside(out, ".done.tmp");
            fs::write(&draft, text)?;
            fs::rename(&draft, beside(out, ".done"))?;
        }
        self.discard()
    }

    fn copy_all(&self, done: &[(String, String)], table: &mut impl Write) -> io::Result<Vec<Done>> {
        table.write_all(&self.header)?;
        let mut earlier = self.out.as_ref().and_then(|out| File::open(out).ok());
        let mut entries = Vec::with_capacity(done.len());
        for (key, file) in done {
            let part = self.part(key);
            let bytes = match (self.earlier.get(key), &mut earlier) {
                (Some(&(offset, bytes)), Some(earlier)) if !part.is_file() => {
                    earlier.seek(SeekFrom::Start(offset))?;
                    io::copy(&mut earlier.take(bytes), table)?
                }
                _ => io::copy(&mut File::open(part)?, table)?,
            };
            entries.push(Done { key: key.clone(), file: file.clone(), bytes });
        }
        Ok(entries)
    }

    /// Takes the parts away.
    ///
    /// # Errors
    /// Where the folder cannot be removed.
    pub fn discard(&self) -> io::Result<()> {
        fs::remove_dir_all(&self.parts)
    }
}

fn beside(out: &Path, ending: &str) -> PathBuf {
    let mut name = out.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}
