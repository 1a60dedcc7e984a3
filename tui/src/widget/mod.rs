//! Text ready for cells: sanitised, styled by meaning, wrapped to a width.
//!
//! Pure functions of their input. Nothing here knows the terminal library, colors or the model;
//! styles are named by what they mean ([`Hue`]) and get their look in the theme. The invariant: a
//! [`Span`] holds only [`SafeText`], so nothing that was not sanitised can reach a cell.

mod code;
mod fuzzy;
mod inline;
mod line;
mod markdown;
mod reveal;
mod safe;
mod stream;
mod table;
mod wrap;

#[cfg(test)]
pub(crate) use code::tests::every_other_word;
pub(crate) use code::{CodeSlot, Highlights, Paint};
pub(crate) use fuzzy::Fuzzy;
pub(crate) use line::{Hue, Ink, Line, Span, width_of};
pub(crate) use reveal::reveal;
pub(crate) use safe::{Cleaner, SafeText, is_allowed};
pub(crate) use stream::Document;
pub(crate) use wrap::{Row, chop, rows, shorten, wrap};
