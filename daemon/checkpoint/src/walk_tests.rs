use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use rustix::fs::{CWD, RenameFlags, renameat_with};

use super::*;

fn look(workspace: &Path, store: &Store, known: &Manifest, limits: Limits) -> Seen {
    look_from(Root::open(workspace).unwrap(), workspace, store, known, limits)
}

fn look_from(
    root: Root,
    workspace: &Path,
    store: &Store,
    known: &Manifest,
    limits: Limits,
) -> Seen {
    let stop = CancellationToken::new();
    let walk = Walk { root: &root, store, known, limits, stop: &stop, off_limits: &[] };
    let rules = Rules::of_workspace(&root, workspace, limits.patience);
    walk.run(0, rules, Vec::new()).unwrap()
}

fn names(seen: &Seen) -> Vec<&str> {
    seen.manifest.entries.keys().map(|path| std::str::from_utf8(path).unwrap()).collect()
}

#[test]
fn rules_that_take_too_long_hide_no_change_of_what_was_watched() {
    let folder = tempfile::tempdir().unwrap();
    let workspace = folder.path().join("workspace");
    let store = Store::open(&folder.path().join("store")).unwrap();
    fs::create_dir_all(workspace.join("d")).unwrap();
    fs::write(workspace.join("d/mine"), "1").unwrap();
    let known = look(&workspace, &store, &Manifest::default(), Limits::USUAL).manifest;
    fs::write(workspace.join(".gitignore"), "*[a-z]*[a-z]*[a-z]*0\n").unwrap();
    fs::write(workspace.join("d/mine"), "2").unwrap();
    fs::write(workspace.join("d/new"), "2").unwrap();
    let hasty = Limits { patience: Duration::ZERO, ..Limits::USUAL };
    let seen = look(&workspace, &store, &known, hasty);
    assert_eq!(names(&seen), ["d", "d/mine"]);
    assert_ne!(seen.manifest.entries, known.entries);
    assert!(seen.manifest.leaves_out(b"d/new"));
    assert_eq!(
        seen.skipped.sentences(),
        ["`.gitignore`, `d/new`: new, and the rules of what is ignored take too long"]
    );
    let unwatched = look(&workspace, &store, &Manifest::default(), hasty);
    assert!(names(&unwatched).is_empty(), "else it is not being watched that guards");
    let patient = look(&workspace, &store, &known, Limits::USUAL);
    assert_eq!(names(&patient), [".gitignore", "d", "d/mine", "d/new"]);
}

#[test]
fn a_directory_of_too_many_names_keeps_only_what_was_watched_in_it() {
    let folder = tempfile::tempdir().unwrap();
    let workspace = folder.path().join("workspace");
    let store = Store::open(&folder.path().join("store")).unwrap();
    fs::create_dir_all(workspace.join("many/d")).unwrap();
    for name in ["many/gone", "many/here", "many/d/below", "z"] {
        fs::write(workspace.join(name), "").unwrap();
    }
    let before = look(&workspace, &store, &Manifest::default(), Limits::USUAL).manifest;
    for number in 0..6 {
        fs::write(workspace.join("many").join(number.to_string()), "").unwrap();
    }
    fs::remove_file(workspace.join("many/gone")).unwrap();
    let small = Limits { names: 5, ..Limits::USUAL };
    let seen = look(&workspace, &store, &before, small);
    assert_eq!(names(&seen), ["many", "many/d", "many/d/below", "many/here", "z"]);
    assert!(seen.manifest.may_have_had(b"many/3"));
    assert_eq!(seen.skipped.sentences(), ["`many`: too many files, left out from here on"]);
    let changes = crate::compare::told(&before, &seen.manifest);
    assert_eq!(changes.len(), 1, "{changes:?}");
    assert_eq!(changes[0].path, "many/gone");
}

#[test]
fn more_left_out_than_can_be_named_hides_no_change_of_what_was_watched() {
    let folder = tempfile::tempdir().unwrap();
    let workspace = folder.path().join("workspace");
    let store = Store::open(&folder.path().join("store")).unwrap();
    fs::create_dir_all(workspace.join("d")).unwrap();
    fs::write(workspace.join(".gitignore"), "*.o\n").unwrap();
    fs::write(workspace.join("d/mine"), "1").unwrap();
    let small = Limits { names: 7, ..Limits::USUAL };
    let before = look(&workspace, &store, &Manifest::default(), small).manifest;
    for number in 0..5 {
        fs::write(workspace.join(format!("d/{number}.o")), "").unwrap();
        fs::write(workspace.join(format!("{number}.o")), "").unwrap();
    }
    fs::remove_file(workspace.join("d/mine")).unwrap();
    let seen = look(&workspace, &store, &before, small);
    let after = seen.manifest;
    assert_eq!(
        seen.skipped.sentences(),
        ["`d`: so much is left out that new files can't be told from old ones"]
    );
    assert!(after.may_have_had(b"d/4.o") && !after.leaves_out(b"d/mine"));
    let changes = crate::compare::told(&before, &after);
    assert_eq!(changes.len(), 1, "{changes:?}");
    assert_eq!(changes[0].path, "d/mine");
}

/// Looks so many times while a directory is swapped for a symlink to outside and back; says
/// whether a secret from there was ever taken.
fn race(open: fn(&Path) -> std::io::Result<Root>, times: usize) -> bool {
    let folder = tempfile::tempdir().unwrap();
    let path = |path: &str| folder.path().join(path);
    let store = Store::open(&path("store")).unwrap();
    for directory in ["workspace/d", "outside"] {
        fs::create_dir_all(path(directory)).unwrap();
    }
    fs::write(path("outside/secret"), "secret").unwrap();
    std::os::unix::fs::symlink(path("outside"), path("workspace/e")).unwrap();
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let (one, other) = (path("workspace/d"), path("workspace/e"));
            while !is_over.load(Relaxed) {
                renameat_with(CWD, &one, CWD, &other, RenameFlags::EXCHANGE).unwrap();
            }
        });
        let is_taken = (0..times).any(|_| {
            let root = open(&path("workspace")).unwrap();
            let known = Manifest::default();
            look_from(root, &path("workspace"), &store, &known, Limits::USUAL);
            store.get(&hash(b"secret")).is_some()
        });
        is_over.store(true, Relaxed);
        is_taken
    })
}

#[test]
fn a_directory_that_is_swapped_all_the_while_never_leads_a_look_out() {
    assert!(!race(Root::open, 2000));
}

#[test]
fn without_the_guard_a_look_is_led_out() {
    assert!(race(Root::unguarded, 200_000), "the test above shows nothing");
}
