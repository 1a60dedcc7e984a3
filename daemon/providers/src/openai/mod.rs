//! OpenAI's chat completions, and all that imitate them with quirks of their own.

mod models;
mod stream;
mod think;
mod wire;

pub(crate) use models::read_models;
pub(crate) use stream::reader;
pub(crate) use wire::{call, effort_word};

#[cfg(test)]
mod tests;
