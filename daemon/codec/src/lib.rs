//! The one place where words become protobuf, for the wire and for the disk.

pub mod act;
pub mod admin;
pub mod code;
pub mod error;
pub mod event;
mod field;
pub mod hook;
pub mod line;
pub mod part;
pub mod row;
pub mod sandbox;
pub mod session;
pub mod settings;
pub mod summary;
