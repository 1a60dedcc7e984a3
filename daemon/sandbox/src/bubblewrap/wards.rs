//! The sandboxes that run, each with a task that waits for its end.
//!
//! Not here: how they are started, what is said to them. The invariant: a sandbox is listed from its
//! start until nothing of it runs, and only after that its workspace is given back; whoever holds a
//! [`Ward`] and lets it go ends it.

use std::collections::HashMap;
use std::io;
use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitStatus;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use moltis_core::error::{Code, Error, Result};
use moltis_core::id::SessionId;
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout};
use tokio::sync::{oneshot, watch};
use tokio::time::timeout;
use tokio_util::task::TaskTracker;

use super::room::Ground;
use super::tree::Tree;

/// Sandboxes that may run at once.
const MOST: usize = 128;

/// The longest that an ended sandbox may take to be gone.
const GRACE: Duration = Duration::from_secs(2);

/// How long a workspace is held beyond the end of a sandbox: commands come in a row, and giving it back
/// and taking it again costs each of them as much as all the rest.
const LINGER: Duration = Duration::from_millis(300);

/// All of them.
pub(super) struct Wards {
    live: Mutex<Live>,
    /// Says that the list has changed.
    changed: watch::Sender<()>,
    tasks: TaskTracker,
}

#[derive(Default)]
struct Live {
    next: u64,
    list: HashMap<u64, (SessionId, Arc<Tree>)>,
}

/// A hold on a running sandbox; letting it go ends the sandbox.
pub(super) struct Ward {
    tree: Arc<Tree>,
    /// What is typed into it.
    pub(super) stdin: Option<ChildStdin>,
    /// What it prints.
    pub(super) stdout: Option<ChildStdout>,
    /// What it prints beside that.
    pub(super) stderr: Option<ChildStderr>,
    /// How it ended, once nothing of it runs any more.
    pub(super) exit: oneshot::Receiver<io::Result<ExitStatus>>,
}

impl Wards {
    /// None yet.
    pub(super) fn new() -> Self {
        let (changed, _) = watch::channel(());
        Self { live: Mutex::default(), changed, tasks: TaskTracker::new() }
    }

    /// Whether one more may run.
    pub(super) fn room_for_one(&self) -> Result<()> {
        if self.lock().list.len() < MOST {
            return Ok(());
        }
        Err(Error::new(Code::Busy, format!("{MOST} programs run in sandboxes already")))
    }

    /// Watches over a sandbox that has just been started. Called within the runtime.
    pub(super) fn take(
        self: &Arc<Self>,
        mut child: Child,
        session: SessionId,
        ground: Ground,
    ) -> io::Result<Ward> {
        let tree = Arc::new(Tree::of(&child)?);
        let (exited, exit) = oneshot::channel();
        let ward = Ward {
            tree: Arc::clone(&tree),
            stdin: child.stdin.take(),
            stdout: child.stdout.take(),
            stderr: child.stderr.take(),
            exit,
        };
        let number = self.list(session, &tree);
        let wards = Arc::clone(self);
        let Ground { floor, opening } = ground;
        self.tasks.spawn(async move {
            let status = child.wait().await;
            let gone = tokio::task::spawn_blocking(move || {
                let gone = tree.gone_within(GRACE);
                // Closed before anyone hears of the end.
                drop(opening);
                gone
            });
            if !matches!(gone.await, Ok(true)) {
                tracing::error!("what ran in a sandbox does not end");
            }
            wards.lock().list.remove(&number);
            wards.changed.send_replace(());
            // Nobody may be waiting.
            let _ = exited.send(status);
            tokio::time::sleep(LINGER).await;
            // Takes folders away, which is for a thread that may wait.
            if tokio::task::spawn_blocking(move || drop(floor)).await.is_err() {
                tracing::error!("a workspace could not be given back");
            }
        });
        Ok(ward)
    }

    fn list(&self, session: SessionId, tree: &Arc<Tree>) -> u64 {
        let mut live = self.lock();
        let number = live.next;
        live.next += 1;
        live.list.insert(number, (session, Arc::clone(tree)));
        number
    }

    /// Ends all of a session's, and waits until none is left, at most for two seconds.
    pub(super) async fn end(&self, session: &SessionId) {
        let mut changes = self.changed.subscribe();
        let of_session = || {
            let live = self.lock();
            let trees = live.list.values().filter(|(owner, _)| owner == session);
            trees.map(|(_, tree)| Arc::clone(tree)).collect::<Vec<_>>()
        };
        let ended = timeout(GRACE, async {
            loop {
                let left = of_session();
                if left.is_empty() {
                    return;
                }
                left.iter().for_each(|tree| tree.kill());
                if changes.changed().await.is_err() {
                    return;
                }
            }
        });
        if ended.await.is_err() {
            tracing::error!(session = %session, "its sandboxes do not end");
        }
    }

    /// Sessions that have one.
    pub(super) fn sessions(&self) -> u64 {
        let live = self.lock();
        let sessions: std::collections::HashSet<&SessionId> =
            live.list.values().map(|(session, _)| session).collect();
        sessions.len() as u64
    }

    fn lock(&self) -> MutexGuard<'_, Live> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ward {
    /// The process of the machine.
    pub(super) fn pid(&self) -> i32 {
        self.tree.pid()
    }

    /// What it is made of, to end it without holding it.
    pub(super) fn tree(&self) -> Arc<Tree> {
        Arc::clone(&self.tree)
    }

    /// Tells that what runs inside has spoken.
    pub(super) fn settle(&self) {
        self.tree.settle();
    }

    /// Ends it, without waiting.
    pub(super) fn kill(&self) {
        self.tree.kill();
    }
}

impl Drop for Ward {
    fn drop(&mut self) {
        self.tree.kill();
    }
}

/// The exit code of a program, or 128 and the number of the signal that ended it.
pub(super) fn code(status: ExitStatus) -> i64 {
    let signal = status.signal().map(|signal| 128 + signal);
    i64::from(status.code().or(signal).unwrap_or(-1))
}
