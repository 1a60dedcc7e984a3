//! The log file: appended to, and moved aside when it has grown too large.
//!
//! `moltisd.log` is the present one, `moltisd.log.1` the one before it, and so on. Writing is
//! synchronous, so that the last line before a crash is there. An error of the disk loses lines and
//! nothing else: a daemon that can't log goes on, and tries again with the next line.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// Bytes at which a file is moved aside.
const FULL: u64 = 5 * 1024 * 1024;

/// Older files that are kept.
const KEPT: u32 = 5;

/// The present file.
pub(crate) struct LogFile {
    path: PathBuf,
    /// None after an error, until it could be opened again.
    file: Option<File>,
    size: u64,
    full: u64,
}

impl LogFile {
    /// Opens or makes `<folder>/moltisd.log`, readable by its owner only.
    pub(crate) fn open(folder: &Path) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        let mut log = Self { path: folder.join("moltisd.log"), file: None, size: 0, full: FULL };
        log.reopen()?;
        Ok(log)
    }

    /// Appends a line.
    ///
    /// # Errors
    /// The line is lost; the next one is tried anew.
    pub(crate) fn line(&mut self, text: &str) -> io::Result<()> {
        if self.size >= self.full {
            self.turn_over();
        }
        let written = self.reopen()?.write_all(text.as_bytes());
        match written {
            Ok(()) => self.size += text.len() as u64,
            Err(_) => self.file = None,
        }
        written
    }

    /// The open file: as a rule the one that is open already.
    fn reopen(&mut self) -> io::Result<&mut File> {
        let file = match self.file.take() {
            Some(file) => file,
            None => {
                let file = append(&self.path)?;
                self.size = file.metadata()?.len();
                file
            }
        };
        Ok(self.file.insert(file))
    }

    fn turn_over(&mut self) {
        for number in (1..KEPT).rev() {
            // A number that is not there yet is nothing to move.
            let _ = std::fs::rename(self.numbered(number), self.numbered(number + 1));
        }
        match std::fs::rename(&self.path, self.numbered(1)) {
            Ok(()) => self.file = None,
            // It goes on growing; the next attempt comes when as much again was written.
            Err(_) => self.size = 0,
        }
    }

    fn numbered(&self, number: u32) -> PathBuf {
        self.path.with_extension(format!("log.{number}"))
    }
}

fn append(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).mode(0o600).open(path)
}

#[cfg(test)]
#[path = "file_tests.rs"]
mod tests;
