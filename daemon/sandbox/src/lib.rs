//! Where programs run that a model wants run: containers, virtual machines, or bubblewrap.
//!
//! Implements [`moltis_core::sandbox::Sandbox`] over a backend that was found, asked what it is and
//! made to prove that it contains what runs in it. Without one that does, nothing runs: there is no
//! way from here to the machine itself.

mod apple;
mod backend;
#[cfg(target_os = "linux")]
mod bubblewrap;
mod container;
mod engine;
mod image;
mod linked;
mod opening;
mod options;
mod output;
mod sandboxes;
mod shell;

pub use options::{Choice, NoVariables, Options, Variables};
pub use sandboxes::Sandboxes;
