use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use super::{Linked, Seen};

/// A worktree as git makes it: the workspace, and the repository's git folder.
fn worktree(root: &Path) -> (PathBuf, PathBuf) {
    let root = root.canonicalize().unwrap();
    let (workspace, common) = (root.join("work"), root.join("repository/.git"));
    let own = common.join("worktrees/one");
    for folder in ["objects", "refs", "logs", "hooks", "worktrees/one"] {
        fs::create_dir_all(common.join(folder)).unwrap();
    }
    fs::create_dir_all(&workspace).unwrap();
    let write = |path: PathBuf, text: String| fs::write(path, text).unwrap();
    write(common.join("HEAD"), "ref: refs/heads/main\n".to_owned());
    write(common.join("config"), String::new());
    write(own.join("commondir"), "../..\n".to_owned());
    write(own.join("gitdir"), format!("{}/.git\n", workspace.display()));
    write(workspace.join(".git"), format!("gitdir: {}\n", own.display()));
    (workspace, common)
}

#[test]
fn the_repository_of_a_worktree_is_put_together_of_what_git_needs() {
    let folder = tempfile::tempdir().unwrap();
    let (workspace, common) = worktree(folder.path());
    let linked = Linked::of(&workspace).unwrap();
    let packed = linked.packed();
    assert!(packed.is_some() && packed == linked.packed());
    let shown = |writable: bool| {
        let places = linked.places(writable).into_iter();
        let shown = places.map(|(path, seen)| {
            let path = path.strip_prefix(&common).unwrap().display().to_string();
            format!("{seen:?} {path}\n")
        });
        shown.collect::<String>()
    };
    expect_test::expect![[r#"
        Memory 
        Writable objects
        Writable refs
        Writable logs
        ReadOnly HEAD
        ReadOnly config
        ReadOnly packed-refs
        ReadOnly hooks
        ReadOnly worktrees
        Writable worktrees/one
        ReadOnly worktrees/one/commondir
        ReadOnly worktrees/one/gitdir
    "#]]
    .assert_eq(&shown(true));
    assert!(!shown(false).contains("Writable"));
    assert!(linked.places(true).iter().filter(|(_, seen)| *seen == Seen::Memory).count() == 1);
}

#[test]
fn a_workspace_that_names_a_repository_which_does_not_name_it_sees_nothing_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let (workspace, common) = worktree(folder.path());
    let thief = folder.path().canonicalize().unwrap().join("thief");
    fs::create_dir(&thief).unwrap();
    fs::copy(workspace.join(".git"), thief.join(".git")).unwrap();
    assert_eq!(Linked::of(&thief), None);
    // Nor does it help to bring along what names it, and to lead from there to the repository.
    let own = thief.join("worktrees/one");
    fs::create_dir_all(&own).unwrap();
    fs::write(own.join("gitdir"), format!("{}/.git\n", thief.display())).unwrap();
    fs::write(own.join("commondir"), format!("{}\n", common.display())).unwrap();
    fs::write(thief.join(".git"), format!("gitdir: {}\n", own.display())).unwrap();
    assert_eq!(Linked::of(&thief), None);
    for name in ["HEAD", "objects", "refs"] {
        symlink(common.join(name), thief.join(name)).unwrap();
    }
    assert_eq!(Linked::of(&thief), None);
    assert!(Linked::of(&workspace).is_some());
}

#[test]
fn a_plain_repository_and_a_plain_folder_are_no_worktree() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(Linked::of(folder.path()), None);
    fs::create_dir(folder.path().join(".git")).unwrap();
    assert_eq!(Linked::of(folder.path()), None);
}
