//! Docker and Podman, through the engine's own API.
//!
//! Not here: what is run in the containers. The invariant: an engine is asked for what a
//! [`Spec`] says and no more ([`request`]); only what carries this daemon's labels is ever ended.

mod container;
mod images;
mod request;
mod sockets;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;
use bollard::query_parameters::ListContainersOptions;
use moltis_core::admin::Steps;
use moltis_core::error::{Code, Error, Result};
use moltis_core::sandbox::Image;
use rustix::process::Resource;
use tokio::time::timeout;

use self::sockets::Found;
pub(crate) use self::sockets::{Kind, usual};
use crate::container::machine::{FILES, most};
use crate::container::proof::Proof;
use crate::container::runtime::{Hold, Runtime};
use crate::container::spec::{INSTANCE, SESSION, Spec, Ulimits};
use crate::image::Recipe;

/// The longest that an engine may take to say what it is.
const ASKED: Duration = Duration::from_secs(60);

/// Processes of a user, where an engine's own value would be refused.
const PROCESSES: u64 = 32_768;

/// An engine.
pub(crate) struct Engine {
    found: Found,
}

impl Engine {
    /// The engine of this kind that listens there, if one does.
    pub(crate) async fn connect(kind: Kind, socket: &Path) -> Result<Self> {
        let asked = timeout(ASKED, sockets::ask(socket)).await;
        let found = asked.map_err(|_| {
            let text = format!("the engine at {} does not answer", socket.display());
            Error::new(Code::Unavailable, text)
        })??;
        if found.kind != kind {
            let text = format!("{} listens at {}", found.kind.name(), socket.display());
            return Err(Error::new(Code::Unavailable, text));
        }
        Ok(Self { found })
    }
}

#[async_trait]
impl Runtime for Engine {
    fn name(&self) -> &str {
        self.found.kind.name()
    }

    fn detail(&self) -> String {
        format!("{} at {}", self.found.version, self.found.socket.display())
    }

    fn lacks(&self) -> Vec<String> {
        let mut lacks = Vec::new();
        if self.found.remapped || (self.found.rootless && self.found.kind == Kind::Docker) {
            let text =
                "the engine's users are others than yours: programs can't change the workspace";
            lacks.push(text.to_owned());
        }
        lacks
    }

    fn no_listed(&self) -> Option<&'static str> {
        None
    }

    fn no_repositories(&self) -> Option<&'static str> {
        None
    }

    fn private(&self) -> Vec<PathBuf> {
        vec![self.found.socket.clone()]
    }

    fn ulimits(&self, _pids: u64) -> Ulimits {
        Ulimits {
            files: most(Resource::Nofile, FILES),
            // Podman sets one of its own as soon as it is given any, and fails where it may not.
            processes: (self.found.kind == Kind::Podman).then(|| most(Resource::Nproc, PROCESSES)),
        }
    }

    fn keeps_id(&self) -> bool {
        self.found.kind == Kind::Podman && self.found.rootless
    }

    async fn create(&self, spec: &Spec) -> Result<(Box<dyn Hold>, Proof)> {
        let (held, proof) = container::create(&self.found.docker, spec).await?;
        Ok((Box::new(held), proof))
    }

    async fn left(&self, instance: &str, session: Option<&str>) -> Vec<String> {
        let mut labels = vec![format!("{INSTANCE}={instance}")];
        labels.extend(session.map(|session| format!("{SESSION}={session}")));
        let options = ListContainersOptions {
            all: true,
            filters: Some(HashMap::from([("label".to_owned(), labels)])),
            ..ListContainersOptions::default()
        };
        match self.found.docker.list_containers(Some(options)).await {
            Ok(all) => all.into_iter().filter_map(|container| container.id).collect(),
            Err(error) => {
                tracing::warn!(%error, "the engine does not list its containers");
                Vec::new()
            }
        }
    }

    async fn remove(&self, id: &str) {
        container::remove(&self.found.docker, id).await;
    }

    async fn has_image(&self, tag: &str) -> Result<bool> {
        images::is_there(&self.found.docker, tag).await
    }

    fn make_image(&self, recipe: Recipe) -> Steps {
        images::make(self.found.docker.clone(), recipe)
    }

    async fn images(&self, current: &str) -> Result<Vec<Image>> {
        images::list(&self.found.docker, current).await
    }

    async fn remove_image(&self, tag: &str) -> Result<()> {
        images::remove(&self.found.docker, tag).await
    }
}
