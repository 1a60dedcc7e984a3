use super::{Kind, usual};

#[test]
fn a_persons_own_engine_is_found_before_the_machines() {
    let env = |name: &str| match name {
        "HOME" => Some("/home/me".to_owned()),
        "XDG_RUNTIME_DIR" => Some("/run/user/1000".to_owned()),
        _ => None,
    };
    let paths = |kind| {
        let paths = usual(kind, env);
        paths.iter().map(|path| path.to_string_lossy().into_owned()).collect::<Vec<_>>().join("\n")
    };
    expect_test::expect![[r#"
        /run/user/1000/docker.sock
        /home/me/.docker/run/docker.sock
        /home/me/.orbstack/run/docker.sock
        /home/me/.colima/default/docker.sock
        /var/run/docker.sock"#]]
    .assert_eq(&paths(Kind::Docker));
    expect_test::expect![[r#"
        /run/user/1000/podman/podman.sock
        /home/me/.local/share/containers/podman/machine/podman.sock
        /run/podman/podman.sock"#]]
    .assert_eq(&paths(Kind::Podman));
}

#[test]
fn only_unix_sockets_are_asked() {
    let with = |host: &str| {
        let host = host.to_owned();
        usual(Kind::Docker, move |name| (name == "DOCKER_HOST").then(|| host.clone()))
    };
    assert_eq!(with("tcp://1.2.3.4:2375").len(), 1);
    assert_eq!(with("unix:///x.sock")[0].to_string_lossy(), "/x.sock");
}
