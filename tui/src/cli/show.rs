//! `moltis sessions show`: all that is known of a session.

use moltis_proto::json::origin;
use moltis_proto::v1::{DiffResponse, Session};
use serde_json::Value;

use super::acts::files;
use super::context::{Context, time};
use super::{changes, question, shape};
use crate::client::{Client, Failure};
use crate::output::dollars;

/// Shows a session, and what its last turn changed that changed something.
pub(super) async fn show(
    context: &Context,
    client: &mut Client,
    session: &Session,
) -> Result<(), Failure> {
    // Most sessions changed nothing, or nobody keeps what was there before: no reason to fail.
    let changed = changes::changed(client, &session.id, String::new()).await.ok();
    let output = &context.output;
    if output.json {
        let mut document = shape::session(session);
        document["changed"] = changed.as_ref().map_or(Value::Null, changes::changed_json);
        return output.json(&document);
    }
    for (name, value) in fields(session, changed.as_ref()) {
        if !value.is_empty() {
            output.line(&format!("{name:11}  {value}"))?;
        }
    }
    Ok(())
}

fn fields(session: &Session, changed: Option<&DiffResponse>) -> Vec<(&'static str, String)> {
    let usage = session.usage.unwrap_or_default();
    let settings = session.settings.clone().unwrap_or_default();
    let parent = format!("{} at {}", session.parent, session.parent_seq);
    let last = shape::ending(session.last_ending());
    let chosen = if settings.model.is_empty() { &session.last_model } else { &settings.model };
    let mut fields = vec![
        ("id", session.id.clone()),
        ("key", session.key.clone()),
        ("title", session.title.clone()),
        ("agent", session.agent.clone()),
        ("state", shape::state(session).to_owned()),
        ("model", chosen.clone()),
        ("works as", settings.preset),
        ("effort", settings.effort),
        ("workspace", settings.workspace),
        ("tree", settings.tree),
        ("approvals", settings.approvals),
        ("mount", settings.mount),
        ("network", settings.network),
        ("taint", taint(session)),
        ("created", format!("{:.0}", time(session.created_at))),
        ("changed", format!("{:.0}", time(session.updated_at))),
        ("messages", session.messages.to_string()),
        ("events", session.last_seq.to_string()),
        ("input", format!("{} tokens", usage.input_tokens)),
        ("output", format!("{} tokens", usage.output_tokens)),
        ("context", format!("{} tokens", session.context_tokens)),
        ("cost", dollars(usage.cost_microusd)),
        ("forked from", if session.parent.is_empty() { String::new() } else { parent }),
        ("last turn", last.as_str().unwrap_or_default().to_owned()),
        ("archived", if session.archived { "yes".to_owned() } else { String::new() }),
    ];
    if let Some(worktree) = &session.worktree {
        fields.push(("worktree", worktree.path.clone()));
        fields.push(("branch", format!("{} from {:.12}", worktree.branch, worktree.base)));
    }
    if let Some(spawned) = &session.spawned {
        fields.push(("spawned by", format!("{} (depth {})", spawned.parent, spawned.depth)));
    }
    for grant in &session.grants {
        fields.push(("allowed", grant.pattern.clone()));
    }
    for question in &session.pending {
        let line = question::line(question);
        fields.push(("waits for", format!("{line} (moltis approve {})", question.id)));
    }
    if let Some(changed) = changed {
        fields.push(("last change", files(&changed.files)));
    }
    fields
}

/// Who had a say in what was said in it, if others than the owner did.
fn taint(session: &Session) -> String {
    let taint = origin(session.taint());
    let taint = taint.as_str().filter(|taint| *taint != "owner").unwrap_or_default();
    match (taint, session.sensitive) {
        (taint, false) => taint.to_owned(),
        ("", true) => "sensitive".to_owned(),
        (taint, true) => format!("{taint}, sensitive"),
    }
}

#[cfg(test)]
#[path = "show_tests.rs"]
mod tests;
