//! Patterns: the calls that the owner allowed, or forbade, beforehand.
//!
//! Not here: what is allowed without one ([`super::authorize`]). The invariant: a pattern for a
//! command covers no line whose first program is another than the one that it names, however the
//! line is spelled. What the named program can be made to do by its own arguments and by the files
//! that it finds (`git -c …`, `cargo test` and a build script) is covered, and contained by the
//! sandbox alone: whoever grants it is told so.

use crate::tool::{Action, Call};

/// Calls that the owner allowed, or forbade, beforehand: of this tool, with a subject that begins
/// with this. Written `exec: cargo test` or `web_fetch: https://docs.rs/`; `exec:` is all of them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Pattern {
    /// The tool; `*` is every tool.
    pub tool: String,
    /// What the subject begins with.
    pub prefix: String,
}

impl Pattern {
    /// The pattern that a line says.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(line: &str) -> Result<Self, String> {
        let Some((tool, prefix)) = line.split_once(':') else {
            return Err(format!("`{line}` has no colon: write `tool: beginning`, or `tool:`"));
        };
        let (tool, prefix) = (tool.trim(), prefix.trim());
        if tool.is_empty() || tool.contains(char::is_whitespace) {
            return Err(format!("`{line}` names no tool before its colon"));
        }
        Ok(Self { tool: tool.to_owned(), prefix: prefix.to_owned() })
    }

    /// The line that says it.
    pub fn line(&self) -> String {
        format!("{}: {}", self.tool, self.prefix).trim_end().to_owned()
    }

    /// Whether it allows this call. A command line that could do more than it begins with (one with
    /// `;`, `|`, `$`, …) is covered by nothing but a pattern for all commands or for exactly it; so
    /// is what is typed into a program, which means what that program makes of it.
    pub(super) fn allows(&self, call: &Call) -> bool {
        let subject = subject(&call.action);
        self.tool_fits(call)
            && (self.prefix.is_empty()
                || subject == self.prefix
                || (is_plain(&call.action) && begins(&call.action, &subject, &self.prefix)))
    }

    /// Whether it forbids this call: anywhere in a command line counts, whatever blanks, quotes and
    /// backslashes stand between. A net for accidents: a program that wants to can still spell it so
    /// that no comparison of words sees it (`sh x.sh`), and is held by the sandbox.
    pub(super) fn forbids(&self, call: &Call) -> bool {
        let subject = subject(&call.action);
        let found = match &call.action {
            Action::Run(_) => bare(&subject).contains(&bare(&self.prefix)),
            _ => subject.contains(&self.prefix),
        };
        self.tool_fits(call) && found
    }

    /// Whether it names where a call sends something: a host or a service, not only a scheme.
    pub(super) fn names_destination(&self, call: &Call) -> bool {
        let Action::Send(outbound) = &call.action else { return false };
        match self.prefix.split_once("://") {
            Some((_, place)) => !place.trim_matches('/').is_empty(),
            None => !self.prefix.is_empty() && self.prefix == outbound.to,
        }
    }

    fn tool_fits(&self, call: &Call) -> bool {
        self.tool == "*" || self.tool == call.tool
    }
}

/// What a pattern is compared with.
pub fn subject(action: &Action) -> String {
    match action {
        Action::Inward => String::new(),
        Action::Look(look) => look.path.clone(),
        Action::Change(change) => change.path.clone(),
        // What a shell takes for blanks, and no other: to it `git` with a no-break space after it
        // is another program.
        Action::Run(run) => run.command.trim_matches([' ', '\t', '\n']).to_owned(),
        Action::Send(outbound) => outbound.to.clone(),
        Action::Spawn { task } => task.clone(),
    }
}

/// Whether an action does no more than its subject's beginning says: only then can a pattern for a
/// beginning cover it.
pub fn is_plain(action: &Action) -> bool {
    match action {
        Action::Run(run) => {
            !run.typed
                && !run.command.contains([
                    ';', '|', '&', '$', '`', '(', ')', '<', '>', '{', '}', '\n', '\r', '\\', '\'',
                    '"', '*', '?', '[', '~', '#', '=', '\0',
                ])
        }
        Action::Look(_) | Action::Change(_) | Action::Send(_) => {
            !subject(action).split('/').any(|step| step == "..")
        }
        Action::Inward | Action::Spawn { .. } => true,
    }
}

/// Whether a subject begins with a prefix, at the end of a word, a path's step or a URL's host.
fn begins(action: &Action, subject: &str, prefix: &str) -> bool {
    let Some(rest) = subject.strip_prefix(prefix) else { return false };
    let ends: &[char] = match action {
        Action::Run(_) => &[' ', '\t'],
        Action::Look(_) | Action::Change(_) => &['/'],
        Action::Send(_) | Action::Inward | Action::Spawn { .. } => &['/', '?', '#'],
    };
    rest.is_empty() || prefix.ends_with(ends) || rest.starts_with(ends)
}

/// A command line without what a shell takes out of its words, and with one blank between them.
fn bare(command: &str) -> String {
    let unquoted: String =
        command.chars().filter(|letter| !matches!(letter, '\'' | '"' | '\\')).collect();
    unquoted.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
#[path = "pattern_tests.rs"]
mod tests;
