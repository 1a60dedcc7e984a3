//! A workspace whose content means harm does none.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;

use expect_test::expect;
use rustix::fs::{CWD, FileType, Mode, mkfifoat};

use crate::rig::{Rig, files_below};

#[tokio::test]
async fn a_fifo_and_a_socket_hold_nothing_up_and_are_named() {
    let rig = Rig::new();
    mkfifoat(CWD, rig.path("fifo"), Mode::RUSR).unwrap();
    let _socket = UnixListener::bind(rig.path("socket")).unwrap();
    let snapshot = rig.snapshot().await;
    assert_eq!(
        snapshot.skipped,
        ["`fifo`, `socket`: neither a file nor a directory nor a symlink"]
    );
    assert_eq!(FileType::from_raw_mode(0o010_000), FileType::Fifo);
}

#[tokio::test]
async fn symlinks_are_never_followed() {
    let rig = Rig::new();
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("secret"), "secret\n").unwrap();
    symlink(outside.path(), rig.path("out")).unwrap();
    symlink(".", rig.path("loop")).unwrap();
    symlink("self", rig.path("self")).unwrap();
    symlink(outside.path().join("secret"), rig.path(".gitignore")).unwrap();
    let before = rig.take().await;
    rig.write("a", "1\n");
    let after = rig.take().await;
    assert_eq!(rig.changes(&before, &after).await, "+ a");
    for file in files_below(&rig.store().join("blobs")) {
        assert_ne!(fs::read(file).unwrap(), b"secret\n");
    }
}

#[tokio::test]
async fn names_that_are_no_text_are_shown_as_text_and_come_back() {
    let rig = Rig::new();
    let odd = rig.workspace.join(OsStr::from_bytes(b"\xff\xfe"));
    fs::write(&odd, "before").unwrap();
    let before = rig.take().await;
    fs::write(&odd, "agent").unwrap();
    rig.write("two\nlines", "agent");
    rig.write("\u{1b}[31mred", "agent");
    rig.write("-rf *", "agent");
    let after = rig.take().await;
    expect![[r#"
        + \u{1b}[31mred
        + -rf *
        + two\nlines
        ~ ��"#]]
    .assert_eq(&rig.changes(&before, &after).await);
    rig.undo(&before, &after).await;
    assert_eq!(fs::read(&odd).unwrap(), b"before");
    assert_eq!(files_below(&rig.workspace).len(), 1);
}

#[tokio::test]
async fn a_tree_that_is_nested_too_deep_is_left_out_and_named() {
    let rig = Rig::new();
    let deep = vec!["d"; 400].join("/");
    rig.write(&format!("{deep}/f"), "x");
    rig.write("a", "x");
    let snapshot = rig.snapshot().await;
    assert_eq!(snapshot.skipped.len(), 1);
    assert!(snapshot.skipped[0].ends_with("d/d`: nested too deep"), "{:?}", snapshot.skipped);
}

#[tokio::test]
async fn what_a_program_hides_behind_gitignore_is_undone_all_the_same() {
    let rig = Rig::new();
    rig.write("src/a", "before\n");
    rig.write("src/b", "before\n");
    let before = rig.take().await;
    rig.write(".gitignore", "*\n");
    rig.write("src/a", "agent\n");
    rig.remove("src/b");
    let after = rig.take().await;
    expect![[r#"
        ~ src/a
        - src/b"#]]
    .assert_eq(&rig.changes(&before, &after).await);
    rig.undo(&before, &after).await;
    assert_eq!(rig.read("src/a"), "before\n");
    assert_eq!(rig.read("src/b"), "before\n");
}

#[tokio::test]
async fn what_is_no_longer_ignored_was_not_created_and_is_not_removed() {
    let rig = Rig::new();
    rig.write(".gitignore", ".env\ntarget/\n");
    rig.write(".env", "the person's\n");
    rig.write("target/debug/x", "built\n");
    let before = rig.take().await;
    rig.remove(".gitignore");
    let after = rig.take().await;
    assert_eq!(rig.changes(&before, &after).await, "- .gitignore");
    assert_eq!(rig.undo(&before, &after).await, "+ .gitignore");
    assert!(rig.is_there(".env") && rig.is_there("target/debug/x"));
}
