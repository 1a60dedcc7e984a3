//! The agent without a machine under it: what a turn does, as pure functions.
//!
//! [`turn::Turn`] is a state machine: inputs go in, effects come out, and whoever runs it (the
//! crate `session`) carries the effects out and brings back how they went. What a model is told
//! follows from the session's events alone ([`conversation`], [`prompt`]), live and after a
//! restart alike; [`compact`] puts a summary in the place of what is old, [`system`] words what it is
//! told first of all, and [`window`] shows what a model would be told. [`redact`] takes the owner's
//! secrets out of a tool's output, [`sanitize`] is what of it a model is shown; `shorten` says of what is too large its size, `lazy`
//! which of very many tools a model is offered. [`scale`] is what
//! vendors' counts say of estimates. [`retry`] decides what a failure is worth, [`queue`] where a
//! message goes, [`title`] what a session is called.
//!
//! Not here: clocks, tasks, channels, disks. The invariant: nothing in this crate awaits, and the
//! same inputs always give the same effects.

pub mod answer;
pub mod compact;
pub mod conversation;
mod lazy;
pub mod prompt;
pub mod queue;
pub mod redact;
pub mod retry;
pub mod sanitize;
pub mod scale;
mod shorten;
pub mod system;
mod text_tools;
pub mod title;
pub mod turn;
pub mod window;

#[cfg(test)]
mod testing;
