//! How long snapshots stay, and what is said when one has gone.

use std::fs;

use moltis_core::checkpoint::Checkpoints;
use moltis_core::{Code, SessionId};

use crate::rig::{Rig, files_below};

#[tokio::test]
async fn nothing_changed_is_the_same_snapshot() {
    let rig = Rig::new();
    rig.write("a", "1\n");
    let first = rig.take().await;
    assert_eq!(rig.take().await, first);
    // Written again, with the same in it.
    rig.write("a", "1\n");
    assert_eq!(rig.take().await, first);
    rig.write("a", "2\n");
    let second = rig.take().await;
    assert_ne!(second, first);
    rig.write("a", "1\n");
    assert_ne!(rig.take().await, first, "a name is given once");
}

#[tokio::test]
async fn a_change_within_the_same_moment_is_noticed() {
    let rig = Rig::new();
    for round in 0..50 {
        rig.write("a", format!("{round:03}"));
        let before = rig.take().await;
        rig.write("a", format!("{:03}", round + 500));
        let after = rig.take().await;
        assert_eq!(rig.changes(&before, &after).await, "~ a", "round {round}");
    }
}

#[tokio::test]
async fn a_change_that_hides_behind_an_old_date_is_noticed() {
    let rig = Rig::new();
    rig.write("a", "one");
    let file = fs::File::options().write(true).open(rig.path("a")).unwrap();
    let old = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000_000);
    file.set_modified(old).unwrap();
    let before = rig.take().await;
    rig.write("a", "two");
    file.set_modified(old).unwrap();
    let after = rig.take().await;
    assert_eq!(rig.changes(&before, &after).await, "~ a");
}

#[tokio::test]
async fn a_session_that_is_forgotten_leaves_nothing_and_takes_nothing_from_others() {
    let rig = Rig::new();
    rig.write("shared", "in both\n");
    let mine = rig.take().await;
    let other = SessionId::from("other");
    rig.write("only there", "x\n");
    let theirs = rig.checkpoints.take(&other, &rig.workspace).await.unwrap().name;
    rig.checkpoints.forget(&other).await.unwrap();
    let gone = rig.checkpoints.changes(&mine, &theirs).await.unwrap_err();
    assert_eq!(gone.code, Code::NotFound);
    assert!(gone.message.ends_with("is no longer kept"), "{gone}");
    assert!(gone.hint.unwrap().contains("checkpoints.max_mb"));
    assert_eq!(files_below(&rig.store()).len(), 2, "one manifest, one content");
    rig.checkpoints.forget(&SessionId::from("s")).await.unwrap();
    assert_eq!(files_below(&rig.store()).len(), 0);
}

#[tokio::test]
async fn the_oldest_go_when_there_is_no_room() {
    let rig = Rig::with_room(400_000);
    let mut names = Vec::new();
    for round in 0..20_u8 {
        rig.write("a", vec![round; 50_000]);
        names.push(rig.take().await);
    }
    let used: u64 =
        files_below(&rig.store()).iter().map(|path| path.metadata().unwrap().len()).sum();
    assert!(used <= 400_000, "{used}");
    let gone = rig.checkpoints.diff(&names[0], &names[19], 1000).await.unwrap_err();
    assert_eq!(gone.code, Code::NotFound);
    let gone = rig.checkpoints.undo(&rig.workspace, &names[0], &names[19]).await.unwrap_err();
    assert_eq!(gone.code, Code::NotFound);
    rig.undo(&names[18], &names[19]).await;
    assert_eq!(fs::read(rig.path("a")).unwrap(), vec![18; 50_000]);
}

#[tokio::test]
async fn a_content_that_was_damaged_is_not_put_back() {
    let rig = Rig::new();
    rig.write("a", "before\n");
    let before = rig.take().await;
    rig.write("a", "agent!\n");
    let after = rig.take().await;
    for blob in files_below(&rig.store().join("blobs")) {
        fs::write(blob, "rotten\n").unwrap();
    }
    assert_eq!(rig.undo(&before, &after).await, "= a: its former content was damaged in the store");
    assert_eq!(rig.read("a"), "agent!\n");
}

#[tokio::test]
async fn what_a_crash_left_over_is_removed() {
    let rig = Rig::new();
    fs::write(rig.store().join("temporary/1-1"), "half").unwrap();
    fs::create_dir(rig.store().join("blobs/00")).unwrap();
    fs::write(rig.store().join("blobs/00/11"), "nobody's").unwrap();
    rig.write("a", "1\n");
    rig.take().await;
    assert_eq!(files_below(&rig.store()).len(), 2, "one manifest, one content");
}

#[tokio::test]
async fn a_name_that_is_none_leads_nowhere() {
    let rig = Rig::new();
    let name = rig.take().await;
    for odd in ["", "-", "../../etc/passwd", "x-1", "00000000000000000000000000000000-../1"] {
        let refused = rig.checkpoints.changes(odd, &name).await.unwrap_err();
        assert_eq!(refused.code, Code::Invalid, "{odd}");
    }
    let none = format!("{}-1", "0".repeat(32));
    assert_eq!(rig.checkpoints.changes(&none, &name).await.unwrap_err().code, Code::NotFound);
}

#[tokio::test]
async fn a_disk_that_takes_nothing_fails_the_snapshot_and_leaves_nothing_half() {
    let rig = Rig::new();
    rig.write("a", "1\n");
    rig.take().await;
    rig.write("b", "2\n");
    fs::remove_dir_all(rig.store().join("temporary")).unwrap();
    let failed = rig.checkpoints.take(&SessionId::from("s"), &rig.workspace).await.unwrap_err();
    assert_eq!(failed.code, Code::Storage);
    assert_eq!(files_below(&rig.store()).len(), 2, "the first snapshot and its content");
    fs::create_dir(rig.store().join("temporary")).unwrap();
    rig.take().await;
}

#[tokio::test]
async fn a_snapshot_that_nobody_waits_for_stops_and_leaves_nothing() {
    let rig = Rig::new();
    for number in 0..3000 {
        rig.write(&format!("f{number}"), format!("{number}\n"));
    }
    let session = SessionId::from("s");
    let mut take = rig.checkpoints.take(&session, &rig.workspace);
    while files_below(&rig.store().join("blobs")).is_empty() {
        assert!(futures_util::poll!(&mut take).is_pending(), "it was over before it was stopped");
        tokio::task::yield_now().await;
    }
    drop(take);
    // Waits until it has stopped, and removes what it put there.
    rig.checkpoints.forget(&SessionId::from("another")).await.unwrap();
    assert_eq!(files_below(&rig.store()).len(), 0);
}
