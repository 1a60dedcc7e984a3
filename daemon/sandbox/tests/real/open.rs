//! What a network that is open reaches: the engine's bridge, on engines that have one in a network
//! namespace of their own.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use moltis_core::sandbox::Network;
use moltis_sandbox::Choice;

use crate::support::{Scene, engines_at};

/// Says `reached` to whoever comes to an engine's own network; ends with this.
struct Server(Child);

impl Server {
    const PORT: u16 = 7080;

    fn start(socket: &str) -> Self {
        let pid = std::fs::read_to_string(socket.replace(".sock", ".pid")).unwrap();
        let child = Command::new("nsenter")
            .args(["--target", pid.trim(), "--net", "socat"])
            .arg(format!("TCP-LISTEN:{},reuseaddr,fork", Self::PORT))
            .arg("SYSTEM:echo reached")
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self(child)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// Asks the other end of the bridge.
fn ask() -> String {
    let gateway = "$(ip route | awk '/^default/ { print $3 }')";
    format!("nc -w 5 {gateway} {} </dev/null", Server::PORT)
}

#[tokio::test]
async fn an_open_network_reaches_what_the_engine_leads_to() {
    let engines =
        [(Choice::Docker, "MOLTIS_TEST_DOCKER_OPEN"), (Choice::Podman, "MOLTIS_TEST_PODMAN_OPEN")];
    for engine in engines_at(engines) {
        let _server = Server::start(&engine.1);
        let mut scene = Scene::new(&engine);
        scene.place.network = Network::Open;
        let began = Instant::now();
        // The server takes a moment.
        while scene.exec(&ask()).await.stdout != "reached\n" {
            assert!(began.elapsed() < Duration::from_secs(20), "{engine:?}: nothing is reached");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert!(scene.exec("ls /sys/class/net").await.stdout.contains("eth0"), "{engine:?}");
        assert_eq!(scene.exec("echo $HTTP_PROXY; ls /run/moltis").await.stdout, "\n");
        // Not the machine on which this runs, though it is the engine's too.
        let own = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = own.local_addr().unwrap().port();
        assert_ne!(scene.exec(&format!("nc -w 2 127.0.0.1 {port} </dev/null")).await.code, 0);
        // The counterpart: the same engine, and no network.
        scene.place.network = Network::None;
        assert_eq!(scene.exec("ls /sys/class/net").await.stdout, "lo\n", "{engine:?}");
        assert_ne!(scene.exec(&ask()).await.stdout, "reached\n", "{engine:?}");
        scene.end().await;
    }
}
