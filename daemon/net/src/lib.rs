//! The only maker of outbound connections.
//!
//! A [`Client`] is made for one [`Purpose`] and keeps one connection pool. It reads no proxy
//! variables, follows no redirect of a request that carries a credential, and bounds every wait
//! and every body. Secrets are turned into header bytes here and nowhere else; no error and no
//! log line of this crate contains one, nor a URL's query.
//!
//! What arrives as a stream is cut into events by [`sse`] or into lines by [`ndjson`]. This crate
//! knows no vendor and no status code's meaning.

mod body;
mod client;
mod error;
pub mod ndjson;
mod request;
pub mod sse;

pub use body::Body;
pub use client::{Client, Purpose, Response};
pub use error::Error;
pub use request::{Request, Timeouts, redact};
