//! The transcript: what was said, block by block, with the rows that show it.
//!
//! Blocks follow from events (`fold`), growing ones from deltas. Rows are made only for blocks that
//! are on the screen (`lay`), are kept within a budget of bytes, and are thrown away when the width
//! changes. The place of the screen is an anchor, a block and a row in it (`scroll`), never a row
//! number: whatever is loaded above, the text under the eye stays where it is.

mod block;
mod call;
mod calling;
mod fold;
mod lay;
mod lay_call;
mod marks;
mod numbers;
mod scroll;

pub(crate) use block::{Block, Kind};
pub(crate) use call::{Stage, said};
pub(crate) use fold::Transcript;
pub(crate) use lay::Setting;
pub(crate) use numbers::{money, tokens};
pub(crate) use scroll::Move;

#[cfg(test)]
#[path = "transcript_tests.rs"]
mod tests;
