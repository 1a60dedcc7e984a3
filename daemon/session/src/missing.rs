//! Telling a person which tools a session lacks, and why.
//!
//! Once per session, at the first turn that offers tools, and again only when something else is
//! missing. Not here: what is missing; that is the toolbox's. The invariant: the same text is not
//! told twice in a session, whatever the daemon has been through meanwhile.

use moltis_core::assistant::Page;
use moltis_core::error::Result;
use moltis_core::event::{EventKind, Level};

use crate::actor::Actor;
use crate::log::{Log, PAGE};

/// How what is missing is told of begins.
const MISSING: &str = "not there in this session: ";

impl Actor {
    /// Adds to the start of a turn what its tools lack, unless that was told.
    pub(crate) async fn tell_missing(&mut self, kinds: &mut Vec<EventKind>) {
        // Where no model is asked, none lacks anything.
        let starts = |kind: &EventKind| matches!(kind, EventKind::TurnStarted { model: Some(_) });
        // The person who is told is the one of the session that began this one.
        if !kinds.iter().any(starts) || self.log.summary.spawned.is_some() {
            return;
        }
        let Some(running) = self.running.as_ref().filter(|running| !running.tools.is_empty())
        else {
            return;
        };
        let text = told(self.shared.hands.toolbox.missing(&running.scene));
        if text.is_empty() || self.missing.as_ref() == Some(&text) {
            return;
        }
        if self.missing.is_none() {
            // This actor has told nothing; one before it may have.
            match self.log.told_missing().await {
                Ok(known) => self.missing = Some(known.unwrap_or_default()),
                Err(error) => {
                    tracing::debug!(session = %self.log.session, %error, "failed to read what was told");
                    return;
                }
            }
        }
        if self.missing.as_ref() != Some(&text) {
            let item = self.fresh_item();
            kinds.push(EventKind::Notice { item, level: Level::Info, text: text.clone() });
            self.missing = Some(text);
        }
    }
}

impl Log {
    /// What was last told to be missing.
    async fn told_missing(&self) -> Result<Option<String>> {
        let mut seq = u64::MAX;
        loop {
            let page = self.journal.read(&self.session, Page::Before { seq, limit: PAGE }).await?;
            let Some(first) = page.first() else { return Ok(None) };
            seq = first.seq;
            let told = page.into_iter().rev().find_map(|event| match event.kind {
                EventKind::Notice { text, .. } if text.starts_with(MISSING) => Some(text),
                _ => None,
            });
            if told.is_some() {
                return Ok(told);
            }
        }
    }
}

/// The tools that are missing by the reason for it; empty when none is.
fn told(missing: Vec<(String, String)>) -> String {
    let mut reasons: Vec<(String, Vec<String>)> = Vec::new();
    for (name, reason) in missing {
        match reasons.iter_mut().find(|(known, _)| *known == reason) {
            Some((_, names)) => names.push(name),
            None => reasons.push((reason, vec![name])),
        }
    }
    let line = |(reason, names): &(String, Vec<String>)| format!("{}: {reason}", names.join(", "));
    let lines: Vec<String> = reasons.iter().map(line).collect();
    if lines.is_empty() { String::new() } else { format!("{MISSING}{}", lines.join("; ")) }
}
