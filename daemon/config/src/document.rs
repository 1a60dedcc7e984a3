//! The file's text as flat keys with places.

use std::ops::Range;

use toml_edit::{Document, Item, TableLike, Value as Toml};

use crate::problem::{Place, Problem};
use crate::rows::{self, MAX_ROWS, Row, Rows};
use crate::schema::{Schema, is_name};
use crate::value::Value;

/// What a file says.
#[derive(Debug, Default)]
pub(crate) struct Said {
    /// Keys with values of the right kind, in the file's order.
    pub(crate) values: Vec<(String, Value, Place)>,
    /// Tables with names that the owner chose, also empty ones.
    pub(crate) tables: Vec<String>,
    /// The rows of lists that can be understood.
    pub(crate) rows: Vec<Row>,
    /// What is wrong.
    pub(crate) problems: Vec<Problem>,
}

/// Reads a file's text. The message of a syntax error never quotes the line: there may be a key
/// in it.
pub(crate) fn read(schema: &Schema, text: &str) -> Said {
    let mut walk = Walk { schema, text, said: Said::default() };
    match Document::parse(text) {
        Ok(document) => walk.table("", document.as_table()),
        Err(error) => {
            let place = error.span().map_or(Place::Whole, |span| walk.place(&span));
            let message = error.message().lines().next().unwrap_or("not valid TOML").to_owned();
            walk.said.problems.push(Problem::error(
                "",
                place,
                format!("not valid TOML: {message}"),
            ));
        }
    }
    walk.said
}

struct Walk<'a> {
    schema: &'a Schema,
    text: &'a str,
    said: Said,
}

impl Walk<'_> {
    fn table(&mut self, path: &str, table: &dyn TableLike) {
        for (name, item) in table.iter() {
            let span = table.key(name).and_then(toml_edit::Key::span).or_else(|| item.span());
            let place = span.map_or(Place::Whole, |span| self.place(&span));
            let path = if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
            if name.contains('.') {
                let message = format!("`{name}` has a dot in it");
                self.said.problems.push(Problem::error(path, place, message));
            } else {
                self.item(path, item, place);
            }
        }
    }

    fn item(&mut self, path: String, item: &Item, place: Place) {
        if let Some(rows) = self.schema.rows(&path) {
            return self.rows(rows, item, place);
        }
        if let Some(table) = item.as_table_like() {
            let section = self.schema.section(&path);
            if section.is_some_and(|section| section.path.contains('*')) {
                self.said.tables.push(path.clone());
            }
            if section.is_some() || self.schema.is_above_sections(&path) {
                self.table(&path, table);
            } else if let Some(key) = self.schema.key(&path) {
                let message = format!("`{path}` is a table: expected {}", key.kind);
                self.said.problems.push(Problem::error(path, place, message));
            } else {
                self.unknown(path, place, "section");
            }
            return;
        }
        let Some(key) = self.schema.key(&path) else {
            if self.schema.section(&path).is_some() || self.schema.is_above_sections(&path) {
                let message = format!("`{path}` must be a table: [{path}]");
                self.said.problems.push(Problem::error(path, place, message));
            } else {
                self.unknown(path, place, "key");
            }
            return;
        };
        let place = item.span().map_or(place, |span| self.place(&span));
        let value = item.as_value().and_then(Value::of_toml);
        let examined = match &value {
            Some(value) => key.examine(value),
            None => Err(format!("expected {}", key.kind)),
        };
        match (value, examined) {
            (Some(value), Ok(())) => self.said.values.push((path, value, place)),
            (_, Err(expected)) => {
                let found = item.as_value().map_or("a list of tables", Toml::type_name);
                let message = if key.secret {
                    format!("`{path}`: {expected}")
                } else {
                    format!("`{path}`: {expected}, found {}", shown(item, found))
                };
                self.said.problems.push(Problem::error(path, place, message));
            }
            (None, Ok(())) => {}
        }
    }

    fn rows(&mut self, rows: &'static Rows, item: &Item, place: Place) {
        let path = rows.path;
        let Some(tables) = rows::tables(item) else {
            let message = format!("`{path}` must be a list of tables: [[{path}]]");
            return self.said.problems.push(Problem::error(path, place, message));
        };
        if tables.len() > MAX_ROWS {
            let message = format!("`{path}` has {} rows: at most {MAX_ROWS}", tables.len());
            self.said.problems.push(Problem::error(path, place.clone(), message));
        }
        for (number, (text, span)) in (1..=MAX_ROWS).zip(tables) {
            let place = span.map_or_else(|| place.clone(), |span| self.place(&span));
            match (rows.read)(&text) {
                Ok(()) => self.said.rows.push(Row { rows, number, text, place }),
                Err(why) => {
                    let message = format!("row {number} of `{path}`: {why}");
                    self.said.problems.push(Problem::error(path, place, message));
                }
            }
        }
    }

    fn unknown(&mut self, path: String, place: Place, what: &str) {
        self.said.problems.push(unknown(self.schema, path, place, what));
    }

    fn place(&self, span: &Range<usize>) -> Place {
        let before = self.text.get(..span.start).unwrap_or(self.text);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
        Place::File { line, column }
    }
}

/// The problem of a key or section that there is not, with the nearest one that there is.
pub(crate) fn unknown(schema: &Schema, path: String, place: Place, what: &str) -> Problem {
    if let Some(rows) = schema.rows(&path) {
        let message = format!("`{}` is a list of tables: only the file can have it", rows.path);
        return Problem::error(path, place, message);
    }
    if let Some(name) = path.split('.').find(|name| !is_name(name)) {
        let message = format!("`{name}` is no name: use letters, digits, `-` and `_`");
        return Problem::error(path, place, message);
    }
    let message = format!("unknown {what} `{path}`");
    let nearest = schema.nearest(&path);
    let problem = Problem::error(path, place, message);
    match nearest {
        Some(nearest) => problem.with_hint(format!("did you mean `{nearest}`?")),
        None => problem,
    }
}

/// A short value as it was written; a long one only by its type.
fn shown(item: &Item, type_name: &str) -> String {
    let text = item.to_string().trim().to_owned();
    if text.len() <= 40 && !text.contains('\n') { text } else { format!("a {type_name}") }
}
