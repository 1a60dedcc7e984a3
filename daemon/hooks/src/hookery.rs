//! The port's implementation: who may wait for hooks, and who need not.
//!
//! Finding and running is [`crate::caller`]'s. The invariants: whoever tells hooks something that
//! they have no say in goes on at once; at most [`WAITING`] tellings are open, and one more is
//! dropped aloud; no telling outlives this value.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use moltis_core::Result;
use moltis_core::env::Env;
use moltis_core::hook::{Hooks, Occasion, Point, Say};
use tokio::task::JoinSet;

use crate::builtin::{Boot, BuiltIns, Transcripts};
use crate::caller::Caller;
use crate::eligible::Environment;
use crate::ground::Ground;
use crate::spec::HookSpec;
use crate::state::Shelf;

/// The most tellings that are open at once: each holds its facts, a tool's result of 50 KB say.
const WAITING: usize = 128;

/// What the configuration says about hooks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// The rows of `[[hooks]]`.
    pub configured: Vec<HookSpec>,
    /// Names of hooks, wherever they come from, that do not run.
    pub disabled: Vec<String>,
    /// What hooks say is logged and not followed.
    pub dry_run: bool,
}

/// What hooks need of the daemon.
pub struct Options {
    /// Where the home's hooks, the decisions and the private copies are.
    pub data_dir: PathBuf,
    /// Where commands of the configuration run: the directory of its file.
    pub config_dir: PathBuf,
    /// The daemon's environment: hooks are given `PATH`, `HOME`, `LANG`, `TZ` and what they require.
    pub environment: Environment,
    /// What the configuration says.
    pub settings: Settings,
    /// The clock.
    pub env: Arc<dyn Env>,
    /// For `boot-md`.
    pub boot: Option<Arc<dyn Boot>>,
    /// For `session-memory`.
    pub transcripts: Option<Arc<dyn Transcripts>>,
}

/// All hooks.
pub struct Hookery {
    pub(crate) caller: Arc<Caller>,
    telling: Mutex<JoinSet<()>>,
    /// Decisions are taken one at a time.
    pub(crate) deciding: tokio::sync::Mutex<()>,
}

impl Hookery {
    /// Reads the owner's decisions. Blocks: it is for the start, before anything is served.
    ///
    /// # Errors
    /// When `hooks.json` is there and can't be understood.
    pub fn open(options: Options) -> Result<Arc<Self>> {
        let shelf = Shelf::new(&options.data_dir);
        let decisions = shelf.read()?;
        // Nothing runs yet: no copy is in use.
        shelf.tidy(&decisions);
        let ground = Ground {
            built_ins: BuiltIns {
                data_dir: options.data_dir.clone(),
                env: options.env,
                boot: options.boot,
                transcripts: options.transcripts,
                appending: Arc::default(),
            },
            data_dir: options.data_dir,
            config_dir: options.config_dir,
            environment: options.environment,
            shelf,
            settings: Mutex::new(Arc::new(options.settings)),
            decisions: Mutex::new(Arc::new(decisions)),
            tallies: Mutex::default(),
        };
        Ok(Arc::new(Self {
            caller: Arc::new(Caller::new(ground)),
            telling: Mutex::default(),
            deciding: tokio::sync::Mutex::new(()),
        }))
    }

    /// Takes over what the configuration says now.
    pub fn set(&self, settings: Settings) {
        let ground = &self.caller.ground;
        *ground.settings.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(settings);
        self.caller.forget();
    }

    /// Waits until all who are being told have been, at most so long; says whether they have.
    /// For the end of the daemon: what is open when this value is dropped is broken off.
    pub async fn finish(&self, within: Duration) -> bool {
        let mut telling = std::mem::take(&mut *self.lock());
        let all = async { while telling.join_next().await.is_some() {} };
        let done = tokio::time::timeout(within, all).await.is_ok();
        if !done {
            tracing::warn!("hooks that were still running are ended");
            telling.shutdown().await;
        }
        done
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, JoinSet<()>> {
        self.telling.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets a task of our own tell them.
    fn tell(&self, occasion: Occasion) {
        let mut telling = self.lock();
        while telling.try_join_next().is_some() {}
        if telling.len() >= WAITING {
            let event = occasion.point.as_str();
            tracing::warn!(event, most = WAITING, "hooks are too slow: they are not told");
            return;
        }
        let caller = Arc::clone(&self.caller);
        telling.spawn(async move { caller.tell(occasion).await });
    }
}

#[async_trait]
impl Hooks for Hookery {
    fn wants(&self, point: Point, workspace: Option<&Path>) -> bool {
        // Where nothing is known, or no more, the call finds out.
        self.caller.cached(workspace).is_none_or(|view| view.wants(point))
    }

    async fn call(&self, occasion: Occasion) -> Say {
        if occasion.point.has_a_say() {
            return self.caller.ask(occasion).await;
        }
        if !self.wants(occasion.point, occasion.workspace.as_deref()) {
            return Say::GoOn(occasion.facts);
        }
        let facts = occasion.facts.clone();
        self.tell(occasion);
        Say::GoOn(facts)
    }
}
