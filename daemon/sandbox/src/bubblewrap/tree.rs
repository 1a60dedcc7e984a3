//! All processes of one sandbox, from the outside.
//!
//! bubblewrap is two processes: one out here that waits, and its child, which is process 1 inside.
//! With that one the kernel ends whatever is inside, however it was forked and whatever it ignores.
//! Not here: who ends which, and why. The invariant: a signal goes to a process that was started
//! here; numbers of processes are used again, handles on them are not.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use tokio::process::Child;

/// A handle on both.
pub(super) struct Tree {
    pid: Pid,
    outside: OwnedFd,
    /// Process 1 inside, once everything is set up.
    inside: OnceLock<OwnedFd>,
}

impl Tree {
    /// That of a process which has just been started.
    pub(super) fn of(child: &Child) -> io::Result<Self> {
        let gone = || io::Error::other("it has ended at once");
        let pid = child.id().and_then(|id| i32::try_from(id).ok());
        let pid = pid.and_then(Pid::from_raw).ok_or_else(gone)?;
        let outside = pidfd_open(pid, PidfdFlags::empty())?;
        Ok(Self { pid, outside, inside: OnceLock::new() })
    }

    /// Its number.
    pub(super) fn pid(&self) -> i32 {
        self.pid.as_raw_nonzero().get()
    }

    /// Takes hold of process 1 inside. Called once what runs inside has spoken.
    pub(super) fn settle(&self) {
        if let Some(inside) = self.children().pop() {
            let _ = self.inside.set(inside);
        }
    }

    /// Ends everything, at once and without waiting for it.
    pub(super) fn kill(&self) {
        if let Some(inside) = self.inside.get() {
            let _ = pidfd_send_signal(inside, Signal::KILL);
        } else {
            // It is still being set up, when its halves do not yet hang on one another. Stopped, it
            // makes no child between the look and the end.
            let _ = pidfd_send_signal(&self.outside, Signal::STOP);
            for child in self.children() {
                let _ = pidfd_send_signal(&child, Signal::KILL);
            }
        }
        let _ = pidfd_send_signal(&self.outside, Signal::KILL);
    }

    /// Waits until nothing of it runs any more; whether that came in time. Blocks. The process outside
    /// must have been waited for by its owner.
    pub(super) fn gone_within(&self, most: Duration) -> bool {
        let Some(inside) = self.inside.get() else { return true };
        // The kernel ends process 1 when all others inside have ended.
        let deadline = Instant::now() + most;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match ended_within(inside, left) {
                Err(Errno::INTR) => {}
                ended => return ended == Ok(true),
            }
        }
    }

    fn children(&self) -> Vec<OwnedFd> {
        let path = format!("/proc/{0}/task/{0}/children", self.pid());
        let Ok(list) = std::fs::read_to_string(path) else { return Vec::new() };
        let pids = list.split_whitespace().filter_map(|pid| pid.parse().ok());
        let children = pids
            .filter_map(Pid::from_raw)
            .filter_map(|pid| pidfd_open(pid, PidfdFlags::empty()).ok())
            .collect();
        // It has not ended: then the number was its own when its children were read.
        if self.runs() { children } else { Vec::new() }
    }

    fn runs(&self) -> bool {
        ended_within(&self.outside, Duration::ZERO) == Ok(false)
    }
}

fn ended_within(process: &OwnedFd, most: Duration) -> Result<bool, Errno> {
    let most = Timespec::try_from(most).map_err(|_| Errno::INVAL)?;
    // A handle can be read when its process has ended.
    poll(&mut [PollFd::new(process, PollFlags::IN)], Some(&most)).map(|ready| ready > 0)
}
