use expect_test::expect;

use super::run;
use crate::container::spec::{Bind, FIRST, tests::spec};

fn said(spec: &crate::container::spec::Spec) -> String {
    let words = run(spec, "moltis-1").unwrap();
    words.join(" ").replace(FIRST, "FIRST").replace(" --", "\n--")
}

#[test]
fn a_container_is_asked_for_with_every_wall() {
    expect![[r#"
        run
        --interactive
        --rm
        --read-only
        --name moltis-1
        --label moltis.instance=mine
        --label moltis.session=session-1
        --uid 1000
        --gid 1000
        --cap-drop ALL
        --memory 2048M
        --cpus 2
        --ulimit core=0
        --ulimit nofile=16384
        --network none
        --mount type=tmpfs,target=/tmp,size=64M,mode=1777
        --mount type=tmpfs,target=/home/moltis,size=64M,mode=1777
        --volume /home/me/project:/workspace
        --volume /home/me/project/.git:/workspace/.git
        --volume /home/me/project/.git/hooks:/workspace/.git/hooks:ro
        --env PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
        --env HOME=/home/moltis
        --env LANG=C.UTF-8
        --env TZ=Europe/Berlin
        --workdir /
        --entrypoint /bin/sh
        --progress none ubuntu:25.10 -c exec setpriv
        --no-new-privs /bin/sh -c "$@" sh FIRST moltis  /workspace /workspace/.git /workspace/.git/hooks"#]].assert_eq(&said(&spec()));
}

#[test]
fn one_that_may_reach_everything_is_on_the_default_network() {
    let open = crate::container::spec::Spec { open: true, ..spec() };
    assert!(said(&spec()).contains("--network none"));
    assert!(!said(&open).contains("--network"));
}

#[test]
fn a_path_that_would_be_understood_otherwise_is_refused() {
    let bind = |source: &str| Bind {
        source: source.into(),
        target: "/workspace".to_owned(),
        writable: true,
        inode: None,
    };
    let refused = |source: &str| {
        let spec = crate::container::spec::Spec { binds: vec![bind(source)], ..spec() };
        run(&spec, "moltis-1").unwrap_err().message
    };
    assert!(refused("/home/me/a:b").contains("no path with a colon"));
    let spec = crate::container::spec::Spec { binds: vec![bind("/a, b=c")], ..spec() };
    assert!(said(&spec).contains("--volume /a, b=c:/workspace"));
}
