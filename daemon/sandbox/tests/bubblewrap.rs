//! bubblewrap through the port, as the daemon uses it. The attacks are beside the backend, where
//! single guards can be taken away.

#![cfg(target_os = "linux")]

#[path = "shared/outlet.rs"]
mod outlet;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use moltis_core::error::Code;
use moltis_core::id::{CallId, SessionId};
use moltis_core::policy::{Authorized, Grants, Label, Principal, Verdict, authorize};
use moltis_core::sandbox::{Mount, Network, Place, ProcessAsk, Sandbox as _};
use moltis_core::tool::{Action, Call, Output, Run};
use moltis_sandbox::{Choice, Options, Sandboxes};
use tempfile::TempDir;

use crate::outlet::{Server, Way};

#[derive(Default)]
struct Shown(Mutex<String>);

impl Output for Shown {
    fn push(&self, text: &str) {
        self.0.lock().expect("it is shown by one").push_str(text);
    }
}

/// Whether bubblewrap is here; its absence is said, and fails in CI.
fn missing() -> bool {
    if ["/usr/bin/bwrap", "/bin/bwrap"].iter().any(|path| Path::new(path).exists()) {
        return false;
    }
    assert!(std::env::var_os("CI").is_none_or(|ci| ci != "true"), "CI must have bubblewrap");
    eprintln!("skipped: bubblewrap is not installed");
    true
}

fn allowed(command: &str) -> Authorized<Run> {
    allowed_in(Network::None, command)
}

fn allowed_in(network: Network, command: &str) -> Authorized<Run> {
    let run = Run {
        command: command.to_owned(),
        typed: false,
        directory: String::new(),
        timeout: Duration::from_secs(30),
        network,
        hosts: Vec::new(),
        mount: Mount::ReadWrite,
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

#[tokio::test]
async fn a_machine_without_an_engine_has_a_sandbox() {
    if missing() {
        return;
    }
    let (data, workspace) = (TempDir::new().expect("data"), TempDir::new().expect("a workspace"));
    let mut options = Options::new(data.path().to_owned(), "test".to_owned());
    options.backend = Choice::Bubblewrap;
    let sandbox = Sandboxes::new(options);
    assert_eq!(sandbox.status().backend, None, "nothing is known before it is looked for");
    let status = sandbox.probe().await;
    assert_eq!(status.backend.as_deref(), Some("bubblewrap"), "{}", status.detail);
    assert!(status.lacks.iter().any(|lack| lack.contains("not all of it")), "{:?}", status.lacks);
    let place = Place {
        session: SessionId::new("test"),
        workspace: Some(workspace.path().to_owned()),
        mount: Mount::ReadWrite,
        network: Network::None,
    };
    let shown = Shown::default();
    let exit = sandbox.exec(&place, allowed("echo text | tee file; exit 4"), &shown).await;
    let exit = exit.expect("it runs");
    assert_eq!((exit.code, exit.stdout.as_str()), (4, "text\n"));
    assert_eq!(shown.0.lock().expect("shown").as_str(), "text\n");
    let file = std::fs::read_to_string(workspace.path().join("file"));
    assert_eq!(file.expect("it stays"), "text\n");
    let start = ProcessAsk::Start { name: "serve".to_owned() };
    match sandbox.process(&place, allowed("sleep 73001"), start).await {
        Ok(()) => assert_eq!(sandbox.status().running, 1),
        Err(error) => assert_eq!(error.code, Code::NotConfigured, "{error}"),
    }
    sandbox.stop(&place.session).await;
    assert_eq!(sandbox.status().running, 0);
    assert!(sandbox.images().await.expect("there are none").is_empty());
    assert_eq!(sandbox.build().await.map(drop).expect_err("none").code, Code::Invalid);
}

/// A sandbox with this way out, without a workspace, and its daemon's data.
async fn listed(way: &Arc<Way>) -> (Arc<Sandboxes>, TempDir) {
    let data = TempDir::new().expect("data");
    let mut options = Options::new(data.path().to_owned(), "test".to_owned());
    options.backend = Choice::Bubblewrap;
    options.outlet = Some(way.clone());
    let sandbox = Sandboxes::new(options);
    let status = sandbox.probe().await;
    assert_eq!(status.backend.as_deref(), Some("bubblewrap"), "{}", status.detail);
    (sandbox, data)
}

async fn sh(sandbox: &Sandboxes, command: &str) -> (i64, String) {
    let place = Place {
        session: SessionId::new("test"),
        workspace: None,
        mount: Mount::None,
        network: Network::Listed,
    };
    let shown = Shown::default();
    let exit = sandbox.exec(&place, allowed_in(Network::Listed, command), &shown).await;
    let exit = exit.expect("it runs");
    (exit.code, exit.stdout + &exit.stderr)
}

/// The folders of the openings that there are.
fn openings(data: &TempDir) -> Vec<PathBuf> {
    let all = std::fs::read_dir(data.path().join("run/sandbox/openings"));
    all.map(|all| all.flatten().map(|entry| entry.path()).collect()).unwrap_or_default()
}

/// Asks as programs do that know of proxies, and as those that want a connection of their own.
fn ways(server: &Server) -> [String; 2] {
    let Server { host, port, .. } = server;
    [
        format!("curl -fsSm 10 http://{host}/"),
        format!("curl -fsSm 10 --proxytunnel http://127.0.0.2:{port}/"),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn listed_hosts_are_reached_and_nothing_else_is() {
    if missing() {
        return;
    }
    let (host, other) = (Server::start(), Server::start());
    let way = Way::to(&[&host.host], &[&host.host, &other.host]);
    let (sandbox, data) = listed(&way).await;
    for ask in ways(&host) {
        assert_eq!(sh(&sandbox, &ask).await, (0, "reached\n".to_owned()), "{ask}");
        assert_eq!(openings(&data), Vec::<PathBuf>::new(), "it is gone with the command");
    }
    for ask in ways(&other) {
        let (code, said) = sh(&sandbox, &ask).await;
        assert!(code != 0 && said.contains("403"), "{ask}: {said}");
    }
    let (_, said) = sh(&sandbox, &format!("curl -sm 10 http://{}/", other.host)).await;
    assert!(said.contains("is not in `sandbox.allow_hosts`"), "{said}");
    for around in [
        format!("curl -fsSm 3 --noproxy '*' http://{}/", host.host),
        "curl -fsSm 3 --noproxy '*' http://1.1.1.1/".to_owned(),
        "getent hosts example.org".to_owned(),
        "touch /run/moltis/x".to_owned(),
        "rm /run/moltis/proxy".to_owned(),
        "test $(grep -c : /proc/net/dev) != 1".to_owned(),
    ] {
        let (code, said) = sh(&sandbox, &around).await;
        assert_ne!(code, 0, "{around}: {said}");
    }
    assert_eq!((host.came(), other.came()), (2, 0));
    // The counterpart: what kept them away is the list.
    way.list(&[&other.host]);
    for ask in ways(&other) {
        assert_eq!(sh(&sandbox, &ask).await, (0, "reached\n".to_owned()), "{ask}");
    }
    assert_eq!(sandbox.status().running, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_goes_on_has_its_way_out_until_it_ends() {
    if missing() {
        return;
    }
    let host = Server::start();
    let (sandbox, data) = listed(&Way::to(&[&host.host], &[&host.host])).await;
    let place = Place {
        session: SessionId::new("test"),
        workspace: None,
        mount: Mount::None,
        network: Network::Listed,
    };
    let command = format!("curl -fsSm 10 http://{}/; read line", host.host);
    let start = ProcessAsk::Start { name: "serve".to_owned() };
    sandbox.process(&place, allowed_in(Network::Listed, &command), start).await.expect("it starts");
    let screen = async {
        loop {
            let screen = sandbox.screen(&place, "serve", 10).await.expect("it goes on").1;
            if !screen.is_empty() {
                return screen;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let screen = tokio::time::timeout(Duration::from_secs(20), screen).await;
    assert_eq!(screen.expect("it shows something"), "reached");
    assert_eq!(openings(&data).len(), 1);
    sandbox.stop(&place.session).await;
    assert_eq!(openings(&data), Vec::<PathBuf>::new());
}
