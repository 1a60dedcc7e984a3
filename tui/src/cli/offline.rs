//! What `moltisd` itself does without running as a daemon: check and show its configuration, check
//! and restore its store.

use std::process::{Output, Stdio};

use serde::Deserialize;
use serde_json::Value;
use tokio::process::Command;

use super::context::Context;
use super::daemon;
use crate::client::{Connector, Failure, daemon_program};

/// Runs `moltisd` with those words on the connector's directories and returns what it said.
async fn run(connector: &Connector, words: &[&str]) -> Result<Output, Failure> {
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
    what: &str,
    words: &[&str],
) -> Result<(Value, bool), Failure> {
    let ran = daemon::stop(context).await?;
    let said = context.output.taking(what, json(&context.connector, words)).await;
    if ran {
        // It comes back whether that went well or not: a store that can't be changed stays.
        context.connector.start().await?;
    }
    Ok((said?, ran))
}

/// The complete, commented configuration file.
pub(super) async fn template(connector: &Connector) -> Result<String, Failure> {
    let ended = run(connector, &["--config-template"]).await?;
    if !ended.status.success() {
        return Err(complaint(&ended));
    }
    Ok(String::from_utf8_lossy(&ended.stdout).into_owned())
}

/// What `moltisd` found in the configuration.
pub(super) struct Checked {
    /// As it told it.
    pub(super) document: Value,
    pub(super) problems: Vec<Problem>,
}

/// Something wrong or questionable.
#[derive(Debug, Deserialize)]
pub(super) struct Problem {
    severity: String,
    place: String,
    message: String,
    hint: Option<String>,
}

/// Lets `moltisd` check the configuration.
///
/// # Errors
/// When it can't be checked; what is wrong with it is no failure of this.
pub(super) async fn check_config(connector: &Connector) -> Result<Checked, Failure> {
    let document = json(connector, &["--check-config", "--json"]).await?;
    let problems = Vec::<Problem>::deserialize(&document["problems"])
        .map_err(|error| Failure::new("internal", format!("moltisd's answer: {error}")))?;
    Ok(Checked { document, problems })
}

impl Checked {
    /// The first error, if the configuration can't be used.
    pub(super) fn failure(&self) -> Option<Failure> {
        let error = self.problems.iter().find(|problem| problem.is_error())?;
        let failure = Failure::new("invalid", error.line());
        Some(failure.with_hint(error.hint.as_deref().unwrap_or("moltis config edit")))
    }
}

impl Problem {
    /// Whether the configuration can't be used because of it.
    pub(super) fn is_error(&self) -> bool {
        self.severity == "error"
    }

    /// How bad it is, for people.
    pub(super) fn severity(&self) -> &str {
        &self.severity
    }

    /// Where it is, and what.
    pub(super) fn line(&self) -> String {
        format!("{}: {}", self.place, self.message)
    }

    /// What mends it.
    pub(super) fn hint(&self) -> Option<&str> {
        self.hint.as_deref()
    }
}

/// What `moltisd` complained of on its stderr.
fn complaint(ended: &Output) -> Failure {
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
