//! What a hook is said to be: the keys of a `HOOK.md` and of a `[[hooks]]` row, checked.
//!
//! It says nothing about whether the hook may run. The invariant: a [`HookSpec`] that came out of
//! [`HookSpec::read`] names only events that there are, has a command, and keeps every bound.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use moltis_core::hook::Point;
use toml::{Table, Value};

/// How long a hook may take when it does not say: the seed's figure.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(5);

/// The longest time that a hook may ask for.
const LONGEST: f64 = 300.0;

/// The longest name, command and other text, in bytes.
const MAX_NAME: usize = 64;
const MAX_TEXT: usize = 4096;

/// The most entries of a list or of `env`.
const MAX_ENTRIES: usize = 64;

const KEYS: [&str; 11] = [
    "name",
    "description",
    "emoji",
    "events",
    "command",
    "timeout",
    "priority",
    "env",
    "on_failure",
    "enabled",
    "requires",
];

/// A hook, as its file or its row in the configuration describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HookSpec {
    /// Its name: lower-case letters, digits, `-`, `_` and `.`, at most 64.
    pub name: String,
    /// What it does, for people.
    pub description: String,
    /// A sign to show beside its name; may be empty.
    pub emoji: String,
    /// When it is called.
    pub points: Vec<Point>,
    /// What `sh -c` is given.
    pub command: String,
    /// How long it may take.
    pub timeout: Duration,
    /// Higher ones are called first; those of one priority by name.
    pub priority: i64,
    /// What is added to its environment.
    pub env: Env,
    /// What its failure means where it has a say.
    pub on_failure: OnFailure,
    /// `enabled = false` in the configuration; a `HOOK.md` can't say it.
    pub enabled: bool,
    /// What it can't do without.
    pub requires: Requires,
}

/// Variables for a hook's environment. They often are secrets: printed without their values.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Env(pub BTreeMap<String, String>);

impl fmt::Debug for Env {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// What the failure of a hook means where it has a say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnFailure {
    /// It is passed over.
    #[default]
    Continue,
    /// It is a guard: what it would have judged is blocked.
    Block,
}

/// What a hook can't do without.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Requires {
    /// Operating systems, one of which must be this one: `linux`, `darwin` (or `macos`).
    pub os: Vec<String>,
    /// Programs that must be on the `PATH`.
    pub bins: Vec<String>,
    /// Variables that must be in the hook's `env` or in the daemon's environment, from where they
    /// are handed to the hook.
    pub env: Vec<String>,
}

impl HookSpec {
    /// Reads the keys of one hook, as TOML. `fallback` is its name if it does not say.
    ///
    /// # Errors
    /// A sentence for the owner: what is wrong and, for a name that there is not, the nearest one.
    pub fn read(text: &str, fallback: &str) -> Result<Self, String> {
        let table: Table = text
            .parse()
            .map_err(|error: toml::de::Error| format!("it is not TOML: {}", error.message()))?;
        Self::of(&table, fallback)
    }

    /// The same for keys that were read already.
    pub(crate) fn of(table: &Table, fallback: &str) -> Result<Self, String> {
        known(table, &KEYS, "key")?;
        let name = text(table, "name", MAX_NAME)?.unwrap_or_else(|| fallback.to_owned());
        check_name(&name)?;
        let command = text(table, "command", MAX_TEXT)?.ok_or("it has no `command`")?;
        if command.trim().is_empty() || command.contains('\0') {
            return Err("its `command` is empty".to_owned());
        }
        let points = points(&list(table, "events")?)?;
        let on_failure = on_failure(table, &points)?;
        Ok(Self {
            name,
            description: text(table, "description", MAX_TEXT)?.unwrap_or_default(),
            emoji: text(table, "emoji", MAX_NAME)?.unwrap_or_default(),
            points,
            command,
            timeout: timeout(table)?,
            priority: match table.get("priority") {
                None => 0,
                Some(Value::Integer(priority)) => *priority,
                Some(_) => return Err("`priority` is not a whole number".to_owned()),
            },
            env: env(table)?,
            on_failure,
            enabled: match table.get("enabled") {
                None => true,
                Some(Value::Boolean(enabled)) => *enabled,
                Some(_) => return Err("`enabled` is neither `true` nor `false`".to_owned()),
            },
            requires: requires(table)?,
        })
    }

    /// Whether it blocks when it can't judge.
    pub(crate) fn is_guard(&self) -> bool {
        self.on_failure == OnFailure::Block
    }
}

/// A name is a folder's name and part of file names: nothing else may hide in it.
fn check_name(name: &str) -> Result<(), String> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_.".contains(c);
    let begins = name.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit());
    if name.len() > MAX_NAME || !begins || !name.chars().all(plain) {
        let rule = "lower-case letters, digits, `-`, `_` and `.`, at most 64";
        return Err(format!("its name must be made of {rule}"));
    }
    Ok(())
}

/// Refuses a key that has no effect, and names the one that was probably meant.
fn known(table: &Table, keys: &[&str], what: &str) -> Result<(), String> {
    match table.keys().find(|key| !keys.contains(&key.as_str())) {
        None => Ok(()),
        Some(key) => Err(unknown(what, key, keys.iter().copied())),
    }
}

/// There is no such thing; the nearest one, if one is near.
pub(crate) fn unknown<'a>(what: &str, name: &str, names: impl Iterator<Item = &'a str>) -> String {
    let short: String = name.chars().take(MAX_NAME).collect();
    let shown = short.escape_debug();
    let lower = short.to_lowercase();
    let nearest = names
        .map(|known| (strsim::damerau_levenshtein(&known.to_lowercase(), &lower), known))
        .min()
        .filter(|(distance, known)| *distance <= 2.max(known.len() / 3));
    match nearest {
        Some((_, nearest)) => {
            format!("there is no {what} `{shown}`: did you mean `{nearest}`?")
        }
        None => format!("there is no {what} `{shown}`"),
    }
}

fn text(table: &Table, key: &str, most: usize) -> Result<Option<String>, String> {
    match table.get(key) {
        None => Ok(None),
        Some(Value::String(text)) if text.len() <= most => Ok(Some(text.clone())),
        Some(Value::String(_)) => Err(format!("`{key}` is longer than {most} bytes")),
        Some(_) => Err(format!("`{key}` is not a text")),
    }
}

fn list(table: &Table, key: &str) -> Result<Vec<String>, String> {
    let entries = match table.get(key) {
        None => return Ok(Vec::new()),
        Some(Value::Array(entries)) if entries.len() <= MAX_ENTRIES => entries,
        Some(Value::Array(_)) => {
            return Err(format!("`{key}` has more than {MAX_ENTRIES} entries"));
        }
        Some(_) => return Err(format!("`{key}` is not a list")),
    };
    let texts = entries.iter().map(|entry| match entry {
        Value::String(text) if text.len() <= MAX_TEXT => Ok(text.clone()),
        _ => Err(format!("`{key}` holds something that is not a short text")),
    });
    texts.collect()
}

fn points(names: &[String]) -> Result<Vec<Point>, String> {
    let mut points = Vec::new();
    for name in names {
        let Some(point) = Point::parse(name) else {
            return Err(unknown("event", name, Point::ALL.into_iter().map(Point::as_str)));
        };
        if !points.contains(&point) {
            points.push(point);
        }
    }
    if points.is_empty() {
        return Err("it has no `events`".to_owned());
    }
    Ok(points)
}

fn on_failure(table: &Table, points: &[Point]) -> Result<OnFailure, String> {
    match text(table, "on_failure", MAX_NAME)?.as_deref() {
        None | Some("continue") => Ok(OnFailure::Continue),
        Some("block") if points.iter().any(|point| point.has_a_say()) => Ok(OnFailure::Block),
        Some("block") => {
            Err("`on_failure = \"block\"`, but none of its events can be blocked".to_owned())
        }
        Some(_) => Err("`on_failure` is neither `continue` nor `block`".to_owned()),
    }
}

/// Seconds, whole or not.
fn timeout(table: &Table) -> Result<Duration, String> {
    let seconds = match table.get("timeout") {
        None => return Ok(TIMEOUT),
        // The range below makes every larger number an error anyway.
        Some(Value::Integer(seconds)) => i32::try_from(*seconds).map_or(f64::MAX, f64::from),
        Some(Value::Float(seconds)) => *seconds,
        Some(_) => return Err("`timeout` is not a number of seconds".to_owned()),
    };
    if seconds > 0.0 && seconds <= LONGEST {
        Ok(Duration::from_secs_f64(seconds))
    } else {
        Err(format!("`timeout` must be more than 0 and at most {LONGEST} seconds"))
    }
}

fn env(table: &Table) -> Result<Env, String> {
    let entries = match table.get("env") {
        None => return Ok(Env::default()),
        Some(Value::Table(entries)) if entries.len() <= MAX_ENTRIES => entries,
        Some(Value::Table(_)) => return Err(format!("`env` has more than {MAX_ENTRIES} entries")),
        Some(_) => return Err("`env` is not a table of texts".to_owned()),
    };
    let mut env = BTreeMap::new();
    for (name, value) in entries {
        variable(name)?;
        match value {
            Value::String(value) if value.len() <= MAX_TEXT && !value.contains('\0') => {
                env.insert(name.clone(), value.clone());
            }
            _ => return Err(format!("`env.{name}` is not a short text")),
        }
    }
    Ok(Env(env))
}

/// What the system takes for a variable's name; those of the protocol are not for the taking.
fn variable(name: &str) -> Result<(), String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let begins = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    if name.len() > 128 || !begins || !name.chars().all(plain) {
        return Err(format!("`{}` can't name a variable", name.escape_debug()));
    }
    if name.starts_with("MOLTIS_HOOK_") {
        return Err(format!("`{name}` is set by Moltis"));
    }
    Ok(())
}

fn requires(table: &Table) -> Result<Requires, String> {
    let table = match table.get("requires") {
        None => return Ok(Requires::default()),
        Some(Value::Table(table)) => table,
        Some(_) => return Err("`requires` is not a table".to_owned()),
    };
    known(table, &["os", "bins", "env"], "key of `requires`")?;
    let requires =
        Requires { os: list(table, "os")?, bins: list(table, "bins")?, env: list(table, "env")? };
    let systems = ["linux", "darwin", "macos"];
    if let Some(os) = requires.os.iter().find(|os| !systems.contains(&os.as_str())) {
        return Err(unknown("operating system", os, systems.into_iter()));
    }
    for name in &requires.env {
        variable(name)?;
    }
    if let Some(bin) = requires.bins.iter().find(|bin| bin.is_empty() || bin.contains(['/', '\0']))
    {
        return Err(format!("`{}` can't be a program's name", bin.escape_debug()));
    }
    Ok(requires)
}
