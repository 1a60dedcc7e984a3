//! A workspace that is a git worktree: its repository is worked with, and not steered.

use std::fs;
use std::path::Path;

use super::steers::tree;
use super::*;

/// What git is told by whoever commits.
const WHO: &str = "git config --global user.name a; git config --global user.email b@c;";

/// Runs git outside, where the person does.
fn git(directory: &Path, words: &[&str]) -> String {
    let mut command = Command::new("git");
    command.args(["-c", "user.name=a", "-c", "user.email=b@c"]).args(words);
    let output = command.current_dir(directory).output().expect("git runs");
    assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A repository with a commit, of which the rig's workspace is a worktree on the branch `side`.
fn repository(rig: &Rig) -> Option<TempDir> {
    if Command::new("git").arg("version").output().is_err() {
        assert!(std::env::var_os("CI").is_none_or(|ci| ci != "true"), "CI must have git");
        eprintln!("skipped: git is not installed");
        return None;
    }
    let folder = TempDir::new().expect("a repository");
    let root = folder.path();
    git(root, &["init", "-q", "-b", "main"]);
    fs::write(root.join("file"), "one\n").expect("a file");
    git(root, &["add", "."]);
    git(root, &["commit", "-qm", "one"]);
    let workspace = rig.workspace.path().to_str().expect("a text");
    git(root, &["worktree", "add", "-q", "--lock", "-b", "side", workspace]);
    Some(folder)
}

#[tokio::test]
async fn a_worktree_is_committed_in_and_the_repository_has_it() {
    let Some(rig) = Rig::new().await else { return };
    let Some(repository) = repository(&rig) else { return };
    let exit = rig
        .sh(&format!(
            "{WHO} set -e; echo two >>file; git status --short; git commit -qam two; \
             git log --format=%s; git checkout -q -b other main; echo x >x; git add x; \
             git commit -qm x; git rebase -q side; git checkout -q side; git cherry-pick other >/dev/null; \
             echo y >>x; git stash -q; git stash drop -q; git status --short; git log --format=%s"
        ))
        .await;
    assert_eq!(exit.stdout, " M file\ntwo\none\nx\ntwo\none\n", "{}", exit.stderr);
    assert_eq!(git(repository.path(), &["log", "--format=%s", "side"]), "x\ntwo\none\n");
    assert_eq!(git(rig.workspace.path(), &["status", "--short"]), "");
    assert_eq!(git(repository.path(), &["status", "--short"]), "");
    // To read is enough to look.
    let exit =
        rig.sh_in(Mount::ReadOnly, &format!("{WHO} git log -1 --format=%s; git tag no")).await;
    assert_eq!(exit.stdout, "x\n");
    assert_eq!(git(repository.path(), &["tag"]), "");
}

/// What tries to have git do something outside, in every place of the repository that steers it.
fn attack(common: &Path) -> String {
    let common = common.display();
    let places = [
        "hooks/post-commit",
        "hooks/evil",
        "config",
        "config.worktree",
        "commondir",
        "info/attributes",
        "info/exclude",
        "modules/evil/config",
        "HEAD",
        "packed-refs",
        "worktrees/evil/commondir",
    ];
    let own = ["commondir", "gitdir", "config.worktree"];
    let mut attack = format!("cd /workspace; own=$(ls {common}/worktrees | head -1); ");
    let common_places = places.iter().map(|place| format!("{common}/{place}"));
    let own_places = own.iter().map(|place| format!("{common}/worktrees/$own/{place}"));
    for place in common_places.chain(own_places).chain(["/workspace/.git".to_owned()]) {
        attack.push_str(&format!(
            "mkdir -p $(dirname {place}) 2>/dev/null; echo evil 2>/dev/null >>{place}; \
             echo evil >/workspace/new; mv -f /workspace/new {place} 2>/dev/null; \
             rm -rf {place} 2>/dev/null; echo evil 2>/dev/null >{place}; "
        ));
    }
    attack + "rm -f /workspace/new; true"
}

#[tokio::test]
async fn what_steers_the_repository_of_a_worktree_can_not_be_changed() {
    let Some(rig) = Rig::new().await else { return };
    let Some(repository) = repository(&rig) else { return };
    let common = repository.path().join(".git");
    // Where git makes none of itself.
    for own in fs::read_dir(common.join("worktrees")).expect("a worktree") {
        fs::write(own.expect("one").path().join("config.worktree"), "").expect("a file");
    }
    fs::write(common.join("packed-refs"), "").expect("a file");
    let (before, work) = (tree(&common), tree(rig.workspace.path()));
    rig.sh(&attack(&common)).await;
    settled(&rig).await;
    assert_eq!(tree(&common), before);
    assert_eq!(tree(rig.workspace.path()), work);
}

/// The same attack where the git folder is seen as it is.
#[tokio::test]
async fn without_the_folder_in_memory_the_attack_succeeds() {
    let Some(rig) = Rig::new().await else { return };
    let Some(repository) = repository(&rig) else { return };
    let common = repository.path().join(".git");
    let workspace = rig.workspace.path().as_os_str().to_owned();
    let bound = common.as_os_str().to_owned();
    let bare = |arguments: &mut Vec<OsString>| {
        let root = arguments.iter().position(|word| word == "--remount-ro").expect("it is there");
        let end = arguments.len() - 4;
        assert!(root < end);
        let more = ["--bind".into(), workspace, "/workspace".into()];
        let more = more.into_iter().chain(["--bind".into(), bound.clone(), bound]);
        arguments.splice(end..end, more);
    };
    rig.unguarded(bare, &attack(&common));
    let after = tree(&common);
    for place in ["hooks/post-commit: evil", "commondir: evil", "config: evil"] {
        assert!(after.contains(place), "{place}: {after}");
    }
}

#[tokio::test]
async fn a_workspace_does_not_see_a_repository_that_does_not_know_it() {
    let Some(rig) = Rig::new().await else { return };
    let Some(repository) = repository(&rig) else { return };
    let thief = TempDir::new().expect("a workspace");
    fs::copy(rig.workspace.path().join(".git"), thief.path().join(".git")).expect("a copy");
    let place = Place { workspace: Some(thief.path().to_owned()), ..rig.place("test") };
    let look = run(&format!("ls {}; git log", repository.path().display()));
    let exit = rig.try_in(&place, &look).await.expect("it runs");
    assert!(exit.code != 0 && exit.stdout.is_empty(), "{}", exit.stdout);
}
