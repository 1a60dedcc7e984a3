//! What a workspace was like, and back again.
//!
//! Snapshots of workspaces in a store of contents by their hash: what a turn changed, by whichever
//! means, is shown and undone. It is no version control: it knows no history but the session's own,
//! and never looks at `.git`. The invariants: undoing never touches what was changed since, nothing
//! outside of a workspace is read or written, and all of it happens off the reactor.

mod compare;
mod diff;
pub mod manifest;
mod root;
mod rules;
mod skipped;
mod spot;
mod store;
mod sweep;
mod undo;
mod walk;

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use moltis_core::checkpoint::{Checkpoints, Snapshot, Undone};
use moltis_core::event::FileChange;
use moltis_core::{Code, Error, Result, SessionId};
use tokio::sync::RwLock;
use tokio::task::spawn_blocking;
use tokio_util::sync::CancellationToken;

use crate::manifest::Manifest;
use crate::root::Root;
use crate::rules::Rules;
use crate::store::{Name, Store};
use crate::undo::Undo;
use crate::walk::{Limits, Walk};

/// Checkpoints in a folder.
pub struct Checkpointer {
    keeper: Arc<Keeper>,
    /// Held by many that read and add, or by one that removes or undoes.
    gate: Arc<RwLock<()>>,
    /// What an earlier run left over was removed.
    is_swept: AtomicBool,
}

/// What does the work; it blocks.
struct Keeper {
    store: Store,
    limits: Limits,
    /// Bytes that the folder may hold.
    most: u64,
}

impl Checkpointer {
    /// Opens the folder, and makes it where there is none. It may grow to about `max_bytes`: then
    /// the oldest snapshots go. The folder that it is in, the daemon's own, is in no snapshot.
    ///
    /// # Errors
    /// [`Code::Storage`] where the folder can't be made.
    pub fn open(folder: &Path, max_bytes: u64) -> Result<Self> {
        let usual = Limits::USUAL;
        // So that a turn's two snapshots always fit.
        let limits = Limits { bytes: usual.bytes.min(max_bytes / 4), ..usual };
        let keeper = Keeper { store: Store::open(folder)?, limits, most: max_bytes };
        Ok(Self { keeper: Arc::new(keeper), gate: Arc::default(), is_swept: AtomicBool::default() })
    }

    /// Reads or adds, at the same time as others do.
    async fn shared<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Keeper) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        // The work holds the gate, not this future, which may be dropped before it ends.
        let gate = Arc::clone(&self.gate).read_owned().await;
        let keeper = Arc::clone(&self.keeper);
        finished(
            spawn_blocking(move || {
                let _gate = gate;
                work(&keeper)
            })
            .await,
        )
    }

    /// Removes or undoes, alone.
    async fn alone<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Keeper) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let gate = Arc::clone(&self.gate).write_owned().await;
        let keeper = Arc::clone(&self.keeper);
        finished(
            spawn_blocking(move || {
                let _gate = gate;
                work(&keeper)
            })
            .await,
        )
    }

    /// Removes what nobody needs, and the oldest if it is still too much.
    async fn sweep(&self, keep: Option<Name>) -> Result<()> {
        self.alone(move |keeper| {
            let is_full = keeper.store.used.load(Relaxed) > keeper.most;
            // Some room is made at once, so that not each snapshot pays for a look at everything.
            let most = if is_full { keeper.most / 10 * 9 } else { keeper.most };
            keeper.store.sweep(most, keep.as_ref());
            Ok(())
        })
        .await
    }
}

fn finished<T>(done: Result<Result<T>, tokio::task::JoinError>) -> Result<T> {
    done.unwrap_or_else(|error| Err(Error::new(Code::Internal, format!("a checkpoint: {error}"))))
}

#[async_trait]
impl Checkpoints for Checkpointer {
    async fn take(&self, session: &SessionId, workspace: &Path) -> Result<Snapshot> {
        if !self.is_swept.swap(true, Relaxed) {
            self.sweep(None).await?;
        }
        let stop = CancellationToken::new();
        let _stop_when_dropped = stop.clone().drop_guard();
        let (session, workspace) = (session.clone(), workspace.to_owned());
        let taken = self.shared(move |keeper| keeper.take(&session, &workspace, &stop)).await;
        match taken {
            Ok((name, skipped)) => {
                if self.keeper.store.used.load(Relaxed) > self.keeper.most {
                    self.sweep(Some(name.clone())).await?;
                }
                Ok(Snapshot { name: name.to_string(), skipped })
            }
            Err(error) => {
                // What it had put there by then is of no use.
                if error.code == Code::Storage {
                    self.sweep(None).await?;
                }
                Err(error)
            }
        }
    }

    async fn changes(&self, before: &str, after: &str) -> Result<Vec<FileChange>> {
        let (before, after) = (Name::parse(before)?, Name::parse(after)?);
        self.shared(move |keeper| {
            let (before, after) = keeper.pair(&before, &after)?;
            Ok(compare::told(&before, &after))
        })
        .await
    }

    async fn diff(&self, before: &str, after: &str, limit: usize) -> Result<String> {
        let (before, after) = (Name::parse(before)?, Name::parse(after)?);
        self.shared(move |keeper| {
            let (before, after) = keeper.pair(&before, &after)?;
            let changes = compare::speaking(&before, &after);
            Ok(diff::unified(&keeper.store, &changes, limit))
        })
        .await
    }

    async fn undo(&self, workspace: &Path, before: &str, after: &str) -> Result<Undone> {
        let (before, after) = (Name::parse(before)?, Name::parse(after)?);
        let workspace = workspace.to_owned();
        self.alone(move |keeper| keeper.undo(&workspace, &before, &after)).await
    }

    async fn forget(&self, session: &SessionId) -> Result<()> {
        let session = session.clone();
        self.alone(move |keeper| {
            keeper.store.forget(&session)?;
            keeper.store.sweep(keeper.most, None);
            Ok(())
        })
        .await
    }
}

impl Keeper {
    fn take(
        &self,
        session: &SessionId,
        workspace: &Path,
        stop: &CancellationToken,
    ) -> Result<(Name, Vec<String>)> {
        let (workspace, root) = open(workspace)?;
        let path = workspace.as_os_str().as_bytes().to_vec();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let last = self.store.last(session).filter(|(_, known)| known.workspace == path);
        let (name, known) = match last {
            Some((name, known)) => (Some(name), known),
            None => (None, Manifest::default()),
        };
        let walk = Walk {
            root: &root,
            store: &self.store,
            known: &known,
            limits: self.limits,
            stop,
            off_limits: &self.own_folders(),
        };
        let rules = Rules::of_workspace(&root, &workspace, self.limits.patience);
        let seen = walk.run(i64::try_from(now).unwrap_or_default(), rules, path)?;
        let name = match name.filter(|_| seen.manifest.is_same(&known)) {
            Some(same) if !seen.has_read => same,
            // The same with fresher stamps: the next look is faster.
            same => self.store.save(session, &seen.manifest, same)?,
        };
        Ok((name, seen.skipped.sentences()))
    }

    /// The store, and the daemon's folder around it.
    fn own_folders(&self) -> Vec<(u64, u64)> {
        let own = [Some(self.store.folder()), self.store.folder().parent()];
        let places = own.into_iter().flatten().filter_map(|folder| fs::metadata(folder).ok());
        places.map(|folder| (folder.dev(), folder.ino())).collect()
    }

    fn pair(&self, before: &Name, after: &Name) -> Result<(Manifest, Manifest)> {
        let (before, after) = (self.store.load(before)?, self.store.load(after)?);
        if before.workspace != after.workspace {
            return Err(Error::new(Code::Invalid, "the checkpoints are of different workspaces"));
        }
        Ok((before, after))
    }

    fn undo(&self, workspace: &Path, before: &Name, after: &Name) -> Result<Undone> {
        let (before, after) = self.pair(before, after)?;
        let (workspace, root) = open(workspace)?;
        if workspace.as_os_str().as_bytes() != before.workspace {
            return Err(Error::new(Code::Invalid, "the checkpoints are of another workspace"));
        }
        let undo = Undo { root: &root, store: &self.store, before: &before };
        Ok(undo.run(&compare::changes(&before, &after)))
    }
}

/// The workspace by its true path, and open.
fn open(workspace: &Path) -> Result<(PathBuf, Root)> {
    let opened = fs::canonicalize(workspace).and_then(|path| {
        let root = Root::open(&path)?;
        Ok((path, root))
    });
    opened.map_err(|error| {
        let path = workspace.display();
        Error::new(Code::NotFound, format!("the workspace {path} can't be opened: {error}"))
    })
}
