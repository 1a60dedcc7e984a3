//! An engine, a sandbox on it, and programs that the policy let through.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bollard::query_parameters::ListContainersOptions;
use bollard::{API_DEFAULT_VERSION, Docker};
use moltis_core::error::Result;
use moltis_core::id::{CallId, SessionId};
use moltis_core::policy::{Authorized, Grants, Label, Principal, Verdict, authorize};
use moltis_core::sandbox::{Exit, Mount, Network, Place, ProcessAsk, Sandbox as _};
use moltis_core::tool::{Action, Call, Output, Run};
use moltis_sandbox::{Choice, Options, Sandboxes};

/// What `.ci/engines` imports.
pub(crate) const IMAGE: &str = "moltis-test-base:1";

/// The engines that are there.
pub(crate) fn engines() -> Vec<(Choice, String)> {
    engines_at([(Choice::Docker, "MOLTIS_TEST_DOCKER"), (Choice::Podman, "MOLTIS_TEST_PODMAN")])
}

/// The engines whose sockets these variables name.
pub(crate) fn engines_at(named: [(Choice, &str); 2]) -> Vec<(Choice, String)> {
    let mut engines = Vec::new();
    for (choice, variable) in named {
        match std::env::var(variable) {
            Ok(socket) => engines.push((choice, socket)),
            Err(_) => {
                assert!(std::env::var_os("CI").is_none(), "{variable} is not set");
                eprintln!("{variable} is not set: not tested");
            }
        }
    }
    engines
}

/// Keeps what is shown.
#[derive(Default)]
pub(crate) struct Shown(pub(crate) Mutex<String>);

impl Output for Shown {
    fn push(&self, text: &str) {
        self.0.lock().unwrap().push_str(text);
    }
}

/// A sandbox on one engine, with a workspace.
pub(crate) struct Scene {
    pub(crate) sandbox: Arc<Sandboxes>,
    pub(crate) place: Place,
    pub(crate) instance: String,
    pub(crate) socket: String,
    folder: tempfile::TempDir,
}

/// Options for tests; small limits, so that bombs are small.
pub(crate) fn options(engine: &(Choice, String), data: &Path, instance: &str) -> Options {
    let mut options = Options::new(data.to_owned(), instance.to_owned());
    options.backend = engine.0;
    options.socket = Some(engine.1.clone());
    options.base_image = IMAGE.to_owned();
    options.memory_mb = 128;
    options.pids = 64;
    options.tmp_mb = 16;
    options
}

impl Scene {
    pub(crate) fn new(engine: &(Choice, String)) -> Self {
        Self::with(engine, |_| {})
    }

    pub(crate) fn with(engine: &(Choice, String), change: impl FnOnce(&mut Options)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let name = folder.path().file_name().unwrap().to_string_lossy();
        let instance: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
        let workspace = folder.path().join("workspace");
        std::fs::create_dir(&workspace).unwrap();
        std::fs::create_dir(folder.path().join("data")).unwrap();
        open_to_all(folder.path());
        open_to_all(&workspace);
        let mut options = options(engine, &folder.path().join("data"), &instance);
        change(&mut options);
        let place = Place {
            session: SessionId::new("session-1"),
            workspace: Some(workspace),
            mount: Mount::ReadWrite,
            network: Network::None,
        };
        let sandbox = Sandboxes::new(options);
        Self { sandbox, place, instance, socket: engine.1.clone(), folder }
    }

    pub(crate) fn workspace(&self) -> PathBuf {
        self.folder.path().join("workspace")
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) async fn exec(&self, command: &str) -> Exit {
        self.try_exec(run(&self.place, command, 30)).await.unwrap()
    }

    pub(crate) async fn try_exec(&self, run: Authorized<Run>) -> Result<Exit> {
        self.sandbox.exec(&self.place, run, &Shown::default()).await
    }

    /// Runs it, and ends it after so many seconds.
    pub(crate) async fn exec_for(&self, command: &str, seconds: u64) -> Exit {
        self.try_exec(run(&self.place, command, seconds)).await.unwrap()
    }

    pub(crate) async fn start(&self, name: &str, command: &str) {
        let ask = ProcessAsk::Start { name: name.to_owned() };
        self.sandbox.process(&self.place, run(&self.place, command, 30), ask).await.unwrap();
    }

    pub(crate) async fn screen(&self, name: &str) -> String {
        self.sandbox.screen(&self.place, name, 100).await.unwrap().1
    }

    /// Waits until the screen shows something.
    pub(crate) async fn until_screen(&self, name: &str, wanted: &str) -> String {
        let began = Instant::now();
        loop {
            let screen = self.screen(name).await;
            if screen.contains(wanted) {
                return screen;
            }
            assert!(began.elapsed() < Duration::from_secs(20), "`{wanted}` is not in:\n{screen}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    pub(crate) async fn end(self) {
        self.sandbox.stop(&self.place.session).await;
        assert_eq!(containers(&self.socket, &self.instance).await, 0, "something is left");
    }
}

/// Root's temporary folders are closed to the ordinary user that programs are.
pub(crate) fn open_to_all(folder: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o777)).unwrap();
}

/// A program that the owner asked for.
pub(crate) fn run(place: &Place, command: &str, seconds: u64) -> Authorized<Run> {
    run_in(place, command, "", seconds)
}

pub(crate) fn run_in(
    place: &Place,
    command: &str,
    directory: &str,
    seconds: u64,
) -> Authorized<Run> {
    let run = Run {
        command: command.to_owned(),
        typed: false,
        directory: directory.to_owned(),
        timeout: Duration::from_secs(seconds),
        network: place.network,
        hosts: Vec::new(),
        mount: place.mount,
    };
    let call = Call {
        id: CallId::new("call"),
        tool: "exec".to_owned(),
        arguments: serde_json::json!({ "command": command }),
        action: Action::Run(run),
    };
    match authorize(Principal::Owner, call, Label::CLEAN, &Grants::default()) {
        Verdict::Allowed(call) => call.run().unwrap(),
        other => panic!("{other:?}"),
    }
}

pub(crate) async fn connect(socket: &str) -> Docker {
    let docker = Docker::connect_with_unix(socket, 60, API_DEFAULT_VERSION).unwrap();
    docker.negotiate_version().await.unwrap()
}

/// The containers of an instance, running or not.
pub(crate) async fn containers(socket: &str, instance: &str) -> usize {
    let label = vec![format!("moltis.instance={instance}")];
    let options = ListContainersOptions {
        all: true,
        filters: Some(HashMap::from([("label".to_owned(), label)])),
        ..ListContainersOptions::default()
    };
    connect(socket).await.list_containers(Some(options)).await.unwrap().len()
}

/// Whether a process of this machine has this in its command line.
pub(crate) fn on_machine(wanted: &str) -> bool {
    std::fs::read_dir("/proc").unwrap().flatten().any(|entry| {
        let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&line).replace('\0', " ").trim() == wanted
    })
}
