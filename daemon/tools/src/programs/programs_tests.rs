use std::sync::Arc;
use std::time::Duration;

use expect_test::expect;
use moltis_core::message::text_of;
use moltis_core::sandbox::{Exit, Mount, Network, Sandbox};
use moltis_core::tool::{Cleaner, Outcome, Output, Scene, Tool};
use serde_json::{Value, json};

use super::{Process, SCREEN};
use crate::fakes::{Deaf, FakeSandbox, allowed, call, planned, scene};
use crate::programs::exec::Exec;

async fn exec(exit: Exit) -> Outcome {
    let sandbox = FakeSandbox::ending(exit);
    call(&Exec::new(Arc::new(sandbox)), json!({"command": "true"}), &scene("/w")).await
}

fn exited(code: i64, stdout: &str, stderr: &str) -> Exit {
    let (stdout, stderr) = (stdout.to_owned(), stderr.to_owned());
    Exit { code, stdout, stderr, ended_by: None, took: Duration::from_millis(12) }
}

#[tokio::test]
async fn what_runs_is_what_was_authorized_in_the_scene_that_it_was_planned_for() {
    let sandbox = Arc::new(FakeSandbox::default());
    let tool = Exec::new(Arc::clone(&sandbox) as Arc<dyn Sandbox>);
    let hosts = vec!["crates.io".to_owned()];
    let scene = Scene { mount: Mount::ReadOnly, network: Network::Listed, hosts, ..scene("/w") };
    let arguments = json!({"command": "ls -l", "timeout": "5", "working_dir": "/w/src/"});
    call(&tool, arguments, &scene).await;
    expect![[r#"exec Run { command: "ls -l", typed: false, directory: "src", timeout: 5s, network: Listed, hosts: ["crates.io"], mount: ReadOnly } ReadOnly Listed"#]]
        .assert_eq(&sandbox.log().join("\n"));
}

#[tokio::test]
async fn a_program_that_fails_is_told_and_one_that_was_ended_is_a_failure() {
    let outcome = exec(exited(1, "some output\n", "a complaint")).await;
    assert!(!outcome.failed && outcome.sensitive);
    expect![[r#"
        [exit code 1, 12 ms]
        some output
        [standard error]
        a complaint"#]]
    .assert_eq(&text_of(&outcome.parts));
    let quiet = exec(exited(0, "", "")).await;
    expect!["[exit code 0, 12 ms]\n[it printed nothing]\n"].assert_eq(&text_of(&quiet.parts));
    let ended_by = Some("timeout".to_owned());
    let took = Duration::from_secs(30);
    let ended = exec(Exit { ended_by, took, ..exited(137, "half", "") }).await;
    assert!(ended.failed);
    expect!["[ended by timeout after 30000 ms, exit code 137]\nhalf"]
        .assert_eq(&text_of(&ended.parts));
}

#[tokio::test]
async fn what_is_left_out_of_long_output_is_named() {
    let long = format!("begin {} end", "é".repeat(100_000));
    let text = text_of(&exec(exited(0, &long, &long)).await.parts);
    assert!(text.len() < 45_000, "{} bytes", text.len());
    assert_eq!(text.matches("begin ").count(), 2);
    assert_eq!(text.matches(" end").count(), 2);
    assert!(text.contains("of 200010 bytes left out …]"), "{}", &text[15_900..16_200]);
}

#[test]
fn what_can_not_run_is_refused_with_the_reason() {
    let tool = Exec::new(Arc::new(FakeSandbox::default()));
    let refused = |arguments: Value, scene: &Scene| tool.plan(&arguments, scene).unwrap_err();
    let nowhere = Scene { workspace: None, ..scene("/w") };
    let said = [
        refused(json!({"command": " "}), &scene("/w")),
        refused(json!({"command": "ls", "working_dir": "/etc"}), &scene("/w")),
        refused(json!({"command": "ls", "working_dir": "src"}), &nowhere),
    ];
    expect![[r#"
        the command is empty or has a zero byte
        working_dir: `/etc` is outside of the workspace: paths are relative to its root; elsewhere in the sandbox, use `cd`
        working_dir: the session works on no directory; leave it out"#]]
    .assert_eq(&said.join("\n"));
    assert!(refused(json!({"command": "ls", "timeout": 1801}), &scene("/w")).contains("1 to 1800"));
}

#[test]
fn a_permission_for_commands_reaches_as_far_as_their_first_words_say() {
    let tool = Exec::new(Arc::new(FakeSandbox::default()));
    let prefix =
        |command: &str| tool.prefix(&planned(&tool, &json!({"command": command}), &scene("/w")));
    assert_eq!(prefix("cargo test --all").as_deref(), Some("cargo test"));
    assert_eq!(prefix("ls -l").as_deref(), Some("ls"));
    assert_eq!(prefix("cat a.txt").as_deref(), Some("cat"));
    for more_than_it_says in [
        "cargo test; rm -r x",
        "python3.12 x.py",
        "/bin/sh x",
        "env rm x",
        "a $(b)",
        "./x.sh",
        ". x",
        "tar -I x a",
        "find a -exec x",
    ] {
        assert_eq!(prefix(more_than_it_says), None, "{more_than_it_says}");
    }
}

#[tokio::test]
async fn programs_that_go_on_are_started_typed_into_and_ended() {
    let sandbox = Arc::new(FakeSandbox::default());
    let tool = Process::new(Arc::clone(&sandbox) as Arc<dyn Sandbox>);
    let mut said = Vec::new();
    for arguments in [
        json!({"action": "start", "command": "python3", "name": "repl"}),
        json!({"action": "send_keys", "keys": "C-c Enter"}),
        json!({"action": "paste", "text": "print(1)\n"}),
        json!({"action": "poll"}),
        json!({"action": "poll", "name": "gone"}),
        json!({"action": "list"}),
        json!({"action": "kill"}),
    ] {
        let outcome = call(&tool, arguments, &scene("/w")).await;
        let failed = if outcome.failed { "[failed] " } else { "" };
        said.push(format!("{failed}{}", text_of(&outcome.parts)));
    }
    expect![[r#"
        `repl` runs: poll it to see its screen.
        It was typed into `main`: poll it to see what that did.
        It was typed into `main`: poll it to see what that did.
        [main: running: python3]
        >>> 
        [failed] no program `gone` goes on
        main: ended with exit code 1: python3
        `main` was ended."#]]
    .assert_eq(&said.join("\n"));
    expect![[r#"
        Start { name: "repl" } python3
        SendKeys { name: "main", keys: true } C-c Enter
        SendKeys { name: "main", keys: false } print(1)

        kill main"#]]
    .assert_eq(&sandbox.log().join("\n"));
}

#[test]
fn typing_into_a_program_is_judged_as_a_run_and_looking_at_it_is_not() {
    let tool = Process::new(Arc::new(FakeSandbox::default()));
    let plan = |arguments: Value| format!("{:?}", tool.plan(&arguments, &scene("/w")));
    let typed = plan(json!({"action": "paste", "text": "rm -r /"}));
    assert!(typed.starts_with("Ok(Run(Run { command: \"rm -r /\""), "{typed}");
    assert_eq!(plan(json!({"action": "poll"})), "Ok(Inward)");
    assert_eq!(plan(json!({"action": "kill"})), "Ok(Inward)");
    assert_eq!(plan(json!({"action": "start"})), "Err(\"this action needs `command`\")");
    assert_eq!(
        plan(json!({"action": "poll", "name": "a;b"})),
        "Err(\"`name` has 1 to 32 letters, digits, - and _\")"
    );
}

/// Takes a word out of a text that comes in one piece.
struct Without(&'static str);

impl Cleaner for Without {
    fn push(&mut self, text: &str) -> String {
        text.replace(self.0, "[NAME]")
    }

    fn rest(&mut self) -> String {
        String::new()
    }
}

/// Keeps that word from everybody.
struct Clean;

impl Output for Clean {
    fn push(&self, _text: &str) {}

    fn cleaner(&self) -> Box<dyn Cleaner> {
        Box::new(Without("the-secret"))
    }
}

#[tokio::test]
async fn a_secret_on_a_screen_is_not_shown_in_part_where_the_screen_is_cut() {
    let half = SCREEN / 2;
    let screen = format!("{}the-secret{}", ".".repeat(half - 5), ".".repeat(SCREEN));
    let tool = Process::new(Arc::new(FakeSandbox::showing(&screen)));
    let poll = async |output: &dyn Output| {
        let call = allowed(planned(&tool, &json!({"action": "poll"}), &scene("/w")));
        text_of(&tool.run(call, &scene("/w"), output).await.parts)
    };
    let clean = poll(&Clean).await;
    assert!(!clean.contains("the") && clean.contains("[NAM"), "{clean}");
    // The counterpart: half of it shows, and nobody finds that later.
    assert!(poll(&Deaf).await.contains("the-s\n[…"));
}
