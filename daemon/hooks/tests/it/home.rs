//! A home with hooks in it, and a workspace beside it.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use moltis_core::hook::{HookAdmin, HookInfo, Hooks, Occasion, Point, Say};
use moltis_hooks::{Boot, HookSpec, Hookery, Options, Settings, Transcripts};
use moltis_testkit::env::ManualEnv;
use serde_json::Value;
use tempfile::TempDir;

/// Longer than anything here takes, on a machine with other things to do.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a daemon would have set up.
pub(crate) struct Home {
    dir: TempDir,
    pub(crate) settings: Settings,
    pub(crate) environment: BTreeMap<String, String>,
    pub(crate) boot: Option<Arc<dyn Boot>>,
    pub(crate) transcripts: Option<Arc<dyn Transcripts>>,
}

impl Home {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        for sub in ["data", "config", "work"] {
            fs::create_dir(dir.path().join(sub)).unwrap();
        }
        let path = std::env::var("PATH").unwrap();
        let environment = BTreeMap::from([
            ("PATH".to_owned(), path),
            ("HOME".to_owned(), dir.path().display().to_string()),
            ("ANTHROPIC_API_KEY".to_owned(), "sk-not-for-hooks".to_owned()),
        ]);
        Self { dir, settings: Settings::default(), environment, boot: None, transcripts: None }
    }

    pub(crate) fn path(&self, below: &str) -> PathBuf {
        self.dir.path().join(below)
    }

    pub(crate) fn workspace(&self) -> PathBuf {
        self.path("work")
    }

    /// The place of the home's hooks.
    pub(crate) fn home_hooks(&self) -> PathBuf {
        self.path("data/hooks")
    }

    /// The place of the workspace's hooks.
    pub(crate) fn work_hooks(&self) -> PathBuf {
        self.path("work/.moltis/hooks")
    }

    pub(crate) fn open(&self) -> Arc<Hookery> {
        Hookery::open(Options {
            data_dir: self.path("data"),
            config_dir: self.path("config"),
            environment: self.environment.clone(),
            settings: self.settings.clone(),
            env: ManualEnv::new(),
            boot: self.boot.clone(),
            transcripts: self.transcripts.clone(),
        })
        .unwrap()
    }

    /// Adds a row to the configuration.
    pub(crate) fn configure(&mut self, row: &str) {
        self.settings.configured.push(row_of(row));
    }

    /// What is in a file of the home; nothing when it is not there.
    pub(crate) fn text(&self, below: &str) -> String {
        fs::read_to_string(self.path(below)).unwrap_or_default()
    }
}

pub(crate) fn row_of(row: &str) -> HookSpec {
    HookSpec::read(row, "row").unwrap()
}

/// Writes a hook whose command is `./run.sh`.
pub(crate) fn write(place: &Path, name: &str, front: &str, script: &str) -> PathBuf {
    let folder = place.join(name);
    fs::create_dir_all(&folder).unwrap();
    let front = format!("+++\nname = \"{name}\"\ncommand = \"./run.sh\"\n{front}\n+++\n\nWords.\n");
    fs::write(folder.join("HOOK.md"), front).unwrap();
    let run = folder.join("run.sh");
    fs::write(&run, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&run, fs::Permissions::from_mode(0o755)).unwrap();
    folder
}

pub(crate) fn occasion(point: Point, facts: Value) -> Occasion {
    Occasion { point, workspace: None, facts }
}

/// What hooks say, in a line.
pub(crate) async fn say(hookery: &Hookery, point: Point, facts: Value) -> String {
    shown(hookery.call(occasion(point, facts)).await)
}

pub(crate) fn shown(say: Say) -> String {
    match say {
        Say::GoOn(facts) => format!("go on {facts}"),
        Say::Block(reason) => format!("block: {reason}"),
    }
}

pub(crate) async fn info(hookery: &Hookery, name: &str, workspace: Option<PathBuf>) -> HookInfo {
    let hooks = hookery.list(workspace).await.unwrap();
    hooks.into_iter().find(|hook| hook.name == name).unwrap()
}

/// Why a hook does not run.
pub(crate) async fn reason(hookery: &Hookery, name: &str, workspace: Option<PathBuf>) -> String {
    info(hookery, name, workspace).await.reason.unwrap_or_else(|| "it runs".to_owned())
}

/// Waits until it is so.
pub(crate) async fn until(what: &str, mut so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !so() {
        assert!(start.elapsed() < PATIENCE, "not within {PATIENCE:?}: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
