//! Scripted commands of the real `moltis` on a real `moltisd`: where the two must agree.

use std::fs;
use std::process::Output;

use moltis_testkit::daemon::{Daemon, Home};
use moltis_testkit::vendor::Vendor;
use tokio::process::Command;

use crate::spine::{history, main_session, message, turn_end};
use crate::terminal::client_program;

/// How a command ended.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

fn home() -> Home {
    Home::new(env!("CARGO_BIN_EXE_moltisd"))
}

/// `moltis` with the environment that the home's daemons have.
fn moltis(home: &Home, words: &[&str]) -> Command {
    let mut command = Command::new(client_program());
    command.env_clear().args(words).stdin(std::process::Stdio::null()).kill_on_drop(true);
    for (name, value) in home.command().as_std().get_envs() {
        command.env(name, value.unwrap_or_default());
    }
    command
}

pub(crate) async fn run(home: &Home, words: &[&str]) -> Ran {
    moltis(home, words).output().await.unwrap().into()
}

/// Runs with that as standard input.
async fn run_with(home: &Home, words: &[&str], input: &str) -> Ran {
    let file = home.root().join("input");
    fs::write(&file, input).unwrap();
    let mut command = moltis(home, words);
    command.stdin(fs::File::open(file).unwrap());
    command.output().await.unwrap().into()
}

/// A message and its whole turn.
async fn say(daemon: &Daemon, op: &str) -> String {
    let session = main_session(daemon).await.id;
    let sent = daemon.sessions().send(message(&session, op, "hello")).await.unwrap().into_inner();
    turn_end(daemon, &session, &sent.turn).await;
    session
}

#[tokio::test]
async fn a_configuration_that_can_not_be_used_is_told_with_its_reason_everywhere() {
    let home = home();
    fs::write(home.config_file(), "[chat]\ntimeout = 5\n").unwrap();
    let reason = "moltis.toml:2:1: unknown key `chat.timeout`";
    let hint = "did you mean `chat.timeout_s`?";
    let ran = run(&home, &["config", "check"]).await;
    assert_eq!(ran.code, Some(1));
    assert!(ran.stdout.contains(reason) && ran.stderr.contains(reason), "{ran:?}");
    assert!(ran.stderr.ends_with(&format!("hint: {hint}\n")), "{ran:?}");
    let ran = run(&home, &["config", "check", "--json"]).await;
    assert_eq!((ran.code, &ran.json()["ok"]), (Some(1), &serde_json::json!(false)));
    assert!(ran.stderr.contains(reason), "{ran:?}");
    let ran = run(&home, &["doctor", "--json"]).await;
    let found = ran.json();
    let found = found.as_array().unwrap().iter().find(|it| it["check"] == "settings").unwrap();
    assert_eq!((&found["state"], &found["hint"]), (&"fail".into(), &hint.into()));
    fs::write(home.config_file(), "[chat]\ndefault_model = \"openai/gpt-5\"\n").unwrap();
    let ran = run(&home, &["doctor"]).await;
    assert!(ran.stdout.contains("the provider of `openai/gpt-5` is not set up"), "{ran:?}");
    let ran = run(&home, &["config", "check"]).await;
    assert_eq!(ran.code, Some(0), "a warning fails nothing");
}

#[tokio::test]
async fn a_named_socket_is_never_mixed_with_the_directories() {
    let (home, other) = (home(), self::home());
    let daemon = other.start().await;
    let socket = other.data_dir().join("run/moltisd.sock");
    let at = |words: &[&str]| {
        let socket = ["--socket", socket.to_str().unwrap()];
        [&socket[..], words].concat().into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    let backup = other.root().join("backup");
    let backup = backup.to_str().unwrap();
    for words in [
        &["daemon", "start"][..],
        &["daemon", "restart"],
        &["daemon", "install"],
        &["backup"],
        &["restore", "--yes", backup],
    ] {
        let words = at(words);
        let ran = run(&home, &words.iter().map(String::as_str).collect::<Vec<_>>()).await;
        assert_eq!(ran.code, Some(2), "{words:?}: {ran:?}");
    }
    let words = at(&["backup", backup]);
    let ran = run(&home, &words.iter().map(String::as_str).collect::<Vec<_>>()).await;
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let words = at(&["daemon", "stop"]);
    let ran = run(&home, &words.iter().map(String::as_str).collect::<Vec<_>>()).await;
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), "moltisd has stopped\n"));
    assert_eq!(daemon.ended().await, Some(0));
    assert!(!home.data_dir().exists(), "nothing was done to the own directories");
    let words = at(&["fsck"]);
    let ran = run(&home, &words.iter().map(String::as_str).collect::<Vec<_>>()).await;
    assert_eq!(ran.code, Some(3), "{ran:?}");
}

#[tokio::test]
async fn a_daemon_that_does_not_answer_is_ended_by_a_signal() {
    let home = home();
    let daemon = home.start().await;
    daemon.signal("STOP").await;
    let stopping = moltis(&home, &["daemon", "stop"]).output();
    let pid = daemon.pid();
    // Bit 14 of the pending signals is SIGTERM; a stopped process gets it when it goes on.
    let is_told = move || {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let pending = status.lines().find_map(|line| line.strip_prefix("ShdPnd:"));
        pending.is_none_or(|bits| u64::from_str_radix(bits.trim(), 16).unwrap() & (1 << 14) != 0)
    };
    let told = async {
        while !is_told() {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        daemon.signal("CONT").await;
    };
    let (stopped, ()) = tokio::join!(stopping, told);
    let ran = Ran::from(stopped.unwrap());
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), "moltisd has stopped\n"), "{ran:?}");
}

#[tokio::test]
async fn a_backup_is_restored_and_the_daemon_comes_back() {
    let vendor = Vendor::openai(&["Hi."]).await;
    let home = crate::spine::home(&vendor);
    let daemon = home.start().await;
    let session = say(&daemon, "op-1").await;
    let before = history(&daemon, &session).await;
    let backup = home.root().join("backup");
    let backup = backup.to_str().unwrap();
    assert_eq!(run(&home, &["backup", backup]).await.code, Some(0));
    say(&daemon, "op-2").await;
    let ran = run(&home, &["restore", backup, "--yes", "--json"]).await;
    assert_eq!((ran.code, &ran.json()["daemon"]), (Some(0), &"restarted".into()), "{ran:?}");
    assert_eq!(daemon.ended().await, Some(0));
    let ran = run(&home, &["--no-autostart", "sessions", "history", "main", "--json"]).await;
    assert_eq!(ran.json().as_array().unwrap().len(), before.len());
    let ran = run(&home, &["fsck", "--json"]).await;
    assert_eq!((ran.code, &ran.json()["problems"]), (Some(0), &serde_json::json!([])));
    assert_eq!(run(&home, &["daemon", "stop"]).await.code, Some(0));
    assert_eq!(run(&home, &["fsck", "--json"]).await.json(), ran.json(), "without a daemon too");
}

#[tokio::test]
async fn an_install_that_fails_leaves_nothing_and_the_daemon_as_it_was() {
    // No systemd of the tester's machine is found, or touched.
    let home = home().env("PATH", "/nowhere");
    let daemon = home.start().await;
    let unit = home.root().join(".config/systemd/user/moltisd.service");
    let ran = run(&home, &["daemon", "install"]).await;
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.stderr.contains("cannot run `systemctl`"), "{ran:?}");
    assert!(!unit.exists());
    let status = run(&home, &["daemon", "status", "--json"]).await;
    assert_eq!(status.json()["pid"], daemon.pid(), "it went on all the time");

    fs::write(&unit, "[Service]\nExecStart=/bin/true\n").unwrap();
    for words in [["daemon", "install"], ["daemon", "uninstall"]] {
        let ran = run(&home, &words).await;
        assert_eq!(ran.code, Some(1), "{ran:?}");
        assert!(ran.stderr.contains("is not of moltis' making"), "{ran:?}");
    }
    assert!(unit.exists(), "what somebody else wrote is left alone");
}

#[tokio::test]
async fn a_provider_that_needs_no_key_is_set_up_without_one() {
    let home = home();
    let _daemon = home.start().await;
    let ran = run(&home, &["providers", "login", "ollama"]).await;
    let line = "ollama is set up: it needs no key\n";
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), line), "{ran:?}");
    let own = ["providers", "login", "mine", "--kind", "openai", "--base-url", "http://[::1]:9/v1"];
    let ran = run(&home, &own).await;
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), "mine is set up: it needs no key\n"));
    let ran = run(&home, &["providers", "login", "openai"]).await;
    assert_eq!(ran.code, Some(2), "{ran:?}");
}

#[tokio::test]
async fn a_key_that_is_stored_is_the_one_that_is_used() {
    let home = home();
    let text = "[providers.work]\nkind = \"openai\"\n# Of last year.\napi_key = \"old\"\n";
    fs::write(home.config_file(), text).unwrap();
    let daemon = home.start().await;
    let ran = run_with(&home, &["providers", "login", "work", "--json"], "new\n").await;
    assert_eq!((ran.code, &ran.json()["key_source"]), (Some(0), &"vault".into()), "{ran:?}");
    let now = fs::read_to_string(home.config_file()).unwrap();
    assert_eq!(now, text.replace("api_key = \"old\"\n", ""));
    daemon.stop().await;

    let home = home.env("MOLTIS_PROVIDERS__WORK__API_KEY", "mine");
    let _daemon = home.start().await;
    let ran = run_with(&home, &["providers", "login", "work"], "new\n").await;
    assert_eq!(
        (ran.code, ran.stdout.as_str()),
        (Some(0), "work is set up: its key is of config\n")
    );
    assert!(ran.stderr.contains("that one wins over it"), "{ran:?}");
}

#[tokio::test]
async fn a_variable_for_the_sandbox_is_stored_and_only_its_name_comes_out() {
    const VALUE: &str = "canary-5d1f0b7c9a3e";
    let home = home();
    let daemon = home.start().await;
    let ran = run_with(&home, &["sandbox", "env", "set", "TOKEN"], &format!("{VALUE}\n")).await;
    let line = "TOKEN is stored: programs that start from now on find it\n";
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), line), "{ran:?}");
    for (name, value) in [("SHORT", "1234567\n"), ("NO-NAME", "12345678\n")] {
        let ran = run_with(&home, &["sandbox", "env", "set", name], value).await;
        assert_eq!((ran.code, ran.stderr.contains(value.trim())), (Some(1), false), "{ran:?}");
    }
    let ran = run_with(&home, &["sandbox", "env", "set", "TOKEN"], "").await;
    assert_eq!(ran.code, Some(2), "{ran:?}");
    daemon.stop().await;

    let daemon = home.start().await;
    let ran = run(&home, &["sandbox", "env", "list"]).await;
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), "TOKEN\n"), "{ran:?}");
    let ran = run(&home, &["sandbox", "env", "list", "--json"]).await;
    assert_eq!(ran.json(), serde_json::json!(["TOKEN"]));
    daemon.stop().await;
    assert_nowhere(home.root(), VALUE);

    let _daemon = home.start().await;
    let ran = run(&home, &["sandbox", "env", "remove", "TOKEN"]).await;
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), "TOKEN is forgotten\n"), "{ran:?}");
    let ran = run(&home, &["sandbox", "env", "remove", "TOKEN", "--json"]).await;
    assert_eq!(ran.json()["removed"], false, "{ran:?}");
}

/// No file of a home holds this.
pub(crate) fn assert_nowhere(root: &std::path::Path, secret: &str) {
    let mut open = vec![root.to_owned()];
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(path.read_dir().unwrap().map(|entry| entry.unwrap().path()));
        } else if path.is_file() {
            let bytes = fs::read(&path).unwrap();
            let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!found, "{} holds the secret", path.display());
        }
    }
}

#[tokio::test]
async fn a_change_says_what_holds_and_when() {
    let home = home().env("MOLTIS_CHAT__TIMEOUT_S", "7");
    let _daemon = home.start().await;
    let ran = run(&home, &["config", "set", "chat.timeout_s", "8", "--json"]).await;
    assert_eq!(ran.json()["value"], 7, "{ran:?}");
    assert!(ran.stderr.contains("env MOLTIS_CHAT__TIMEOUT_S and wins"), "{ran:?}");
    let ran = run(&home, &["config", "set", "local.threads", "2", "--json"]).await;
    assert_eq!(ran.json()["needs_restart"], true);
    assert!(ran.stderr.contains("moltis daemon restart"), "{ran:?}");
    let ran = run(&home, &["config", "set", "providers.work.api_key", "sk-1"]).await;
    assert_eq!((ran.code, ran.stderr.contains("sk-1")), (Some(1), false), "{ran:?}");
    assert!(ran.stderr.ends_with("hint: moltis providers login work\n"), "{ran:?}");
    let ran = run(&home, &["config", "get", "chat.timeout"]).await;
    assert!(ran.stderr.ends_with("hint: did you mean `chat.timeout_s`?\n"), "{ran:?}");
    let ran = run(&home, &["config", "get", "chat.fallbacks", "--json"]).await;
    assert_eq!(ran.json()["value"], serde_json::json!([]));
}

#[tokio::test]
async fn a_follower_ends_with_ctrl_c_and_nothing_is_wrong() {
    use tokio::io::{AsyncBufReadExt as _, BufReader};
    let vendor = Vendor::openai(&["Hi."]).await;
    let home = crate::spine::home(&vendor);
    let daemon = home.start().await;
    say(&daemon, "op").await;
    let followers =
        [&["tail", "main", "--from", "1", "--json"][..], &["daemon", "logs", "-f", "--json"]];
    for words in followers {
        let mut child = moltis(&home, words).stdout(std::process::Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let first = lines.next_line().await.unwrap().unwrap();
        assert!(first.starts_with('{'), "{first}");
        let pid = child.id().unwrap().to_string();
        Command::new("kill").args(["-s", "INT", &pid]).status().await.unwrap();
        while let Some(line) = lines.next_line().await.unwrap() {
            assert!(line.ends_with('}'), "half a line: {line}");
        }
        assert_eq!(child.wait().await.unwrap().code(), Some(0), "{words:?}");
    }
}

#[tokio::test]
async fn with_json_a_query_is_one_document() {
    let vendor = Vendor::openai(&["Hi."]).await;
    let home = crate::spine::home(&vendor);
    let daemon = home.start().await;
    say(&daemon, "op").await;
    for words in [
        &["sessions", "export", "main", "--json"][..],
        &["sessions", "history", "main", "--json"],
        &["completions", "bash", "--json"],
        &["config", "template", "--json"],
        &["config", "check", "--json"],
        &["doctor", "--json"],
    ] {
        run(&home, words).await.json();
    }
    daemon.stop().await;
    let ran = run(&home, &["daemon", "logs", "--json"]).await;
    for line in ran.stdout.lines() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        let fields: Vec<&String> = line.as_object().unwrap().keys().collect();
        assert_eq!(fields, ["at", "level", "target", "text"]);
        assert_ne!(line["target"], "", "{line}");
    }
}
