//! OpenAI's responses. Nothing is stored at the vendor (`store: false`); reasoning travels to and
//! fro encrypted.

mod stream;
mod wire;

pub(crate) use stream::reader;
pub(crate) use wire::call;

#[cfg(test)]
mod tests;
