//! Telling whoever started the daemon that it accepts, or why it will not.
//!
//! A client names an inherited descriptor in `MOLTIS_READY_FD`; it is opened through `/dev/fd`, since
//! taking a descriptor by its number is unsafe in Rust. systemd names a datagram socket in
//! `NOTIFY_SOCKET` (sd_notify(3)). Both are told once; a listener that has gone is no error.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};

use moltis_core::Error;

/// Who waits.
pub(crate) struct Readiness {
    fd: Option<u32>,
    notify: Option<String>,
}

impl Readiness {
    /// Whoever the environment names.
    pub(crate) fn from_env() -> Self {
        let fd = std::env::var("MOLTIS_READY_FD").ok().and_then(|number| number.parse().ok());
        Self { fd, notify: std::env::var("NOTIFY_SOCKET").ok() }
    }

    /// The socket accepts.
    pub(crate) fn ready(&self) {
        self.pipe(&format!("ready {}\n", std::process::id()));
        self.notify("READY=1");
    }

    /// It will never accept.
    pub(crate) fn failed(&self, error: &Error) {
        let code = error.code.as_str();
        let detail =
            serde_json::json!({"code": code, "message": error.message, "hint": error.hint});
        self.pipe(&format!("failed {detail}\n"));
        self.notify(&format!("STATUS={}", error.message));
    }

    /// It begins to stop.
    pub(crate) fn stopping(&self) {
        self.notify("STOPPING=1");
    }

    /// Whether a client waits, rather than a person at a terminal.
    pub(crate) fn is_awaited(&self) -> bool {
        self.fd.is_some()
    }

    fn pipe(&self, line: &str) {
        let Some(fd) = self.fd else { return };
        if let Ok(mut pipe) = OpenOptions::new().write(true).open(format!("/dev/fd/{fd}")) {
            // A client that went away needs no answer.
            let _ = pipe.write_all(line.as_bytes());
        }
        if fd == 1 {
            close_stdout();
        }
    }

    fn notify(&self, state: &str) {
        let Some(name) = &self.notify else { return };
        if let (Ok(socket), Ok(address)) = (UnixDatagram::unbound(), address(name)) {
            // systemd's own time limit tells of a daemon that could not say it is ready.
            let _ = socket.send_to_addr(state.as_bytes(), &address);
        }
    }
}

/// A path, or a name of Linux's abstract namespace after an `@`.
fn address(name: &str) -> std::io::Result<SocketAddr> {
    #[cfg(target_os = "linux")]
    if let Some(name) = name.strip_prefix('@') {
        use std::os::linux::net::SocketAddrExt as _;
        return SocketAddr::from_abstract_name(name);
    }
    SocketAddr::from_pathname(name)
}

/// Standard output was the pipe: what reads it sees its end now.
fn close_stdout() {
    if let Ok(null) = OpenOptions::new().write(true).open("/dev/null") {
        // Without it a write to stdout fails, and nothing writes there.
        let _ = rustix::stdio::dup2_stdout(&null);
    }
}
