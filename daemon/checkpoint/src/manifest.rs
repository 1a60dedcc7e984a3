//! What a snapshot holds: a line for each file, symlink and directory of the workspace.
//!
//! Not the files' contents, which are blobs named by their hash. The invariants: a manifest that
//! was parsed has only paths that stay within the workspace, in order, each in a directory that is
//! listed too; and it is written as the very bytes that it was parsed from.
//!
//! The format, version 1, all numbers little-endian, bytes and lists led by a `u32` count: the
//! line [`MAGIC`]; when it was taken (`i64` seconds of the epoch); the workspace's path; the paths
//! that were left out; the directories of more such; the entries, each a path, a kind and the kind's fields; the SHA-256 of all
//! that.

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest, Sha256};

/// The first bytes of a manifest; another format has another number.
const MAGIC: &[u8] = b"moltis checkpoint 1\n";

/// The hash of some bytes.
pub type Hash = [u8; 32];

/// The SHA-256 of the bytes.
pub fn hash(bytes: &[u8]) -> Hash {
    Sha256::digest(bytes).into()
}

/// A moment as file systems tell it: seconds of the epoch and nanoseconds.
pub type Moment = (i64, u32);

/// By what a file that was not touched is known again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stamp {
    /// When its content last changed; programs can set this.
    pub modified: Moment,
    /// When anything of it last changed; only the kernel sets this.
    pub changed: Moment,
    /// Its inode.
    pub inode: u64,
}

/// Something of the workspace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// A directory.
    Directory {
        /// Its permission bits.
        mode: u16,
    },
    /// A file.
    File {
        /// Its permission bits.
        mode: u16,
        /// Bytes.
        size: u64,
        /// Of its content.
        hash: Hash,
        /// By what it is known again.
        stamp: Stamp,
    },
    /// A symlink, which is never followed.
    Link {
        /// Where it says that it leads.
        target: Vec<u8>,
    },
}

impl Entry {
    /// A person could not tell them apart: everything but the stamp is the same.
    pub fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (
                Self::File { mode, size, hash, stamp: _ },
                Self::File { mode: other_mode, size: other_size, hash: other_hash, stamp: _ },
            ) => mode == other_mode && size == other_size && hash == other_hash,
            _ => self == other,
        }
    }

    /// It is a directory.
    pub fn is_directory(&self) -> bool {
        matches!(self, Self::Directory { .. })
    }

    /// The bytes of content that it names.
    pub fn size(&self) -> u64 {
        match self {
            Self::File { size, .. } => *size,
            Self::Directory { .. } | Self::Link { .. } => 0,
        }
    }
}

/// The workspace as it was.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Manifest {
    /// When the look at it began: seconds of the epoch.
    pub taken: i64,
    /// The workspace's absolute path.
    pub workspace: Vec<u8>,
    /// What is there, by path relative to the workspace.
    pub entries: BTreeMap<Vec<u8>, Entry>,
    /// What may be there and is not in `entries`: nothing is known of these and of what is below.
    pub left_out: BTreeSet<Vec<u8>>,
    /// Directories in which more was left out than is named, none of which was known before; the
    /// workspace itself is the empty path.
    pub unnamed: BTreeSet<Vec<u8>>,
}

/// The bytes are no manifest, or a damaged one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Damaged;

impl Manifest {
    /// Nothing is known of the path, though it is not in `entries`: it need not be gone.
    pub fn leaves_out(&self, path: &[u8]) -> bool {
        is_covered(&self.left_out, path)
    }

    /// Whoever finds the path later does not know that it was created since.
    pub fn may_have_had(&self, path: &[u8]) -> bool {
        self.leaves_out(path) || is_covered(&self.unnamed, path)
    }

    /// Something of the workspace is below the directory.
    pub fn has_below(&self, directory: &[u8]) -> bool {
        let mut start = directory.to_vec();
        start.push(b'/');
        self.entries.range(start.clone()..).next().is_some_and(|(path, _)| path.starts_with(&start))
    }

    /// Both tell the same of the workspace.
    pub fn is_same(&self, other: &Self) -> bool {
        self.workspace == other.workspace
            && self.left_out == other.left_out
            && self.unnamed == other.unnamed
            && self.entries.len() == other.entries.len()
            && self.entries.iter().zip(&other.entries).all(
                |((path, entry), (other_path, other))| path == other_path && entry.is_same(other),
            )
    }

    /// The bytes of all files.
    pub fn bytes(&self) -> u64 {
        self.entries.values().map(Entry::size).sum()
    }

    /// The manifest as bytes.
    pub fn write(&self) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        out.extend(self.taken.to_le_bytes());
        write_bytes(&mut out, &self.workspace);
        for paths in [&self.left_out, &self.unnamed] {
            write_count(&mut out, paths.len());
            for path in paths {
                write_bytes(&mut out, path);
            }
        }
        write_count(&mut out, self.entries.len());
        for (path, entry) in &self.entries {
            write_bytes(&mut out, path);
            write_entry(&mut out, entry);
        }
        let sum = hash(&out);
        out.extend(sum);
        out
    }

    /// The manifest that the bytes are.
    ///
    /// # Errors
    /// [`Damaged`] if they are none; nothing of a damaged one is used.
    pub fn parse(bytes: &[u8]) -> Result<Self, Damaged> {
        let (body, sum) = bytes.split_last_chunk::<32>().ok_or(Damaged)?;
        if hash(body) != *sum {
            return Err(Damaged);
        }
        let mut rest = Reader(body.strip_prefix(MAGIC).ok_or(Damaged)?);
        let taken = i64::from_le_bytes(rest.array()?);
        let workspace = rest.bytes()?.to_vec();
        let [left_out, unnamed] = [paths(&mut rest)?, paths(&mut rest)?];
        let entries = ordered(&mut rest, |rest| Ok((rest.bytes()?.to_vec(), rest.entry()?)))?;
        let entries: BTreeMap<_, _> = entries.into_iter().collect();
        let is_held = |path: &Vec<u8>| {
            stays_within(path)
                && above(path)
                    .next()
                    .is_none_or(|directory| entries.get(directory).is_some_and(Entry::is_directory))
        };
        let is_whole = rest.0.is_empty()
            && left_out.iter().chain(&unnamed).all(|path| path.is_empty() || stays_within(path))
            && entries.keys().all(is_held);
        if is_whole {
            Ok(Self { taken, workspace, entries, left_out, unnamed })
        } else {
            Err(Damaged)
        }
    }
}

/// The path, or a directory that it is in, is one of these.
fn is_covered(paths: &BTreeSet<Vec<u8>>, path: &[u8]) -> bool {
    let is_one = |path: &[u8]| paths.contains(path);
    !paths.is_empty() && (is_one(b"") || is_one(path) || above(path).any(is_one))
}

/// The directories that the path is in, the nearest first, without the workspace itself.
pub(crate) fn above(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::successors(parent(path), |path| parent(path))
}

fn parent(path: &[u8]) -> Option<&[u8]> {
    path.iter().rposition(|byte| *byte == b'/').map(|slash| &path[..slash])
}

fn stays_within(path: &[u8]) -> bool {
    !path.contains(&0)
        && path.split(|byte| *byte == b'/').all(|name| !matches!(name, b"" | b"." | b".."))
}

fn write_count(out: &mut Vec<u8>, count: usize) {
    // The walk is bounded far below this.
    out.extend(u32::try_from(count).unwrap_or(u32::MAX).to_le_bytes());
}

fn write_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    write_count(out, bytes.len());
    out.extend(bytes);
}

fn write_entry(out: &mut Vec<u8>, entry: &Entry) {
    match entry {
        Entry::Directory { mode } => {
            out.push(0);
            out.extend(mode.to_le_bytes());
        }
        Entry::File { mode, size, hash, stamp } => {
            out.push(1);
            out.extend(mode.to_le_bytes());
            out.extend(size.to_le_bytes());
            out.extend(hash);
            for (seconds, nanoseconds) in [stamp.modified, stamp.changed] {
                out.extend(seconds.to_le_bytes());
                out.extend(nanoseconds.to_le_bytes());
            }
            out.extend(stamp.inode.to_le_bytes());
        }
        Entry::Link { target } => {
            out.push(2);
            write_bytes(out, target);
        }
    }
}

/// What is not parsed yet.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn array<const N: usize>(&mut self) -> Result<[u8; N], Damaged> {
        let (head, rest) = self.0.split_first_chunk::<N>().ok_or(Damaged)?;
        self.0 = rest;
        Ok(*head)
    }

    fn count(&mut self) -> Result<usize, Damaged> {
        usize::try_from(u32::from_le_bytes(self.array()?)).map_err(|_| Damaged)
    }

    fn bytes(&mut self) -> Result<&'a [u8], Damaged> {
        let length = self.count()?;
        let (head, rest) = self.0.split_at_checked(length).ok_or(Damaged)?;
        self.0 = rest;
        Ok(head)
    }

    fn mode(&mut self) -> Result<u16, Damaged> {
        let mode = u16::from_le_bytes(self.array()?);
        if mode > 0o777 { Err(Damaged) } else { Ok(mode) }
    }

    fn moment(&mut self) -> Result<Moment, Damaged> {
        Ok((i64::from_le_bytes(self.array()?), u32::from_le_bytes(self.array()?)))
    }

    fn entry(&mut self) -> Result<Entry, Damaged> {
        let [kind] = self.array()?;
        match kind {
            0 => Ok(Entry::Directory { mode: self.mode()? }),
            1 => Ok(Entry::File {
                mode: self.mode()?,
                size: u64::from_le_bytes(self.array()?),
                hash: self.array()?,
                stamp: Stamp {
                    modified: self.moment()?,
                    changed: self.moment()?,
                    inode: u64::from_le_bytes(self.array()?),
                },
            }),
            2 => Ok(Entry::Link { target: self.bytes()?.to_vec() }),
            _ => Err(Damaged),
        }
    }
}

fn paths(rest: &mut Reader<'_>) -> Result<BTreeSet<Vec<u8>>, Damaged> {
    let paths = ordered(rest, |rest| Ok((rest.bytes()?.to_vec(), ())))?;
    Ok(paths.into_iter().map(|(path, ())| path).collect())
}

/// A list whose paths go up.
fn ordered<T>(
    rest: &mut Reader<'_>,
    mut one: impl FnMut(&mut Reader<'_>) -> Result<(Vec<u8>, T), Damaged>,
) -> Result<Vec<(Vec<u8>, T)>, Damaged> {
    let count = rest.count()?;
    // Each takes at least four bytes: a count that lies reserves nothing.
    let mut list: Vec<(Vec<u8>, T)> = Vec::with_capacity(count.min(rest.0.len() / 4));
    for _ in 0..count {
        let next = one(rest)?;
        if list.last().is_some_and(|(last, _)| *last >= next.0) {
            return Err(Damaged);
        }
        list.push(next);
    }
    Ok(list)
}

#[cfg(test)]
#[path = "manifest_tests.rs"]
mod tests;
