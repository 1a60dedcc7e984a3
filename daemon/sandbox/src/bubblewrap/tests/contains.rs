//! What programs inside can see, reach and use up.

use std::io::Write as _;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use async_trait::async_trait;
use moltis_core::error::Code;
use secrecy::SecretString;

use super::*;
use crate::Variables;

#[tokio::test]
async fn the_probe_proves_it() {
    let Some(rig) = Rig::new().await else { return };
    rig.backend.probe().await.expect("it contains");
    eprintln!("{}", rig.backend.detail());
    rig.backend.lacks().iter().for_each(|lack| eprintln!("lacks: {lack}"));
    assert_eq!(rig.backend.running(), 0);
}

#[tokio::test]
async fn the_exit_code_and_both_streams_come_back_apart() {
    let Some(rig) = Rig::new().await else { return };
    let shown = Shown::default();
    let place = rig.place("test");
    let command = run("echo out; echo err >&2; cat; exit 7");
    let exit = rig.backend.exec(&place, &command, &shown).await.expect("it runs");
    assert_eq!((exit.code, exit.stdout.as_str(), exit.stderr.as_str()), (7, "out\n", "err\n"));
    assert_eq!(exit.ended_by, None);
    assert!(shown.0.lock().expect("shown").contains("out\n"));
    assert_eq!(rig.sh("kill -TERM $$").await.code, 143);
    assert_eq!(rig.sh("").await.code, 0);
    assert_eq!(rig.sh("echo 'it'\"'\"'s'; printf '%s' '#whole'").await.stdout, "it's\n#whole");
}

#[tokio::test]
async fn a_command_that_can_not_be_told_is_refused() {
    let Some(rig) = Rig::new().await else { return };
    let place = rig.place("test");
    for command in ["x\0y".to_owned(), "x".repeat(120_001)] {
        assert!(rig.try_in(&place, &run(&command)).await.is_err());
    }
    let long = format!("x={}; echo ${{#x}}", "y".repeat(110_000));
    assert_eq!(rig.sh(&long).await.stdout, "110000\n");
    let nowhere = Run { directory: "no/such".to_owned(), ..run("true") };
    let error = rig.try_in(&place, &nowhere).await.expect_err("there is no such folder");
    assert!(error.message.contains("no/such"), "{error}");
    for out in ["..", "a/../..", "/etc"] {
        let outside = Run { directory: out.to_owned(), ..run("true") };
        assert!(rig.try_in(&place, &outside).await.is_err(), "{out}");
    }
    let wide = Run { network: Network::Open, ..run("true") };
    assert_eq!(rig.try_in(&place, &wide).await.expect_err("none").code, Code::Denied);
}

#[tokio::test]
async fn without_socat_single_hosts_are_refused_and_that_is_said() {
    let Some(mut rig) = Rig::new().await else { return };
    let listed = Run { network: Network::Listed, ..run("true") };
    let error = rig.try_in(&rig.place("test"), &listed).await.expect_err("nothing leads to them");
    assert_eq!(error.code, Code::Invalid);
    let backend = Arc::get_mut(&mut rig.backend).expect("it is the only one");
    backend.has_relay = false;
    assert!(backend.lacks().iter().any(|lack| lack.contains("socat is not there")));
    let error = rig.try_in(&rig.place("test"), &listed).await.expect_err("no socat");
    assert_eq!(error.code, Code::NotConfigured);
    assert!(error.message.contains("socat"), "{error}");
}

struct Owners;

#[async_trait]
impl Variables for Owners {
    async fn variables(&self) -> Result<Vec<(String, SecretString)>> {
        Ok(vec![("TOKEN".to_owned(), "it's $HOME\nand \"more\"".into())])
    }
}

#[tokio::test]
async fn the_environment_is_the_owners_and_not_the_daemons() {
    let Some(rig) = Rig::with(|options| options.variables = Arc::new(Owners)).await else { return };
    // What cargo sets for a test stands for the daemon's secrets.
    assert!(std::env::var_os("CARGO_MANIFEST_DIR").is_some());
    let exit = rig.sh("env | sort; cat /proc/*/environ | tr '\\0' '\\n'").await;
    assert!(!exit.stdout.contains("CARGO"), "{}", exit.stdout);
    assert!(exit.stdout.contains("TOKEN=it's $HOME\nand \"more\"\n"), "{}", exit.stdout);
    let seen = rig.unguarded(without("--clearenv", 0), "env");
    assert!(seen.contains("CARGO_MANIFEST_DIR"), "the guard is what does it");
}

#[tokio::test]
async fn not_even_this_machine_can_be_reached() {
    let Some(rig) = Rig::new().await else { return };
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("its address").port();
    let connect = format!(
        "perl -e 'use Socket; socket(S, PF_INET, SOCK_STREAM, 0); \
         print connect(S, sockaddr_in({port}, inet_aton(\"127.0.0.1\"))) ? \"reached\" : \"no\"'"
    );
    assert_eq!(rig.sh(&connect).await.stdout, "no");
    assert!(rig.unguarded(without("--unshare-net", 0), &connect).contains("reached"));
    let interfaces = rig.sh("grep -c : /proc/net/dev; cat /proc/net/route").await;
    assert_eq!(interfaces.stdout.lines().next(), Some("1"));
}

#[tokio::test]
async fn the_machines_files_are_not_there() {
    let Some(rig) = Rig::new().await else { return };
    let seen = rig
        .sh("ls -d /root /var /boot /sys /etc/shadow /etc/sudoers /etc/ssh /etc/ssl/private \
             /var/run/docker.sock /run/docker.sock /run/user /tmp/* /home/* 2>/dev/null; ls -A /")
        .await;
    let stdout = seen.stdout.replace("lib32\n", "").replace("libx32\n", "");
    expect_test::expect![[r#"
        /home/moltis
        bin
        dev
        etc
        home
        lib
        lib64
        proc
        run
        sbin
        tmp
        usr
        workspace
    "#]]
    .assert_eq(&stdout);
    assert!(
        rig.unguarded(
            |arguments| {
                arguments.extend(["--ro-bind", "/etc/shadow", "/etc/shadow"].map(OsString::from));
            },
            "ls /etc/shadow"
        )
        .contains("Read-only file system"),
        "nothing can be added after the root"
    );
}

#[tokio::test]
async fn nothing_of_the_machine_can_be_written() {
    let Some(rig) = Rig::new().await else { return };
    let tries = "for place in / /usr /usr/bin /etc /dev /home /proc /proc/sys/kernel /run/..; do \
                 if (: >$place/new) 2>/dev/null; then echo \"$place\"; fi; done; \
                 for file in /usr/bin/env /etc/passwd /etc/hosts /proc/sys/kernel/core_pattern \
                 /proc/sys/kernel/hostname /proc/sysrq-trigger /proc/self/oom_score_adj; do \
                 if (: >>$file) 2>/dev/null; then echo \"$file\"; fi; done";
    assert_eq!(rig.sh(tries).await.stdout, "");
    // A daemon that is root owns the kernel's switches, and no capability is asked for.
    if rustix::process::geteuid().is_root() {
        let proc = |arguments: &mut Vec<OsString>| {
            let at = arguments
                .windows(2)
                .position(|words| words[0] == "--remount-ro" && words[1] == "/proc");
            arguments.drain(at.expect("the guard is there")..).take(2).for_each(drop);
        };
        let seen = rig.unguarded(proc, "(: >>/proc/sys/kernel/core_pattern) && echo open");
        assert!(seen.contains("open"), "the guard is what does it: {seen}");
    }
}

#[tokio::test]
async fn nobody_inside_has_or_gains_rights() {
    let Some(rig) = Rig::new().await else { return };
    let exit = rig
        .sh("id -u; id -g; grep -E '^(Cap|NoNewPrivs|Seccomp:)' /proc/self/status; hostname; \
             find / -xdev -perm -4000 -exec {} --version \\; 2>/dev/null | grep -ci root; \
             mount -t tmpfs none /tmp 2>/dev/null || echo 'no mount'; \
             unshare -Ur true 2>/dev/null || echo 'no namespace'")
        .await;
    let text = exit.stdout.replace(['\t', ' '], "");
    for line in ["CapPrm:", "CapEff:", "CapBnd:", "CapInh:", "CapAmb:"] {
        assert!(text.contains(&format!("{line}0000000000000000\n")), "{text}");
    }
    for line in ["1000\n1000\n", "NoNewPrivs:1", "Seccomp:2", "moltis", "nomount", "nonamespace"] {
        assert!(text.contains(line), "{line}: {text}");
    }
}

#[tokio::test]
async fn calls_that_lead_out_are_refused_and_ordinary_ones_are_not() {
    let Some(rig) = Rig::new().await else { return };
    if super::super::program("python3").is_none() {
        assert!(std::env::var_os("CI").is_none_or(|ci| ci != "true"), "CI must have python3");
        eprintln!("skipped: python3 is not installed");
        return;
    }
    let calls = r#"python3 - <<'END'
import ctypes, os, socket, threading
libc = ctypes.CDLL(None, use_errno=True)
def call(name, number, *arguments):
    ctypes.set_errno(0)
    result = libc.syscall(number, *arguments)
    print(name, "allowed" if result >= 0 else os.strerror(ctypes.get_errno()))
if os.uname().machine == "x86_64":
    call("keyctl", 250, 0, -3, 0)
    call("bpf", 321, 0, 0, 0)
    call("userfaultfd", 323, 0)
    call("unshare-user", 272, 0x10000000)
    call("clone-user", 56, 0x10000000 | 17, 0, 0, 0, 0)
    call("clone3", 435, 0, 0)
    call("io_uring_setup", 425, 1, 0)
    call("x32-getpid", 0x40000000 | 39)
    call("openat2", 437, -100, b"/tmp/x", 0, 0)
def tries(name, what):
    try:
        what(); print(name, "allowed")
    except OSError as error:
        print(name, error.strerror)
os.chdir("/workspace"); open("f", "w").close()
tries("chmod", lambda: os.chmod("f", 0o4755))
tries("fchmod", lambda: os.fchmod(os.open("f", os.O_RDONLY), 0o4755))
tries("create", lambda: os.open("g", os.O_CREAT | os.O_WRONLY, 0o4755))
tries("mknod", lambda: os.mknod("h", 0o104755))
tries("plain chmod", lambda: os.chmod("f", 0o2755))
tries("plain open", lambda: os.open("f", os.O_RDONLY, 0o4755))
for name, kind in [("vsock", 40), ("packet", 17), ("alg", 38)]:
    try:
        socket.socket(kind, socket.SOCK_STREAM); print(name, "allowed")
    except OSError as error:
        print(name, error.strerror)
socket.socketpair(); socket.socket(); socket.socket(socket.AF_INET6)
thread = threading.Thread(target=lambda: print("a thread")); thread.start(); thread.join()
print("child", os.waitstatus_to_exitcode(os.system("exit 3")))
END"#;
    let exit = rig.sh(calls).await;
    expect_test::expect![[r#"
        keyctl Operation not permitted
        bpf Operation not permitted
        userfaultfd Operation not permitted
        unshare-user Operation not permitted
        clone-user Operation not permitted
        clone3 Function not implemented
        io_uring_setup Operation not permitted
        x32-getpid Function not implemented
        openat2 Function not implemented
        chmod Operation not permitted
        fchmod Operation not permitted
        create Operation not permitted
        mknod Operation not permitted
        plain chmod allowed
        plain open allowed
        vsock Address family not supported by protocol
        packet Address family not supported by protocol
        alg Address family not supported by protocol
        a thread
        child 3
    "#]]
    .assert_eq(&(exit.stdout + &exit.stderr));
    let bare = rig.unguarded(|_| {}, "unshare -U echo a namespace");
    assert!(bare.contains("a namespace"), "the guards are what does it: {bare}");
}

#[tokio::test]
async fn other_processes_are_not_there() {
    let Some(rig) = Rig::new().await else { return };
    let exit = rig.sh("ls -d /proc/[0-9]* | wc -l; kill -0 -1; ls /proc/1/root/ >/dev/null").await;
    let count: u32 = exit.stdout.trim().parse().expect("a number");
    assert!(count < 8, "{count}");
    let pid = std::process::id();
    assert_eq!(rig.sh(&format!("kill -0 {pid} 2>/dev/null && echo there")).await.stdout, "");
}

#[tokio::test]
async fn the_workspace_is_seen_as_the_place_says() {
    let Some(rig) = Rig::new().await else { return };
    let root = rig.workspace.path();
    std::fs::create_dir(root.join("sub")).expect("a folder");
    std::fs::write(root.join("sub/file"), "text").expect("a file");
    let try_it = "cat /workspace/sub/file; echo new >/workspace/new && echo written; pwd";
    assert_eq!(rig.sh_in(Mount::None, try_it).await.stdout, "/home/moltis\n");
    assert_eq!(rig.sh_in(Mount::ReadOnly, try_it).await.stdout, "text/workspace\n");
    assert!(!root.join("new").exists());
    assert_eq!(rig.sh(try_it).await.stdout, "textwritten\n/workspace\n");
    assert_eq!(std::fs::read_to_string(root.join("new")).expect("it stays"), "new\n");
    let place = rig.place("test");
    let inside = Run { directory: "sub".to_owned(), ..run("pwd; touch here") };
    assert_eq!(rig.try_in(&place, &inside).await.expect("it runs").stdout, "/workspace/sub\n");
    assert!(root.join("sub/here").exists());
}

#[tokio::test]
async fn a_link_out_of_the_workspace_leads_nowhere() {
    let Some(rig) = Rig::new().await else { return };
    let root = rig.workspace.path();
    let secret = rig.data.path().join("secret");
    std::fs::write(&secret, "secret").expect("a file");
    std::os::unix::fs::symlink(&secret, root.join("link")).expect("a link");
    std::os::unix::fs::symlink("../../../../../../etc", root.join("up")).expect("a link");
    std::os::unix::fs::symlink(rig.data.path(), root.join("folder")).expect("a link");
    let exit =
        rig.sh("cat link up/shadow folder/secret; echo over >link; cat /workspace/../secret").await;
    assert_eq!(exit.stdout, "");
    assert_eq!(std::fs::read_to_string(&secret).expect("it is there"), "secret");
    let place = rig.place("test");
    let through = Run { directory: "folder".to_owned(), ..run("cat secret") };
    assert!(rig.try_in(&place, &through).await.is_err());
}

#[tokio::test]
async fn the_daemons_own_data_is_hidden_in_a_workspace_around_it() {
    let Some(rig) = Rig::new().await else { return };
    std::fs::write(rig.data.path().join("vault"), "secret").expect("a file");
    let around = rig.data.path().parent().expect("a folder around it").to_owned();
    let name = rig.data.path().file_name().expect("a name").to_string_lossy().into_owned();
    let place = Place { workspace: Some(around), ..rig.place("test") };
    let look = run(&format!("ls -A {name}; ls -A | grep -c {name}"));
    let look = Run { mount: Mount::ReadOnly, ..look };
    assert_eq!(rig.try_in(&place, &look).await.expect("it runs").stdout, "1\n");
    let machine = Place { workspace: Some("/".into()), ..rig.place("test") };
    assert!(rig.try_in(&machine, &look).await.is_err(), "all of the machine is no workspace");
}

#[tokio::test]
async fn the_folders_above_the_daemons_data_can_not_be_put_aside() {
    if missing() {
        return;
    }
    let home = TempDir::new().expect("a home");
    let data = home.path().join("local/share/moltis");
    std::fs::create_dir_all(&data).expect("a data directory");
    std::fs::write(data.join("vault"), "secret").expect("a file");
    let options = Options::new(data.clone(), "test".to_owned());
    let backend = Bubblewrap::find(&options).await.expect("bubblewrap can be prepared");
    let place = Place {
        session: SessionId::new("test"),
        workspace: Some(home.path().to_owned()),
        mount: Mount::ReadWrite,
        network: Network::None,
    };
    let command = run("ls -A local/share/moltis; mv local x; mv local/share y; \
                       mv local/share/moltis z; touch local/share/moltis/evil; touch local/fine");
    let exit = backend.exec(&place, &command, &Shown::default()).await.expect("it runs");
    assert_eq!(exit.stdout, "");
    assert_eq!(std::fs::read_to_string(data.join("vault")).expect("it is there"), "secret");
    assert!(!data.join("evil").exists() && home.path().join("local/fine").exists());
}

#[tokio::test]
async fn a_flood_of_output_is_taken_in_bounded_memory() {
    let Some(rig) = Rig::new().await else { return };
    let before = resident();
    let exit = rig.sh("head -c 2000000000 /dev/zero | tr '\\0' 'x'; echo; echo the end").await;
    let grown = resident().saturating_sub(before);
    eprintln!("2 GB of output: {grown} bytes more in memory, {:?}", exit.took);
    assert!(exit.stdout.len() <= 200_000 && exit.stdout.ends_with("the end\n"));
    assert!(grown < 32_000_000, "{grown}");
}

#[tokio::test]
async fn a_full_disk_inside_is_full_inside_only() {
    let Some(rig) = Rig::with(|options| options.tmp_mb = 8).await else { return };
    let fill = "for place in /tmp ~ /dev/shm /run; do head -c 100000000 /dev/zero >$place/full; \
                stat -c %s $place/full; done 2>/dev/null";
    let sizes = rig.sh(fill).await.stdout;
    let sizes: Vec<u64> = sizes.lines().map(|line| line.parse().expect("a size")).collect();
    assert_eq!(sizes.len(), 4);
    assert!(sizes.iter().all(|size| *size <= 8_010_000), "{sizes:?}");
    assert_eq!(rig.sh("ls -A /tmp").await.stdout, "", "it goes with the command");
}

#[tokio::test]
async fn a_memory_bomb_ends_inside() {
    let Some(rig) = Rig::with(|options| options.memory_mb = 200).await else { return };
    let exit = rig.sh("perl -e '$x = \"x\" x 1000000000; print length $x'; echo after").await;
    assert_eq!(exit.stdout, "after\n", "{}", exit.stderr);
    assert_eq!(rig.sh("cat /proc/self/oom_score_adj").await.stdout, "1000\n");
}

/// Root is not counted by the kernel, and `lacks` says so: the bomb is for others.
#[tokio::test]
async fn a_fork_bomb_ends_inside() {
    let Some(rig) = Rig::with(|options| options.pids = 64).await else { return };
    if rustix::process::geteuid().is_root() {
        rig.backend.probe().await.expect("it contains");
        let lacks = rig.backend.lacks().concat();
        assert!(lacks.contains("The number of processes is not limited"), "{lacks}");
        return;
    }
    let place = rig.place("bomb");
    let bomb =
        Run { timeout: Duration::from_secs(3), ..run("b() { b | b & }; b; sleep 60 & wait") };
    let most = Mutex::new(0);
    let running = rig.try_in(&place, &bomb);
    tokio::pin!(running);
    loop {
        tokio::select! {
            exit = &mut running => { exit.expect("it runs"); break }
            () = tokio::time::sleep(Duration::from_millis(50)) => {
                let mut most = most.lock().expect("one looks");
                *most = (*most).max(processes_with("b() { b | b").len());
            }
        }
    }
    let most = *most.lock().expect("one looks");
    eprintln!("a fork bomb had at most {most} processes of 64");
    assert!(most <= 70, "{most}");
    assert_eq!(rig.sh("echo fine").await.stdout, "fine\n");
}

#[tokio::test]
async fn sixteen_at_once_do_not_disturb_each_other() {
    let Some(rig) = Rig::new().await else { return };
    let mut set = tokio::task::JoinSet::new();
    for number in 0..16 {
        let backend = Arc::clone(&rig.backend);
        let place = rig.place(&format!("session-{}", number % 4));
        set.spawn(async move {
            let command =
                run(&format!("echo {number} >/tmp/x; echo {number} >n{number}; cat /tmp/x"));
            let exit = backend.exec(&place, &command, &Shown::default()).await.expect("it runs");
            (number, exit)
        });
    }
    while let Some(ended) = set.join_next().await {
        let (number, exit) = ended.expect("no panic");
        assert_eq!((exit.code, exit.stdout), (0, format!("{number}\n")), "{}", exit.stderr);
    }
    assert_eq!(rig.backend.running(), 0);
    settled(&rig).await;
    assert_eq!(std::fs::read_dir(rig.workspace.path()).expect("a folder").count(), 16);
}

/// Beside bubblewrap itself, with the same arguments, in the same run.
#[tokio::test]
async fn the_start_of_true_is_measured() {
    let Some(rig) = Rig::new().await else { return };
    rig.backend.probe().await.expect("it contains");
    let (mut ours, mut bare) = (Vec::new(), Vec::new());
    for _ in 0..40 {
        let began = Instant::now();
        assert_eq!(rig.sh("true").await.code, 0);
        ours.push(began.elapsed());
        let began = Instant::now();
        assert_eq!(rig.unguarded(|_| {}, "true"), "");
        bare.push(began.elapsed());
    }
    ours.sort();
    bare.sort();
    eprintln!(
        "exec of `true`: median {:?}, worst {:?}; bubblewrap alone: median {:?}, worst {:?}",
        ours[20], ours[39], bare[20], bare[39]
    );
}

/// Runs the tests that root can't, as someone else.
#[test]
fn the_same_holds_for_a_daemon_that_is_not_root() {
    if missing() || !rustix::process::geteuid().is_root() {
        return;
    }
    let Some(setpriv) = super::super::program("setpriv") else {
        assert!(std::env::var_os("CI").is_none_or(|ci| ci != "true"), "CI must have setpriv");
        eprintln!("skipped: setpriv is not installed");
        return;
    };
    // Where anybody can read the program of the tests and write.
    let folder = TempDir::new().expect("a folder");
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o777))
        .expect("rights");
    let program = folder.path().join("tests");
    std::fs::copy(std::env::current_exe().expect("this program"), &program).expect("a copy");
    let output = Command::new(setpriv)
        .args(["--reuid", "4242", "--regid", "4242", "--clear-groups"])
        .arg(&program)
        .args(["bubblewrap::", "--skip", "the_same_holds", "--skip", "flood", "--nocapture"])
        .env("TMPDIR", folder.path())
        .current_dir(folder.path())
        .output()
        .expect("the tests run");
    std::io::stderr().write_all(&output.stderr).expect("it is shown");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}");
}

/// Bytes of this process in memory.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/statm").expect("Linux");
    let pages: u64 = status.split(' ').nth(1).and_then(|n| n.parse().ok()).expect("a number");
    pages * 4096
}
