//! Vendors' dialects and the table of vendors.
//!
//! A provider is an entry of the configuration, or a vendor whose key lies in the environment.
//! Each speaks one of five dialects; what differs between vendors of one dialect is said in the
//! table in [`vendors`] and nowhere else. [`Providers`] is all of them together, as sessions see
//! it: which model is asked, and which next. Nothing here asks twice: retrying is the turn's
//! business.

mod answer;
mod anthropic;
mod breaker;
mod catalog;
mod detect;
mod dialect;
mod endpoint;
mod failure;
mod gemini;
mod ollama;
mod openai;
mod output;
mod parts;
mod providers;
mod remote;
mod responses;
mod retry_after;
mod setup;
mod table;
pub mod vendors;

pub use dialect::Dialect;
pub use endpoint::EnvVar;
pub use providers::Providers;
pub use setup::{Error, ProviderConfig, Setup, examine};

#[cfg(test)]
mod testing;
