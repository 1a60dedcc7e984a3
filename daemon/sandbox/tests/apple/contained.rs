//! What runs in a machine of its own, what it is given, and what it is kept from.

use std::sync::Arc;

use async_trait::async_trait;
use moltis_core::error::{Code, Result};
use moltis_core::id::SessionId;
use moltis_core::sandbox::{Mount, Network, Outlet, Sandbox as _};
use moltis_sandbox::Variables;
use secrecy::SecretString;

use crate::support::{Scene, VERSIONS, missing};

/// A way out that nobody may take.
struct NoWay;

#[async_trait]
impl Outlet for NoWay {
    fn hosts(&self) -> Vec<String> {
        vec!["example.org".to_owned()]
    }

    async fn serve(&self, _: &SessionId, _: std::os::unix::net::UnixStream) {
        panic!("something came out");
    }
}

/// A variable of the owner's.
struct Token;

#[async_trait]
impl Variables for Token {
    async fn variables(&self) -> Result<Vec<(String, SecretString)>> {
        Ok(vec![("TOKEN".to_owned(), SecretString::from("it's-a-secret of 7"))])
    }
}

#[tokio::test]
async fn a_program_runs_and_is_heard_whatever_generation_the_program_is_of() {
    if missing() {
        return;
    }
    for version in VERSIONS {
        let scene = Scene::new(version);
        let exit =
            scene.exec("echo out; echo wrong >&2; id -u; pwd; echo kept >file; exit 3").await;
        assert_eq!((exit.code, exit.stdout.as_str()), (3, "out\n1000\n/workspace\n"), "{version}");
        assert_eq!(exit.stderr, "wrong\n");
        let file = std::fs::read_to_string(scene.workspace().join("file")).unwrap();
        assert_eq!(file, "kept\n");
        let status = scene.sandbox.status();
        assert_eq!(status.backend.as_deref(), Some("apple-container"));
        assert!(status.detail.starts_with(version), "{}", status.detail);
        assert_eq!(status.running, 1);
        // The next one is in the same machine; there was one before it, to prove that it contains.
        assert_eq!(scene.exec("exit 1").await.code, 1);
        assert_eq!(scene.double.log().matches("run --interactive").count(), 2);
        scene.sandbox.stop(&scene.place.session).await;
        assert_eq!(scene.double.running(), Vec::<String>::new());
    }
}

#[tokio::test]
async fn the_owners_variables_are_inside_and_in_no_arguments() {
    if missing() {
        return;
    }
    let scene = Scene::with("1.2.2", |options| options.variables = Arc::new(Token));
    let exit = scene.exec("printf %s \"$TOKEN\"; env | grep -c DAEMON").await;
    assert_eq!(exit.stdout, "it's-a-secret of 70\n");
    let log = scene.double.log();
    assert!(log.contains("exec --interactive") && !log.contains("secret"), "{log}");
    assert!(!log.contains("printf %s"), "nor is the command: {log}");
}

#[tokio::test]
async fn what_one_can_reach_is_the_workspace_and_what_the_place_says() {
    if missing() {
        return;
    }
    let mut scene = Scene::new("1.2.2");
    let exit = scene.exec("ls -A / /sys/class/net; (: >/x) 2>&1; df -k /tmp | tail -1").await;
    assert!(!exit.stdout.contains("eth0"), "{}", exit.stdout);
    assert!(exit.stdout.contains("Read-only file system"), "{}", exit.stdout);
    assert!(exit.stdout.contains(" 16384 "), "{}", exit.stdout);
    scene.place.mount = Mount::ReadOnly;
    let exit = scene.exec("echo no >file || echo kept out").await;
    assert_eq!(exit.stdout, "kept out\n");
    scene.place.mount = Mount::None;
    assert_eq!(scene.exec("ls /workspace; pwd").await.stdout, "/home/moltis\n");
    scene.place.network = Network::Open;
    assert!(scene.exec("ls /sys/class/net").await.stdout.contains("eth0"));
    scene.place.network = Network::Listed;
    let error = scene.try_exec("true").await.unwrap_err();
    assert_eq!(error.code, Code::Invalid);
    assert!(error.message.contains("no socket leads out of a virtual machine"), "{error}");
    assert!(error.hint.is_some_and(|hint| hint.contains("`none` or `open`")));
}

#[tokio::test]
async fn single_hosts_are_refused_whatever_leads_to_them() {
    if missing() {
        return;
    }
    let mut scene = Scene::with("1.2.2", |options| options.outlet = Some(Arc::new(NoWay)));
    scene.place.network = Network::Listed;
    let error = scene.try_exec("true").await.unwrap_err();
    assert!(error.message.contains("no socket leads out of a virtual machine"), "{error}");
    assert!(!scene.data().join("run/sandbox/openings").exists());
}

#[tokio::test]
async fn the_repository_of_a_worktree_is_not_seen_and_that_is_said() {
    if missing() {
        return;
    }
    let scene = Scene::new("1.2.2");
    let repository = tempfile::tempdir().unwrap();
    let (root, workspace) = (repository.path(), scene.workspace().to_str().unwrap());
    for words in [
        &["init", "-q", "-b", "main"][..],
        &["commit", "-q", "--allow-empty", "-m", "one"],
        &["worktree", "add", "-q", "--lock", "-b", "side", workspace],
    ] {
        let mut git = std::process::Command::new("git");
        git.args(["-c", "user.name=a", "-c", "user.email=b@c"]).args(words).current_dir(root);
        assert!(git.status().unwrap().success(), "{words:?}");
    }
    let exit = scene.exec(&format!("cat .git; ls {}; : >>.git", root.display())).await;
    assert!(exit.stdout.starts_with("gitdir: ") && exit.stdout.lines().count() == 1, "{exit:?}");
    assert!(exit.stderr.contains("Read-only"), "{exit:?}");
    let lacks = scene.sandbox.status().lacks.join("\n");
    assert!(lacks.contains("in a git worktree, git does not work"), "{lacks}");
}

#[tokio::test]
async fn what_steers_others_can_not_be_changed_from_inside() {
    if missing() {
        return;
    }
    let scene = Scene::new("0.12.3");
    std::fs::create_dir_all(scene.workspace().join(".git/hooks")).unwrap();
    let exit =
        scene.exec("echo evil >.git/hooks/pre-commit || mv .git other || echo guarded").await;
    assert_eq!(exit.stdout, "guarded\n", "{}", exit.stderr);
    // And what was not there is set aside.
    let exit = scene.exec("echo evil >.envrc").await;
    assert!(exit.stderr.contains("`.envrc.from-sandbox`"), "{}", exit.stderr);
    assert!(!scene.workspace().join(".envrc").exists());
}

#[tokio::test]
async fn a_wall_that_is_not_there_is_noticed_and_nothing_runs() {
    if missing() {
        return;
    }
    for (ignored, complaint) in [
        ("--read-only", "its root can be written"),
        ("--cap-drop", "its programs have capabilities"),
        ("--uid", "its programs run as user `0 0 0 0`"),
        ("network:none", "it has the networks `eth0 lo`"),
        ("volume:ro", "`/workspace` can be written"),
    ] {
        let mut scene = Scene::new("1.2.2");
        scene.place.mount = Mount::ReadOnly;
        scene.double.flavor(&format!("ignores={ignored}"));
        let error = scene.try_exec("echo ran >&2").await.unwrap_err();
        assert!(error.message.contains(complaint), "{ignored}: {error}");
        assert_eq!(scene.double.running(), Vec::<String>::new(), "{ignored}");
    }
}

#[tokio::test]
async fn what_is_lacking_is_said() {
    if missing() {
        return;
    }
    let scene = Scene::new("1.2.2");
    let status = scene.sandbox.probe().await;
    let lacks = status.lacks.join("\n");
    for said in ["single hosts", "which still print", "in a git worktree", "`.git/hooks`"] {
        assert_eq!(lacks.matches(said).count(), 1, "{lacks}");
    }
    assert!(!lacks.contains("memory"), "{lacks}");
}

#[tokio::test]
async fn a_program_goes_on_with_a_screen_of_its_own() {
    if missing() {
        return;
    }
    let scene = Scene::new("1.2.2");
    scene.start("serve", "echo up; read -r line; echo got $line; sleep 60").await;
    scene.until_screen("serve", "up").await;
    assert_eq!(scene.sandbox.processes(&scene.place).await.unwrap().len(), 1);
    scene.sandbox.kill(&scene.place, "serve").await.unwrap();
    assert!(scene.sandbox.processes(&scene.place).await.unwrap().is_empty());
}
