//! `boot-md`: what `BOOT.md` says is done when the daemon starts.
//!
//! The home's file is the owner's own. A workspace's may be anyone's: it is left alone unless its
//! bytes are those that the owner trusted (`moltis hooks enable boot-md` in that workspace). The
//! invariant: the bytes that were compared are the bytes that are given on.

use std::io::{self, Read};
use std::path::{Path, PathBuf};

use moltis_core::event::Origin;
use sha2::{Digest, Sha256};
use tokio::task::spawn_blocking;

use super::BuiltIns;
use crate::digest::plain_file;

/// The largest `BOOT.md`, in bytes.
const MAX_BYTES: u64 = 64 * 1024;

/// Where it is looked for.
pub(crate) fn boot_file(dir: &Path) -> PathBuf {
    dir.join("BOOT.md")
}

/// The hash of such a file's content.
///
/// # Errors
/// Why it can't be read.
pub(crate) fn hash(path: &Path) -> Result<String, String> {
    match read(path) {
        Ok(Some(bytes)) => Ok(hash_of(&bytes)),
        Ok(None) => Err(format!("there is no `{}`", path.display())),
        Err(error) => Err(format!("can't read `{}`: {error}", path.display())),
    }
}

fn hash_of(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(super) async fn call(
    built_ins: &BuiltIns,
    workspace: Option<&Path>,
    trusted: Option<&str>,
) -> Result<(), String> {
    let Some(boot) = &built_ins.boot else { return Ok(()) };
    let home = boot_file(&built_ins.data_dir);
    let there = workspace.map(boot_file);
    let trusted = trusted.map(str::to_owned);
    let texts = spawn_blocking(move || texts(&home, there.as_deref(), trusted.as_deref()))
        .await
        .map_err(|error| error.to_string())??;
    for (text, from) in texts {
        boot.boot(text, from).await.map_err(|error| error.to_string())?;
    }
    Ok(())
}

fn texts(
    home: &Path,
    workspace: Option<&Path>,
    trusted: Option<&str>,
) -> Result<Vec<(String, Origin)>, String> {
    let mut texts = Vec::new();
    for (path, from) in [(Some(home), Origin::Config), (workspace, Origin::Workspace)] {
        let Some(path) = path else { continue };
        let bytes = read(path).map_err(|error| format!("`{}`: {error}", path.display()))?;
        let Some(bytes) = bytes else { continue };
        if from == Origin::Workspace && trusted != Some(hash_of(&bytes).as_str()) {
            tracing::info!(path = %path.display(), "a workspace's BOOT.md is not trusted");
            continue;
        }
        let text =
            String::from_utf8(bytes).map_err(|_| format!("`{}` is not UTF-8", path.display()))?;
        if !text.trim().is_empty() {
            texts.push((text, from));
        }
    }
    Ok(texts)
}

fn read(path: &Path) -> io::Result<Option<Vec<u8>>> {
    let file = match plain_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file?,
    };
    let mut bytes = Vec::new();
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(io::Error::other(format!("it is larger than {} KiB", MAX_BYTES / 1024)));
    }
    Ok(Some(bytes))
}
