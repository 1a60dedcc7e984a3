//! Titles that a model is asked for, beside the conversation and without holding it up.

use std::time::Duration;

use futures_util::StreamExt;
use moltis_agent::answer::priced;
use moltis_agent::title;
use moltis_core::event::{Cause, Ending, EventKind, Origin};
use moltis_core::message::{Role, Usage, text_of};
use moltis_core::models::Candidate;
use moltis_core::provider::{Chunk, Request};
use moltis_core::session::Titles;
use tokio::time::timeout;

use crate::actor::Actor;
use crate::budget::{Account, Paid};

/// How long a model may think about a title.
const LONGEST: Duration = Duration::from_secs(30);

/// Bytes of its answer that are looked at.
const MOST_BYTES: usize = 4 << 10;

impl Actor {
    /// Asks for a title after the first answer, once, if the session is called by its first line.
    pub(crate) fn ask_for_title(&mut self, candidate: Candidate, account: &Account) {
        let summary = &self.log.summary;
        if self.title_tried
            || self.shared.rules().titles != Titles::Model
            || summary.title_by_person
            || summary.last_ending != Some(Ending::Done)
        {
            return;
        }
        let Some(conversation) = self.log.conversation().filter(|known| !known.is_cut()) else {
            return;
        };
        let entries = conversation.entries();
        let said_by = |role| entries.iter().find(move |entry| entry.role == role);
        let (Some(question), Some(answer)) = (said_by(Role::User), said_by(Role::Assistant)) else {
            return;
        };
        let first_line = title::first_line(&question.parts).unwrap_or_default();
        if summary.title != first_line {
            return;
        }
        self.title_tried = true;
        let request = title::request(
            &candidate.info,
            &summary.id,
            &text_of(&question.parts),
            &text_of(&answer.parts),
        );
        // The first line will do where there is nothing left to pay for a better one.
        let Ok(mut paid) = account.pay_beside(&self.shared.rules().budget, &request) else {
            return;
        };
        self.chores.spawn(async move {
            let asked = timeout(LONGEST, ask(&candidate, request, &mut paid)).await;
            let (title, used) = asked.ok().flatten()?;
            Some((title, priced(&candidate.info, used)))
        });
    }

    /// Takes a model's title, unless a person was quicker.
    pub(crate) async fn title(&mut self, title: Option<(String, Usage)>) {
        let Some((title, usage)) = title else { return };
        if self.log.summary.title_by_person || self.log.summary.title == title {
            return;
        }
        let kind = EventKind::TitleChanged { title, automatic: true, usage };
        let event = self.log.event(None, Cause::Model, Origin::Tool, kind);
        if let Err(error) = self.log.commit(vec![event]).await {
            tracing::warn!(session = %self.log.session, %error, "failed to keep a title");
            self.retry_later();
        }
    }
}

async fn ask(candidate: &Candidate, request: Request, paid: &mut Paid) -> Option<(String, Usage)> {
    let stream = candidate.provider.stream(request).await;
    let mut stream = stream.inspect_err(|_| paid.refused()).ok()?;
    let (mut answer, mut usage) = (String::new(), Usage::default());
    while let Some(Ok(chunk)) = stream.next().await {
        paid.hear(&chunk);
        match chunk {
            Chunk::Text(text) if answer.len() + text.len() <= MOST_BYTES => answer.push_str(&text),
            Chunk::Usage(used) => usage = used,
            Chunk::Finished(_) => return Some((title::clean(&answer)?, usage)),
            _ => {}
        }
    }
    None
}
