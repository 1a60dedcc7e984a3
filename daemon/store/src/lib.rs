//! The journal and the vault on redb.
