//! The hash chain of a session: each event's hash covers its bytes and all events before it.
//!
//! The chain starts at zeros and covers neither session nor seq, so that a fork is a copy of rows.

use sha2::{Digest, Sha256};

/// A hash of the chain.
pub(crate) type Hash = [u8; 32];

/// The hash before the first event.
pub(crate) const START: Hash = [0; 32];

/// The hash of an event that follows `before`.
pub(crate) fn link(before: &Hash, bytes: &[u8]) -> Hash {
    let mut hasher = Sha256::new();
    hasher.update(before);
    hasher.update(bytes);
    hasher.finalize().into()
}

/// The row of an event: its hash, then its bytes.
pub(crate) fn row(before: &Hash, bytes: &[u8]) -> (Hash, Vec<u8>) {
    let hash = link(before, bytes);
    let mut row = Vec::with_capacity(hash.len() + bytes.len());
    row.extend_from_slice(&hash);
    row.extend_from_slice(bytes);
    (hash, row)
}

/// The two halves of a row.
pub(crate) fn split(row: &[u8]) -> Option<(Hash, &[u8])> {
    let (hash, bytes) = row.split_first_chunk::<32>()?;
    Some((*hash, bytes))
}
