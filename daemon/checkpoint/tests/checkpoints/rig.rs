//! A workspace in a temporary folder, its checkpoints, and hands that work on it.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use moltis_checkpoint::Checkpointer;
use moltis_core::SessionId;
use moltis_core::checkpoint::{Checkpoints, Snapshot, Undone};
use moltis_core::event::{FileChange, FileChangeKind};

/// A workspace and its checkpoints.
pub(crate) struct Rig {
    pub(crate) checkpoints: Checkpointer,
    pub(crate) workspace: PathBuf,
    pub(crate) folder: tempfile::TempDir,
}

impl Rig {
    pub(crate) fn new() -> Self {
        Self::with_room(1 << 30)
    }

    pub(crate) fn with_room(bytes: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let workspace = folder.path().join("workspace");
        fs::create_dir(&workspace).unwrap();
        let data = folder.path().join("data/checkpoints");
        let checkpoints = Checkpointer::open(&data, bytes).unwrap();
        Self { checkpoints, workspace, folder }
    }

    pub(crate) fn store(&self) -> PathBuf {
        self.folder.path().join("data/checkpoints")
    }

    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.workspace.join(path)
    }

    /// Writes a file, and the directories that it is in.
    pub(crate) fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    pub(crate) fn read(&self, path: &str) -> String {
        fs::read_to_string(self.path(path)).unwrap()
    }

    pub(crate) fn remove(&self, path: &str) {
        fs::remove_file(self.path(path)).unwrap();
    }

    pub(crate) fn chmod(&self, path: &str, mode: u32) {
        fs::set_permissions(self.path(path), fs::Permissions::from_mode(mode)).unwrap();
    }

    pub(crate) fn mode(&self, path: &str) -> u32 {
        fs::symlink_metadata(self.path(path)).unwrap().mode() & 0o777
    }

    pub(crate) fn is_there(&self, path: &str) -> bool {
        self.path(path).symlink_metadata().is_ok()
    }

    pub(crate) async fn snapshot(&self) -> Snapshot {
        self.checkpoints.take(&SessionId::from("s"), &self.workspace).await.unwrap()
    }

    pub(crate) async fn take(&self) -> String {
        self.snapshot().await.name
    }

    pub(crate) async fn changes(&self, before: &str, after: &str) -> String {
        listed(&self.checkpoints.changes(before, after).await.unwrap())
    }

    pub(crate) async fn diff(&self, before: &str, after: &str) -> String {
        self.checkpoints.diff(before, after, 1 << 20).await.unwrap()
    }

    pub(crate) async fn undo(&self, before: &str, after: &str) -> String {
        told(&self.checkpoints.undo(&self.workspace, before, after).await.unwrap())
    }
}

/// Changes, one a line: `+` created, `~` modified, `-` deleted.
pub(crate) fn listed(changes: &[FileChange]) -> String {
    let line = |change: &FileChange| {
        let sign = match change.kind {
            FileChangeKind::Created => '+',
            FileChangeKind::Modified => '~',
            FileChangeKind::Deleted => '-',
        };
        format!("{sign} {}", change.path)
    };
    changes.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// How an undo went, one file a line.
pub(crate) fn told(undone: &Undone) -> String {
    let kept = undone.kept.iter().map(|kept| format!("= {}: {}", kept.path, kept.why));
    let restored = listed(&undone.restored);
    let lines = restored.lines().map(str::to_owned).chain(kept);
    lines.collect::<Vec<_>>().join("\n")
}

/// The files below a folder.
pub(crate) fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut open = vec![folder.to_owned()];
    let mut files = Vec::new();
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.symlink_metadata().unwrap().is_dir() {
                open.push(path);
            } else {
                files.push(path);
            }
        }
    }
    files
}
