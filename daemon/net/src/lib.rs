//! The only maker of outbound connections.
//!
//! A [`Client`] is made for one [`Purpose`] and keeps one connection pool. It reads no proxy
//! variables, follows no redirect of a request that carries a credential, and bounds every wait
//! and every body. Secrets are turned into header bytes here and nowhere else; no error and no
//! log line of this crate contains one, nor a URL's query.
//!
//! The public web, which models and pages name and not the owner, is asked through [`web`] only,
//! where every address is judged before anything connects to it.
//!
//! Programs that may reach single hosts only get to them through [`proxy`], which judges as the web
//! does.
//!
//! What arrives as a stream is cut into events by [`sse`] or into lines by [`ndjson`]. This crate
//! knows no vendor and no status code's meaning.

pub mod address;
mod body;
mod charset;
mod client;
mod error;
mod guard;
mod names;
pub mod ndjson;
pub mod proxy;
mod request;
pub mod sse;
pub mod web;

pub use body::Body;
pub use client::{Client, Purpose, Response};
pub use error::Error;
pub use request::{Request, Timeouts, redact};
