//! What differs between two snapshots.
//!
//! The invariant: only what both know of differs. What one of them left out may be there or not,
//! and is not spoken of: a file that was ignored and is no longer was not created.

use std::collections::BTreeSet;

use moltis_core::event::{FileChange, FileChangeKind};
use moltis_core::policy::is_steering;

use crate::manifest::{Entry, Manifest};
use crate::skipped::shown;

/// One difference; at least one side is there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Change<'a> {
    pub(crate) path: &'a [u8],
    pub(crate) before: Option<&'a Entry>,
    pub(crate) after: Option<&'a Entry>,
}

/// All differences, by path.
pub(crate) fn changes<'a>(before: &'a Manifest, after: &'a Manifest) -> Vec<Change<'a>> {
    let paths: BTreeSet<&Vec<u8>> = before.entries.keys().chain(after.entries.keys()).collect();
    let change = |path: &'a Vec<u8>| {
        let (was, is) = (before.entries.get(path), after.entries.get(path));
        let differs = match (was, is) {
            (Some(was), Some(is)) => !was.is_same(is),
            (Some(_), None) => !after.leaves_out(path),
            (None, Some(_)) => !before.may_have_had(path),
            (None, None) => false,
        };
        differs.then_some(Change { path, before: was, after: is })
    };
    paths.into_iter().filter_map(change).collect()
}

/// The differences that a person is told: a directory only where no file inside tells of it, and not in
/// the place of what steers programs outside: a sandbox puts empty ones there for as long as it runs,
/// and a moment longer.
pub(crate) fn speaking<'a>(before: &'a Manifest, after: &'a Manifest) -> Vec<Change<'a>> {
    let speaks = |change: &Change<'_>| match (change.before, change.after) {
        (Some(Entry::Directory { .. }), None) => {
            !before.has_below(change.path) && !stands_in(change)
        }
        (None, Some(Entry::Directory { .. })) => {
            !after.has_below(change.path) && !stands_in(change)
        }
        _ => true,
    };
    changes(before, after).into_iter().filter(speaks).collect()
}

fn stands_in(directory: &Change<'_>) -> bool {
    is_steering(&String::from_utf8_lossy(directory.path))
}

/// The same as text.
pub(crate) fn told(before: &Manifest, after: &Manifest) -> Vec<FileChange> {
    speaking(before, after).iter().map(Change::told).collect()
}

impl Change<'_> {
    pub(crate) fn told(&self) -> FileChange {
        let kind = match (self.before, self.after) {
            (None, _) => FileChangeKind::Created,
            (_, None) => FileChangeKind::Deleted,
            _ => FileChangeKind::Modified,
        };
        FileChange { path: self.name(), kind }
    }

    /// What undoing it is.
    pub(crate) fn undone(&self) -> FileChange {
        let told = self.told();
        let kind = match told.kind {
            FileChangeKind::Created => FileChangeKind::Deleted,
            FileChangeKind::Deleted => FileChangeKind::Created,
            FileChangeKind::Modified => FileChangeKind::Modified,
        };
        FileChange { kind, ..told }
    }

    /// The path as text; a directory's ends in `/`.
    pub(crate) fn name(&self) -> String {
        let is_directory = self.after.or(self.before).is_some_and(Entry::is_directory);
        let mut name = shown(self.path);
        if is_directory {
            name.push('/');
        }
        name
    }
}
