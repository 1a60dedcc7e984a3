//! What can go wrong with a store, and what the rest of Moltis is told of it.

use std::io;
use std::path::PathBuf;

use moltis_core::error::{Code, Error as Told};

/// A store that can't be opened, checked, copied or brought back.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Another process has the data directory.
    #[error("the data directory `{}` is in use by process {pid}", dir.display())]
    InUse {
        /// The directory.
        dir: PathBuf,
        /// The holder's process id; 0 when it could not be read.
        pid: u32,
    },
    /// A newer Moltis wrote the store; it was not touched.
    #[error("the store has format {found}, and this version reads formats up to {known}")]
    Newer {
        /// The store's format.
        found: u64,
        /// The newest format that is known here.
        known: u64,
    },
    /// A file or directory could not be used.
    #[error("{action} `{}`: {source}", path.display())]
    File {
        /// What was tried, as a verb.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// The database failed.
    #[error("{0}")]
    Database(#[from] Box<redb::Error>),
    /// Something stored is not what was written.
    #[error("{0}")]
    Damaged(String),
    /// The vault's key can't be used.
    #[error("{0}")]
    Key(String),
    /// What encrypted a secret is not in the data directory.
    #[error("{0}")]
    KeyGone(String),
    /// There is a file where a new one was to be written.
    #[error("`{}` is there already", .0.display())]
    Exists(PathBuf),
    /// The store was closed.
    #[error("the store is closed")]
    Closed,
    /// The store is being reopened after a failure.
    #[error("the store is being reopened after a failure")]
    Reopening,
}

/// What a call of the store gives.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// A failure with a file.
    pub(crate) fn file(
        action: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { action, path, source }
    }

    /// Whether the disk has no room.
    pub(crate) fn is_full(&self) -> bool {
        let source = match self {
            Self::File { source, .. } => source,
            Self::Database(error) => match error.as_ref() {
                redb::Error::Io(source) => source,
                _ => return false,
            },
            _ => return false,
        };
        matches!(source.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
    }
}

macro_rules! database_errors {
    ($($name:ident),*) => {
        $(impl From<redb::$name> for Error {
            fn from(error: redb::$name) -> Self {
                Self::Database(Box::new(error.into()))
            }
        })*
    };
}

database_errors!(
    CommitError,
    DatabaseError,
    SetDurabilityError,
    StorageError,
    TableError,
    TransactionError
);

impl From<Error> for Told {
    fn from(error: Error) -> Self {
        let full = error.is_full();
        let code = match &error {
            Error::Exists(_) => Code::Invalid,
            Error::Key(_) | Error::KeyGone(_) => Code::Denied,
            Error::Closed | Error::Reopening => Code::Unavailable,
            Error::InUse { .. } => Code::Conflict,
            _ => Code::Storage,
        };
        let told = Self::new(code, error.to_string());
        match error {
            _ if full => told.with_hint("free some space on the disk of the data directory"),
            Error::Damaged(_) => told.with_hint("moltis fsck"),
            Error::KeyGone(_) => {
                told.with_hint("moltis providers login NAME, or put the old vault.key back")
            }
            Error::Newer { .. } => told.with_hint("install the newer version again"),
            Error::InUse { .. } => told.with_hint("moltis daemon stop"),
            Error::Exists(_) => told.with_hint("name a file that does not exist yet"),
            _ => told,
        }
    }
}
