//! Stands in for a daemon that is killed: holds a container with a program in it until it ends.
//! Arguments: engine, socket, image, instance, seconds, workspace. Its network is listed, and leads
//! nowhere.

use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use moltis_core::id::{CallId, SessionId};
use moltis_core::policy::{Authorized, Grants, Label, Principal, Verdict, authorize};
use moltis_core::sandbox::{Mount, Network, Outlet, Place, Sandbox as _};
use moltis_core::tool::{Action, Call, Output, Run};
use moltis_sandbox::{Choice, Options, Sandboxes};

/// Shows what is printed.
struct Print;

impl Output for Print {
    fn push(&self, text: &str) {
        print!("{text}");
    }
}

/// Leads nowhere.
struct Nowhere;

#[async_trait::async_trait]
impl Outlet for Nowhere {
    fn hosts(&self) -> Vec<String> {
        Vec::new()
    }

    async fn serve(&self, _: &SessionId, _: UnixStream) {}
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [engine, socket, image, instance, seconds, workspace] = &arguments[..] else {
        panic!("six arguments are wanted");
    };
    let workspace = PathBuf::from(workspace);
    let mut options = Options::new(workspace.join("data"), instance.clone());
    options.backend = if engine == "podman" { Choice::Podman } else { Choice::Docker };
    options.socket = Some(socket.clone());
    options.base_image.clone_from(image);
    options.outlet = Some(Arc::new(Nowhere));
    let place = Place {
        session: SessionId::new("held"),
        workspace: None,
        mount: Mount::None,
        network: Network::Listed,
    };
    let command = format!(
        "(env -i setsid sleep {seconds} &) ; trap '' TERM HUP; echo running; sleep {seconds}"
    );
    let sandbox = Sandboxes::new(options);
    sandbox.exec(&place, allowed(&command), &Print).await.expect("it runs");
}

fn allowed(command: &str) -> Authorized<Run> {
    let run = Run {
        command: command.to_owned(),
        typed: false,
        directory: String::new(),
        timeout: Duration::from_secs(600),
        network: Network::Listed,
        hosts: Vec::new(),
        mount: Mount::None,
    };
    let call = Call {
        id: CallId::new("call"),
        tool: "exec".to_owned(),
        arguments: serde_json::Value::Null,
        action: Action::Run(run),
    };
    match authorize(Principal::Owner, call, Label::CLEAN, &Grants::default()) {
        Verdict::Allowed(call) => call.run().expect("it runs a program"),
        Verdict::Ask(_) | Verdict::Denied(_) => panic!("the owner may"),
    }
}
