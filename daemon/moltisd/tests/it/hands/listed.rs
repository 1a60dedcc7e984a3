//! Programs of agents that may reach single hosts, in every sandbox that there is: what they reach,
//! what of the list holds when it changes, and that a person is shown where a program could send to.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use moltis_proto::v1;
use serde_json::json;

use super::Scene;
use super::programs::{sandboxes, scene_with};

/// Says `heron` to whoever comes, at an address that programs do not leave out of the proxy.
struct Server {
    host: String,
    came: Arc<AtomicUsize>,
}

impl Server {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.2:0").unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let came = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&came);
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                counted.fetch_add(1, Ordering::SeqCst);
                // Whoever came may have gone.
                drop(stream.read(&mut [0; 4096]));
                drop(stream.write_all(b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nheron"));
            }
        });
        Self { host, came }
    }

    fn came(&self) -> usize {
        self.came.load(Ordering::SeqCst)
    }
}

async fn set(scene: &Scene, key: &str, value: &str) {
    let request = v1::SetConfigRequest { key: key.to_owned(), value: value.to_owned() };
    scene.daemon.config().set(request).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_reaches_the_hosts_that_are_listed_and_no_others() {
    for sandbox in sandboxes() {
        let (listed, other) = (Server::start(), Server::start());
        let open = format!("{},{}", listed.host, other.host);
        let settings = [
            ("SANDBOX__NETWORK", "listed"),
            ("SANDBOX__ALLOW_HOSTS", listed.host.as_str()),
            ("WEB__ALLOW", open.as_str()),
            ("APPROVALS__ALLOW", "exec: curl"),
        ];
        let scene = scene_with(&sandbox, &settings).await;
        let status = scene.daemon.sandbox().status(v1::SandboxStatusRequest {}).await.unwrap();
        assert_eq!(status.into_inner().hosts, [listed.host.as_str()]);
        let curl = |host: &str| ("exec", json!({"command": format!("curl -sm10 http://{host}/")}));
        scene.vendor.calls(&[curl(&listed.host), curl(&other.host)]);
        let end = scene.turn("go").await;
        assert_eq!(end.ending(), v1::Ending::Done, "{sandbox:?}: {end:?}");
        let told = scene.told();
        assert!(told[0].contains("heron"), "{sandbox:?}: {told:?}");
        assert!(told[1].contains("is not in `sandbox.allow_hosts`"), "{sandbox:?}: {told:?}");
        assert_eq!((listed.came(), other.came()), (1, 0), "{sandbox:?}");
        let asked = scene.vendor.requests();
        let prompt = asked.last().unwrap().json()["messages"].to_string();
        assert!(prompt.contains(&format!("to {}.", listed.host)), "{prompt}");
        assert_eq!(scene.daemon.stop().await, Some(0), "{sandbox:?}");
        let openings = scene.home.data_dir().join("run/sandbox/openings");
        let left = std::fs::read_dir(openings).is_ok_and(|mut left| left.next().is_some());
        assert!(!left, "{sandbox:?}: a way out is left");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_changes_holds_at_once_and_is_shown_to_whoever_is_asked() {
    for sandbox in sandboxes() {
        let server = Server::start();
        let settings = [("WEB__ALLOW", server.host.as_str()), ("APPROVALS__WAIT_S", "60")];
        let scene = scene_with(&sandbox, &settings).await;
        set(&scene, "sandbox.network", "listed").await;
        let command = format!("curl -sm10 http://{}/", server.host);
        let call = ("exec", json!({ "command": command }));
        scene.vendor.calls(std::slice::from_ref(&call));
        scene.turn("before").await;
        assert!(scene.told()[0].contains("is not in `sandbox.allow_hosts`"), "{:?}", scene.told());
        set(&scene, "sandbox.allow_hosts", &server.host).await;
        scene.vendor.calls(&[call]);
        // What the first one said may be somebody's words, and all of it is the person's.
        let turn = scene.send("after").await;
        let question = scene.questions(1).await.remove(0);
        assert!(question.reason.contains(&format!("`{}`", server.host)), "{question:?}");
        assert_eq!(server.came(), 0);
        scene.answer("yes", &question, true).await.unwrap();
        crate::spine::turn_end(&scene.daemon, &scene.session, &turn).await;
        assert!(scene.told().last().unwrap().contains("heron"), "{sandbox:?}: {:?}", scene.told());
        assert_eq!(server.came(), 1, "{sandbox:?}");
        assert_eq!(scene.daemon.stop().await, Some(0), "{sandbox:?}");
    }
}
