//! What the owner does with hooks: lists, enables, disables, looks again, tries.
//!
//! Enabling is the one way in which something that was found becomes something that runs. The
//! invariant: what is trusted is the content of a private copy, made before it was hashed; trying a
//! hook runs nothing that is not trusted.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use moltis_core::hook::{HookAdmin, HookInfo, HookTest, Point};
use moltis_core::{Code, Error, Result};
use tokio::task::spawn_blocking;

use crate::builtin::{BuiltIn, boot_file, boot_hash};
use crate::ground::Ground;
use crate::hook::{Body, Hook};
use crate::hookery::Hookery;
use crate::made_up;
use crate::process::{Ending, Ran};
use crate::protocol::{self, Answer};
use crate::spec::unknown;
use crate::state::Record;
use crate::view::{Shared, View};

#[async_trait]
impl HookAdmin for Hookery {
    async fn list(&self, workspace: Option<PathBuf>) -> Result<Vec<HookInfo>> {
        let view = self.view(workspace.as_deref()).await?;
        let mut hooks: Vec<&Hook> = view.hooks.iter().collect();
        hooks.sort_by(|a, b| (&a.name, &a.source).cmp(&(&b.name, &b.source)));
        Ok(hooks.into_iter().map(Hook::info).collect())
    }

    async fn enable(&self, name: &str, workspace: Option<PathBuf>, on: bool) -> Result<HookInfo> {
        let _one = self.deciding.lock().await;
        // What is decided about is what is there now.
        self.caller.forget();
        let view = self.view(workspace.as_deref()).await?;
        let hook =
            pick(
                &view,
                name,
                |hook| if on { !hook.enabled || !hook.trusted } else { hook.enabled },
            )?;
        if on && self.caller.ground.settings().disabled.iter().any(|disabled| disabled == name) {
            let message = format!("the configuration disables `{name}`");
            return Err(
                Error::new(Code::Conflict, message).with_hint("take it out of the list there")
            );
        }
        let (ground, hook) = (Arc::clone(&self.caller.ground), hook.clone());
        let (source, there) = (hook.source.clone(), workspace.clone());
        let decided = spawn_blocking(move || decide(&ground, &hook, there.as_deref(), on));
        decided.await.map_err(broken)??;
        self.caller.forget();
        let view = self.view(workspace.as_deref()).await?;
        let hook = view.hooks.iter().find(|hook| hook.name == name && hook.source == source);
        // A folder that was gone is forgotten when it is disabled.
        hook.map(Hook::info).ok_or_else(|| {
            Error::new(Code::NotFound, format!("`{name}` is disabled, and its folder is gone"))
        })
    }

    async fn reload(&self) -> Result<u64> {
        self.caller.forget();
        Ok(self.view(None).await?.hooks.len() as u64)
    }

    async fn test(&self, name: &str, workspace: Option<PathBuf>, point: Point) -> Result<HookTest> {
        let view = self.view(workspace.as_deref()).await?;
        let hook = pick(&view, name, |hook| matches!(hook.body, Body::Command(_)))?;
        let (runnable, spec) = match (&hook.body, &hook.spec) {
            (Body::Command(runnable), Some(spec)) => (runnable, spec),
            (Body::BuiltIn(_), _) => {
                let message = format!("`{name}` is built in: only commands can be tried");
                return Err(Error::new(Code::Invalid, message));
            }
            _ => {
                let why = hook.reason.as_deref().unwrap_or("it is not trusted");
                return Err(Error::new(Code::Denied, format!("`{name}` is not tried: {why}")));
            }
        };
        let facts = made_up::facts(point);
        let input = protocol::input(point, &facts).map_err(|e| Error::new(Code::Internal, e))?;
        let ran = self.caller.start(spec, runnable, point, workspace.as_deref(), &input).await;
        let ran = ran.map_err(|why| Error::new(Code::Denied, why))?;
        let verdict = match protocol::answer(&ran, point, &facts) {
            Answer::GoOn => "go on".to_owned(),
            Answer::Changed(_) => "changed".to_owned(),
            Answer::Block(reason) => format!("block: {reason}"),
            Answer::Failed(why) => format!("failed: {why}"),
        };
        Ok(told(&input, &ran, verdict))
    }
}

impl Hookery {
    async fn view(&self, workspace: Option<&Path>) -> Result<Shared> {
        self.caller.view(workspace).await.map_err(|why| Error::new(Code::Unavailable, why))
    }
}

fn broken(error: tokio::task::JoinError) -> Error {
    Error::new(Code::Internal, error.to_string())
}

/// The hook of that name that is meant: the first that `likely` says, in the order in which one
/// goes before another, or else the first.
fn pick<'a>(view: &'a View, name: &str, likely: impl Fn(&Hook) -> bool) -> Result<&'a Hook> {
    let mut named: Vec<&Hook> = view.hooks.iter().filter(|hook| hook.name == name).collect();
    named.sort_by(|a, b| a.source.cmp(&b.source));
    let meant = named.iter().find(|hook| likely(hook)).or(named.first());
    meant.copied().ok_or_else(|| {
        let names = view.hooks.iter().map(|hook| hook.name.as_str());
        Error::new(Code::NotFound, unknown("hook", name, names))
            .with_hint("`moltis hooks list` names them")
    })
}

/// Takes the decision down. Reads and copies files.
fn decide(ground: &Ground, hook: &Hook, workspace: Option<&Path>, on: bool) -> Result<()> {
    let Some(folder) = hook.source.folder() else {
        return decide_unfound(ground, hook, workspace, on);
    };
    let key = key_of(folder)?;
    if !on {
        return ground.decide(|decisions| {
            if folder.exists() {
                decisions.trusted.entry(key).and_modify(|record| record.enabled = false);
            } else {
                decisions.trusted.remove(&key);
            }
        });
    }
    let hash = ground.shelf.keep(folder, &hook.name)?;
    ground.decide(|decisions| {
        decisions.disabled.remove(&key);
        decisions.trusted.insert(key, Record { hash, enabled: true });
    })
}

/// The same for one that is in no folder. With `boot-md` goes the workspace's `BOOT.md`.
fn decide_unfound(ground: &Ground, hook: &Hook, workspace: Option<&Path>, on: bool) -> Result<()> {
    let key = hook.source.key(&hook.name);
    let boot = match hook.body {
        Body::BuiltIn(BuiltIn::BootMd) => workspace.map(boot_file).filter(|path| path.exists()),
        _ => None,
    };
    if !on {
        let boot = boot.map(|path| key_of(&path)).transpose()?;
        return ground.decide(|decisions| {
            decisions.disabled.insert(key);
            if let Some(record) = boot.and_then(|boot| decisions.trusted.get_mut(&boot)) {
                record.enabled = false;
            }
        });
    }
    let boot = boot.map(|path| Ok((key_of(&path)?, record_of(&path)?))).transpose()?;
    ground.decide(|decisions| {
        decisions.disabled.remove(&key);
        decisions.trusted.extend(boot);
    })
}

fn key_of(path: &Path) -> Result<String> {
    path.to_str().map(str::to_owned).ok_or_else(|| {
        Error::new(Code::Invalid, "a hook whose path is not UTF-8 can't be trusted".to_owned())
    })
}

fn record_of(boot: &Path) -> Result<Record> {
    let hash = boot_hash(boot).map_err(|why| Error::new(Code::Invalid, why))?;
    Ok(Record { hash, enabled: true })
}

fn told(input: &[u8], ran: &Ran, verdict: String) -> HookTest {
    HookTest {
        input: String::from_utf8_lossy(input).trim_end().to_owned(),
        code: match ran.ending {
            Ending::Exited(code) => Some(code),
            _ => None,
        },
        stdout: shown(&ran.stdout),
        stderr: shown(&ran.stderr),
        verdict,
        took_ms: u64::try_from(ran.took.as_millis()).unwrap_or(u64::MAX),
    }
}

/// So much of an output is shown, in bytes: it must fit a message to a client.
const SHOWN: usize = 64 * 1024;

fn shown(bytes: &[u8]) -> String {
    String::from_utf8_lossy(&bytes[..bytes.len().min(SHOWN)]).into_owned()
}
