//! The port, over the backend that was chosen.
//!
//! Looking for one takes as long as an engine takes to answer, so it is done when asked for and its
//! result is kept. The invariant: nothing runs before a backend has proved itself, and nothing runs
//! anywhere else when there is none.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use moltis_core::admin::Steps;
use moltis_core::error::{Code, Error, Result};
use moltis_core::id::SessionId;
use moltis_core::policy::Authorized;
use moltis_core::sandbox::{Exit, Image, Place, Process, ProcessAsk, Sandbox, SandboxStatus};
use moltis_core::tool::{Output, Run};
use tokio::sync::Mutex as AsyncMutex;

use crate::apple::Apple;
use crate::backend::Backend;
use crate::container::Containers;
use crate::container::runtime::Runtime;
use crate::engine::{Engine, Kind, usual};
use crate::opening::Openings;
use crate::options::{Choice, Options};

/// Which backend is taken, where the configuration leaves it open: the first that proves itself.
const ORDER: &[Choice] = if cfg!(target_os = "macos") {
    &[Choice::AppleContainer, Choice::Docker, Choice::Podman]
} else {
    &[Choice::Docker, Choice::Podman, Choice::Bubblewrap]
};

/// What mends it where there is no backend.
const HINT: &str = if cfg!(target_os = "macos") {
    "run `container system start`, or start Docker or Podman, then `moltis sandbox status`"
} else {
    "start Docker or Podman, or install bubblewrap, then `moltis sandbox status`"
};

/// Where programs run.
pub struct Sandboxes {
    options: Options,
    openings: Openings,
    /// The backend that proved itself.
    backend: Mutex<Option<Arc<dyn Backend>>>,
    /// Why there is none, and what mends it.
    trouble: Mutex<Option<Error>>,
    /// One at a time looks for one.
    looking: AsyncMutex<()>,
}

impl Sandboxes {
    /// Nothing is looked for yet: [`Sandbox::probe`] does, or the first program.
    pub fn new(options: Options) -> Arc<Self> {
        let openings = Openings::new(&options.data_dir, options.outlet.clone());
        openings.sweep();
        Arc::new(Self {
            openings,
            options,
            backend: Mutex::default(),
            trouble: Mutex::default(),
            looking: AsyncMutex::default(),
        })
    }

    /// Removes every way out, for the end of the daemon: what runs ends when it lets go, and nobody
    /// waits for that.
    pub fn close(&self) {
        self.openings.sweep();
    }

    fn chosen(&self) -> Option<Arc<dyn Backend>> {
        self.backend.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The backend; looks for one if there is none yet.
    async fn backend(&self) -> Result<Arc<dyn Backend>> {
        if let Some(backend) = self.chosen() {
            return Ok(backend);
        }
        let _one = self.looking.lock().await;
        if let Some(backend) = self.chosen() {
            return Ok(backend);
        }
        self.look().await
    }

    /// Looks for a backend that proves itself. Held alone.
    async fn look(&self) -> Result<Arc<dyn Backend>> {
        let looked = match self.options.backend {
            Choice::None => {
                let text = "the configuration wants no sandbox";
                let hint = "moltis config set sandbox.backend auto";
                Err(Error::new(Code::NotConfigured, text).with_hint(hint))
            }
            Choice::Auto => self.first(ORDER).await,
            one => self.one(one).await,
        };
        let (backend, trouble) = match &looked {
            Ok(backend) => (Some(Arc::clone(backend)), None),
            Err(error) => (None, Some(error.clone())),
        };
        *self.backend.lock().unwrap_or_else(PoisonError::into_inner) = backend;
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = trouble;
        looked
    }

    async fn first(&self, choices: &[Choice]) -> Result<Arc<dyn Backend>> {
        let mut reasons = Vec::new();
        for choice in choices {
            match self.one(*choice).await {
                Ok(backend) => return Ok(backend),
                Err(error) => reasons.push(error.message),
            }
        }
        Err(Error::new(Code::NotConfigured, reasons.join("; ")).with_hint(HINT))
    }

    async fn one(&self, choice: Choice) -> Result<Arc<dyn Backend>> {
        let tried = match choice {
            Choice::Docker => self.engine(Kind::Docker).await,
            Choice::Podman => self.engine(Kind::Podman).await,
            Choice::AppleContainer => self.apple().await,
            Choice::Bubblewrap => self.bubblewrap().await,
            Choice::Auto | Choice::None => {
                Err(Error::new(Code::NotConfigured, "no backend is chosen"))
            }
        };
        tried.map_err(|error| if error.hint.is_none() { error.with_hint(HINT) } else { error })
    }

    async fn apple(&self) -> Result<Arc<dyn Backend>> {
        let apple = Apple::find(&self.options.path, &self.options.data_dir).await?;
        self.proved(Box::new(apple)).await
    }

    #[cfg(target_os = "linux")]
    async fn bubblewrap(&self) -> Result<Arc<dyn Backend>> {
        let backend = crate::bubblewrap::Bubblewrap::find(&self.options).await?;
        backend.probe().await?;
        Ok(Arc::new(backend))
    }

    /// There are no namespaces to make a sandbox of.
    #[cfg(not(target_os = "linux"))]
    async fn bubblewrap(&self) -> Result<Arc<dyn Backend>> {
        Err(Error::new(Code::NotConfigured, "bubblewrap is for Linux"))
    }

    /// The containers of a runtime that has proved itself.
    async fn proved(&self, runtime: Box<dyn Runtime>) -> Result<Arc<dyn Backend>> {
        let containers = Containers::new(runtime, &self.options)?;
        containers.sweep().await;
        containers.probe().await?;
        Ok(Arc::new(containers))
    }

    async fn engine(&self, kind: Kind) -> Result<Arc<dyn Backend>> {
        let places = match &self.options.socket {
            Some(socket) => vec![PathBuf::from(socket.trim_start_matches("unix://"))],
            None => usual(kind, |name| std::env::var(name).ok()),
        };
        let mut reason = format!("no socket of {}", kind.name());
        for place in places {
            if !tokio::fs::try_exists(&place).await.unwrap_or(false) {
                continue;
            }
            match Engine::connect(kind, &place).await {
                Ok(engine) => {
                    return self.proved(Box::new(engine)).await;
                }
                Err(error) => reason = error.message,
            }
        }
        Err(Error::new(Code::NotConfigured, reason))
    }
}

#[async_trait]
impl Sandbox for Sandboxes {
    fn status(&self) -> SandboxStatus {
        let trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let Some(backend) = self.chosen() else {
            return SandboxStatus {
                looked: trouble.is_some(),
                detail: trouble
                    .as_ref()
                    .map_or("not looked for yet", |error| &error.message)
                    .to_owned(),
                hint: trouble.and_then(|error| error.hint),
                hosts: self.openings.hosts(),
                ..SandboxStatus::default()
            };
        };
        let (image, image_ready) = backend.image().unwrap_or_default();
        SandboxStatus {
            backend: Some(backend.name().to_owned()),
            looked: true,
            detail: backend.detail(),
            hint: None,
            lacks: backend.lacks(),
            image,
            image_ready,
            running: backend.running(),
            hosts: self.openings.hosts(),
        }
    }

    async fn exec(&self, place: &Place, run: Authorized<Run>, output: &dyn Output) -> Result<Exit> {
        self.backend().await?.exec(place, run.what(), output).await
    }

    async fn process(&self, place: &Place, run: Authorized<Run>, ask: ProcessAsk) -> Result<()> {
        let backend = self.backend().await?;
        match ask {
            ProcessAsk::Start { name } => backend.start(place, &name, run.what()).await,
            ProcessAsk::SendKeys { name, keys } => {
                backend.send_keys(place, &name, run.what(), keys).await
            }
        }
    }

    async fn screen(&self, place: &Place, name: &str, lines: u32) -> Result<(Process, String)> {
        self.backend().await?.screen(place, name, lines).await
    }

    async fn processes(&self, place: &Place) -> Result<Vec<Process>> {
        match self.chosen() {
            Some(backend) => backend.processes(place).await,
            None => Ok(Vec::new()),
        }
    }

    async fn kill(&self, place: &Place, name: &str) -> Result<()> {
        self.backend().await?.kill(place, name).await
    }

    async fn stop(&self, session: &SessionId) {
        // Without a backend nothing runs.
        if let Some(backend) = self.chosen() {
            backend.stop(session).await;
        }
    }

    async fn probe(&self) -> SandboxStatus {
        let _one = self.looking.lock().await;
        // One that proves itself again keeps its sandboxes; those of one that does not end with it.
        let proved = match self.chosen() {
            Some(backend) => backend.probe().await.is_ok(),
            None => false,
        };
        if !proved {
            drop(self.look().await);
        }
        self.status()
    }

    async fn images(&self) -> Result<Vec<Image>> {
        self.backend().await?.images().await
    }

    async fn build(&self) -> Result<Steps> {
        self.backend().await?.build().await
    }

    async fn remove_images(&self, tag: Option<&str>) -> Result<Vec<String>> {
        self.backend().await?.remove_images(tag).await
    }
}
