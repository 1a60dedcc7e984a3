//! Apple's `container`: each container is a virtual machine of its own, made by a command line.
//!
//! There is no Mac where this is tested, so everything that is asked of the program is from its own
//! documents and source, <https://github.com/apple/container> at the tags 0.12.0, 1.0.0 and 1.2.2, and
//! of <https://github.com/apple/containerization> at 0.31.0 and 0.40.1, which these build on. Each fact
//! names its file beside it. The parts: [`command`] runs the program, [`arguments`] is what a container
//! is asked for by, [`told`] what the program answers, [`hold`] a container that runs, [`images`] what
//! containers are made of.
//!
//! A machine of its own makes some things other than with Docker: memory and processors are those of
//! the machine; the number of processes is limited for the only user there is and not for the machine;
//! calls are not filtered, but the kernel that they reach is no one else's. Not here: what is run in
//! the containers. The invariant: what the program can't give of the walls of a sandbox is an error
//! ([`oldest`](OLDEST), and the proof of each container), and of its limits a sentence; so is that
//! single hosts and the repositories of worktrees can't be reached, and the former is refused.

mod arguments;
mod command;
mod hold;
mod images;
mod told;

use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;
use moltis_core::admin::Steps;
use moltis_core::error::{Code, Error, Result};
use moltis_core::sandbox::Image;
use rustix::process::Resource;
use tokio::time::timeout;

use self::command::Program;
use crate::container::machine::{FILES, most};
use crate::container::proof::Proof;
use crate::container::runtime::{Hold, Runtime};
use crate::container::spec::{Spec, Ulimits};
use crate::image::Recipe;

/// The oldest version that gives every wall: `--cap-drop` is there since 0.12.0, `--ulimit` since
/// 0.9.0, `--read-only` since 0.8.0 (`Flags.swift` of each tag).
const OLDEST: (u64, u64, u64) = (0, 12, 0);

/// The longest that the program may take to say what it is; it gives its service ten seconds
/// (`SystemStatus.swift`, 1.2.2).
const ASKED: Duration = Duration::from_secs(20);

/// The longest that it may take to end a container.
const END: Duration = Duration::from_millis(1900);

/// Apple's `container`.
pub(crate) struct Apple {
    program: Program,
    version: String,
    /// The daemon's own folder for what is built.
    own: PathBuf,
}

impl Apple {
    /// Looks for the program in these folders, and whether its service runs.
    ///
    /// # Errors
    /// Where it is not there, too old, or its service does not run.
    pub(crate) async fn find(path: &[PathBuf], data_dir: &Path) -> Result<Self> {
        let found = path.iter().map(|folder| folder.join("container")).find(|file| file.is_file());
        let Some(file) = found else {
            return Err(Error::new(
                Code::NotConfigured,
                "Apple's `container` is not on this machine",
            )
            .with_hint("install it from github.com/apple/container, or choose another backend"));
        };
        let program = Program::new(file);
        let said = program.ask(&["--version"], ASKED).await?;
        let Some(version) = told::version(&said) else {
            let text = format!("`container` is not Apple's: it says `{}`", said.trim());
            return Err(Error::new(Code::NotConfigured, text));
        };
        let text = format!("{}.{}.{}", version.0, version.1, version.2);
        if version < OLDEST {
            let text = format!("Apple's `container` {text} can't take capabilities away");
            let hint = "0.12.0 and newer can: update it, or choose another backend";
            return Err(Error::new(Code::NotConfigured, text).with_hint(hint));
        }
        program.service(ASKED).await?;
        Ok(Self { program, version: text, own: data_dir.join("sandbox").join("build") })
    }
}

#[async_trait]
impl Runtime for Apple {
    fn name(&self) -> &str {
        "apple-container"
    }

    fn detail(&self) -> String {
        format!("{} at {}", self.version, self.program.file().display())
    }

    fn lacks(&self) -> Vec<String> {
        let text = "a program that leaves others behind, which still print, is told as failed after \
                    three seconds";
        vec![text.to_owned()]
    }

    fn no_listed(&self) -> Option<&'static str> {
        // What it mounts is shared with another kernel, where a socket's file leads to nothing.
        Some(
            "single hosts can't be allowed: no socket leads out of a virtual machine of Apple's \
             `container`; the network is none, or open",
        )
    }

    fn no_repositories(&self) -> Option<&'static str> {
        // They are mounted in a folder in memory, and nothing says which of the two comes first.
        Some("in a git worktree, git does not work: its repository is elsewhere and is not seen")
    }

    fn private(&self) -> Vec<PathBuf> {
        // What it keeps: images, containers, the socket that nothing inside may reach
        // (`ApplicationRoot.swift`, 1.2.2).
        let home = std::env::var_os("HOME").map(PathBuf::from).into_iter();
        home.map(|home| home.join("Library/Application Support/com.apple.container")).collect()
    }

    fn ulimits(&self, pids: u64) -> Ulimits {
        Ulimits {
            files: most(Resource::Nofile, FILES),
            processes: Some(i64::try_from(pids).unwrap_or(i64::MAX)),
        }
    }

    fn keeps_id(&self) -> bool {
        false
    }

    async fn create(&self, spec: &Spec) -> Result<(Box<dyn Hold>, Proof)> {
        let (held, proof) = hold::create(&self.program, spec).await?;
        Ok((Box::new(held), proof))
    }

    async fn left(&self, instance: &str, session: Option<&str>) -> Vec<String> {
        match self.program.containers().await {
            Ok(all) => all
                .into_iter()
                .filter(|one| one.is_of(instance, session))
                .map(|one| one.id)
                .collect(),
            Err(error) => {
                tracing::warn!(%error, "Apple's `container` does not list its containers");
                Vec::new()
            }
        }
    }

    async fn remove(&self, id: &str) {
        remove(&self.program, id).await;
    }

    async fn has_image(&self, tag: &str) -> Result<bool> {
        let all = self.program.images().await?;
        Ok(all.iter().any(|image| image.is_called(tag)))
    }

    fn make_image(&self, recipe: Recipe) -> Steps {
        images::make(self.program.clone(), self.own.clone(), recipe)
    }

    async fn images(&self, current: &str) -> Result<Vec<Image>> {
        Ok(told::ours(self.program.images().await?, current))
    }

    async fn remove_image(&self, tag: &str) -> Result<()> {
        self.program.ask(&["image", "delete", tag], ASKED).await.map(drop)
    }
}

/// Ends a container and waits until it has gone, but not for ever.
///
/// One that has just ended goes by itself, and one that is stopping can't be deleted
/// (`ContainersService.swift`, 1.2.2): both are asked for again.
async fn remove(program: &Program, id: &str) {
    let removing = async {
        let mut pause = Duration::from_millis(20);
        loop {
            let deleted = program.ask(&["delete", "--force", id], ASKED).await;
            if deleted.is_ok() {
                return;
            }
            if program.containers().await.is_ok_and(|all| all.iter().all(|one| one.id != id)) {
                return;
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(Duration::from_millis(200));
        }
    };
    if timeout(END, removing).await.is_err() {
        tracing::warn!(container = id, "Apple's `container` did not end a container in time");
    }
}
