//! Anthropic's messages.

mod models;
mod stream;
mod wire;

pub(crate) use models::read_models;
pub(crate) use stream::reader;
pub(crate) use wire::{HEADERS, call};

#[cfg(test)]
mod tests;
