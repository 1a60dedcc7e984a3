use std::fs;
use std::path::Path;

use super::*;

fn look(workspace: &Path, store: &Store, known: &Manifest, limits: Limits) -> Seen {
    let root = Root::open(workspace).unwrap();
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
    let patient = look(&workspace, &store, &known, Limits::USUAL);
    assert_eq!(names(&patient), [".gitignore", "d", "d/mine", "d/new"]);
}

#[test]
fn a_directory_of_too_many_names_is_left_out_whole() {
    let folder = tempfile::tempdir().unwrap();
    let workspace = folder.path().join("workspace");
    let store = Store::open(&folder.path().join("store")).unwrap();
    fs::create_dir_all(workspace.join("many")).unwrap();
    for number in 0..6 {
        fs::write(workspace.join("many").join(number.to_string()), "").unwrap();
    }
    fs::write(workspace.join("z"), "").unwrap();
    let small = Limits { names: 5, ..Limits::USUAL };
    let seen = look(&workspace, &store, &Manifest::default(), small);
    assert_eq!(names(&seen), ["many", "z"]);
    assert!(seen.manifest.leaves_out(b"many/3"));
    assert_eq!(seen.skipped.sentences(), ["`many`: too many files, left out from here on"]);
}

#[test]
fn what_can_not_be_named_any_more_is_left_out_with_its_directory() {
    let folder = tempfile::tempdir().unwrap();
    let workspace = folder.path().join("workspace");
    let store = Store::open(&folder.path().join("store")).unwrap();
    fs::create_dir_all(workspace.join("d")).unwrap();
    fs::write(workspace.join(".gitignore"), "*.o\n").unwrap();
    for number in 0..4 {
        fs::write(workspace.join(format!("d/{number}.o")), "").unwrap();
    }
    let small = Limits { names: 4, ..Limits::USUAL };
    let left_out = look(&workspace, &store, &Manifest::default(), small).manifest.left_out;
    assert_eq!(left_out.len(), 4);
    let smaller = Limits { names: 5, ..small };
    fs::write(workspace.join("d/4.o"), "").unwrap();
    fs::write(workspace.join("e.o"), "").unwrap();
    let seen = look(&workspace, &store, &Manifest::default(), smaller);
    assert!(seen.manifest.leaves_out(b"e.o") && seen.manifest.leaves_out(b"anything"));
}
