//! The layers, one over the other: built-in, file, environment, flags.

use std::collections::BTreeMap;
use std::fmt;

use crate::document::{self, Said};
use crate::problem::{Place, Problem, Severity};
use crate::rows::Row;
use crate::schema::{Key, Schema};
use crate::value::Value;

/// Environment variables that begin so and hold `__` are keys.
const ENV_PREFIX: &str = "MOLTIS_";

/// A value given by a flag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flag {
    /// The flag as typed: `--log-level`.
    pub name: &'static str,
    /// The key that it sets.
    pub path: &'static str,
    /// Its value.
    pub value: Value,
}

/// What is laid over the built-in values.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sources<'a> {
    /// The file's text.
    pub file: &'a str,
    /// The environment: all of it; only keys of ours are looked at.
    pub env: &'a [(String, String)],
    /// The flags.
    pub flags: &'a [Flag],
}

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Built in.
    Default,
    /// The file.
    File(Place),
    /// A variable.
    Env(String),
    /// A flag.
    Flag(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(_) => f.write_str("file"),
            Self::Env(name) => write!(f, "env {name}"),
            Self::Flag(name) => write!(f, "flag {name}"),
        }
    }
}

/// One key with its value and where that came from.
#[derive(Clone, Debug)]
pub struct Setting {
    /// The path with the owner's names in it.
    pub path: String,
    /// The key.
    pub key: &'static Key,
    /// The value.
    pub value: Value,
    /// Where it came from.
    pub origin: Origin,
}

impl Setting {
    /// The value as TOML, `"***"` for a secret.
    pub fn shown(&self) -> String {
        if self.key.secret && !self.value.is_empty() {
            "\"***\"".to_owned()
        } else {
            self.value.to_string()
        }
    }

    /// Where a problem with this value is.
    pub fn place(&self) -> Place {
        match &self.origin {
            Origin::Default => Place::Whole,
            Origin::File(place) => place.clone(),
            Origin::Env(name) => Place::Env(name.clone()),
            Origin::Flag(name) => Place::Flag((*name).to_owned()),
        }
    }
}

/// Every key with its value: what holds.
#[derive(Clone, Debug, Default)]
pub struct Config {
    settings: Vec<Setting>,
    index: BTreeMap<String, usize>,
    rows: Vec<Row>,
}

impl Config {
    /// All keys in the schema's order; tables with chosen names in the order of their appearance.
    pub fn settings(&self) -> &[Setting] {
        &self.settings
    }

    /// One key.
    pub fn get(&self, path: &str) -> Option<&Setting> {
        self.index.get(path).and_then(|at| self.settings.get(*at))
    }

    /// The rows of all lists, in the file's order.
    pub fn all_rows(&self) -> &[Row] {
        &self.rows
    }

    /// The texts of the rows of one list, in the file's order.
    pub fn rows<'a>(&'a self, path: &'a str) -> impl Iterator<Item = &'a str> {
        self.rows.iter().filter(move |row| row.rows.path == path).map(|row| row.text.as_str())
    }

    /// The string at a path; empty when there is none.
    pub fn text(&self, path: &str) -> &str {
        match self.get(path).map(|setting| &setting.value) {
            Some(Value::Text(text)) => text,
            _ => "",
        }
    }

    /// The number at a path, if there is one.
    pub fn integer(&self, path: &str) -> Option<i64> {
        match self.get(path).map(|setting| &setting.value) {
            Some(Value::Integer(number)) => Some(*number),
            _ => None,
        }
    }

    /// Whether the key at a path is `true`.
    pub fn is_on(&self, path: &str) -> bool {
        matches!(self.get(path).map(|setting| &setting.value), Some(Value::Bool(true)))
    }

    /// The list at a path; empty when there is none.
    pub fn list(&self, path: &str) -> &[String] {
        match self.get(path).map(|setting| &setting.value) {
            Some(Value::List(items)) => items,
            _ => &[],
        }
    }

    /// The names that the owner chose under a path: those of `providers`.
    pub fn names(&self, above: &str) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        for setting in &self.settings {
            let Some(rest) =
                setting.path.strip_prefix(above).and_then(|rest| rest.strip_prefix('.'))
            else {
                continue;
            };
            if let Some((name, _)) = rest.split_once('.')
                && !names.contains(&name)
            {
                names.push(name);
            }
        }
        names
    }

    /// The paths whose values differ from an older configuration's, gone ones included.
    pub fn changed_since<'a>(&'a self, older: &'a Self) -> Vec<&'a Setting> {
        let differs =
            |a: &Setting, other: &Self| other.get(&a.path).is_none_or(|b| b.value != a.value);
        let gone = older.settings.iter().filter(|setting| self.get(&setting.path).is_none());
        self.settings.iter().filter(|setting| differs(setting, older)).chain(gone).collect()
    }

    /// The lists whose rows differ from an older configuration's.
    pub fn rows_changed_since(&self, older: &Self) -> Vec<&'static str> {
        let mut lists: Vec<&'static str> = Vec::new();
        for row in self.rows.iter().chain(&older.rows) {
            let path = row.rows.path;
            if !lists.contains(&path) && !self.rows(path).eq(older.rows(path)) {
                lists.push(path);
            }
        }
        lists
    }

    fn push(&mut self, setting: Setting) {
        self.index.insert(setting.path.clone(), self.settings.len());
        self.settings.push(setting);
    }
}

/// A configuration and what is wrong with it.
#[derive(Clone, Debug, Default)]
pub struct Resolved {
    /// What holds; keys with errors have the value of the layer below.
    pub config: Config,
    /// What is wrong, in the order of the file.
    pub problems: Vec<Problem>,
}

impl Resolved {
    /// Whether it can be used.
    pub fn is_usable(&self) -> bool {
        self.problems.iter().all(|problem| problem.severity != Severity::Error)
    }
}

/// Lays the sources over the built-in values.
pub fn resolve(schema: &Schema, sources: &Sources<'_>) -> Resolved {
    let Said { values, tables, rows, mut problems } = document::read(schema, sources.file);
    let mut layered: BTreeMap<String, (Value, Origin)> = BTreeMap::new();
    let mut tables = tables;
    for (path, value, place) in values {
        layered.insert(path, (value, Origin::File(place)));
    }
    for (name, text) in sources.env {
        let Some(path) = env_path(name, &tables) else { continue };
        match env_value(schema, name, &path, text) {
            Ok(value) => {
                let table = path.rsplit_once('.').map_or("", |(table, _)| table);
                let chosen = schema.section(table).is_some_and(|known| known.path.contains('*'));
                if chosen && !tables.iter().any(|known| known == table) {
                    tables.push(table.to_owned());
                }
                layered.insert(path, (value, Origin::Env(name.clone())));
            }
            Err(problem) => problems.push(problem),
        }
    }
    for flag in sources.flags {
        let examined = schema
            .key(flag.path)
            .ok_or_else(|| format!("unknown key `{}`", flag.path))
            .and_then(|key| key.examine(&flag.value));
        match examined {
            Ok(()) => {
                layered.insert(flag.path.to_owned(), (flag.value.clone(), Origin::Flag(flag.name)));
            }
            Err(message) => {
                let place = Place::Flag(flag.name.to_owned());
                problems.push(Problem::error(flag.path, place, message));
            }
        }
    }
    let config = Config { rows, ..assemble(schema, &tables, &mut layered) };
    Resolved { config, problems }
}

fn assemble(
    schema: &Schema,
    tables: &[String],
    layered: &mut BTreeMap<String, (Value, Origin)>,
) -> Config {
    let mut config = Config::default();
    for section in schema.sections {
        let here: Vec<&str> = if section.path.contains('*') {
            let is_here = |table: &&str| {
                schema.section(table).is_some_and(|known| known.path == section.path)
            };
            tables.iter().map(String::as_str).filter(is_here).collect()
        } else {
            vec![section.path]
        };
        for table in here {
            for key in schema.keys_of(section.path) {
                let path = format!("{table}.{}", key.name());
                let (value, origin) =
                    layered.remove(&path).unwrap_or_else(|| (key.preset.value(), Origin::Default));
                config.push(Setting { path, key, value, origin });
            }
        }
    }
    config
}

/// The path that a variable means: `MOLTIS_CHAT__TIMEOUT_S` is `chat.timeout_s`. A variable can't
/// hold a `-`: where a table of the file differs only in that, it is the one meant.
fn env_path(name: &str, tables: &[String]) -> Option<String> {
    let rest = name.strip_prefix(ENV_PREFIX)?;
    if !rest.contains("__") {
        return None;
    }
    let path = rest.to_ascii_lowercase().replace("__", ".");
    let Some((table, key)) = path.rsplit_once('.') else { return Some(path) };
    let same = |known: &&String| known.to_ascii_lowercase().replace('-', "_") == table;
    let table = tables.iter().find(same).map_or(table, String::as_str);
    Some(format!("{table}.{key}"))
}

fn env_value(schema: &Schema, name: &str, path: &str, text: &str) -> Result<Value, Problem> {
    let place = Place::Env(name.to_owned());
    let Some(key) = schema.key(path) else {
        return Err(document::unknown(schema, path.to_owned(), place, "key"));
    };
    key.kind
        .parse(text)
        .and_then(|value| key.examine(&value).map(|()| value))
        .map_err(|expected| Problem::error(path, place, format!("`{path}`: {expected}")))
}

#[cfg(test)]
#[path = "resolve_tests.rs"]
mod tests;
