//! Nothing runs on when it should not: after a timeout, a stop, an end of the daemon.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use moltis_core::sandbox::{Mount, Sandbox as _};

use crate::support::{Double, Scene, Shown, missing, run, until};

/// A program that does not end by itself, with one that has left its parents.
const STUBBORN: &str = "(env -i setsid sleep 717 &) ; trap '' TERM HUP; sleep 717";

#[tokio::test]
async fn a_timeout_ends_all_of_a_program_and_nothing_else() {
    if missing() {
        return;
    }
    let scene = Scene::new("1.2.2");
    scene.start("serve", "sleep 718").await;
    let stubborn = run(&scene.place, &format!("echo begun; {STUBBORN}"), Duration::from_secs(1));
    let began = Instant::now();
    let exit = scene.sandbox.exec(&scene.place, stubborn, &Shown::default()).await.unwrap();
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
    assert_eq!((exit.ended_by.as_deref(), exit.stdout.as_str()), (Some("timeout"), "begun\n"));
    let left = scene.exec("ps").await.stdout;
    assert!(!left.contains("sleep 717") && left.contains("sleep 718"), "{left}");
}

#[tokio::test]
async fn a_stop_ends_a_session_within_two_seconds() {
    if missing() {
        return;
    }
    let scene = Scene::new("0.12.3");
    scene.start("serve", STUBBORN).await;
    let began = Instant::now();
    scene.sandbox.stop(&scene.place.session).await;
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    assert_eq!(scene.double.running(), Vec::<String>::new());
    assert_eq!(scene.sandbox.status().running, 0);
    // And the next program gets a new one.
    assert_eq!(scene.exec("echo again").await.stdout, "again\n");
}

#[tokio::test]
async fn a_machine_that_is_gone_is_replaced() {
    if missing() {
        return;
    }
    let scene = Scene::new("1.2.2");
    scene.exec("true").await;
    let log = scene.double.log();
    let name = log.rsplit("--name ").next().unwrap().split(' ').next().unwrap();
    let program = scene.double.path().join("container");
    let deleted = Command::new(program).args(["delete", "--force", name]).output().unwrap();
    assert!(deleted.status.success(), "{deleted:?}");
    assert_eq!(scene.exec("echo again").await.stdout, "again\n");
}

/// The other half of the next test: a daemon that runs a program and waits to be killed.
#[tokio::test]
async fn a_daemon_for_the_test_of_its_end() {
    let Some(folder) = std::env::var_os("MOLTIS_TEST_APPLE") else { return };
    let mut scene = Scene::with("1.2.2", |options| options.path = vec![folder.into()]);
    scene.place.mount = Mount::None;
    scene.place.workspace = None;
    let _ = scene.try_exec(STUBBORN).await;
}

#[tokio::test]
async fn a_daemon_that_is_killed_leaves_nothing_running_after_five_seconds() {
    if missing() {
        return;
    }
    let (double, elsewhere) = (Double::new("1.2.2"), tempfile::tempdir().unwrap());
    let mut daemon = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "ended::a_daemon_for_the_test_of_its_end"])
        .env("MOLTIS_TEST_APPLE", double.path())
        .env("TMPDIR", elsewhere.path())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let runs = || double.log().contains("exec --interactive") && sleeps(&double);
    let up = until(Duration::from_secs(20), runs).await;
    daemon.kill().unwrap();
    daemon.wait().unwrap();
    assert!(up, "it ran one: {}", double.log());
    let gone = until(Duration::from_secs(5), || double.running().is_empty() && !sleeps(&double));
    assert!(gone.await, "{:?}", double.running());
}

/// Whether what the daemon ran still runs: a process whose root is that of the double.
fn sleeps(double: &Double) -> bool {
    let root = std::fs::metadata(double.path().join("root/bin/busybox")).unwrap();
    std::fs::read_dir("/proc").unwrap().flatten().any(|entry| {
        let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let program = std::fs::metadata(entry.path().join("exe"));
        let ours = program.is_ok_and(|program| {
            use std::os::unix::fs::MetadataExt as _;
            (program.dev(), program.ino()) == (root.dev(), root.ino())
        });
        ours && line.starts_with(b"sleep\x00717")
    })
}
