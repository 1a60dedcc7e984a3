//! `moltis trust`: what is allowed without being asked, for a session or for good.

use clap::Subcommand;
use clap_complete::ArgValueCandidates;
use moltis_proto::v1::{
    ListSessionsRequest, RevokeRequest, Session, SetConfigRequest, ShowConfigRequest,
};
use serde_json::{Value, json};

use super::complete;
use super::context::{Context, find};
use crate::client::{Client, Failure, call, op_id};
use crate::output::{Side, Table};

/// Where what is allowed for good is written.
const KEY: &str = "approvals.allow";

/// Words of `moltis trust`.
#[derive(Debug, Subcommand)]
pub(crate) enum TrustCommand {
    /// List what is allowed without being asked
    List,
    /// Take back what is allowed, everywhere or in one session
    Revoke {
        /// The pattern, as it is listed: `tool: beginning`
        #[arg(add = ArgValueCandidates::new(complete::patterns))]
        pattern: String,
        /// Only in this session: key, id, beginning of an id, or title
        #[arg(long, short, value_name = "SESSION", add = ArgValueCandidates::new(complete::sessions))]
        session: Option<String>,
    },
}

impl TrustCommand {
    /// What could not be done when this fails.
    pub(super) fn purpose(&self) -> &'static str {
        match self {
            Self::List => "cannot list what is allowed",
            Self::Revoke { .. } => "cannot take it back",
        }
    }
}

/// Something that is allowed.
pub(super) struct Allowed {
    pub(super) pattern: String,
    /// For the rest of this session; `None` is for good, by the configuration.
    session: Option<Session>,
    /// It was given knowing that others had a say.
    tainted: bool,
}

impl Allowed {
    fn json(&self) -> Value {
        json!({
            "pattern": self.pattern,
            "where": if self.session.is_some() { "session" } else { "config" },
            "session": self.session.as_ref().map(|session| &session.id),
            "tainted": self.tainted,
        })
    }

    /// Where it holds, for people.
    fn place(&self) -> &str {
        match &self.session {
            None => "everywhere",
            Some(session) if session.key.is_empty() => &session.id,
            Some(session) => &session.key,
        }
    }
}

/// Does what was asked.
pub(super) async fn run(context: &Context, command: TrustCommand) -> Result<(), Failure> {
    let mut client = context.connect().await?;
    match command {
        TrustCommand::List => list(context, &mut client).await,
        TrustCommand::Revoke { pattern, session } => {
            revoke(context, &mut client, &pattern, session.as_deref()).await
        }
    }
}

async fn list(context: &Context, client: &mut Client) -> Result<(), Failure> {
    let all = allowed(client).await?;
    let output = &context.output;
    if output.json {
        return output.json(&Value::Array(all.iter().map(Allowed::json).collect()));
    }
    if all.is_empty() {
        output.note("nothing is allowed beforehand");
        return Ok(());
    }
    let mut table =
        Table::new(&[("PATTERN", Side::Cut), ("WHERE", Side::Left), ("TAINTED", Side::Left)]);
    for one in &all {
        table.row([&one.pattern, one.place(), if one.tainted { "yes" } else { "" }]);
    }
    output.table(&table)
}

/// All that is allowed: for good first, then session by session.
pub(super) async fn allowed(client: &mut Client) -> Result<Vec<Allowed>, Failure> {
    let configured = configured(client).await?.into_iter();
    let mut all: Vec<Allowed> =
        configured.map(|pattern| Allowed { pattern, session: None, tainted: false }).collect();
    let request = ListSessionsRequest { archived: true, limit: 0 };
    for mut session in client.caller.call(&call::SESSIONS, &request).await?.sessions {
        for grant in std::mem::take(&mut session.grants) {
            let session = Some(session.clone());
            all.push(Allowed { pattern: grant.pattern, session, tainted: grant.tainted });
        }
    }
    Ok(all)
}

/// What the configuration allows; a daemon whose configuration knows nothing of that allows nothing.
async fn configured(client: &mut Client) -> Result<Vec<String>, Failure> {
    let values =
        client.caller.call(&call::SHOW_CONFIG, &ShowConfigRequest::default()).await?.values;
    let value = values.into_iter().find(|value| value.key == KEY);
    Ok(value.and_then(|value| serde_json::from_str(&value.json).ok()).unwrap_or_default())
}

async fn revoke(
    context: &Context,
    client: &mut Client,
    pattern: &str,
    session: Option<&str>,
) -> Result<(), Failure> {
    let only = match session {
        Some(name) => Some(find(client, name).await?.id),
        None => None,
    };
    let mut found = allowed(client).await?;
    found.retain(|one| {
        let of = one.session.as_ref().map(|session| &session.id);
        one.pattern == pattern && (only.is_none() || of == only.as_ref())
    });
    if found.is_empty() {
        return Err(Failure::new("not_found", format!("nothing is allowed by `{pattern}`"))
            .with_hint("moltis trust list"));
    }
    let output = &context.output;
    for one in &found {
        match &one.session {
            Some(session) => {
                let (op_id, session) = (op_id(), session.id.clone());
                let request = RevokeRequest { op_id, session, pattern: pattern.to_owned() };
                client.caller.call(&call::REVOKE, &request).await?;
            }
            None => forget(context, client, pattern).await?,
        }
        if !output.json {
            output.line(&format!("{pattern} is not allowed any more: {}", one.place()))?;
        }
    }
    if output.json {
        let all: Vec<Value> = found.iter().map(Allowed::json).collect();
        return output.json(&json!({ "revoked": all }));
    }
    Ok(())
}

/// Writes the configuration without it.
async fn forget(context: &Context, client: &mut Client, pattern: &str) -> Result<(), Failure> {
    let mut left = configured(client).await?;
    left.retain(|one| one != pattern);
    // A list of strings is the same in TOML and in JSON.
    let request = SetConfigRequest { key: KEY.to_owned(), value: json!(left).to_string() };
    let holds = client.caller.call(&call::SET_CONFIG, &request).await?.holds.unwrap_or_default();
    if !holds.json.is_empty() && holds.json.contains(&json!(pattern).to_string()) {
        let message = format!("the file is changed, but `{KEY}` of {} wins", holds.origin);
        return Err(Failure::new("conflict", message));
    }
    if !context.output.json && holds.origin != "file" {
        context.output.note(&format!("`{KEY}` is of {}", holds.origin));
    }
    Ok(())
}
