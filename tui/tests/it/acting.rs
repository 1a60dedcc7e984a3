//! What is allowed, changed and run: `trust`, `sessions set|diff|undo`, `hooks`, `sandbox`, `doctor`.

use moltis_proto::v1::{FileChange, Grant, Hook, SandboxStatus, Session, Settings};
use serde_json::json;

use crate::fake::{Fake, SESSION, Script, TURN, session};
use crate::run::Home;

fn playing(script: Script) -> (Home, Fake) {
    let home = Home::new();
    let fake = Fake::start(&home.socket(), script);
    (home, fake)
}

fn trusting() -> Script {
    let grants = vec![
        Grant { pattern: "exec: cargo".to_owned(), tainted: false },
        Grant { pattern: "exec: git".to_owned(), tainted: true },
    ];
    let allow = vec!["exec: ls".to_owned(), "exec: git".to_owned()];
    Script { sessions: vec![Session { grants, ..session() }], allow, ..Script::default() }
}

#[test]
fn what_is_allowed_is_listed_with_where_it_holds() {
    let (home, _fake) = playing(trusting());
    let ran = home.run(&["trust", "list", "--json"]);
    assert_eq!(
        ran.json()[0],
        json!({ "pattern": "exec: ls", "where": "config", "session": null, "tainted": false })
    );
    assert_eq!(
        ran.json()[3],
        json!({ "pattern": "exec: git", "where": "session", "session": SESSION, "tainted": true })
    );
    let ran = home.run(&["trust", "list"]);
    assert!(ran.stdout.contains("exec: ls     everywhere\n"), "{ran:?}");
    assert!(ran.stdout.contains("exec: git    main        yes\n"), "{ran:?}");
}

#[test]
fn what_is_revoked_is_gone_everywhere_or_in_one_session() {
    let (home, fake) = playing(trusting());
    let ran = home.run(&["trust", "revoke", "exec: git", "-s", "main"]);
    assert_eq!(ran.stdout, "exec: git is not allowed any more: main\n", "{ran:?}");
    fake.heard(|heard| {
        assert_eq!(heard.revokes[0].pattern, "exec: git");
        assert!(heard.asked.is_empty());
    });
    let ran = home.run(&["trust", "revoke", "exec: git", "--json"]);
    assert_eq!(ran.json()["revoked"].as_array().unwrap().len(), 2, "{ran:?}");
    fake.heard(|heard| {
        assert_eq!(heard.revokes.len(), 2);
        assert_eq!(heard.asked, [r#"approvals.allow = ["exec: ls"]"#]);
    });
    let ran = home.run(&["trust", "revoke", "exec"]);
    assert_eq!(ran.code, 1);
    assert!(ran.stderr.ends_with("hint: moltis trust list\n"), "{ran:?}");
}

#[test]
fn settings_that_are_not_named_stay() {
    let held = Settings { effort: "low".to_owned(), queue: 2, ..Settings::default() };
    let sessions = vec![Session { settings: Some(held), ..session() }];
    let (home, fake) = playing(Script { sessions, ..Script::default() });
    let directory = home.dir.path().to_str().unwrap();
    let words = ["sessions", "set", "main", "--approvals", "auto", "--workspace", directory];
    let ran = home.run(&[&words[..], &["--json"]].concat());
    assert_eq!(ran.json()["settings"]["approvals"], "auto", "{ran:?}");
    let words = ["sessions", "set", "main", "--effort", "", "--agent", "reviewer"];
    assert_eq!(home.run(&words).code, 0);
    fake.heard(|heard| {
        let first = heard.configures[0].settings.clone().unwrap();
        assert_eq!((first.effort.as_str(), first.queue), ("low", 2));
        assert!(first.workspace.starts_with('/'));
        let second = heard.configures[1].settings.clone().unwrap();
        assert_eq!((second.effort.as_str(), second.queue), ("", 2));
        assert_eq!((first.preset.as_str(), second.preset.as_str()), ("", "reviewer"));
    });
    assert_eq!(home.run(&["sessions", "set", "main", "--approvals", "never"]).code, 2);
    assert_eq!(home.run(&["sessions", "set", "main"]).code, 2);
}

#[test]
fn a_new_session_can_be_bound_to_a_directory() {
    let (home, fake) = playing(Script::default());
    let mut command = home.command(&["send", "--new", "--workspace", ".", "--detach", "hello"]);
    command.current_dir(home.dir.path());
    let ran = crate::run::end(command.spawn().unwrap());
    assert_eq!(ran.code, 0, "{ran:?}");
    let real = home.dir.path().canonicalize().unwrap();
    fake.heard(|heard| {
        let settings = heard.creates[0].settings.clone().unwrap();
        assert_eq!(settings.workspace, real.to_str().unwrap());
    });
    assert_eq!(home.run(&["send", "--workspace", ".", "hello"]).code, 2);
}

#[test]
fn a_turns_changes_are_shown_and_undone() {
    let file = FileChange { path: "a.rs".to_owned(), kind: "modified".to_owned() };
    let (home, _fake) = playing(Script { changed: vec![file], ..Script::default() });
    let ran = home.run(&["sessions", "show", "main", "--json"]);
    assert_eq!(ran.json()["changed"]["files"], json!([{ "path": "a.rs", "change": "modified" }]));
    let ran = home.run(&["sessions", "diff", "main"]);
    assert_eq!(ran.stdout, "--- a/a.rs\n+++ b/a.rs\n@@ -1 +1 @@\n-old\n+new\n", "{ran:?}");
    let ran = home.run(&["sessions", "diff", "main", TURN, "--json"]);
    assert_eq!(
        (&ran.json()["turn"], &ran.json()["files"][0]["path"]),
        (&json!(TURN), &json!("a.rs"))
    );
    let ran = home.run(&["sessions", "undo", "main"]);
    assert_eq!(ran.stdout, "modified  a.rs\n");
    assert_eq!(ran.stderr, "moltis: left alone: b.rs: changed since\n");
    let ran = home.run(&["sessions", "undo", "main"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (1, ""));
    let ran = home.run(&["sessions", "show", "main", "--json"]);
    assert_eq!(ran.json()["changed"], json!(null));
}

fn hook(name: &str, reason: &str) -> Hook {
    Hook {
        name: name.to_owned(),
        description: "says things".to_owned(),
        points: vec!["Command".to_owned()],
        eligible: reason.is_empty(),
        enabled: true,
        reason: reason.to_owned(),
        ..Hook::default()
    }
}

#[test]
fn hooks_are_listed_enabled_and_tried() {
    let hooks = vec![hook("log", ""), hook("broken", "nobody trusted it")];
    let (home, fake) = playing(Script { hooks, ..Script::default() });
    let ran = home.run(&["hooks", "list"]);
    assert!(
        ran.stdout.contains("broken  no    Command      0       0  nobody trusted it"),
        "{ran:?}"
    );
    let ran = home.run(&["hooks", "list", "--eligible", "--json"]);
    assert_eq!(ran.json().as_array().unwrap().len(), 1);
    let ran = home.run(&["hooks", "info", "broken"]);
    assert!(ran.stdout.contains("why not   nobody trusted it\n"), "{ran:?}");
    let ran = home.run(&["hooks", "enable", "broken"]);
    assert_eq!(ran.stderr, "moltis: it does not run yet: nobody trusted it\n");
    assert_eq!(home.run(&["hooks", "disable", "log", "--json"]).json()["enabled"], false);
    assert_eq!(home.run(&["hooks", "reload", "--json"]).json(), json!({ "hooks": 3 }));
    let ran = home.run(&["hooks", "test", "log", "--event", "Command"]);
    assert!(ran.stdout.starts_with("go on: exit 0 after 3 ms\n"), "{ran:?}");
    let ran = home.run(&["hooks", "test", "broken", "--event", "Command", "--json"]);
    assert_eq!((ran.code, &ran.json()["verdict"]), (1, &json!("failed: exit 1")));
    let ran = home.run(&["hooks", "enable", "none"]);
    assert_eq!(
        ran.stderr,
        "moltis: cannot enable the hook: there is no such hook\nhint: list them\n"
    );
    fake.heard(|heard| assert!(heard.asked.contains(&"test log Command".to_owned())));
}

#[test]
fn the_sandbox_is_shown_built_and_cleaned() {
    let sandbox = SandboxStatus {
        backend: "podman".to_owned(),
        detail: "5.2 at /run/podman.sock".to_owned(),
        image: "moltis:1".to_owned(),
        lacks: vec!["a limit of memory".to_owned()],
        hosts: vec!["crates.io".to_owned(), "*.example.org".to_owned()],
        ..SandboxStatus::default()
    };
    let (home, fake) = playing(Script { sandbox, ..Script::default() });
    let ran = home.run(&["sandbox", "status"]);
    assert_eq!(
        ran.stdout,
        "backend  podman: 5.2 at /run/podman.sock\n\
         lacks    a limit of memory\n\
         image    moltis:1 (not built yet)\n\
         listed   crates.io, *.example.org\n\
         running  0\n"
    );
    let ran = home.run(&["sandbox", "status", "--probe", "--json"]);
    assert_eq!((&ran.json()["backend"], &ran.json()["hint"]), (&json!("podman"), &json!(null)));
    fake.heard(|heard| assert_eq!(heard.asked, ["probe"]));
    let ran = home.run(&["sandbox", "list", "--json"]);
    assert_eq!(
        (&ran.json()[0]["tag"], &ran.json()[0]["bytes"]),
        (&json!("moltis:1"), &json!(91_700_000))
    );
    assert_eq!(home.run(&["sandbox", "build"]).stdout, "the image is made\n");
    let steps = home.run(&["sandbox", "build", "--json"]).lines();
    assert_eq!((&steps[0]["phase"], &steps[1]["type"]), (&json!("installing"), &json!("done")));
    assert_eq!(home.run(&["sandbox", "clean"]).stdout, "removed moltis:0\n");
    let ran = home.run(&["sandbox", "remove", "moltis:7", "--json"]);
    assert_eq!(ran.json(), json!({ "removed": ["moltis:7"] }));
}

#[test]
fn a_machine_without_a_sandbox_says_what_mends_that() {
    let sandbox = SandboxStatus {
        detail: "no engine answers".to_owned(),
        hint: "install podman".to_owned(),
        ..SandboxStatus::default()
    };
    let hooks = vec![hook("log", "nobody trusted it"), hook("boot", "")];
    let (home, _fake) = playing(Script { sandbox, hooks, ..Script::default() });
    let ran = home.run(&["sandbox", "status"]);
    assert_eq!(ran.stdout, "backend  none: no engine answers\nhint: install podman\n");
    let ran = home.run(&["sandbox", "build"]);
    assert_eq!(ran.code, 1);
    assert_eq!(
        ran.stderr,
        "moltis: cannot make the image: there is no engine\nhint: install one\n"
    );
    let findings = home.run(&["doctor", "--json"]).json();
    let of = |check: &str| -> Vec<_> {
        let all = findings.as_array().unwrap().iter();
        all.filter(|finding| finding["check"] == check).cloned().collect()
    };
    let sandbox = &of("sandbox")[0];
    assert_eq!((&sandbox["state"], &sandbox["hint"]), (&json!("warn"), &json!("install podman")));
    let hooks = of("hooks");
    assert_eq!(hooks[0]["detail"], "1 of 2 run");
    assert_eq!(hooks[1]["detail"], "log does not run: nobody trusted it");
}

#[test]
fn a_command_that_is_typed_into_a_chat_runs_from_a_script() {
    let (home, fake) = playing(Script::default());
    let ran = home.run(&["sessions", "command", "main", "/agent"]);
    assert_eq!(ran.stdout, "kinds of agents: reviewer\n", "{ran:?}");
    let ran = home.run(&["--json", "sessions", "command", "main", "new", "a", "title"]);
    assert_eq!(
        ran.json(),
        json!({
            "session": SESSION,
            "text": "session 02",
            "made": "02",
            "turn": null,
            "output": null,
            "ending": null,
        })
    );
    let ran = home.run(&["sessions", "command", "main", "/cleer"]);
    assert_eq!(ran.code, 1);
    assert!(ran.stderr.ends_with("hint: did you mean `/clear`?\n"), "{ran:?}");
    fake.heard(|heard| {
        let typed = ["command /agent", "command /new a title", "command /cleer"];
        assert_eq!(heard.asked, typed);
    });
}
