//! Ollama's native API: its imitation of OpenAI's knows neither context sizes nor thinking.

mod models;
mod stream;
mod wire;

pub(crate) use models::{describe, read_models};
pub(crate) use stream::reader;
pub(crate) use wire::call;

#[cfg(test)]
mod tests;
