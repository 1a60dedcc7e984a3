//! What `moltisd` itself does without running as a daemon: check and show its configuration, check
//! and restore its store.

use std::process::{Output, Stdio};

use serde_json::Value;
use tokio::process::Command;

use super::context::Context;
use super::daemon;
use crate::client::{Connector, Failure, daemon_program};

/// Runs `moltisd` with those words on the connector's directories and returns what it said.
pub(super) async fn run(connector: &Connector, words: &[&str]) -> Result<Output, Failure> {
    let program = daemon_program().map_err(|failure| Failure { exit: 1, ..failure })?;
    Command::new(&program)
        .arg("--config-dir")
        .arg(connector.config_dir())
        .arg("--data-dir")
        .arg(connector.data_dir())
        .args(words)
        .stdin(Stdio::null())
        .output()
        .await
        .map_err(|error| Failure::io(format!("cannot run `{}`", program.display()), &error))
}

/// Runs `moltisd` for an answer in JSON.
///
/// # Errors
/// Also when the answer is an error document.
pub(super) async fn json(connector: &Connector, words: &[&str]) -> Result<Value, Failure> {
    let ended = run(connector, words).await?;
    let text = String::from_utf8_lossy(&ended.stdout);
    let document: Option<Value> = serde_json::from_str(text.trim()).ok();
    match document {
        Some(document) if document.get("error").is_some() => Err(failure_of(&document["error"])),
        Some(document) => Ok(document),
        None => Err(complaint(&ended)),
    }
}

/// The same while no daemon runs; one that ran runs again afterwards, and whether is told.
pub(super) async fn json_while_stopped(
    context: &Context,
    words: &[&str],
) -> Result<(Value, bool), Failure> {
    let ran = daemon::stop(context).await?;
    let said = json(&context.connector, words).await;
    if ran {
        // It comes back whether that went well or not: a store that can't be changed stays.
        context.connector.start().await?;
    }
    Ok((said?, ran))
}

/// What `moltisd` complained of on its stderr.
pub(super) fn complaint(ended: &Output) -> Failure {
    let errors = String::from_utf8_lossy(&ended.stderr);
    let mut lines = errors.lines().filter(|line| !line.trim().is_empty());
    let first = lines.next().unwrap_or_default();
    let first = first.strip_prefix("moltisd: ").unwrap_or(first);
    let message = if first.is_empty() { ended.status.to_string() } else { first.to_owned() };
    let failure = Failure::new("failed", message);
    match lines.find_map(|line| line.strip_prefix("hint: ")) {
        Some(hint) => failure.with_hint(hint),
        None => failure,
    }
}

fn failure_of(error: &Value) -> Failure {
    let field = |name: &str| error[name].as_str().filter(|text| !text.is_empty());
    let code = field("code").unwrap_or("internal");
    let failure = Failure::new(code, field("message").unwrap_or("moltisd failed")).with_exit(1);
    match field("hint") {
        Some(hint) => failure.with_hint(hint),
        None => failure,
    }
}
