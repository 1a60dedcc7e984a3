//! A session as a document, piece by piece: Markdown for people, JSON lines for programs.
//!
//! Only a page of events is in memory at a time. The document ends where the session ended when it
//! was asked for, so that a running turn does not make it endless.

mod jsonl;
mod markdown;
mod pieces;

pub(crate) use pieces::{Format, pieces};
