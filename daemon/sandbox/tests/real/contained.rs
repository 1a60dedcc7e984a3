//! What a program can't see or do.

use std::time::Instant;

use moltis_core::sandbox::Sandbox as _;

use crate::support::{Scene, engines};

#[tokio::test]
async fn exit_codes_and_both_streams_come_back() {
    for engine in engines() {
        let scene = Scene::new(&engine);
        let exit = scene.exec("echo out; echo err >&2; exit 7").await;
        assert_eq!((exit.code, exit.ended_by.as_deref()), (7, None));
        assert_eq!((exit.stdout.as_str(), exit.stderr.as_str()), ("out\n", "err\n"));
        assert_eq!(scene.exec("true").await.code, 0);
        assert_eq!(scene.exec("false").await.code, 1);
        assert_eq!(scene.exec("no-such-program").await.code, 127);
        assert_eq!(scene.exec("kill -9 $$").await.code, 137);
        assert_eq!(scene.exec("read line; echo \"[$line]\"").await.stdout, "[]\n");
        scene.end().await;
    }
}

#[tokio::test]
async fn a_program_is_an_ordinary_user_without_any_privilege() {
    for engine in engines() {
        let scene = Scene::new(&engine);
        let exit = scene.exec("id -u; grep -E 'Cap|NoNewPrivs|Seccomp:' /proc/self/status").await;
        let mut lines = exit.stdout.lines();
        assert_ne!(lines.next(), Some("0"));
        for line in lines {
            let (key, value) = line.split_once(':').unwrap();
            let wanted = match key {
                "NoNewPrivs" => "1",
                "Seccomp" => "2",
                _ => "0000000000000000",
            };
            assert_eq!(value.trim(), wanted, "{line}");
        }
        for refused in ["touch /bin/x", "touch /etc/x", "mount -t tmpfs x /tmp", "chroot / true"] {
            assert_ne!(scene.exec(refused).await.code, 0, "{refused}");
        }
        assert_eq!(scene.exec("touch /tmp/x ~/x && cd && pwd").await.stdout, "/home/moltis\n");
        scene.end().await;
    }
}

#[tokio::test]
async fn there_is_no_network() {
    for engine in engines() {
        let scene = Scene::new(&engine);
        assert_eq!(scene.exec("ls /sys/class/net").await.stdout, "lo\n");
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let exit = scene.exec(&format!("nc -w 2 127.0.0.1 {port} </dev/null")).await;
        assert_ne!(exit.code, 0, "a port of this machine is reached");
        assert_ne!(scene.exec("nc -w 2 1.1.1.1 53 </dev/null").await.code, 0);
        scene.end().await;
    }
}

#[tokio::test]
async fn the_files_of_the_machine_are_not_seen() {
    for engine in engines() {
        let scene = Scene::new(&engine);
        let secret = scene.folder().join("data/secret");
        std::fs::write(&secret, "secret").unwrap();
        assert_ne!(scene.exec(&format!("cat {}", secret.display())).await.code, 0);
        assert_ne!(scene.exec("cat /etc/shadow").await.code, 0);
        assert_ne!(scene.exec(&format!("ls {}", scene.socket)).await.code, 0);
        assert_ne!(scene.exec("ls /proc/1/root/etc/shadow").await.code, 0);
        let processes = scene.exec("ls -d /proc/[0-9]* | wc -l").await.stdout;
        assert!(processes.trim().parse::<u32>().unwrap() < 10, "{processes}");
        scene.end().await;
    }
}

#[tokio::test]
async fn a_fork_bomb_hurts_nobody() {
    for engine in engines() {
        let scene = Scene::new(&engine);
        scene.exec("true").await;
        let began = Instant::now();
        let exit = scene.exec_for("bomb() { bomb | bomb & }; bomb; sleep 100", 2).await;
        assert_eq!(exit.ended_by.as_deref(), Some("timeout"));
        assert!(began.elapsed().as_secs() < 6, "{:?}", began.elapsed());
        assert_eq!(scene.exec("echo after").await.stdout, "after\n");
        scene.end().await;
    }
}

#[tokio::test]
async fn a_memory_bomb_is_ended_and_named() {
    for engine in engines() {
        let scene = Scene::new(&engine);
        scene.exec("true").await;
        let exit = scene.exec("x=1234567890; while :; do x=$x$x; done").await;
        assert_eq!((exit.code, exit.ended_by.as_deref()), (137, Some("memory")), "{exit:?}");
        // What was killed by hand was not short of memory.
        assert_eq!(scene.exec("kill -9 $$").await.ended_by, None);
        scene.end().await;
    }
}

#[tokio::test]
async fn a_full_disk_inside_is_only_full_inside() {
    for engine in engines() {
        let scene = Scene::new(&engine);
        let exit = scene.exec("dd if=/dev/zero of=/tmp/full bs=1M count=200; rm /tmp/full").await;
        assert!(exit.stderr.contains("No space left"), "{exit:?}");
        assert_eq!(scene.exec("echo after > /tmp/x && cat /tmp/x").await.stdout, "after\n");
        scene.end().await;
    }
}

#[tokio::test]
async fn a_flood_of_output_is_bounded() {
    for engine in engines() {
        let scene = Scene::new(&engine);
        scene.exec("true").await;
        let before = resident();
        let exit = scene.exec_for("dd if=/dev/zero bs=1M count=1024; echo end", 120).await;
        let grown = resident().saturating_sub(before);
        assert_eq!(exit.code, 0, "{}", exit.stderr);
        assert!(exit.stdout.len() <= 200_000);
        assert!(exit.stdout.ends_with("end\n"));
        eprintln!("{:?}: 1 GB took {:?}, memory grew by {grown} KB", engine.0, exit.took);
        // 8 MB, and what the other tests of this program have meanwhile.
        assert!(grown < 24 * 1024, "memory grew by {grown} KB");
        scene.end().await;
    }
}

/// Memory of this process, KB.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[tokio::test]
async fn sixteen_programs_run_at_once() {
    for engine in engines() {
        let scene = Scene::new(&engine);
        let runs = (0..16).map(|n| {
            let scene = &scene;
            async move { scene.exec(&format!("sleep 0.2; echo {n}")).await.stdout }
        });
        let said = futures_util::future::join_all(runs).await;
        let wanted: Vec<String> = (0..16).map(|n| format!("{n}\n")).collect();
        assert_eq!(said, wanted);
        assert_eq!(scene.sandbox.status().running, 1);
        scene.end().await;
    }
}
