//! A disk that stalls, or is full, on command: `disk.c` between a program and its C library.

use std::{
    io::{Error, Result},
    path::{Path, PathBuf},
    process::Command,
};

/// The shim, and the word that it goes by.
pub struct Disk {
    library: PathBuf,
    word: PathBuf,
}

impl Disk {
    /// Compiles the shim into `folder`.
    ///
    /// # Errors
    /// There is no C compiler, which the build of liblsl needs as well.
    pub fn new(folder: &Path) -> Result<Self> {
        let disk = Self { library: folder.join("disk.so"), word: folder.join("disk-word") };
        let source = crate::root().join("tests/support/disk.c");
        let output = Command::new("cc")
            .args(["-shared", "-fPIC", "-O1", "-o"])
            .arg(&disk.library)
            .arg(source)
            .arg("-ldl")
            .output()?;
        if output.status.success() {
            Ok(disk)
        } else {
            Err(Error::other(String::from_utf8_lossy(&output.stderr).into_owned()))
        }
    }

    /// What a program needs in its environment to have this disk.
    pub fn environment(&self) -> [(&'static str, &Path); 2] {
        [("LD_PRELOAD", &self.library), ("TRAS_DISK", &self.word)]
    }

    /// From now on nothing is written.
    ///
    /// # Errors
    /// The word cannot be written.
    pub fn stall(&self) -> Result<()> {
        std::fs::write(&self.word, "stall")
    }

    /// From now on everything is written, and who asks whether it is safe waits.
    ///
    /// # Errors
    /// As [`Disk::stall`].
    pub fn delay(&self) -> Result<()> {
        std::fs::write(&self.word, "late")
    }

    /// From now on there is no space.
    ///
    /// # Errors
    /// As [`Disk::stall`].
    pub fn fill(&self) -> Result<()> {
        std::fs::write(&self.word, "full")
    }

    /// All is well again.
    ///
    /// # Errors
    /// As [`Disk::stall`].
    pub fn mend(&self) -> Result<()> {
        std::fs::write(&self.word, "")
    }
}
