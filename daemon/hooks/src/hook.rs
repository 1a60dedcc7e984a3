//! A hook as it stands: what it is, where it came from, and whether it may run.
//!
//! It does not run itself. The invariant: a [`Runnable`] exists only for the owner's own words and
//! for a private copy whose bytes are the trusted ones; nothing else can be run.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use moltis_core::hook::{HookInfo, Point};

use crate::breaker::Tally;
use crate::builtin::BuiltIn;
use crate::digest;
use crate::protocol::plain;
use crate::spec::HookSpec;

/// Where a hook came from. Those that come first go before later ones of the same name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Source {
    /// A row of the configuration.
    Configuration,
    /// A folder in a workspace.
    Workspace(PathBuf),
    /// A folder in the home.
    Home(PathBuf),
    /// Moltis itself.
    BuiltIn,
}

impl Source {
    /// For people.
    pub(crate) fn shown(&self) -> String {
        match self {
            Self::Configuration => "configuration".to_owned(),
            Self::Workspace(folder) => format!("workspace: {}", folder.display()),
            Self::Home(folder) => format!("home: {}", folder.display()),
            Self::BuiltIn => "built in".to_owned(),
        }
    }

    /// What tells this hook from all others, in `hooks.json` and in the counts.
    pub(crate) fn key(&self, name: &str) -> String {
        match self {
            Self::Configuration => format!("configuration:{name}"),
            Self::Workspace(folder) | Self::Home(folder) => folder.to_string_lossy().into_owned(),
            Self::BuiltIn => format!("built-in:{name}"),
        }
    }

    /// Its folder, if it was found in one.
    pub(crate) fn folder(&self) -> Option<&Path> {
        match self {
            Self::Workspace(folder) | Self::Home(folder) => Some(folder),
            Self::Configuration | Self::BuiltIn => None,
        }
    }
}

/// What runs.
#[derive(Clone, Debug)]
pub(crate) enum Body {
    /// A command that may run.
    Command(Runnable),
    /// A part of Moltis.
    BuiltIn(BuiltIn),
    /// Nothing: it is not trusted.
    Nothing,
}

/// A place where a command may run.
#[derive(Clone, Debug)]
pub(crate) struct Runnable {
    /// Private: only the constructors below say what may run.
    dir: PathBuf,
    hash: Option<String>,
}

impl Runnable {
    /// A command of the configuration: the owner's own words, trusted by being there.
    pub(crate) fn configured(dir: &Path) -> Self {
        Self { dir: dir.to_owned(), hash: None }
    }

    /// The private copy of a folder that the owner trusted.
    pub(crate) fn copy(dir: PathBuf, hash: &str) -> Self {
        Self { dir, hash: Some(hash.to_owned()) }
    }

    /// Where to run it. Reads the whole copy: not for the reactor.
    ///
    /// # Errors
    /// When the copy is not what was trusted: its own hook may have written into it.
    pub(crate) fn verified(&self) -> Result<&Path, String> {
        let Some(hash) = &self.hash else { return Ok(&self.dir) };
        match digest::of(&self.dir) {
            Ok(now) if now == *hash => Ok(&self.dir),
            Ok(_) => Err("its trusted copy was changed: enable it again".to_owned()),
            Err(why) => Err(format!("its trusted copy can't be read: enable it again ({why})")),
        }
    }
}

/// A hook as it stands.
#[derive(Clone, Debug)]
pub(crate) struct Hook {
    /// Its name, also when nothing else is known of it.
    pub name: String,
    /// What it is; `None` when its `HOOK.md` can't be understood.
    pub spec: Option<HookSpec>,
    pub source: Source,
    pub body: Body,
    /// The owner has not disabled it; one that was found was enabled.
    pub enabled: bool,
    pub trusted: bool,
    /// Why it does not run, if it does not.
    pub reason: Option<String>,
    /// Another one of its name goes before it.
    pub displaced: bool,
    pub tally: Arc<Tally>,
}

impl Hook {
    pub(crate) fn wants(&self, point: Point) -> bool {
        self.spec.as_ref().is_some_and(|spec| spec.points.contains(&point))
    }

    /// It may run.
    pub(crate) fn runs(&self) -> bool {
        self.reason.is_none()
    }

    /// It can't run, but the owner enabled it to guard: what it would judge is blocked.
    pub(crate) fn guards_in_vain(&self) -> bool {
        let judges = self.enabled && !self.displaced && !self.runs();
        judges && self.spec.as_ref().is_some_and(HookSpec::is_guard)
    }

    pub(crate) fn priority(&self) -> i64 {
        self.spec.as_ref().map_or(0, |spec| spec.priority)
    }

    /// For the owner. Names and words may be anybody's: nothing in them moves a terminal's cursor.
    pub(crate) fn info(&self) -> HookInfo {
        let (calls, failures, open) = self.tally.counts(Instant::now());
        let spec = self.spec.as_ref();
        let broken = open.then(|| "it failed too often: it is left alone for a minute".to_owned());
        let shown = |text: &str| plain(text.as_bytes());
        HookInfo {
            name: shown(&self.name),
            description: spec.map_or(String::new(), |spec| {
                shown(&format!("{} {}", spec.emoji, spec.description))
            }),
            points: spec.map(|spec| spec.points.clone()).unwrap_or_default(),
            command: match (&self.body, spec) {
                (Body::BuiltIn(_), _) => "built in".to_owned(),
                (_, spec) => spec.map(|spec| shown(&spec.command)).unwrap_or_default(),
            },
            source: shown(&self.source.shown()),
            priority: self.priority(),
            eligible: self.runs(),
            enabled: self.enabled,
            trusted: self.trusted,
            reason: self.reason.clone().or(broken).map(|reason| shown(&reason)),
            calls,
            failures,
        }
    }
}
