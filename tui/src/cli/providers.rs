//! `moltis providers`: who is asked, and with which key.

use clap::Subcommand;
use clap_complete::ArgValueCandidates;
use moltis_proto::v1::{
    AdoptRequest, DetectRequest, FoundServer, ListProvidersRequest, ListProvidersResponse,
    LoginRequest, LogoutRequest, Provider,
};
use serde_json::{Value, json};

use super::context::Context;
use super::shape::some;
use super::{complete, login};
use crate::client::{Client, Failure, call};
use crate::output::{Side, Table};

/// Words of `moltis providers`.
#[derive(Debug, Subcommand)]
pub(crate) enum ProvidersCommand {
    /// List the providers that are set up, or the kinds that can be
    List {
        /// The kinds that can be set up
        #[arg(long)]
        kinds: bool,
    },
    /// Store a key, read from the terminal or standard input; sets the provider up if it is new
    Login {
        /// Its name: what stands before the slash in `provider/model`
        #[arg(add = ArgValueCandidates::new(complete::providers))]
        name: String,
        /// Its kind [default: the one of that name]
        #[arg(long, add = ArgValueCandidates::new(complete::kinds))]
        kind: Option<String>,
        /// Where it is [default: the kind's own]
        #[arg(long, value_name = "URL")]
        base_url: Option<String>,
    },
    /// Forget a stored key
    Logout {
        /// Its name
        #[arg(add = ArgValueCandidates::new(complete::providers))]
        name: String,
    },
    /// Show how the providers are
    Status,
    /// Look for model servers on this machine: Ollama, LM Studio, llama-server
    Detect {
        /// Set up what was found
        #[arg(long)]
        adopt: bool,
    },
}

impl ProvidersCommand {
    /// What could not be done when this fails.
    pub(super) fn purpose(&self) -> &'static str {
        match self {
            Self::List { .. } => "cannot list the providers",
            Self::Login { .. } => "cannot log in",
            Self::Logout { .. } => "cannot log out",
            Self::Status => "cannot show the providers",
            Self::Detect { .. } => "cannot look for model servers",
        }
    }
}

/// Does what was asked.
pub(super) async fn run(context: &Context, command: ProvidersCommand) -> Result<(), Failure> {
    let mut client = context.connect().await?;
    let output = &context.output;
    match command {
        ProvidersCommand::List { kinds } => {
            let list = client.caller.call(&call::PROVIDERS, &ListProvidersRequest {}).await?;
            if kinds { show_kinds(context, &list) } else { show(context, &list.providers, false) }
        }
        ProvidersCommand::Status => {
            let list = client.caller.call(&call::PROVIDERS, &ListProvidersRequest {}).await?;
            show(context, &list.providers, true)
        }
        ProvidersCommand::Login { name, kind, base_url } => {
            log_in(context, client, name, kind, base_url).await
        }
        ProvidersCommand::Logout { name } => {
            let request = LogoutRequest { name: name.clone() };
            let removed = client.caller.call(&call::LOGOUT, &request).await?.removed;
            let line = if removed {
                format!("the key of {name} is forgotten")
            } else {
                format!("no key of {name} was stored")
            };
            output.either(&json!({ "name": name, "removed": removed }), &line)
        }
        ProvidersCommand::Detect { adopt } => detect(context, client, adopt).await,
    }
}

async fn log_in(
    context: &Context,
    mut client: Client,
    name: String,
    kind: Option<String>,
    base_url: Option<String>,
) -> Result<(), Failure> {
    let list = client.caller.call(&call::PROVIDERS, &ListProvidersRequest {}).await?;
    let known = list.providers.iter().find(|provider| provider.name == name);
    let effective = kind.as_deref().or(known.map(|known| known.kind.as_str())).unwrap_or(&name);
    let needs_key =
        list.kinds.iter().find(|kind| kind.name == effective).is_none_or(|k| k.needs_key);
    let key = match (needs_key, &base_url) {
        (false, _) => String::new(),
        // A server of one's own may want one, or not.
        (true, Some(_)) => login::secret(&format!("Key of {name} (empty for none)"))?,
        (true, None) => Some(login::secret(&format!("Key of {name}"))?)
            .filter(|key| !key.is_empty())
            .ok_or_else(|| Failure::usage("no key was given"))?,
    };
    let given = !key.is_empty();
    let request = LoginRequest {
        name: name.clone(),
        kind: kind.unwrap_or_default(),
        base_url: base_url.unwrap_or_default(),
        key,
    };
    client.caller.call(&call::LOGIN, &request).await?;
    let list = client.caller.call(&call::PROVIDERS, &ListProvidersRequest {}).await?.providers;
    let now = list.into_iter().find(|provider| provider.name == name).unwrap_or_default();
    let line = match now.key_source.as_str() {
        "vault" => format!("{name} is set up: the key is in the vault"),
        "none needed" => format!("{name} is set up: it needs no key"),
        source => format!("{name} is set up: its key is of {source}"),
    };
    let document = json!({ "name": name, "ready": now.ready, "key_source": now.key_source });
    context.output.either(&document, &line)?;
    if given && now.key_source != "vault" {
        context.output.note("the new key is stored, but that one wins over it");
    }
    Ok(())
}

async fn detect(context: &Context, mut client: Client, adopt: bool) -> Result<(), Failure> {
    let output = &context.output;
    let detect = client.caller.call(&call::DETECT, &DetectRequest {});
    let servers = output.taking("looking for servers", detect).await?.servers;
    if adopt {
        for server in &servers {
            let request = AdoptRequest { server: Some(server.clone()) };
            client.caller.call(&call::ADOPT, &request).await?;
        }
    }
    if output.json {
        let found = servers.iter().map(|server| found_json(server, adopt));
        return output.json(&Value::Array(found.collect()));
    }
    if servers.is_empty() {
        return output.line("no model server answers on its usual port");
    }
    for server in &servers {
        let FoundServer { kind, base_url, models } = server;
        output.line(&format!("{kind} at {base_url}: {} models", models.len()))?;
    }
    if !adopt {
        output.note("`moltis providers detect --adopt` sets them up");
    }
    Ok(())
}

fn found_json(server: &FoundServer, adopted: bool) -> Value {
    json!({
        "kind": server.kind,
        "base_url": server.base_url,
        "models": server.models,
        "adopted": adopted,
    })
}

fn show_kinds(context: &Context, list: &ListProvidersResponse) -> Result<(), Failure> {
    if context.output.json {
        let kinds =
            list.kinds.iter().map(|kind| json!({ "name": kind.name, "needs_key": kind.needs_key }));
        return context.output.json(&Value::Array(kinds.collect()));
    }
    let mut table = Table::new(&[("KIND", Side::Left), ("KEY", Side::Left)]);
    for kind in &list.kinds {
        table.row([&kind.name, if kind.needs_key { "needed" } else { "not needed" }]);
    }
    context.output.table(&table)
}

fn show(context: &Context, providers: &[Provider], detailed: bool) -> Result<(), Failure> {
    if context.output.json {
        return context.output.json(&Value::Array(providers.iter().map(provider_json).collect()));
    }
    if providers.is_empty() {
        context.output.note("no provider is set up; `moltis providers login NAME` sets one up");
        return Ok(());
    }
    context.output.table(&table(providers, detailed))
}

fn provider_json(provider: &Provider) -> Value {
    json!({
        "name": provider.name,
        "kind": provider.kind,
        "base_url": provider.base_url,
        "key_source": provider.key_source,
        "ready": provider.ready,
        "trouble": some(&provider.trouble),
    })
}

fn table(providers: &[Provider], detailed: bool) -> Table {
    let mut columns = vec![
        ("NAME", Side::Left),
        ("KIND", Side::Left),
        ("KEY", Side::Left),
        ("READY", Side::Left),
    ];
    if detailed {
        columns.extend([("URL", Side::Cut), ("TROUBLE", Side::Cut)]);
    }
    let mut table = Table::new(&columns);
    for provider in providers {
        // A row may have more cells than there are columns: the last ones are not shown.
        table.row([
            &provider.name,
            &provider.kind,
            &provider.key_source,
            if provider.ready { "yes" } else { "no" },
            &provider.base_url,
            &provider.trouble,
        ]);
    }
    table
}
