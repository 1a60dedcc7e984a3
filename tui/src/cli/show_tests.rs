use expect_test::expect;
use moltis_proto::v1::{Approval, FileChange, Grant, Origin, Settings, Spawned};

use super::*;

#[test]
fn a_session_at_work_shows_where_it_works_what_it_may_and_what_it_waits_for() {
    let question = Approval {
        id: "01a".to_owned(),
        tool: "exec".to_owned(),
        subject: "cargo publish".to_owned(),
        ..Approval::default()
    };
    let session = Session {
        id: "01s".to_owned(),
        settings: Some(Settings {
            workspace: "/work/a".to_owned(),
            approvals: "on-miss".to_owned(),
            mount: "rw".to_owned(),
            network: "listed".to_owned(),
            ..Settings::default()
        }),
        taint: Origin::Web.into(),
        sensitive: true,
        grants: vec![Grant { pattern: "exec: cargo".to_owned(), tainted: false }],
        pending: vec![question],
        spawned: Some(Spawned { parent: "01p".to_owned(), depth: 1, ..Spawned::default() }),
        ..Session::default()
    };
    let file = |path: &str| FileChange { path: path.to_owned(), kind: "created".to_owned() };
    let changed = DiffResponse { files: vec![file("a.rs")], ..DiffResponse::default() };
    let shown = fields(&session, Some(&changed)).into_iter().filter(|(name, value)| {
        let dull = ["created", "changed", "messages", "events", "input", "output", "context"];
        !value.is_empty() && !dull.contains(name)
    });
    let text: String = shown.map(|(name, value)| format!("{name:11}  {value}\n")).collect();
    expect![[r#"
        id           01s
        state        waiting
        workspace    /work/a
        approvals    on-miss
        mount        rw
        network      listed
        taint        web, sensitive
        spawned by   01p (depth 1)
        allowed      exec: cargo
        waits for    exec cargo publish (moltis approve 01a)
        last change  a.rs (created)
    "#]]
    .assert_eq(&text);
}

#[test]
fn a_session_that_only_talked_shows_nothing_of_that() {
    let names = fields(&Session::default(), None).into_iter();
    let names: Vec<&str> =
        names.filter(|(_, value)| !value.is_empty()).map(|(name, _)| name).collect();
    for absent in ["workspace", "taint", "allowed", "waits for", "last change"] {
        assert!(!names.contains(&absent), "{names:?}");
    }
}
