//! The counterpart of `contained`: the same programs in a container that nothing was taken from.

use std::time::{Duration, Instant};

use bollard::models::{ContainerCreateBody, HostConfig};
use bollard::query_parameters::{
    CreateContainerOptions, RemoveContainerOptions, StartContainerOptions,
};

use crate::support::{IMAGE, connect, engines, open_to_all};

/// What `contained` and `places` try, and a word for each that goes well.
fn tries(port: u16) -> String {
    format!(
        "cd /machine; exec >said; \
         nc -w 2 127.0.0.1 {port} </dev/null && echo reached; \
         cat secret; id -u; grep CapEff /proc/self/status; \
         touch /bin/x && echo written; chroot / true && echo rooted; \
         echo x >.git/hooks/pre-commit && echo hooked; echo end"
    )
}

#[tokio::test]
async fn without_the_guards_of_a_container_its_programs_reach_the_machine() {
    for engine in engines() {
        let docker = connect(&engine.1).await;
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join(".git/hooks")).unwrap();
        std::fs::write(folder.path().join("secret"), "secret\n").unwrap();
        open_to_all(folder.path());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        // Whoever is let go at once does not wait for more.
        let mut reached = tokio::task::JoinSet::new();
        reached.spawn(async move { listener.accept().await.map(drop) });
        let host_config = HostConfig {
            network_mode: Some("host".to_owned()),
            binds: Some(vec![format!("{}:/machine", folder.path().display())]),
            ..HostConfig::default()
        };
        let body = ContainerCreateBody {
            image: Some(IMAGE.to_owned()),
            user: Some("0:0".to_owned()),
            cmd: Some(["/bin/sh", "-c", &tries(port)].map(str::to_owned).into()),
            host_config: Some(host_config),
            ..ContainerCreateBody::default()
        };
        let made = docker.create_container(None::<CreateContainerOptions>, body).await.unwrap();
        docker.start_container(&made.id, None::<StartContainerOptions>).await.unwrap();
        let said = || std::fs::read_to_string(folder.path().join("said")).unwrap_or_default();
        let began = Instant::now();
        while !said().ends_with("end\n") && began.elapsed() < Duration::from_secs(30) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let remove = RemoveContainerOptions { force: true, ..RemoveContainerOptions::default() };
        docker.remove_container(&made.id, Some(remove)).await.unwrap();
        reached.abort_all();
        let said = said();
        for done in ["reached", "secret", "0", "written", "rooted", "hooked", "end"] {
            assert!(said.lines().any(|line| line == done), "{:?}: {done}: {said}", engine.0);
        }
        assert!(!said.contains("CapEff:\t0000000000000000"), "{said}");
    }
}
