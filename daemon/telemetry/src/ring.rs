//! The last lines of the log, kept in memory for `moltis daemon logs`.
//!
//! Not the log itself, which is a file. The invariant: never more than [`KEPT`] lines, and a reader
//! that falls behind loses lines but is told how many.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_core::Stream;
use moltis_core::Timestamp;
use moltis_core::admin::{LogLine, LogStream};
use tokio::sync::watch;

/// Lines that are kept.
pub(crate) const KEPT: usize = 2_000;

/// A bounded run of numbered lines and a bell that rings when one is added.
pub(crate) struct Ring {
    lines: Mutex<Lines>,
    bell: watch::Sender<u64>,
}

struct Lines {
    kept: VecDeque<LogLine>,
    /// The number of the first kept line.
    first: u64,
}

impl Ring {
    pub(crate) fn new() -> Arc<Self> {
        let lines = Mutex::new(Lines { kept: VecDeque::new(), first: 0 });
        Arc::new(Self { lines, bell: watch::Sender::new(0) })
    }

    fn lines(&self) -> MutexGuard<'_, Lines> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a line; the oldest one goes when there are too many.
    pub(crate) fn push(&self, line: LogLine) {
        let mut lines = self.lines();
        if lines.kept.len() == KEPT {
            lines.kept.pop_front();
            lines.first += 1;
        }
        lines.kept.push_back(line);
        let end = lines.first + lines.kept.len() as u64;
        drop(lines);
        self.bell.send_replace(end);
    }

    /// The last `last` lines, then the new ones if `follow`.
    pub(crate) fn read(self: &Arc<Self>, last: u32, follow: bool) -> LogStream {
        let next = {
            let lines = self.lines();
            let end = lines.first + lines.kept.len() as u64;
            end.saturating_sub(u64::from(last)).max(lines.first)
        };
        let reader = Reader { ring: Arc::clone(self), bell: self.bell.subscribe(), next, follow };
        Box::pin(lines_of(reader))
    }

    /// The line with that number, or how many before the first kept one were missed.
    fn line(&self, number: u64) -> Option<Result<LogLine, u64>> {
        let lines = self.lines();
        if number < lines.first {
            return Some(Err(lines.first - number));
        }
        let index = usize::try_from(number - lines.first).ok()?;
        lines.kept.get(index).cloned().map(Ok)
    }
}

struct Reader {
    ring: Arc<Ring>,
    bell: watch::Receiver<u64>,
    next: u64,
    follow: bool,
}

fn lines_of(reader: Reader) -> impl Stream<Item = LogLine> + Send {
    futures_util::stream::unfold(reader, |mut reader| async move {
        loop {
            match reader.ring.line(reader.next) {
                Some(Ok(line)) => {
                    reader.next += 1;
                    return Some((line, reader));
                }
                Some(Err(missed)) => {
                    reader.next += missed;
                    return Some((missed_line(missed), reader));
                }
                None if reader.follow => {
                    let next = reader.next;
                    // The ring holds the sender, and the reader the ring: waiting can't fail.
                    if reader.bell.wait_for(|end| *end > next).await.is_err() {
                        return None;
                    }
                }
                None => return None,
            }
        }
    })
}

fn missed_line(missed: u64) -> LogLine {
    LogLine {
        at: Timestamp::now(),
        level: "WARN".to_owned(),
        target: "moltis_telemetry".to_owned(),
        text: format!("{missed} lines were written too fast to follow; the file has them"),
    }
}

#[cfg(test)]
#[path = "ring_tests.rs"]
mod tests;
