//! What a network of single hosts reaches, and what is left of the way there.

use std::io::Read as _;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use moltis_core::error::Code;
use moltis_core::sandbox::{Network, Sandbox as _};
use moltis_sandbox::Choice;

use crate::outlet::{Server, Way};
use crate::support::{Scene, engines, on_machine, run};

/// A sandbox whose network is listed, with this way out.
fn scene(engine: &(Choice, String), way: &Arc<Way>) -> Scene {
    let outlet = Arc::clone(way);
    let mut scene = Scene::with(engine, |options| options.outlet = Some(outlet));
    scene.place.network = Network::Listed;
    scene
}

/// Asks for a page as programs do that know of proxies.
fn page(server: &Server) -> String {
    format!("curl -fsSm 10 http://{}/", server.host)
}

/// Asks for a connection of its own.
fn tunnel(server: &Server) -> String {
    let (host, port) = ("127.0.0.2", server.port);
    format!(
        "printf 'GET / HTTP/1.0\\r\\n\\r\\n' | \
         socat -t 10 - PROXY:127.0.0.1:{host}:{port},proxyport=3128"
    )
}

/// The folders of the openings that there are.
fn openings(scene: &Scene) -> Vec<PathBuf> {
    let all = std::fs::read_dir(scene.folder().join("data/run/sandbox/openings"));
    all.map(|all| all.flatten().map(|entry| entry.path()).collect()).unwrap_or_default()
}

/// Whether a process of this machine still has this folder mounted.
fn is_seen(folder: &Path) -> bool {
    let name = folder.file_name().unwrap().to_string_lossy().into_owned();
    std::fs::read_dir("/proc").unwrap().flatten().any(|entry| {
        std::fs::read_to_string(entry.path().join("mountinfo"))
            .is_ok_and(|mounts| mounts.contains(&name))
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn listed_hosts_are_reached_and_nothing_else_is() {
    for engine in engines() {
        let (listed, other) = (Server::start(), Server::start());
        let way = Way::to(&[&listed.host], &[&listed.host, &other.host]);
        let scene = scene(&engine, &way);
        for ask in [page(&listed), tunnel(&listed)] {
            let exit = scene.exec(&ask).await;
            assert!(exit.stdout.ends_with("reached\n"), "{ask}: {exit:?}");
        }
        assert_eq!(listed.came(), 2);
        for ask in [page(&other), tunnel(&other)] {
            let exit = scene.exec(&ask).await;
            assert_ne!(exit.code, 0, "{ask}: {exit:?}");
            let told = exit.stderr.contains("403") || exit.stderr.contains("`sandbox.allow_hosts`");
            assert!(told, "{ask}: {exit:?}");
        }
        let told = scene.exec(&page(&other).replace("-f", "-")).await.stdout;
        assert!(told.contains("is not in `sandbox.allow_hosts`"), "{told}");
        assert_eq!(other.came(), 0);
        // The counterpart: what kept them away is the list.
        way.list(&[&listed.host, &other.host]);
        for ask in [page(&other), tunnel(&other)] {
            assert!(scene.exec(&ask).await.stdout.ends_with("reached\n"), "{ask}");
        }
        assert_eq!(other.came(), 2);
        scene.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listed_host_of_the_private_network_needs_to_be_opened_too() {
    for engine in engines() {
        let listed = Server::start();
        let way = Way::to(&[&listed.host], &[]);
        let shut = scene(&engine, &way);
        let told = shut.exec(&page(&listed).replace("-f", "-")).await.stdout;
        assert!(told.contains("`web.allow` must too"), "{told}");
        assert_ne!(shut.exec(&tunnel(&listed)).await.code, 0);
        assert_eq!(listed.came(), 0);
        shut.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn there_is_no_way_around_the_proxy() {
    for engine in engines() {
        let listed = Server::start();
        let way = Way::to(&[&listed.host], &[&listed.host]);
        let scene = scene(&engine, &way);
        assert_eq!(scene.exec("ls /sys/class/net").await.stdout, "lo\n");
        let direct = format!("nc -w 2 127.0.0.2 {} </dev/null", listed.port);
        for around in [
            direct.as_str(),
            "nc -w 2 1.1.1.1 53 </dev/null",
            "curl -fsSm 2 --noproxy '*' http://1.1.1.1/",
            "nslookup example.org 1.1.1.1",
            "nslookup localhost.example.org",
            "ping -c 1 -W 1 1.1.1.1",
            "touch /run/moltis/x",
            "rm -f /run/moltis/proxy && ! test -e /run/moltis/proxy",
            "socat -u - UDP:127.0.0.2:53 </dev/zero",
        ] {
            let exit = scene.exec_for(around, 10).await;
            assert_ne!(exit.code, 0, "{around}: {exit:?}");
        }
        assert_eq!(listed.came(), 0);
        assert!(scene.exec(&page(&listed)).await.stdout.ends_with("reached\n"));
        // The socket itself is a proxy too, and no more than that.
        let itself = "printf 'CONNECT 127.0.0.1:22 HTTP/1.1\\r\\n\\r\\n' | \
                      socat -t 5 - UNIX-CONNECT:/run/moltis/proxy";
        assert!(scene.exec(itself).await.stdout.starts_with("HTTP/1.1 403 "));
        // The counterpart: with the machine's network the same is reached.
        let (host, port) = ("127.0.0.2", listed.port.to_string());
        let nc = ["nc", "-w", "2", host, &port];
        on_the_machines_network(&engine, &nc, || listed.came() == 2).await;
        scene.end().await;
    }
}

/// Runs a program in a container that is given the machine's network until that has come of it.
async fn on_the_machines_network(
    engine: &(Choice, String),
    command: &[&str],
    has_come: impl Fn() -> bool,
) {
    use bollard::models::{ContainerCreateBody, HostConfig, ResourcesUlimits};
    use bollard::query_parameters::{CreateContainerOptions, StartContainerOptions};
    let docker = crate::support::connect(&engine.1).await;
    let limit = |name: &str, most| ResourcesUlimits {
        name: Some(name.to_owned()),
        soft: Some(most),
        hard: Some(most),
    };
    let body = ContainerCreateBody {
        image: Some(crate::support::IMAGE.to_owned()),
        cmd: Some(command.iter().map(|word| (*word).to_owned()).collect()),
        host_config: Some(HostConfig {
            network_mode: Some("host".to_owned()),
            auto_remove: Some(true),
            ulimits: Some(vec![limit("nproc", 32_768), limit("nofile", 1_024)]),
            ..HostConfig::default()
        }),
        ..ContainerCreateBody::default()
    };
    let id = docker.create_container(None::<CreateContainerOptions>, body).await.unwrap().id;
    docker.start_container(&id, None::<StartContainerOptions>).await.unwrap();
    let began = Instant::now();
    while !has_come() {
        assert!(began.elapsed() < Duration::from_secs(20), "it reaches nothing either");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_way_out_outlives_a_program_that_is_ended() {
    for (n, engine) in engines().into_iter().enumerate() {
        let listed = Server::start();
        let scene = scene(&engine, &Way::to(&[&listed.host], &[&listed.host]));
        scene.exec("touch /tmp/same").await;
        let sleep = format!("sleep {}", 75_100 + n);
        let command = format!("(env -i setsid {sleep} &); trap '' TERM; {sleep}");
        let exit = scene.exec_for(&command, 1).await;
        assert_eq!(exit.ended_by.as_deref(), Some("timeout"));
        assert!(!on_machine(&sleep), "what was to end runs on");
        let exit = scene.exec(&format!("test -e /tmp/same && {}", page(&listed))).await;
        assert!(exit.stdout.ends_with("reached\n"), "in the same container: {exit:?}");
        scene.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_leaves_no_way_out() {
    for engine in engines() {
        let silent = TcpListener::bind("127.0.0.2:0").unwrap();
        let host = silent.local_addr().unwrap().to_string();
        let scene = scene(&engine, &Way::to(&[&host], &[&host]));
        let place = scene.place.clone();
        // Someone waits for an answer meanwhile.
        let waiting = scene.try_exec(run(&place, &format!("curl -sm 60 http://{host}/"), 60));
        let stopping = async {
            let accepting = tokio::task::spawn_blocking(move || silent.accept().unwrap().0);
            let accepted = accepting.await.unwrap();
            let folders = openings(&scene);
            assert!(folders.len() == 1 && is_seen(&folders[0]), "{folders:?}");
            scene.sandbox.stop(&place.session).await;
            assert!(!is_seen(&folders[0]), "the relay runs on");
            accepted
        };
        let (exit, mut accepted) = tokio::join!(waiting, stopping);
        assert!(exit.as_ref().map_or(true, |exit| exit.code == 137), "{exit:?}");
        assert_eq!(openings(&scene), Vec::<PathBuf>::new());
        // What it led to is closed as well.
        let ended = tokio::task::spawn_blocking(move || accepted.read_to_end(&mut Vec::new()));
        assert!(ended.await.unwrap().is_ok());
        scene.end().await;
    }
}

#[tokio::test]
async fn without_socat_the_reason_is_told() {
    for engine in engines() {
        let way = Way::to(&[], &[]);
        let scene = scene(&engine, &way);
        // As the tests' own package manager makes one: a program that says its name and ends.
        let mut other = Scene::with(&engine, |options| {
            options.outlet = Some(way);
            options.packages = vec!["socat".to_owned()];
        });
        other.place.network = Network::Listed;
        let error = other.try_exec(run(&other.place, "true", 5)).await.unwrap_err();
        assert!(error.message.contains("leads to the hosts"), "{error}");
        assert_eq!(openings(&other), Vec::<PathBuf>::new());
        other.end().await;
        assert_eq!(scene.exec("true").await.code, 0);
        scene.end().await;
    }
}

#[tokio::test]
async fn single_hosts_are_refused_where_nothing_leads_to_them() {
    for engine in engines() {
        let mut scene = Scene::new(&engine);
        scene.place.network = Network::Listed;
        let error = scene.try_exec(run(&scene.place, "true", 5)).await.unwrap_err();
        assert_eq!(error.code, Code::Invalid);
        assert!(error.hint.is_some());
        scene.end().await;
    }
}
