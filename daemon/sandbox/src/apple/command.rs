//! The program `container`, run.
//!
//! What goes wrong in the program itself is told by its exit code and a line `Error: …` on its standard
//! error (swift-argument-parser; `Application.swift`, 1.2.2). Not here: what it is asked. The
//! invariant: it is given nothing of the daemon's environment but where it finds itself, so that
//! nothing of it can be passed on to what runs inside.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::stream::{self, StreamExt as _};
use moltis_core::error::{Code, Error, Result};
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::{Child, ChildStderr, ChildStdout, Command};
use tokio::time::timeout;

use super::told;
use crate::container::runtime::{Piece, Program as Pieces};

/// Variables that the program is given of the daemon's: where its person is at home.
const KEPT: &[&str] = &["HOME", "USER", "LOGNAME", "TMPDIR", "PATH"];

/// Bytes that are read at once.
const CHUNK: usize = 64 * 1024;

/// Bytes that are kept of what it complains of.
const COMPLAINT: usize = 4_000;

/// The longest that it may take for a question that concerns what is on this machine.
const ASKED: Duration = Duration::from_secs(30);

/// The program.
#[derive(Clone)]
pub(super) struct Program {
    file: PathBuf,
}

impl Program {
    pub(super) fn new(file: PathBuf) -> Self {
        Self { file }
    }

    pub(super) fn file(&self) -> &Path {
        &self.file
    }

    /// It with these arguments, ended when it is dropped.
    pub(super) fn command<S: AsRef<std::ffi::OsStr>>(&self, words: &[S]) -> Command {
        let mut command = Command::new(&self.file);
        command.args(words).env_clear().current_dir("/").kill_on_drop(true);
        command.envs(KEPT.iter().filter_map(|name| Some((*name, std::env::var_os(name)?))));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// What it says to these arguments.
    ///
    /// # Errors
    /// Where it fails, with what it complains of.
    pub(super) async fn ask(&self, words: &[&str], longest: Duration) -> Result<String> {
        let (succeeded, said, wrong) = self.answer(words, longest).await?;
        if succeeded {
            return Ok(said);
        }
        let text =
            format!("`container {}` failed: {}", words.first().unwrap_or(&""), complaint(&wrong));
        Err(Error::new(Code::Unavailable, text))
    }

    async fn answer(&self, words: &[&str], longest: Duration) -> Result<(bool, String, String)> {
        let failed = |why: String| {
            let text = format!("`{}` can't be asked: {why}", self.file.display());
            Error::new(Code::Unavailable, text)
        };
        match timeout(longest, self.command(words).output()).await {
            Ok(Ok(said)) => {
                let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
                Ok((said.status.success(), text(&said.stdout), text(&said.stderr)))
            }
            Ok(Err(error)) => Err(failed(error.to_string())),
            Err(_) => Err(failed("it does not answer".to_owned())),
        }
    }

    /// Whether its service runs. `system status` prints its answer in either case, and fails where
    /// the service does not run (`SystemStatus.swift`, 0.12.3 and 1.2.2).
    pub(super) async fn service(&self, longest: Duration) -> Result<()> {
        let words = ["system", "status", "--format", "json"];
        let (succeeded, said, wrong) = self.answer(&words, longest).await?;
        if succeeded && told::runs(&said) {
            return Ok(());
        }
        let mut text = "the service of Apple's `container` does not run".to_owned();
        if !wrong.trim().is_empty() {
            text = format!("{text}: {}", complaint(&wrong));
        }
        Err(Error::new(Code::NotConfigured, text).with_hint("container system start"))
    }

    /// Its containers, running or not.
    pub(super) async fn containers(&self) -> Result<Vec<told::Container>> {
        told::containers(&self.ask(&["list", "--all", "--format", "json"], ASKED).await?)
    }

    /// Its images.
    pub(super) async fn images(&self) -> Result<Vec<told::Image>> {
        told::images(&self.ask(&["image", "list", "--format", "json"], ASKED).await?)
    }
}

/// The last of what it complains of, without what only says that it does.
pub(super) fn complaint(wrong: &str) -> String {
    let line = wrong.lines().map(str::trim).rfind(|line| !line.is_empty()).unwrap_or_default();
    let line = line.strip_prefix("Error: ").unwrap_or(line);
    line.chars().take(COMPLAINT).collect()
}

/// One that was started, as what it prints and how it ended.
pub(super) fn pieces(child: Child) -> Pieces {
    let mut child = child;
    let running =
        Running { stdout: child.stdout.take(), stderr: child.stderr.take(), child: Some(child) };
    stream::unfold(running, |mut running| async {
        let piece = running.next().await?;
        Some((piece, running))
    })
    .boxed()
}

struct Running {
    stdout: Option<ChildStdout>,
    stderr: Option<ChildStderr>,
    /// None once its end was told.
    child: Option<Child>,
}

impl Running {
    async fn next(&mut self) -> Option<Result<Piece>> {
        while self.stdout.is_some() || self.stderr.is_some() {
            tokio::select! {
                more = read(&mut self.stdout) => match more {
                    Some(more) => return Some(Ok(Piece::Stdout(more))),
                    None => self.stdout = None,
                },
                more = read(&mut self.stderr) => match more {
                    Some(more) => return Some(Ok(Piece::Stderr(more))),
                    None => self.stderr = None,
                },
            }
        }
        let ended = self.child.take()?.wait().await;
        Some(match ended.map(|status| status.code()) {
            // One that a signal ended was ended from here.
            Ok(code) => Ok(Piece::Exit(code.map_or(137, i64::from))),
            Err(error) => Err(Error::new(Code::Internal, error.to_string())),
        })
    }
}

/// More of a stream; none at its end. Never answers for one that has ended.
async fn read<T: AsyncRead + Unpin>(from: &mut Option<T>) -> Option<Bytes> {
    let Some(stream) = from else { return std::future::pending().await };
    let mut more = BytesMut::with_capacity(CHUNK);
    match stream.read_buf(&mut more).await {
        Ok(read) if read > 0 => Some(more.freeze()),
        Ok(_) | Err(_) => None,
    }
}
