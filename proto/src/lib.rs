//! The contract: what clients may ask of the daemon, and what is written to disk.
//!
//! The `.proto` files beside this crate decide; the code under `src/gen` is generated from them,
//! checked in, and proven fresh by `tests/fresh.rs`, so that no build needs `protoc`. Fields are
//! added, never reused. Written by hand are only the protocol version and [`json`], the one way to
//! show an event as JSON: whoever does that sees this crate.

mod act;
pub mod json;

/// The messages, clients and servers of `moltis.v1`.
#[allow(
    missing_docs,
    unreachable_pub,
    clippy::all,
    clippy::allow_attributes_without_reason,
    clippy::large_futures,
    clippy::too_many_lines,
    clippy::needless_pass_by_value,
    clippy::semicolon_if_nothing_returned,
    clippy::use_self,
    reason = "generated code"
)]
pub mod v1 {
    include!("gen/moltis.v1.rs");
}

/// The descriptor set of the contract, for reflection.
pub const DESCRIPTORS: &[u8] = include_bytes!("gen/moltis.v1.bin");

/// The protocol's major version: peers must agree on it.
pub const PROTOCOL_MAJOR: u32 = 1;

/// The protocol's minor version: grows when something is added.
pub const PROTOCOL_MINOR: u32 = 0;

/// The metadata key under which a failed call carries its [`v1::ErrorDetail`].
pub const ERROR_DETAIL_KEY: &str = "moltis-error-bin";
