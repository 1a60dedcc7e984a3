//! Transcripts: a session's events as JSON lines in a file of their own, for `tail -f`, `grep` and
//! `jq`.
//!
//! A projection of the log: nothing is ever read back from a transcript but to compare it. The
//! invariant: up to the length that the store remembers, a file holds exactly the lines of the
//! events up to the seq that it remembers; what stands behind that is compared and, from the first
//! difference, written anew, so that a half line of a crash does not survive.

use std::fs::{DirBuilder, File, OpenOptions};
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::Path;

use moltis_codec::line::event_to_json;
use moltis_core::event::Event;
use redb::ReadTransaction;

use crate::error::{Error, Result};
use crate::tables::{META, META_TRANSCRIPT, TRANSCRIPT_DUE, Tables, meta_number};

/// The version of a line's shape. A file of another one is written anew.
const VERSION: u64 = 1;

/// Writes an event and a line break.
pub(crate) fn line(event: &Event, out: &mut Vec<u8>) {
    out.extend_from_slice(event_to_json(event).to_string().as_bytes());
    out.push(b'\n');
}

/// Whether the transcripts have this version's shape.
pub(crate) fn is_current(txn: &ReadTransaction) -> Result<bool> {
    Ok(meta_number(&txn.open_table(META)?, META_TRANSCRIPT)? == Some(VERSION))
}

/// Forgets how far transcripts go; all are due to be compared from their beginning.
pub(crate) fn reset(tables: &mut Tables<'_>) -> Result<()> {
    tables.transcripts.retain(|_, _| false)?;
    tables.meta.insert(META_TRANSCRIPT, VERSION.to_le_bytes().as_slice())?;
    tables.mark_all_due(TRANSCRIPT_DUE)
}

/// How far a transcript is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Position {
    /// The last event in it.
    pub(crate) seq: u64,
    /// The file's length.
    pub(crate) length: u64,
}

/// A transcript that is being written.
pub(crate) struct Transcript {
    file: File,
    position: Position,
    /// The file may hold more than the position says: new lines are compared with it.
    unknown_tail: bool,
}

impl Transcript {
    /// Opens the transcript at `path` and goes on after `known`, or from the beginning when the
    /// file is shorter than that.
    pub(crate) fn open(path: &Path, known: Position) -> Result<Self> {
        if let Some(folder) = path.parent() {
            DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(folder)
                .map_err(Error::file("create", folder))?;
        }
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .custom_flags(rustix::fs::OFlags::NOFOLLOW.bits().cast_signed())
            .open(path)
            .map_err(Error::file("open", path))?;
        let length = file.metadata().map_err(Error::file("examine", path))?.len();
        let position = if length < known.length { Position::default() } else { known };
        Ok(Self { file, position, unknown_tail: length > position.length })
    }

    /// How far it is written.
    pub(crate) fn position(&self) -> Position {
        self.position
    }

    /// Writes the next events.
    pub(crate) fn write(&mut self, events: &[Event]) -> std::io::Result<()> {
        let mut lines = Vec::new();
        for event in events {
            line(event, &mut lines);
        }
        let same = if self.unknown_tail { self.same(&lines)? } else { 0 };
        if same < lines.len() {
            let at = self.position.length + same as u64;
            if self.unknown_tail {
                self.file.set_len(at)?;
                self.unknown_tail = false;
            }
            self.file.write_all_at(&lines[same..], at)?;
        }
        self.position.length += lines.len() as u64;
        self.position.seq = events.last().map_or(self.position.seq, |event| event.seq);
        Ok(())
    }

    /// Cuts off whatever stands behind the last line.
    pub(crate) fn finish(&mut self) -> std::io::Result<()> {
        if self.unknown_tail {
            self.file.set_len(self.position.length)?;
            self.unknown_tail = false;
        }
        Ok(())
    }

    /// Brings it to the disk.
    pub(crate) fn sync(&self) -> std::io::Result<()> {
        self.file.sync_data()
    }

    /// How many of the next bytes the file holds already.
    fn same(&self, lines: &[u8]) -> std::io::Result<usize> {
        let mut there = vec![0; lines.len()];
        let mut filled = 0;
        while filled < there.len() {
            let at = self.position.length + filled as u64;
            match self.file.read_at(&mut there[filled..], at)? {
                0 => break,
                n => filled += n,
            }
        }
        Ok(there[..filled].iter().zip(lines).take_while(|(a, b)| a == b).count())
    }
}
