//! The shell protocol: what a hook is told, and what its exit code and output mean.
//!
//! | exit code | standard output | meaning |
//! |---|---|---|
//! | 0 | nothing | go on |
//! | 0 | `{"action":"modify","data":{…}}` | the fact that may be changed is replaced by this one |
//! | 1 | | block; standard error is the reason |
//! | other, a signal, too late, too much, not this JSON | | failure |
//!
//! It runs nothing. The invariant: whatever a hook wrote, the facts keep their keys, and all but the
//! one that may be changed their values; that one keeps its type.

use moltis_core::hook::Point;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::process::{Ending, MAX_OUTPUT, Ran};
use crate::spec::unknown;

/// The longest reason, in bytes: a person reads it, and a model is told it.
const MAX_REASON: usize = 4096;

/// What a hook said.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// Go on.
    GoOn,
    /// Go on, with these facts.
    Changed(Value),
    /// Do not, for this reason.
    Block(String),
    /// Nothing that means something: why.
    Failed(String),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Said {
    action: String,
    #[serde(default)]
    data: Option<Value>,
}

/// What a hook is given: the facts and the event.
pub(crate) fn input(point: Point, facts: &Value) -> Result<Vec<u8>, String> {
    let Value::Object(facts) = facts else { return Err("the facts are no object".to_owned()) };
    let mut told = facts.clone();
    told.insert("event".to_owned(), Value::from(point.as_str()));
    let mut bytes = serde_json::to_vec(&told).map_err(|error| error.to_string())?;
    bytes.push(b'\n');
    Ok(bytes)
}

/// What a run means.
pub(crate) fn answer(ran: &Ran, point: Point, facts: &Value) -> Answer {
    match &ran.ending {
        Ending::Exited(code) => understand(*code, &ran.stdout, &ran.stderr, point, facts),
        Ending::Signalled(signal) => Answer::Failed(format!("it was ended by signal {signal}")),
        Ending::TimedOut => Answer::Failed(format!("it took longer than {:.1?}", ran.took)),
        Ending::TooMuch => {
            Answer::Failed(format!("it said more than {} MiB", MAX_OUTPUT / 1024 / 1024))
        }
        Ending::NotStarted(why) => Answer::Failed(format!("it did not start: {why}")),
    }
}

/// What a hook that ended by itself means with its code and its output.
pub fn understand(code: i32, stdout: &[u8], stderr: &[u8], point: Point, facts: &Value) -> Answer {
    match code {
        0 => modified(stdout, point, facts).unwrap_or_else(Answer::Failed),
        1 => Answer::Block(reason(stderr)),
        other => {
            let said = plain(stderr);
            let said = if said.is_empty() { said } else { format!(": {said}") };
            Answer::Failed(format!("it ended with code {other}{said}"))
        }
    }
}

fn modified(stdout: &[u8], point: Point, facts: &Value) -> Result<Answer, String> {
    if stdout.trim_ascii().is_empty() {
        return Ok(Answer::GoOn);
    }
    let said: Said = serde_json::from_slice(stdout)
        .map_err(|error| format!("its output is not the JSON of an action: {error}"))?;
    if said.action != "modify" {
        return Err(unknown("action", &said.action, ["modify"].into_iter()));
    }
    let Some(Value::Object(data)) = said.data else {
        return Err("its `data` is no object".to_owned());
    };
    changed(data, point, facts).map(Answer::Changed)
}

/// The facts with the one that the hook replaced. What it gives back as it was, or does not name,
/// stays as it is; a change that nobody would take over is refused.
fn changed(data: Map<String, Value>, point: Point, facts: &Value) -> Result<Value, String> {
    let Value::Object(old) = facts else { return Err("the facts are no object".to_owned()) };
    let mut new = old.clone();
    for (key, value) in data {
        if key == "event" && !old.contains_key("event") && value == point.as_str() {
            continue;
        }
        let Some(before) = old.get(&key) else {
            return Err(unknown("fact", &key, old.keys().map(String::as_str)));
        };
        if *before == value {
            continue;
        }
        match point.changeable() {
            None => return Err(format!("{} can't be changed, only blocked", point.as_str())),
            Some(one) if one != key => {
                return Err(format!("`{key}` can't be changed, only `{one}`"));
            }
            Some(_) => {}
        }
        let (was, is) = (kind(before), kind(&value));
        if was != is && was != "null" {
            return Err(format!("`{key}` is a {is}, and must be a {was}"));
        }
        new.insert(key, value);
    }
    Ok(Value::Object(new))
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "text",
        Value::Array(_) => "list",
        Value::Object(_) => "object",
    }
}

fn reason(stderr: &[u8]) -> String {
    let said = plain(stderr);
    if said.is_empty() { "it gave no reason".to_owned() } else { said }
}

/// Some bytes as words for people: bounded, and nothing in it that moves a terminal's cursor.
pub(crate) fn plain(bytes: &[u8]) -> String {
    let bytes = &bytes[..bytes.len().min(MAX_REASON)];
    let text = String::from_utf8_lossy(bytes);
    let shown = text.chars().filter(|c| "\n\t".contains(*c) || !(c.is_control() || turns(*c)));
    shown.collect::<String>().trim().to_owned()
}

/// Makes a terminal show what follows in another direction than it stands there.
fn turns(c: char) -> bool {
    matches!(c, '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
#[path = "protocol_tests.rs"]
mod tests;
