//! Digests of files, off the reactor.

use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use moltis_core::{Code, Error, Result};
use sha2::{Digest, Sha256};

use super::steps::Progress;
use super::{blocking, storage};

const PIECE: usize = 1 << 20;

/// The SHA-256 of a file in hexadecimal.
pub(super) async fn of(path: &Path, bytes: u64, progress: &Progress) -> Result<String> {
    let path = path.to_owned();
    let progress = progress.clone();
    blocking(move || read(&path, bytes, &progress)).await?
}

fn read(path: &PathBuf, bytes: u64, progress: &Progress) -> Result<String> {
    let mut file = File::open(path).map_err(|error| storage("read the download", &error))?;
    copy(&mut file, &mut std::io::sink(), "verifying", bytes, progress)
}

/// Copies everything and gives its SHA-256. At most `bytes` are copied; more is an error.
pub(super) fn copy(
    from: &mut impl Read,
    to: &mut impl Write,
    phase: &str,
    bytes: u64,
    progress: &Progress,
) -> Result<String> {
    let mut hasher = Sha256::new();
    let mut piece = vec![0; PIECE];
    let mut done = 0;
    loop {
        if progress.is_abandoned() {
            return Err(Error::new(Code::Unavailable, "the pull was stopped"));
        }
        progress.report(phase, done, bytes);
        let length = from.read(&mut piece).map_err(|error| storage("read the model", &error))?;
        if length == 0 {
            return Ok(hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect());
        }
        done += length as u64;
        if done > bytes {
            return Err(Error::new(Code::Invalid, "the model is larger than it should be"));
        }
        hasher.update(&piece[..length]);
        to.write_all(&piece[..length]).map_err(|error| storage("write the model", &error))?;
    }
}
