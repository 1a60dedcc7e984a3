//! `moltis config`: read and change the configuration.
//!
//! What the daemon knows best it is asked; the file itself, its check and its template work without
//! one, so that a broken file can be mended.

use std::path::{Path, PathBuf};

use clap::Subcommand;
use clap_complete::ArgValueCandidates;
use moltis_proto::v1::{ConfigValue, ReloadRequest, SetConfigRequest, ShowConfigRequest};
use serde_json::{Value, json};
use tokio::process::Command;

use super::context::{Context, is_interactive};
use super::{complete, offline};
use crate::client::{Client, Failure, call};
use crate::output::reported;

/// Words of `moltis config`.
#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Print where the file is
    Path,
    /// Show what holds
    Show {
        /// Say where each value comes from
        #[arg(long)]
        origin: bool,
    },
    /// Print one value
    Get {
        /// `section.key`
        #[arg(add = ArgValueCandidates::new(complete::config_keys))]
        key: String,
    },
    /// Change one value in the file, keeping comments and order
    Set {
        /// `section.key`
        #[arg(add = ArgValueCandidates::new(complete::config_keys))]
        key: String,
        /// As TOML; a bare word is a string
        #[arg(allow_hyphen_values = true)]
        value: String,
    },
    /// Open the file in $VISUAL or $EDITOR, check it, and take it into use
    Edit,
    /// Check the file
    Check,
    /// Print the complete, commented file
    Template,
}

impl ConfigCommand {
    /// What could not be done when this fails.
    pub(super) fn purpose(&self) -> &'static str {
        match self {
            Self::Path => "cannot say where the configuration is",
            Self::Show { .. } | Self::Get { .. } => "cannot show the configuration",
            Self::Set { .. } => "cannot change the configuration",
            Self::Edit => "cannot edit the configuration",
            Self::Check => "the configuration can't be used",
            Self::Template => "cannot print the template",
        }
    }
}

/// Does what was asked.
pub(super) async fn run(context: &Context, command: ConfigCommand) -> Result<(), Failure> {
    let output = &context.output;
    match command {
        ConfigCommand::Path => {
            let path = file(context);
            let path = path.display().to_string();
            output.either(&json!({ "path": path }), &path)
        }
        ConfigCommand::Show { origin } => show(context, origin).await,
        ConfigCommand::Get { key } => {
            let value = values(&mut context.connect().await?, &key).await?;
            let value = value.into_iter().find(|value| value.key == key).ok_or_else(|| {
                Failure::new("not_found", format!("there is no key `{key}`"))
                    .with_hint("moltis config show lists them")
            })?;
            match typed(&value) {
                Value::String(text) if !output.json => output.line(&text),
                _ => output.either(&value_json(&value), &value.value),
            }
        }
        ConfigCommand::Set { key, value } => {
            let mut client = context.connect().await?;
            let request = SetConfigRequest { key, value };
            let change = client.caller.call(&call::SET_CONFIG, &request).await?;
            changed(context, &change.holds.unwrap_or_default(), change.needs_restart)
        }
        ConfigCommand::Edit => edit(context).await,
        ConfigCommand::Check => check(context).await,
        ConfigCommand::Template => {
            let text = offline::template(&context.connector).await?;
            if output.json { output.json(&json!({ "text": text })) } else { output.raw(&text) }
        }
    }
}

fn file(context: &Context) -> PathBuf {
    context.connector.config_dir().join("moltis.toml")
}

/// One value, or all for an empty key.
async fn values(client: &mut Client, key: &str) -> Result<Vec<ConfigValue>, Failure> {
    let request = ShowConfigRequest { key: key.to_owned() };
    Ok(client.caller.call(&call::SHOW_CONFIG, &request).await?.values)
}

fn value_json(value: &ConfigValue) -> Value {
    json!({ "key": value.key, "value": typed(value), "origin": value.origin })
}

/// The value itself; its TOML when the daemon is older than this.
fn typed(value: &ConfigValue) -> Value {
    serde_json::from_str(&value.json).unwrap_or_else(|_| json!(value.value))
}

/// Says what holds after a change: that need not be what was written.
fn changed(context: &Context, holds: &ConfigValue, needs_restart: bool) -> Result<(), Failure> {
    let mut document = value_json(holds);
    document["needs_restart"] = json!(needs_restart);
    let line = format!("{} = {}", holds.key, holds.value);
    context.output.either(&document, &line)?;
    if holds.origin != "file" {
        let origin = &holds.origin;
        context
            .output
            .note(&format!("the file is changed, but this value is of {origin} and wins"));
    }
    if needs_restart {
        context.output.note("this holds after `moltis daemon restart`");
    }
    Ok(())
}

async fn show(context: &Context, origin: bool) -> Result<(), Failure> {
    let values = values(&mut context.connect().await?, "").await?;
    let output = &context.output;
    if output.json {
        return output.json(&Value::Array(values.iter().map(value_json).collect()));
    }
    let lines = values.iter().map(|value| format!("{} = {}", value.key, value.value));
    let lines: Vec<String> = lines.collect();
    let widest = lines.iter().map(String::len).filter(|length| *length < 60).max().unwrap_or(0);
    for (line, value) in lines.iter().zip(&values) {
        if origin {
            output.line(&format!("{line:widest$}  # {}", value.origin))?;
        } else {
            output.line(line)?;
        }
    }
    Ok(())
}

async fn check(context: &Context) -> Result<(), Failure> {
    let output = &context.output;
    let checked = offline::check_config(&context.connector).await?;
    let failure = checked.failure();
    if output.json {
        output.json(&checked.document)?;
        let purpose = ConfigCommand::Check.purpose();
        return failure.map_or(Ok(()), |failure| Err(reported(purpose, &failure)));
    }
    for problem in &checked.problems {
        output.line(&format!("{}: {}", problem.severity(), problem.line()))?;
        if let Some(hint) = problem.hint() {
            output.line(&format!("  hint: {hint}"))?;
        }
    }
    match failure {
        Some(failure) => Err(failure),
        None if checked.problems.is_empty() => {
            output.line(&format!("{}: all is well", file(context).display()))
        }
        None => Ok(()),
    }
}

async fn edit(context: &Context) -> Result<(), Failure> {
    if !is_interactive() {
        let failure = Failure::usage("standard input and output are not a terminal");
        return Err(failure.with_hint("moltis config set KEY VALUE"));
    }
    context.connector.is_own("moltis config edit")?;
    let path = file(context);
    if !path.exists() {
        write_new(&path, &offline::template(&context.connector).await?)?;
    }
    let editor = ["VISUAL", "EDITOR"]
        .iter()
        .find_map(|name| std::env::var(name).ok().filter(|value| !value.trim().is_empty()))
        .unwrap_or_else(|| "vi".to_owned());
    // An editor may come with words of its own: `code --wait`.
    let mut words = editor.split_whitespace();
    let program = words.next().unwrap_or("vi");
    let ended = Command::new(program)
        .args(words)
        .arg(&path)
        .status()
        .await
        .map_err(|error| Failure::io(format!("cannot run `{editor}`"), &error))?;
    if !ended.success() {
        return Err(Failure::new("cancelled", format!("`{editor}` ended with {ended}")));
    }
    let checked = offline::check_config(&context.connector).await?;
    if let Some(failure) = checked.failure() {
        return Err(failure);
    }
    for warning in &checked.problems {
        context.output.note(&warning.line());
    }
    let Some(mut client) = context.connector.running().await? else {
        return context.output.line("the file is in order");
    };
    let reload = client.caller.call(&call::RELOAD_CONFIG, &ReloadRequest {}).await?;
    match reload.needs_restart.as_slice() {
        [] => context.output.line("the file is in order and in use"),
        keys => {
            context.output.line("the file is in order and in use")?;
            let keys = keys.join(", ");
            context.output.note(&format!("after `moltis daemon restart` these hold too: {keys}"));
            Ok(())
        }
    }
}

fn write_new(path: &Path, text: &str) -> Result<(), Failure> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    let written = path.parent().map_or(Ok(()), std::fs::create_dir_all).and_then(|()| {
        let mut options = std::fs::File::options();
        options.write(true).create_new(true).mode(0o600).open(path)?.write_all(text.as_bytes())
    });
    written.map_err(|error| Failure::io(format!("cannot write `{}`", path.display()), &error))
}
