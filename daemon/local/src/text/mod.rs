//! Between text and tokens: the tokenizer, the chat template, and text out of a stream of tokens.
//!
//! All of it comes out of the model file. Text of people never turns into a control token: what
//! looks like one in a message is armored before the template is rendered, and read as plain text.

pub(crate) mod bpe;
pub(crate) mod decode;
pub(crate) mod prompt;
pub(crate) mod reasoning;
pub(crate) mod special;
pub(crate) mod spm;
mod tokenizer;

pub(crate) use tokenizer::Tokenizer;
