//! A warm `true` through `Sandboxes::exec` beside the backend's own way to run it, in turns, in the
//! same run: the engine's API, or bubblewrap with the very arguments that ours is run with.
//! Arguments: engine (`docker`, `podman`), socket, image, rounds; or `bubblewrap`, rounds.

use std::fs::File;
use std::os::fd::AsRawFd as _;
use std::path::Path;
use std::time::{Duration, Instant};

use bollard::exec::{CreateExecOptions, StartExecResults};
use bollard::query_parameters::ListContainersOptions;
use bollard::{API_DEFAULT_VERSION, Docker};
use futures_util::StreamExt as _;
use moltis_core::id::{CallId, SessionId};
use moltis_core::policy::{Authorized, Grants, Label, Principal, Verdict, authorize};
use moltis_core::sandbox::{Mount, Network, Place, ProcessAsk, Sandbox as _};
use moltis_core::tool::{Action, Call, Output, Run};
use moltis_sandbox::{Choice, Options, Sandboxes};

/// Shows nothing.
struct Silent;

impl Output for Silent {
    fn push(&self, _: &str) {}
}

/// What is measured against.
enum Own {
    /// An engine, and the container that programs run in.
    Engine(Docker, String),
    /// bubblewrap's arguments up to the command, and the file that is its filter of calls.
    Bubblewrap(Vec<String>, Option<File>),
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let data = tempfile::TempDir::new().expect("a folder");
    let instance = format!("figures{}", std::process::id());
    let mut options = Options::new(data.path().to_owned(), instance.clone());
    let (backend, rounds) = match words[..] {
        ["bubblewrap", rounds] => {
            options.backend = Choice::Bubblewrap;
            ("bubblewrap", rounds)
        }
        [engine, socket, image, rounds] => {
            let podman = engine == "podman";
            options.backend = if podman { Choice::Podman } else { Choice::Docker };
            options.socket = Some(socket.to_owned());
            image.clone_into(&mut options.base_image);
            (engine, rounds)
        }
        _ => panic!("wanted are: engine, socket, image, rounds; or bubblewrap, rounds"),
    };
    let sandbox = Sandboxes::new(options);
    let place = Place {
        session: SessionId::new("figures"),
        workspace: None,
        mount: Mount::None,
        network: Network::None,
    };
    let began = Instant::now();
    sandbox.exec(&place, allowed("true"), &Silent).await.expect("it runs");
    let first = began.elapsed();
    let own = match words[..] {
        [_, socket, ..] if backend != "bubblewrap" => engine(socket, &instance).await,
        _ => bubblewrap(&sandbox, &place, data.path()).await,
    };
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..rounds.parse().expect("a number") {
        let began = Instant::now();
        own.run().await;
        theirs.push(began.elapsed());
        let began = Instant::now();
        let exit = sandbox.exec(&place, allowed("true"), &Silent).await.expect("it runs");
        assert_eq!(exit.code, 0);
        ours.push(began.elapsed());
    }
    sandbox.stop(&place.session).await;
    let (ours, theirs) = (median(ours), median(theirs));
    let ratio = ours.as_secs_f64() / theirs.as_secs_f64();
    println!(
        "{backend}: first {first:.0?}, then ours {ours:.1?}, its own {theirs:.1?}, {ratio:.2}x"
    );
}

async fn engine(socket: &str, instance: &str) -> Own {
    let docker = Docker::connect_with_unix(socket, 60, API_DEFAULT_VERSION).expect("a socket");
    let docker = docker.negotiate_version().await.expect("an engine");
    let label = vec![format!("moltis.instance={instance}")];
    let options = ListContainersOptions {
        filters: Some([("label".to_owned(), label)].into()),
        ..ListContainersOptions::default()
    };
    let found = docker.list_containers(Some(options)).await.expect("a list");
    let id = found[0].id.clone().expect("an id");
    Own::Engine(docker, id)
}

/// Looks at the command line of a sandbox that runs. The control group that systemd may make for it is
/// no part of that.
async fn bubblewrap(sandbox: &Sandboxes, place: &Place, data: &Path) -> Own {
    let start = ProcessAsk::Start { name: "shown".to_owned() };
    sandbox.process(place, allowed("sleep 600"), start).await.expect("it goes on");
    let lines = std::fs::read_dir("/proc").expect("processes").filter_map(|entry| {
        let line = std::fs::read_to_string(entry.ok()?.path().join("cmdline")).ok()?;
        let words: Vec<String> = line.split('\0').map(str::to_owned).collect();
        let ours = line.contains(&*data.to_string_lossy());
        (ours && words[0].ends_with("bwrap")).then_some(words)
    });
    let mut words = lines.into_iter().next().expect("a sandbox");
    sandbox.kill(place, "shown").await.expect("it ends");
    words.truncate(words.iter().position(|word| word == "--").expect("a command"));
    let filter = words.iter().position(|word| word == "--seccomp").map(|at| {
        let file = File::open(data.join("run/sandbox/bubblewrap/filter")).expect("a filter");
        rustix::io::fcntl_setfd(&file, rustix::io::FdFlags::empty()).expect("it is handed down");
        words[at + 1] = file.as_raw_fd().to_string();
        file
    });
    Own::Bubblewrap(words, filter)
}

impl Own {
    async fn run(&self) {
        match self {
            Self::Engine(docker, id) => own(docker, id).await,
            Self::Bubblewrap(words, filter) => {
                if let Some(filter) = filter {
                    rustix::fs::seek(filter, rustix::fs::SeekFrom::Start(0)).expect("it is read");
                }
                let mut command = tokio::process::Command::new(&words[0]);
                command.args(&words[1..]).args(["--", "/bin/sh", "-c", "true"]).env_clear();
                let output = command.output().await.expect("bubblewrap starts");
                assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            }
        }
    }
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

fn allowed(command: &str) -> Authorized<Run> {
    let run = Run {
        command: command.to_owned(),
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
