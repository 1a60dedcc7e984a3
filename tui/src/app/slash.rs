//! Commands that are typed: `/new`, `/model openai/gpt-5`.
//!
//! A message is a command when its first word is `/` and letters. Anything else that begins with a
//! slash (a path, say) is a message, and so is a command after a space.

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
    slash("fork", "", Verb::Fork, "fork this session"),
    slash("compact", "", Verb::Compact, "put a summary in the place of what is old"),
    slash("context", "", Verb::Context, "show what the model is told"),
    slash("approvals", "", Verb::Approvals, "list the questions that wait for you"),
    slash("diff", "", Verb::Diff, "show what the last turn changed in the workspace"),
    slash("undo", "", Verb::Undo, "undo what the last turn changed in the workspace"),
    slash("mode", "[ask|on-miss|auto]", Verb::Mode, "what is done without asking"),
    slash("workspace", "[PATH|worktree|shared]", Verb::Workspace, "where this session works"),
    slash("sandbox", "[network|mount]", Verb::Sandbox, "what programs can reach and see"),
    slash("revoke", "[PATTERN]", Verb::Revoke, "take back what was allowed for this session"),
    slash("usage", "", Verb::Usage, "show what is left of the limits"),
    slash("stop", "[all]", Verb::Stop, "stop the answer; `all`: the waiting messages too"),
    slash("export", "[FILE]", Verb::Export, "write this session into a Markdown file"),
    slash("help", "", Verb::Help, "show the keys"),
    slash("quit", "", Verb::Quit, "detach; the answer goes on"),
];

/// What a draft is, if it begins with a slash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Parsed<'a> {
    /// A command and what follows it.
    Command(Verb, &'a str),
    /// It looks like a command, but there is none of that name.
    Unknown(&'a str),
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
        None => Parsed::Unknown(name),
    }
}

/// The commands that a draft may become.
pub(crate) fn matching(draft: &str) -> Vec<Slash> {
    let Some(begun) = draft.strip_prefix('/') else { return Vec::new() };
    if !begun.chars().all(|c| c.is_ascii_lowercase()) {
        return Vec::new();
    }
    TABLE.iter().filter(|slash| slash.name.starts_with(begun)).copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_first_word_of_slash_and_letters_is_a_command() {
        assert_eq!(parse("/new a title "), Parsed::Command(Verb::New, "a title"));
        assert_eq!(parse("/quit"), Parsed::Command(Verb::Quit, ""));
        assert_eq!(parse("/nope x"), Parsed::Unknown("nope"));
    }

    #[test]
    fn a_path_and_a_command_after_a_space_are_messages() {
        for message in ["/usr/bin is full", "/", " /new", "/2", "say /new"] {
            assert_eq!(parse(message), Parsed::Message, "{message}");
        }
    }

    #[test]
    fn a_begun_command_offers_what_it_may_become() {
        let names = |draft| matching(draft).iter().map(|slash| slash.name).collect::<Vec<_>>();
        assert_eq!(names("/s"), ["sessions", "sandbox", "stop"]);
        assert_eq!(names("/").len(), TABLE.len());
        assert!(names("/new x").is_empty() && names("new").is_empty());
    }
}
