//! A diagnosis: one line of JSON for each frame, into the file that `MOLTIS_TUI_TRACE` names.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::Serialize;

use super::pace::Cause;

/// The environment variable that names the file.
pub(super) const VARIABLE: &str = "MOLTIS_TUI_TRACE";

/// The file, if one is wanted.
pub(super) struct Trace {
    file: Option<BufWriter<File>>,
    frame: u64,
}

/// A frame.
#[derive(Serialize)]
struct Frame<'a> {
    /// Its number.
    frame: u64,
    /// `input`, `stream` or `wake`.
    cause: &'a str,
    /// From the first event to the last byte written, in microseconds.
    latency_us: u128,
    /// To make it, in microseconds.
    build_us: u128,
    /// Written to the terminal.
    bytes: usize,
    /// Microseconds since 1970.
    at: u128,
}

impl Trace {
    /// Opens the file that the environment names, if it names one.
    pub(super) fn from_environment() -> Self {
        let path = std::env::var_os(VARIABLE).filter(|path| !path.is_empty());
        let file = path.and_then(|path| File::create(path).ok()).map(BufWriter::new);
        Self { file, frame: 0 }
    }

    /// Tells of a frame. A file that cannot be written is given up.
    pub(super) fn tell(&mut self, cause: Cause, build: Duration, latency: Duration, bytes: usize) {
        self.frame += 1;
        let Some(file) = &mut self.file else { return };
        let line = Frame {
            frame: self.frame,
            cause: cause.name(),
            latency_us: latency.as_micros(),
            build_us: build.as_micros(),
            bytes,
            at: SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_micros(),
        };
        let written = serde_json::to_writer(&mut *file, &line).map_err(std::io::Error::from);
        let written = written.and_then(|()| file.write_all(b"\n")).and_then(|()| file.flush());
        if written.is_err() {
            self.file = None;
        }
    }
}
