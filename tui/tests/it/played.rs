//! The real program on a terminal that is played: keys in, what it prints out.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::process::Child;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use crate::run::Home;

/// How long something may take to be printed.
const PATIENCE: Duration = Duration::from_secs(20);

/// A terminal, and what runs on it.
pub(crate) struct Screen {
    terminal: File,
    child: Child,
    printed: String,
}

impl Screen {
    /// Runs `moltis` with standard input, output and error on a terminal.
    pub(crate) fn start(home: &Home, words: &[&str]) -> Self {
        let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&terminal).unwrap();
        unlockpt(&terminal).unwrap();
        let name = ptsname(&terminal, Vec::new()).unwrap();
        let name = std::ffi::OsStr::from_bytes(name.as_bytes());
        let inner: OwnedFd = File::options().read(true).write(true).open(name).unwrap().into();
        let mut command = home.command(words);
        command.env("TERM", "dumb");
        command.stdin(inner.try_clone().unwrap()).stdout(inner.try_clone().unwrap()).stderr(inner);
        let child = command.spawn().unwrap();
        Self { terminal: terminal.into(), child, printed: String::new() }
    }

    /// Types.
    pub(crate) fn keys(&mut self, keys: &str) {
        self.terminal.write_all(keys.as_bytes()).unwrap();
    }

    /// Waits until that is printed; gives all that was printed so far and forgets it.
    #[track_caller]
    pub(crate) fn wait_for(&mut self, text: &str) -> String {
        let end = Instant::now() + PATIENCE;
        while !self.printed.contains(text) {
            let more = self.read(end);
            assert!(more, "`{text}` never came: {:?}", self.printed);
        }
        self.take()
    }

    /// Waits for the end: the exit code, and what was printed since the last wait.
    pub(crate) fn end(mut self) -> (i32, String) {
        let end = Instant::now() + PATIENCE;
        // The terminal is hung up when the last one who had it open has gone.
        while self.read(end) {}
        let code = self.child.wait().unwrap().code().unwrap_or(-1);
        let printed = self.take();
        (code, printed)
    }

    /// What was printed, without what only moves the cursor on a line.
    fn take(&mut self) -> String {
        std::mem::take(&mut self.printed).replace('\r', "").replace("\u{1b}[K", "")
    }

    fn read(&mut self, end: Instant) -> bool {
        let left = end.saturating_duration_since(Instant::now());
        let timeout = Timespec { tv_sec: left.as_secs().try_into().unwrap(), tv_nsec: 0 };
        let mut polled = [PollFd::new(&self.terminal, PollFlags::IN)];
        if poll(&mut polled, Some(&timeout)).unwrap() == 0 {
            return false;
        }
        let mut bytes = [0; 4_096];
        match self.terminal.read(&mut bytes) {
            Ok(0) | Err(_) => false,
            Ok(count) => {
                self.printed.push_str(&String::from_utf8_lossy(&bytes[..count]));
                true
            }
        }
    }
}
