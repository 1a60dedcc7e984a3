//! The port to whoever knows programming languages, for clients that show code.

use async_trait::async_trait;

/// What a piece of code is, as far as a reader's eye cares.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Token {
    /// Nothing in particular.
    #[default]
    Plain,
    /// A word of the language.
    Keyword,
    /// A name that is called, or an attribute.
    Function,
    /// A name of a type.
    Type,
    /// A text.
    String,
    /// A number or another constant.
    Number,
    /// A remark.
    Comment,
    /// A line that a diff adds.
    Inserted,
    /// A line that a diff takes away.
    Deleted,
}

/// A piece of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Its length in bytes.
    pub length: u32,
    /// What it is.
    pub token: Token,
}

/// The pieces of each line; those of a line are together as long as it is without its newline.
pub type Pieces = Vec<Vec<Piece>>;

/// Knows programming languages.
///
/// Called by the edge; implemented by `highlight`.
#[async_trait]
pub trait Highlighter: Send + Sync {
    /// What the pieces of some code are; `None` when the language is not known or there is too
    /// much of it.
    async fn highlight(&self, language: String, text: String) -> Option<Pieces>;
}
