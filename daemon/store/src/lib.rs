//! The journal and the vault on redb.
//!
//! One file holds the truth: the events of all sessions, keyed by session and seq and chained by
//! hash, and the vault's ciphertext. [`writer`] is its only writer: many callers' events go into
//! one transaction, and a caller is answered after the fsync. [`engine`] opens the file, again
//! after a failure. Lists, sums and commands follow from the events in the same transaction;
//! transcripts and the search index are brought up in the background by [`projector`].
//!
//! This crate knows nothing of turns or models, and decides nothing about them. Its invariant:
//! what was acknowledged is on disk, in order, once, and everything else can be made anew from it.

mod backup;
mod chain;
mod check;
mod commit;
mod engine;
mod error;
mod fold;
mod journal;
mod key;
mod lock;
mod overlay;
mod paths;
mod projector;
mod read;
mod rebuild;
mod search;
mod store;
mod tables;
mod transcript;
mod vault;
mod words;
mod writer;

pub use backup::restore;
pub use check::check_offline;
pub use error::{Error, Result};
pub use rebuild::rebuild_offline;
pub use store::Store;

#[cfg(test)]
mod tests;
