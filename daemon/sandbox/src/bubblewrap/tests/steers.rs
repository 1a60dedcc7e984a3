//! What of a workspace steers programs outside.

use std::fs;
use std::path::Path;

use moltis_core::policy::STEERING;

use super::*;

/// What tries to change every place, in every way.
fn attack() -> String {
    let mut attack = String::new();
    for place in STEERING {
        let parent = Path::new(place).parent().unwrap_or(Path::new("")).display().to_string();
        attack.push_str(&format!(
            "mkdir -p {place} 2>/dev/null; echo evil 2>/dev/null >{place}; \
             echo evil 2>/dev/null >{place}/evil; rm -rf {place} 2>/dev/null; \
             mv {place} away 2>/dev/null; echo evil >new; mv -f new {place} 2>/dev/null; \
             ln -sfn /tmp {place} 2>/dev/null; rm -f new; "
        ));
        if !parent.is_empty() {
            attack.push_str(&format!(
                "mv {parent} moved 2>/dev/null; mkdir -p {place} 2>/dev/null; \
                 echo evil 2>/dev/null >{place}/evil; "
            ));
        }
    }
    attack + "rm -rf away moved; true"
}

/// All files and folders, with what is in them.
pub(super) fn tree(root: &Path) -> String {
    let mut lines = Vec::new();
    let mut open = vec![root.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            let name = path.strip_prefix(root).expect("below").display().to_string();
            if path.is_dir() && !path.is_symlink() {
                lines.push(format!("{name}/\n"));
                open.push(path);
            } else {
                lines.push(format!("{name}: {}\n", fs::read_to_string(&path).unwrap_or_default()));
            }
        }
    }
    lines.sort();
    lines.concat()
}

#[tokio::test]
async fn what_is_not_there_can_not_be_made_and_nothing_is_left() {
    let Some(rig) = Rig::new().await else { return };
    rig.sh(&attack()).await;
    settled(&rig).await;
    assert_eq!(tree(rig.workspace.path()), "");
    rig.sh("echo mine >file").await;
    settled(&rig).await;
    assert_eq!(tree(rig.workspace.path()), "file: mine\n\n");
}

fn furnish(root: &Path) {
    for folder in
        [".git/hooks", ".git/modules", ".git/refs", ".moltis", ".vscode", ".idea", ".husky"]
    {
        fs::create_dir_all(root.join(folder)).expect("a folder");
        fs::write(root.join(folder).join("file"), "good").expect("a file");
    }
    for file in [".git/config", ".git/HEAD", ".gitmodules", ".gitattributes", ".mcp.json", ".envrc"]
    {
        fs::write(root.join(file), "good").expect("a file");
    }
}

#[tokio::test]
async fn what_is_there_can_be_read_and_not_changed() {
    let Some(rig) = Rig::new().await else { return };
    let root = rig.workspace.path();
    furnish(root);
    let before = tree(root);
    let exit = rig.sh("cat .git/config .git/hooks/file .envrc .vscode/file").await;
    assert_eq!(exit.stdout, "goodgoodgoodgood");
    rig.sh(&attack()).await;
    settled(&rig).await;
    assert_eq!(tree(root), before);
    rig.sh("echo more >.git/refs/new").await;
    assert!(root.join(".git/refs/new").exists(), "the rest of a repository can be worked on");
}

/// The same attack where the workspace has no seams.
#[tokio::test]
async fn without_the_seams_the_attack_succeeds() {
    let Some(rig) = Rig::new().await else { return };
    let root = rig.workspace.path();
    furnish(root);
    let workspace = root.as_os_str().to_owned();
    let bare = |arguments: &mut Vec<OsString>| {
        arguments.splice(0..0, ["--bind".into(), workspace, "/workspace".into()]);
    };
    // The mount comes first; what bubblewrap then makes read-only is the root around it.
    rig.unguarded(bare, &format!("cd /workspace; {}", attack()));
    assert!(tree(root).contains("evil"), "{}", tree(root));
}

#[tokio::test]
async fn a_link_where_something_steers_is_refused() {
    let Some(rig) = Rig::new().await else { return };
    let root = rig.workspace.path();
    fs::create_dir(root.join("real")).expect("a folder");
    std::os::unix::fs::symlink("real", root.join(".git")).expect("a link");
    let place = rig.place("test");
    let error = rig.try_in(&place, &run("true")).await.expect_err("it can't be guarded");
    assert!(error.message.contains(".git") && error.hint.is_some(), "{error:?}");
    assert_eq!(rig.sh_in(Mount::ReadOnly, "echo read").await.stdout, "read\n");
    settled(&rig).await;
    assert_eq!(tree(root), ".git: \nreal/\n");
}

#[tokio::test]
async fn what_is_in_the_place_of_nothing_goes_with_the_last_that_needs_it() {
    let Some(rig) = Rig::new().await else { return };
    let root = rig.workspace.path();
    let first = rig.backend.seams.take(root).expect("it can be guarded");
    let second = rig.backend.seams.take(root).expect("it can be guarded");
    assert_eq!(first.places, second.places);
    drop(first);
    let left = tree(root);
    assert!(left.contains(".vscode/") && left.contains(".envrc/"), "the second needs it: {left}");
    fs::write(root.join(".vscode/mine"), "of the person, meanwhile").expect("a file");
    drop(second);
    assert_eq!(tree(root), ".vscode/\n.vscode/mine: of the person, meanwhile\n");
}

#[tokio::test]
async fn a_repository_can_be_worked_on() {
    let Some(rig) = Rig::new().await else { return };
    let root = rig.workspace.path();
    let made = std::process::Command::new("git").args(["init", "-q"]).arg(root).status();
    if !made.is_ok_and(|status| status.success()) {
        assert!(std::env::var_os("CI").is_none_or(|ci| ci != "true"), "CI must have git");
        eprintln!("skipped: git is not installed");
        return;
    }
    let exit = rig
        .sh(
            "echo text >file && git add -A && git -c user.name=a -c user.email=b commit -qm one && \
             git status --short && git log --oneline | wc -l && git ls-files; \
             git config user.name evil; git init -q . ; true",
        )
        .await;
    assert_eq!(exit.stdout, "1\nfile\n", "{}", exit.stderr);
    let config = fs::read_to_string(root.join(".git/config")).expect("it is there");
    assert!(!config.contains("evil"));
    // That another configuration holds can't be said either, and git outside is not held up.
    rig.sh("mkdir evil; echo ../evil >.git/commondir; rm -f .git/commondir; ls .git").await;
    let git = std::process::Command::new("git").arg("-C").arg(root).arg("status").output();
    assert!(git.expect("git runs").status.success());
    settled(&rig).await;
    assert!(!root.join(".git/commondir").exists());
}

/// An empty folder of the person's is not taken for one of ours.
#[tokio::test]
async fn an_empty_folder_of_the_persons_stays() {
    let Some(rig) = Rig::new().await else { return };
    let root = rig.workspace.path();
    fs::create_dir_all(root.join(".git/hooks")).expect("a folder");
    fs::create_dir(root.join(".idea")).expect("a folder");
    let place = rig.place("test");
    let command = run("touch up; sleep 60");
    let record = {
        let running = rig.try_in(&place, &command);
        tokio::pin!(running);
        tokio::select! {
            exit = &mut running => panic!("it ended: {exit:?}"),
            up = until(Duration::from_secs(10), || root.join("up").exists()) => assert!(up),
        }
        fs::read_to_string(rig.backend.own.join("placeholders")).expect("a record")
    };
    assert!(record.contains(".envrc") && record.contains(".git/config"), "{record}");
    assert!(!record.contains(".idea") && !record.contains("hooks"), "{record}");
    settled(&rig).await;
    assert_eq!(tree(root), ".git/\n.git/hooks/\n.idea/\nup: \n");
}

#[tokio::test]
async fn what_a_killed_daemon_left_is_taken_away_by_the_next() {
    let Some(rig) = Rig::new().await else { return };
    let root = rig.workspace.path();
    fs::create_dir(root.join(".envrc")).expect("left");
    fs::create_dir_all(root.join(".idea/used")).expect("someone's meanwhile");
    let record = format!("{0}/.envrc\n{0}/.idea\n{0}/.husky\n", root.display());
    fs::write(rig.backend.own.join("placeholders"), record).expect("a record");
    let options = Options::new(rig.data.path().to_owned(), "test".to_owned());
    Bubblewrap::find(&options).await.expect("it can be prepared");
    assert_eq!(tree(root), ".idea/\n.idea/used/\n");
}
