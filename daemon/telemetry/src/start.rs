//! Beginning to log, and what can be asked of a log that has begun.

use std::path::PathBuf;
use std::sync::Arc;

use moltis_core::admin::LogStream;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::{Registry, reload};

use crate::file::LogFile;
use crate::layer::{Lines, Sink};
use crate::level;
use crate::ring::Ring;

/// How the daemon is to log.
#[derive(Clone, Debug)]
pub struct LogOptions {
    /// Where `moltisd.log` and its predecessors are; `None` writes no file.
    pub folder: Option<PathBuf>,
    /// `error`, `warn`, `info`, `debug` or `trace` for Moltis itself, or directives such as
    /// `info,moltis_store=debug`.
    pub level: String,
    /// A JSON object a line.
    pub json: bool,
    /// Also to stderr.
    pub stderr: bool,
}

/// Why logging could not begin or change.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The log file can't be written.
    #[error("open the log in `{}`: {source}", .folder.display())]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// No such level.
    #[error("`{level}` is not a log level")]
    Level {
        /// What was asked for.
        level: String,
    },
    /// Something else in this process logs already.
    #[error("logging has begun already")]
    Begun,
    /// The log has ended.
    #[error("logging has ended")]
    Ended,
}

/// A log that has begun. Cheap to clone.
#[derive(Clone)]
pub struct LogHandle {
    ring: Arc<Ring>,
    file: Option<Arc<Sink>>,
    filter: reload::Handle<Targets, Registry>,
}

/// Begins to log, once in a process. Panics are logged from now on.
///
/// # Errors
/// A folder that can't be written, an unknown level, a second call.
pub fn init(options: LogOptions) -> Result<LogHandle, Error> {
    let stderr = options.stderr;
    let (subscriber, handle) = build(options)?;
    tracing::subscriber::set_global_default(subscriber).map_err(|_| Error::Begun)?;
    log_panics(stderr);
    Ok(handle)
}

/// Whether a text names a level or directives, without logging anything.
///
/// # Errors
/// An unknown level.
pub fn check_level(level: &str) -> Result<(), Error> {
    level::parse(level).map(drop)
}

fn build(
    options: LogOptions,
) -> Result<(impl tracing::Subscriber + Send + Sync, LogHandle), Error> {
    let (filter, handle) = reload::Layer::new(level::parse(&options.level)?);
    let file = options.folder.map(open).transpose()?;
    let ring = Ring::new();
    let lines = Lines {
        ring: Arc::clone(&ring),
        file: file.clone(),
        stderr: options.stderr,
        json: options.json,
    };
    let subscriber = tracing_subscriber::registry().with(filter).with(lines);
    Ok((subscriber, LogHandle { ring, file, filter: handle }))
}

fn open(folder: PathBuf) -> Result<Arc<Sink>, Error> {
    match LogFile::open(&folder) {
        Ok(file) => Ok(Sink::new(file)),
        Err(source) => Err(Error::Folder { folder, source }),
    }
}

/// Panics end one task and are told here. `told` says that a person sees the log already; else
/// the hook that was there before runs too.
fn log_panics(told: bool) {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        tracing::error!(%panic, "a defect: a task panicked");
        if !told {
            before(panic);
        }
    }));
}

impl LogHandle {
    /// The last `last` lines, of 2,000 that are kept, then the new ones if `follow`. A reader that
    /// falls behind is told how many lines it missed.
    pub fn logs(&self, last: u32, follow: bool) -> LogStream {
        self.ring.read(last, follow)
    }

    /// Logs from now on at another level.
    ///
    /// # Errors
    /// An unknown level; the old one stays.
    pub fn set_level(&self, level: &str) -> Result<(), Error> {
        self.filter.reload(level::parse(level)?).map_err(|_| Error::Ended)
    }

    /// What is wrong with the log file, if anything.
    pub fn trouble(&self) -> Option<String> {
        self.file.as_ref().and_then(|file| file.trouble())
    }
}

#[cfg(test)]
#[path = "start_tests.rs"]
mod tests;
