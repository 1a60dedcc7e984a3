//! What the bench stands on: a real `moltisd` in a home of its own, told to ask the mock, and what
//! the kernel says of its process. Gone when dropped, files included.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

use super::mock::Mock;
use crate::client::{self, Client};

/// The model that the mock offers.
const MODEL: &str = "bench/bench";

/// What is kept of the environment: the machine's own words, and where its sandbox is.
const KEPT: &[&str] = &[
    "PATH",
    "HOME",
    "USER",
    "LANG",
    "TMPDIR",
    "XDG_RUNTIME_DIR",
    "DOCKER_HOST",
    "CONTAINER_HOST",
    "MOLTIS_SANDBOX__BACKEND",
    "MOLTIS_SANDBOX__SOCKET",
    "MOLTIS_SANDBOX__IMAGE",
    "MOLTIS_SANDBOX__PACKAGES",
];

/// A daemon, its home, and the mock that it asks.
pub(crate) struct Rig {
    home: Home,
    daemon: Child,
    /// The provider.
    pub(crate) mock: Mock,
}

/// A temporary home; removed when dropped.
pub(crate) struct Home {
    root: PathBuf,
    base_url: String,
}

impl Home {
    /// Makes an empty home whose daemon will ask `base_url`.
    pub(crate) fn new(base_url: String) -> anyhow::Result<Self> {
        let root = std::env::temp_dir().join(format!("moltis-bench-{}", client::op_id()));
        std::fs::create_dir_all(root.join("config")).context("making a home for the bench")?;
        Ok(Self { root, base_url })
    }

    /// Where its data is.
    pub(crate) fn data_dir(&self) -> PathBuf {
        self.root.join("data")
    }

    /// Where its configuration is.
    pub(crate) fn config_dir(&self) -> PathBuf {
        self.root.join("config")
    }

    /// A command that lives in this home and knows no other provider than the mock.
    pub(crate) fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.env_clear();
        for name in KEPT {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        command
            .env("MOLTIS_CONFIG_DIR", self.config_dir())
            .env("MOLTIS_DATA_DIR", self.data_dir())
            .env("MOLTIS_PROVIDERS__BENCH__KIND", "openai")
            .env("MOLTIS_PROVIDERS__BENCH__BASE_URL", &self.base_url)
            .env("MOLTIS_PROVIDERS__BENCH__API_KEY", "bench")
            .env("MOLTIS_CHAT__DEFAULT_MODEL", MODEL)
            .env("MOLTIS_CHAT__MAX_QUEUED", "1000000")
            .env("MOLTIS_CHAT__TITLES", "off")
            .kill_on_drop(true)
            .stdin(Stdio::null());
        command
    }

    /// Starts a daemon and returns it with the time from exec to its being ready.
    pub(crate) async fn start_daemon(&self) -> anyhow::Result<(Child, Duration)> {
        let program = client::daemon_program()?;
        let mut command = self.command(&program);
        command.env("MOLTIS_READY_FD", "1").stdout(Stdio::piped()).stderr(Stdio::null());
        let begun = Instant::now();
        let mut daemon = command.spawn().with_context(|| format!("starting {program:?}"))?;
        let pipe = daemon.stdout.take().context("the daemon has no readiness pipe")?;
        let mut line = String::new();
        BufReader::new(pipe).read_line(&mut line).await.context("waiting for the daemon")?;
        let took = begun.elapsed();
        if !line.starts_with("ready") {
            bail!("the daemon did not start: {}", line.trim());
        }
        Ok((daemon, took))
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        // Nothing is lost when a temporary folder stays behind.
        let _ = std::fs::remove_dir_all(&self.root);
    }
}

impl Rig {
    /// Starts the mock and the daemon.
    pub(crate) async fn start() -> anyhow::Result<Self> {
        let mock = Mock::start().await.context("starting the mock provider")?;
        let home = Home::new(mock.base_url())?;
        let (daemon, _) = home.start_daemon().await?;
        Ok(Self { home, daemon, mock })
    }

    /// Ends the daemon in an orderly way, so that nothing of its sandboxes is left, then the rest.
    pub(crate) async fn end(self) -> anyhow::Result<()> {
        stop(self.daemon).await
    }

    /// Its home.
    pub(crate) fn home(&self) -> &Home {
        &self.home
    }

    /// A connection of its own.
    pub(crate) async fn client(&self) -> anyhow::Result<Client> {
        let connector =
            client::Connector::at(&self.home.config_dir(), &self.home.data_dir(), "cli");
        connector.connect().await.map_err(|failure| anyhow::anyhow!("{}", failure.message))
    }

    /// What the kernel says of the daemon.
    pub(crate) fn process(&self) -> anyhow::Result<Process> {
        Ok(Process::of(self.daemon.id().context("the daemon is gone")?))
    }
}

/// Ends a daemon in an orderly way and waits for it.
pub(crate) async fn stop(mut daemon: Child) -> anyhow::Result<()> {
    if let Some(id) = daemon.id().and_then(|id| i32::try_from(id).ok())
        && let Some(id) = rustix::process::Pid::from_raw(id)
    {
        rustix::process::kill_process(id, rustix::process::Signal::TERM)?;
    }
    daemon.wait().await?;
    Ok(())
}

/// What the kernel says of a process (Linux: `/proc`, see proc(5)).
#[derive(Clone, Copy)]
pub(crate) struct Process {
    id: u32,
}

impl Process {
    /// The process of that id.
    pub(crate) fn of(id: u32) -> Self {
        Self { id }
    }

    /// Resident memory in megabytes.
    pub(crate) fn resident_mb(self) -> anyhow::Result<f64> {
        let kilobytes: f64 = self.status(&format!("/proc/{}/status", self.id), "VmRSS:")?;
        Ok(kilobytes * 1024.0 / 1e6)
    }

    /// The most resident memory since the peak was forgotten, in megabytes.
    pub(crate) fn peak_mb(self) -> anyhow::Result<f64> {
        let kilobytes: f64 = self.status(&format!("/proc/{}/status", self.id), "VmHWM:")?;
        Ok(kilobytes * 1024.0 / 1e6)
    }

    /// Begins a new peak at what is resident now.
    pub(crate) fn forget_peak(self) -> anyhow::Result<()> {
        let path = format!("/proc/{}/clear_refs", self.id);
        std::fs::write(&path, "5").with_context(|| format!("writing `{path}`"))
    }

    /// Time on a processor since it started, in microseconds, all threads.
    pub(crate) fn cpu_us(self) -> anyhow::Result<f64> {
        let mut nanoseconds = 0.0;
        for thread in self.threads()? {
            let text = std::fs::read_to_string(thread.join("schedstat")).unwrap_or_default();
            nanoseconds += text.split(' ').next().and_then(|word| word.parse().ok()).unwrap_or(0.0);
        }
        Ok(nanoseconds / 1e3)
    }

    /// How often its threads went to sleep and were woken, since it started.
    pub(crate) fn wakeups(self) -> anyhow::Result<f64> {
        let mut sum = 0.0;
        for thread in self.threads()? {
            let path = thread.join("status").display().to_string();
            sum += self.status(&path, "voluntary_ctxt_switches:").unwrap_or(0.0);
        }
        Ok(sum)
    }

    fn threads(self) -> anyhow::Result<Vec<PathBuf>> {
        let folder = format!("/proc/{}/task", self.id);
        let entries = std::fs::read_dir(&folder)
            .with_context(|| format!("reading `{folder}`: figures of processes need Linux"))?;
        Ok(entries.filter_map(|entry| Some(entry.ok()?.path())).collect())
    }

    fn status(self, path: &str, name: &str) -> anyhow::Result<f64> {
        let text = std::fs::read_to_string(path).with_context(|| format!("reading `{path}`"))?;
        let value = text
            .lines()
            .find_map(|line| line.strip_prefix(name))
            .and_then(|rest| rest.split_whitespace().next())
            .with_context(|| format!("`{path}` has no `{name}`"))?;
        Ok(value.parse()?)
    }
}
