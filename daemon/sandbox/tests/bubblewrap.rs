//! bubblewrap through the port, as the daemon uses it. The attacks are beside the backend, where
//! single guards can be taken away.

#![cfg(target_os = "linux")]

use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

use moltis_core::error::Code;
use moltis_core::id::{CallId, SessionId};
use moltis_core::policy::{Authorized, Grants, Label, Principal, Verdict, authorize};
use moltis_core::sandbox::{Mount, Network, Place, ProcessAsk, Sandbox as _};
use moltis_core::tool::{Action, Call, Output, Run};
use moltis_sandbox::{Choice, Options, Sandboxes};
use tempfile::TempDir;

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
    let run = Run {
        command: command.to_owned(),
        typed: false,
        directory: String::new(),
        timeout: Duration::from_secs(30),
        network: Network::None,
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
    assert!(status.lacks.iter().any(|lack| lack.contains("no network")), "{:?}", status.lacks);
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
