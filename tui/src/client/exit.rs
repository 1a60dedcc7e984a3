//! Waiting for a process that is not ours to end.
//!
//! On Linux through a pidfd, which can't meet a reused process id and needs no looking again;
//! elsewhere by asking the kernel from time to time.

use std::time::Duration;

use rustix::process::Pid;

/// A process, watched from before it was told to stop.
pub(crate) struct Watch {
    #[cfg(target_os = "linux")]
    handle: std::os::fd::OwnedFd,
    #[cfg(not(target_os = "linux"))]
    pid: Pid,
}

impl Watch {
    /// Watches that process; `None` when there is none of that id.
    pub(crate) fn of(pid: u32) -> Option<Self> {
        let pid = Pid::from_raw(i32::try_from(pid).ok()?)?;
        #[cfg(target_os = "linux")]
        {
            use rustix::process::{PidfdFlags, pidfd_open};
            pidfd_open(pid, PidfdFlags::empty()).ok().map(|handle| Self { handle })
        }
        #[cfg(not(target_os = "linux"))]
        Some(Self { pid })
    }

    /// Waits until it has ended, at most that long; says whether it has.
    #[cfg(target_os = "linux")]
    pub(crate) async fn ended(self, patience: Duration) -> bool {
        use rustix::event::{PollFd, PollFlags, Timespec, poll};
        // A thread waits for it: the runtime's own way to a foreign descriptor is unsafe.
        let waiting = tokio::task::spawn_blocking(move || {
            let patience = Timespec::try_from(patience).ok();
            let mut process = [PollFd::new(&self.handle, PollFlags::IN)];
            poll(&mut process, patience.as_ref()).is_ok_and(|ready| ready > 0)
        });
        waiting.await.unwrap_or(false)
    }

    /// Waits until it has ended, at most that long; says whether it has.
    #[cfg(not(target_os = "linux"))]
    pub(crate) async fn ended(self, patience: Duration) -> bool {
        let end = tokio::time::Instant::now() + patience;
        while rustix::process::test_kill_process(self.pid).is_ok() {
            if tokio::time::Instant::now() > end {
                return false;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        true
    }
}
