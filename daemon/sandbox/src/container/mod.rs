//! A container for each session, whatever makes containers.
//!
//! A session has a container for each way that it sees the workspace and the network, made when it
//! is first needed and kept. The invariants: a container is held by this value and ends with it;
//! nothing runs in one that has not proved itself ([`proof`]); what a [`runtime`] is asked for is what
//! [`spec`] can say.

mod binds;
mod exec;
pub(crate) mod held;
pub(crate) mod machine;
mod planted;
mod process;
pub(crate) mod proof;
pub(crate) mod runtime;
pub(crate) mod spec;

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::StreamExt as _;
use futures_util::future::join_all;
use moltis_core::admin::Steps;
use moltis_core::error::{Code, Error, Result};
use moltis_core::id::SessionId;
use moltis_core::sandbox::{Exit, Image, Mount, Network, Place, Process};
use moltis_core::tool::{Output, Run};
use secrecy::ExposeSecret as _;
use sha2::{Digest as _, Sha256};
use tokio::sync::{Mutex as AsyncMutex, OnceCell};
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use self::held::Container;
use self::runtime::{Failure, Runtime, fresh};
use self::spec::Spec;
use crate::backend::Backend;
use crate::image::Recipe;
use crate::opening::{self, Opening, Openings};
use crate::options::Options;

/// Containers at once.
const MOST: usize = 64;

/// The longest that the proof of an engine may take.
const PROBE: Duration = Duration::from_secs(60);

/// Which container.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Key {
    session: SessionId,
    workspace: Option<PathBuf>,
    mount: Mount,
    network: Network,
    /// Which `packed-refs` the repository has that the workspace is a worktree of: a container goes on
    /// seeing the one that was there as it began.
    packed: Option<u64>,
}

type Slot = Arc<OnceCell<Arc<Container>>>;

/// The containers of one runtime.
pub(crate) struct Containers {
    runtime: Box<dyn Runtime>,
    options: Options,
    recipe: Recipe,
    containers: Mutex<HashMap<Key, Slot>>,
    /// The image is there, as far as is known.
    ready: Mutex<bool>,
    /// One at a time looks for the image and makes it.
    making: AsyncMutex<()>,
    /// What the last container was found to lack.
    found: Mutex<Vec<String>>,
    openings: Openings,
}

impl Containers {
    /// None has been made yet.
    ///
    /// # Errors
    /// Where the configuration asks for an image that can't be.
    pub(crate) fn new(runtime: Box<dyn Runtime>, options: &Options) -> Result<Self> {
        let recipe = Recipe::new(&options.base_image, &options.packages)?;
        Ok(Self {
            found: Mutex::default(),
            openings: Openings::new(&options.data_dir, options.outlet.clone()),
            runtime,
            options: options.clone(),
            recipe,
            containers: Mutex::default(),
            ready: Mutex::default(),
            making: AsyncMutex::default(),
        })
    }

    /// Ends what a daemon of this name left behind; that should have ended with it.
    pub(crate) async fn sweep(&self) {
        let left = self.runtime.left(&self.options.instance, None).await;
        for id in &left {
            tracing::warn!(container = id, "a container was left behind; it is ended");
        }
        join_all(left.iter().map(|id| self.runtime.remove(id))).await;
    }

    /// The session's container for this, made if there is none.
    async fn container(&self, place: &Place, run: &Run) -> Result<(Key, Arc<Container>)> {
        let mount = if place.workspace.is_some() { run.mount } else { Mount::None };
        let workspace = place.workspace.clone().filter(|_| mount != Mount::None);
        let looked = workspace.clone().filter(|_| self.runtime.no_repositories().is_none());
        let packed = spawn_blocking(move || looked.and_then(|workspace| binds::packed(&workspace)));
        let key = Key {
            session: place.session.clone(),
            workspace,
            mount,
            network: run.network,
            packed: packed.await.unwrap_or_default(),
        };
        let slot = self.slot(&key)?;
        let made = slot.get_or_try_init(|| self.make(&key)).await;
        if made.is_err() {
            self.forget(&key, None);
        }
        Ok((key, Arc::clone(made?)))
    }

    fn slot(&self, key: &Key) -> Result<Slot> {
        let mut containers = self.containers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(slot) = containers.get(key) {
            return Ok(Arc::clone(slot));
        }
        if containers.len() >= MOST {
            let text = format!("there are {MOST} sandboxes, and more may not be");
            return Err(Error::new(Code::Busy, text).with_hint("stop a session that has one"));
        }
        Ok(Arc::clone(containers.entry(key.clone()).or_default()))
    }

    /// Forgets a container, if it is still this one.
    fn forget(&self, key: &Key, container: Option<&Arc<Container>>) {
        let mut containers = self.containers.lock().unwrap_or_else(PoisonError::into_inner);
        let is_it = match (containers.get(key).map(|slot| slot.get()), container) {
            (Some(Some(held)), Some(gone)) => Arc::ptr_eq(held, gone),
            (Some(None), None) => true,
            _ => false,
        };
        if is_it {
            containers.remove(key);
        }
    }

    async fn make(&self, key: &Key) -> Result<Arc<Container>> {
        let opening = match (key.network, self.runtime.no_listed()) {
            (Network::Listed, Some(why)) => return Err(opening::refused(why)),
            (Network::Listed, None) => Some(self.openings.open(&key.session).await?),
            (Network::None | Network::Open, _) => None,
        };
        let spec = self.spec(key, opening.as_ref()).await?;
        let container = Container::create(&*self.runtime, &spec, opening).await?;
        let mut lacks = container.lacks.clone();
        // No program of the image mends it where the runtime can't.
        lacks.retain(|lack| lack != proof::NO_RELAY || self.runtime.no_listed().is_none());
        *self.found.lock().unwrap_or_else(PoisonError::into_inner) = lacks;
        Ok(Arc::new(container))
    }

    /// What every container of this runtime lacks on this machine.
    fn lacks_by_nature(&self) -> Vec<String> {
        let mut lacks = [self.runtime.lacks(), machine::lacks()].concat();
        let in_worktrees = self.runtime.no_repositories().unwrap_or(
            "in a git worktree, branches and tags can't be deleted and nothing is packed (`git gc`)",
        );
        lacks.push(in_worktrees.to_owned());
        let no_listed = self.runtime.no_listed().or_else(|| self.openings.why_not());
        lacks.extend(no_listed.map(str::to_owned));
        lacks
    }

    async fn spec(&self, key: &Key, opening: Option<&Opening>) -> Result<Spec> {
        let relay = opening.map(|_| fresh()).transpose()?;
        let opening = opening.map(|opening| opening.folder().to_owned());
        let user = machine::user();
        let mut private = self.runtime.private();
        private.push(self.options.data_dir.clone());
        let (workspace, mount) = (key.workspace.clone(), key.mount);
        let home = self.options.home_persistence.then(|| self.home(&key.session));
        let repositories = self.runtime.no_repositories().is_none();
        let looking = spawn_blocking(move || {
            let private: Vec<_> =
                private.iter().map(|path| path.canonicalize().unwrap_or(path.clone())).collect();
            let (mut binds, mut memory) = (Vec::new(), None);
            if let Some(workspace) = workspace {
                binds = binds::binds(&workspace, mount, &private)?;
                if repositories {
                    let (repository, folder) = binds::repository(&workspace, mount, &private)?;
                    binds.extend(repository);
                    memory = folder;
                }
            }
            if let Some(home) = home {
                binds.push(binds::home(&home, user)?);
            }
            if let Some(opening) = opening {
                binds.push(binds::opening(&opening, opening::INSIDE)?);
            }
            Ok::<_, Error>((binds, memory, machine::timezone()))
        });
        let (binds, memory, timezone) =
            looking.await.map_err(|error| Error::new(Code::Internal, error.to_string()))??;
        Ok(Spec {
            image: self.recipe.tag(),
            instance: self.options.instance.clone(),
            session: key.session.to_string(),
            user,
            keep_id: self.runtime.keeps_id(),
            binds,
            memory,
            open: key.network == Network::Open,
            relay,
            memory_mb: self.options.memory_mb,
            cpus: self.options.cpus,
            pids: self.options.pids,
            tmp_mb: self.options.tmp_mb,
            ulimits: self.runtime.ulimits(self.options.pids),
            timezone,
        })
    }

    /// The folder of a session's home; its name is a hash, whatever the id of the session is.
    fn home(&self, session: &SessionId) -> PathBuf {
        let hash = Sha256::digest(session.as_str());
        let name: String = hash.iter().take(12).map(|byte| format!("{byte:02x}")).collect();
        self.options.data_dir.join("sandbox").join("homes").join(name)
    }

    /// Makes the image if it is missing, and tells of it.
    async fn need_image(&self, output: Option<&dyn Output>) -> Result<()> {
        if *self.ready.lock().unwrap_or_else(PoisonError::into_inner) {
            return Ok(());
        }
        let _one = self.making.lock().await;
        if !self.look_for_image().await? {
            if let Some(output) = output {
                output.push(&format!("… making the image {}\n", self.recipe.tag()));
            }
            let mut steps = self.runtime.make_image(self.recipe.clone());
            let mut before = String::new();
            while let Some(step) = steps.next().await {
                let step = step?;
                if let Some(output) = output
                    && step.phase != before
                {
                    output.push(&format!("… {}\n", step.phase));
                }
                before = step.phase;
            }
            self.look_for_image().await?;
        }
        Ok(())
    }

    async fn look_for_image(&self) -> Result<bool> {
        let there = self.runtime.has_image(&self.recipe.tag()).await?;
        *self.ready.lock().unwrap_or_else(PoisonError::into_inner) = there;
        Ok(there)
    }

    /// Removes one, or all but the current one.
    async fn remove(&self, wanted: Option<&str>) -> Result<Vec<String>> {
        let all = self.runtime.images(&self.recipe.tag()).await?;
        if let Some(tag) = wanted
            && !all.iter().any(|image| image.tag == tag)
        {
            let text = format!("Moltis made no image `{tag}`");
            return Err(Error::new(Code::NotFound, text).with_hint("moltis sandbox list"));
        }
        let mut removed = Vec::new();
        for image in all {
            if wanted.map_or(image.current, |tag| tag != image.tag) {
                continue;
            }
            self.runtime.remove_image(&image.tag).await?;
            removed.push(image.tag);
        }
        Ok(removed)
    }

    async fn variables(&self) -> Result<Vec<String>> {
        let variables = self.options.variables.variables().await?;
        let is_name = |name: &str| {
            !name.is_empty()
                && !name.starts_with(|first: char| first.is_ascii_digit())
                && name.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
        };
        let given = variables.iter().filter(|(name, _)| is_name(name));
        Ok(given.map(|(name, value)| format!("{name}={}", value.expose_secret())).collect())
    }

    /// The containers that a session has now.
    fn held(&self, session: &SessionId) -> Vec<Arc<Container>> {
        let containers = self.containers.lock().unwrap_or_else(PoisonError::into_inner);
        let ours = containers.iter().filter(|(key, _)| key.session == *session);
        ours.filter_map(|(_, slot)| slot.get().cloned()).collect()
    }

    /// The container that a program goes on in.
    fn holder(&self, place: &Place, name: &str) -> Result<Arc<Container>> {
        process::check_name(name)?;
        let has = |container: &Arc<Container>| {
            container.going.lock().unwrap_or_else(PoisonError::into_inner).contains_key(name)
        };
        self.held(&place.session)
            .into_iter()
            .find(has)
            .ok_or_else(|| Error::new(Code::NotFound, format!("no program `{name}` goes on")))
    }
}

/// A program's end, with what it made that was set aside.
fn told_of(mut exit: Exit, planted: &[String], output: &dyn Output) -> Exit {
    for said in planted {
        let line = format!("\n… {said}\n");
        output.push(&line);
        exit.stderr.push_str(&line);
    }
    exit
}

#[async_trait]
impl Backend for Containers {
    fn name(&self) -> &str {
        self.runtime.name()
    }

    fn detail(&self) -> String {
        self.runtime.detail()
    }

    fn lacks(&self) -> Vec<String> {
        let found = self.found.lock().unwrap_or_else(PoisonError::into_inner).clone();
        [self.lacks_by_nature(), found].concat()
    }

    async fn probe(&self) -> Result<()> {
        if !self.look_for_image().await? {
            // Each container proves itself before anything runs in it; this comes with the first.
            return Ok(());
        }
        let session = SessionId::new(format!("probe-{}", fresh()?));
        let (mount, network) = (Mount::None, Network::None);
        let key = Key { session, workspace: None, mount, network, packed: None };
        let container = timeout(PROBE, self.make(&key)).await.map_err(|_| {
            Error::new(Code::Unavailable, "the engine takes too long to make a container")
        })??;
        container.end().await;
        Ok(())
    }

    async fn exec(&self, place: &Place, run: &Run, output: &dyn Output) -> Result<Exit> {
        self.need_image(Some(output)).await?;
        // Once more where the container has gone meanwhile.
        for last in [false, true] {
            let (key, container) = self.container(place, run).await?;
            let variables = self.variables().await?;
            let absent = match key.workspace.as_deref().filter(|_| key.mount == Mount::ReadWrite) {
                Some(workspace) => container.planted.before(workspace).await,
                None => None,
            };
            let done =
                exec::exec(&container, run, key.workspace.is_some(), variables, output).await;
            let planted = container.planted.after(absent).await;
            match done {
                Ok(exit) => return Ok(told_of(exit, &planted, output)),
                Err(Failure::Error(error)) => return Err(error),
                Err(Failure::Gone) if last => {}
                Err(Failure::Gone) => self.forget(&key, Some(&container)),
            }
        }
        Err(Error::new(Code::Unavailable, "the sandbox ends as soon as it is made"))
    }

    async fn start(&self, place: &Place, name: &str, run: &Run) -> Result<()> {
        process::check_name(name)?;
        if self.holder(place, name).is_ok() {
            let text = format!("`{name}` is there already");
            return Err(Error::new(Code::Conflict, text).with_hint("end it, or take another name"));
        }
        self.need_image(None).await?;
        let (key, mut container) = self.container(place, run).await?;
        if !container.is_up().await {
            self.forget(&key, Some(&container));
            container = self.container(place, run).await?.1;
        }
        let variables = self.variables().await?;
        process::start(&container, name, run, key.workspace.is_some(), variables).await
    }

    async fn send_keys(&self, place: &Place, name: &str, run: &Run, keys: bool) -> Result<()> {
        let container = self.holder(place, name)?;
        process::send(&container, name, &run.command, keys).await
    }

    async fn screen(&self, place: &Place, name: &str, lines: u32) -> Result<(Process, String)> {
        let container = self.holder(place, name)?;
        process::screen(&container, name, lines).await
    }

    async fn processes(&self, place: &Place) -> Result<Vec<Process>> {
        let mut all = BTreeMap::new();
        for container in self.held(&place.session) {
            for (process, _) in process::list(&container).await? {
                all.insert(process.name.clone(), process);
            }
        }
        Ok(all.into_values().collect())
    }

    async fn kill(&self, place: &Place, name: &str) -> Result<()> {
        let container = self.holder(place, name)?;
        process::kill(&container, name).await
    }

    async fn stop(&self, session: &SessionId) {
        let held = self.held(session);
        self.containers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .retain(|key, _| key.session != *session);
        // By label: one that is just being made, and one that was forgotten, are ended too.
        let all = self.runtime.left(&self.options.instance, Some(session.as_str())).await;
        join_all(all.iter().map(|id| self.runtime.remove(id))).await;
        join_all(held.iter().map(|container| container.planted.ended())).await;
    }

    fn running(&self) -> u64 {
        let containers = self.containers.lock().unwrap_or_else(PoisonError::into_inner);
        let made = containers.iter().filter(|(_, slot)| slot.initialized());
        made.map(|(key, _)| &key.session).collect::<std::collections::HashSet<_>>().len() as u64
    }

    fn image(&self) -> Option<(String, bool)> {
        let ready = *self.ready.lock().unwrap_or_else(PoisonError::into_inner);
        Some((self.recipe.tag(), ready))
    }

    async fn images(&self) -> Result<Vec<Image>> {
        self.runtime.images(&self.recipe.tag()).await
    }

    async fn build(&self) -> Result<Steps> {
        Ok(self.runtime.make_image(self.recipe.clone()))
    }

    async fn remove_images(&self, tag: Option<&str>) -> Result<Vec<String>> {
        let removed = self.remove(tag).await;
        self.look_for_image().await?;
        removed
    }
}
