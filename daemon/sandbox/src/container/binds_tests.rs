use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use moltis_core::sandbox::Mount;

use super::binds;

fn targets(workspace: &Path, mount: Mount) -> Vec<(String, bool)> {
    let binds = binds(workspace, mount, &[]).unwrap();
    assert!(binds.iter().all(|bind| bind.inode.is_some()));
    binds.into_iter().map(|bind| (bind.target, bind.writable)).collect()
}

#[test]
fn what_steers_is_read_only_and_what_it_lies_in_can_not_be_moved() {
    let folder = tempfile::tempdir().unwrap();
    let workspace = folder.path();
    fs::create_dir_all(workspace.join(".git/hooks")).unwrap();
    fs::write(workspace.join(".git/config"), "").unwrap();
    fs::write(workspace.join(".envrc"), "").unwrap();
    let wanted = [
        ("/workspace", true),
        ("/workspace/.git", true),
        ("/workspace/.git/hooks", false),
        ("/workspace/.git/config", false),
        ("/workspace/.envrc", false),
    ];
    let wanted = wanted.map(|(target, writable)| (target.to_owned(), writable));
    assert_eq!(targets(workspace, Mount::ReadWrite), wanted);
    assert_eq!(targets(workspace, Mount::ReadOnly), [("/workspace".to_owned(), false)]);
    assert_eq!(targets(workspace, Mount::None), []);
}

#[test]
fn what_steers_the_worktrees_of_a_repository_is_read_only_before_there_is_one() {
    let folder = tempfile::tempdir().unwrap();
    let git = folder.path().join(".git");
    fs::create_dir(&git).unwrap();
    fs::write(git.join("HEAD"), "ref: refs/heads/main\n").unwrap();
    let bound = targets(folder.path(), Mount::ReadWrite);
    assert!(bound.contains(&("/workspace/.git/worktrees".to_owned(), false)), "{bound:?}");
}

#[test]
fn the_file_that_a_worktree_has_in_the_place_of_a_git_folder_is_read_only() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join(".git"), "gitdir: /nowhere\n").unwrap();
    let wanted = [("/workspace", true), ("/workspace/.git", false)];
    let wanted = wanted.map(|(target, writable)| (target.to_owned(), writable));
    assert_eq!(targets(folder.path(), Mount::ReadWrite), wanted);
}

#[test]
fn a_link_on_the_way_is_refused() {
    for (path, inside) in [(".vscode", false), (".git", false), (".git/hooks", true)] {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("elsewhere/hooks")).unwrap();
        if inside {
            fs::create_dir(folder.path().join(".git")).unwrap();
        }
        symlink(folder.path().join("elsewhere"), folder.path().join(path)).unwrap();
        let error = binds(folder.path(), Mount::ReadWrite, &[]).unwrap_err();
        assert!(error.message.contains("symbolic link"), "{path}: {error}");
    }
}

#[test]
fn the_daemons_own_files_are_in_no_workspace() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().canonicalize().unwrap();
    let data = folder.join("data");
    fs::create_dir_all(data.join("work")).unwrap();
    for (workspace, refused) in [
        (folder.as_path(), true),
        (Path::new("/"), true),
        (&data, true),
        (&data.join("work"), false),
    ] {
        let bound = binds(workspace, Mount::ReadOnly, std::slice::from_ref(&data));
        assert_eq!(bound.is_err(), refused, "{}", workspace.display());
    }
}
