//! Lists of tables, `[[hooks]]`, whose content is someone else's.
//!
//! Here they are only found, counted and handed on. The invariants: a row's text is TOML without the
//! comments and blanks of the file, so that the same row has the same text; of what is in it, only
//! what its owner shows is ever shown.

use toml_edit::{Array, DocumentMut, InlineTable, Item, TableLike, Value as Toml};

use crate::problem::Place;

/// The most rows of a list.
pub(crate) const MAX_ROWS: usize = 256;

/// A list of tables.
#[derive(Clone, Copy, Debug)]
pub struct Rows {
    /// Its name in the file: `hooks` for `[[hooks]]`.
    pub path: &'static str,
    /// What it is for, in lines of a comment.
    pub doc: &'static str,
    /// What the template shows as a row: lines of TOML.
    pub example: &'static str,
    /// Whether a row, as TOML, can be understood; if not, says why, without a secret.
    pub read: fn(&str) -> Result<(), String>,
    /// What of a row may be shown, in one line of TOML; a secret is not.
    pub shown: fn(&str) -> String,
}

/// A row of a list.
#[derive(Clone, Debug)]
pub struct Row {
    /// The list.
    pub rows: &'static Rows,
    /// Which one, from 1.
    pub number: usize,
    /// Its keys, as TOML.
    pub text: String,
    /// Where it is.
    pub place: Place,
}

impl Row {
    /// How it is called: `hooks.1`.
    pub fn name(&self) -> String {
        format!("{}.{}", self.rows.path, self.number)
    }

    /// What of it may be shown.
    pub fn shown(&self) -> String {
        (self.rows.shown)(&self.text)
    }
}

/// The rows of a list, however it is written, with the place of each in bytes; `None` when the item is
/// no list of tables.
pub(crate) fn tables(item: &Item) -> Option<Vec<(String, Option<std::ops::Range<usize>>)>> {
    match item {
        Item::ArrayOfTables(tables) => {
            Some(tables.iter().map(|table| (text(table), table.span())).collect())
        }
        Item::Value(Toml::Array(items)) => {
            items.iter().map(|item| Some((text(item.as_inline_table()?), item.span()))).collect()
        }
        Item::None | Item::Value(_) | Item::Table(_) => None,
    }
}

fn text(table: &dyn TableLike) -> String {
    let mut row = DocumentMut::new();
    for (name, item) in table.iter() {
        if let Ok(value) = item.clone().into_value() {
            row.insert(name, Item::Value(bare(&value)));
        }
    }
    row.to_string()
}

/// A value without the comments and blanks in it.
fn bare(value: &Toml) -> Toml {
    match value {
        Toml::Array(items) => Toml::Array(items.iter().map(bare).collect::<Array>()),
        Toml::InlineTable(table) => {
            let entries = table.iter().map(|(name, value)| (name, bare(value)));
            Toml::InlineTable(entries.collect::<InlineTable>())
        }
        Toml::String(text) => text.value().as_str().into(),
        Toml::Integer(number) => (*number.value()).into(),
        Toml::Float(number) => (*number.value()).into(),
        Toml::Boolean(flag) => (*flag.value()).into(),
        Toml::Datetime(time) => (*time.value()).into(),
    }
}
