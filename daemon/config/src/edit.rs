//! Changing one key in a text without disturbing the rest of it.

use std::collections::BTreeMap;

use toml_edit::{Document, DocumentMut, Item, Table, TableLike};

use crate::rows;
use crate::value::Value;

/// Why a text could not be changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    /// The text is not TOML; what it is instead is told by validation.
    #[error("the file is not valid TOML")]
    NotToml,
    /// Something of another shape is in the way of `path`.
    #[error("`{0}` can't be set in a file of this shape")]
    Shape(String),
}

/// Sets `path` to `value` and leaves every comment, every other key and their order alone.
///
/// The key is changed where it stands; else its commented-out line in its section comes alive;
/// else it is added to its section; else the section is added at the end.
///
/// # Errors
/// When the text is not TOML or a key of that path can't be in it.
pub fn set(text: &str, path: &str, value: &Value) -> Result<String, EditError> {
    let before = flat(text).ok_or(EditError::NotToml)?;
    let mut wanted = before;
    wanted.insert(path.to_owned(), value.to_string());
    let ways: [fn(&str, &str, &str, &Value) -> Option<String>; 4] =
        [in_place, awoken, new_table, inserted];
    let (table, key) = path.rsplit_once('.').ok_or_else(|| EditError::Shape(path.to_owned()))?;
    // Whatever a way did, only the wanted change may come of it.
    ways.into_iter()
        .filter_map(|way| way(text, table, key, value))
        .find(|changed| flat(changed).as_ref() == Some(&wanted))
        .ok_or_else(|| EditError::Shape(path.to_owned()))
}

/// Takes the key at `path` out and leaves everything else alone. A key that is not there is no error.
///
/// # Errors
/// When the text is not TOML or the key can't be taken out of it.
pub fn unset(text: &str, path: &str) -> Result<String, EditError> {
    let mut wanted = flat(text).ok_or(EditError::NotToml)?;
    if wanted.remove(path).is_none() {
        return Ok(text.to_owned());
    }
    let shape = || EditError::Shape(path.to_owned());
    let (table, key) = path.rsplit_once('.').ok_or_else(shape)?;
    let ways: [fn(&str, &str, &str) -> Option<String>; 2] = [without_lines, without];
    ways.into_iter()
        .filter_map(|way| way(text, table, key))
        .find(|changed| flat(changed).as_ref() == Some(&wanted))
        .ok_or_else(shape)
}

/// Takes out the lines that the key stands on; the comments above it stay.
fn without_lines(text: &str, table: &str, key: &str) -> Option<String> {
    let document = Document::parse(text).ok()?;
    let mut here: &dyn TableLike = document.as_table();
    for name in table.split('.') {
        here = here.get(name)?.as_table_like()?;
    }
    let span = here.get(key)?.span()?;
    let begin = text.get(..span.start)?.rfind('\n').map_or(0, |at| at + 1);
    let rest = text.get(span.end..)?;
    let end = span.end + rest.find('\n').map_or(rest.len(), |at| at + 1);
    Some(format!("{}{}", text.get(..begin)?, text.get(end..)?))
}

/// Takes the key out of a table that shares its line with others.
fn without(text: &str, table: &str, key: &str) -> Option<String> {
    let mut document: DocumentMut = text.parse().ok()?;
    table_of(document.as_table_mut(), table)?.remove(key)?;
    Some(document.to_string())
}

/// Replaces the value of a key that is there; a comment behind it stays.
fn in_place(text: &str, table: &str, key: &str, value: &Value) -> Option<String> {
    let mut document: DocumentMut = text.parse().ok()?;
    let item = table_of(document.as_table_mut(), table)?.get_mut(key)?;
    let old = item.as_value_mut()?;
    let mut new = value.to_toml();
    *new.decor_mut() = old.decor().clone();
    *old = new;
    Some(document.to_string())
}

/// Takes the `#` from the key's line in its section.
fn awoken(text: &str, table: &str, key: &str, value: &Value) -> Option<String> {
    let header = format!("[{table}]");
    let mut in_section = false;
    let mut done = false;
    let mut changed = String::with_capacity(text.len() + 64);
    for line in text.split_inclusive('\n') {
        let bare = line.trim_start_matches(['#', ' ', '\t']).trim_end();
        if bare.starts_with('[') && bare.split('#').next().is_some_and(|h| h.trim().ends_with(']'))
        {
            in_section = line.starts_with('[') && bare.starts_with(&header);
        }
        let is_ours = in_section
            && line.starts_with('#')
            && bare.strip_prefix(key).is_some_and(|rest| rest.trim_start().starts_with('='));
        if is_ours && !done {
            done = true;
            changed.push_str(&format!("{key} = {value}\n"));
        } else {
            changed.push_str(line);
        }
    }
    done.then_some(changed)
}

/// Adds the key's section at the end. (Left to the editor of the tree it would land before the
/// comments that end the file.)
fn new_table(text: &str, table: &str, key: &str, value: &Value) -> Option<String> {
    let mut document: DocumentMut = text.parse().ok()?;
    if table_of(document.as_table_mut(), table).is_some_and(|found| !found.is_empty())
        || text.lines().any(|line| line.starts_with(&format!("[{table}]")))
    {
        return None;
    }
    let gap = match text {
        "" => "",
        text if text.ends_with('\n') => "\n",
        _ => "\n\n",
    };
    Some(format!("{text}{gap}[{table}]\n{key} = {value}\n"))
}

/// Adds the key to its section.
fn inserted(text: &str, table: &str, key: &str, value: &Value) -> Option<String> {
    let mut document: DocumentMut = text.parse().ok()?;
    let mut here: &mut dyn TableLike = document.as_table_mut();
    for name in table.split('.') {
        let entry = here.entry(name).or_insert_with(|| Item::Table(Table::new()));
        here = entry.as_table_like_mut()?;
    }
    here.insert(key, Item::Value(value.to_toml()));
    Some(document.to_string())
}

fn table_of<'a>(root: &'a mut Table, path: &str) -> Option<&'a mut dyn TableLike> {
    let mut here: &mut dyn TableLike = root;
    for name in path.split('.') {
        here = here.get_mut(name)?.as_table_like_mut()?;
    }
    Some(here)
}

fn texts<P>(rows: Vec<(String, P)>) -> Vec<String> {
    rows.into_iter().map(|(text, _)| text).collect()
}

/// All keys of a text with their values, however they are written.
fn flat(text: &str) -> Option<BTreeMap<String, String>> {
    fn walk(path: &str, table: &dyn TableLike, into: &mut BTreeMap<String, String>) {
        for (name, item) in table.iter() {
            let path = if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
            if let Some(table) = item.as_table_like() {
                walk(&path, table, into);
            } else {
                let value = item.as_value().and_then(Value::of_toml);
                let rows = rows::tables(item).map(|rows| format!("{:?}", texts(rows)));
                let text = value.map(|value| value.to_string()).or(rows);
                let text = text.unwrap_or_else(|| item.to_string());
                into.insert(path, text);
            }
        }
    }
    let document = Document::parse(text).ok()?;
    let mut keys = BTreeMap::new();
    walk("", document.as_table(), &mut keys);
    Some(keys)
}

#[cfg(test)]
#[path = "edit_tests.rs"]
mod tests;
