//! A program that stands in for `container`, a sandbox on it, and programs that the policy let through.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use moltis_core::error::Result;
use moltis_core::id::{CallId, SessionId};
use moltis_core::policy::{Authorized, Grants, Label, Principal, Verdict, authorize};
use moltis_core::sandbox::{Exit, Mount, Network, Place, ProcessAsk, Sandbox as _};
use moltis_core::tool::{Action, Call, Output, Run};
use moltis_sandbox::{Choice, Options, Sandboxes};

/// What sessions run in.
pub(crate) const IMAGE: &str = "moltis-test-base:1";

/// One of each generation: their answers have other shapes.
pub(crate) const VERSIONS: [&str; 2] = ["0.12.3", "1.2.2"];

/// What the double is made of.
const PARTS: &[&str] = &["bash", "busybox", "bwrap", "git", "ldd", "nsenter", "tmux"];

/// Whether a part of the double is missing, or the right to enter its namespaces; that is said, and
/// fails in CI.
pub(crate) fn missing() -> bool {
    let mut lacking: Vec<&str> = PARTS.iter().copied().filter(|name| !installed(name)).collect();
    if !rustix::process::geteuid().is_root() {
        lacking.push("root");
    }
    if lacking.is_empty() {
        return false;
    }
    assert!(std::env::var_os("CI").is_none_or(|ci| ci != "true"), "CI must have {lacking:?}");
    eprintln!("not tested without {lacking:?}");
    true
}

fn installed(name: &str) -> bool {
    on_path(name).is_some()
}

fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file())
}

/// Keeps what is shown.
#[derive(Default)]
pub(crate) struct Shown(pub(crate) Mutex<String>);

impl Output for Shown {
    fn push(&self, text: &str) {
        self.0.lock().unwrap().push_str(text);
    }
}

/// The double, in a folder of its own.
pub(crate) struct Double {
    pub(crate) folder: tempfile::TempDir,
}

impl Double {
    /// One of this version, with an image.
    pub(crate) fn new(version: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let double = Self { folder };
        let path = double.path();
        let program = path.join("container");
        fs::write(&program, include_str!("container.sh")).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        double.flavor(&format!("version={version}"));
        fs::create_dir_all(path.join("state/containers")).unwrap();
        fs::write(path.join("state/images"), format!("docker.io/library/{IMAGE}\n")).unwrap();
        fs::write(path.join("state/remote"), "docker.io/library/there:1\n").unwrap();
        root(&path.join("root"));
        double
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// What it says of itself, and what it does not do.
    pub(crate) fn flavor(&self, lines: &str) {
        fs::write(self.path().join("flavor"), format!("{lines}\n")).unwrap();
    }

    /// Everything that it was asked.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.path().join("log")).unwrap_or_default()
    }

    /// Processes that run in its containers or hold them.
    pub(crate) fn running(&self) -> Vec<String> {
        let mark = self.path().to_string_lossy().into_owned();
        let lines = fs::read_dir("/proc").unwrap().flatten().filter_map(|entry| {
            let line = fs::read(entry.path().join("cmdline")).ok()?;
            let line = String::from_utf8_lossy(&line).replace('\0', " ");
            let root = fs::read_link(entry.path().join("root")).unwrap_or_default();
            let inside = root.to_string_lossy().contains("/root") && root.starts_with(self.path());
            (line.contains(&mark) || inside).then_some(line)
        });
        lines.collect()
    }

    pub(crate) fn options(&self, data: &Path) -> Options {
        let mut options = Options::new(data.to_owned(), "test".to_owned());
        options.backend = Choice::AppleContainer;
        options.path = vec![self.path().to_owned()];
        options.base_image = IMAGE.to_owned();
        options.memory_mb = 128;
        options.pids = 64;
        options.tmp_mb = 16;
        options
    }
}

/// A root file system out of this machine's busybox and tmux.
fn root(root: &Path) {
    for folder in ["bin", "etc", "tmp", "home/moltis", "workspace", "proc", "sys", "dev", "usr/bin"]
    {
        fs::create_dir_all(root.join(folder)).unwrap();
    }
    let busybox = on_path("busybox").unwrap();
    fs::copy(&busybox, root.join("bin/busybox")).unwrap();
    let programs = Command::new(busybox).arg("--list").output().unwrap().stdout;
    for program in String::from_utf8(programs).unwrap().lines().filter(|name| *name != "busybox") {
        symlink("busybox", root.join("bin").join(program)).unwrap();
    }
    let tmux = on_path("tmux").unwrap();
    fs::copy(&tmux, root.join("usr/bin/tmux")).unwrap();
    let needed = Command::new("ldd").arg(tmux).output().unwrap().stdout;
    let needed = String::from_utf8(needed).unwrap();
    for library in needed.split_whitespace().filter(|word| word.starts_with('/')) {
        copy(root, Path::new(library));
    }
    for folder in ["/lib/terminfo/s", "/usr/share/terminfo/s", "/usr/lib/locale/C.utf8"] {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if entry.path().is_file() && (name.starts_with("screen") || folder.ends_with("utf8")) {
                copy(root, &entry.path());
            }
        }
    }
}

fn copy(root: &Path, file: &Path) {
    let to = root.join(file.strip_prefix("/").unwrap());
    fs::create_dir_all(to.parent().unwrap()).unwrap();
    fs::copy(file, to).unwrap();
}

/// A sandbox on a double, with a workspace.
pub(crate) struct Scene {
    pub(crate) sandbox: Arc<Sandboxes>,
    pub(crate) place: Place,
    pub(crate) double: Double,
    data: tempfile::TempDir,
    workspace: tempfile::TempDir,
}

impl Scene {
    pub(crate) fn new(version: &str) -> Self {
        Self::with(version, |_| {})
    }

    pub(crate) fn with(version: &str, change: impl FnOnce(&mut Options)) -> Self {
        let double = Double::new(version);
        let data = tempfile::tempdir().unwrap();
        let workspace = tempfile::tempdir().unwrap();
        let mut options = double.options(data.path());
        change(&mut options);
        let place = Place {
            session: SessionId::new("session-1"),
            workspace: Some(workspace.path().to_owned()),
            mount: Mount::ReadWrite,
            network: Network::None,
        };
        Self { sandbox: Sandboxes::new(options), place, double, data, workspace }
    }

    pub(crate) fn workspace(&self) -> &Path {
        self.workspace.path()
    }

    pub(crate) fn data(&self) -> &Path {
        self.data.path()
    }

    pub(crate) async fn exec(&self, command: &str) -> Exit {
        self.try_exec(command).await.unwrap()
    }

    pub(crate) async fn try_exec(&self, command: &str) -> Result<Exit> {
        let run = run(&self.place, command, Duration::from_secs(30));
        self.sandbox.exec(&self.place, run, &Shown::default()).await
    }

    pub(crate) async fn start(&self, name: &str, command: &str) {
        let run = run(&self.place, command, Duration::from_secs(30));
        let ask = ProcessAsk::Start { name: name.to_owned() };
        self.sandbox.process(&self.place, run, ask).await.unwrap();
    }

    pub(crate) async fn until_screen(&self, name: &str, wanted: &str) {
        let began = Instant::now();
        loop {
            let screen = self.sandbox.screen(&self.place, name, 100).await.unwrap().1;
            if screen.contains(wanted) {
                return;
            }
            assert!(began.elapsed() < Duration::from_secs(20), "`{wanted}` is not in:\n{screen}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

/// Waits for a state, at most so long; whether it came.
pub(crate) async fn until(most: Duration, mut state: impl FnMut() -> bool) -> bool {
    let began = Instant::now();
    while !state() {
        if began.elapsed() > most {
            return false;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    true
}

/// A program that the owner asked for.
pub(crate) fn run(place: &Place, command: &str, timeout: Duration) -> Authorized<Run> {
    let run = Run {
        command: command.to_owned(),
        directory: String::new(),
        timeout,
        network: place.network,
        mount: place.mount,
        hosts: Vec::new(),
        typed: false,
    };
    let call = Call {
        id: CallId::new("call"),
        tool: "exec".to_owned(),
        arguments: serde_json::Value::Null,
        action: Action::Run(run),
    };
    match authorize(Principal::Owner, call, Label::CLEAN, &Grants::default()) {
        Verdict::Allowed(call) => call.run().unwrap(),
        other => panic!("{other:?}"),
    }
}
