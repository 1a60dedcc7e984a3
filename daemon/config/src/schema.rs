//! The table of keys, from which all else follows.

use crate::rows::Rows;
use crate::value::{Kind, Value};

/// A key's value when nobody sets it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preset {
    /// A string.
    Text(&'static str),
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Integer(i64),
    /// A list of strings.
    List(&'static [&'static str]),
}

impl Preset {
    /// The value.
    pub fn value(self) -> Value {
        match self {
            Self::Text(text) => Value::Text(text.to_owned()),
            Self::Bool(flag) => Value::Bool(flag),
            Self::Integer(number) => Value::Integer(number),
            Self::List(items) => Value::List(items.iter().map(|item| (*item).to_owned()).collect()),
        }
    }
}

/// A key that may be set.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// `section.key`; a `*` stands for a name that the owner chooses: `providers.*.kind`.
    pub path: &'static str,
    /// What it expects.
    pub kind: Kind,
    /// What it is when nobody sets it.
    pub preset: Preset,
    /// What the template shows instead of the preset: a piece of TOML. Empty shows the preset.
    pub example: &'static str,
    /// What it does, in lines of a comment.
    pub doc: &'static str,
    /// Whether its value must never be shown.
    pub secret: bool,
    /// Whether a change only holds after a restart.
    pub restart: bool,
    /// What else a value must fulfil; a fragment says what was expected, without the value.
    pub check: Option<fn(&Value) -> Result<(), String>>,
}

impl Key {
    /// A key without example, secret, restart and check.
    pub const fn new(path: &'static str, kind: Kind, preset: Preset, doc: &'static str) -> Self {
        Self { path, kind, preset, example: "", doc, secret: false, restart: false, check: None }
    }

    /// Its last segment.
    pub fn name(&self) -> &'static str {
        self.path.rsplit_once('.').map_or(self.path, |(_, name)| name)
    }

    /// The path of its section.
    pub fn section(&self) -> &'static str {
        self.path.rsplit_once('.').map_or("", |(section, _)| section)
    }

    /// Whether a value may stand here.
    ///
    /// # Errors
    /// A fragment that says what was expected; it never repeats the value.
    pub fn examine(&self, value: &Value) -> Result<(), String> {
        if !self.kind.accepts(value) {
            return Err(format!("expected {}", self.kind));
        }
        self.check.map_or(Ok(()), |check| check(value))
    }
}

/// A table of the file.
#[derive(Clone, Copy, Debug)]
pub struct Section {
    /// `chat`, or `providers.*` where the owner chooses names.
    pub path: &'static str,
    /// What it is for, in lines of a comment.
    pub doc: &'static str,
    /// The name that the template shows in place of `*`.
    pub example: &'static str,
}

/// All sections and keys, in the order of the file.
#[derive(Clone, Copy, Debug)]
pub struct Schema {
    /// What stands at the top of the template, in lines of a comment.
    pub title: &'static str,
    /// The tables.
    pub sections: &'static [Section],
    /// The keys; each belongs to one of the sections.
    pub keys: &'static [Key],
    /// The lists of tables.
    pub rows: &'static [Rows],
}

impl Schema {
    /// The key that a path of a file means.
    pub fn key(&self, path: &str) -> Option<&'static Key> {
        self.keys.iter().find(|key| fits(key.path, path))
    }

    /// The list of tables that a path is, or is in: `hooks`, `hooks.1`, `hooks.name`.
    pub fn rows(&self, path: &str) -> Option<&'static Rows> {
        let first = path.split('.').next().unwrap_or(path);
        self.rows.iter().find(|rows| rows.path == first)
    }

    /// The section that a path of a file means.
    pub(crate) fn section(&self, path: &str) -> Option<&'static Section> {
        self.sections.iter().find(|section| fits(section.path, path))
    }

    /// Whether sections lie under this path.
    pub(crate) fn is_above_sections(&self, path: &str) -> bool {
        self.sections.iter().any(|section| {
            section.path.split('.').count() > path.split('.').count()
                && path.split('.').zip(section.path.split('.')).all(|(a, b)| a == b || b == "*")
        })
    }

    /// The keys of a section, in order.
    pub fn keys_of(&self, section: &str) -> impl Iterator<Item = &'static Key> {
        self.keys.iter().filter(move |key| key.section() == section)
    }

    /// The known key or section that a wrong path most likely meant.
    pub fn nearest(&self, path: &str) -> Option<String> {
        let candidates = self
            .keys
            .iter()
            .map(|key| key.path)
            .chain(self.sections.iter().map(|section| section.path))
            .chain(self.rows.iter().map(|rows| rows.path))
            .map(|known| with_names_of(known, path));
        let last = path.rsplit('.').next().unwrap_or(path);
        candidates
            .map(|known| {
                let whole = strsim::damerau_levenshtein(&known, path);
                // A key without its section, or in a wrong one, is a common slip.
                let moved = known.rsplit('.').next() == Some(last) && last.len() > 3;
                (if moved { whole.min(2) } else { whole }, known)
            })
            .filter(|(distance, known)| *distance <= (known.len() / 3).max(1))
            .min_by_key(|(distance, _)| *distance)
            .map(|(_, known)| known)
    }
}

/// Whether a concrete path is an instance of a path with `*`.
fn fits(pattern: &str, path: &str) -> bool {
    let (mut wanted, mut given) = (pattern.split('.'), path.split('.'));
    loop {
        match (wanted.next(), given.next()) {
            (None, None) => return true,
            (Some("*"), Some(name)) if is_name(name) => {}
            (Some(a), Some(b)) if a == b => {}
            _ => return false,
        }
    }
}

/// Whether the owner may choose this name for a table.
pub(crate) fn is_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 64
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

/// The pattern with `*` replaced by what stands there in `path`.
fn with_names_of(pattern: &str, path: &str) -> String {
    let mut given = path.split('.');
    let mut segments = Vec::new();
    for wanted in pattern.split('.') {
        let name = given.next();
        segments.push(if wanted == "*" { name.unwrap_or("NAME") } else { wanted });
    }
    segments.join(".")
}
