//! Runs a hook's command: `sh -c`, in a process group of its own, with a bounded time and output.
//!
//! What the output means is not known here. The invariants: when [`run`] returns or is dropped, no
//! process of the group lives (one that moved itself to another session may); a hook that does not
//! read what it is given, or that leaves its output open to others, holds nothing up.

use std::ffi::OsString;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::pin::pin;
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use futures_util::future::try_join;
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStdin, Command};
use tokio::time::{sleep, timeout};

/// The most bytes of standard output, and of standard error.
pub(crate) const MAX_OUTPUT: u64 = 1024 * 1024;

/// How long output may still come when its writer is dead: what is in the pipe comes at once.
const GRACE: Duration = Duration::from_millis(250);

/// What shall run.
pub(crate) struct Order<'a> {
    /// For `sh -c`.
    pub command: &'a str,
    /// Where.
    pub cwd: &'a Path,
    /// All of its environment.
    pub environment: Vec<(OsString, OsString)>,
    /// What it is given on standard input.
    pub input: &'a [u8],
    /// How long it may take.
    pub timeout: Duration,
}

/// What it did.
#[derive(Debug)]
pub(crate) struct Ran {
    pub ending: Ending,
    pub stdout: Vec<u8>,
    pub stderr: Vec<u8>,
    pub took: Duration,
}

/// How it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// By itself, with this code.
    Exited(i32),
    /// By this signal, which was not ours.
    Signalled(i32),
    /// It was killed: its time was over.
    TimedOut,
    /// It was killed: it said too much.
    TooMuch,
    /// It did not start.
    NotStarted(String),
}

/// Kills what is left of a group.
///
/// A group's number can't be given to another as long as a process is in it; when none is, the
/// kill finds none.
struct Group(Option<Pid>);

impl Group {
    fn of(child: &Child) -> Self {
        let id = child.id().and_then(|id| i32::try_from(id).ok());
        Self(id.and_then(Pid::from_raw))
    }

    fn kill(&mut self) {
        if let Some(leader) = self.0.take()
            && let Err(error) = kill_process_group(leader, Signal::KILL)
            && error != rustix::io::Errno::SRCH
        {
            tracing::warn!(%error, "processes of a hook can't be ended");
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Said more than [`MAX_OUTPUT`].
struct TooMuch;

/// Runs it to its end, whichever that is.
pub(crate) async fn run(order: Order<'_>) -> Ran {
    let started = Instant::now();
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    let ending = match spawn(&order) {
        Ok(child) => attend(child, &order, &mut stdout, &mut stderr).await,
        Err(error) => Ending::NotStarted(error.to_string()),
    };
    Ran { ending, stdout, stderr, took: started.elapsed() }
}

fn spawn(order: &Order<'_>) -> io::Result<Child> {
    Command::new("/bin/sh")
        .arg("-c")
        .arg(order.command)
        .current_dir(order.cwd)
        .env_clear()
        .envs(order.environment.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
}

async fn attend(
    mut child: Child,
    order: &Order<'_>,
    stdout: &mut Vec<u8>,
    stderr: &mut Vec<u8>,
) -> Ending {
    let mut group = Group::of(&child);
    let (stdin, out, err) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let mut reading = pin!(try_join(gather(out, stdout), gather(err, stderr)));
    let mut writing = pin!(give(stdin, order.input));
    let mut over = pin!(sleep(order.timeout));
    let (mut read, mut written) = (false, false);
    let mut ending = loop {
        tokio::select! {
            status = child.wait() => break Ending::of(status),
            result = &mut reading, if !read => {
                read = true;
                if result.is_err() {
                    break Ending::TooMuch;
                }
            }
            () = &mut writing, if !written => written = true,
            () = &mut over => break Ending::TimedOut,
        }
    };
    group.kill();
    if !read && let Ok(Err(TooMuch)) = timeout(GRACE, &mut reading).await {
        ending = Ending::TooMuch;
    }
    // A killed leader ends at once; one that the kernel holds is reaped by the runtime later.
    let _ = timeout(GRACE, child.wait()).await;
    ending
}

impl Ending {
    fn of(status: io::Result<ExitStatus>) -> Self {
        match status {
            Ok(status) => match (status.code(), status.signal()) {
                (Some(code), _) => Self::Exited(code),
                (None, signal) => Self::Signalled(signal.unwrap_or_default()),
            },
            Err(error) => Self::NotStarted(error.to_string()),
        }
    }
}

async fn gather(pipe: Option<impl AsyncRead + Unpin>, into: &mut Vec<u8>) -> Result<(), TooMuch> {
    let Some(pipe) = pipe else { return Ok(()) };
    // A pipe that breaks has said what it had to say.
    let _ = pipe.take(MAX_OUTPUT + 1).read_to_end(into).await;
    if into.len() as u64 > MAX_OUTPUT { Err(TooMuch) } else { Ok(()) }
}

/// Hands the input over and closes it. A hook need not read it.
async fn give(stdin: Option<ChildStdin>, input: &[u8]) {
    if let Some(mut stdin) = stdin {
        let _ = stdin.write_all(input).await;
    }
}
