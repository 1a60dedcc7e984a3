//! What differs is shown as text, and never more of it than was asked for.

use std::os::unix::fs::symlink;

use expect_test::expect;
use moltis_core::checkpoint::Checkpoints;

use crate::rig::Rig;

#[tokio::test]
async fn a_diff_shows_three_lines_of_context() {
    let rig = Rig::new();
    rig.write("a.txt", "1\n2\n3\n4\n5\n6\n7\n8\n9\n");
    rig.write("gone", "only line");
    let before = rig.take().await;
    rig.write("a.txt", "1\n2\n3\n4\nfive\n6\n7\n8\n9\n");
    rig.write("new", "hello\n");
    rig.remove("gone");
    let after = rig.take().await;
    expect![[r#"
        --- a/a.txt
        +++ b/a.txt
        @@ -2,7 +2,7 @@
         2
         3
         4
        -5
        +five
         6
         7
         8
        --- a/gone
        +++ /dev/null
        @@ -1 +0,0 @@
        -only line
        \ No newline at end of file
        --- /dev/null
        +++ b/new
        @@ -0,0 +1 @@
        +hello
    "#]]
    .assert_eq(&rig.diff(&before, &after).await);
}

#[tokio::test]
async fn what_is_no_text_is_named() {
    let rig = Rig::new();
    rig.write("binary", b"\0\x01");
    rig.write("run", "x\n");
    rig.chmod("run", 0o644);
    rig.write("latin", b"caf\xe9");
    symlink("here", rig.path("link")).unwrap();
    let before = rig.take().await;
    rig.write("binary", b"\0\x02");
    rig.chmod("run", 0o755);
    rig.write("latin", b"caf\xe9s");
    rig.remove("link");
    symlink("there\nand there", rig.path("link")).unwrap();
    rig.write("large", "x".repeat(2 << 20));
    rig.write("empty", "");
    std::fs::create_dir(rig.path("void")).unwrap();
    let after = rig.take().await;
    expect![[r#"
        modified binary: not text
        created empty: empty
        created large: too large to be shown
        modified latin: not text
        --- a/link
        +++ b/link
        @@ -1 +1 @@
        -symlink to here
        +symlink to there\nand there
        mode of run: 644 -> 755
        created void/: a directory
    "#]]
    .assert_eq(&rig.diff(&before, &after).await);
}

#[tokio::test]
async fn what_a_sandbox_puts_in_the_places_of_what_steers_is_not_told() {
    let rig = Rig::new();
    let before = rig.take().await;
    std::fs::create_dir(rig.path(".vscode")).unwrap();
    std::fs::create_dir(rig.path(".envrc")).unwrap();
    rig.write(".husky/pre-commit", "true\n");
    let after = rig.take().await;
    expect!["+ .husky/pre-commit"].assert_eq(rig.changes(&before, &after).await.trim());
    let diff = rig.diff(&before, &after).await;
    assert!(diff.starts_with("--- /dev/null\n+++ b/.husky/pre-commit\n"), "{diff}");
    assert!(!diff.contains("a directory"), "{diff}");
    let gone = rig.diff(&after, &before).await;
    assert!(!gone.contains("a directory"), "{gone}");
}

#[tokio::test]
async fn a_diff_that_is_too_long_is_cut_and_says_so() {
    let rig = Rig::new();
    let before = rig.take().await;
    for name in ["a", "b", "c"] {
        rig.write(name, "a line of it\n".repeat(20));
    }
    let after = rig.take().await;
    let whole = rig.diff(&before, &after).await.len();
    for limit in 0..whole + 10 {
        let text = rig.checkpoints.diff(&before, &after, limit).await.unwrap();
        assert!(text.len() <= limit, "{} of {limit}", text.len());
        let is_whole = text.len() == whole;
        assert!(is_whole || text.ends_with("not shown in full\n") || limit < 100, "{text}");
        assert_eq!(is_whole, limit >= whole);
    }
    let cut = rig.checkpoints.diff(&before, &after, 450).await.unwrap();
    assert!(cut.ends_with("… cut at 450 bytes: 2 of 3 not shown in full\n"), "{cut}");
}
