//! `moltis hooks`: programs that are told what happens, and what they may do.

use clap::{Args, Subcommand, ValueHint};
use clap_complete::ArgValueCandidates;
use moltis_proto::v1::{
    EnableHookRequest, Hook, ListHooksRequest, ReloadHooksRequest, TestHookRequest,
    TestHookResponse,
};
use serde_json::{Value, json};

use super::context::Context;
use super::shape::some;
use super::{complete, settings};
use crate::client::{Client, Failure, call};
use crate::output::{Side, Table};

/// Words of `moltis hooks`.
#[derive(Debug, Subcommand)]
pub(crate) enum HooksCommand {
    /// List hooks
    List {
        #[command(flatten)]
        place: Place,
        /// Only those that run
        #[arg(long)]
        eligible: bool,
    },
    /// Show all that is known of a hook
    Info(Named),
    /// Let a hook run, and trust what it is now
    Enable(Named),
    /// Let a hook run no more
    Disable(Named),
    /// Look for hooks again
    Reload,
    /// Call a hook with made-up facts, and show what it does
    Test {
        #[command(flatten)]
        named: Named,
        /// The event: `BeforeToolCall`, …
        #[arg(long, value_name = "EVENT")]
        event: String,
    },
}

/// Where hooks are looked for.
#[derive(Args, Debug)]
pub(crate) struct Place {
    /// Also the hooks of this directory
    #[arg(long, short, value_name = "DIR", default_value = "", hide_default_value = true, value_hint = ValueHint::DirPath)]
    workspace: String,
}

/// A hook.
#[derive(Args, Debug)]
pub(crate) struct Named {
    /// Its name
    #[arg(add = ArgValueCandidates::new(complete::hooks))]
    name: String,
    #[command(flatten)]
    place: Place,
}

impl HooksCommand {
    /// What could not be done when this fails.
    pub(super) fn purpose(&self) -> &'static str {
        match self {
            Self::List { .. } => "cannot list the hooks",
            Self::Info(_) => "cannot show the hook",
            Self::Enable(_) => "cannot enable the hook",
            Self::Disable(_) => "cannot disable the hook",
            Self::Reload => "cannot look for hooks",
            Self::Test { .. } => "cannot try the hook",
        }
    }
}

/// Does what was asked.
pub(super) async fn run(context: &Context, command: HooksCommand) -> Result<(), Failure> {
    let mut client = context.connect().await?;
    let output = &context.output;
    match command {
        HooksCommand::List { place, eligible } => {
            let mut hooks = all(&mut client, &place).await?;
            hooks.retain(|hook| hook.eligible || !eligible);
            list(context, &hooks)
        }
        HooksCommand::Info(named) => info(context, &find(&mut client, &named).await?),
        HooksCommand::Enable(named) => enable(context, &mut client, named, true).await,
        HooksCommand::Disable(named) => enable(context, &mut client, named, false).await,
        HooksCommand::Reload => {
            let hooks =
                client.caller.call(&call::RELOAD_HOOKS, &ReloadHooksRequest {}).await?.hooks;
            output.either(&json!({ "hooks": hooks }), &format!("{hooks} hooks"))
        }
        HooksCommand::Test { named, event } => {
            let workspace = settings::workspace(&named.place.workspace)?;
            let request = TestHookRequest { name: named.name.clone(), workspace, point: event };
            let test = client.caller.call(&call::TEST_HOOK, &request);
            let test = output.taking("waiting for the hook", test).await?;
            tested(context, &named.name, &test)
        }
    }
}

async fn all(client: &mut Client, place: &Place) -> Result<Vec<Hook>, Failure> {
    let request = ListHooksRequest { workspace: settings::workspace(&place.workspace)? };
    Ok(client.caller.call(&call::HOOKS, &request).await?.hooks)
}

async fn find(client: &mut Client, named: &Named) -> Result<Hook, Failure> {
    let found = all(client, &named.place).await?.into_iter().find(|hook| hook.name == named.name);
    found.ok_or_else(|| {
        Failure::new("not_found", format!("there is no hook `{}`", named.name))
            .with_hint("moltis hooks list")
    })
}

async fn enable(
    context: &Context,
    client: &mut Client,
    named: Named,
    on: bool,
) -> Result<(), Failure> {
    let workspace = settings::workspace(&named.place.workspace)?;
    let request = EnableHookRequest { name: named.name, workspace, on };
    let hook = client.caller.call(&call::ENABLE_HOOK, &request).await?;
    let line = if on {
        let Hook { name, command, source, .. } = &hook;
        format!("{name} is enabled, and trusted as it is now: {command} ({source})")
    } else {
        format!("{} is disabled", hook.name)
    };
    context.output.either(&hook_json(&hook), &line)?;
    if on && !hook.eligible && !context.output.json {
        context.output.note(&format!("it does not run yet: {}", hook.reason));
    }
    Ok(())
}

fn list(context: &Context, hooks: &[Hook]) -> Result<(), Failure> {
    let output = &context.output;
    if output.json {
        return output.json(&Value::Array(hooks.iter().map(hook_json).collect()));
    }
    if hooks.is_empty() {
        output.note("there are no hooks; --workspace DIR looks for those of a directory too");
        return Ok(());
    }
    let mut table = Table::new(&[
        ("HOOK", Side::Left),
        ("RUNS", Side::Left),
        ("EVENTS", Side::Cut),
        ("CALLS", Side::Right),
        ("FAILED", Side::Right),
        ("WHAT", Side::Cut),
    ]);
    for hook in hooks {
        table.row([
            &hook.name,
            if hook.eligible { "yes" } else { "no" },
            &hook.points.join(" "),
            &hook.calls.to_string(),
            &hook.failures.to_string(),
            if hook.reason.is_empty() { &hook.description } else { &hook.reason },
        ]);
    }
    output.table(&table)
}

fn info(context: &Context, hook: &Hook) -> Result<(), Failure> {
    let output = &context.output;
    if output.json {
        return output.json(&hook_json(hook));
    }
    let yes = |is: bool| if is { "yes" } else { "no" }.to_owned();
    let fields = [
        ("name", hook.name.clone()),
        ("what", hook.description.clone()),
        ("events", hook.points.join(" ")),
        ("command", hook.command.clone()),
        ("source", hook.source.clone()),
        ("priority", hook.priority.to_string()),
        ("enabled", yes(hook.enabled)),
        ("trusted", yes(hook.trusted)),
        ("runs", yes(hook.eligible)),
        ("why not", hook.reason.clone()),
        ("calls", format!("{}, {} failed", hook.calls, hook.failures)),
    ];
    for (name, value) in fields.iter().filter(|(_, value)| !value.is_empty()) {
        output.line(&format!("{name:8}  {value}"))?;
    }
    Ok(())
}

/// What a hook did; one that failed is a failure.
fn tested(context: &Context, name: &str, test: &TestHookResponse) -> Result<(), Failure> {
    let output = &context.output;
    if output.json {
        output.json(&json!({
            "hook": name,
            "input": test.input,
            "code": test.code,
            "stdout": test.stdout,
            "stderr": test.stderr,
            "verdict": test.verdict,
            "took_ms": test.took_ms,
        }))?;
    } else {
        let code = test.code.map_or("killed".to_owned(), |code| format!("exit {code}"));
        output.line(&format!("{}: {code} after {} ms", test.verdict, test.took_ms))?;
        for (what, text) in [("given", &test.input), ("out", &test.stdout), ("err", &test.stderr)] {
            for line in text.lines() {
                output.line(&format!("  {what:5}  {line}"))?;
            }
        }
    }
    // The verdict is said already, to scripts and to people.
    let failed = test.verdict.starts_with("failed");
    if failed { Err(Failure::silent(1)) } else { Ok(()) }
}

fn hook_json(hook: &Hook) -> Value {
    json!({
        "name": hook.name,
        "description": hook.description,
        "events": hook.points,
        "command": hook.command,
        "source": hook.source,
        "priority": hook.priority,
        "eligible": hook.eligible,
        "enabled": hook.enabled,
        "trusted": hook.trusted,
        "reason": some(&hook.reason),
        "calls": hook.calls,
        "failures": hook.failures,
    })
}
