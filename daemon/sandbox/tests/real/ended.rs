//! What is ended, and how soon.

use std::io::BufRead as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use moltis_core::sandbox::Sandbox as _;
use moltis_sandbox::Sandboxes;

use crate::support::{IMAGE, Scene, Shown, containers, engines, on_machine, options, run};

/// Leaves behind programs that hide: in a session of their own, without parents, deaf to signals.
fn hiding(seconds: u32) -> String {
    format!(
        "setsid sh -c 'trap \"\" TERM HUP INT; (sleep {seconds} & ) ; exec sleep {seconds}' \
         >/dev/null 2>&1 & (env -i setsid sleep {seconds} >/dev/null 2>&1 &) ; \
         trap '' TERM; echo begun; sleep {seconds}"
    )
}

async fn until_gone(wanted: &str, most: Duration) -> Duration {
    let began = Instant::now();
    while on_machine(wanted) {
        assert!(began.elapsed() < most, "`{wanted}` still runs after {most:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    began.elapsed()
}

#[tokio::test]
async fn after_a_timeout_nothing_of_it_runs_and_the_rest_goes_on() {
    for (n, engine) in engines().into_iter().enumerate() {
        let scene = Scene::new(&engine);
        let (doomed, beside, going) = (71_100 + n as u32, 71_200 + n, 71_300 + n);
        scene.start("server", &format!("sleep {going}")).await;
        scene.start("daemon", "setsid sleep 71400 >/dev/null & echo up; read x").await;
        scene.until_screen("daemon", "up").await;
        let orphan = format!("sleep {beside}");
        let command = format!("(setsid {orphan} &) ; sleep 4; echo over");
        let beside = scene.exec_for(&command, 30);
        let ended = async {
            let began = Instant::now();
            let exit = scene.exec_for(&hiding(doomed), 1).await;
            let after = until_gone(&format!("sleep {doomed}"), Duration::from_secs(1)).await;
            (exit, began.elapsed() - Duration::from_secs(1), after)
        };
        let (beside, (exit, took, _)) = tokio::join!(beside, ended);
        eprintln!("{:?}: ended {took:?} after its time", engine.0);
        assert_eq!((exit.code, exit.ended_by.as_deref()), (137, Some("timeout")));
        assert_eq!(exit.stdout, "begun\n");
        assert!(took < Duration::from_secs(2), "{took:?}");
        assert_eq!(beside.stdout, "over\n", "another program was ended as well");
        assert!(on_machine(&orphan), "what another program began was ended as well");
        assert!(on_machine(&format!("sleep {going}")), "what goes on was ended as well");
        let running = scene.sandbox.processes(&scene.place).await.unwrap();
        assert!(running.iter().all(|process| process.exit.is_none()), "{running:?}");
        scene.end().await;
    }
}

#[tokio::test]
async fn without_the_killer_they_would_run_on() {
    // The counterpart: what hides does outlive the program that began it.
    for (n, engine) in engines().into_iter().enumerate() {
        let scene = Scene::new(&engine);
        let seconds = 72_100 + n as u32;
        let command = hiding(seconds).replace(&format!("; sleep {seconds}"), "");
        scene.exec(&command).await;
        let began = Instant::now();
        while !on_machine(&format!("sleep {seconds}")) {
            assert!(began.elapsed() < Duration::from_secs(5), "it ended by itself");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        scene.end().await;
    }
}

#[tokio::test]
async fn a_stop_ends_everything_within_two_seconds() {
    for (n, engine) in engines().into_iter().enumerate() {
        let scene = Scene::new(&engine);
        let seconds = 73_100 + n as u32;
        scene.start("server", &format!("sleep {seconds}")).await;
        let shown = Shown::default();
        let wanted = format!("sleep {seconds}");
        let (command, place) = (hiding(seconds), scene.place.clone());
        let running = scene.sandbox.exec(&place, run(&place, &command, 60), &shown);
        let stopping = async {
            while !shown.0.lock().unwrap().contains("begun") {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            let began = Instant::now();
            scene.sandbox.stop(&place.session).await;
            assert!(!on_machine(&wanted), "it runs on");
            began.elapsed()
        };
        let (exit, took) = tokio::join!(running, stopping);
        eprintln!("{:?}: stopped in {took:?}", engine.0);
        assert!(took < Duration::from_secs(2), "{took:?}");
        assert!(exit.as_ref().map_or(true, |exit| exit.code == 137), "{exit:?}");
        assert_eq!(scene.sandbox.status().running, 0);
        // The session can go on.
        assert_eq!(scene.exec("echo again").await.stdout, "again\n");
        scene.end().await;
    }
}

#[tokio::test]
async fn a_daemon_that_is_killed_leaves_nothing() {
    for (n, engine) in engines().into_iter().enumerate() {
        let scene = Scene::new(&engine);
        // Another run of these tests on the same machine has another number.
        let seconds = (1_000_000 + 2 * std::process::id() + n as u32).to_string();
        let workspace = scene.workspace();
        let choice = format!("{:?}", engine.0).to_lowercase();
        let mut daemon = Command::new(example("hold"))
            .args([&choice, &engine.1, IMAGE, &scene.instance, &seconds])
            .arg(&workspace)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        std::io::BufReader::new(daemon.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "running\n");
        // It says so a moment before.
        while !on_machine(&format!("sleep {seconds}")) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert_eq!(containers(&engine.1, &scene.instance).await, 1);
        daemon.kill().unwrap();
        daemon.wait().unwrap();
        let began = Instant::now();
        while on_machine(&format!("sleep {seconds}"))
            || containers(&engine.1, &scene.instance).await > 0
        {
            assert!(began.elapsed() < Duration::from_secs(5), "it runs on");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        eprintln!("{:?}: gone {:?} after the daemon", engine.0, began.elapsed());
        // What it left of its way out is swept by the next one.
        let left = workspace.join("data/run/sandbox/openings");
        assert_eq!(std::fs::read_dir(&left).unwrap().count(), 1);
        let _next = Sandboxes::new(options(&engine, &workspace.join("data"), "next"));
        assert!(!left.exists());
        scene.end().await;
    }
}

/// An example of this crate; cargo builds it with the tests.
fn example(name: &str) -> std::path::PathBuf {
    let test = std::env::current_exe().unwrap();
    test.parent().unwrap().parent().unwrap().join("examples").join(name)
}

#[tokio::test]
async fn what_was_left_behind_is_ended_at_the_next_start_and_nothing_else() {
    use bollard::models::{ContainerCreateBody, HostConfig};
    use bollard::query_parameters::{CreateContainerOptions, StartContainerOptions};
    for engine in engines() {
        let scene = Scene::new(&engine);
        let docker = crate::support::connect(&engine.1).await;
        let other = format!("{}other", scene.instance);
        for instance in [&scene.instance, &other] {
            let limit = |name: &str, most| bollard::models::ResourcesUlimits {
                name: Some(name.to_owned()),
                soft: Some(most),
                hard: Some(most),
            };
            let body = ContainerCreateBody {
                image: Some(IMAGE.to_owned()),
                entrypoint: Some(vec!["sleep".to_owned(), "1000".to_owned()]),
                labels: Some([("moltis.instance".to_owned(), instance.clone())].into()),
                host_config: Some(HostConfig {
                    network_mode: Some("none".to_owned()),
                    ulimits: Some(vec![limit("nproc", 32_768), limit("nofile", 1_024)]),
                    ..HostConfig::default()
                }),
                ..ContainerCreateBody::default()
            };
            let made = docker.create_container(None::<CreateContainerOptions>, body).await.unwrap();
            docker.start_container(&made.id, None::<StartContainerOptions>).await.unwrap();
        }
        let status = scene.sandbox.probe().await;
        assert!(status.backend.is_some(), "{status:?}");
        assert_eq!(containers(&engine.1, &scene.instance).await, 0);
        assert_eq!(containers(&engine.1, &other).await, 1, "another daemon's was ended");
        let next = Scene::with(&engine, |options| options.instance.clone_from(&other));
        next.sandbox.probe().await;
        assert_eq!(containers(&engine.1, &other).await, 0);
        scene.end().await;
    }
}

#[tokio::test]
async fn orphans_are_reaped() {
    for engine in engines() {
        let scene = Scene::new(&engine);
        scene.exec("for n in 1 2 3 4 5 6 7 8; do (setsid true &) ; done; sleep 0.3").await;
        let zombies =
            scene.exec("grep -l 'State:.Z' /proc/[0-9]*/status 2>/dev/null | wc -l").await;
        assert_eq!(zombies.stdout.trim(), "0");
        scene.end().await;
    }
}
