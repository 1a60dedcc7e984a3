//! `moltis sandbox`: the place where programs run that a model wants run, and its images.

use clap::Subcommand;
use clap_complete::ArgValueCandidates;
use jiff::Timestamp;
use moltis_proto::v1::{
    BuildImageRequest, ListImagesRequest, RemoveImagesRequest, SandboxImage, SandboxProbeRequest,
    SandboxStatus, SandboxStatusRequest,
};
use serde_json::{Value, json};

use super::complete;
use super::context::{Context, interrupts, time};
use super::models::{bar, step_json};
use super::shape::{at, some};
use super::variables::{self, EnvCommand};
use crate::client::{Client, EXIT_TURN, Failure, call};
use crate::output::{Side, Table, ago, bytes};

/// Words of `moltis sandbox`.
#[derive(Debug, Subcommand)]
pub(crate) enum SandboxCommand {
    /// Show which sandbox there is, and what it lacks
    Status {
        /// Look again, and prove that it contains what runs in it
        #[arg(long)]
        probe: bool,
    },
    /// List the images that moltis made
    List,
    /// Make the image that the configuration asks for
    Build,
    /// Remove all images but the one that is in use
    Clean,
    /// Remove an image
    Remove {
        /// Its tag
        #[arg(add = ArgValueCandidates::new(complete::images))]
        tag: String,
    },
    /// Look after the variables that programs find in their environment
    #[command(subcommand)]
    Env(EnvCommand),
}

impl SandboxCommand {
    /// What could not be done when this fails.
    pub(super) fn purpose(&self) -> &'static str {
        match self {
            Self::Status { .. } => "cannot show the sandbox",
            Self::List => "cannot list the images",
            Self::Build => "cannot make the image",
            Self::Clean | Self::Remove { .. } => "cannot remove images",
            Self::Env(command) => command.purpose(),
        }
    }
}

/// Does what was asked.
pub(super) async fn run(context: &Context, command: SandboxCommand) -> Result<(), Failure> {
    let command = match command {
        SandboxCommand::Env(command) => return variables::run(context, command).await,
        other => other,
    };
    let mut client = context.connect().await?;
    match command {
        SandboxCommand::Env(_) => Ok(()),
        SandboxCommand::Status { probe } => {
            let status = if probe {
                let probing = client.caller.call(&call::PROBE, &SandboxProbeRequest {});
                context.output.taking("proving the sandbox", probing).await?
            } else {
                client.caller.call(&call::SANDBOX, &SandboxStatusRequest {}).await?
            };
            show(context, &status)
        }
        SandboxCommand::List => {
            let images = client.caller.call(&call::IMAGES, &ListImagesRequest {}).await?.images;
            list(context, &images)
        }
        SandboxCommand::Build => build(context, client).await,
        SandboxCommand::Clean => remove(context, client, String::new()).await,
        SandboxCommand::Remove { tag } => remove(context, client, tag).await,
    }
}

fn show(context: &Context, status: &SandboxStatus) -> Result<(), Failure> {
    let output = &context.output;
    if output.json {
        return output.json(&json!({
            "backend": some(&status.backend),
            "detail": status.detail,
            "hint": some(&status.hint),
            "lacks": status.lacks,
            "image": some(&status.image),
            "image_ready": status.image_ready,
            "running": status.running,
            "hosts": status.hosts,
        }));
    }
    let backend = if status.backend.is_empty() { "none" } else { &status.backend };
    output.line(&format!("backend  {backend}: {}", status.detail))?;
    for lack in &status.lacks {
        output.line(&format!("lacks    {lack}"))?;
    }
    if !status.image.is_empty() {
        let built = if status.image_ready { "" } else { " (not built yet)" };
        output.line(&format!("image    {}{built}", status.image))?;
    }
    if !status.hosts.is_empty() {
        output.line(&format!("listed   {}", status.hosts.join(", ")))?;
    }
    if !status.backend.is_empty() {
        output.line(&format!("running  {}", status.running))?;
    }
    if !status.hint.is_empty() {
        output.line(&format!("hint: {}", status.hint))?;
    }
    Ok(())
}

fn list(context: &Context, images: &[SandboxImage]) -> Result<(), Failure> {
    let output = &context.output;
    if output.json {
        let image = |image: &SandboxImage| {
            json!({
                "tag": image.tag,
                "created_at": at(image.created),
                "bytes": image.size,
                "current": image.current,
            })
        };
        return output.json(&images.iter().map(image).collect());
    }
    if images.is_empty() {
        output.note("moltis has made no image yet");
        return Ok(());
    }
    let mut table = Table::new(&[
        ("IMAGE", Side::Left),
        ("MADE", Side::Left),
        ("SIZE", Side::Right),
        ("IN USE", Side::Left),
    ]);
    let now = Timestamp::now();
    for image in images {
        table.row([
            &image.tag,
            &ago(time(image.created), now),
            &bytes(image.size),
            if image.current { "yes" } else { "" },
        ]);
    }
    output.table(&table)
}

/// Builds with its steps on stderr; with `--json`, a line for each.
async fn build(context: &Context, mut client: Client) -> Result<(), Failure> {
    const NAME: &str = "sandbox";
    let output = &context.output;
    let mut interrupt = interrupts()?;
    let cancelled = || Failure::new("cancelled", "stopped").with_exit(EXIT_TURN);
    let mut steps = tokio::select! {
        steps = client.sandbox.build(BuildImageRequest {}) => steps?.into_inner(),
        _ = interrupt.recv() => return Err(cancelled()),
    };
    loop {
        let step = tokio::select! {
            step = steps.message() => step,
            _ = interrupt.recv() => {
                output.progress("");
                return Err(cancelled());
            }
        };
        let Some(step) = step.inspect_err(|_| output.progress(""))? else {
            output.progress("");
            let failure = Failure::unavailable("moltisd stopped before the image was made");
            return Err(failure.with_hint("moltis sandbox build"));
        };
        if output.json {
            output.json(&step_json(NAME, &step))?;
        } else {
            output.progress(&bar(&step, 0.0));
        }
        if step.finished {
            output.progress("");
            return if output.json { Ok(()) } else { output.line("the image is made") };
        }
    }
}

async fn remove(context: &Context, mut client: Client, tag: String) -> Result<(), Failure> {
    let request = RemoveImagesRequest { tag };
    let removed = client.caller.call(&call::REMOVE_IMAGES, &request).await?.removed;
    let output = &context.output;
    if output.json {
        return output.json(&json!({ "removed": Value::from(removed) }));
    }
    if removed.is_empty() {
        output.note("there was nothing to remove");
    }
    removed.iter().try_for_each(|tag| output.line(&format!("removed {tag}")))
}
