//! A cheap look at whether places changed: what the file system says about files, never their bytes.
//!
//! It is no proof of anything; what runs is checked by hash. The invariant: a look costs a few
//! hundred `stat`s at most for folders that nobody trusted, however full they are.

use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::found;

/// The most hooks of a place, and of files in a trusted folder, that are looked at.
const MAX: usize = 300;

/// What was seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Look(Vec<Option<About>>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct About {
    file: (u64, u64),
    size: u64,
    mode: u32,
    // The second is set by the kernel alone: a changed file can't hide behind its old time.
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Look {
    /// Looks at a place. `trusted` says of which folders every file matters.
    pub(crate) fn at(&mut self, place: &Path, trusted: impl Fn(&Path) -> bool) {
        self.stat(place);
        for folder in found::folders(place).iter().take(MAX) {
            self.stat(folder);
            self.stat(&folder.join("HOOK.md"));
            if trusted(folder) {
                let mut left = MAX;
                self.below(folder, &mut left);
            }
        }
    }

    fn below(&mut self, dir: &Path, left: &mut usize) {
        let Ok(entries) = fs::read_dir(dir) else { return };
        let mut paths: Vec<_> = entries.flatten().map(|entry| entry.path()).take(*left).collect();
        paths.sort();
        for path in paths {
            if *left == 0 {
                return;
            }
            *left -= 1;
            self.stat(&path);
            if fs::symlink_metadata(&path).is_ok_and(|about| about.is_dir()) {
                self.below(&path, left);
            }
        }
    }

    fn stat(&mut self, path: &Path) {
        self.0.push(fs::symlink_metadata(path).ok().map(|about| About::of(&about)));
    }
}

impl About {
    fn of(about: &Metadata) -> Self {
        Self {
            file: (about.dev(), about.ino()),
            size: about.len(),
            mode: about.mode(),
            modified: (about.mtime(), about.mtime_nsec()),
            changed: (about.ctime(), about.ctime_nsec()),
        }
    }
}
