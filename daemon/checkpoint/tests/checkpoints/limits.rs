//! What is not in a snapshot, and that it is said.

use std::fs;

use moltis_core::checkpoint::Checkpoints;
use moltis_core::{Code, SessionId};

use crate::rig::{Rig, files_below};

#[tokio::test]
async fn ignored_files_and_git_itself_are_not_touched_and_hidden_ones_are_kept() {
    let rig = Rig::new();
    rig.write(".gitignore", "target/\n*.log\n!keep.log\n");
    rig.write("sub/.gitignore", "/local\n");
    for path in ["target/x", "a.log", "sub/local", ".git/config", "sub/.git"] {
        rig.write(path, "before\n");
    }
    for path in [".hidden/x", "keep.log", "sub/deeper/local"] {
        rig.write(path, "before\n");
    }
    let before = rig.snapshot().await;
    assert!(before.skipped.is_empty(), "{:?}", before.skipped);
    for path in ["target/x", "a.log", "sub/local", ".git/config", "sub/.git"] {
        rig.write(path, "agent\n");
    }
    for path in [".hidden/x", "keep.log", "sub/deeper/local"] {
        rig.write(path, "agent\n");
    }
    rig.write("target/new", "agent\n");
    let after = rig.take().await;
    assert_eq!(rig.undo(&before.name, &after).await, "~ .hidden/x\n~ keep.log\n~ sub/deeper/local");
    assert_eq!(rig.read("target/x"), "agent\n");
    assert!(rig.is_there("target/new"));
}

#[tokio::test]
async fn the_rules_of_the_repository_around_the_workspace_hold() {
    let rig = Rig::new();
    let around = rig.workspace.parent().unwrap();
    fs::create_dir(around.join(".git")).unwrap();
    fs::write(around.join(".gitignore"), "*.o\n/workspace/only\n").unwrap();
    rig.write("x.o", "1\n");
    rig.write("only", "1\n");
    rig.write("a", "1\n");
    rig.take().await;
    assert_eq!(files_below(&rig.store().join("blobs")).len(), 1);
    let before = rig.take().await;
    rig.write("x.o", "2\n");
    assert_eq!(rig.take().await, before);
}

#[tokio::test]
async fn a_home_that_ignores_everything_does_not_mean_the_workspace() {
    let rig = Rig::new();
    let home = rig.workspace.parent().unwrap();
    fs::create_dir(home.join(".git")).unwrap();
    fs::write(home.join(".gitignore"), "*\n!.bashrc\n").unwrap();
    rig.write("a", "1\n");
    let before = rig.take().await;
    rig.write("a", "2\n");
    let after = rig.take().await;
    assert_eq!(rig.changes(&before, &after).await, "~ a");
}

#[tokio::test]
async fn a_file_that_is_too_large_is_left_out_and_named() {
    let rig = Rig::new();
    let large = fs::File::create(rig.path("large")).unwrap();
    large.set_len((8 << 20) + 1).unwrap();
    rig.write("grows", "small\n");
    rig.write("small", "1\n");
    let before = rig.snapshot().await;
    assert_eq!(before.skipped, ["`large`: too large"]);
    let grows = fs::File::options().write(true).open(rig.path("grows")).unwrap();
    grows.set_len(9 << 20).unwrap();
    rig.write("large", "now small\n");
    rig.write("small", "2\n");
    let after = rig.snapshot().await;
    assert_eq!(after.skipped, ["`grows`: too large"]);
    // Nobody knows what was in the one, and what is in the other.
    assert_eq!(rig.undo(&before.name, &after.name).await, "~ small");
    assert_eq!(rig.read("large"), "now small\n");
}

#[tokio::test]
async fn more_than_there_is_room_for_is_left_out_and_named() {
    let rig = Rig::with_room(400_000);
    for name in ["a", "b", "c", "d", "e", "f"] {
        rig.write(name, name.repeat(30_000));
    }
    let snapshot = rig.snapshot().await;
    assert_eq!(snapshot.skipped, ["`d`, `e`, `f`: too much in all, the rest of the room is taken"]);
}

#[tokio::test]
async fn files_beyond_the_limit_are_left_out_and_what_was_watched_stays_so() {
    let rig = Rig::new();
    rig.write("z/mine", "before\n");
    let before = rig.take().await;
    fs::create_dir(rig.path("many")).unwrap();
    for number in 0..50_100 {
        fs::File::create(rig.path("many").join(number.to_string())).unwrap();
    }
    rig.write("z/mine", "agent\n");
    let after = rig.snapshot().await;
    assert_eq!(after.skipped.len(), 1);
    assert!(
        after.skipped[0].ends_with("more: too many files, left out from here on"),
        "{:?}",
        after.skipped
    );
    rig.undo(&before, &after.name).await;
    assert_eq!(rig.read("z/mine"), "before\n");
}

#[tokio::test]
async fn the_daemons_own_folder_is_in_no_snapshot() {
    let rig = Rig::new();
    fs::write(rig.folder.path().join("data/vault.key"), "secret\n").unwrap();
    let session = SessionId::from("s");
    rig.checkpoints.take(&session, rig.folder.path()).await.unwrap();
    for file in files_below(&rig.store().join("blobs")) {
        assert_ne!(fs::read(file).unwrap(), b"secret\n");
    }
}

#[tokio::test]
async fn a_workspace_that_is_not_there_is_said_to_be() {
    let rig = Rig::new();
    let session = SessionId::from("s");
    let gone = rig.checkpoints.take(&session, &rig.path("none")).await.unwrap_err();
    assert_eq!(gone.code, Code::NotFound);
}

#[tokio::test]
async fn sessions_in_one_workspace_do_not_disturb_one_another() {
    let rig = Rig::new();
    for number in 0..200 {
        rig.write(&format!("f{number}"), format!("{number}\n"));
    }
    let sessions: Vec<SessionId> =
        (0..8).map(|number| SessionId::from(format!("s{number}"))).collect();
    let takes = sessions.iter().map(|session| rig.checkpoints.take(session, &rig.workspace));
    let names: Vec<String> = futures_util::future::join_all(takes)
        .await
        .into_iter()
        .map(|taken| taken.unwrap().name)
        .collect();
    for name in &names[1..] {
        assert_eq!(rig.changes(&names[0], name).await, "");
    }
}
