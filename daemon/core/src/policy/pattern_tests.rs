use serde_json::json;

use super::*;
use crate::event::Origin;
use crate::policy::{Grants, Label, Mode, Principal, Verdict, authorize};
use crate::sandbox::{Mount, Network};
use crate::tool::{Change, Outbound, Run};

fn call(tool: &str, action: Action) -> Call {
    Call { id: "c".into(), tool: tool.to_owned(), arguments: json!({}), action }
}

fn run(command: &str) -> Run {
    Run {
        command: command.to_owned(),
        typed: false,
        directory: String::new(),
        timeout: std::time::Duration::from_secs(30),
        network: Network::None,
        hosts: Vec::new(),
        mount: Mount::ReadWrite,
    }
}

fn exec(command: &str) -> Call {
    call("exec", Action::Run(run(command)))
}

fn send(to: &str) -> Call {
    call("web_fetch", Action::Send(Outbound { to: to.to_owned(), what: String::new() }))
}

/// What becomes of a call where only this pattern allows anything.
fn verdict(pattern: &str, call: Call, label: Label) -> &'static str {
    let allow = vec![Pattern::parse(pattern).unwrap()];
    let grants = Grants { mode: Mode::OnMiss, allow, ..Grants::default() };
    match authorize(Principal::Model, call, label, &grants) {
        Verdict::Allowed(_) => "allowed",
        Verdict::Ask(_) => "asked",
        Verdict::Denied(_) => "denied",
    }
}

#[test]
fn a_command_that_does_more_than_it_begins_with_is_not_covered() {
    let allowed = "exec: git status";
    for command in ["git status", "git status -s", "git status  --short"] {
        assert_eq!(verdict(allowed, exec(command), Label::CLEAN), "allowed", "{command}");
    }
    let more = [
        "git statusx",
        "git status; rm x",
        "git status && rm x",
        "git status | sh",
        "git status $(rm x)",
        "git status `rm x`",
        "git status\nrm x",
        "git status > x",
        "git status &",
        "GIT_PAGER=x git status",
        "git",
        "git status 'a",
        "git status \\\nrm",
        "git status {a,b}",
        "git status <(rm)",
        "git status ~/x",
        "git status *",
    ];
    for command in more {
        assert_eq!(verdict(allowed, exec(command), Label::CLEAN), "asked", "{command}");
    }
}

#[test]
fn a_host_that_is_allowed_allows_no_other_that_looks_like_it() {
    let allowed = "web_fetch: https://docs.rs";
    for url in ["https://docs.rs", "https://docs.rs/", "https://docs.rs/serde?x#y"] {
        assert_eq!(verdict(allowed, send(url), Label::CLEAN), "allowed", "{url}");
    }
    for url in [
        "https://docs.rs.evil.example/",
        "https://docs.rs@evil.example/",
        "http://docs.rs/",
        "https://docs.rs:8443/",
        "https://docs.rsx/",
        "https://docs.rs/../x",
    ] {
        assert_eq!(verdict(allowed, send(url), Label::CLEAN), "asked", "{url}");
    }
}

/// Each is another program than `git` to a shell, or more than one.
#[test]
fn a_program_that_is_allowed_allows_no_other_however_the_line_is_spelled() {
    for command in ["git", "git status", "git\tstatus", " git status\n", "git \u{a0}status"] {
        let expected = if command.contains('\n') { "asked" } else { "allowed" };
        assert_eq!(verdict("exec: git", exec(command), Label::CLEAN), expected, "{command:?}");
    }
    // With nothing beside it, the end of the line is one to a shell as well.
    assert_eq!(verdict("exec: git", exec("git\n"), Label::CLEAN), "allowed");
    for command in [
        "git-evil",
        "git.sh",
        "git/../evil",
        "./git",
        "/tmp/git",
        "git\u{a0}",
        "git\u{a0}status",
        "git\u{2003}status",
        "git\u{200b} status",
        "\u{feff}git status",
        "g\u{456}t status",
        "git\r",
        "git\u{b}status",
        "git\u{c}status",
        "git\u{85}",
        "Git status",
        "env git status",
        "GIT_EXTERNAL_DIFF=./evil git diff",
        "$'git' status",
        "g'i't status",
        "git status\n./evil",
        "git status & ./evil",
        "git -c core.pager=./evil log",
        "git log --output=.git/hooks/x",
        "! git status",
    ] {
        assert_eq!(verdict("exec: git", exec(command), Label::CLEAN), "asked", "{command:?}");
    }
}

/// What a named program is made to do by its arguments is covered: the sandbox holds it. Said where
/// it is granted, and here, so that nobody takes it for an oversight.
#[test]
fn a_program_that_is_allowed_may_be_made_to_run_others_by_its_own_arguments() {
    for (pattern, command) in [
        ("exec: git", "git --exec-path ./evil status"),
        ("exec: find", "find . -exec ./evil {} +"),
        ("exec: env", "env ./evil"),
        ("exec: tar", "tar -I ./evil -xf a.tar"),
        ("exec: cargo test", "cargo test"),
    ] {
        let expected = if command.contains('{') { "asked" } else { "allowed" };
        assert_eq!(verdict(pattern, exec(command), Label::CLEAN), expected, "{command}");
    }
}

#[test]
fn a_pattern_for_commands_does_not_cover_what_is_typed_into_a_program() {
    let type_in = |text: &str| call("process", Action::Run(Run { typed: true, ..run(text) }));
    let typed = type_in("ls Enter rm Space -r Space x Enter");
    assert_eq!(verdict("process: ls", typed.clone(), Label::CLEAN), "asked");
    assert_eq!(verdict("*: ls", typed.clone(), Label::CLEAN), "asked");
    assert_eq!(verdict("process:", typed, Label::CLEAN), "allowed");
    assert_eq!(verdict("process: y Enter", type_in("y Enter"), Label::CLEAN), "allowed");
}

#[test]
fn a_folder_that_is_allowed_allows_no_other_that_looks_like_it() {
    let change = |path: &str| call("write", Action::Change(Change { path: path.to_owned() }));
    for (path, expected) in [
        ("src", "allowed"),
        ("src/a.rs", "allowed"),
        ("src/../a.rs", "asked"),
        ("src#x", "asked"),
        ("src?x", "asked"),
        ("srcx/a.rs", "asked"),
        ("SRC/a.rs", "asked"),
    ] {
        assert_eq!(verdict("write: src", change(path), Label::CLEAN), expected, "{path}");
    }
}

#[test]
fn a_pattern_that_names_no_place_lets_nothing_leave_a_session_that_could_leak() {
    let leaky = Label { taint: Origin::Web, sensitive: true };
    for (pattern, expected) in [
        ("web_fetch:", "asked"),
        ("web_fetch: https:", "asked"),
        ("web_fetch: https:/", "asked"),
        ("web_fetch: https://", "asked"),
        ("*: https://", "asked"),
        ("web_fetch: https://a.example", "allowed"),
    ] {
        let to = send("https://a.example/x?what");
        assert_eq!(verdict(pattern, to, leaky), expected, "{pattern}");
    }
}

#[test]
fn blanks_and_quotes_do_not_hide_what_is_forbidden() {
    let deny = vec![Pattern::parse("exec: git push").unwrap()];
    let grants = Grants { deny, ..Grants::default() };
    for command in ["git  push", "git\tpush", "git 'push'", "g\\it p\"us\"h", "a && git\\\n push"] {
        let verdict = authorize(Principal::Model, exec(command), Label::CLEAN, &grants);
        assert!(matches!(verdict, Verdict::Denied(_)), "{command:?}");
    }
    let verdict = authorize(Principal::Model, exec("git pull"), Label::CLEAN, &grants);
    assert!(matches!(verdict, Verdict::Allowed(_)));
}

#[test]
fn a_pattern_reads_back_as_it_is_written() {
    for line in ["exec: cargo test", "exec:", "*: x", "web_fetch: https://a.example/b"] {
        assert_eq!(Pattern::parse(line).unwrap().line(), line);
    }
    for line in ["exec", ": x", "a b: c"] {
        assert!(Pattern::parse(line).is_err(), "{line}");
    }
}
