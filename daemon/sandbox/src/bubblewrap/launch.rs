//! The thread that starts sandboxes.
//!
//! The kernel ends a sandbox when the *thread* that started it ends, not the process
//! (`PR_SET_PDEATHSIG`): on a thread of the runtime a sandbox could end in the middle of its work. So
//! there is one thread for it that lives as long as the backend. Not here: what is started. The
//! invariant: whoever stops waiting for a start, or drops what was started, ends it.

use std::io;
use std::process::Stdio;
use std::sync::Arc;
use std::thread;

use moltis_core::error::{Code, Error, Result};
use moltis_core::id::SessionId;
use tokio::process::Command;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};

use super::room::Ground;
use super::wards::{Ward, Wards};

/// Starts that may wait; more are told that it is busy.
const WAITING: usize = 64;

struct Job {
    command: Command,
    session: SessionId,
    ground: Ground,
    runtime: Handle,
    started: oneshot::Sender<Result<Ward>>,
}

/// Starts sandboxes, and ends all of them when it is dropped.
pub(super) struct Launcher {
    jobs: mpsc::Sender<Job>,
}

impl Launcher {
    /// Starts the thread; what it starts is watched over by these.
    pub(super) fn new(wards: Arc<Wards>) -> io::Result<Self> {
        let (jobs, mut waiting) = mpsc::channel::<Job>(WAITING);
        thread::Builder::new().name("sandboxes".to_owned()).spawn(move || {
            while let Some(job) = waiting.blocking_recv() {
                if job.started.is_closed() {
                    continue;
                }
                let _in_runtime = job.runtime.enter();
                // What nobody waits for any more is dropped here, and with it ended.
                let _ = job.started.send(start(&wards, job.command, job.session, job.ground));
            }
        })?;
        Ok(Self { jobs })
    }

    /// Starts this for a session, with all of its streams piped. The ground is given back when nothing
    /// runs on it any more.
    pub(super) async fn start(
        &self,
        mut command: Command,
        session: SessionId,
        ground: Ground,
    ) -> Result<Ward> {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let (started, answer) = oneshot::channel();
        let job = Job { command, session, ground, runtime: Handle::current(), started };
        match self.jobs.try_send(job) {
            Ok(()) => answer.await.map_err(|_| ended())?,
            Err(mpsc::error::TrySendError::Full(_)) => {
                Err(Error::new(Code::Busy, "too many programs are being started"))
            }
            Err(mpsc::error::TrySendError::Closed(_)) => Err(ended()),
        }
    }
}

fn ended() -> Error {
    Error::new(Code::Unavailable, "the sandbox has been shut down")
}

fn start(
    wards: &Arc<Wards>,
    mut command: Command,
    session: SessionId,
    ground: Ground,
) -> Result<Ward> {
    wards.room_for_one()?;
    let failed = |error: io::Error| {
        Error::new(Code::Unavailable, format!("bubblewrap could not be started: {error}"))
    };
    let child = command.kill_on_drop(true).spawn().map_err(failed)?;
    wards.take(child, session, ground).map_err(failed)
}
