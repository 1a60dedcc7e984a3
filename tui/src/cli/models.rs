//! `moltis models`: which there are, which one is asked, and those that run on this machine.

use clap::Subcommand;
use clap_complete::ArgValueCandidates;
use moltis_proto::json::usd;
use moltis_proto::v1::{
    CatalogModel, CatalogRequest, ListModelsRequest, ListModelsResponse, Model, Price, PullRequest,
    RemoveModelRequest, SetDefaultRequest, Step, TestModelRequest,
};
use serde_json::{Value, json};

use super::complete;
use super::context::{Context, interrupts};
use super::shape::some;
use crate::client::{Client, EXIT_TURN, Failure, call};
use crate::output::{Side, Table, bytes, count};

/// Words of `moltis models`.
#[derive(Debug, Subcommand)]
pub(crate) enum ModelsCommand {
    /// List the models that can be asked, or those that can be pulled
    List {
        /// Ask the vendors anew instead of the cache
        #[arg(long)]
        refresh: bool,
        /// The models that can run on this machine
        #[arg(long, conflicts_with = "refresh")]
        catalog: bool,
    },
    /// Show or choose the model of sessions that name none
    Default {
        /// `provider/model`
        #[arg(add = ArgValueCandidates::new(complete::models))]
        model: Option<String>,
    },
    /// Bring a model onto this machine; Ctrl-C pauses, pulling again goes on
    Pull {
        /// A name of the catalog, or `file:PATH` of a GGUF file
        #[arg(add = ArgValueCandidates::new(complete::catalog))]
        name: String,
    },
    /// Remove a model from this machine
    Remove {
        /// Its name
        #[arg(add = ArgValueCandidates::new(complete::pulled))]
        name: String,
    },
    /// Ask a model for one word and show how long that takes
    Test {
        /// `provider/model`
        #[arg(add = ArgValueCandidates::new(complete::models))]
        model: String,
    },
}

impl ModelsCommand {
    /// What could not be done when this fails.
    pub(super) fn purpose(&self) -> &'static str {
        match self {
            Self::List { .. } => "cannot list the models",
            Self::Default { model: None } => "cannot show the default model",
            Self::Default { model: Some(_) } => "cannot choose the model",
            Self::Pull { .. } => "cannot pull the model",
            Self::Remove { .. } => "cannot remove the model",
            Self::Test { .. } => "the model does not work",
        }
    }
}

/// Does what was asked.
pub(super) async fn run(context: &Context, command: ModelsCommand) -> Result<(), Failure> {
    let mut client = context.connect().await?;
    let output = &context.output;
    match command {
        ModelsCommand::List { catalog: true, .. } => {
            let models = client.caller.call(&call::CATALOG, &CatalogRequest {}).await?.models;
            if output.json {
                return output.json(&Value::Array(models.iter().map(catalog_json).collect()));
            }
            output.table(&catalog_table(&models))
        }
        ModelsCommand::List { refresh, .. } => {
            let request = ListModelsRequest { refresh };
            let list = output
                .taking("asking the vendors", client.caller.call(&call::MODELS, &request))
                .await?;
            show_list(context, &list)
        }
        ModelsCommand::Default { model: None } => {
            let request = ListModelsRequest { refresh: false };
            let default = client.caller.call(&call::MODELS, &request).await?.default;
            if default.is_empty() && !output.json {
                return Err(Failure::new("not_configured", "there is none")
                    .with_hint("moltis models default MODEL"));
            }
            output.either(&json!({ "default": some(&default) }), &default)
        }
        ModelsCommand::Default { model: Some(model) } => {
            client
                .caller
                .call(&call::SET_DEFAULT, &SetDefaultRequest { model: model.clone() })
                .await?;
            output.either(&json!({ "default": model }), &format!("the default model is {model}"))
        }
        ModelsCommand::Pull { name } => pull(context, client, name).await,
        ModelsCommand::Remove { name } => {
            let request = RemoveModelRequest { name: name.clone() };
            client.caller.call(&call::REMOVE_MODEL, &request).await?;
            output.either(&json!({ "removed": name }), &format!("removed {name}"))
        }
        ModelsCommand::Test { model } => {
            let request = TestModelRequest { model: model.clone() };
            let test = client.caller.call(&call::TEST_MODEL, &request);
            let test = output.taking("waiting for the model", test).await?;
            let document = json!({
                "model": model,
                "text": test.text,
                "first_token_ms": test.first_token_ms,
                "total_ms": test.total_ms,
            });
            let line = format!(
                "{model} says \"{}\": first token after {} ms, all after {} ms",
                test.text.trim(),
                test.first_token_ms,
                test.total_ms
            );
            output.either(&document, &line)
        }
    }
}

fn show_list(context: &Context, list: &ListModelsResponse) -> Result<(), Failure> {
    let output = &context.output;
    if output.json {
        return output.json(&list_json(list));
    }
    for failure in &list.failures {
        output.note(&format!("{}: {}", failure.provider, failure.reason));
    }
    if list.models.is_empty() {
        output.note("there are no models; `moltis models list --catalog` shows what can be pulled");
        return Ok(());
    }
    output.table(&list_table(list))
}

fn list_json(list: &ListModelsResponse) -> Value {
    json!({
        "default": some(&list.default),
        "models": list.models.iter().map(model_json).collect::<Vec<_>>(),
        "failures": list.failures.iter().map(|failure| json!({
            "provider": failure.provider,
            "reason": failure.reason,
        })).collect::<Vec<_>>(),
    })
}

fn model_json(model: &Model) -> Value {
    json!({
        "id": model.id,
        "name": model.name,
        "context_window": Some(model.context_window).filter(|tokens| *tokens > 0),
        "output_limit": Some(model.output_limit).filter(|tokens| *tokens > 0),
        "images": model.images,
        "tools": model.tools,
        "reasoning": model.reasoning,
        "local": model.local,
        "usd_per_million_tokens": model.price.as_ref().map(|price| json!({
            "input": usd(price.input),
            "output": usd(price.output),
            "cache_read": usd(price.cache_read),
            "cache_write": usd(price.cache_write),
        })),
    })
}

fn list_table(list: &ListModelsResponse) -> Table {
    let mut table = Table::new(&[
        ("", Side::Left),
        ("MODEL", Side::Cut),
        ("CONTEXT", Side::Right),
        ("$/M IN", Side::Right),
        ("$/M OUT", Side::Right),
        ("CAN", Side::Left),
    ]);
    for model in &list.models {
        let price = |of: fn(&Price) -> u64| {
            model.price.as_ref().map_or_else(String::new, |price| format!("{:.2}", usd(of(price))))
        };
        let can: Vec<&str> = [
            (model.images, "images"),
            (model.tools, "tools"),
            (model.reasoning, "reasoning"),
            (model.local, "local"),
        ]
        .into_iter()
        .filter_map(|(holds, word)| holds.then_some(word))
        .collect();
        let context = Some(model.context_window).filter(|tokens| *tokens > 0);
        table.row([
            if model.id == list.default { "*" } else { "" },
            &model.id,
            &context.map_or_else(String::new, count),
            &price(|price| price.input),
            &price(|price| price.output),
            &can.join(" "),
        ]);
    }
    table
}

fn catalog_json(model: &CatalogModel) -> Value {
    json!({
        "name": model.name,
        "description": model.description,
        "bytes": model.bytes,
        "license": model.license,
        "context_window": model.context_window,
        "template": model.template,
        "installed": model.installed,
        "starter": model.starter,
    })
}

fn catalog_table(models: &[CatalogModel]) -> Table {
    let mut table = Table::new(&[
        ("NAME", Side::Left),
        ("SIZE", Side::Right),
        ("CONTEXT", Side::Right),
        ("LICENSE", Side::Left),
        ("HERE", Side::Left),
        ("WHAT", Side::Cut),
    ]);
    for model in models {
        let size = if model.bytes == 0 { String::new() } else { bytes(model.bytes) };
        table.row([
            &model.name,
            &size,
            &count(model.context_window),
            &model.license,
            if model.installed { "yes" } else { "" },
            &model.description,
        ]);
    }
    table
}

/// Pulls with a progress bar on stderr; with `--json`, a line for each step.
async fn pull(context: &Context, mut client: Client, name: String) -> Result<(), Failure> {
    let output = &context.output;
    let mut interrupt = interrupts()?;
    let name = absolute_file(&name)?;
    let request = PullRequest { name: name.clone() };
    let mut steps = tokio::select! {
        steps = client.models.pull(request) => steps?.into_inner(),
        _ = interrupt.recv() => return Err(paused(&name)),
    };
    let mut begun: Option<(std::time::Instant, u64)> = None;
    loop {
        let step = tokio::select! {
            step = steps.message() => step,
            _ = interrupt.recv() => {
                output.progress("");
                return Err(paused(&name));
            }
        };
        let step = step.inspect_err(|_| output.progress(""))?;
        let Some(step) = step else {
            output.progress("");
            return Err(Failure::unavailable("moltisd stopped before the model was here")
                .with_hint(format!("moltis models pull {name} goes on")));
        };
        if output.json {
            output.json(&step_json(&name, &step))?;
        } else {
            let (since, from) =
                *begun.get_or_insert_with(|| (std::time::Instant::now(), step.done));
            let rate =
                step.done.saturating_sub(from) as f64 / since.elapsed().as_secs_f64().max(0.1);
            output.progress(&bar(&step, rate));
        }
        if step.finished {
            output.progress("");
            let line = format!("{name} is on this machine");
            return if output.json { Ok(()) } else { output.line(&line) };
        }
    }
}

fn paused(name: &str) -> Failure {
    let hint = format!("moltis models pull {name} goes on");
    Failure::new("cancelled", "paused").with_hint(hint).with_exit(EXIT_TURN)
}

/// `file:PATH` with an absolute path: the daemon has another working directory.
fn absolute_file(name: &str) -> Result<String, Failure> {
    let Some(path) = name.strip_prefix("file:") else { return Ok(name.to_owned()) };
    let path = std::fs::canonicalize(path)
        .map_err(|error| Failure::io(format!("cannot read `{path}`"), &error))?;
    Ok(format!("file:{}", path.display()))
}

pub(super) fn step_json(name: &str, step: &Step) -> Value {
    json!({
        "type": if step.finished { "done" } else { "progress" },
        "name": name,
        "phase": step.phase,
        "done": step.done,
        "total": Some(step.total).filter(|total| *total > 0),
    })
}

/// Cells of the bar.
const BAR: u64 = 30;

pub(super) fn bar(step: &Step, bytes_per_second: f64) -> String {
    if step.total == 0 {
        return format!("{} {}", step.phase, bytes(step.done));
    }
    let done = step.done.min(step.total);
    let full = usize::try_from(done.saturating_mul(BAR) / step.total).unwrap_or_default();
    let empty = usize::try_from(BAR).unwrap_or_default() - full;
    let percent = done.saturating_mul(100) / step.total;
    let mut line = format!(
        "{} {}{} {percent:3} % of {}",
        step.phase,
        "█".repeat(full),
        "░".repeat(empty),
        bytes(step.total)
    );
    if bytes_per_second >= 1.0 && done < step.total {
        let (rate, left) =
            (bytes_per_second as u64, ((step.total - done) as f64 / bytes_per_second) as u64);
        line.push_str(&format!(", {}/s, {}:{:02} left", bytes(rate), left / 60, left % 60));
    }
    line
}

#[cfg(test)]
#[path = "models_tests.rs"]
mod tests;
