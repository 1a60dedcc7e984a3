//! What was found runs when the owner enabled it, and only as it was then.

use std::fs;
use std::os::unix::fs::symlink;
use std::time::Duration;

use moltis_core::Code;
use moltis_core::hook::{HookAdmin, Hooks, Occasion, Point};
use moltis_hooks::Hookery;
use serde_json::json;

use crate::home::{Home, info, reason, say, shown, write};

const BLOCKS: &str = "events = ['BeforeToolCall']";

async fn at_work(hookery: &Hookery, home: &Home) -> String {
    let (point, workspace) = (Point::BeforeToolCall, Some(home.workspace()));
    shown(hookery.call(Occasion { point, workspace, facts: json!({}) }).await)
}

#[tokio::test]
async fn nothing_in_a_workspace_or_home_runs_before_it_is_enabled() {
    let home = Home::new();
    let ran = home.path("ran");
    let script = format!("echo $MOLTIS_HOOK_NAME >> {}; exit 1", ran.display());
    write(&home.work_hooks(), "theirs", BLOCKS, &script);
    write(&home.home_hooks(), "mine", BLOCKS, &script);
    let hookery = home.open();
    let work = Some(home.workspace());
    assert_eq!(at_work(&hookery, &home).await, "go on {}");
    for name in ["theirs", "mine"] {
        let info = info(&hookery, name, work.clone()).await;
        assert!(!info.eligible && !info.enabled && !info.trusted);
        assert_eq!(
            info.reason.unwrap(),
            format!("it is not trusted: read it, then `moltis hooks enable {name}`")
        );
        // Trying it is running it.
        let error = hookery.test(name, work.clone(), Point::BeforeToolCall).await.unwrap_err();
        assert_eq!(error.code, Code::Denied);
    }
    assert!(!ran.exists());
    // What would have run: the counterpart.
    hookery.enable("theirs", work.clone(), true).await.unwrap();
    assert_eq!(at_work(&hookery, &home).await, "block: it gave no reason");
    assert_eq!(home.text("ran"), "theirs\n");
    hookery.enable("theirs", work, false).await.unwrap();
    assert_eq!(at_work(&hookery, &home).await, "go on {}");
}

#[tokio::test]
async fn a_changed_byte_in_any_file_takes_the_trust_away_and_says_so() {
    let changes: [(&str, fn(&std::path::Path)); 5] = [
        ("the manifest's words", |folder| {
            let path = folder.join("HOOK.md");
            let text = fs::read_to_string(&path).unwrap();
            fs::write(path, text.replace("Words.", "words.")).unwrap();
        }),
        ("a script's byte", |folder| {
            fs::write(folder.join("run.sh"), "#!/bin/sh\nexit 9\n").unwrap();
        }),
        ("a file beside it", |folder| fs::write(folder.join("lib/more.sh"), "exit 9").unwrap()),
        ("a new file", |folder| fs::write(folder.join("new"), "").unwrap()),
        ("a right", |folder| {
            use std::os::unix::fs::PermissionsExt;
            let mode = fs::Permissions::from_mode(0o644);
            fs::set_permissions(folder.join("run.sh"), mode).unwrap();
        }),
    ];
    for (what, change) in changes {
        let home = Home::new();
        let folder = write(&home.home_hooks(), "it", BLOCKS, "exit 1");
        fs::create_dir(folder.join("lib")).unwrap();
        fs::write(folder.join("lib/more.sh"), "exit 1").unwrap();
        let hookery = home.open();
        hookery.enable("it", None, true).await.unwrap();
        let call = || say(&hookery, Point::BeforeToolCall, json!({}));
        assert_eq!(call().await, "block: it gave no reason", "{what}");
        change(&folder);
        hookery.reload().await.unwrap();
        assert_eq!(call().await, "go on {}", "{what}");
        let now = reason(&hookery, "it", None).await;
        assert!(now.starts_with("its content changed since it was trusted"), "{what}: {now}");
        let info = hookery.enable("it", None, true).await.unwrap();
        assert!(info.eligible && info.trusted, "{what}");
    }
}

#[tokio::test]
async fn a_guard_that_is_changed_or_taken_away_blocks_until_the_owner_decides() {
    let home = Home::new();
    let guard = format!("{BLOCKS}\non_failure = 'block'");
    let folder = write(&home.work_hooks(), "guard", &guard, "exit 0");
    let hookery = home.open();
    let work = Some(home.workspace());
    hookery.enable("guard", work.clone(), true).await.unwrap();
    assert_eq!(at_work(&hookery, &home).await, "go on {}");
    // It no longer says that it is a guard, but the owner trusted one that did.
    write(&home.work_hooks(), "guard", "events = ['AgentEnd']", "exit 0");
    hookery.reload().await.unwrap();
    let said = at_work(&hookery, &home).await;
    assert!(said.contains("its content changed since it was trusted"), "{said}");
    fs::remove_dir_all(folder).unwrap();
    hookery.reload().await.unwrap();
    let said = at_work(&hookery, &home).await;
    assert!(said.contains("its folder is gone"), "{said}");
    let gone = hookery.enable("guard", work, false).await.unwrap_err();
    assert_eq!(gone.code, Code::NotFound);
    assert_eq!(at_work(&hookery, &home).await, "go on {}");
}

#[tokio::test]
async fn what_is_swapped_between_check_and_run_does_not_run() {
    let home = Home::new();
    let script = "touch $HOME/ran-first; touch here 2>/dev/null; exit 1";
    let folder = write(&home.home_hooks(), "it", BLOCKS, script);
    // The counterpart without a guard: the same command, run where it was found.
    let mut careless = Home::new();
    let command = folder.join("run.sh").display().to_string();
    careless.configure(&format!("name = 'it'\n{BLOCKS}\ncommand = '{command}'"));
    careless.environment = home.environment.clone();
    let (hookery, careless) = (home.open(), careless.open());
    hookery.enable("it", None, true).await.unwrap();
    // It is known and checked from here on, for a second at least.
    assert!(hookery.wants(Point::BeforeToolCall, None));
    fs::write(folder.join("run.sh"), "#!/bin/sh\ntouch $HOME/ran-second; exit 1\n").unwrap();
    say(&hookery, Point::BeforeToolCall, json!({})).await;
    assert!(home.path("ran-first").exists() != home.path("ran-second").exists());
    assert!(!home.path("ran-second").exists());
    say(&careless, Point::BeforeToolCall, json!({})).await;
    assert!(home.path("ran-second").exists(), "the counterpart runs what was swapped in");
}

#[tokio::test]
async fn a_trusted_copy_that_was_tampered_with_does_not_run() {
    let home = Home::new();
    write(&home.home_hooks(), "it", &format!("{BLOCKS}\non_failure = 'block'"), "exit 0");
    let hookery = home.open();
    hookery.enable("it", None, true).await.unwrap();
    assert_eq!(say(&hookery, Point::BeforeToolCall, json!({})).await, "go on {}");
    let copies = fs::read_dir(home.path("data/hooks-trusted")).unwrap();
    let copies: Vec<_> = copies.map(|entry| entry.unwrap().path()).collect();
    assert_eq!(copies.len(), 1);
    let run = copies[0].join("run.sh");
    fs::remove_file(&run).unwrap();
    fs::write(&run, "touch $HOME/ran").unwrap();
    let said = say(&hookery, Point::BeforeToolCall, json!({})).await;
    assert!(said.contains("its trusted copy was changed"), "{said}");
    assert!(!home.path("ran").exists());
    hookery.enable("it", None, false).await.unwrap();
    hookery.enable("it", None, true).await.unwrap();
    assert_eq!(say(&hookery, Point::BeforeToolCall, json!({})).await, "go on {}");
}

#[tokio::test]
async fn decisions_outlive_the_daemon_and_only_for_that_folder() {
    let home = Home::new();
    write(&home.home_hooks(), "it", BLOCKS, "exit 1");
    home.open().enable("it", None, true).await.unwrap();
    let hookery = home.open();
    assert!(info(&hookery, "it", None).await.eligible);
    // The same bytes elsewhere are another hook.
    write(&home.work_hooks(), "it", BLOCKS, "exit 1");
    let hooks = hookery.list(Some(home.workspace())).await.unwrap();
    let trusted = hooks.iter().filter(|hook| hook.name == "it" && hook.trusted).count();
    assert_eq!(trusted, 1);
    fs::write(home.path("data/hooks.json"), "{ not json").unwrap();
    let error = moltis_hooks::Hookery::open(moltis_hooks::Options {
        data_dir: home.path("data"),
        config_dir: home.path("config"),
        environment: Default::default(),
        settings: Default::default(),
        env: moltis_testkit::env::ManualEnv::new(),
        boot: None,
        transcripts: None,
    })
    .err()
    .unwrap();
    assert_eq!(error.code, Code::Storage);
}

#[tokio::test]
async fn of_one_name_the_configuration_goes_first_then_the_workspace_then_the_home() {
    let mut home = Home::new();
    for (place, who) in [(home.work_hooks(), "workspace"), (home.home_hooks(), "home")] {
        write(&place, "it", BLOCKS, &format!("echo {who} >&2; exit 1"));
    }
    let hookery = home.open();
    let work = Some(home.workspace());
    assert_eq!(at_work(&hookery, &home).await, "go on {}");
    hookery.enable("it", None, true).await.unwrap();
    // What anybody put into the workspace does not displace the home's.
    assert_eq!(at_work(&hookery, &home).await, "block: home");
    hookery.enable("it", work.clone(), true).await.unwrap();
    assert_eq!(at_work(&hookery, &home).await, "block: workspace");
    home.configure(&format!("name = 'it'\n{BLOCKS}\ncommand = 'echo config >&2; exit 1'"));
    hookery.set(home.settings.clone());
    assert_eq!(at_work(&hookery, &home).await, "block: config");
    let hooks = hookery.list(work).await.unwrap();
    let displaced: Vec<_> = hooks.iter().filter(|hook| hook.name == "it").collect();
    assert_eq!(displaced.len(), 3);
    assert_eq!(
        displaced[2].reason.as_deref(),
        Some("another of its name goes before it (configuration)")
    );
}

#[tokio::test]
async fn a_new_hook_and_a_changed_one_are_seen_without_being_asked_to() {
    let home = Home::new();
    let hookery = home.open();
    assert!(!hookery.wants(Point::BeforeToolCall, None) || hookery.reload().await.is_ok());
    write(&home.home_hooks(), "it", BLOCKS, "exit 1");
    until_listed(&hookery, "it is not trusted").await;
    hookery.enable("it", None, true).await.unwrap();
    assert_eq!(say(&hookery, Point::BeforeToolCall, json!({})).await, "block: it gave no reason");
    write(&home.home_hooks(), "it", BLOCKS, "exit 1 # changed");
    until_listed(&hookery, "its content changed").await;
}

async fn until_listed(hookery: &Hookery, begins: &str) {
    let deadline = std::time::Instant::now() + Duration::from_secs(60);
    loop {
        let hooks = hookery.list(None).await.unwrap();
        let reason = hooks.iter().find(|hook| hook.name == "it").and_then(|it| it.reason.clone());
        if reason.as_ref().is_some_and(|reason| reason.starts_with(begins)) {
            return;
        }
        assert!(std::time::Instant::now() < deadline, "{reason:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn a_hostile_folder_is_listed_with_a_reason_and_harms_nothing() {
    let home = Home::new();
    let place = home.work_hooks();
    let secret = home.path("secret");
    fs::write(&secret, "TOP SECRET").unwrap();
    let linked = write(&place, "linked", BLOCKS, "exit 1");
    fs::remove_file(linked.join("HOOK.md")).unwrap();
    symlink(&secret, linked.join("HOOK.md")).unwrap();
    symlink(&secret, write(&place, "inside", BLOCKS, "exit 1").join("more")).unwrap();
    let fifo = write(&place, "fifo", BLOCKS, "exit 1");
    fs::remove_file(fifo.join("HOOK.md")).unwrap();
    let made = std::process::Command::new("mkfifo").arg(fifo.join("HOOK.md")).status().unwrap();
    assert!(made.success());
    let large = write(&place, "large", BLOCKS, "exit 1");
    fs::write(large.join("HOOK.md"), vec![b'+'; 1 << 20]).unwrap();
    let heavy = write(&place, "heavy", BLOCKS, "exit 1");
    fs::File::create(heavy.join("zeros")).unwrap().set_len(1 << 40).unwrap();
    let hookery = home.open();
    let work = Some(home.workspace());
    for name in ["linked", "fifo", "large"] {
        let reason = reason(&hookery, name, work.clone()).await;
        assert!(reason.starts_with("HOOK.md"), "{name}: {reason}");
        assert!(hookery.enable(name, work.clone(), true).await.is_err(), "{name}");
    }
    let refused = |name: &'static str| {
        let (hookery, work) = (&hookery, work.clone());
        async move { hookery.enable(name, work, true).await.unwrap_err().message }
    };
    assert!(refused("inside").await.contains("`more`, which is no plain file"));
    assert!(refused("heavy").await.contains("holds more than 8 MiB"));
    let copies = fs::read_dir(home.path("data/hooks-trusted")).unwrap().count();
    assert_eq!(copies, 0, "what was refused leaves no copy behind");
    assert_eq!(at_work(&hookery, &home).await, "go on {}");
}

#[tokio::test]
async fn nothing_that_is_listed_moves_a_terminals_cursor() {
    let home = Home::new();
    let front = "events = ['AgentEnd']\ndescription = \"x\\u001b[2J\\u202Ey\"";
    write(&home.work_hooks(), "it", front, "exit 1");
    write(&home.work_hooks(), "\u{1b}[31mred", front, "exit 1");
    let hooks = home.open().list(Some(home.workspace())).await.unwrap();
    let listed = format!("{hooks:?}");
    assert!(listed.contains("\"x[2Jy\"") && listed.contains("\"[31mred\""), "{listed}");
    // A control character is printed as an escape here.
    assert!(!listed.contains("\\u{"), "{listed}");
}

#[tokio::test]
async fn a_place_with_too_many_hooks_says_that_it_leaves_some_out() {
    let home = Home::new();
    for number in 0..300 {
        write(&home.work_hooks(), &format!("h{number:03}"), BLOCKS, "exit 1");
    }
    let hookery = home.open();
    let hooks = hookery.list(Some(home.workspace())).await.unwrap();
    let found = hooks.iter().filter(|hook| hook.source.starts_with("workspace")).count();
    assert_eq!(found, 257);
    let why = reason(&hookery, "h256", Some(home.workspace())).await;
    assert_eq!(why, "there are more than 256 hooks: from here on they are left out");
}

#[tokio::test]
async fn what_the_configuration_disables_can_not_be_enabled_elsewhere() {
    let mut home = Home::new();
    write(&home.home_hooks(), "it", BLOCKS, "exit 1");
    let hookery = home.open();
    hookery.enable("it", None, true).await.unwrap();
    home.settings.disabled = vec!["it".to_owned(), "command-logger".to_owned()];
    hookery.set(home.settings.clone());
    assert_eq!(say(&hookery, Point::BeforeToolCall, json!({})).await, "go on {}");
    assert_eq!(reason(&hookery, "it", None).await, "it is disabled in the configuration");
    let error = hookery.enable("it", None, true).await.unwrap_err();
    assert_eq!(error.code, Code::Conflict);
    assert!(!info(&hookery, "command-logger", None).await.enabled);
}
