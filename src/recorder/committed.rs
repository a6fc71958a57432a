//! A file that is whole at every moment, however the process dies.
//!
//! Bytes gather in memory until [`CommittedFile::flush`]. Then all but the first of them go into the file
//! behind its end, and the first byte last: until it is there the file ends with a 0, which no XDF chunk
//! begins with, so a reader stops cleanly at what was committed before. Without this a process killed inside a
//! `write` (Linux stops a large one at a page) leaves half a chunk, over which pyxdf 1.17 stumbles.

use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::Output;
use crate::session::private;

/// Bytes that may wait for a disk that refuses them: some 10 min of 16 channels. More are refused.
const MAX_PENDING: usize = 64 << 20;
/// Recordings of one name in a folder.
const MAX_COUNTER: u32 = 10_000;

/// See the module.
#[derive(Debug)]
pub struct CommittedFile {
    file: File,
    pending: Vec<u8>,
    committed: u64,
    max_pending: usize,
}

impl CommittedFile {
    /// Creates `stem.xdf` in `folder` (which is created too), or `stem-2.xdf`, `stem-3.xdf`, ... where that
    /// exists: nothing is ever overwritten.
    ///
    /// # Errors
    /// Where the folder or the file cannot be created.
    pub fn create(folder: &Path, stem: &str) -> io::Result<(Self, PathBuf)> {
        if stem.is_empty() || stem.contains(['/', '\\', '\0']) || stem.starts_with('.') {
            let what = format!("{stem:?} is no file name: it must not be empty, hidden or hold a slash");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, what));
        }
        private::create_folder(folder)?;
        for counter in 1..=MAX_COUNTER {
            let name = if counter == 1 { format!("{stem}.xdf") } else { format!("{stem}-{counter}.xdf") };
            let path = folder.join(name);
            match private::options().write(true).create_new(true).open(&path) {
                Ok(file) => return Ok((Self::new(file), path)),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
        let what = format!("{MAX_COUNTER} recordings named {stem:?} exist already; choose another name");
        Err(io::Error::new(io::ErrorKind::AlreadyExists, what))
    }

    /// On an empty file.
    #[must_use]
    pub fn new(file: File) -> Self {
        Self { file, pending: Vec::new(), committed: 0, max_pending: MAX_PENDING }
    }

    /// Bytes in the file.
    #[must_use]
    pub fn committed(&self) -> u64 {
        self.committed
    }

    /// Whether the file still stands at `path`: one that was taken away takes every byte without complaint.
    ///
    /// # Errors
    /// It is gone, or another file stands there.
    #[cfg(unix)]
    pub fn stands_at(&self, path: &Path) -> io::Result<()> {
        use std::os::unix::fs::MetadataExt;
        let gone = |what: String| Err(io::Error::new(io::ErrorKind::NotFound, what));
        let (ours, there) = (self.file.metadata()?, std::fs::metadata(path));
        match there {
            Ok(there) if (there.dev(), there.ino()) == (ours.dev(), ours.ino()) => Ok(()),
            Ok(_) => gone("another file stands in its place".to_owned()),
            Err(error) => gone(format!("the file or its folder was taken away ({error})")),
        }
    }

    /// Whether the file still stands at `path`.
    ///
    /// # Errors
    /// None here.
    #[cfg(not(unix))]
    pub fn stands_at(&self, _path: &Path) -> io::Result<()> {
        Ok(())
    }

    fn commit(&mut self) -> io::Result<()> {
        let Some((first, rest)) = self.pending.split_first() else { return Ok(()) };
        self.file.seek(SeekFrom::Start(self.committed + 1))?;
        self.file.write_all(rest)?;
        self.file.seek(SeekFrom::Start(self.committed))?;
        self.file.write_all(&[*first])
    }
}

impl Write for CommittedFile {
    /// Takes all or nothing.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.pending.len() + bytes.len() > self.max_pending {
            let what = format!("{} bytes wait for the disk already", self.pending.len());
            return Err(io::Error::new(io::ErrorKind::StorageFull, what));
        }
        self.pending.extend(bytes);
        Ok(bytes.len())
    }

    /// Commits. After an error everything still waits, and the file holds what was committed before.
    fn flush(&mut self) -> io::Result<()> {
        match self.commit() {
            Ok(()) => {
                self.committed += self.pending.len() as u64;
                self.pending.clear();
                // Not more than a second of data is kept for the next time.
                self.pending.shrink_to(1 << 20);
                Ok(())
            }
            Err(error) => {
                // What got into the file is taken out again; should that fail too, it begins with a 0.
                let _ = self.file.set_len(self.committed);
                Err(error)
            }
        }
    }
}

impl Output for CommittedFile {
    fn handle(&self) -> io::Result<File> {
        self.file.try_clone()
    }
}

impl Drop for CommittedFile {
    fn drop(&mut self) {
        // A last attempt: who drops without closing has had an error already.
        let _ = self.flush();
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]
    use super::*;
    use std::fs::OpenOptions;

    #[test]
    fn nothing_is_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let names: Vec<String> = (0..3)
            .map(|_| CommittedFile::create(&folder.path().join("a/b"), "s").unwrap().1)
            .map(|path| path.file_name().unwrap().to_string_lossy().into_owned())
            .collect();
        assert_eq!(names, ["s.xdf", "s-2.xdf", "s-3.xdf"]);
        for bad in ["", "../s", ".s", "a/b"] {
            assert!(CommittedFile::create(folder.path(), bad).is_err(), "{bad:?}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_file_that_was_taken_away_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let (file, path) = CommittedFile::create(&folder.path().join("a"), "s").unwrap();
        file.stands_at(&path).unwrap();
        std::fs::rename(&path, folder.path().join("elsewhere")).unwrap();
        assert!(file.stands_at(&path).unwrap_err().to_string().contains("taken away"));
        std::fs::write(&path, b"").unwrap();
        assert!(file.stands_at(&path).unwrap_err().to_string().contains("another file"));
    }

    #[test]
    fn bytes_are_there_after_a_flush_and_not_before() {
        let folder = tempfile::tempdir().unwrap();
        let (mut file, path) = CommittedFile::create(folder.path(), "s").unwrap();
        file.write_all(b"one").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"");
        file.flush().unwrap();
        file.write_all(b"two").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"one");
        drop(file);
        assert_eq!(std::fs::read(&path).unwrap(), b"onetwo");
    }

    #[test]
    fn a_disk_that_refuses_leaves_what_was_committed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s.xdf");
        std::fs::write(&path, b"").unwrap();
        // Open for reading only: every write is refused, as by a full disk.
        let mut file = CommittedFile::new(File::open(&path).unwrap());
        file.max_pending = 8;
        file.write_all(b"12345").unwrap();
        assert!(file.flush().is_err());
        assert!(file.write_all(b"6789").is_err(), "beyond what may wait");
        file.write_all(b"678").unwrap();
        file.file = OpenOptions::new().write(true).open(&path).unwrap();
        file.flush().unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"12345678");
    }
}
