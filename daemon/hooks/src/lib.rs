//! Hooks: programs of the person's that are told what happens, and may have a say.
//!
//! They are found in `HOOK.md` files of the home and of a workspace, written in the configuration,
//! or built in. This crate finds them, decides which may run, runs them and understands what they
//! say. It is not where things happen: sessions and the daemon call it through
//! [`moltis_core::hook::Hooks`], and apply what comes back.
//!
//! The invariants: nothing that was found on the disk runs before the owner enabled it, and what
//! runs is a private copy whose bytes are those that the owner trusted; a hook that fails is passed
//! over, but one that guards (`on_failure = "block"`) then blocks; a hook leaves no process of its
//! group behind; whoever tells hooks something that they have no say in does not wait for them.

mod admin;
mod breaker;
mod builtin;
mod caller;
mod digest;
mod eligible;
mod found;
mod ground;
mod hook;
mod hookery;
mod look;
mod made_up;
mod manifest;
mod process;
mod protocol;
mod spec;
mod state;
mod view;

pub use builtin::{Boot, Said, Transcripts};
pub use hookery::{Hookery, Options, Settings};
pub use manifest::manifest;
pub use protocol::{Answer, understand};
pub use spec::{Env, HookSpec, OnFailure, Requires};
