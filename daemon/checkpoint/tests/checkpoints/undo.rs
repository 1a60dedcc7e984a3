//! What an agent did is taken back, whatever it was done with; what the person did is not.

use std::fs;
use std::os::unix::fs::symlink;

use expect_test::expect;
use moltis_core::Code;
use moltis_core::checkpoint::Checkpoints;

use crate::rig::{Rig, files_below};

#[tokio::test]
async fn what_a_shell_changed_is_undone() {
    let rig = Rig::new();
    rig.write("src/main.rs", "fn main() {}\n");
    rig.write("notes", "mine\n");
    let before = rig.take().await;
    rig.write("src/main.rs", "fn main() { panic!() }\n");
    rig.remove("notes");
    rig.write("out/deep/new.txt", "new\n");
    let after = rig.take().await;
    expect![[r#"
        - notes
        + out/deep/new.txt
        ~ src/main.rs"#]]
    .assert_eq(&rig.changes(&before, &after).await);
    expect![[r#"
        + notes
        - out/
        - out/deep/
        - out/deep/new.txt
        ~ src/main.rs"#]]
    .assert_eq(&rig.undo(&before, &after).await);
    assert_eq!(rig.read("src/main.rs"), "fn main() {}\n");
    assert_eq!(rig.read("notes"), "mine\n");
    assert!(!rig.is_there("out"));
    assert_eq!(files_below(&rig.workspace).len(), 2, "nothing is left over");
}

#[tokio::test]
async fn a_file_that_the_person_edited_since_is_kept_and_named() {
    let rig = Rig::new();
    rig.write("a", "before\n");
    rig.write("b", "before\n");
    rig.write("c", "before\n");
    rig.write("mine", "before\n");
    let before = rig.take().await;
    for name in ["a", "b", "c", "new"] {
        rig.write(name, "agent\n");
    }
    let after = rig.take().await;
    rig.write("a", "person\n");
    rig.remove("c");
    rig.write("mine", "person\n");
    rig.write("new", "person\n");
    expect![[r#"
        ~ b
        = a: it was changed since
        = c: it was changed since
        = new: it was changed since"#]]
    .assert_eq(&rig.undo(&before, &after).await);
    assert_eq!(rig.read("a"), "person\n");
    assert_eq!(rig.read("b"), "before\n");
    assert_eq!(rig.read("mine"), "person\n");
    assert_eq!(rig.read("new"), "person\n");
    assert!(!rig.is_there("c"));
}

#[tokio::test]
async fn modes_symlinks_and_directories_come_back() {
    let rig = Rig::new();
    rig.write("run.sh", "#!/bin/sh\n");
    rig.chmod("run.sh", 0o755);
    rig.write("locked/inside", "kept\n");
    rig.chmod("locked", 0o555);
    symlink("run.sh", rig.path("link")).unwrap();
    symlink("run.sh", rig.path("gone")).unwrap();
    fs::create_dir(rig.path("empty")).unwrap();
    let before = rig.take().await;
    rig.chmod("run.sh", 0o600);
    rig.chmod("locked", 0o755);
    fs::remove_dir_all(rig.path("locked")).unwrap();
    fs::remove_file(rig.path("link")).unwrap();
    symlink("/etc/passwd", rig.path("link")).unwrap();
    rig.remove("gone");
    symlink("nowhere", rig.path("added")).unwrap();
    fs::remove_dir(rig.path("empty")).unwrap();
    fs::create_dir(rig.path("void")).unwrap();
    let after = rig.take().await;
    expect![[r#"
        + added
        - empty/
        - gone
        ~ link
        - locked/inside
        ~ run.sh
        + void/"#]]
    .assert_eq(&rig.changes(&before, &after).await);
    expect![[r#"
        - added
        + empty/
        + gone
        ~ link
        + locked/
        + locked/inside
        ~ run.sh
        - void/"#]]
    .assert_eq(&rig.undo(&before, &after).await);
    assert_eq!(rig.mode("run.sh"), 0o755);
    assert_eq!(rig.mode("locked"), 0o555);
    assert_eq!(rig.read("locked/inside"), "kept\n");
    assert_eq!(fs::read_link(rig.path("link")).unwrap().to_str(), Some("run.sh"));
    assert!(rig.is_there("gone") && rig.is_there("empty"));
    assert!(!rig.is_there("added") && !rig.is_there("void"));
    rig.chmod("locked", 0o755);
}

#[tokio::test]
async fn a_file_that_became_a_directory_and_the_other_way_round_come_back() {
    let rig = Rig::new();
    rig.write("file", "a file\n");
    rig.write("folder/inside/deep", "deep\n");
    let before = rig.take().await;
    rig.remove("file");
    rig.write("file/now/a/folder", "x");
    fs::remove_dir_all(rig.path("folder")).unwrap();
    rig.write("folder", "now a file\n");
    let after = rig.take().await;
    rig.undo(&before, &after).await;
    assert_eq!(rig.read("file"), "a file\n");
    assert_eq!(rig.read("folder/inside/deep"), "deep\n");
    assert_eq!(rig.changes(&before, &rig.take().await).await, "");
}

#[tokio::test]
async fn a_new_directory_stays_if_the_person_put_something_in_it() {
    let rig = Rig::new();
    let before = rig.take().await;
    rig.write("new/theirs", "agent\n");
    let after = rig.take().await;
    rig.write("new/mine", "person\n");
    expect![[r#"
        - new/theirs
        = new/: other files are in it"#]]
    .assert_eq(&rig.undo(&before, &after).await);
    assert_eq!(rig.read("new/mine"), "person\n");
}

#[tokio::test]
async fn bytes_come_back_as_they_were() {
    let contents: [(&str, &[u8]); 5] = [
        ("crlf", b"one\r\ntwo\r\n"),
        ("binary", b"\0\xff\xfe\x01"),
        ("latin", b"caf\xe9"),
        ("empty", b""),
        ("without end", b"no newline"),
    ];
    let rig = Rig::new();
    for (name, content) in contents {
        rig.write(name, content);
    }
    let before = rig.take().await;
    for (name, _) in contents {
        rig.write(name, "something else\n");
    }
    let after = rig.take().await;
    rig.undo(&before, &after).await;
    for (name, content) in contents {
        assert_eq!(fs::read(rig.path(name)).unwrap(), content, "{name}");
    }
}

#[tokio::test]
async fn an_undo_is_undone() {
    let rig = Rig::new();
    rig.write("a", "before\n");
    let before = rig.take().await;
    rig.write("a", "agent\n");
    rig.write("b", "agent\n");
    let after = rig.take().await;
    rig.undo(&before, &after).await;
    let undone = rig.take().await;
    rig.undo(&after, &undone).await;
    assert_eq!(rig.read("a"), "agent\n");
    assert_eq!(rig.read("b"), "agent\n");
}

#[tokio::test]
async fn an_undo_twice_does_nothing_more() {
    let rig = Rig::new();
    rig.write("a", "before\n");
    let before = rig.take().await;
    rig.write("a", "agent\n");
    rig.write("new", "agent\n");
    let after = rig.take().await;
    rig.undo(&before, &after).await;
    assert_eq!(rig.undo(&before, &after).await, "");
}

#[tokio::test]
async fn checkpoints_of_one_workspace_undo_nothing_in_another() {
    let rig = Rig::new();
    rig.write("a", "before\n");
    let before = rig.take().await;
    rig.write("a", "agent\n");
    let after = rig.take().await;
    let other = tempfile::tempdir().unwrap();
    fs::write(other.path().join("a"), "agent\n").unwrap();
    let refused = rig.checkpoints.undo(other.path(), &before, &after).await.unwrap_err();
    assert_eq!(refused.code, Code::Invalid);
    assert_eq!(fs::read_to_string(other.path().join("a")).unwrap(), "agent\n");
}

#[tokio::test]
async fn a_directory_that_could_not_be_written_to_comes_back_with_what_was_in_it() {
    let rig = Rig::new();
    rig.write("d/a", "before\n");
    rig.chmod("d", 0o500);
    let before = rig.take().await;
    rig.chmod("d", 0o700);
    rig.write("d/a", "agent\n");
    rig.write("d/b", "agent\n");
    let after = rig.take().await;
    rig.undo(&before, &after).await;
    assert_eq!((rig.read("d/a").as_str(), rig.mode("d")), ("before\n", 0o500));
    assert!(!rig.is_there("d/b"));
    rig.chmod("d", 0o700);
}
