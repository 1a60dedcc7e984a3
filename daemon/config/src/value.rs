//! Values of keys and what a key expects of them.

use std::fmt;

use toml_edit::{Array, Value as Toml};

/// What a key holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// A string.
    Text(String),
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Integer(i64),
    /// A list of strings.
    List(Vec<String>),
}

/// What a key expects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Any string.
    Text,
    /// `true` or `false`.
    Bool,
    /// A whole number within bounds, both included.
    Integer {
        /// The smallest.
        min: i64,
        /// The largest.
        max: i64,
    },
    /// One of these strings.
    Choice(&'static [&'static str]),
    /// A list of strings.
    List,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text => f.write_str("a string"),
            Self::Bool => f.write_str("true or false"),
            Self::Integer { min, max: i64::MAX } => write!(f, "a whole number from {min} up"),
            Self::Integer { min, max } => write!(f, "a whole number from {min} to {max}"),
            Self::Choice(names) => write!(f, "one of {}", names.join(", ")),
            Self::List => f.write_str("a list of strings"),
        }
    }
}

impl Kind {
    /// Reads what a person typed or an environment variable holds: TOML, or for strings and lists
    /// also the bare text (lists separated by commas).
    ///
    /// # Errors
    /// A fragment that says what was expected; it never repeats the text.
    pub fn parse(self, text: &str) -> Result<Value, String> {
        let literal = text.trim().parse::<Toml>().ok();
        let value = match self {
            Self::Bool | Self::Integer { .. } => literal.as_ref().and_then(Value::of_toml),
            Self::Text | Self::Choice(_) => match literal {
                Some(Toml::String(quoted)) => Some(Value::Text(quoted.into_value())),
                _ => Some(Value::Text(text.to_owned())),
            },
            Self::List => match literal {
                Some(list @ Toml::Array(_)) => Value::of_toml(&list),
                Some(Toml::String(quoted)) => Some(Value::List(vec![quoted.into_value()])),
                _ => Some(Value::List(by_comma(text))),
            },
        };
        value.filter(|value| self.accepts(value)).ok_or_else(|| format!("expected {self}"))
    }

    /// Whether a value is what the key expects.
    pub fn accepts(self, value: &Value) -> bool {
        match (self, value) {
            (Self::Text, Value::Text(_))
            | (Self::Bool, Value::Bool(_))
            | (Self::List, Value::List(_)) => true,
            (Self::Integer { min, max }, Value::Integer(number)) => (min..=max).contains(number),
            (Self::Choice(names), Value::Text(text)) => names.contains(&text.as_str()),
            _ => false,
        }
    }
}

fn by_comma(text: &str) -> Vec<String> {
    text.split(',').map(str::trim).filter(|piece| !piece.is_empty()).map(str::to_owned).collect()
}

impl Value {
    /// The value that a piece of TOML stands for, if it is one that a key can hold.
    pub(crate) fn of_toml(toml: &Toml) -> Option<Self> {
        match toml {
            Toml::String(text) => Some(Self::Text(text.value().clone())),
            Toml::Integer(number) => Some(Self::Integer(*number.value())),
            Toml::Boolean(flag) => Some(Self::Bool(*flag.value())),
            Toml::Array(items) => items
                .iter()
                .map(|item| item.as_str().map(str::to_owned))
                .collect::<Option<Vec<_>>>()
                .map(Self::List),
            Toml::Float(_) | Toml::Datetime(_) | Toml::InlineTable(_) => None,
        }
    }

    /// The value as TOML.
    pub(crate) fn to_toml(&self) -> Toml {
        match self {
            Self::Text(text) => text.as_str().into(),
            Self::Bool(flag) => (*flag).into(),
            Self::Integer(number) => (*number).into(),
            Self::List(items) => Toml::Array(items.iter().map(String::as_str).collect::<Array>()),
        }
    }

    /// Whether it is an empty string or list.
    pub fn is_empty(&self) -> bool {
        match self {
            Self::Text(text) => text.is_empty(),
            Self::List(items) => items.is_empty(),
            Self::Bool(_) | Self::Integer(_) => false,
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.to_toml().to_string().trim())
    }
}
