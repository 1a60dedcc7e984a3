//! What is wrong with a configuration, and where.

use std::fmt;
use std::path::PathBuf;

/// How bad a problem is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The configuration works, but probably not as meant.
    Warning,
    /// The configuration can't be used.
    Error,
}

/// Where a problem is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// In the file; lines and columns count from 1, columns in characters.
    File {
        /// The line.
        line: usize,
        /// The column.
        column: usize,
    },
    /// In an environment variable.
    Env(String),
    /// In a flag.
    Flag(String),
    /// In no one place.
    Whole,
}

/// Something wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// How bad.
    pub severity: Severity,
    /// The key or section that it is about; empty for none.
    pub key: String,
    /// Where.
    pub place: Place,
    /// What is wrong: a lower-case fragment; never a secret.
    pub message: String,
    /// What mends it.
    pub hint: Option<String>,
}

impl Problem {
    /// An error.
    pub fn error(key: impl Into<String>, place: Place, message: impl Into<String>) -> Self {
        let (key, message) = (key.into(), message.into());
        Self { severity: Severity::Error, key, place, message, hint: None }
    }

    /// A warning.
    pub fn warning(key: impl Into<String>, place: Place, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(key, place, message) }
    }

    /// The same problem with what mends it.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// One line for people: `moltis.toml:3:1: unknown key …`.
    pub fn line(&self, file: &std::path::Path) -> String {
        match &self.place {
            Place::File { line, column } => {
                format!("{}:{line}:{column}: {}", file.display(), self.message)
            }
            Place::Env(name) => format!("environment {name}: {}", self.message),
            Place::Flag(name) => format!("{name}: {}", self.message),
            Place::Whole => format!("{}: {}", PathBuf::from(file).display(), self.message),
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Warning => "warning",
            Self::Error => "error",
        })
    }
}
