//! Questions whether a call may be made: found, shown whole, answered.
//!
//! The invariant: an answer echoes the digest of the question that was fetched, and what is shown of
//! a question is all that the digest covers. What a terminal would swallow is shown by its number.

use moltis_proto::v1::{AnswerRequest, AnswerResponse, Approval, ApprovalsRequest};
use serde_json::Value;

use crate::app::{COVERS, covers_programs};
use crate::client::{Client, EXIT_WAITING, Failure, call, op_id};
use crate::widget::is_allowed;

/// How much of a digest tells questions apart.
pub(super) const DIGEST: usize = 16;
/// The shortest beginning of a digest that is believed to mean one.
const SHORTEST: usize = 12;

/// A person's answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Choice {
    Once,
    Session,
    Always,
    No,
}

impl Choice {
    /// The one that was typed; `wide` where calls like it can be allowed too.
    pub(super) fn parse(line: &str, wide: bool) -> Option<Self> {
        match line.trim().to_lowercase().as_str() {
            "y" | "yes" => Some(Self::Once),
            "n" | "no" => Some(Self::No),
            "s" | "session" if wide => Some(Self::Session),
            "a" | "always" if wide => Some(Self::Always),
            _ => None,
        }
    }

    /// How far it reaches, for the wire.
    pub(super) fn reach(self) -> &'static str {
        match self {
            Self::Once | Self::No => "once",
            Self::Session => "session",
            Self::Always => "always",
        }
    }
}

/// The questions that wait, in one session or in all.
pub(super) async fn waiting(client: &mut Client, session: &str) -> Result<Vec<Approval>, Failure> {
    let request = ApprovalsRequest { session: session.to_owned() };
    Ok(client.caller.call(&call::APPROVALS, &request).await?.approvals)
}

/// The one question whose id begins so.
pub(super) async fn find(client: &mut Client, wanted: &str) -> Result<Approval, Failure> {
    let mut found = waiting(client, "").await?;
    found.retain(|question| question.id.starts_with(wanted));
    if let Some(exact) = found.iter().position(|question| question.id == wanted) {
        return Ok(found.swap_remove(exact));
    }
    let failure = match (found.pop(), found.is_empty()) {
        (Some(question), true) => return Ok(question),
        (Some(_), false) => {
            Failure::new("invalid", format!("several questions begin with `{wanted}`"))
        }
        (None, _) => {
            Failure::new("not_found", format!("no question that waits begins with `{wanted}`"))
        }
    };
    Err(failure.with_hint("moltis approvals"))
}

/// Refuses a question that is another one than the digest was taken of.
pub(super) fn check_digest(question: &Approval, digest: &str) -> Result<(), Failure> {
    let digest = digest.trim().to_ascii_lowercase();
    if digest.len() < SHORTEST || !digest.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(Failure::usage(format!("a digest is {SHORTEST} hex digits or more")));
    }
    if question.digest.starts_with(&digest) {
        return Ok(());
    }
    let known = beginning(&question.digest);
    let message = format!("this is another question: its digest begins with {known}");
    Err(Failure::new("conflict", message).with_hint("moltis approvals"))
}

/// Answers it.
pub(super) async fn answer(
    client: &mut Client,
    question: &Approval,
    choice: Choice,
    reason: String,
) -> Result<AnswerResponse, Failure> {
    let request = AnswerRequest {
        op_id: op_id(),
        approval: question.id.clone(),
        allow: choice != Choice::No,
        digest: question.digest.clone(),
        reach: choice.reach().to_owned(),
        reason,
        session: question.session.clone(),
    };
    client.caller.call(&call::ANSWER, &request).await
}

/// The beginning of a digest, as it is shown.
pub(super) fn beginning(digest: &str) -> &str {
    digest.get(..DIGEST).unwrap_or(digest)
}

/// What is asked, in a line.
pub(super) fn line(question: &Approval) -> String {
    format!("{} {}", question.tool, question.subject)
}

/// All of it, for a person who is to answer.
pub(super) fn text(question: &Approval) -> String {
    let mut text = format!("{}\n  {}\n", visible(&line(question)), visible(&question.reason));
    if question.tainted {
        text.push_str("  others than you had a say in what is asked\n");
    }
    for line in arguments(&question.arguments).lines() {
        text.push_str(&format!("    {line}\n"));
    }
    if !question.pattern.is_empty() {
        text.push_str(&format!("  calls like it: {}\n", visible(&question.pattern)));
        if covers_programs(question) {
            text.push_str(&format!("  {COVERS}\n"));
        }
    }
    text.push_str(&format!("  digest {}\n", beginning(&question.digest)));
    text
}

/// The arguments, laid out.
fn arguments(document: &str) -> String {
    let laid = serde_json::from_str::<Value>(document).ok();
    let laid = laid.and_then(|value| serde_json::to_string_pretty(&value).ok());
    visible(laid.as_deref().unwrap_or(document))
}

/// Characters that a terminal would obey or swallow are shown by their numbers: nobody approves what
/// can't be seen.
fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if is_allowed(c) {
            shown.push(c);
        } else {
            shown.push_str(&format!("\\u{{{:x}}}", c as u32));
        }
    }
    shown
}

/// Nobody is there to ask: which questions wait, and how they are answered.
pub(super) fn unanswered(questions: &[Approval]) -> Failure {
    let (message, hint) = match questions {
        [one] => {
            let hint = format!("moltis approve {} --digest {}", one.id, beginning(&one.digest));
            (format!("the turn waits for an approval: {}", line(one)), hint)
        }
        all => {
            let count = all.len();
            (format!("the turn waits for {count} approvals"), "moltis approvals".to_owned())
        }
    };
    Failure::new("waiting", message).with_hint(hint).with_exit(EXIT_WAITING)
}

#[cfg(test)]
#[path = "question_tests.rs"]
mod tests;
