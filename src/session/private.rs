//! Files and folders that nobody but their owner may read: 0600 and 0700.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

/// Options that create a file for its owner alone; set how it is opened.
#[must_use]
pub fn options() -> OpenOptions {
    #[allow(unused_mut, reason = "only Unix has modes")]
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// Makes a folder, and those above it that are not there, for its owner alone. One that is there stays as it is.
///
/// # Errors
/// It cannot be made.
pub fn create_folder(folder: &Path) -> io::Result<()> {
    folder_builder().recursive(true).create(folder)
}

/// Makes a folder that must not be there yet.
///
/// # Errors
/// It is there, or cannot be made.
pub fn create_new_folder(folder: &Path) -> io::Result<()> {
    folder_builder().create(folder)
}

fn folder_builder() -> DirBuilder {
    #[allow(unused_mut, reason = "only Unix has modes")]
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder
}

/// Opens a file for appending; makes it where it is not there.
///
/// # Errors
/// It cannot be opened or made.
pub fn append(path: &Path) -> io::Result<File> {
    options().append(true).create(true).open(path)
}

/// Writes a file that must not be there yet, and brings it to the disk.
///
/// # Errors
/// It is there already, or cannot be written.
pub fn write_new(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = options().write(true).create_new(true).open(path)?;
    file.write_all(content)?;
    file.sync_all()
}

/// Writes a file in one step: whoever reads it sees the old content or the new, never half of it.
///
/// # Errors
/// It cannot be written.
pub fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut name = path.as_os_str().to_owned();
    name.push(".tmp");
    let draft = Path::new(&name);
    let mut file = options().write(true).create(true).truncate(true).open(draft)?;
    file.write_all(content)?;
    file.sync_all()?;
    std::fs::rename(draft, path)
}

#[cfg(all(test, unix))]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn is_for_its_owner_alone() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("a/b");
        create_folder(&folder).unwrap();
        append(&folder.join("log")).unwrap();
        write_new(&folder.join("key"), b"k").unwrap();
        replace(&folder.join("head"), b"1").unwrap();
        replace(&folder.join("head"), b"2").unwrap();
        let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
        for name in ["log", "key", "head"] {
            assert_eq!(mode(&folder.join(name)), 0o600, "{name}");
        }
        assert_eq!((mode(&folder), mode(&dir.path().join("a"))), (0o700, 0o700));
        assert_eq!(std::fs::read(folder.join("head")).unwrap(), b"2");
        assert!(write_new(&folder.join("key"), b"other").is_err(), "never overwritten");
        assert!(create_new_folder(&folder).is_err());
    }
}
