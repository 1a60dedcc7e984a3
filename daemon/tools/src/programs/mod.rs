//! Tools that run programs, all of them in the sandbox.
//!
//! Not here: containing them (`sandbox`). The invariant: what runs is the run that was authorized;
//! where it sees the workspace and what it reaches are the scene's, never the model's to say.

pub(crate) mod exec;
pub(crate) mod process;
mod told;

use std::time::Duration;

use moltis_core::event::Origin;
use moltis_core::sandbox::{Network, Place};
use moltis_core::tool::{Run, Scene};

use crate::jail::Inside;

/// The sandbox of a scene.
fn place(scene: &Scene) -> Place {
    Place {
        session: scene.session.clone(),
        workspace: scene.workspace.clone(),
        mount: scene.mount,
        network: scene.network,
    }
}

/// Where what a program prints comes from: the workspace, or whatever it can reach.
fn origin(network: Network) -> Origin {
    match network {
        Network::None => Origin::Workspace,
        Network::Listed | Network::Open => Origin::Web,
    }
}

/// A run in a directory of the workspace.
fn run(
    command: &str,
    directory: Option<&str>,
    timeout: Duration,
    scene: &Scene,
) -> Result<Run, String> {
    if command.trim().is_empty() || command.contains('\0') {
        return Err("the command is empty or has a zero byte".to_owned());
    }
    let directory = Inside::parse(directory.unwrap_or_default(), scene.workspace.as_deref())
        .map_err(|wrong| format!("working_dir: {wrong}; elsewhere in the sandbox, use `cd`"))?;
    if scene.workspace.is_none() && !directory.as_str().is_empty() {
        return Err("working_dir: the session works on no directory; leave it out".to_owned());
    }
    Ok(Run {
        command: command.to_owned(),
        typed: false,
        directory: directory.as_str().to_owned(),
        timeout,
        network: scene.network,
        hosts: match scene.network {
            Network::Listed => scene.hosts.clone(),
            Network::None | Network::Open => Vec::new(),
        },
        mount: scene.mount,
    })
}
