use expect_test::expect;
use moltis_proto::v1::part::Part as Inner;
use moltis_proto::v1::{Part, ToolStarted, WorkspaceRestored};

use super::*;

fn started(call: &str, tool: &str, arguments: &str) -> Kind {
    let (call, tool, arguments) = (call.to_owned(), tool.to_owned(), arguments.to_owned());
    Kind::ToolStarted(ToolStarted { call, tool, arguments, ..ToolStarted::default() })
}

fn finished(call: &str, ending: &str, text: &str) -> Kind {
    Kind::ToolFinished(ToolFinished {
        call: call.to_owned(),
        tool: "exec".to_owned(),
        ending: ending.to_owned(),
        parts: vec![Part { part: Some(Inner::Text(text.to_owned())) }],
        took: Some(prost_types::Duration { seconds: 1, nanos: 250_000_000 }),
        ..ToolFinished::default()
    })
}

fn told(acts: &mut Acts, kinds: &[Kind]) -> String {
    let acts = kinds.iter().filter_map(|kind| acts.tell(kind));
    acts.map(|act| format!("[{}]\n{}", act.line, act.below)).collect()
}

fn two_calls() -> Vec<Kind> {
    let lines: String = (1..=10).map(|n| format!("line {n}\n")).collect();
    vec![
        started("a", "exec", r#"{"timeout":5,"command":"cargo test\nrm x"}"#),
        started("b", "glob", r#"{"depth":2}"#),
        finished("b", "done", "src/main.rs"),
        finished("a", "failed", &lines),
    ]
}

#[test]
fn calls_side_by_side_are_told_apart_and_results_are_folded() {
    expect![[r#"
        [exec cargo test…]
        [glob {"depth":2}]
        [glob {"depth":2}: done, 1.2 s]
          src/main.rs
        [exec cargo test…: failed, 1.2 s]
          line 1
          line 2
          line 3
          line 4
          line 5
          line 6
          line 7
          line 8
          … 2 more lines
    "#]]
    .assert_eq(&told(&mut Acts::new(false), &two_calls()));
}

#[test]
fn nothing_is_folded_where_all_is_wanted() {
    let text = told(&mut Acts::new(true), &two_calls());
    assert!(text.contains(r#"[exec {"timeout":5,"command":"cargo test\nrm x"}]"#), "{text}");
    assert!(text.ends_with("  line 9\n  line 10\n"), "{text}");
}

#[test]
fn a_call_that_was_never_begun_has_its_end_too() {
    let mut acts = Acts::new(false);
    assert_eq!(told(&mut acts, &[finished("z", "denied", "")]), "[exec: denied, 1.2 s]\n");
}

#[test]
fn an_undo_says_what_it_left_alone() {
    let file = FileChange { path: "a.rs".to_owned(), kind: "modified".to_owned() };
    let restored = Kind::WorkspaceRestored(WorkspaceRestored {
        undone: "t".to_owned(),
        files: vec![file],
        kept: vec!["b.rs: changed since".to_owned()],
    });
    let text = told(&mut Acts::new(false), &[restored]);
    assert_eq!(text, "[undone: a.rs (modified), 1 left alone]\n");
}
