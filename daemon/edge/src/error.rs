//! Why the socket could not be bound or served.

use std::io;
use std::path::{Path, PathBuf};

/// Why the socket could not be bound or served.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Another daemon has this data directory.
    #[error("{} has the data directory `{}`", holder(*.pid), .data_dir.display())]
    Held {
        /// The data directory.
        data_dir: PathBuf,
        /// Its process id, where it could be read.
        pid: Option<u32>,
    },
    /// Something listens on the socket without holding the lock.
    #[error("something else listens on `{}`", .path.display())]
    Listening {
        /// The socket.
        path: PathBuf,
    },
    /// A folder, a lock or a socket that others could have a hand in.
    #[error("`{}` is not safe to use: {reason}", .path.display())]
    Unsafe {
        /// What.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The system refused.
    #[error("{what} `{}`: {source}", .path.display())]
    Io {
        /// What was being done.
        what: &'static str,
        /// To what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl Error {
    /// What a person can do about it.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Held { .. } => Some("moltis daemon status"),
            Self::Listening { .. } => Some("end the program that listens there"),
            Self::Unsafe { .. } => Some("remove it, or choose another --data-dir"),
            Self::Io { .. } => None,
        }
    }

    pub(crate) fn io(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { what, path, source }
    }

    pub(crate) fn not_safe(path: &Path, reason: impl Into<String>) -> Self {
        Self::Unsafe { path: path.to_owned(), reason: reason.into() }
    }
}

fn holder(pid: Option<u32>) -> String {
    match pid {
        Some(pid) => format!("another moltisd (pid {pid})"),
        None => "another moltisd".to_owned(),
    }
}
