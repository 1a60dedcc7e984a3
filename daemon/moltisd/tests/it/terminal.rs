//! The client as a person uses it: both programs, a real tmux, keys in and screens out.
//!
//! Needs tmux; without it the tests say so and pass, but not in CI.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use moltis_proto::v1;
use moltis_proto::v1::event::Kind;
use moltis_proto::v1::sessions_client::SessionsClient;
use moltis_testkit::daemon::connect;
use moltis_testkit::vendor::Vendor;

/// How long a screen may take to come.
const PATIENCE: Duration = Duration::from_secs(20);

/// A tmux server of its own with one window that runs `moltis` in a temporary home.
struct Terminal {
    socket: String,
    home: tempfile::TempDir,
}

/// Whether tmux is there; a test without it is skipped aloud, and fails in CI.
fn tmux_is_there() -> bool {
    let there = Command::new("tmux").arg("-V").output().is_ok_and(|output| output.status.success());
    if !there {
        assert!(std::env::var_os("CI").is_none(), "CI must have tmux");
        eprintln!("skipped: no tmux on this machine");
    }
    there
}

/// Where the vendor's OpenAI dialect is.
fn base_url(vendor: &Vendor) -> String {
    format!("{}/v1", vendor.url())
}

/// `moltis` beside `moltisd`: `cargo test --workspace` builds both.
pub(crate) fn client_program() -> PathBuf {
    let program = Path::new(env!("CARGO_BIN_EXE_moltisd")).with_file_name("moltis");
    assert!(program.exists(), "build with --workspace: {} is missing", program.display());
    program
}

impl Terminal {
    fn open(width: u16, height: u16, base_url: &str) -> Self {
        let home = tempfile::tempdir().unwrap();
        let socket = format!("moltis-test-{}-{width}x{height}", std::process::id());
        let terminal = Self { socket, home };
        let command = terminal.shell(base_url, "");
        let (width, height) = (width.to_string(), height.to_string());
        terminal.tmux(&["new-session", "-d", "-x", &width, "-y", &height, "-s", "t", &command]);
        terminal.wait_for("idle");
        terminal
    }

    /// The environment and command line of `moltis` in this home. What it ended with is told, and
    /// the window stays.
    fn shell(&self, base_url: &str, arguments: &str) -> String {
        format!(
            "env MOLTIS_CONFIG_DIR={home}/config MOLTIS_DATA_DIR={home}/data \
             MOLTIS_PROVIDERS__TEST__KIND=openai MOLTIS_PROVIDERS__TEST__BASE_URL={base_url} \
             MOLTIS_PROVIDERS__TEST__API_KEY=test MOLTIS_CHAT__DEFAULT_MODEL=test/test \
             {program} {arguments}; echo left with $?; exec cat",
            home = self.home.path().display(),
            program = client_program().display(),
        )
    }

    fn tmux(&self, arguments: &[&str]) -> Output {
        let output = Command::new("tmux")
            .args(["-L", &self.socket, "-f", "/dev/null"])
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

    fn text(&self, text: &str) {
        self.tmux(&["send-keys", "-t", "t", "-l", text]);
    }

    fn screen(&self) -> String {
        String::from_utf8(self.tmux(&["capture-pane", "-p", "-t", "t"]).stdout).unwrap()
    }

    /// Waits until the screen is as wanted; asks tmux again and again, since it tells nobody.
    #[track_caller]
    fn wait(&self, what: &str, wanted: impl Fn(&str) -> bool) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let screen = self.screen();
            if wanted(&screen) {
                return screen;
            }
            assert!(Instant::now() < deadline, "{what} never came:\n{screen}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    #[track_caller]
    fn wait_for(&self, text: &str) -> String {
        self.wait(text, |screen| screen.contains(text))
    }

    /// The daemon's process id, from its lock file.
    fn daemon(&self) -> Option<i32> {
        std::fs::read_to_string(self.home.path().join("data/moltis.lock")).ok()?.trim().parse().ok()
    }

    /// The kind of client whose message is the session's first, as it is recorded.
    async fn who_asked(&self) -> String {
        let channel = connect(&self.home.path().join("data/run/moltisd.sock")).await;
        let mut sessions = SessionsClient::new(channel);
        let find = v1::FindRequest { name: "main".to_owned() };
        let session = sessions.find(find).await.unwrap().into_inner().id;
        let history = v1::HistoryRequest { session, limit: 100, ..v1::HistoryRequest::default() };
        let events = sessions.history(history).await.unwrap().into_inner().events;
        let asked = |event: &&v1::Event| matches!(event.kind, Some(Kind::UserMessage(_)));
        events.iter().find(asked).unwrap().cause.clone().unwrap().name
    }

    fn kill_daemon(&self) {
        let id = self.daemon().expect("a daemon runs");
        let status = Command::new("kill").args(["-9", &id.to_string()]).status().unwrap();
        assert!(status.success());
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        if let Some(id) = self.daemon() {
            let _ = Command::new("kill").arg(id.to_string()).output();
        }
        let _ = Command::new("tmux").args(["-L", &self.socket, "kill-server"]).output();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_chats_detaches_and_finds_everything_again() {
    if !tmux_is_there() {
        return;
    }
    let vendor = Vendor::openai(&["The answer is forty-two."]).await;
    let terminal = Terminal::open(80, 24, &base_url(&vendor));
    terminal.text("what is the answer?");
    terminal.wait_for("what is the answer?");
    terminal.keys(&["Enter"]);
    terminal.wait_for("The answer is forty-two.");

    terminal.keys(&["C-d"]);
    terminal.wait_for("left with 0");
    let again = terminal.shell(&base_url(&vendor), "attach main");
    terminal.tmux(&["respawn-pane", "-k", "-t", "t", &again]);
    let screen = terminal.wait_for("The answer is forty-two.");
    assert!(screen.contains("what is the answer?"), "{screen}");
    assert_eq!(terminal.who_asked().await, "tui");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_draft_survives_the_daemons_death() {
    if !tmux_is_there() {
        return;
    }
    let vendor = Vendor::openai(&["Still here."]).await;
    let terminal = Terminal::open(120, 50, &base_url(&vendor));
    terminal.text("half a thought");
    terminal.wait_for("half a thought");
    let before = terminal.daemon();
    terminal.kill_daemon();
    terminal.wait("another daemon", |_| terminal.daemon().is_some_and(|now| Some(now) != before));
    terminal.text(" and its other half");
    terminal.wait_for("half a thought and its other half");
    terminal.keys(&["Enter"]);
    terminal.wait_for("Still here.");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_narrow_pane_and_a_resize_lose_nothing() {
    if !tmux_is_there() {
        return;
    }
    let vendor = Vendor::openai(&["Narrow but whole."]).await;
    let terminal = Terminal::open(40, 12, &base_url(&vendor));
    terminal.text("hi");
    terminal.keys(&["Enter"]);
    terminal.wait_for("Narrow but whole.");
    terminal.tmux(&["resize-window", "-t", "t", "-x", "100", "-y", "30"]);
    terminal.wait("a wide line", |screen| {
        screen.contains("Narrow but whole.") && screen.lines().any(|line| line.chars().count() > 60)
    });
    terminal.tmux(&["resize-window", "-t", "t", "-x", "40", "-y", "12"]);
    terminal.wait("a narrow screen", |screen| {
        screen.contains("Narrow but whole.")
            && screen.lines().all(|line| line.chars().count() <= 40)
    });
}
