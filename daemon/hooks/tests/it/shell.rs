//! The shell protocol, row by row, through programs that really run.

use std::time::{Duration, Instant};

use moltis_core::hook::{HookAdmin, Hooks, Point};
use serde_json::json;

use crate::home::{Home, info, occasion, reason, row_of, say, until};

/// What a command of the configuration says about a tool call.
async fn said(command: &str, more: &str) -> String {
    let mut home = Home::new();
    home.configure(&row(command, more));
    let hookery = home.open();
    let facts = json!({ "tool_name": "exec", "arguments": { "command": "ls" } });
    say(&hookery, Point::BeforeToolCall, facts).await
}

fn row(command: &str, more: &str) -> String {
    format!("name = \"it\"\nevents = [\"BeforeToolCall\"]\ncommand = '''{command}'''\n{more}")
}

const SAME: &str = r#"go on {"arguments":{"command":"ls"},"tool_name":"exec"}"#;

#[tokio::test]
async fn code_0_without_output_goes_on() {
    assert_eq!(said("true", "").await, SAME);
    assert_eq!(said("printf ' \\n'", "").await, SAME);
}

#[tokio::test]
async fn code_0_with_modify_replaces_facts() {
    let command = r#"echo '{"action":"modify","data":{"arguments":{"command":"pwd"}}}'"#;
    let changed = r#"go on {"arguments":{"command":"pwd"},"tool_name":"exec"}"#;
    assert_eq!(said(command, "").await, changed);
}

#[tokio::test]
async fn code_1_blocks_and_standard_error_is_the_reason() {
    assert_eq!(said("echo not here >&2; exit 1", "").await, "block: not here");
    assert_eq!(said("exit 1", "").await, "block: it gave no reason");
}

/// Each is a failure: passed over, unless the hook is a guard.
#[tokio::test]
async fn everything_else_is_a_failure_and_a_guard_that_fails_blocks() {
    let rows = [
        ("exit 2", "it ended with code 2"),
        ("echo oh >&2; exit 7", "it ended with code 7: oh"),
        ("kill -9 $$", "it was ended by signal 9"),
        ("echo no json", "its output is not the JSON of an action"),
        (r#"echo '{"action":"modfy","data":{}}'"#, "did you mean `modify`?"),
        (r#"echo '{"action":"modify"}'"#, "its `data` is no object"),
        (r#"echo '{"action":"modify","data":[]}'"#, "its `data` is no object"),
        (r#"echo '{"action":"modify","data":{"arguments":7}}'"#, "`arguments` is a number"),
        (r#"echo '{"action":"modify","data":{"tool_name":"x"}}'"#, "only `arguments`"),
        (r#"echo '{"action":"modify","data":{"toolname":"x"}}'"#, "did you mean `tool_name`?"),
        ("head -c 1048577 /dev/zero", "it said more than 1 MiB"),
        ("head -c 1048577 /dev/zero >&2", "it said more than 1 MiB"),
        ("./not-there.sh", "it ended with code 127"),
    ];
    for (command, why) in rows {
        assert_eq!(said(command, "").await, SAME, "{command}");
        let guarded = said(command, "on_failure = 'block'").await;
        assert!(guarded.starts_with("block: the hook `it`, a guard,"), "{command}: {guarded}");
        assert!(guarded.contains(why), "{command}: {guarded}");
    }
}

#[tokio::test]
async fn a_hook_is_told_the_facts_and_the_event_and_little_of_the_environment() {
    let mut home = Home::new();
    home.environment.insert("SLACK".to_owned(), "hook-url".to_owned());
    let more = "env = { OWN = 'mine' }\nrequires = { env = ['SLACK'] }";
    home.configure(&row("cat > told; env | sort > env; pwd > pwd", more));
    let hookery = home.open();
    say(&hookery, Point::BeforeToolCall, json!({ "tool_name": "exec" })).await;
    assert_eq!(home.text("config/told"), "{\"event\":\"BeforeToolCall\",\"tool_name\":\"exec\"}\n");
    assert_eq!(home.text("config/pwd").trim(), home.path("config").display().to_string());
    let env = home.text("config/env");
    let mut names: Vec<&str> = env.lines().filter_map(|line| line.split('=').next()).collect();
    // What the shell sets by itself.
    names.retain(|name| !["_", "SHLVL", "PWD", "OLDPWD"].contains(name));
    expect_test::expect![[
        r#"["HOME", "MOLTIS_HOOK_DATA", "MOLTIS_HOOK_DIR", "MOLTIS_HOOK_EVENT", "MOLTIS_HOOK_NAME", "MOLTIS_HOOK_WORKSPACE", "OWN", "PATH", "SLACK"]"#
    ]]
    .assert_eq(&format!("{names:?}"));
    assert!(!env.contains("sk-not-for-hooks"));
}

#[tokio::test]
async fn a_hook_that_reads_nothing_of_a_large_input_holds_nothing_up() {
    let mut home = Home::new();
    home.configure(&row("exec <&-; exit 1", "timeout = 100"));
    let hookery = home.open();
    let large = json!({ "text": "x".repeat(4 << 20) });
    let start = Instant::now();
    assert_eq!(say(&hookery, Point::BeforeToolCall, large).await, "block: it gave no reason");
    assert!(start.elapsed() < Duration::from_secs(60));
}

/// The process ids that a hook wrote down, of which none may live.
fn living(home: &Home) -> Vec<String> {
    let pids = home.text("config/pids");
    let pids = pids.split_whitespace().map(str::to_owned);
    // One that is dead and not yet reaped is dead.
    pids.filter(|pid| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        stat.rsplit(')')
            .next()
            .is_some_and(|rest| !rest.trim().is_empty() && !rest.trim_start().starts_with('Z'))
    })
    .collect()
}

/// Ignores the signal to end, forks, and waits in both.
const STUBBORN: &str = "trap '' TERM INT HUP; sleep 1000 & echo $$ $! >> pids; wait; sleep 1000";

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_hook_that_takes_too_long_is_killed_with_all_that_it_started() {
    let mut home = Home::new();
    home.configure(&row(STUBBORN, "timeout = 4\non_failure = 'block'"));
    let hookery = home.open();
    let start = Instant::now();
    let said = say(&hookery, Point::BeforeToolCall, json!({})).await;
    assert!(said.contains("it took longer than"), "{said}");
    assert!(start.elapsed() < Duration::from_secs(60));
    assert_eq!(home.text("config/pids").split_whitespace().count(), 2);
    until("all are dead", || living(&home).is_empty()).await;
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_caller_that_goes_away_takes_the_hook_with_it() {
    let mut home = Home::new();
    home.configure(&row(STUBBORN, "timeout = 100"));
    let hookery = home.open();
    {
        let call = hookery.call(occasion(Point::BeforeToolCall, json!({})));
        let mut call = std::pin::pin!(call);
        let started = until("it runs", || home.text("config/pids").ends_with('\n'));
        tokio::select! {
            _ = &mut call => panic!("it waits"),
            () = started => {}
        }
        assert_eq!(living(&home).len(), 2);
    }
    until("all are dead", || living(&home).is_empty()).await;
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn what_a_hook_leaves_behind_is_ended_and_does_not_hold_its_output_open() {
    let mut home = Home::new();
    home.configure(&row("sleep 1000 & echo $! > pids; exit 1", "timeout = 100"));
    let hookery = home.open();
    let start = Instant::now();
    assert_eq!(say(&hookery, Point::BeforeToolCall, json!({})).await, "block: it gave no reason");
    assert!(start.elapsed() < Duration::from_secs(60));
    until("it is dead", || living(&home).is_empty()).await;
}

#[tokio::test]
async fn a_hook_that_fails_three_times_is_left_alone() {
    let mut home = Home::new();
    home.configure(&row("echo run >> runs; exit 3", ""));
    let hookery = home.open();
    for _ in 0..6 {
        assert_eq!(say(&hookery, Point::BeforeToolCall, json!({})).await, "go on {}");
    }
    assert_eq!(home.text("config/runs").lines().count(), 3);
    let info = info(&hookery, "it", None).await;
    assert_eq!((info.calls, info.failures), (3, 3));
    assert_eq!(info.reason.unwrap(), "it failed too often: it is left alone for a minute");
}

#[tokio::test]
async fn a_guard_that_is_left_alone_still_blocks() {
    let mut home = Home::new();
    home.configure(&row("exit 3", "on_failure = 'block'"));
    let hookery = home.open();
    for _ in 0..5 {
        let said = say(&hookery, Point::BeforeToolCall, json!({})).await;
        assert!(said.starts_with("block: "), "{said}");
    }
}

#[tokio::test]
async fn a_dry_run_runs_hooks_and_follows_none() {
    let mut home = Home::new();
    home.configure(&row("touch ran; exit 1", "on_failure = 'block'"));
    home.settings.dry_run = true;
    let hookery = home.open();
    assert_eq!(say(&hookery, Point::BeforeToolCall, json!({})).await, "go on {}");
    assert!(home.path("config/ran").exists());
    // The same without a dry run.
    home.settings.dry_run = false;
    hookery.set(home.settings.clone());
    let said = say(&hookery, Point::BeforeToolCall, json!({})).await;
    assert_eq!(said, "block: it gave no reason");
}

#[tokio::test]
async fn what_is_missing_here_is_the_reason_and_a_guard_without_it_blocks() {
    let rows = [
        ("requires = { bins = ['no-such-program-here'] }", "the program `no-such-program-here`"),
        ("requires = { env = ['NOT_SET_HERE'] }", "the variable `NOT_SET_HERE`"),
        ("requires = { os = ['darwin'] }", "it is for darwin"),
    ];
    for (requires, why) in rows {
        if why.contains("darwin") && cfg!(target_os = "macos") {
            continue;
        }
        let mut home = Home::new();
        home.configure(&row("exit 1", requires));
        let hookery = home.open();
        let reason = reason(&hookery, "it", None).await;
        assert!(reason.contains(why), "{reason}");
        assert!(!hookery.wants(Point::BeforeToolCall, None));
        assert_eq!(say(&hookery, Point::BeforeToolCall, json!({})).await, "go on {}");

        home.settings.configured =
            vec![row_of(&row("exit 1", &format!("on_failure = 'block'\n{requires}")))];
        hookery.set(home.settings.clone());
        let said = say(&hookery, Point::BeforeToolCall, json!({})).await;
        assert!(said.contains("a guard, can't judge") && said.contains(why), "{said}");
    }
}

#[tokio::test]
async fn trying_a_hook_tells_what_it_did() {
    let mut home = Home::new();
    home.configure(&row("echo careful >&2; exit 1", ""));
    let hookery = home.open();
    let mut test = hookery.test("it", None, Point::BeforeToolCall).await.unwrap();
    test.took_ms = 0;
    expect_test::expect![[r#"
        HookTest {
            input: "{\"arguments\":{\"command\":\"echo hi\"},\"channel\":null,\"event\":\"BeforeToolCall\",\"session_key\":\"example\",\"tool_name\":\"exec\",\"workspace\":\"/tmp\"}",
            code: Some(
                1,
            ),
            stdout: "",
            stderr: "careful\n",
            verdict: "block: careful",
            took_ms: 0,
        }
    "#]]
    .assert_debug_eq(&test);
    let error = hookery.test("itt", None, Point::BeforeToolCall).await.unwrap_err();
    assert_eq!(error.message, "there is no hook `itt`: did you mean `it`?");
}
