//! A view of a database file that leaves the file as it is.
//!
//! redb mends a file when it opens it after a crash. Checking a store, reading a backup and asking
//! for a store's format must not change a byte: they open the file through this, which keeps what
//! redb writes in memory, page by page.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use redb::{Builder, Database, StorageBackend};

use crate::engine::{CACHE_BYTES, Care, found_format, unpanicked};
use crate::error::{Error, Result};
use redb::ReadableDatabase;

const PAGE: u64 = 4096;

/// Opens a database file without changing it.
pub(crate) fn open(path: &Path, care: Care) -> Result<Database> {
    let file = File::open(path).map_err(Error::file("open", path))?;
    let length = file.metadata().map_err(Error::file("examine", path))?.len();
    if length == 0 {
        return Err(Error::Damaged(format!("`{}` is empty", path.display())));
    }
    let state = Mutex::new(State { length, pages: HashMap::new() });
    unpanicked(|| {
        Ok(Builder::new()
            .set_cache_size(CACHE_BYTES)
            .set_check_integrity_on_open(care == Care::Thorough)
            .create_with_backend(Overlay { file, original: length, state })?)
    })
}

/// The format of the store in a file; `None` when the file is not there or has no tables yet.
pub(crate) fn format_of(path: &Path) -> Result<Option<u64>> {
    match std::fs::metadata(path) {
        Ok(metadata) if metadata.len() > 0 => {}
        Ok(_) => return Ok(None),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Error::file("examine", path)(error)),
    }
    let database = open(path, Care::Usual)?;
    unpanicked(|| found_format(&database.begin_read()?))
}

#[derive(Debug)]
struct Overlay {
    file: File,
    original: u64,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    length: u64,
    pages: HashMap<u64, Box<[u8]>>,
}

impl Overlay {
    fn read_file(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        out.fill(0);
        let there = self.original.saturating_sub(offset).min(out.len() as u64) as usize;
        self.file.read_exact_at(&mut out[..there], offset)
    }
}

impl StorageBackend for Overlay {
    fn len(&self) -> io::Result<u64> {
        Ok(self.state.lock().unwrap_or_else(PoisonError::into_inner).length)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let end = offset.checked_add(out.len() as u64);
        if end.is_none_or(|end| end > state.length) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.read_file(offset, out)?;
        for part in parts(offset, out.len()) {
            if let Some(page) = state.pages.get(&part.page) {
                out[part.outer].copy_from_slice(&page[part.inner]);
            }
        }
        Ok(())
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.length = length;
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    #[expect(
        clippy::map_entry,
        reason = "making the value may fail, and then nothing is to be inserted"
    )]
    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        for part in parts(offset, data.len()) {
            if !state.pages.contains_key(&part.page) {
                let mut page = vec![0; PAGE as usize];
                self.read_file(part.page * PAGE, &mut page)?;
                state.pages.insert(part.page, page.into());
            }
            if let Some(page) = state.pages.get_mut(&part.page) {
                page[part.inner].copy_from_slice(&data[part.outer]);
            }
        }
        Ok(())
    }
}

/// A page's share of a range of the file.
struct Part {
    page: u64,
    inner: std::ops::Range<usize>,
    outer: std::ops::Range<usize>,
}

fn parts(offset: u64, length: usize) -> impl Iterator<Item = Part> {
    let mut done = 0;
    std::iter::from_fn(move || {
        if done >= length {
            return None;
        }
        let at = offset + done as u64;
        let inside = (at % PAGE) as usize;
        let size = (PAGE as usize - inside).min(length - done);
        let part = Part { page: at / PAGE, inner: inside..inside + size, outer: done..done + size };
        done += size;
        Some(part)
    })
}
