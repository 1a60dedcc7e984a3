use super::Proof;
use crate::container::spec::tests::spec;

/// What a container says that is as it was asked for.
const GOOD: &str = "\
status Uid:\t1000\t1000\t1000\t1000
status CapInh:\t0000000000000000
status CapPrm:\t0000000000000000
status CapEff:\t0000000000000000
status CapBnd:\t0000000000000000
status CapAmb:\t0000000000000000
status NoNewPrivs:\t1
status Seccomp:\t2
mount overlay / overlay ro,relatime 0 0
mount proc /proc proc rw,nosuid 0 0
mount tmpfs /tmp tmpfs rw,nosuid,nodev 0 0
mount /dev/sda1 /etc/hosts ext4 ro,relatime 0 0
mount /dev/sda1 /workspace ext4 rw,relatime 0 0
mount /dev/sda1 /workspace/.git ext4 rw,relatime 0 0
mount /dev/sda1 /workspace/.git/hooks ext4 ro,relatime 0 0
net lo
limit memory.max 2147483648
limit pids.max 256
inode 10 /workspace
inode 15 /workspace/.git
inode 21 /workspace/.git/hooks
tool grep
tool socat
tool tmux
ready 7
";

fn proof(text: &str) -> Proof {
    let mut proof = Proof::default();
    text.lines().for_each(|line| proof.line(line));
    proof
}

#[test]
fn a_container_that_is_as_asked_for_lacks_nothing() {
    let proof = proof(GOOD);
    assert_eq!(proof.keep.as_deref(), Some("7"));
    assert_eq!(proof.check(&spec()).unwrap(), Vec::<String>::new());
}

#[test]
fn one_that_does_not_contain_is_not_used() {
    for (good, bad, said) in [
        ("Uid:\t1000\t1000", "Uid:\t0\t0", "run as user"),
        ("Uid:\t1000\t1000", "Uid:\t1000\t0", "run as user"),
        ("status Uid:\t1000\t1000\t1000\t1000\n", "", "run as user"),
        ("CapBnd:\t0000000000000000", "CapBnd:\t00000000a80425fb", "capabilities"),
        ("status CapEff:\t0000000000000000\n", "", "capabilities"),
        ("NoNewPrivs:\t1", "NoNewPrivs:\t0", "privileges"),
        ("overlay ro,relatime", "overlay rw,relatime", "root can be written"),
        ("net lo", "net lo\nnet eth0", "networks"),
        ("net lo\n", "", "networks"),
        ("net lo", "net lo\nmount /dev/sda1 /home/me ext4 ro 0 0", "`/home/me` of the machine"),
        ("net lo", "net lo\nmount /dev/sda1 /run/docker.sock ext4 rw 0 0", "docker.sock"),
        ("hooks ext4 ro", "hooks ext4 rw", "can be written"),
        ("mount /dev/sda1 /workspace/.git/hooks ext4 ro,relatime 0 0\n", "", "not mounted"),
        ("inode 21 /workspace/.git/hooks", "inode 22 /workspace/.git/hooks", "a moment ago"),
        ("inode 10 /workspace\n", "", "a moment ago"),
    ] {
        let changed = GOOD.replacen(good, bad, 1);
        assert_ne!(changed, GOOD, "{good}");
        let error = proof(&changed).check(&spec()).unwrap_err();
        assert!(error.message.contains(said), "{good} -> {bad}: {error}");
    }
}

#[test]
fn one_that_is_to_reach_single_hosts_has_no_network_either_and_a_relay() {
    let mut spec = spec();
    spec.relay = Some("mark".to_owned());
    let good = GOOD.replace("ready", "relay\nready");
    assert_eq!(proof(&good).check(&spec).unwrap(), Vec::<String>::new());
    for (good_line, bad, said) in [
        ("net lo", "net lo\nnet eth0", "networks"),
        ("tool socat\n", "", "no `socat`"),
        ("relay\n", "", "nothing in the sandbox leads"),
    ] {
        let error = proof(&good.replacen(good_line, bad, 1)).check(&spec).unwrap_err();
        assert!(error.message.contains(said), "{error}");
    }
}

#[test]
fn limits_that_are_not_there_are_told() {
    for (good, said) in [
        ("limit memory.max 2147483648\n", "memory"),
        ("limit pids.max 256\n", "number"),
        ("status Seccomp:\t2\n", "system calls"),
        ("tool grep\n", "grep"),
        ("tool socat\n", "socat"),
        ("tool tmux\n", "tmux"),
    ] {
        let lacks = proof(&GOOD.replace(good, "")).check(&spec()).unwrap();
        assert_eq!(lacks.len(), 1, "{lacks:?}");
        assert!(lacks[0].contains(said), "{lacks:?}");
    }
}

#[test]
fn a_program_that_talks_without_end_fills_nothing() {
    let mut proof = proof(GOOD);
    for n in 0..10_000 {
        proof.line(&format!("mount x /{n} tmpfs rw 0 0"));
        proof.line(&format!("net n{n}"));
    }
    assert!(proof.mounts.len() <= 2_000 && proof.networks.len() <= 2_000);
}

#[test]
fn a_limit_on_the_processes_of_its_user_is_one() {
    let unlimited = GOOD.replace("limit pids.max 256\n", "");
    for (line, lacking) in [("256      256", 0), ("64       256", 0), ("256      unlimited", 1)] {
        let text = unlimited
            .replace("tool grep", &format!("most Max processes {line} processes\ntool grep"));
        assert_eq!(proof(&text).check(&spec()).unwrap().len(), lacking, "{line}");
    }
}
