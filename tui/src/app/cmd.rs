//! What the model wants done; the runtime does it and answers with messages.

use moltis_proto::v1;

/// Something to be done.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Cmd {
    /// Follow a session, and no other one.
    Attach { epoch: u64, target: Target },
    /// Try at once to connect.
    Connect,
    /// Say something.
    Send { op: String, session: String, text: String },
    /// Stop turns.
    Stop { session: String, all: bool, turn: String },
    /// Begin a session.
    Create { op: String, title: String },
    /// Name a session.
    Rename { op: String, session: String, title: String },
    /// Put a session away, or take it out again.
    Archive { op: String, session: String, archived: bool },
    /// Change what holds for a session's turns.
    Configure { op: String, session: String, settings: v1::Settings },
    /// Copy a session up to an event; 0 is all of it.
    Fork { op: String, session: String, seq: u64 },
    /// List the agents that a session has begun.
    ListAgents { session: String },
    /// Learn which commands the daemon knows.
    ListCommands,
    /// Have the daemon do a command as it was typed.
    Command { op: String, session: String, line: String },
    /// Put a summary in the place of what is old.
    Compact { op: String, session: String },
    /// See what the model is told.
    Context { session: String },
    /// See what is left of the limits.
    Budget { session: String },
    /// Remove a session for good.
    Delete { session: String },
    /// Read older events.
    History { epoch: u64, session: String, before: u64, limit: u32 },
    /// List the sessions.
    ListSessions { archived: bool },
    /// Read the last events of a session.
    Peek { session: String },
    /// List the models.
    ListModels { refresh: bool },
    /// Make a model the default one.
    SetDefault { model: String },
    /// See what can be set up on this machine.
    LookAround,
    /// Bring a model onto this machine; there is one such command at a time.
    Pull { name: String },
    /// Pause that.
    PausePull,
    /// Set up a found server.
    Adopt(v1::FoundServer),
    /// Store a key.
    Login { name: String, key: Secret },
    /// Answer a question.
    Answer(Box<v1::AnswerRequest>),
    /// List the questions that wait.
    ListApprovals,
    /// Take back what was allowed for a session.
    Revoke { op: String, session: String, pattern: String },
    /// See what the last turn changed in the workspace.
    Diff { session: String },
    /// Undo that.
    Undo { op: String, session: String },
    /// Write the session into a file.
    Export { session: String, path: String },
    /// Put text into the clipboard.
    Copy(String),
    /// Let an editor change a text.
    Edit(String),
    /// Keep a message for later runs.
    Remember(String),
    /// Color a block of code.
    Color { key: u64, language: String, text: String },
    /// Call a person who looks elsewhere.
    Ring,
    /// Go to the background.
    Suspend,
    /// Paint everything anew.
    Repaint,
    /// Leave.
    Quit,
}

/// Which session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// What a person calls it.
    Name(String),
    /// Exactly this one.
    Id(String),
}

/// A key that must not be shown, not even in a debug print.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Secret(String);

impl Secret {
    pub(super) fn new(key: String) -> Self {
        Self(key)
    }

    /// The key, for the one call that stores it.
    pub(crate) fn expose(self) -> String {
        self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}
