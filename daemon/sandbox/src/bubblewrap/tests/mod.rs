//! Real bubblewrap, attacked from inside.

mod contains;
mod ends;
mod keeps;
mod steers;
mod worktrees;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use moltis_core::error::Result;
use moltis_core::id::SessionId;
use moltis_core::sandbox::{Exit, Mount, Network, Place};
use moltis_core::tool::{Output, Run};
use tempfile::TempDir;

use super::Bubblewrap;
use super::room::{Floor, Ground, Room};
use crate::Options;
use crate::backend::Backend as _;

/// A backend over a data directory of its own, with a workspace.
struct Rig {
    backend: Arc<Bubblewrap>,
    data: TempDir,
    workspace: TempDir,
}

/// Takes what is shown.
#[derive(Default)]
struct Shown(Mutex<String>);

impl Output for Shown {
    fn push(&self, text: &str) {
        self.0.lock().expect("it is shown by one").push_str(text);
    }
}

/// Whether bubblewrap is here; its absence is said, and fails in CI.
fn missing() -> bool {
    if super::program("bwrap").is_some() {
        return false;
    }
    assert!(std::env::var_os("CI").is_none_or(|ci| ci != "true"), "CI must have bubblewrap");
    eprintln!("skipped: bubblewrap is not installed");
    true
}

impl Rig {
    async fn new() -> Option<Self> {
        Self::with(|_| {}).await
    }

    async fn with(change: impl FnOnce(&mut Options)) -> Option<Self> {
        if missing() {
            return None;
        }
        let data = TempDir::new().expect("a data directory");
        let workspace = TempDir::new().expect("a workspace");
        let mut options = Options::new(data.path().to_owned(), "test".to_owned());
        change(&mut options);
        let backend = Bubblewrap::find(&options).await.expect("bubblewrap can be prepared");
        Some(Self { backend: Arc::new(backend), data, workspace })
    }

    fn place(&self, session: &str) -> Place {
        Place {
            session: SessionId::new(session),
            workspace: Some(self.workspace.path().to_owned()),
            // What was judged is in the run.
            mount: Mount::None,
            network: Network::Open,
        }
    }

    async fn sh(&self, command: &str) -> Exit {
        self.sh_in(Mount::ReadWrite, command).await
    }

    async fn sh_in(&self, mount: Mount, command: &str) -> Exit {
        let run = Run { mount, ..run(command) };
        self.try_in(&self.place("test"), &run).await.expect("it runs")
    }

    async fn try_in(&self, place: &Place, run: &Run) -> Result<Exit> {
        self.backend.exec(place, run, &Shown::default()).await
    }

    /// The arguments of a sandbox without a workspace.
    fn arguments(&self) -> Vec<OsString> {
        let room = Room {
            programs: &self.backend.programs,
            own: &self.backend.own,
            ground: &Ground { floor: Floor::None, opening: None },
            repository: &[],
            hidden: &[],
            directory: "/".to_owned(),
            folder: 1_000_000,
            forbids_namespaces: false,
            filter: None,
        };
        room.arguments()
    }

    /// Runs a command in a sandbox whose arguments were changed: with one guard less.
    fn unguarded(&self, change: impl FnOnce(&mut Vec<OsString>), command: &str) -> String {
        let mut arguments = self.arguments();
        change(&mut arguments);
        let output = Command::new(&self.backend.program)
            .args(arguments)
            .args(["--", "/bin/sh", "-c", command])
            .output()
            .expect("bubblewrap runs");
        let both = [output.stdout, output.stderr].concat();
        String::from_utf8_lossy(&both).into_owned()
    }
}

/// Waits until the workspace is as its programs left it.
async fn settled(rig: &Rig) {
    let record = rig.backend.own.join("placeholders");
    let given_back = || std::fs::read_to_string(&record).is_ok_and(|lines| lines.is_empty());
    assert!(until(Duration::from_secs(5), given_back).await, "the workspace is given back");
}

/// Leaves this argument out, with so many words behind it.
fn without(option: &str, words: usize) -> impl FnOnce(&mut Vec<OsString>) {
    move |arguments| {
        let at = arguments.iter().position(|word| word == option).expect("the guard is there");
        arguments.drain(at..=at + words);
    }
}

fn run(command: &str) -> Run {
    Run {
        command: command.to_owned(),
        typed: false,
        directory: String::new(),
        timeout: Duration::from_secs(60),
        network: Network::None,
        hosts: Vec::new(),
        mount: Mount::ReadWrite,
    }
}

/// Processes of this machine whose command line has this in it, but for the shells that only carry it.
fn processes_with(mark: &str) -> Vec<String> {
    let Ok(all) = std::fs::read_dir("/proc") else { return Vec::new() };
    all.filter_map(|entry| {
        let path: PathBuf = entry.ok()?.path().join("cmdline");
        let line = std::fs::read(path).ok()?;
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        (line.contains(mark) && !line.is_empty()).then_some(line)
    })
    .collect()
}

/// Waits for a state, at most so long; whether it came.
async fn until(most: Duration, mut state: impl FnMut() -> bool) -> bool {
    let began = Instant::now();
    while !state() {
        if began.elapsed() > most {
            return false;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    true
}
