//! One daemon for a data directory: an exclusive lock for as long as anything of it is in use.
//!
//! The kernel drops the lock with the process, however that ends; the pid in the file is for
//! people only. The file itself is never removed: a lock on a removed file would be worth nothing.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::sync::Arc;

use rustix::fs::OFlags;

use crate::error::Error;

/// Holds the data directory until its last clone is dropped.
#[derive(Clone, Debug)]
pub struct Lock {
    _file: Arc<File>,
}

impl Lock {
    /// Takes the lock of a data directory, or says who has it.
    pub(crate) fn take(path: &Path, data_dir: &Path) -> Result<Self, Error> {
        let mut file = open(path)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let data_dir = data_dir.to_owned();
                return Err(Error::Held { data_dir, pid: pid_in(&mut file) });
            }
            Err(TryLockError::Error(source)) => return Err(Error::io("lock", path)(source)),
        }
        note_pid(&mut file).map_err(Error::io("write to", path))?;
        Ok(Self { _file: Arc::new(file) })
    }
}

fn open(path: &Path) -> Result<File, Error> {
    let no_follow = i32::try_from(OFlags::NOFOLLOW.bits()).unwrap_or_default();
    let opened = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .custom_flags(no_follow)
        .open(path);
    let file = opened.map_err(Error::io("open", path))?;
    let metadata = file.metadata().map_err(Error::io("examine", path))?;
    if !metadata.is_file() || metadata.uid() != rustix::process::geteuid().as_raw() {
        return Err(Error::not_safe(path, "it is not a file of this user"));
    }
    Ok(file)
}

fn note_pid(file: &mut File) -> std::io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    writeln!(file, "{}", std::process::id())
}

fn pid_in(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.take(32).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}
