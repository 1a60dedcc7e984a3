//! What is removed from the store, and when.
//!
//! Runs alone: nobody takes, reads or undoes a snapshot meanwhile. The invariants: no blob that a
//! manifest names is removed before the manifest, and what could not be read is not kept.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering::Relaxed;

use crate::manifest::{Entry, Hash, Manifest};
use crate::store::{Name, Store, hex, on_disk, size_of};

/// What manifests say of a content.
struct Needed {
    by: u32,
    size: u64,
}

impl Store {
    /// Removes what no snapshot needs, then the oldest snapshots until the rest takes at most
    /// `most` bytes; the one that is named stays.
    pub(crate) fn sweep(&self, most: u64, keep: Option<&Name>) {
        for leftover in files_in(&self.temporary()) {
            remove(&leftover);
        }
        let mut needed: HashMap<Hash, Needed> = HashMap::new();
        let mut used = 0;
        let mut manifests = Vec::new();
        for path in files_in(&self.manifests()).flat_map(|session| files_in(&session)) {
            let Some(manifest) = read(&path) else {
                remove(&path);
                continue;
            };
            used += size_of(&path);
            for (hash, size) in contents(&manifest) {
                let content = needed.entry(hash).or_insert_with(|| {
                    let size = on_disk(size);
                    used += size;
                    Needed { by: 0, size }
                });
                content.by += 1;
            }
            manifests.push((manifest.taken, path));
        }
        manifests.sort();
        let kept = keep.map(|name| self.path(name));
        for (_, path) in manifests.into_iter().filter(|(_, path)| Some(path) != kept.as_ref()) {
            if used <= most {
                break;
            }
            used = used.saturating_sub(size_of(&path));
            for (hash, _) in read(&path).iter().flat_map(contents) {
                if let Some(content) = needed.get_mut(&hash) {
                    content.by -= 1;
                    if content.by == 0 {
                        used = used.saturating_sub(content.size);
                        needed.remove(&hash);
                    }
                }
            }
            tracing::info!("a checkpoint went, to make room for newer ones");
            remove(&path);
        }
        self.drop_blobs(&needed);
        self.used.store(used, Relaxed);
    }

    fn drop_blobs(&self, needed: &HashMap<Hash, Needed>) {
        let needed: std::collections::HashSet<String> = needed.keys().map(hex).collect();
        for shard in files_in(&self.blobs()) {
            for blob in files_in(&shard) {
                let name = [&shard, &blob]
                    .map(|path| path.file_name().map(|name| name.to_string_lossy().into_owned()));
                let name: String = name.into_iter().flatten().collect();
                if !needed.contains(&name) {
                    remove(&blob);
                }
            }
        }
    }
}

/// The contents that a manifest names, each once.
fn contents(manifest: &Manifest) -> HashMap<Hash, u64> {
    let content = |entry: &Entry| match entry {
        Entry::File { hash, size, .. } => Some((*hash, *size)),
        Entry::Directory { .. } | Entry::Link { .. } => None,
    };
    manifest.entries.values().filter_map(content).collect()
}

fn read(path: &Path) -> Option<Manifest> {
    Manifest::parse(&fs::read(path).ok()?).ok()
}

fn files_in(folder: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    fs::read_dir(folder).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path()))
}

fn remove(path: &Path) {
    if let Err(error) = fs::remove_file(path) {
        tracing::warn!(%error, "a file of the checkpoints could not be removed");
    }
}
