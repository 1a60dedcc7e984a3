//! `command-logger`: every command that a person gives becomes a line in `logs/commands.jsonl`.
//!
//! The invariants: a line is whole, and the file and the one before it hold [`MAX_BYTES`] each.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::{Arc, PoisonError};

use moltis_core::hook::Occasion;
use serde_json::{Value, json};
use tokio::task::spawn_blocking;

use super::{BuiltIns, fact, private_dirs, session};

/// The size at which `commands.jsonl` becomes `commands.jsonl.1`.
pub(super) const MAX_BYTES: u64 = 4 * 1024 * 1024;

/// The longest fact that is kept, in characters.
const MAX_FACT: usize = 1000;

pub(super) async fn call(built_ins: &BuiltIns, occasion: &Occasion) -> Result<(), String> {
    let short = |text: Option<&str>| match text {
        Some(text) => Value::from(text.chars().take(MAX_FACT).collect::<String>()),
        None => Value::Null,
    };
    let line = json!({
        "time": built_ins.env.now().to_string(),
        "session": short(session(occasion)),
        "action": short(fact(occasion, "action")),
        "sender_id": short(fact(occasion, "sender_id")),
        "workspace": occasion.workspace.as_ref().map(|path| path.display().to_string()),
    });
    let dir = built_ins.data_dir.join("logs");
    let appending = Arc::clone(&built_ins.appending);
    spawn_blocking(move || {
        let _turn = appending.lock().unwrap_or_else(PoisonError::into_inner);
        append(&dir, &format!("{line}\n"))
    })
    .await
    .map_err(|error| error.to_string())?
    .map_err(|error| format!("can't write the log of commands: {error}"))
}

fn append(dir: &Path, line: &str) -> io::Result<()> {
    private_dirs(dir)?;
    let path = dir.join("commands.jsonl");
    if fs::metadata(&path).is_ok_and(|about| about.len() + line.len() as u64 > MAX_BYTES) {
        fs::rename(&path, dir.join("commands.jsonl.1"))?;
    }
    let mut file = OpenOptions::new().append(true).create(true).mode(0o600).open(&path)?;
    file.write_all(line.as_bytes())
}
