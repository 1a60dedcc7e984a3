//! How what runs inside ends.

use std::io::Read as _;
use std::process::{Command, Stdio};

use super::super::enter::Telling;
use super::super::wards::code;
use super::*;

/// Leaves its parents, its session and its signals behind; the mark names its processes.
fn stubborn(mark: &str) -> String {
    format!(
        "trap '' TERM HUP INT; \
         (setsid sh -c 'trap \"\" TERM HUP; (exec sleep {mark}1 </dev/null >/dev/null 2>&1) & \
         sleep {mark}2 & wait' &) ; \
         nohup sleep {mark}3 >/dev/null 2>&1 & \
         echo up; sleep {mark}4 & wait; wait; sleep {mark}5"
    )
}

fn sleeps(mark: &str) -> bool {
    processes_with(&format!("sleep {mark}"))
        .iter()
        .any(|line| line.starts_with(&format!("sleep {mark}")))
}

#[tokio::test]
async fn a_timeout_ends_all_of_it() {
    let Some(rig) = Rig::new().await else { return };
    let place = rig.place("test");
    let slow = Run { timeout: Duration::from_millis(700), ..run(&stubborn("71101")) };
    let began = Instant::now();
    let exit = rig.try_in(&place, &slow).await.expect("it runs");
    assert!(began.elapsed() < Duration::from_millis(2700), "{:?}", began.elapsed());
    assert_eq!((exit.code, exit.ended_by.as_deref()), (137, Some("timeout")));
    assert_eq!(exit.stdout, "up\n");
    assert!(!sleeps("71101"), "{:?}", processes_with("71101"));
    assert_eq!(rig.backend.running(), 0);
}

#[tokio::test]
async fn what_a_command_leaves_running_ends_with_it() {
    let Some(rig) = Rig::new().await else { return };
    let exit = rig.sh("(setsid sleep 71201 &); nohup sleep 71202 >/dev/null 2>&1 & sleep 0.2; ps -C sleep -o pid= | wc -l").await;
    assert_eq!(exit.stdout, "2\n", "they did run");
    assert!(!sleeps("7120"), "{:?}", processes_with("7120"));
}

#[tokio::test]
async fn letting_go_ends_all_of_it() {
    let Some(rig) = Rig::new().await else { return };
    let place = rig.place("test");
    let command = run(&stubborn("71301"));
    {
        let running = rig.try_in(&place, &command);
        tokio::pin!(running);
        let up = until(Duration::from_secs(10), || sleeps("713012"));
        tokio::select! {
            exit = &mut running => panic!("it ended: {exit:?}"),
            up = up => assert!(up, "it runs"),
        }
    }
    let gone = until(Duration::from_secs(2), || !sleeps("71301")).await;
    assert!(gone, "{:?}", processes_with("71301"));
    assert!(until(Duration::from_secs(2), || rig.backend.running() == 0).await);
}

#[tokio::test]
async fn stopping_a_session_ends_its_own_and_no_others() {
    let Some(rig) = Rig::new().await else { return };
    let mut set = tokio::task::JoinSet::new();
    for (session, mark) in [("one", "71401"), ("one", "71402"), ("two", "71403")] {
        let (backend, place) = (Arc::clone(&rig.backend), rig.place(session));
        let command = run(&stubborn(mark));
        set.spawn(async move { backend.exec(&place, &command, &Shown::default()).await });
    }
    let up = || ["714012", "714022", "714032"].iter().all(|mark| sleeps(mark));
    assert!(until(Duration::from_secs(10), up).await, "they run");
    assert_eq!(rig.backend.running(), 2);
    let began = Instant::now();
    rig.backend.stop(&SessionId::new("one")).await;
    eprintln!("stop took {:?}", began.elapsed());
    assert!(began.elapsed() < Duration::from_secs(2));
    assert!(!sleeps("71401") && !sleeps("71402"), "nothing is left when it returns");
    assert!(sleeps("71403"), "the other session goes on");
    let exit = set.join_next().await.expect("one").expect("no panic").expect("an exit");
    assert_eq!(exit.code, 137);
    rig.backend.stop(&SessionId::new("two")).await;
    assert!(!sleeps("71403"));
}

/// Dropping a start at any moment leaves neither a process nor a placeholder.
#[tokio::test]
async fn letting_go_while_it_starts_leaves_nothing() {
    let Some(rig) = Rig::new().await else { return };
    let place = rig.place("test");
    let command = run("exec sleep 71501");
    for moment in 0..60 {
        let wait = Duration::from_micros(moment * 500);
        let _ = tokio::time::timeout(wait, rig.try_in(&place, &command)).await;
    }
    let own = rig.backend.own.display().to_string();
    let gone = until(Duration::from_secs(2), || processes_with(&own).is_empty()).await;
    assert!(gone, "{:?}", processes_with(&own));
    assert!(until(Duration::from_secs(2), || rig.backend.running() == 0).await);
    settled(&rig).await;
    assert_eq!(std::fs::read_dir(rig.workspace.path()).expect("a folder").count(), 0);
}

/// The kernel ends a sandbox with the thread that started it.
#[tokio::test]
async fn a_sandbox_outlives_the_thread_that_asked_for_it() {
    let Some(rig) = Rig::new().await else { return };
    let (backend, place) = (Arc::clone(&rig.backend), rig.place("test"));
    let runtime = tokio::runtime::Handle::current();
    let ward = tokio::task::spawn_blocking(move || {
        let asking = std::thread::spawn(move || {
            runtime.block_on(backend.enter(&place, &run(""), "sleep 0.5; exit 3", Telling::Once))
        });
        asking.join().expect("no panic")
    });
    let mut ward = ward.await.expect("no panic").expect("it starts");
    let status = (&mut ward.exit).await.expect("it is told").expect("it is known");
    assert_eq!(code(status), 3);
    // Started by a thread that ends when the sandbox is up, it does not come so far.
    let arguments = rig.arguments();
    let program = rig.backend.program.clone();
    let started = std::thread::spawn(move || {
        let mut child = Command::new(program)
            .args(arguments)
            .args(["--", "sh", "-c", "echo up; exec sleep 30"])
            .stdout(Stdio::piped())
            .spawn()
            .expect("it starts");
        let mut up = [0; 3];
        let stdout = child.stdout.as_mut().expect("it is piped");
        stdout.read_exact(&mut up).expect("it says that it is up");
        child
    });
    let mut child = started.join().expect("no panic");
    let ended = until(Duration::from_secs(5), || matches!(child.try_wait(), Ok(Some(_)))).await;
    child.kill().expect("it can be ended");
    assert!(ended, "the thread is what does it");
}

/// The other half of the next test: a daemon that starts sandboxes and waits to be killed.
#[tokio::test]
async fn a_daemon_for_the_test_of_its_end() {
    let Some(mark) = std::env::var_os("MOLTIS_TEST_DAEMON") else { return };
    let mark = mark.to_string_lossy().into_owned();
    let rig = Rig::new().await.expect("bubblewrap is here");
    let place = rig.place("test");
    rig.backend.start(&place, "kept", &run(&format!("sleep {mark}9"))).await.expect("it starts");
    let _ = rig.try_in(&place, &run(&stubborn(&mark))).await;
}

/// The other half of the test after it: a daemon that starts one sandbox after the other.
#[tokio::test]
async fn a_daemon_for_the_test_of_its_end_while_it_starts() {
    if std::env::var_os("MOLTIS_TEST_STARTER").is_none() {
        return;
    }
    let rig = Rig::new().await.expect("bubblewrap is here");
    loop {
        let place = rig.place("test");
        let command = Run { timeout: Duration::from_millis(40), ..run("exec sleep 717") };
        let all = [0; 4].map(|_| rig.try_in(&place, &command));
        futures_util::future::join_all(all).await;
    }
}

#[tokio::test]
async fn a_daemon_that_is_killed_while_it_starts_them_leaves_nothing() {
    if missing() {
        return;
    }
    let program = std::env::current_exe().expect("this program");
    for moment in 0..25 {
        let folder = TempDir::new().expect("a folder");
        let path = folder.path().display().to_string();
        let mut daemon = Command::new(&program)
            .arg("--exact")
            .arg("bubblewrap::tests::ends::a_daemon_for_the_test_of_its_end_while_it_starts")
            .env("MOLTIS_TEST_STARTER", "1")
            .env("TMPDIR", folder.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("it starts");
        let up = until(Duration::from_secs(20), || !processes_with(&path).is_empty()).await;
        // The moment is what is tried out.
        tokio::time::sleep(Duration::from_micros(moment * 1700)).await;
        daemon.kill().expect("it is killed");
        daemon.wait().expect("it is gone");
        assert!(up, "it started some");
        let gone = until(Duration::from_secs(5), || processes_with(&path).is_empty()).await;
        assert!(gone, "after {moment}: {:?}", processes_with(&path));
    }
}

#[tokio::test]
async fn a_daemon_that_is_killed_leaves_nothing_running() {
    if missing() {
        return;
    }
    let program = std::env::current_exe().expect("this program");
    let folder = TempDir::new().expect("a folder");
    let mut daemon = Command::new(program)
        .env("TMPDIR", folder.path())
        .args(["--exact", "bubblewrap::tests::ends::a_daemon_for_the_test_of_its_end"])
        .env("MOLTIS_TEST_DAEMON", "71601")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("it starts");
    let up = until(Duration::from_secs(20), || sleeps("716012") && sleeps("716019")).await;
    daemon.kill().expect("it is killed");
    daemon.wait().expect("it is gone");
    assert!(up, "its programs ran");
    let began = Instant::now();
    let gone = until(Duration::from_secs(5), || processes_with("71601").is_empty()).await;
    assert!(gone, "{:?}", processes_with("71601"));
    eprintln!("after kill -9 all was gone in {:?}", began.elapsed());
}
