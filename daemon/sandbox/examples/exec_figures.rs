//! A warm `true` through `Sandboxes::exec` beside the engine's own API, in turns, in the same run.
//! Arguments: engine (`docker`, `podman`), socket, image, rounds.

use std::time::{Duration, Instant};

use bollard::exec::{CreateExecOptions, StartExecResults};
use bollard::query_parameters::ListContainersOptions;
use bollard::{API_DEFAULT_VERSION, Docker};
use futures_util::StreamExt as _;
use moltis_core::id::{CallId, SessionId};
use moltis_core::policy::{Authorized, Grants, Label, Principal, Verdict, authorize};
use moltis_core::sandbox::{Mount, Network, Place, Sandbox as _};
use moltis_core::tool::{Action, Call, Output, Run};
use moltis_sandbox::{Choice, Options, Sandboxes};

/// Shows nothing.
struct Silent;

impl Output for Silent {
    fn push(&self, _: &str) {}
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [engine, socket, image, rounds] = &arguments[..] else {
        panic!("four arguments are wanted: engine, socket, image, rounds");
    };
    let data = std::env::temp_dir();
    let instance = format!("figures{}", std::process::id());
    let mut options = Options::new(data.join(&instance), instance.clone());
    options.backend = if engine == "podman" { Choice::Podman } else { Choice::Docker };
    options.socket = Some(socket.clone());
    options.base_image.clone_from(image);
    let sandbox = Sandboxes::new(options);
    let place = Place {
        session: SessionId::new("figures"),
        workspace: None,
        mount: Mount::None,
        network: Network::None,
    };
    let began = Instant::now();
    sandbox.exec(&place, allowed(), &Silent).await.expect("it runs");
    let first = began.elapsed();
    let docker = Docker::connect_with_unix(socket, 60, API_DEFAULT_VERSION).expect("a socket");
    let docker = docker.negotiate_version().await.expect("an engine");
    let label = vec![format!("moltis.instance={instance}")];
    let options = ListContainersOptions {
        filters: Some([("label".to_owned(), label)].into()),
        ..ListContainersOptions::default()
    };
    let found = docker.list_containers(Some(options)).await.expect("a list");
    let id = found[0].id.clone().expect("an id");
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..rounds.parse().expect("a number") {
        let began = Instant::now();
        own(&docker, &id).await;
        theirs.push(began.elapsed());
        let began = Instant::now();
        let exit = sandbox.exec(&place, allowed(), &Silent).await.expect("it runs");
        assert_eq!(exit.code, 0);
        ours.push(began.elapsed());
    }
    sandbox.stop(&place.session).await;
    let (ours, theirs) = (median(ours), median(theirs));
    let ratio = ours.as_secs_f64() / theirs.as_secs_f64();
    println!(
        "{engine}: first {first:.0?}, then ours {ours:.1?}, the engine's own {theirs:.1?}, {ratio:.2}x"
    );
}

/// As the engine's own client does it: create, start, read to the end, inspect.
async fn own(docker: &Docker, id: &str) {
    let options = CreateExecOptions {
        attach_stdout: Some(true),
        attach_stderr: Some(true),
        cmd: Some(vec!["true"]),
        ..CreateExecOptions::default()
    };
    let made = docker.create_exec(id, options).await.expect("it is made");
    if let StartExecResults::Attached { mut output, .. } =
        docker.start_exec(&made.id, None).await.expect("it starts")
    {
        while output.next().await.is_some() {}
    }
    docker.inspect_exec(&made.id).await.expect("it is known");
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

fn allowed() -> Authorized<Run> {
    let run = Run {
        command: "true".to_owned(),
        typed: false,
        directory: String::new(),
        timeout: Duration::from_secs(60),
        network: Network::None,
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
