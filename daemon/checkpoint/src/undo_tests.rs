//! The last moment: what is swapped while an undo works. Each guard is shown to be what guards.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use rustix::fs::{RenameFlags, renameat_with};

use super::*;
use crate::compare::changes;
use crate::rules::Rules;
use crate::walk::{Limits, Seen, Walk};

struct Rig {
    folder: tempfile::TempDir,
    store: Store,
}

impl Rig {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["workspace/d", "outside"] {
            fs::create_dir_all(folder.path().join(name)).unwrap();
        }
        let store = Store::open(&folder.path().join("store")).unwrap();
        Self { folder, store }
    }

    fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    fn workspace(&self) -> PathBuf {
        self.path("workspace")
    }

    fn take(&self) -> Manifest {
        let root = Root::open(&self.workspace()).unwrap();
        let stop = tokio_util::sync::CancellationToken::new();
        let walk = Walk {
            root: &root,
            store: &self.store,
            known: &Manifest::default(),
            limits: Limits::USUAL,
            stop: &stop,
            off_limits: &[],
        };
        let rules = Rules::of_workspace(&root, &self.workspace(), Limits::USUAL.patience);
        let Seen { manifest, .. } = walk.run(0, rules, Vec::new()).unwrap();
        manifest
    }

    fn undo(&self, root: &Root, before: &Manifest, after: &Manifest) -> Undone {
        Undo { root, store: &self.store, before }.run(&changes(before, after))
    }
}

fn text(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

/// The agent changes `d/a`, makes `d/new` and deletes `d/gone`; then `d` becomes a symlink to a
/// directory outside that looks just as the agent left `d`.
fn with_a_directory_that_became_a_symlink() -> (Rig, Manifest, Manifest) {
    let rig = Rig::new();
    fs::write(rig.path("workspace/d/a"), "before").unwrap();
    fs::write(rig.path("workspace/d/gone"), "before").unwrap();
    let before = rig.take();
    for place in ["workspace/d", "outside"] {
        fs::write(rig.path(place).join("a"), "agent").unwrap();
        fs::write(rig.path(place).join("new"), "agent").unwrap();
    }
    fs::remove_file(rig.path("workspace/d/gone")).unwrap();
    let after = rig.take();
    fs::rename(rig.path("workspace/d"), rig.path("workspace/was d")).unwrap();
    symlink(rig.path("outside"), rig.path("workspace/d")).unwrap();
    (rig, before, after)
}

fn is_outside_untouched(rig: &Rig) -> bool {
    let mut names: Vec<_> = fs::read_dir(rig.path("outside"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    names.sort();
    names == ["a", "new"]
        && text(&rig.path("outside/a")) == "agent"
        && text(&rig.path("outside/new")) == "agent"
}

#[test]
fn an_undo_does_not_follow_a_directory_that_became_a_symlink() {
    let (rig, before, after) = with_a_directory_that_became_a_symlink();
    let undone = rig.undo(&Root::open(&rig.workspace()).unwrap(), &before, &after);
    assert!(is_outside_untouched(&rig));
    assert!(undone.restored.is_empty());
    let kept: Vec<&str> = undone.kept.iter().map(|kept| kept.path.as_str()).collect();
    assert_eq!(kept, ["d/a", "d/gone", "d/new"]);
}

#[test]
fn without_the_guard_it_would_be_followed() {
    let (rig, before, after) = with_a_directory_that_became_a_symlink();
    rig.undo(&Root::unguarded(&rig.workspace()).unwrap(), &before, &after);
    assert!(!is_outside_untouched(&rig), "the test above shows nothing");
}

/// Undoes again and again while someone swaps `d` for a symlink to outside and back.
fn race(open: fn(&Path) -> io::Result<Root>) -> bool {
    let rig = Rig::new();
    fs::write(rig.path("workspace/d/a"), "before").unwrap();
    let before = rig.take();
    fs::write(rig.path("workspace/d/a"), "agent").unwrap();
    fs::write(rig.path("workspace/d/new"), "agent").unwrap();
    let after = rig.take();
    fs::write(rig.path("outside/a"), "agent").unwrap();
    fs::write(rig.path("outside/new"), "agent").unwrap();
    symlink(rig.path("outside"), rig.path("workspace/swap")).unwrap();
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            let (one, other) = (rig.path("workspace/d"), rig.path("workspace/swap"));
            let at = rustix::fs::CWD;
            while !is_over.load(Ordering::Relaxed) {
                renameat_with(at, &one, at, &other, RenameFlags::EXCHANGE).unwrap();
            }
        });
        let mut was_untouched = true;
        for _ in 0..300 {
            rig.undo(&open(&rig.workspace()).unwrap(), &before, &after);
            was_untouched &= is_outside_untouched(&rig);
            for place in ["workspace/d", "workspace/swap"] {
                let _ = fs::write(rig.path(place).join("a"), "agent");
                let _ = fs::write(rig.path(place).join("new"), "agent");
            }
        }
        is_over.store(true, Ordering::Relaxed);
        was_untouched
    })
}

#[test]
fn a_directory_that_is_swapped_all_the_while_never_lets_an_undo_out() {
    assert!(race(Root::open));
}

#[test]
fn without_the_guard_the_race_is_lost() {
    assert!(!race(Root::unguarded), "the test above shows nothing");
}

#[test]
fn a_file_that_is_saved_at_the_last_moment_is_exchanged_back() {
    let rig = Rig::new();
    fs::write(rig.path("workspace/a"), "agent").unwrap();
    fs::write(rig.path("workspace/fresh"), "before").unwrap();
    let root = Root::open(&rig.workspace()).unwrap();
    let spot = Spot { directory: root.directory(b"").unwrap(), name: b"a" };
    let seen = look(root.top(), b"a").unwrap().unwrap();
    // As an editor does: another file takes the name.
    fs::write(rig.path("workspace/new a"), "person").unwrap();
    fs::rename(rig.path("workspace/new a"), rig.path("workspace/a")).unwrap();
    assert!(matches!(spot.exchange(b"fresh", &seen), Err(Left::Changed)));
    assert_eq!(text(&rig.path("workspace/a")), "person");
    let seen = look(root.top(), b"a").unwrap().unwrap();
    spot.exchange(b"fresh", &seen).unwrap();
    assert_eq!(text(&rig.path("workspace/a")), "before");
    assert!(!rig.path("workspace/fresh").exists());
}

#[test]
fn a_file_that_appears_at_the_last_moment_stays() {
    let rig = Rig::new();
    fs::write(rig.path("workspace/a"), "person").unwrap();
    fs::write(rig.path("workspace/fresh"), "before").unwrap();
    let root = Root::open(&rig.workspace()).unwrap();
    let spot = Spot { directory: root.directory(b"").unwrap(), name: b"a" };
    assert!(matches!(spot.place(b"fresh"), Err(Left::Changed)));
    assert_eq!(text(&rig.path("workspace/a")), "person");
}

/// A person saves a file over and over while undos run; each save is a new content.
#[test]
fn no_save_of_a_person_is_lost_to_an_undo() {
    let rig = Rig::new();
    let file = rig.path("workspace/a");
    fs::write(&file, "before").unwrap();
    let before = rig.take();
    fs::write(&file, "agent").unwrap();
    let after = rig.take();
    let root = Root::open(&rig.workspace()).unwrap();
    for round in 0..200 {
        fs::write(&file, "agent").unwrap();
        let saved = format!("person {round}");
        thread::scope(|scope| {
            scope.spawn(|| {
                let new = rig.path("workspace/new a");
                fs::write(&new, &saved).unwrap();
                fs::rename(&new, &file).unwrap();
            });
            rig.undo(&root, &before, &after);
        });
        assert_eq!(text(&file), saved);
    }
}
