//! `moltis sessions diff` and `undo`: what a turn changed in the workspace, and back again.

use moltis_proto::json::files as files_json;
use moltis_proto::v1::{DiffRequest, DiffResponse, UndoRequest};
use serde_json::{Value, json};

use super::context::Context;
use crate::client::{Client, Failure, call, op_id};
use crate::output::{Output, Tint};
use crate::widget::SafeText;

/// What a turn changed; an empty turn is the last one that changed something.
pub(super) async fn changed(
    client: &mut Client,
    session: &str,
    turn: String,
) -> Result<DiffResponse, Failure> {
    let request = DiffRequest { session: session.to_owned(), turn };
    client.caller.call(&call::DIFF, &request).await
}

/// What changed, for `--json`.
pub(super) fn changed_json(changed: &DiffResponse) -> Value {
    json!({ "turn": changed.turn, "files": files_json(&changed.files) })
}

/// Shows what a turn changed as a unified diff.
pub(super) async fn diff(
    context: &Context,
    client: &mut Client,
    session: &str,
    turn: String,
) -> Result<(), Failure> {
    let changed = changed(client, session, turn).await?;
    let output = &context.output;
    if output.json {
        let mut document = changed_json(&changed);
        document["text"] = json!(changed.text);
        return output.json(&document);
    }
    if !output.terminal {
        return output.raw(&changed.text);
    }
    let lines = changed.text.lines();
    let painted: String = lines.map(|line| format!("{}\n", painted(output, line))).collect();
    output.raw(&painted)
}

/// A line of a diff in color.
fn painted(output: &Output, line: &str) -> String {
    let safe = SafeText::one_line(line);
    match line.as_bytes() {
        [b'+', ..] => output.tint(&safe, Tint::Good),
        [b'-', ..] => output.tint(&safe, Tint::Bad),
        [b'@', ..] => output.dim(&safe),
        [b'd', b'i', b'f', b'f', ..] => output.bold(&safe),
        _ => safe.as_str().to_owned(),
    }
}

/// Undoes what a turn changed; says what was left alone, and why.
pub(super) async fn undo(
    context: &Context,
    client: &mut Client,
    session: &str,
    turn: String,
) -> Result<(), Failure> {
    let request = UndoRequest { op_id: op_id(), session: session.to_owned(), turn };
    let undone = client.caller.call(&call::UNDO, &request).await?;
    let output = &context.output;
    if output.json {
        return output.json(&json!({
            "turn": undone.turn,
            "files": files_json(&undone.files),
            "kept": undone.kept,
        }));
    }
    for file in &undone.files {
        output.line(&format!("{:8}  {}", file.kind, file.path))?;
    }
    if undone.files.is_empty() {
        output.note("nothing was put back");
    }
    for kept in &undone.kept {
        output.note(&format!("left alone: {kept}"));
    }
    Ok(())
}
