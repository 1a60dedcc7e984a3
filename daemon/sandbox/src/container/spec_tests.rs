use std::path::PathBuf;

use super::{Bind, Spec, Ulimits};

pub(crate) fn spec() -> Spec {
    let bind = |target: &str, writable| Bind {
        source: PathBuf::from(target.replace("/workspace", "/home/me/project")),
        target: target.to_owned(),
        writable,
        inode: Some(target.len() as u64),
    };
    Spec {
        image: "ubuntu:25.10".to_owned(),
        instance: "mine".to_owned(),
        session: "session-1".to_owned(),
        user: (1000, 1000),
        keep_id: false,
        binds: vec![
            bind("/workspace", true),
            bind("/workspace/.git", true),
            bind("/workspace/.git/hooks", false),
        ],
        memory: None,
        open: false,
        relay: None,
        memory_mb: 2048,
        cpus: 1.5,
        pids: 256,
        tmp_mb: 64,
        ulimits: Ulimits { files: 16_384, processes: None },
        timezone: "Europe/Berlin".to_owned(),
    }
}

#[test]
fn one_that_reaches_single_hosts_is_told_of_the_proxy_and_no_other() {
    let listed = Spec { relay: Some("mark".to_owned()), ..spec() };
    let environment = listed.environment();
    for name in ["HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"] {
        let told = format!("{name}=http://127.0.0.1:3128");
        assert!(environment.contains(&told), "{environment:?}");
    }
    assert!(spec().environment().iter().all(|told| !told.contains("3128")));
}
