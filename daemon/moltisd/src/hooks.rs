//! Hooks in the daemon: their rows in the configuration, and what those that Moltis brings along need
//! of sessions.
//!
//! What hooks are and when they may run is `moltis_hooks`'s; where they are called, `session`'s, and
//! for the start and the stop of the daemon [`crate::serve`]'s. The invariant: a row of the file that
//! has no error is a hook, by the same reading.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock, Weak};

use async_trait::async_trait;
use moltis_config::{Config, Problem, Row, Rows};
use moltis_core::assistant::{Assistant, Caller, NewMessage, Page, Selector};
use moltis_core::env::Env;
use moltis_core::event::{Cause, Event, EventKind, Origin};
use moltis_core::hook::{Hooks as _, Occasion, Point};
use moltis_core::id::{OpId, SessionId};
use moltis_core::message::{Part, text_of};
use moltis_core::{Code, Error, Result};
use moltis_hooks::{Boot, HookSpec, Hookery, Options, Said, Settings, Transcripts};
use serde_json::{Value, json};

/// The rows' name in the file.
const PATH: &str = "hooks";

/// The session that a `BOOT.md` is said in.
const MAIN: &str = "main";

/// Events that are read at once for a transcript, and how often at most.
const PAGE: u32 = 200;
const MOST_PAGES: usize = 20;

/// The rows of the file that are hooks.
pub(crate) const ROWS: Rows = Rows {
    path: PATH,
    doc: "Hooks: programs of yours that are told what happens as JSON on their standard input, and may\n\
          change or block some of it. docs/hooks.md tells all events; `moltis hooks list` shows what\n\
          runs and why not. Also: timeout (seconds, 5), priority (0), env, on_failure (\"continue\" or\n\
          \"block\"), enabled, requires = { os, bins, env }. Commands run in this file's directory.",
    example: "name = \"audit\"\n\
              events = [\"BeforeToolCall\", \"AfterToolCall\"]\n\
              command = 'cat >> \"$MOLTIS_HOOK_DATA/calls.jsonl\"'",
    read: |row| spec(row).map(drop),
    shown,
};

fn spec(row: &str) -> Result<HookSpec, String> {
    let nameless = || "it has no `name`".to_owned();
    // What is wrong with any hook is said first.
    HookSpec::read(row, "").map_err(|_| HookSpec::read(row, "any").err().unwrap_or_else(nameless))
}

/// A row in a line; what `env` holds is often a secret. JSON's texts and lists are TOML's too.
fn shown(row: &str) -> String {
    let Ok(HookSpec { name, points, command, env, .. }) = spec(row) else {
        return "{}".to_owned();
    };
    let events: Vec<&str> = points.into_iter().map(Point::as_str).collect();
    let mut line = format!(
        "{{ name = {}, events = {}, command = {}",
        json!(name),
        json!(events),
        json!(command)
    );
    let names: Vec<String> = env.0.keys().map(|name| format!("{name} = \"***\"")).collect();
    if !names.is_empty() {
        line.push_str(&format!(", env = {{ {} }}", names.join(", ")));
    }
    line + " }"
}

/// What the configuration says about hooks.
pub(crate) fn settings(config: &Config) -> Settings {
    Settings {
        configured: config.rows(PATH).filter_map(|row| spec(row).ok()).collect(),
        disabled: config.list("hook.disabled").to_vec(),
        dry_run: config.is_on("hook.dry_run"),
    }
}

/// What is odd about the rows.
pub(crate) fn review(config: &Config) -> Vec<Problem> {
    let mut names: Vec<String> = Vec::new();
    let mut found = Vec::new();
    for Row { text, place, .. } in config.all_rows().iter().filter(|row| row.rows.path == PATH) {
        let Ok(HookSpec { name, .. }) = spec(text) else { continue };
        if names.contains(&name) {
            let message = format!("another hook has the name `{name}`: only the first is called");
            found.push(Problem::warning(PATH, place.clone(), message));
        }
        names.push(name);
    }
    found
}

/// Opens the hooks. What they need of sessions they have once there are some: see [`Door`].
///
/// # Errors
/// When the owner's decisions can't be read.
pub(crate) fn open(
    data_dir: &Path,
    config_dir: &Path,
    settings: Settings,
    env: Arc<dyn Env>,
    door: Arc<Door>,
) -> Result<Arc<Hookery>> {
    let variable = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
        Some((name.into_string().ok()?, value.into_string().ok()?))
    };
    Hookery::open(Options {
        data_dir: data_dir.to_owned(),
        config_dir: config_dir.to_owned(),
        environment: std::env::vars_os().filter_map(variable).collect(),
        settings,
        env,
        boot: Some(door.clone()),
        transcripts: Some(door),
    })
}

/// Tells hooks of something that happens to the daemon; waits for none.
pub(crate) async fn tell(hooks: &Hookery, point: Point, workspace: Option<&str>, facts: Value) {
    let workspace = workspace.map(PathBuf::from);
    hooks.call(Occasion { point, workspace, facts }).await;
}

/// The way from hooks to sessions, which are made with hooks and so come later.
pub(crate) struct Door {
    sessions: OnceLock<Weak<dyn Assistant>>,
    env: Arc<dyn Env>,
}

impl Door {
    /// A closed one.
    pub(crate) fn new(env: Arc<dyn Env>) -> Arc<Self> {
        Arc::new(Self { sessions: OnceLock::new(), env })
    }

    /// Opens it for good.
    pub(crate) fn open(&self, sessions: Weak<dyn Assistant>) {
        self.sessions.get_or_init(|| sessions);
    }

    fn assistant(&self) -> Result<Arc<dyn Assistant>> {
        let assistant = self.sessions.get().and_then(Weak::upgrade);
        assistant.ok_or_else(|| Error::new(Code::Unavailable, "there are no sessions now"))
    }
}

#[async_trait]
impl Boot for Door {
    async fn boot(&self, text: String, from: Origin) -> Result<()> {
        let assistant = self.assistant()?;
        let caller = Caller { cause: Cause::Daemon, origin: from };
        let main = assistant.find(&caller, &Selector::Name(MAIN.to_owned())).await?;
        let message = NewMessage {
            sensitive: false,
            op: OpId::new(self.env.fresh_id()),
            session: main.id,
            parts: vec![Part::Text(text)],
            queue: None,
            model: None,
        };
        assistant.send(&caller, message).await?;
        Ok(())
    }
}

#[async_trait]
impl Transcripts for Door {
    async fn last(&self, session: &str, most: usize) -> Result<Vec<Said>> {
        let (assistant, session) = (self.assistant()?, SessionId::new(session));
        let mut said: Vec<Said> = Vec::new();
        let mut seq = u64::MAX;
        for _ in 0..MOST_PAGES {
            let events = assistant.history(&session, Page::Before { seq, limit: PAGE }).await?;
            let Some(first) = events.first() else { break };
            seq = first.seq;
            said.extend(events.iter().rev().filter_map(of_event));
            if said.len() >= most {
                break;
            }
        }
        said.truncate(most);
        said.reverse();
        Ok(said)
    }
}

/// What an event says, if somebody says something in it.
fn of_event(event: &Event) -> Option<Said> {
    let (who, parts) = match &event.kind {
        EventKind::UserMessage { parts, .. } => ("user", parts),
        EventKind::AssistantMessage { parts, .. } => ("assistant", parts),
        _ => return None,
    };
    let text = text_of(parts);
    (!text.trim().is_empty()).then(|| Said { who: who.to_owned(), text })
}
