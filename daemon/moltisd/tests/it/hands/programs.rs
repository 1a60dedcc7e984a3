//! Programs of agents in every sandbox that there is: what they say, what they can't reach, that what
//! they change can be undone, and that they end.
//!
//! `MOLTIS_TEST_DOCKER` and `MOLTIS_TEST_PODMAN` name sockets of engines; `.ci/engines` starts both.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::time::{Duration, Instant};

use moltis_proto::v1;
use moltis_proto::v1::event::Kind;
use serde_json::json;

use super::{Scene, has_bubblewrap};
use crate::spine::turn_end;

/// What `.ci/engines` imports.
const IMAGE: &str = "moltis-test-base:1";

/// The sandboxes that there are: name and socket.
pub(super) fn sandboxes() -> Vec<(&'static str, String)> {
    let mut found = Vec::new();
    if has_bubblewrap() {
        found.push(("bubblewrap", String::new()));
    }
    for (name, variable) in [("docker", "MOLTIS_TEST_DOCKER"), ("podman", "MOLTIS_TEST_PODMAN")] {
        match std::env::var(variable) {
            Ok(socket) => found.push((name, socket)),
            Err(_) => {
                let is_ci = std::env::var_os("CI").is_some_and(|ci| ci == "true");
                assert!(!is_ci, "CI must have {name}: {variable} is not set");
                eprintln!("skipped: {variable} is not set");
            }
        }
    }
    found
}

pub(super) async fn scene(sandbox: &(&'static str, String)) -> Scene {
    scene_with(sandbox, &[]).await
}

/// A scene in this sandbox, with these settings besides.
pub(super) async fn scene_with(
    (backend, socket): &(&'static str, String),
    settings: &[(&str, &str)],
) -> Scene {
    let sandbox = [
        ("SANDBOX__BACKEND", *backend),
        ("SANDBOX__SOCKET", socket.as_str()),
        ("SANDBOX__IMAGE", IMAGE),
        ("SANDBOX__PACKAGES", ""),
    ];
    let scene = Scene::new(&[&sandbox, settings].concat()).await;
    // Where root runs the tests, programs in containers are somebody else.
    fs::set_permissions(scene.workspace(), fs::Permissions::from_mode(0o777)).unwrap();
    let status = scene.daemon.sandbox().probe(v1::SandboxProbeRequest {}).await.unwrap();
    let status = status.into_inner();
    assert_eq!(status.backend, *backend, "{status:?}");
    scene
}

/// Whether a process of this machine has this command line.
fn is_on_machine(wanted: &str) -> bool {
    fs::read_dir("/proc").unwrap().flatten().any(|entry| {
        let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&line).replace('\0', " ").trim() == wanted
    })
}

/// Waits until it is so; `false` when it is not within that time.
async fn within(limit: Duration, is_so: impl Fn() -> bool) -> bool {
    let began = Instant::now();
    while !is_so() {
        if began.elapsed() > limit {
            return false;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    true
}

/// A command that nobody else on this machine runs, and goes on for long.
fn long_sleep(sandbox: &str, number: u32) -> String {
    let own = std::process::id() % 100_000 * 100 + number * 10;
    format!("sleep {}", 10_000_000 + own + u32::try_from(sandbox.len()).unwrap() % 10)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_is_told_reaches_no_network_and_is_undone() {
    for sandbox in sandboxes() {
        let scene = scene(&sandbox).await;
        let host = scene.vendor.address();
        let (name, port) = host.split_once(':').unwrap();
        // Whichever of these a sandbox has: that one works is seen below.
        let reach = format!(
            "curl -sm3 http://{host}/reached || wget -T3 -qO- http://{host}/reached || \
             bash -c 'echo GET /reached HTTP/1.0 >/dev/tcp/{name}/{port}'"
        );
        let command =
            format!("echo heron $((6 * 7)); echo made >shell.txt; ({reach}) 2>&1; exit 3");
        scene.vendor.calls(&[("exec", json!({ "command": command }))]);
        let end = scene.turn("go").await;
        assert_eq!(end.ending(), v1::Ending::Done, "{end:?}");
        let told = scene.told().remove(0);
        assert!(told.contains("heron 42") && told.contains('3'), "{sandbox:?}: {told}");
        let reached =
            || scene.vendor.requests().iter().any(|request| request.path.contains("/reached"));
        assert!(!reached(), "{sandbox:?}: {told}");
        let made = scene.workspace().join("shell.txt");
        assert_eq!(fs::read_to_string(&made).unwrap(), "made\n", "{sandbox:?}");
        assert!(scene.diff().await.text.contains("+made"), "{sandbox:?}");
        scene.undo("undo").await.unwrap();
        assert!(!made.exists(), "{sandbox:?}");

        let outside = tokio::process::Command::new("sh").args(["-c", &reach]).output().await;
        assert!(reached(), "out of the sandbox it does reach: {outside:?}");
        assert_eq!(scene.daemon.stop().await, Some(0), "{sandbox:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_command_leaves_no_process_within_two_seconds() {
    for sandbox in sandboxes() {
        let scene = scene(&sandbox).await;
        let sleep = long_sleep(sandbox.0, 1);
        let away = long_sleep(sandbox.0, 2);
        let command = format!("(setsid {away} &) ; {sleep}");
        scene.vendor.calls(&[("exec", json!({"command": command, "timeout": 1_000}))]);
        let turn = scene.send("go").await;
        scene.until(|kind| matches!(kind, Kind::ToolStarted(_))).await;
        let runs = || is_on_machine(&sleep) && is_on_machine(&away);
        assert!(within(Duration::from_secs(30), runs).await, "{sandbox:?}: it never ran");
        let began = Instant::now();
        let stop = v1::StopRequest {
            session: scene.session.clone(),
            op_id: "stop".to_owned(),
            ..v1::StopRequest::default()
        };
        scene.daemon.sessions().stop(stop).await.unwrap();
        let acknowledged = began.elapsed();
        let gone = || !is_on_machine(&sleep) && !is_on_machine(&away);
        let is_gone = within(Duration::from_secs(2), gone).await;
        let end = turn_end(&scene.daemon, &scene.session, &turn).await;
        eprintln!(
            "{}: acknowledged after {acknowledged:?}, gone after {:?}",
            sandbox.0,
            began.elapsed()
        );
        assert!(is_gone, "{sandbox:?}: something is left after {:?}", began.elapsed());
        assert!(acknowledged < Duration::from_secs(2), "{sandbox:?}: {acknowledged:?}");
        assert_eq!(end.ending(), v1::Ending::Cancelled, "{sandbox:?}");
        assert_eq!(scene.endings("exec").await, ["cancelled"], "{sandbox:?}");
        assert_eq!(scene.daemon.stop().await, Some(0), "{sandbox:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_daemon_leaves_no_process_after_five_seconds() {
    for sandbox in sandboxes() {
        let scene = scene(&sandbox).await;
        let sleep = long_sleep(sandbox.0, 3);
        let away = long_sleep(sandbox.0, 4);
        let command = format!("(setsid {away} &) ; {sleep}");
        scene.vendor.calls(&[("exec", json!({"command": command, "timeout": 1_000}))]);
        let turn = scene.send("go").await;
        let runs = || is_on_machine(&sleep) && is_on_machine(&away);
        assert!(within(Duration::from_secs(30), runs).await, "{sandbox:?}: it never ran");
        let began = Instant::now();
        scene.daemon.kill().await;
        let gone = || !is_on_machine(&sleep) && !is_on_machine(&away);
        assert!(within(Duration::from_secs(5), gone).await, "{sandbox:?}: something is left");
        eprintln!("{}: gone {:?} after kill -9", sandbox.0, began.elapsed());

        let daemon = scene.home.start().await;
        let end = turn_end(&daemon, &scene.session, &turn).await;
        assert_eq!(end.ending(), v1::Ending::Interrupted, "{sandbox:?}");
        assert_eq!(daemon.stop().await, Some(0), "{sandbox:?}");
    }
}
