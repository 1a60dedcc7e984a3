//! Calls hooks: knows which there are now, runs them one after the other or side by side, and
//! counts.
//!
//! It owns no task: whoever calls it does. The invariants: a view is looked at again at most once a
//! second and built by one at a time; no more than [`ASKED`] hooks that have a say and [`TOLD`] that
//! have none run at once; what a hook says is followed only if this is no dry run.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use moltis_core::hook::{Occasion, Point, Say};
use serde_json::Value;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use crate::ground::Ground;
use crate::hook::{Body, Hook, Runnable};
use crate::look::Look;
use crate::process::{self, Order, Ran};
use crate::protocol::{self, Answer};
use crate::spec::HookSpec;
use crate::view::{self, Shared, View};

/// A look is good for so long.
const FRESH: Duration = Duration::from_secs(1);

/// So long a look may take: a workspace may be on a disk that does not answer.
const LOOKING: Duration = Duration::from_secs(10);

/// The most workspaces that are remembered; the one unused for longest is forgotten.
const MAX_VIEWS: usize = 64;

/// How many hooks run at once where they have a say, and where they have none.
const ASKED: usize = 16;
const TOLD: usize = 8;

/// The variables that every hook is given.
const ALWAYS: [&str; 4] = ["PATH", "HOME", "LANG", "TZ"];

pub(crate) struct Caller {
    pub ground: Arc<Ground>,
    views: Mutex<BTreeMap<Option<PathBuf>, Slot>>,
    building: tokio::sync::Mutex<()>,
    generation: AtomicU64,
    asked: Semaphore,
    told: Semaphore,
}

struct Slot {
    view: Shared,
    look: Look,
    generation: u64,
    looked: Instant,
    used: Instant,
}

impl Caller {
    pub(crate) fn new(ground: Ground) -> Self {
        Self {
            ground: Arc::new(ground),
            views: Mutex::default(),
            building: tokio::sync::Mutex::new(()),
            generation: AtomicU64::new(0),
            asked: Semaphore::new(ASKED),
            told: Semaphore::new(TOLD),
        }
    }

    /// Makes every view be built anew when it is needed next.
    pub(crate) fn forget(&self) {
        self.generation.fetch_add(1, Ordering::SeqCst);
    }

    /// The view, if there is one and nothing changed since. A few `stat`s once a second.
    pub(crate) fn cached(&self, workspace: Option<&Path>) -> Option<Shared> {
        let generation = self.generation.load(Ordering::SeqCst);
        let now = Instant::now();
        let mut views = self.views.lock().unwrap_or_else(PoisonError::into_inner);
        let slot = views.get_mut(&workspace.map(Path::to_owned))?;
        slot.used = now;
        if slot.generation != generation {
            return None;
        }
        if now.duration_since(slot.looked) >= FRESH {
            if view::look(&self.ground, workspace) != slot.look {
                return None;
            }
            slot.looked = now;
        }
        Some(Arc::clone(&slot.view))
    }

    /// The view as it is now.
    ///
    /// # Errors
    /// When it can't be built: a disk does not answer, or the daemon ends.
    pub(crate) async fn view(&self, workspace: Option<&Path>) -> Result<Shared, String> {
        if let Some(view) = self.cached(workspace) {
            return Ok(view);
        }
        let _one = self.building.lock().await;
        if let Some(view) = self.cached(workspace) {
            return Ok(view);
        }
        let generation = self.generation.load(Ordering::SeqCst);
        let key = workspace.map(Path::to_owned);
        let (ground, there) = (Arc::clone(&self.ground), key.clone());
        let built = spawn_blocking(move || {
            // The look comes first: what changes meanwhile is seen by the next one.
            let look = view::look(&ground, there.as_deref());
            (look, Arc::new(View::build(&ground, there.as_deref())))
        });
        let built = timeout(LOOKING, built).await.map_err(|_| "looking for them takes too long")?;
        let (look, view) = built.map_err(|error| error.to_string())?;
        let now = Instant::now();
        let slot = Slot { view: Arc::clone(&view), look, generation, looked: now, used: now };
        self.remember(key, slot);
        Ok(view)
    }

    fn remember(&self, key: Option<PathBuf>, slot: Slot) {
        let mut views = self.views.lock().unwrap_or_else(PoisonError::into_inner);
        if views.len() >= MAX_VIEWS && !views.contains_key(&key) {
            let oldest = views.iter().min_by_key(|(_, slot)| slot.used);
            if let Some(oldest) = oldest.map(|(key, _)| key.clone()) {
                tracing::debug!("the hooks of the workspace unused for longest are forgotten");
                views.remove(&oldest);
            }
        }
        views.insert(key, slot);
    }

    /// Asks the hooks that have a say, one after the other.
    pub(crate) async fn ask(&self, mut occasion: Occasion) -> Say {
        let view = match self.view(occasion.workspace.as_deref()).await {
            Ok(view) => view,
            // There may be a guard among them.
            Err(why) => return Say::Block(format!("hooks can't be called: {why}")),
        };
        for hook in view.at(occasion.point) {
            let answer = self.judge(hook, &view, &occasion).await;
            match (answer, view.dry_run) {
                (Answer::GoOn | Answer::Failed(_), _) => {}
                (Answer::Changed(facts), false) => occasion.facts = facts,
                (Answer::Block(reason), false) => return Say::Block(reason),
                (answer, true) => rehearse(hook, &occasion, &answer),
            }
        }
        Say::GoOn(occasion.facts)
    }

    /// What one hook says; a guard that says nothing says no.
    async fn judge(&self, hook: &Hook, view: &View, occasion: &Occasion) -> Answer {
        let guard = hook.spec.as_ref().is_some_and(HookSpec::is_guard);
        let answer = match &hook.reason {
            Some(why) => Answer::Failed(why.clone()),
            None => {
                let Ok(_permit) = self.asked.acquire().await else { return Answer::GoOn };
                self.call(hook, view, occasion).await
            }
        };
        match answer {
            Answer::Failed(why) if guard => {
                Answer::Block(format!("the hook `{}`, a guard, can't judge: {why}", hook.name))
            }
            answer => answer,
        }
    }

    /// Tells the hooks that have no say, side by side.
    pub(crate) async fn tell(&self, occasion: Occasion) {
        let view = match self.view(occasion.workspace.as_deref()).await {
            Ok(view) => view,
            Err(why) => return tracing::warn!(%why, "hooks can't be called"),
        };
        let (view, occasion) = (&view, &occasion);
        let calls = view.at(occasion.point).map(|hook| async move {
            let Ok(_permit) = self.told.acquire().await else { return };
            match self.call(hook, view, occasion).await {
                Answer::Block(reason) => {
                    let event = occasion.point.as_str();
                    tracing::warn!(hook = %hook.name, event, %reason, "a hook has no say here");
                }
                Answer::GoOn | Answer::Changed(_) | Answer::Failed(_) => {}
            }
        });
        join_all(calls).await;
    }

    /// Calls one that may run, counts, and leaves a broken one alone.
    async fn call(&self, hook: &Hook, view: &View, occasion: &Occasion) -> Answer {
        if !hook.tally.admits(Instant::now()) {
            return Answer::Failed("it failed too often: it is left alone for a minute".to_owned());
        }
        let answer = match (&hook.body, &hook.spec) {
            (Body::Command(runnable), Some(spec)) => self.run(spec, runnable, occasion).await,
            (Body::BuiltIn(which), _) => {
                let done = self.ground.built_ins.call(*which, occasion, view.boot.as_deref()).await;
                done.map_or_else(Answer::Failed, |()| Answer::GoOn)
            }
            (Body::Command(_) | Body::Nothing, _) => Answer::Failed("nothing to run".to_owned()),
        };
        let Answer::Failed(why) = &answer else {
            hook.tally.went_well();
            return answer;
        };
        let left_alone = hook.tally.failed(Instant::now());
        let event = occasion.point.as_str();
        tracing::warn!(hook = %hook.name, event, %why, left_alone, "a hook failed");
        answer
    }

    async fn run(&self, spec: &HookSpec, runnable: &Runnable, occasion: &Occasion) -> Answer {
        let (point, workspace) = (occasion.point, occasion.workspace.as_deref());
        let input = match protocol::input(point, &occasion.facts) {
            Ok(input) => input,
            Err(why) => return Answer::Failed(why),
        };
        match self.start(spec, runnable, point, workspace, &input).await {
            Ok(ran) => protocol::answer(&ran, point, &occasion.facts),
            Err(why) => Answer::Failed(why),
        }
    }

    /// Runs a hook's command on this input.
    ///
    /// # Errors
    /// When it may not run, because its copy is not what was trusted.
    pub(crate) async fn start(
        &self,
        spec: &HookSpec,
        runnable: &Runnable,
        point: Point,
        workspace: Option<&Path>,
        input: &[u8],
    ) -> Result<Ran, String> {
        let data = self.ground.shelf.data_of(&spec.name);
        let (place, making) = (runnable.clone(), data.clone());
        let checked = spawn_blocking(move || {
            crate::builtin::private_dirs(&making)
                .map_err(|error| format!("can't make `{}`: {error}", making.display()))?;
            place.verified().map(Path::to_owned)
        });
        let cwd = checked.await.map_err(|error| error.to_string())??;
        let own: [(&str, OsString); 5] = [
            ("MOLTIS_HOOK_NAME", spec.name.clone().into()),
            ("MOLTIS_HOOK_EVENT", point.as_str().into()),
            ("MOLTIS_HOOK_DIR", cwd.clone().into()),
            ("MOLTIS_HOOK_DATA", data.into()),
            ("MOLTIS_HOOK_WORKSPACE", workspace.unwrap_or(Path::new("")).into()),
        ];
        let mut environment = self.environment(spec);
        environment.extend(own.map(|(name, value)| (name.into(), value)));
        let (command, timeout) = (&spec.command, spec.timeout);
        let order = Order { command, cwd: &cwd, environment, input, timeout };
        Ok(process::run(order).await)
    }

    /// The few variables that every hook is given, those that it requires, and its own.
    fn environment(&self, spec: &HookSpec) -> Vec<(OsString, OsString)> {
        let required = spec.requires.env.iter().map(String::as_str);
        let inherited = ALWAYS
            .into_iter()
            .chain(required)
            .filter_map(|name| self.ground.environment.get_key_value(name));
        let all = inherited.chain(&spec.env.0);
        all.map(|(name, value)| (name.into(), value.into())).collect()
    }
}

/// Says what would have been done. The facts themselves are nobody's to read in a log.
fn rehearse(hook: &Hook, occasion: &Occasion, answer: &Answer) {
    let event = occasion.point.as_str();
    match answer {
        Answer::Block(reason) => {
            tracing::info!(hook = %hook.name, event, %reason, "dry run: would block");
        }
        Answer::Changed(facts) => {
            let facts = facts.as_object().into_iter().flatten();
            let changed = facts.filter(|(key, value)| occasion.facts.get(*key) != Some(*value));
            let keys: Vec<&str> = changed.map(|(key, _): (&String, &Value)| key.as_str()).collect();
            tracing::info!(hook = %hook.name, event, keys = keys.join(", "), "dry run: would change");
        }
        Answer::GoOn | Answer::Failed(_) => {}
    }
}
