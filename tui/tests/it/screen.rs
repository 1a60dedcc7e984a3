//! The client in a real terminal, with a daemon that is played: keys in, screens out.
//!
//! Needs tmux; without it the tests say so and pass, but not in CI.

use std::process::{Command, Output};
use std::time::{Duration, Instant};

use moltis_proto::v1::attach_response::Feed;
use moltis_proto::v1::event::Kind;
use moltis_proto::v1::{self, CaughtUp};

use crate::fake::{Fake, SESSION, Script, Step, TURN};
use crate::run::Home;

/// How long a screen may take to come.
const PATIENCE: Duration = Duration::from_secs(20);

/// A tmux server of its own with one window that runs `moltis`.
struct Terminal(String);

impl Terminal {
    /// `None` where there is no tmux, which is said, and fails in CI.
    fn open(home: &Home) -> Option<Self> {
        if !Command::new("tmux").arg("-V").output().is_ok_and(|output| output.status.success()) {
            assert!(std::env::var_os("CI").is_none(), "CI must have tmux");
            eprintln!("skipped: no tmux on this machine");
            return None;
        }
        let terminal = Self(format!("moltis-screen-{}", std::process::id()));
        let place = home.dir.path().display();
        let command = format!(
            "env MOLTIS_CONFIG_DIR={place}/config MOLTIS_DATA_DIR={place}/data {}; exec cat",
            home.program.display(),
        );
        terminal.tmux(&["new-session", "-d", "-x", "80", "-y", "24", "-s", "t", &command]);
        Some(terminal)
    }

    fn tmux(&self, arguments: &[&str]) -> Output {
        let output = Command::new("tmux")
            .args(["-L", &self.0, "-f", "/dev/null"])
            .args(arguments)
            .output()
            .expect("tmux runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        output
    }

    fn keys(&self, keys: &[&str]) {
        let mut arguments = vec!["send-keys", "-t", "t"];
        arguments.extend(keys);
        self.tmux(&arguments);
    }

    fn screen(&self) -> String {
        String::from_utf8(self.tmux(&["capture-pane", "-p", "-t", "t"]).stdout).unwrap()
    }

    /// Waits until the screen is as wanted; asks tmux again and again, since it tells nobody.
    #[track_caller]
    fn wait_for(&self, text: &str) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let screen = self.screen();
            if screen.contains(text) {
                return screen;
            }
            assert!(Instant::now() < deadline, "{text} never came:\n{screen}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        drop(Command::new("tmux").args(["-L", &self.0, "kill-server"]).output());
    }
}

fn give(seq: u64, kind: Kind) -> Step {
    Step::Give(Box::new(Feed::Event(v1::Event {
        session: SESSION.to_owned(),
        seq,
        turn: TURN.to_owned(),
        kind: Some(kind),
        ..v1::Event::default()
    })))
}

/// A turn that asks whether it may run a command.
fn asking() -> Vec<Step> {
    vec![
        give(5, Kind::TurnStarted(v1::TurnStarted::default())),
        give(
            6,
            Kind::ApprovalAsked(v1::ApprovalAsked {
                approval: "q-a".into(),
                call: "a".into(),
                tool: "exec".into(),
                arguments: r#"{"command":"git push"}"#.into(),
                subject: "git push".into(),
                reason: "it leaves the machine".into(),
                digest: "digest".into(),
                ..v1::ApprovalAsked::default()
            }),
        ),
        Step::Give(Box::new(Feed::CaughtUp(CaughtUp {}))),
        Step::Silence,
    ]
}

#[test]
fn a_question_is_answered_from_the_keyboard_and_a_refusal_is_told() {
    let home = Home::new();
    let script = Script { feeds: [asking()].into(), ..Script::default() };
    let _fake = Fake::start(&home.socket(), script);
    let Some(terminal) = Terminal::open(&home) else { return };
    let screen = terminal.wait_for("? exec");
    assert!(screen.contains("▸ git push") && screen.contains("waiting for you"), "{screen}");
    terminal.keys(&["y", "e", "s"]);
    let screen = terminal.wait_for("❯ yes");
    assert!(screen.contains("C-x a answer it"), "{screen}");
    terminal.keys(&["C-x", "a"]);
    terminal.wait_for("y once");
    // It may have come up just now: then the key says so and is pressed again.
    let deadline = Instant::now() + PATIENCE;
    while !terminal.screen().contains("it was answered already") {
        assert!(Instant::now() < deadline, "the answer never went out:\n{}", terminal.screen());
        terminal.keys(&["y"]);
        std::thread::sleep(Duration::from_millis(100));
    }
    let screen = terminal.wait_for("▸ git push");
    assert!(screen.contains("❯ yes"), "what was written is kept:\n{screen}");
}
