//! The one gate: whether what a call would do to the world may be done.
//!
//! [`authorize`] is pure: who wants it, what, how far its words can be trusted, and what the owner
//! allowed, give a [`Verdict`]. An [`Authorized`] value is made here and nowhere else, and the ports
//! that touch the world take nothing else, so that no path leads around the gate: what does not
//! pass it does not compile.
//!
//! Not here: asking a person, keeping what they answer, carrying anything out. The invariant: where
//! it is not clear that something is allowed, it is asked; where nobody can be asked, it is denied.

mod pattern;

use serde_json::Value;
use sha2::{Digest as _, Sha256};

pub use self::pattern::{Pattern, is_plain, subject};
use crate::event::Origin;
use crate::sandbox::{Mount, Network};
use crate::tool::{Action, Call, Outbound, Run};

/// On whose behalf something is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Principal {
    /// The owner asked for exactly this.
    Owner,
    /// A model wants it, in a session that the owner can be asked in.
    Model,
    /// A model wants it in a turn that no person asked for, so that nobody is there to be asked: what
    /// is done at the daemon's start, or of an agent's result that came in the background.
    Unattended,
}

/// How far the words can be trusted that a turn has before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Label {
    /// The least trusted source among them.
    pub taint: Origin,
    /// Things of the person's own are among them: files, memory, what programs printed.
    pub sensitive: bool,
}

impl Label {
    /// Nothing but the owner's words.
    pub const CLEAN: Self = Self { taint: Origin::Owner, sensitive: false };

    /// The label of both together.
    #[must_use]
    pub fn and(self, origin: Origin, sensitive: bool) -> Self {
        Self { taint: self.taint.max(origin), sensitive: self.sensitive || sensitive }
    }

    /// Others than the owner may have had a say, and what the model wants may be what they want. A
    /// file of a workspace counts: it may have come from anywhere.
    pub fn is_tainted(self) -> bool {
        self.taint >= Origin::Workspace
    }
}

/// What is done without asking.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Mode {
    /// Looking only; all else is asked.
    Ask,
    /// Also what the allow-list names.
    OnMiss,
    /// Also whatever stays in the sandbox and the workspace.
    #[default]
    Auto,
}

impl Mode {
    /// The name in configuration and on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ask => "ask",
            Self::OnMiss => "on-miss",
            Self::Auto => "auto",
        }
    }

    /// The mode of that name.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Ask, Self::OnMiss, Self::Auto].into_iter().find(|mode| mode.as_str() == name)
    }
}

/// A permission that the owner gave when asked, for the rest of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// What it allows.
    pub pattern: Pattern,
    /// It was given knowing that others had a say in the turn.
    pub tainted: bool,
}

/// What the owner allowed and forbade.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grants {
    /// What is done without asking.
    pub mode: Mode,
    /// Allowed by configuration.
    pub allow: Vec<Pattern>,
    /// Forbidden by configuration; wins over everything but the owner.
    pub deny: Vec<Pattern>,
    /// Allowed in this session.
    pub session: Vec<Grant>,
}

/// Why something may be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Why {
    /// The owner asked for exactly this.
    Owner,
    /// It changes nothing outside of Moltis.
    Harmless,
    /// The mode allows what stays in the sandbox and the workspace.
    Contained,
    /// The configuration allows it, by this pattern.
    Listed(String),
    /// It was allowed for this session, by this pattern.
    Granted(String),
    /// A person was shown it and allowed it.
    Approved,
}

impl Why {
    /// A few words for the log and for a person.
    pub fn words(&self) -> String {
        match self {
            Self::Owner => "asked for by the owner".to_owned(),
            Self::Harmless => "changes nothing".to_owned(),
            Self::Contained => "contained".to_owned(),
            Self::Listed(line) => format!("allowed by `{line}`"),
            Self::Granted(line) => format!("allowed for this session by `{line}`"),
            Self::Approved => "approved".to_owned(),
        }
    }
}

/// Something that may be done. Made by this module only.
#[derive(Clone, Debug, PartialEq)]
pub struct Authorized<T> {
    what: T,
    why: Why,
}

impl<T> Authorized<T> {
    /// What may be done.
    pub fn what(&self) -> &T {
        &self.what
    }

    /// Why.
    pub fn why(&self) -> &Why {
        &self.why
    }
}

impl Authorized<Call> {
    /// The program that it runs, if that is what it does.
    pub fn run(&self) -> Option<Authorized<Run>> {
        match &self.what.action {
            Action::Run(run) => Some(Authorized { what: run.clone(), why: self.why.clone() }),
            _ => None,
        }
    }

    /// What it sends out, if that is what it does.
    pub fn outbound(&self) -> Option<Authorized<Outbound>> {
        match &self.what.action {
            Action::Send(out) => Some(Authorized { what: out.clone(), why: self.why.clone() }),
            _ => None,
        }
    }
}

/// What a person is asked.
#[derive(Clone, Debug, PartialEq)]
pub struct Question {
    /// The call.
    call: Call,
    /// Why it is asked, a sentence.
    pub reason: String,
    /// Others had a say in the turn.
    pub tainted: bool,
}

impl Question {
    /// The call that is asked about.
    pub fn call(&self) -> &Call {
        &self.call
    }

    /// The digest that an answer must echo: of the tool and of every byte of its arguments.
    pub fn digest(&self) -> String {
        digest(&self.call)
    }

    /// The call, allowed by a person who was shown it: `echoed` is the digest of what they saw.
    ///
    /// # Errors
    /// The question back, when they saw something else.
    pub fn approved(self, echoed: &str) -> Result<Authorized<Call>, Box<Self>> {
        if self.digest() == echoed {
            Ok(Authorized { what: self.call, why: Why::Approved })
        } else {
            Err(Box::new(self))
        }
    }
}

/// What becomes of a call.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// It may be done.
    Allowed(Authorized<Call>),
    /// A person must be asked.
    Ask(Question),
    /// It may not: for this reason.
    Denied(String),
}

/// Decides what becomes of a call.
pub fn authorize(who: Principal, call: Call, label: Label, grants: &Grants) -> Verdict {
    if who == Principal::Owner {
        return allowed(call, Why::Owner);
    }
    if let Some(pattern) = grants.deny.iter().find(|pattern| pattern.forbids(&call)) {
        return Verdict::Denied(format!("the configuration forbids it: `{}`", pattern.line()));
    }
    let steers = steers(&call.action);
    let leak =
        label.is_tainted() && (label.sensitive || reads(&call.action)) && leaves(&call.action);
    // What steers programs outside is covered by nothing that does not name it.
    let named = |pattern: &Pattern| !steers || pattern.prefix == subject(&call.action);
    let granted = |grant: &&Grant| {
        let covers = grant.pattern.allows(&call) && named(&grant.pattern);
        covers && (grant.tainted || !leak)
    };
    if let Some(grant) = grants.session.iter().find(granted) {
        let line = grant.pattern.line();
        return allowed(call, Why::Granted(line));
    }
    // A leak is covered only by a pattern that names where it goes; one of a program's name does not.
    let listed = |pattern: &&Pattern| {
        pattern.allows(&call) && named(pattern) && (!leak || pattern.names_destination(&call))
    };
    if grants.mode != Mode::Ask
        && let Some(pattern) = grants.allow.iter().find(listed)
    {
        let line = pattern.line();
        return allowed(call, Why::Listed(line));
    }
    if !leak && !steers {
        if is_harmless(&call.action) {
            return allowed(call, Why::Harmless);
        }
        if grants.mode == Mode::Auto && is_contained(&call.action) {
            return allowed(call, Why::Contained);
        }
    }
    let reason = reason(&call.action, leak, steers, grants.mode);
    match who {
        Principal::Unattended => Verdict::Denied(format!("{reason}, and there is no one to ask")),
        Principal::Owner | Principal::Model => {
            Verdict::Ask(Question { call, reason, tainted: label.is_tainted() })
        }
    }
}

fn allowed(call: Call, why: Why) -> Verdict {
    Verdict::Allowed(Authorized { what: call, why })
}

fn reason(action: &Action, leak: bool, steers: bool, mode: Mode) -> String {
    if leak {
        let to = destination(action);
        return format!(
            "it sends something to {to}; this session knows things of yours and has read words of others"
        );
    }
    if steers {
        return "it changes a file that steers programs outside of the sandbox".to_owned();
    }
    let reason = match mode {
        Mode::Ask => "everything but looking is asked in this session",
        Mode::OnMiss => "no pattern allows it",
        Mode::Auto => "it reaches outside of the sandbox and the workspace",
    };
    match action {
        Action::Run(run) if run.network == Network::Listed => {
            format!("{reason}; it can send to {}", destination(action))
        }
        _ => reason.to_owned(),
    }
}

fn is_harmless(action: &Action) -> bool {
    match action {
        // What another agent does passes this gate itself.
        Action::Inward | Action::Look(_) | Action::Spawn { .. } => true,
        Action::Change(_) | Action::Run(_) | Action::Send(_) => false,
    }
}

/// Whether what it does stays in the sandbox and the workspace, where it can be undone. What a
/// program sends to hosts that the owner listed goes nowhere that the owner did not name; in a
/// session that others had a say in that is a leak, and is asked.
fn is_contained(action: &Action) -> bool {
    match action {
        Action::Change(_) => true,
        Action::Run(run) => run.network != Network::Open,
        Action::Inward | Action::Look(_) | Action::Spawn { .. } => true,
        Action::Send(_) => false,
    }
}

/// Whether what it does reads things of the person's own by itself.
fn reads(action: &Action) -> bool {
    matches!(action, Action::Run(run) if run.mount != Mount::None)
}

/// Whether what it does leaves the machine.
fn leaves(action: &Action) -> bool {
    match action {
        Action::Send(_) => true,
        Action::Run(run) => run.network != Network::None,
        Action::Inward | Action::Look(_) | Action::Change(_) | Action::Spawn { .. } => false,
    }
}

fn destination(action: &Action) -> String {
    match action {
        Action::Run(run) if run.network == Network::Listed => match run.hosts.as_slice() {
            [] => "no host, for none is listed".to_owned(),
            hosts => hosts.iter().map(|host| format!("`{host}`")).collect::<Vec<_>>().join(", "),
        },
        Action::Run(_) => "the network".to_owned(),
        other => format!("`{}`", subject(other)),
    }
}

/// Where a repository keeps what belongs to each of its worktrees, and says which configuration they
/// have.
pub const WORKTREES: &str = ".git/worktrees";

/// The file by which a git folder says that its configuration is another's; a plain repository has none.
pub const ELSEWHERE: &str = ".git/commondir";

/// Directories and files of a workspace that make programs outside of the sandbox do things.
pub const STEERING: &[&str] = &[
    ".git/hooks",
    ".git/config",
    ".git/modules",
    WORKTREES,
    ELSEWHERE,
    ".gitmodules",
    ".gitattributes",
    ".moltis",
    ".mcp.json",
    ".envrc",
    ".vscode",
    ".idea",
    ".husky",
];

fn steers(action: &Action) -> bool {
    matches!(action, Action::Change(change) if is_steering(&change.path))
}

/// Whether a path of a workspace steers programs outside of the sandbox: see [`STEERING`]. Tools
/// that change files ask it of the path that a planned one leads to.
pub fn is_steering(path: &str) -> bool {
    let path: Vec<&str> = path.split('/').filter(|step| !step.is_empty() && *step != ".").collect();
    // A repository's own folder, or the file that says where it is, steers git in many ways.
    if path.iter().any(|step| step.eq_ignore_ascii_case(".git")) {
        return true;
    }
    // Anywhere in the tree: a workspace may hold other repositories.
    STEERING.iter().any(|steering| {
        let steps: Vec<&str> = steering.split('/').collect();
        path.windows(steps.len()).any(|window| {
            window.iter().zip(&steps).all(|(step, wanted)| step.eq_ignore_ascii_case(wanted))
        })
    })
}

/// The digest of a call: SHA-256 in hex over its id, its tool, its arguments with keys in order, and
/// what it would do: with which network, where, for how long.
pub fn digest(call: &Call) -> String {
    let mut text = String::new();
    canonical(&call.arguments, &mut text);
    let mut hasher = Sha256::new();
    let action = format!("{:?}", call.action);
    for field in [call.id.as_str(), &call.tool, &text, &action] {
        hasher.update((field.len() as u64).to_be_bytes());
        hasher.update(field.as_bytes());
    }
    hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Writes JSON in the one way that the same value always has: keys in order, no spaces.
fn canonical(value: &Value, out: &mut String) {
    match value {
        Value::Object(map) => {
            let mut fields: Vec<_> = map.iter().collect();
            fields.sort_by_key(|(key, _)| key.as_str());
            out.push('{');
            for (at, (key, value)) in fields.into_iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                out.push_str(&Value::from(key.as_str()).to_string());
                out.push(':');
                canonical(value, out);
            }
            out.push('}');
        }
        Value::Array(items) => {
            out.push('[');
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                canonical(item, out);
            }
            out.push(']');
        }
        other => out.push_str(&other.to_string()),
    }
}

/// How far an answer to a question reaches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Reach {
    /// This call.
    #[default]
    Once,
    /// Calls like it in this session.
    Session,
    /// Calls like it in every session: the allow-list of the configuration gets a line.
    Always,
}

impl Reach {
    /// The name on the wire and in `--json`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Once => "once",
            Self::Session => "session",
            Self::Always => "always",
        }
    }

    /// The one of that name.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Once, Self::Session, Self::Always].into_iter().find(|one| one.as_str() == name)
    }
}

#[cfg(test)]
#[path = "policy_tests.rs"]
mod tests;
