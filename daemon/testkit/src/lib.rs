//! What tests stand on: fakes that implement ports, a vendor's HTTP server, a daemon in a
//! temporary home. Only ever a dev-dependency.

pub mod daemon;
pub mod env;
pub mod journal;
pub mod provider;
pub mod tools;
pub mod vendor;
