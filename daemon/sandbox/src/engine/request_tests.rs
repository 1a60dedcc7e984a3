use expect_test::expect;

use super::request;
use crate::container::spec::Spec;
use crate::container::spec::tests::spec;

#[test]
fn one_that_reaches_single_hosts_is_asked_for_without_network_and_told_of_the_proxy() {
    let request = request(&Spec { relay: Some("mark".to_owned()), ..spec() });
    let network = request.host_config.and_then(|config| config.network_mode);
    assert_eq!(network.as_deref(), Some("none"));
    assert_eq!(request.cmd.unwrap_or_default().first().map(String::as_str), Some("mark"));
    let environment = request.env.unwrap_or_default();
    assert!(environment.contains(&"HTTPS_PROXY=http://127.0.0.1:3128".to_owned()));
}

#[test]
fn the_folder_in_memory_that_a_repository_lies_in_is_asked_for() {
    let request = request(&Spec { memory: Some("/home/me/project/.git".to_owned()), ..spec() });
    let tmpfs = request.host_config.and_then(|config| config.tmpfs).unwrap_or_default();
    assert!(tmpfs.contains_key("/home/me/project/.git"), "{tmpfs:?}");
}

#[test]
fn an_engine_is_asked_for_this_and_no_more() {
    let mut request = serde_json::to_value(request(&spec())).unwrap();
    request["Entrypoint"][2] = "first.sh".into();
    expect![[r#"
        {
          "AttachStderr": true,
          "AttachStdin": true,
          "AttachStdout": true,
          "Cmd": [
            "",
            "/workspace",
            "/workspace/.git",
            "/workspace/.git/hooks"
          ],
          "Entrypoint": [
            "/bin/sh",
            "-c",
            "first.sh",
            "moltis"
          ],
          "Env": [
            "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME=/home/moltis",
            "LANG=C.UTF-8",
            "TZ=Europe/Berlin"
          ],
          "HostConfig": {
            "AutoRemove": true,
            "CapDrop": [
              "ALL"
            ],
            "IpcMode": "private",
            "Memory": 2147483648,
            "MemorySwap": 2147483648,
            "Mounts": [
              {
                "BindOptions": {
                  "NonRecursive": true
                },
                "ReadOnly": false,
                "Source": "/home/me/project",
                "Target": "/workspace",
                "Type": "bind"
              },
              {
                "BindOptions": {
                  "NonRecursive": true
                },
                "ReadOnly": false,
                "Source": "/home/me/project/.git",
                "Target": "/workspace/.git",
                "Type": "bind"
              },
              {
                "BindOptions": {
                  "NonRecursive": true
                },
                "ReadOnly": true,
                "Source": "/home/me/project/.git/hooks",
                "Target": "/workspace/.git/hooks",
                "Type": "bind"
              }
            ],
            "NanoCpus": 1500000000,
            "NetworkMode": "none",
            "PidsLimit": 256,
            "Privileged": false,
            "ReadonlyRootfs": true,
            "SecurityOpt": [
              "no-new-privileges"
            ],
            "Tmpfs": {
              "/home/moltis": "rw,exec,nosuid,nodev,size=64m,mode=1777",
              "/tmp": "rw,exec,nosuid,nodev,size=64m,mode=1777"
            },
            "Ulimits": [
              {
                "Hard": 0,
                "Name": "core",
                "Soft": 0
              },
              {
                "Hard": 16384,
                "Name": "nofile",
                "Soft": 16384
              }
            ]
          },
          "Hostname": "moltis",
          "Image": "ubuntu:25.10",
          "Labels": {
            "moltis.instance": "mine",
            "moltis.session": "session-1"
          },
          "OpenStdin": true,
          "StdinOnce": true,
          "Tty": false,
          "User": "1000:1000",
          "WorkingDir": "/"
        }"#]]
    .assert_eq(&serde_json::to_string_pretty(&request).unwrap());
}

#[test]
fn nothing_that_can_be_said_asks_for_more_than_the_bridge() {
    let mut spec = spec();
    spec.open = true;
    spec.keep_id = true;
    let host = request(&spec).host_config.unwrap();
    assert_eq!(host.network_mode.as_deref(), Some("bridge"));
    assert_eq!(host.privileged, Some(false));
    assert_eq!(host.userns_mode.as_deref(), Some("keep-id"));
    assert!(host.binds.is_none() && host.devices.is_none() && host.cap_add.is_none());
    assert!(host.pid_mode.is_none() && host.group_add.is_none() && host.port_bindings.is_none());
}
