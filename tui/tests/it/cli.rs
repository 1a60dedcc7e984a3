//! Exit codes, errors and documents of the other commands.

use moltis_proto::v1::Approval;
use serde_json::json;

use crate::fake::{Fake, SESSION, Script, answered, asked, session};
use crate::run::Home;

fn playing(script: Script) -> (Home, Fake) {
    let home = Home::new();
    let fake = Fake::start(&home.socket(), script);
    (home, fake)
}

#[test]
fn a_mistake_is_a_line_a_hint_and_exit_two() {
    let home = Home::new();
    let ran = home.run(&["send", "--detahc", "x", "--json"]);
    assert_eq!(ran.code, 2);
    assert_eq!(
        ran.stderr,
        "moltis: this makes no sense: unexpected argument '--detahc' found\n\
         hint: a similar argument exists: '--detach'\n"
    );
    assert_eq!(ran.json()["error"]["code"], "usage");
}

#[test]
fn help_and_version_need_nothing() {
    let home = Home::new();
    let ran = home.run(&["--version"]);
    assert_eq!(
        (ran.code, ran.stdout.as_str()),
        (0, concat!("moltis ", env!("CARGO_PKG_VERSION"), "\n"))
    );
    assert_eq!(home.run(&["sessions", "--help"]).code, 0);
    assert!(!home.dir.path().join("data").exists());
}

#[test]
fn an_absent_daemon_is_exit_three() {
    let home = Home::new();
    let ran = home.run(&["--no-autostart", "--json", "sessions", "list"]);
    assert_eq!(ran.code, 3, "{ran:?}");
    assert_eq!(ran.json()["error"]["code"], "unavailable");
    assert!(ran.stderr.contains("no such file or directory\nhint: moltis daemon start"), "{ran:?}");
    let ran = home.run(&["--socket", "/nowhere/sock", "stop"]);
    assert_eq!(ran.code, 3);
    assert!(ran.stderr.contains("/nowhere/sock"), "{ran:?}");
    assert!(!home.dir.path().join("data").exists());
}

#[test]
fn another_major_version_is_exit_six_with_both_versions() {
    let (home, _fake) = playing(Script { major: 99, ..Script::default() });
    let ran = home.run(&["sessions", "list"]);
    assert_eq!(ran.code, 6);
    let own = env!("CARGO_PKG_VERSION");
    assert_eq!(
        ran.stderr,
        format!(
            "moltis: cannot list the sessions: this moltis ({own}) speaks protocol 1.0, the running \
             moltisd (0.0.0-fake) speaks 99.0\n\
             hint: install the moltis that came with that moltisd\n"
        )
    );
}

#[test]
fn sessions_are_listed_and_named() {
    let (home, _fake) = playing(Script { sessions: vec![session()], ..Script::default() });
    let ran = home.run(&["sessions", "list", "--json"]);
    assert_eq!(ran.json()[0]["id"], SESSION);
    let ran = home.run(&["sessions", "list"]);
    assert!(ran.stdout.starts_with("SESSION  TITLE    STATE"), "{ran:?}");
    let ran = home.run(&["sessions", "show", "nothing"]);
    assert_eq!(ran.code, 1);
    assert_eq!(
        ran.stderr,
        "moltis: cannot show the session: there is no session `nothing`\n\
         hint: moltis sessions list\n"
    );
    let ran = home.run(&["sessions", "rename", "main", "New"]);
    assert_eq!(ran.stdout, format!("{SESSION} is now \"New\"\n"));
    let ran = home.run(&["sessions", "archive", "main", "--json"]);
    assert_eq!(ran.json()["archived"], true);
}

#[test]
fn a_history_has_as_many_of_the_last_events_as_were_asked_for() {
    let history =
        vec![asked(1, "one"), answered(2, "a", "two"), asked(3, "three"), answered(4, "b", "four")];
    let (home, _fake) = playing(Script { history, ..Script::default() });
    let ran = home.run(&["sessions", "history", "main"]);
    assert_eq!(ran.stdout, "> one\ntwo\n> three\nfour\n", "{ran:?}");
    let texts = |words: &[&str]| {
        let ran = home.run(&[&["sessions", "history", "main", "--json"], words].concat());
        let events = ran.json();
        let texts = events.as_array().unwrap().iter().map(|event| event["text"].clone());
        json!(texts.collect::<Vec<_>>())
    };
    assert_eq!(texts(&["-n", "2"]), json!(["three", "four"]));
    assert_eq!(texts(&["--before", "4", "-n", "2"]), json!(["two", "three"]));
    assert_eq!(texts(&["--after", "1", "-n", "2"]), json!(["two", "three"]));
    assert_eq!(texts(&["--after", "9"]), json!([]));
}

#[test]
fn what_can_not_be_taken_back_is_not_done_unasked() {
    let (home, fake) = playing(Script::default());
    let ran = home.run(&["sessions", "delete", "main"]);
    assert_eq!(ran.code, 2);
    assert!(ran.stderr.ends_with("hint: add --yes\n"), "{ran:?}");
    fake.heard(|heard| assert!(heard.deletes.is_empty()));
    let ran = home.run(&["sessions", "delete", "main", "--yes"]);
    assert_eq!((ran.code, ran.stdout), (0, format!("{SESSION} is deleted\n")));
    fake.heard(|heard| assert_eq!(heard.deletes[0].session, SESSION));
}

#[test]
fn an_export_overwrites_nothing() {
    let (home, _fake) = playing(Script::default());
    assert_eq!(home.run(&["sessions", "export", "main"]).stdout, "# A title\n");
    let file = home.dir.path().join("out.md");
    let file = file.to_str().unwrap();
    assert_eq!(home.run(&["sessions", "export", "main", "-o", file]).code, 0);
    assert_eq!(std::fs::read_to_string(file).unwrap(), "# A title\n");
    let ran = home.run(&["sessions", "export", "main", "-o", file]);
    assert_eq!(ran.code, 1);
    assert!(ran.stderr.contains("file exists"), "{ran:?}");
}

#[test]
fn stop_names_what_it_stopped() {
    let (home, fake) = playing(Script::default());
    let ran = home.run(&["stop", "main", "--all", "--json"]);
    assert_eq!(ran.json()["stopped"].as_array().unwrap().len(), 1);
    fake.heard(|heard| assert!(heard.stops[0].all));
}

#[test]
fn usage_has_money_as_a_number() {
    let (home, _fake) = playing(Script::default());
    let ran = home.run(&["usage", "--since", "7d", "--json"]);
    assert_eq!(ran.json()[0]["cost_usd"], json!(1.5));
    assert!(home.run(&["usage"]).stdout.contains("$1.50"));
    assert_eq!(home.run(&["usage", "--since", "soon"]).code, 2);
}

#[test]
fn a_store_with_problems_is_exit_one() {
    let (home, _fake) = playing(Script::default());
    let ran = home.run(&["fsck"]);
    assert_eq!(ran.code, 1);
    assert!(ran.stdout.starts_with("event 3 of x has a wrong hash\n"), "{ran:?}");
}

#[test]
fn small_commands_print_what_they_did() {
    let (home, _fake) = playing(Script::default());
    assert_eq!(home.run(&["vault", "rotate", "--json"]).json(), json!({ "secrets": 2 }));
    let ran = home.run(&["daemon", "status", "--json"]);
    assert_eq!(ran.json()["uptime_s"], 65);
    let path = home.dir.path().join("b");
    let ran = home.run(&["backup", path.to_str().unwrap(), "--json"]);
    assert_eq!(ran.json()["bytes"], 4_096);
    let ran = home.run(&["config", "path"]);
    assert_eq!(ran.stdout, format!("{}\n", home.dir.path().join("config/moltis.toml").display()));
}

#[test]
fn status_of_no_daemon_is_data_and_exit_three() {
    let home = Home::new();
    let ran = home.run(&["daemon", "status", "--json"]);
    assert_eq!((ran.code, &ran.json()["running"]), (3, &json!(false)));
    assert_eq!(ran.stderr, "");
    let ran = home.run(&["daemon", "stop"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (0, "moltisd was not running\n"));
}

#[test]
fn doctor_works_without_a_daemon_and_starts_none() {
    let home = Home::new();
    let ran = home.run(&["doctor", "--json"]);
    let findings = ran.json();
    let daemon = findings.as_array().unwrap().iter().find(|finding| finding["check"] == "daemon");
    assert_eq!(daemon.unwrap()["state"], "warn");
    assert!(!home.dir.path().join("data").exists());
}

#[test]
fn the_shell_is_offered_names_of_the_running_daemon_and_silence_without_one() {
    let home = Home::new();
    let complete = || {
        let mut command = home.command(&["--", "moltis", "send", "-s", "m"]);
        command.env("COMPLETE", "bash").env("_CLAP_COMPLETE_INDEX", "3");
        command.env("_CLAP_COMPLETE_COMP_TYPE", "9").env("_CLAP_IFS", "\n");
        crate::run::end(command.spawn().unwrap())
    };
    let ran = complete();
    assert_eq!((ran.code, ran.stdout.as_str(), ran.stderr.as_str()), (0, "", ""));
    let _fake =
        Fake::start(&home.socket(), Script { sessions: vec![session()], ..Script::default() });
    let ran = complete();
    assert_eq!((ran.code, ran.stdout.trim()), (0, "main"), "{ran:?}");
}

#[test]
fn the_shell_is_offered_the_questions_that_wait() {
    let home = Home::new();
    let question = Approval { id: "01aa".to_owned(), ..Approval::default() };
    let script = Script { approvals: vec![question], ..Script::default() };
    let _fake = Fake::start(&home.socket(), script);
    let mut command = home.command(&["--", "moltis", "approve", "0"]);
    command.env("COMPLETE", "bash").env("_CLAP_COMPLETE_INDEX", "2");
    command.env("_CLAP_COMPLETE_COMP_TYPE", "9").env("_CLAP_IFS", "\n");
    let ran = crate::run::end(command.spawn().unwrap());
    assert_eq!((ran.code, ran.stdout.trim()), (0, "01aa"), "{ran:?}");
}
