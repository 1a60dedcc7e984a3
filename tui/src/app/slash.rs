//! Commands that are typed: `/new`, `/model openai/gpt-5`.
//!
//! A message is a command when its first word is `/` and letters. Anything else that begins with a
//! slash (a path, say) is a message, and so is a command after a space.
//!
//! What stands in the table is about this client's screen or has a pane of its own; every other
//! command is the daemon's, which tells what there is.

use moltis_proto::v1;

use crate::widget::SafeText;

/// A typed command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Slash {
    /// Its name, without the slash.
    pub(crate) name: &'static str,
    /// What may follow, as help shows it.
    pub(crate) argument: &'static str,
    /// What it does.
    pub(crate) help: &'static str,
    pub(super) verb: Verb,
}

impl Slash {
    /// The command as it is typed: `/model [PROVIDER/MODEL]`.
    pub(crate) fn call(&self) -> String {
        format!("/{} {}", self.name, self.argument).trim_end().to_owned()
    }

    /// Whether no key does the same.
    pub(super) fn has_no_key(&self) -> bool {
        use Verb as V;
        matches!(self.verb, V::Mode | V::Workspace | V::Sandbox | V::Revoke | V::Export)
    }
}

/// What a typed command does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verb {
    New,
    Sessions,
    Model,
    Rename,
    Fork,
    Compact,
    Context,
    Approvals,
    Diff,
    Undo,
    Mode,
    Workspace,
    Sandbox,
    Revoke,
    Usage,
    Stop,
    Sh,
    Export,
    Help,
    Quit,
}

const fn slash(
    name: &'static str,
    argument: &'static str,
    verb: Verb,
    help: &'static str,
) -> Slash {
    Slash { name, argument, help, verb }
}

/// All of them.
pub(crate) const TABLE: &[Slash] = &[
    slash("new", "[TITLE]", Verb::New, "begin a new session"),
    slash("sessions", "[WORDS]", Verb::Sessions, "list the sessions"),
    slash("model", "[PROVIDER/MODEL]", Verb::Model, "choose the model"),
    slash("rename", "[TITLE]", Verb::Rename, "rename this session"),
    slash("title", "[TITLE]", Verb::Rename, "rename this session"),
    slash("fork", "", Verb::Fork, "fork this session"),
    slash("compact", "", Verb::Compact, "put a summary in the place of what is old"),
    slash("context", "", Verb::Context, "show what the model is told"),
    slash("approvals", "", Verb::Approvals, "list the questions that wait for you"),
    slash("diff", "", Verb::Diff, "show what the last turn changed in the workspace"),
    slash("undo", "", Verb::Undo, "undo what the last turn changed in the workspace"),
    slash("mode", "[ask|on-miss|auto]", Verb::Mode, "what is done without asking"),
    slash("workspace", "[PATH|worktree]", Verb::Workspace, "where this session works"),
    slash("sandbox", "[network|mount]", Verb::Sandbox, "what programs can reach and see"),
    slash("revoke", "[PATTERN]", Verb::Revoke, "take back what was allowed for this session"),
    slash("usage", "", Verb::Usage, "show what is left of the limits"),
    slash("stop", "[all]", Verb::Stop, "stop the answer; `all`: the waiting messages too"),
    slash("sh", "[COMMAND|on|off]", Verb::Sh, "run a program in the sandbox; `on`: every line"),
    slash("export", "[FILE]", Verb::Export, "write this session into a Markdown file"),
    slash("help", "[NAME]", Verb::Help, "show the keys, or the help of a command"),
    slash("quit", "", Verb::Quit, "detach; the answer goes on"),
];

/// What a draft is, if it begins with a slash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Parsed<'a> {
    /// A command and what follows it.
    Command(Verb, &'a str),
    /// It looks like a command, and is none of this client's.
    Other(&'a str),
    /// A message.
    Message,
}

pub(super) fn parse(draft: &str) -> Parsed<'_> {
    let Some(rest) = draft.strip_prefix('/') else { return Parsed::Message };
    let (name, argument) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    if name.is_empty() || !name.chars().all(|c| c.is_ascii_lowercase()) {
        return Parsed::Message;
    }
    match TABLE.iter().find(|slash| slash.name == name) {
        Some(slash) => Parsed::Command(slash.verb, argument.trim()),
        None => Parsed::Other(name),
    }
}

/// A command as it is offered: this client's or the daemon's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Offered {
    /// Its name, without the slash.
    pub(crate) name: String,
    /// As it is typed: `/model [PROVIDER/MODEL]`.
    pub(crate) call: SafeText,
    /// What it does.
    pub(crate) help: SafeText,
    /// Whether something may follow.
    pub(super) takes: bool,
}

/// The commands of the daemon that are not in the table.
pub(super) fn daemons(commands: &[v1::CommandInfo]) -> impl Iterator<Item = Offered> {
    let own = |name: &str| TABLE.iter().any(|slash| slash.name == name);
    let named = |name: &str| !name.is_empty() && name.chars().all(|c| c.is_ascii_lowercase());
    commands.iter().filter(move |one| named(&one.name) && !own(&one.name)).map(|one| Offered {
        name: one.name.clone(),
        call: SafeText::one_line(format!("/{} {}", one.name, one.argument).trim_end()),
        help: SafeText::one_line(&one.help),
        takes: !one.argument.is_empty(),
    })
}

/// The commands that a draft may become, this client's first.
pub(crate) fn matching(draft: &str, commands: &[v1::CommandInfo]) -> Vec<Offered> {
    let Some(begun) = draft.strip_prefix('/') else { return Vec::new() };
    if !begun.chars().all(|c| c.is_ascii_lowercase()) {
        return Vec::new();
    }
    let own = TABLE.iter().map(|slash| Offered {
        name: slash.name.to_owned(),
        call: slash.call().into(),
        help: slash.help.into(),
        takes: !slash.argument.is_empty(),
    });
    own.chain(daemons(commands)).filter(|one| one.name.starts_with(begun)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_first_word_of_slash_and_letters_is_a_command() {
        assert_eq!(parse("/new a title "), Parsed::Command(Verb::New, "a title"));
        assert_eq!(parse("/quit"), Parsed::Command(Verb::Quit, ""));
        assert_eq!(parse("/nope x"), Parsed::Other("nope"));
    }

    #[test]
    fn a_path_and_a_command_after_a_space_are_messages() {
        for message in ["/usr/bin is full", "/", " /new", "/2", "say /new"] {
            assert_eq!(parse(message), Parsed::Message, "{message}");
        }
    }

    #[test]
    fn a_begun_command_offers_what_it_may_become() {
        let info = |name: &str| v1::CommandInfo { name: name.into(), ..Default::default() };
        let daemon = [info("clear"), info("stop"), info("Odd one")];
        let names = |draft| {
            let fits = matching(draft, &daemon);
            fits.into_iter().map(|one| one.name).collect::<Vec<_>>()
        };
        assert_eq!(names("/s"), ["sessions", "sandbox", "stop", "sh"]);
        assert_eq!(names("/c"), ["compact", "context", "clear"]);
        assert_eq!(names("/").len(), TABLE.len() + 1);
        assert!(names("/new x").is_empty() && names("new").is_empty());
    }
}
