//! Gemini's native API.

mod models;
mod stream;
mod wire;

pub(crate) use models::read_models;
pub(crate) use stream::reader;
pub(crate) use wire::call;

#[cfg(test)]
mod tests;
