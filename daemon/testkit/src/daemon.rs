//! A real `moltisd` in a temporary home.
//!
//! The home outlives the daemon, so that a test can kill it and start the next one on what it left.
//! Everything is on loopback and below one temporary folder; only processes started here are ended, by pid.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use moltis_proto::v1::config_client::ConfigClient;
use moltis_proto::v1::hooks_client::HooksClient;
use moltis_proto::v1::models_client::ModelsClient;
use moltis_proto::v1::providers_client::ProvidersClient;
use moltis_proto::v1::sandbox_client::SandboxClient;
use moltis_proto::v1::sessions_client::SessionsClient;
use moltis_proto::v1::system_client::SystemClient;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::net::UnixStream;
use tokio::process::{Child, Command};
use tonic::transport::{Channel, Endpoint, Uri};

/// Folders and environment for one daemon after the other.
pub struct Home {
    root: tempfile::TempDir,
    program: PathBuf,
    env: Vec<(String, String)>,
}

impl Home {
    /// An empty home for the `moltisd` at `program`.
    ///
    /// # Panics
    /// When the system has no room for a temporary folder.
    #[expect(clippy::unwrap_used, reason = "a test without a folder can't go on")]
    pub fn new(program: impl Into<PathBuf>) -> Self {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(root.path().join("config")).unwrap();
        Self { root, program: program.into(), env: Vec::new() }
    }

    /// Also sets an environment variable for its daemons.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.env.retain(|(known, _)| known != name);
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Asks the vendor at this base URL: the model `test/test` is the default.
    #[must_use]
    pub fn vendor(self, base_url: &str) -> Self {
        self.env("MOLTIS_PROVIDERS__TEST__KIND", "openai")
            .env("MOLTIS_PROVIDERS__TEST__BASE_URL", base_url)
            .env("MOLTIS_PROVIDERS__TEST__API_KEY", "test")
            .env("MOLTIS_CHAT__DEFAULT_MODEL", "test/test")
    }

    /// The folder that holds everything.
    pub fn root(&self) -> &Path {
        self.root.path()
    }

    /// Where the daemon's data is.
    pub fn data_dir(&self) -> PathBuf {
        self.root.path().join("data")
    }

    /// Where `moltis.toml` is.
    pub fn config_file(&self) -> PathBuf {
        self.root.path().join("config/moltis.toml")
    }

    /// A command for the daemon's program in this home, with nothing of the tester's environment but
    /// the search path.
    pub fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.root.path())
            .env("MOLTIS_CONFIG_DIR", self.root.path().join("config"))
            .env("MOLTIS_DATA_DIR", self.data_dir())
            .envs(self.env.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .kill_on_drop(true);
        command
    }

    /// Starts a daemon and waits until it is ready.
    ///
    /// # Panics
    /// When it does not become ready; with what it said.
    #[expect(clippy::panic, reason = "a test without its daemon can't go on")]
    pub async fn start(&self) -> Daemon {
        match self.try_start().await {
            Ok(daemon) => daemon,
            Err(said) => panic!("the daemon did not start: {said}"),
        }
    }

    /// Starts a daemon and waits until it is ready, or says why it is not.
    ///
    /// # Errors
    /// The line that it wrote to its readiness pipe, and what it wrote to stderr.
    ///
    /// # Panics
    /// When the program can't be run at all.
    #[expect(clippy::unwrap_used, reason = "a test without its daemon can't go on")]
    pub async fn try_start(&self) -> Result<Daemon, String> {
        let log = self.root.path().join("stderr");
        let stderr = std::fs::File::create(&log).unwrap();
        let mut command = self.command();
        command.env("MOLTIS_READY_FD", "1").stdout(Stdio::piped()).stderr(stderr);
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        let pipe = child.stdout.take().unwrap();
        BufReader::new(pipe).read_line(&mut line).await.unwrap();
        if !line.starts_with("ready ") {
            // The reason has come: what is left of the process ends by itself.
            drop(child.wait().await);
            let said = std::fs::read_to_string(&log).unwrap_or_default();
            return Err(format!("{line}{said}"));
        }
        let socket = self.data_dir().join("run/moltisd.sock");
        Ok(Daemon { child, channel: connect(&socket).await })
    }
}

/// A channel to a daemon's socket.
///
/// # Panics
/// When nobody serves it.
#[expect(clippy::unwrap_used, reason = "a test without its daemon can't go on")]
pub async fn connect(socket: &Path) -> Channel {
    let socket = socket.to_owned();
    let connector = tower::service_fn(move |_: Uri| {
        let socket = socket.clone();
        async move { UnixStream::connect(socket).await.map(hyper_util::rt::TokioIo::new) }
    });
    Endpoint::from_static("http://moltisd").connect_with_connector(connector).await.unwrap()
}

/// A running daemon; killed when dropped.
pub struct Daemon {
    child: Child,
    channel: Channel,
}

impl Daemon {
    /// Its process id.
    ///
    /// # Panics
    /// When it has ended.
    #[expect(clippy::unwrap_used, reason = "asked only of a running daemon")]
    pub fn pid(&self) -> u32 {
        self.child.id().unwrap()
    }

    /// Its sessions.
    pub fn sessions(&self) -> SessionsClient<Channel> {
        SessionsClient::new(self.channel.clone())
    }

    /// Its models.
    pub fn models(&self) -> ModelsClient<Channel> {
        ModelsClient::new(self.channel.clone())
    }

    /// Its providers.
    pub fn providers(&self) -> ProvidersClient<Channel> {
        ProvidersClient::new(self.channel.clone())
    }

    /// Its configuration.
    pub fn config(&self) -> ConfigClient<Channel> {
        ConfigClient::new(self.channel.clone())
    }

    /// Its hooks.
    pub fn hooks(&self) -> HooksClient<Channel> {
        HooksClient::new(self.channel.clone())
    }

    /// Where its agents' programs run.
    pub fn sandbox(&self) -> SandboxClient<Channel> {
        SandboxClient::new(self.channel.clone())
    }

    /// Itself.
    pub fn system(&self) -> SystemClient<Channel> {
        SystemClient::new(self.channel.clone())
    }

    /// Kills it at once (SIGKILL) and waits until it is gone.
    ///
    /// # Panics
    /// When the system refuses.
    #[expect(clippy::unwrap_used, reason = "a child can always be killed")]
    pub async fn kill(mut self) {
        self.child.kill().await.unwrap();
    }

    /// Sends it a signal by name (`TERM`, `HUP`).
    ///
    /// # Panics
    /// When there is no `kill` program.
    #[expect(clippy::unwrap_used, reason = "every system has one")]
    pub async fn signal(&self, name: &str) {
        let pid = self.pid().to_string();
        let status = Command::new("kill").args(["-s", name, &pid]).status().await.unwrap();
        assert!(status.success(), "kill -s {name} {pid}");
    }

    /// Waits until it has ended and gives its exit code; `None` after a signal.
    ///
    /// # Panics
    /// When the system refuses.
    #[expect(clippy::unwrap_used, reason = "a child can always be waited for")]
    pub async fn ended(mut self) -> Option<i32> {
        self.child.wait().await.unwrap().code()
    }

    /// Ends it in an orderly way.
    pub async fn stop(self) -> Option<i32> {
        self.signal("TERM").await;
        self.ended().await
    }
}
