//! Runs the machine's git, with nothing of what it usually picks up.
//!
//! A repository may have been written by anyone, its configuration included. So git is told by its
//! environment, which counts for more than any file, to run no hook, no monitor of files, no helper
//! and no transport; it sees no configuration but the repository's own, asks nobody anything, and has
//! a bounded time and output. What remains are the filters that a configuration may name for files:
//! whoever touches files asks through [`crate::aside`], where that configuration is not read at all.
//!
//! Not here: what is asked. The invariant: when a run returns, its processes are dead; when it is
//! dropped, they are killed.

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::{Child, Command};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// Where git is looked for: not where the environment says, which others may have a say in.
const PLACES: &[&str] = &["/usr/bin", "/bin", "/usr/local/bin", "/opt/homebrew/bin"];

/// How long git may take for what does not depend on how much there is.
pub(crate) const SHORT: Duration = Duration::from_secs(60);

/// How long it may take to read or to write all files.
pub(crate) const LONG: Duration = Duration::from_secs(1_200);

/// Bytes that are taken of what it prints, and of what it complains of; the rest is let go.
const MOST: u64 = 1 << 20;
const COMPLAINT: u64 = 16 << 10;

/// All of its environment, but for what a run adds.
const ENVIRONMENT: &[(&str, &str)] = &[
    ("PATH", "/usr/bin:/bin:/usr/local/bin:/opt/homebrew/bin"),
    ("HOME", "/nonexistent"),
    ("LC_ALL", "C"),
    ("GIT_CONFIG_NOSYSTEM", "1"),
    ("GIT_CONFIG_SYSTEM", "/dev/null"),
    ("GIT_CONFIG_GLOBAL", "/dev/null"),
    ("GIT_ATTR_NOSYSTEM", "1"),
    ("GIT_TERMINAL_PROMPT", "0"),
    ("GIT_ASKPASS", "false"),
    ("SSH_ASKPASS", "false"),
    ("GIT_PAGER", "cat"),
    ("GIT_EDITOR", "false"),
    ("GIT_OPTIONAL_LOCKS", "0"),
    // A repository without all of its objects fetches what is missing: by whatever program it names.
    ("GIT_NO_LAZY_FETCH", "1"),
    ("GIT_ALLOW_PROTOCOL", "none"),
];

/// Configuration that counts for more than the repository's.
const OVERRIDES: &[(&str, &str)] = &[
    ("core.hooksPath", "/dev/null"),
    ("core.fsmonitor", "false"),
    ("core.attributesFile", "/dev/null"),
    ("core.askPass", "false"),
    ("core.sshCommand", "false"),
    ("credential.helper", ""),
    ("protocol.allow", "never"),
    ("gc.auto", "0"),
    ("maintenance.auto", "false"),
    ("submodule.recurse", "false"),
    ("worktree.useRelativePaths", "false"),
];

/// The machine's git.
#[derive(Clone, Debug)]
pub(crate) struct Git {
    program: PathBuf,
    /// Ends its runs.
    stop: CancellationToken,
}

/// One run of it.
pub(crate) struct Ask<'a> {
    directory: &'a Path,
    words: Vec<OsString>,
    environment: Vec<(&'static str, OsString)>,
    limit: Duration,
}

/// Why a run did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failed {
    #[error("git does not start: {0}")]
    NotStarted(io::Error),
    #[error("git did not come to an end in {} s", .0.as_secs())]
    TimedOut(Duration),
    /// Whoever wanted it went away.
    #[error("nobody waits for it")]
    Stopped,
    /// It said no: the last line of its complaint.
    #[error("{0}")]
    Refused(String),
}

impl<'a> Ask<'a> {
    /// These words, in this directory.
    pub(crate) fn new<W: AsRef<OsStr>>(
        directory: &'a Path,
        words: impl IntoIterator<Item = W>,
    ) -> Self {
        let words = words.into_iter().map(|word| word.as_ref().to_owned()).collect();
        Self { directory, words, environment: Vec::new(), limit: SHORT }
    }

    /// A further word.
    pub(crate) fn word(mut self, word: impl AsRef<OsStr>) -> Self {
        self.words.push(word.as_ref().to_owned());
        self
    }

    /// A variable of its environment.
    pub(crate) fn with(mut self, name: &'static str, value: impl AsRef<OsStr>) -> Self {
        self.environment.push((name, value.as_ref().to_owned()));
        self
    }

    /// It reads or writes all files.
    pub(crate) fn long(mut self) -> Self {
        self.limit = LONG;
        self
    }
}

impl Git {
    /// The machine's git, if it has one.
    pub(crate) fn find() -> Option<Self> {
        let programs = PLACES.iter().map(|place| Path::new(place).join("git"));
        programs.into_iter().find(|path| path.is_file()).map(|program| {
            let stop = CancellationToken::new();
            Self { program, stop }
        })
    }

    /// The same, whose runs this ends.
    pub(crate) fn until(&self, stop: &CancellationToken) -> Self {
        Self { program: self.program.clone(), stop: stop.clone() }
    }

    /// Runs it, and gives what it printed without the blanks at its end.
    pub(crate) async fn ask(&self, ask: Ask<'_>) -> Result<String, Failed> {
        if self.stop.is_cancelled() {
            return Err(Failed::Stopped);
        }
        let limit = ask.limit;
        let mut child = self.spawn(ask).map_err(Failed::NotStarted)?;
        let group = Group::of(&child);
        let (out, err) = (child.stdout.take(), child.stderr.take());
        let (mut said, mut complaint) = (Vec::new(), Vec::new());
        let run = async {
            tokio::join!(
                child.wait(),
                gather(out, &mut said, MOST),
                gather(err, &mut complaint, COMPLAINT),
            )
        };
        let ended = tokio::select! {
            (status, (), ()) = run => status.map_err(Failed::NotStarted),
            () = self.stop.cancelled() => Err(Failed::Stopped),
            () = sleep(limit) => Err(Failed::TimedOut(limit)),
        };
        if ended.is_err() {
            // What was killed may still be at its last write.
            drop(group);
            let _ = child.wait().await;
        }
        if ended?.success() {
            return Ok(String::from_utf8_lossy(&said).trim_end().to_owned());
        }
        Err(Failed::Refused(reason(&String::from_utf8_lossy(&complaint))))
    }

    fn spawn(&self, ask: Ask<'_>) -> io::Result<Child> {
        let mut command = Command::new(&self.program);
        command
            .args(ask.words)
            .current_dir(ask.directory)
            .env_clear()
            .envs(ENVIRONMENT.iter().copied())
            .env("GIT_CONFIG_COUNT", OVERRIDES.len().to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true);
        for (number, (key, value)) in OVERRIDES.iter().enumerate() {
            command.env(format!("GIT_CONFIG_KEY_{number}"), key);
            command.env(format!("GIT_CONFIG_VALUE_{number}"), value);
        }
        command.envs(ask.environment).spawn()
    }
}

/// Ends what a run has begun, however it ends.
struct Group(Option<Pid>);

impl Group {
    fn of(child: &Child) -> Self {
        let id = child.id().and_then(|id| i32::try_from(id).ok());
        Self(id.and_then(Pid::from_raw))
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(leader) = self.0
            && let Err(error) = kill_process_group(leader, Signal::KILL)
            && error != rustix::io::Errno::SRCH
        {
            tracing::warn!(%error, "processes of git can't be ended");
        }
    }
}

/// Takes the first bytes, and lets the rest go: a full pipe would hold git up.
async fn gather(pipe: Option<impl AsyncRead + Unpin>, into: &mut Vec<u8>, most: u64) {
    let Some(mut pipe) = pipe else { return };
    // A pipe that breaks has said what it had to say.
    let _ = (&mut pipe).take(most).read_to_end(into).await;
    let _ = tokio::io::copy(&mut pipe, &mut tokio::io::sink()).await;
}

/// What git complains of in a line: its last word on it, without what only a terminal wants.
fn reason(complaint: &str) -> String {
    let lines = || complaint.lines().map(str::trim).filter(|line| !line.is_empty());
    let fatal = |line: &&str| line.starts_with("fatal: ") || line.starts_with("error: ");
    let line = lines().rfind(fatal).or_else(|| lines().next_back());
    let line = line.unwrap_or("git failed and does not say why");
    let line = line.trim_start_matches("fatal: ").trim_start_matches("error: ");
    line.chars().filter(|c| !c.is_control()).take(400).collect()
}
