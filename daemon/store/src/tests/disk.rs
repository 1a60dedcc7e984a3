//! A disk in memory that loses, tears and refuses writes.
//!
//! Between two syncs every write may reach the platter or not, in part or in whole, in any order.
//! A failed sync is as on Linux: the writes are lost for the platter, but still in the cache, and
//! the next sync says that all is well.

use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};

use redb::{Builder, StorageBackend};

use super::env;
use crate::Store;
use crate::engine::{Care, Engine, Opener};
use crate::error::Error;
use crate::lock::Lock;

const SECTOR: usize = 512;

/// What happens to an operation that changes the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Well,
    /// It fails.
    Fails(io::ErrorKind),
    /// The machine loses power.
    PowerLoss,
    /// It says that it worked and did nothing: a broken disk, for negative controls.
    Lies,
}

/// What changes the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Write,
    Resize,
    Sync,
}

/// Says what happens to the n-th operation, counted from 1.
pub(crate) type Plan = Box<dyn FnMut(u64, Kind) -> Fate + Send>;

/// The disk; clones are the same disk.
#[derive(Clone)]
pub(crate) struct Disk(Arc<Mutex<State>>);

enum Change {
    Write(usize, Vec<u8>),
    Resize(usize),
}

struct State {
    cache: Vec<u8>,
    platter: Vec<u8>,
    unsynced: Vec<Change>,
    operations: u64,
    plan: Plan,
    off: bool,
}

impl Disk {
    pub(crate) fn new(platter: Vec<u8>, plan: Plan) -> Self {
        let cache = platter.clone();
        let unsynced = Vec::new();
        Self(Arc::new(Mutex::new(State {
            cache,
            platter,
            unsynced,
            operations: 0,
            plan,
            off: false,
        })))
    }

    pub(crate) fn healthy(platter: Vec<u8>) -> Self {
        Self::new(platter, Box::new(|_, _| Fate::Well))
    }

    /// What is on the platter once a store was made: that happens under another name, and is no
    /// matter for a store that is in use.
    pub(crate) fn blank() -> Vec<u8> {
        let disk = Self::healthy(Vec::new());
        Engine::open(disk.opener(), Box::new(|| None), env()).expect("a healthy disk").end();
        disk.lock().platter.clone()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("no test panicked over the disk")
    }

    /// Operations so far.
    pub(crate) fn operations(&self) -> u64 {
        self.lock().operations
    }

    /// What is on the platter after a power loss now: of the unsynced writes, what chance leaves.
    pub(crate) fn image(&self, chance: &mut Chance) -> Vec<u8> {
        let state = self.lock();
        let mut image = state.platter.clone();
        for change in &state.unsynced {
            match (change, chance.below(3)) {
                (_, 0) => {}
                (Change::Resize(length), _) => image.resize(*length, 0),
                (Change::Write(offset, data), 1) => put(&mut image, *offset, data),
                (Change::Write(offset, data), _) => {
                    for (n, sector) in data.chunks(SECTOR).enumerate() {
                        if chance.below(2) == 0 {
                            put(&mut image, offset + n * SECTOR, sector);
                        }
                    }
                }
            }
        }
        image
    }

    /// Opens the database on it.
    pub(crate) fn opener(&self) -> Opener {
        let disk = self.clone();
        Box::new(move |care| {
            if disk.lock().off {
                return Err(Error::file("open", "the disk")(power_is_off()));
            }
            let database = Builder::new()
                .set_cache_size(1 << 20)
                .set_check_integrity_on_open(care == Care::Thorough)
                .create_with_backend(Backend(disk.clone()))?;
            Ok(database)
        })
    }

    /// Opens a store on it; transcripts go to `dir`.
    pub(crate) fn store(&self, dir: &Path) -> Result<Store, Error> {
        let lock = Lock::take(dir).expect("nobody else is here");
        Store::start(dir, lock, self.opener(), Box::new(|| None), env())
    }
}

fn put(image: &mut Vec<u8>, offset: usize, data: &[u8]) {
    if image.len() < offset + data.len() {
        image.resize(offset + data.len(), 0);
    }
    image[offset..offset + data.len()].copy_from_slice(data);
}

fn power_is_off() -> io::Error {
    io::Error::other("the power is off")
}

struct Backend(Disk);

impl std::fmt::Debug for Backend {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Backend")
    }
}

impl State {
    fn fate(&mut self, kind: Kind) -> io::Result<Fate> {
        if self.off {
            return Err(power_is_off());
        }
        self.operations += 1;
        let fate = (self.plan)(self.operations, kind);
        self.off |= fate == Fate::PowerLoss;
        Ok(fate)
    }

    fn change(&mut self, change: Change) {
        match &change {
            Change::Write(offset, data) => put(&mut self.cache, *offset, data),
            Change::Resize(length) => self.cache.resize(*length, 0),
        }
        self.unsynced.push(change);
    }
}

impl StorageBackend for Backend {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.lock().cache.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let state = self.0.lock();
        if state.off {
            return Err(power_is_off());
        }
        let offset = usize::try_from(offset).expect("in memory");
        let there = state.cache.get(offset..offset + out.len());
        out.copy_from_slice(there.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        let mut state = self.0.lock();
        let length = usize::try_from(length).expect("in memory");
        match state.fate(Kind::Resize)? {
            Fate::Well => state.change(Change::Resize(length)),
            Fate::Fails(kind) => return Err(kind.into()),
            Fate::PowerLoss => return Err(power_is_off()),
            Fate::Lies => {}
        }
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut state = self.0.lock();
        match state.fate(Kind::Sync)? {
            Fate::Well => {
                for change in std::mem::take(&mut state.unsynced) {
                    match change {
                        Change::Write(offset, data) => put(&mut state.platter, offset, &data),
                        Change::Resize(length) => state.platter.resize(length, 0),
                    }
                }
            }
            Fate::Fails(kind) => {
                state.unsynced.clear();
                return Err(kind.into());
            }
            Fate::PowerLoss => return Err(power_is_off()),
            Fate::Lies => {}
        }
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut state = self.0.lock();
        let offset = usize::try_from(offset).expect("in memory");
        match state.fate(Kind::Write)? {
            Fate::Well => state.change(Change::Write(offset, data.to_vec())),
            Fate::Fails(kind) => {
                // As much as there was room for.
                state.change(Change::Write(offset, data[..data.len() / 2].to_vec()));
                return Err(kind.into());
            }
            Fate::PowerLoss => {
                state.change(Change::Write(offset, data.to_vec()));
                return Err(power_is_off());
            }
            Fate::Lies => {}
        }
        Ok(())
    }
}

/// Chance that can be had again: a small xorshift.
pub(crate) struct Chance(u64);

impl Chance {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % bound
    }
}
