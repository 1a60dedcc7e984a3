//! Starting the daemon: what is said when it does not start, and that it is started once.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use crate::fake::{Fake, Script, session};
use crate::run::{Home, end};

/// A home whose `moltis` has that script for a `moltisd` beside it.
fn with_daemon(script: &str) -> Home {
    let mut home = Home::new();
    let bin = home.dir.path().join("bin");
    std::fs::create_dir_all(&bin).unwrap();
    // A copy, not a link: the daemon is looked for beside the program itself.
    let moltis = bin.join("moltis");
    copy(&home.program, &moltis);
    if !script.is_empty() {
        let text = home.dir.path().join("moltisd.sh");
        std::fs::write(&text, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&text, std::fs::Permissions::from_mode(0o755)).unwrap();
        copy(&text, &bin.join("moltisd"));
    }
    home.program = moltis;
    home
}

/// Copies a program by another process: one that this process had open for writing could not be run
/// while a child that another test just forked still has it.
fn copy(from: &Path, to: &Path) {
    let copied = std::process::Command::new("cp").arg("-p").arg(from).arg(to).status();
    assert!(copied.unwrap().success());
}

#[test]
fn a_daemon_that_says_why_is_believed() {
    let home = with_daemon(
        r#"echo 'failed {"code":"invalid","message":"line 3: unknown key","hint":"moltis config edit"}' >&$MOLTIS_READY_FD"#,
    );
    let ran = home.run(&["sessions", "list"]);
    assert_eq!(ran.code, 3);
    assert_eq!(
        ran.stderr,
        "moltis: cannot list the sessions: moltisd does not start: line 3: unknown key\n\
         hint: moltis config edit\n"
    );
}

#[test]
fn a_daemon_that_dies_leaves_its_last_words() {
    let home = with_daemon("echo 'cannot load libfoo' >&2; exit 127");
    let ran = home.run(&["sessions", "list"]);
    assert_eq!(ran.code, 3);
    assert!(
        ran.stderr.contains("moltisd does not start (exit status: 127): cannot load libfoo"),
        "{ran:?}"
    );
    assert!(ran.stderr.contains("hint: see "), "{ran:?}");
}

#[test]
fn without_the_program_the_places_are_named() {
    let home = with_daemon("");
    let ran = home.run(&["sessions", "list"]);
    assert_eq!(ran.code, 3);
    assert!(ran.stderr.contains("there is no `moltisd` in `"), "{ran:?}");
}

#[test]
fn the_daemon_gets_the_directories_and_the_level() {
    let home = with_daemon(r#"echo "$@" >"$HOME/words"; echo nonsense"#);
    assert_eq!(home.run(&["--log-level", "debug", "stop"]).code, 3);
    let words = std::fs::read_to_string(home.dir.path().join("words")).unwrap();
    let dir = home.dir.path().display();
    assert_eq!(
        words,
        format!("--config-dir {dir}/config --data-dir {dir}/data --log-level debug\n")
    );
}

/// The script tells the test that it runs, and the test, once its fake listens, lets it say so.
#[test]
fn commands_that_come_together_start_one_daemon() {
    let home = with_daemon(
        r#"echo started >>"$HOME/starts"; echo x >"$HOME/up"; read go <"$HOME/go"; echo "ready $$""#,
    );
    for name in ["up", "go"] {
        let made = std::process::Command::new("mkfifo").arg(home.dir.path().join(name)).status();
        assert!(made.unwrap().success());
    }
    let children: Vec<_> =
        (0..3).map(|_| home.command(&["sessions", "list", "--json"]).spawn().unwrap()).collect();
    // The read returns when the script has opened its end.
    std::fs::read(home.dir.path().join("up")).unwrap();
    let script = Script { sessions: vec![session()], ..Script::default() };
    let _fake = Fake::start(&home.socket(), script);
    std::fs::write(home.dir.path().join("go"), "go\n").unwrap();
    for child in children {
        let ran = end(child);
        assert_eq!(ran.code, 0, "{ran:?}");
    }
    let starts = std::fs::read_to_string(home.dir.path().join("starts")).unwrap();
    assert_eq!(starts, "started\n");
}
