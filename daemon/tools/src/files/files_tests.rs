use std::path::Path;
use std::sync::Arc;

use expect_test::{Expect, expect};
use moltis_core::event::Origin;
use moltis_core::message::{Part, text_of};
use moltis_core::tool::{Outcome, Scene, Tool};
use serde_json::{Value, json};

use super::edit::{Edit, MultiEdit};
use super::glob::Glob;
use super::grep::Grep;
use super::read::Read;
use super::write::Write;
use crate::fakes::{allowed, call, planned, scene};
use crate::off::Workbench;

/// A workspace, and the tools on it.
struct Desk {
    dir: tempfile::TempDir,
}

impl Desk {
    fn with(files: &[(&str, &[u8])]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        for (path, content) in files {
            let path = dir.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, content).unwrap();
        }
        Self { dir }
    }

    fn scene(&self) -> Scene {
        scene(self.dir.path())
    }

    fn file(&self, path: &str) -> String {
        std::fs::read_to_string(self.dir.path().join(path)).unwrap()
    }

    async fn call(&self, name: &str, arguments: Value) -> Outcome {
        let outcome = call(&*tool(name), arguments, &self.scene()).await;
        assert_eq!(outcome.origin, Origin::Workspace);
        outcome
    }

    async fn check(&self, name: &str, arguments: Value, expected: Expect) {
        let outcome = self.call(name, arguments).await;
        let failed = if outcome.failed { "[failed] " } else { "" };
        expected.assert_eq(&format!("{failed}{}", text_of(&outcome.parts)));
    }
}

fn tool(name: &str) -> Arc<dyn Tool> {
    let bench = Workbench::new();
    match name {
        "read" => Arc::new(Read::new(bench)),
        "write" => Arc::new(Write::new(bench)),
        "edit" => Arc::new(Edit::new(bench)),
        "multi_edit" => Arc::new(MultiEdit::new(bench)),
        "glob" => Arc::new(Glob::new(bench)),
        "grep" => Arc::new(Grep::new(bench)),
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn text_is_read_with_line_numbers_and_from_where_it_was_left() {
    let desk = Desk::with(&[("a.txt", b"\xef\xbb\xbfone\r\ntwo\nthree"), ("empty", b"")]);
    desk.check("read", json!({"file_path": "a.txt"}), expect!["1\tone\n2\ttwo\n3\tthree\n"]).await;
    let some = json!({"file_path": "/workspace/a.txt", "offset": 2, "limit": "1"});
    desk.check("read", some, expect!["2\ttwo\n[more follows: read on with offset 3]\n"]).await;
    let beyond = json!({"file_path": "a.txt", "offset": 9});
    desk.check("read", beyond, expect!["[failed] `a.txt` has 3 lines only"]).await;
    desk.check("read", json!({"file_path": "empty"}), expect!["`empty` is empty."]).await;
    desk.check("read", json!({"file_path": "b"}), expect!["[failed] `b` does not exist"]).await;
    assert!(desk.call("read", json!({"file_path": "a.txt"})).await.sensitive);
}

#[tokio::test]
async fn what_is_read_has_a_cap_however_large_the_file_is() {
    let long = "x".repeat(1 << 20);
    let many = "a line of text\n".repeat(100_000);
    let desk = Desk::with(&[("long", long.as_bytes()), ("many", many.as_bytes())]);
    let long = text_of(&desk.call("read", json!({"file_path": "long"})).await.parts);
    assert!(long.ends_with("… [1046576 bytes of this line left out]\n"), "{}", &long[1_990..]);
    let many = text_of(&desk.call("read", json!({"file_path": "many"})).await.parts);
    assert!(many.ends_with("[more follows: read on with offset 2001]\n"));
    let all = json!({"file_path": "many", "limit": 1_000_000});
    let all = text_of(&desk.call("read", all).await.parts);
    assert!(all.len() < 51_000, "{} bytes", all.len());
}

#[tokio::test]
async fn pictures_are_shown_to_models_that_see_and_binaries_to_none() {
    let png = b"\x89PNG\r\n\x1a\n\0\0rest";
    let desk = Desk::with(&[("a.png", png), ("b.bin", b"MZ\0\0"), ("latin", b"caf\xe9\n")]);
    let outcome = desk.call("read", json!({"file_path": "a.png"})).await;
    let image = Part::Image { media_type: "image/png".to_owned(), data: Arc::from(&png[..]) };
    assert_eq!(outcome.parts[1], image);
    let blind = Scene { images: false, ..desk.scene() };
    let outcome = call(&*tool("read"), json!({"file_path": "a.png"}), &blind).await;
    expect!["`a.png` is a picture (image/png, 14 bytes), and this model sees none."]
        .assert_eq(&text_of(&outcome.parts));
    desk.check(
        "read",
        json!({"file_path": "b.bin"}),
        expect![
            "[failed] `b.bin` is a binary file of 4 bytes: only text, pictures and PDF can be read"
        ],
    )
    .await;
    desk.check(
        "read",
        json!({"file_path": "latin"}),
        expect!["1\tcaf�\n[it is not UTF-8: what could not be read is shown as �]\n"],
    )
    .await;
}

#[tokio::test]
async fn a_file_is_made_with_its_directories_and_replaced_whole() {
    let desk = Desk::with(&[("a", b"1\n2\n3\n4\n")]);
    let made = json!({"file_path": "new/deep/b.txt", "content": "x\ny\n"});
    desk.check("write", made.clone(), expect!["made `new/deep/b.txt`: +2 −0 lines at line 1"])
        .await;
    desk.check("write", made, expect!["replaced `new/deep/b.txt`: no line differs"]).await;
    let replaced = json!({"file_path": "a", "content": "1\ntwo\n3\n4\n"});
    desk.check("write", replaced, expect!["replaced `a`: +1 −1 lines at line 2"]).await;
    assert_eq!(desk.file("new/deep/b.txt"), "x\ny\n");
    assert_eq!(desk.file("a"), "1\ntwo\n3\n4\n");
}

#[tokio::test]
async fn an_edit_is_made_on_what_the_file_is_when_it_runs() {
    let desk = Desk::with(&[("a", b"one two\n")]);
    let edit = tool("edit");
    let arguments = json!({"file_path": "a", "old_string": "two", "new_string": "2"});
    let call = planned(&*edit, &arguments, &desk.scene());
    std::fs::write(desk.dir.path().join("a"), "zero\none two\n").unwrap();
    let outcome = edit.run(allowed(call), &desk.scene(), &crate::fakes::Deaf).await;
    expect!["edited `a` in 1 place: +1 −1 lines at line 2"].assert_eq(&text_of(&outcome.parts));
    assert_eq!(desk.file("a"), "zero\none 2\n");
    desk.check(
        "edit",
        json!({"file_path": "no/such", "old_string": "a", "new_string": "b"}),
        expect!["[failed] `no/such` does not exist"],
    )
    .await;
    assert!(!desk.dir.path().join("no").exists(), "an edit makes no directories");
}

#[tokio::test]
async fn several_edits_are_all_made_or_none() {
    let desk = Desk::with(&[("a", b"one\r\ntwo\r\n"), ("latin", b"caf\xe9")]);
    let step = |old: &str, new: &str| json!({"old_string": old, "new_string": new});
    let edits = json!([step("one\ntwo", "1\n2"), step("three", "3")]);
    desk.check(
        "multi_edit",
        json!({"file_path": "a", "edits": edits}),
        expect!["[failed] `a`: edit 2 of 2: the old text is not in the file: read the file again and copy it exactly, without line numbers; nothing was changed"],
    )
    .await;
    assert_eq!(desk.file("a"), "one\r\ntwo\r\n");
    let edits = json!([step("one\ntwo", "1\n2"), step("2", "zwei")]);
    desk.check(
        "multi_edit",
        json!({"file_path": "a", "edits": edits.to_string()}),
        expect!["edited `a` in 2 places (found with line ends and quotes taken alike): +2 −2 lines at line 1"],
    )
    .await;
    assert_eq!(desk.file("a"), "1\r\nzwei\r\n");
    desk.check(
        "edit",
        json!({"file_path": "latin", "old_string": "caf", "new_string": "x"}),
        expect!["[failed] `latin` is not UTF-8 text and can not be edited"],
    )
    .await;
}

#[tokio::test]
async fn files_are_found_newest_first_without_what_git_ignores() {
    let desk = Desk::with(&[
        (".gitignore", b"target/\n*.log\n!keep.log\n"),
        ("src/.gitignore", b"/made.rs\n"),
        ("src/main.rs", b""),
        ("src/made.rs", b""),
        ("src/deep/lib.rs", b""),
        ("deep/made.rs", b""),
        ("target/out.rs", b""),
        (".git/x.rs", b""),
        ("a.log", b""),
        ("keep.log", b""),
    ]);
    for (age, path) in ["deep/made.rs", "src/deep/lib.rs", "src/main.rs"].iter().enumerate() {
        let file = std::fs::File::open(desk.dir.path().join(path)).unwrap();
        let hours = std::time::Duration::from_secs(3_600 * (age as u64 + 1));
        file.set_modified(std::time::SystemTime::now() - hours).unwrap();
    }
    let all = json!({"pattern": "**/*.rs"});
    desk.check("glob", all, expect!["deep/made.rs\nsrc/deep/lib.rs\nsrc/main.rs"]).await;
    let names = json!({"pattern": "*.rs", "path": "src"});
    desk.check("glob", names, expect!["src/deep/lib.rs\nsrc/main.rs"]).await;
    desk.check("glob", json!({"pattern": "src/*.rs"}), expect!["src/main.rs"]).await;
    desk.check("glob", json!({"pattern": "*.log"}), expect!["keep.log"]).await;
    desk.check("glob", json!({"pattern": "*.py"}), expect!["No file fits."]).await;
    desk.check(
        "glob",
        json!({"pattern": "*", "path": "src/main.rs"}),
        expect![
            "[failed] `src/main.rs` is not a directory, or passes through something that is not"
        ],
    )
    .await;
    let wrong = tool("glob").plan(&json!({"pattern": "a{b"}), &desk.scene());
    expect![
        "`a{b` is no pattern: unclosed alternate group; missing '}' (maybe escape '{' with '[{]'?)"
    ]
    .assert_eq(&wrong.unwrap_err());
}

#[tokio::test]
async fn more_files_than_are_told_are_counted() {
    let names: Vec<String> = (0..130).map(|n| format!("f{n}")).collect();
    let files: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), &b""[..])).collect();
    let found = Desk::with(&files).call("glob", json!({"pattern": "f*"})).await;
    let text = text_of(&found.parts);
    assert!(text.ends_with("[the newest 100 of 130 files]"), "{text}");
}

#[tokio::test]
async fn lines_are_found_in_each_of_the_modes() {
    let desk = Desk::with(&[
        ("a.rs", b"fn main() {\n    let x = 1;\n}\n"),
        ("b.txt", b"Let it be\nlet go\r\nlet\n"),
        ("c.bin", b"let \0 binary\n"),
        ("d/e.rs", b"nothing\n"),
    ]);
    desk.check("grep", json!({"pattern": r"\blet\b"}), expect!["a.rs\nb.txt\n"]).await;
    let content =
        json!({"pattern": "let", "mode": "content", "glob": "*.txt", "ignore_case": true});
    desk.check("grep", content, expect!["b.txt:1:Let it be\nb.txt:2:let go\nb.txt:3:let\n"]).await;
    let around = json!({"pattern": "x = ", "mode": "content", "context": 1, "path": "a.rs"});
    desk.check("grep", around, expect!["a.rs-1-fn main() {\na.rs:2:    let x = 1;\na.rs-3-}\n"])
        .await;
    desk.check("grep", json!({"pattern": "let", "mode": "count"}), expect!["a.rs: 1\nb.txt: 2\n"])
        .await;
    let few = json!({"pattern": "let", "mode": "content", "limit": 2});
    desk.check(
        "grep",
        few,
        expect!["a.rs:2:    let x = 1;\nb.txt:2:let go\n[there may be more: narrow the search or raise limit]\n"],
    )
    .await;
    desk.check("grep", json!({"pattern": "zebra"}), expect!["Nothing was found.\n"]).await;
    let wrong = tool("grep").plan(&json!({"pattern": "a("}), &desk.scene()).unwrap_err();
    assert!(wrong.starts_with("`pattern` is no regular expression for lines: "), "{wrong}");
}

#[tokio::test]
async fn a_line_without_an_end_is_passed_over_and_told() {
    let long = vec![b'x'; 3 << 20];
    let desk = Desk::with(&[("long", &long), ("short", b"x\n")]);
    desk.check(
        "grep",
        json!({"pattern": "x", "mode": "count"}),
        expect!["short: 1\n[1 files could not be searched to their ends]\n"],
    )
    .await;
}

#[tokio::test]
async fn links_out_of_the_workspace_are_not_gone_through() {
    let desk = Desk::with(&[("in/x.txt", b"inside\n")]);
    let outside = Desk::with(&[("y.txt", b"inside too\n")]);
    std::os::unix::fs::symlink(outside.dir.path(), desk.dir.path().join("out")).unwrap();
    std::os::unix::fs::symlink(outside.dir.path().join("y.txt"), desk.dir.path().join("y.txt"))
        .unwrap();
    // The counterpart: they do lead there.
    assert_eq!(desk.file("out/y.txt"), "inside too\n");
    assert_eq!(desk.file("y.txt"), "inside too\n");
    desk.check("glob", json!({"pattern": "*.txt"}), expect!["in/x.txt"]).await;
    desk.check("grep", json!({"pattern": "inside"}), expect!["in/x.txt\n"]).await;
    for path in ["out", "y.txt"] {
        let refused = desk.call("grep", json!({"pattern": "inside", "path": path})).await;
        assert!(refused.failed && text_of(&refused.parts).contains("leads out"), "{path}");
    }
}

#[test]
fn a_plan_names_the_path_that_policy_judges() {
    let scene = scene(Path::new("/home/me/work"));
    let plan = |name: &str, arguments| tool(name).plan(&arguments, &scene);
    let edit =
        json!({"file_path": "/home/me/work/./.git//hooks/x", "old_string": "a", "new_string": "b"});
    expect![[r#"Ok(Change(Change { path: ".git/hooks/x" }))"#]]
        .assert_eq(&format!("{:?}", plan("edit", edit)));
    expect![[r#"Ok(Look(Look { path: "" }))"#]]
        .assert_eq(&format!("{:?}", plan("grep", json!({"pattern": "x"}))));
    let up = json!({"file_path": "a/../../b", "content": ""});
    expect![[r#"Err("`a/../../b` has `..`: name the path from the root of the workspace")"#]]
        .assert_eq(&format!("{:?}", plan("write", up)));
    let root = json!({"file_path": ".", "content": ""});
    expect![[r#"Err("that is the workspace itself, not a file in it")"#]]
        .assert_eq(&format!("{:?}", plan("write", root)));
}

#[test]
fn a_permission_reaches_as_far_as_the_directory() {
    let prefix = |path: &str| {
        let write = tool("write");
        let arguments = json!({"file_path": path, "content": ""});
        write.prefix(&planned(&*write, &arguments, &scene("/w")))
    };
    assert_eq!(prefix("src/a/b.rs").as_deref(), Some("src/a/"));
    assert_eq!(prefix("README.md"), None);
    assert_eq!(prefix(".git/hooks/pre-commit"), None);
}
