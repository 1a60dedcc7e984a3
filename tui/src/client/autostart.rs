//! Starting the daemon and hearing from it that it listens.
//!
//! The daemon writes one line to the pipe that it gets as its standard output: nothing is polled
//! and nothing sleeps. A lock keeps clients that come at the same time from starting several. An
//! installed systemd unit is preferred, so that there is one way in which the daemon runs.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde::Deserialize;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};
use tokio::process::{ChildStdout, Command};
use tokio::time::timeout;

use super::dial::Connector;
use super::failure::Failure;
use super::unit::Unit;

/// How long a daemon may take until it listens: opening a large store after a crash included.
const READY: Duration = Duration::from_secs(20);
/// What the line of readiness may weigh.
const LONGEST_LINE: u64 = 64 << 10;
/// How much of what a daemon said before it died is shown.
const LAST_WORDS: u64 = 2 << 10;

/// Why the daemon did not start.
pub(super) enum StartError {
    /// Another one holds the directory, or is being started: it may be there in a moment.
    Taken(Failure),
    /// It can't start.
    Failed(Failure),
}

impl From<Failure> for StartError {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

/// The daemon's program: beside this one, else in `PATH`.
///
/// # Errors
/// When there is none, with the places that were searched.
pub(crate) fn daemon_program() -> Result<PathBuf, Failure> {
    let beside = std::env::current_exe().ok().and_then(|exe| exe.parent().map(Path::to_owned));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = beside.iter().cloned().chain(std::env::split_paths(&path));
    folders.map(|folder| folder.join("moltisd")).find(|program| is_program(program)).ok_or_else(
        || {
            let beside = beside.unwrap_or_default();
            let message =
                format!("there is no `moltisd` in `{}` and none in PATH", beside.display());
            Failure::unavailable(message).with_hint("install moltisd beside moltis")
        },
    )
}

fn is_program(path: &Path) -> bool {
    path.is_file() && rustix::fs::access(path, rustix::fs::Access::EXEC_OK).is_ok()
}

/// Starts the daemon for those directories; returns when it listens.
pub(super) async fn start(connector: &Connector) -> Result<(), StartError> {
    let run = connector.data_dir().join("run");
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&run)
        .map_err(|error| Failure::io(format!("cannot make `{}`", run.display()), &error))?;
    let lock = lock(&run.join("start.lock")).await?;
    // Who waited for the lock finds the work done.
    if tokio::net::UnixStream::connect(connector.socket()).await.is_ok() {
        return Ok(());
    }
    let program = daemon_program()?;
    let unit = Unit::of(&program, connector);
    if unit.is_installed() && unit.start().await.is_ok() {
        return Ok(());
    }
    let started = spawn(connector, &program, &run).await;
    drop(lock);
    started
}

async fn lock(path: &Path) -> Result<File, Failure> {
    let what = format!("cannot lock `{}`", path.display());
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(path)
        .map_err(|error| Failure::io(&what, &error))?;
    if file.try_lock().is_ok() {
        return Ok(file);
    }
    // The wait is on a thread of its own and ends with the holder's start, which has an end itself.
    let waiting = tokio::task::spawn_blocking(move || file.lock().map(|()| file));
    match timeout(READY, waiting).await {
        Ok(Ok(Ok(file))) => Ok(file),
        Ok(Ok(Err(error))) => Err(Failure::io(&what, &error)),
        Ok(Err(_)) | Err(_) => Err(Failure::unavailable("another start of moltisd takes too long")
            .with_hint("moltis daemon logs")),
    }
}

async fn spawn(connector: &Connector, program: &Path, run: &Path) -> Result<(), StartError> {
    let words = last_words(&run.join("start.log"))?;
    let errors = words
        .try_clone()
        .map_err(|error| Failure::io("cannot keep the daemon's last words", &error))?;
    let mut command = Command::new(program);
    command.arg("--config-dir").arg(connector.config_dir());
    command.arg("--data-dir").arg(connector.data_dir());
    if let Some(level) = connector.log_level() {
        command.args(["--log-level", level]);
    }
    command
        .env("MOLTIS_READY_FD", "1")
        .env_remove("MOLTIS_SOCKET")
        // Whoever supervises this client has not asked for the daemon.
        .env_remove("NOTIFY_SOCKET")
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(errors);
    let mut daemon = command
        .spawn()
        .map_err(|error| Failure::io(format!("cannot run `{}`", program.display()), &error))?;
    let said = match daemon.stdout.take() {
        Some(pipe) => timeout(READY, read_line(pipe)).await,
        None => Ok(String::new()),
    };
    let Ok(line) = said else {
        let seconds = READY.as_secs();
        let failure =
            Failure::unavailable(format!("moltisd was started but not ready after {seconds} s"));
        return Err(failure.with_hint(log_hint(connector)).into());
    };
    match Readiness::parse(&line) {
        Readiness::Ready => Ok(()),
        Readiness::Failed(failure) if failure.code == "busy" || failure.code == "conflict" => {
            Err(StartError::Taken(Failure { exit: super::failure::EXIT_UNREACHABLE, ..failure }))
        }
        Readiness::Failed(failure) => {
            let exit = super::failure::EXIT_UNREACHABLE;
            let message = format!("moltisd does not start: {}", failure.message);
            Err(Failure { message, exit, ..failure }.into())
        }
        Readiness::Died => {
            let how = match timeout(Duration::from_secs(1), daemon.wait()).await {
                Ok(Ok(status)) => status.to_string(),
                _ => "it closed its readiness pipe".to_owned(),
            };
            let words = tail_of(words);
            let words = if words.is_empty() { String::new() } else { format!(": {words}") };
            let failure = Failure::unavailable(format!("moltisd does not start ({how}){words}"));
            Err(failure.with_hint(log_hint(connector)).into())
        }
    }
}

fn log_hint(connector: &Connector) -> String {
    format!("see {}", connector.data_dir().join("logs").join("moltisd.log").display())
}

/// A file for what the daemon says before its log is open: a panic, the loader's complaint.
fn last_words(path: &Path) -> Result<File, Failure> {
    let opened = OpenOptions::new()
        .create(true)
        .truncate(true)
        .read(true)
        .write(true)
        .mode(0o600)
        .open(path);
    opened.map_err(|error| Failure::io(format!("cannot write `{}`", path.display()), &error))
}

fn tail_of(mut file: File) -> String {
    let length = file.metadata().map_or(0, |metadata| metadata.len());
    let mut bytes = Vec::new();
    let read = file
        .seek(SeekFrom::Start(length.saturating_sub(LAST_WORDS)))
        .and_then(|_| file.take(LAST_WORDS).read_to_end(&mut bytes));
    if read.is_err() {
        return String::new();
    }
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    lines.iter().rev().take(3).rev().copied().collect::<Vec<_>>().join("; ")
}

async fn read_line(pipe: ChildStdout) -> String {
    let mut line = Vec::new();
    let read = BufReader::new(pipe.take(LONGEST_LINE)).read_until(b'\n', &mut line).await;
    if read.is_err() { String::new() } else { String::from_utf8_lossy(&line).into_owned() }
}

/// What a daemon said about its start.
#[derive(Debug, PartialEq, Eq)]
enum Readiness {
    Ready,
    Failed(Failure),
    Died,
}

impl Readiness {
    fn parse(line: &str) -> Self {
        #[derive(Deserialize)]
        struct Said {
            code: String,
            message: String,
            hint: Option<String>,
        }
        let line = line.trim_end();
        if line == "ready" || line.starts_with("ready ") {
            return Self::Ready;
        }
        let said = line.strip_prefix("failed ").and_then(|json| serde_json::from_str(json).ok());
        match said {
            Some(Said { code, message, hint }) => {
                let mut failure = Failure::new(code, message);
                failure.hint = hint.filter(|hint| !hint.is_empty());
                Self::Failed(failure)
            }
            None => Self::Died,
        }
    }
}

#[cfg(test)]
#[path = "autostart_tests.rs"]
mod tests;
