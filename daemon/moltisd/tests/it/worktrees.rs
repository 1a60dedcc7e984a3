//! Sessions with a git worktree each, on the real daemon with the real git.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use moltis_proto::v1;
use moltis_proto::v1::event::Kind;
use moltis_testkit::daemon::Daemon;
use moltis_testkit::vendor::{Gate, Reply, Vendor};
use serde_json::json;

use crate::client::run;
use crate::hands::has_bubblewrap;
use crate::spine::{history, home, message, turn_end, turn_started};

/// A repository with one commit, of `file`.
pub(crate) struct Repository(tempfile::TempDir);

impl Repository {
    /// `None` where there is no git, which is said, and fails in CI.
    pub(crate) fn new() -> Option<Self> {
        if Command::new("git").arg("version").output().is_err() {
            assert!(std::env::var_os("CI").is_none_or(|ci| ci != "true"), "CI must have git");
            eprintln!("skipped: git is not installed");
            return None;
        }
        let repository = Self(tempfile::tempdir().unwrap());
        git(&repository.root(), &["init", "-q", "-b", "main"]);
        fs::write(repository.root().join("file"), "one\n").unwrap();
        git(&repository.root(), &["add", "."]);
        git(&repository.root(), &["commit", "-qm", "one"]);
        Some(repository)
    }

    fn root(&self) -> PathBuf {
        self.0.path().canonicalize().unwrap()
    }

    /// A session in it; with a worktree of its own if `tree` says so.
    pub(crate) fn session(&self, op: &str, tree: &str) -> v1::CreateRequest {
        let workspace = self.root().to_str().unwrap().to_owned();
        let settings = v1::Settings { workspace, tree: tree.to_owned(), ..v1::Settings::default() };
        let op_id = op.to_owned();
        v1::CreateRequest { op_id, settings: Some(settings), ..v1::CreateRequest::default() }
    }
}

/// Runs git as the person does.
fn git(directory: &Path, words: &[&str]) -> String {
    let mut command = Command::new("git");
    command.args(["-c", "user.name=a", "-c", "user.email=b@c"]).args(words);
    let output = command.current_dir(directory).output().unwrap();
    assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

async fn begun(daemon: &Daemon, new: v1::CreateRequest) -> (v1::Session, v1::Worktree) {
    let session = daemon.sessions().create(new).await.unwrap().into_inner();
    let worktree = session.worktree.clone().expect("it has a worktree");
    (session, worktree)
}

/// A turn in which the model writes this into `file`.
async fn writes(vendor: &Vendor, daemon: &Daemon, session: &str, text: &str) {
    vendor.calls(&[("write", json!({ "file_path": "file", "content": text }))]);
    let sent = daemon
        .sessions()
        .send(message(session, &text.replace([' ', '\n'], "-"), "go on"))
        .await
        .unwrap()
        .into_inner();
    let end = turn_end(daemon, session, &sent.turn).await;
    assert_eq!(end.ending(), v1::Ending::Done, "{end:?}");
}

fn notices(events: &[v1::Event]) -> Vec<String> {
    let notice = |event: &v1::Event| match &event.kind {
        Some(Kind::Notice(notice)) => Some(notice.text.clone()),
        _ => None,
    };
    events.iter().filter_map(notice).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn two_sessions_on_one_repository_change_the_same_file_and_each_sees_its_own() {
    let Some(repository) = Repository::new() else { return };
    let vendor = Vendor::calling().await;
    let home = home(&vendor);
    let daemon = home.start().await;
    let (one, first) = begun(&daemon, repository.session("1", "own")).await;
    let (two, second) = begun(&daemon, repository.session("2", "own")).await;
    assert!(first.path != second.path && first.branch != second.branch, "{first:?} {second:?}");
    assert!(first.branch.starts_with("moltis/") && first.base == second.base);
    writes(&vendor, &daemon, &one.id, "of one\n").await;
    writes(&vendor, &daemon, &two.id, "of two\n").await;
    let read = |folder: &str| fs::read_to_string(Path::new(folder).join("file")).unwrap();
    assert_eq!((read(&first.path), read(&second.path)), ("of one\n".into(), "of two\n".into()));
    assert_eq!(read(repository.root().to_str().unwrap()), "one\n");
    for (session, own, others) in [(&one, "of one", "of two"), (&two, "of two", "of one")] {
        let diff = run(&home, &["sessions", "diff", &session.id]).await;
        assert!(diff.stdout.contains(own) && !diff.stdout.contains(others), "{diff:?}");
    }

    // What is committed nowhere else stays; what holds nothing goes.
    let (three, third) = begun(&daemon, repository.session("3", "own")).await;
    let gone = run(&home, &["sessions", "delete", &three.id, "--yes"]).await;
    assert!(gone.code == Some(0) && !gone.stdout.contains("kept"), "{gone:?}");
    assert!(!Path::new(&third.path).exists());
    let kept = run(&home, &["sessions", "delete", &one.id, "--yes"]).await;
    let said = format!("{}{}", kept.stdout, kept.stderr);
    assert!(said.contains("is kept: a change in it is not committed"), "{said}");
    assert_eq!(read(&first.path), "of one\n");
    let branches = git(&repository.root(), &["branch", "--format=%(refname:short)"]);
    assert!(branches.contains(&first.branch) && !branches.contains(&third.branch), "{branches}");
    // What it says how to remove it is what removes it.
    let (_, how) = said.split_once("in it: ").unwrap();
    let removed = Command::new("sh").args(["-c", how.lines().next().unwrap()]).output().unwrap();
    assert!(removed.status.success() && !Path::new(&first.path).exists(), "{removed:?}");
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worktree_is_found_again_after_a_restart_and_a_lost_one_is_said_and_made_again() {
    let Some(repository) = Repository::new() else { return };
    let vendor = Vendor::calling().await;
    let home = home(&vendor);
    let daemon = home.start().await;
    let (session, worktree) = begun(&daemon, repository.session("1", "own")).await;
    writes(&vendor, &daemon, &session.id, "kept\n").await;
    let path = Path::new(&worktree.path);
    git(path, &["commit", "-qam", "kept"]);
    daemon.kill().await;

    let daemon = home.start().await;
    writes(&vendor, &daemon, &session.id, "again\n").await;
    assert_eq!(fs::read_to_string(path.join("file")).unwrap(), "again\n");

    fs::remove_dir_all(path).unwrap();
    let sent = daemon.sessions().send(message(&session.id, "lost", "hello")).await.unwrap();
    let end = turn_end(&daemon, &session.id, &sent.into_inner().turn).await;
    let why = end.failure.unwrap().message;
    assert!(why.contains("is gone") && !path.exists(), "{why}");
    let made = run(&home, &["sessions", "set", &session.id, "--tree", "own"]).await;
    assert_eq!(made.code, Some(0), "{made:?}");
    assert_eq!(fs::read_to_string(path.join("file")).unwrap(), "kept\n");
    writes(&vendor, &daemon, &session.id, "on it goes\n").await;
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_worktree_does_not_hold_is_said_and_so_is_who_else_works_there() {
    let Some(repository) = Repository::new() else { return };
    let vendor = Vendor::calling().await;
    let home = home(&vendor);
    let daemon = home.start().await;
    fs::write(repository.root().join("file"), "not committed\n").unwrap();
    fs::write(repository.root().join("new"), "nor this\n").unwrap();
    let (session, worktree) = begun(&daemon, repository.session("1", "own")).await;
    let said = notices(&history(&daemon, &session.id).await);
    assert!(said[0].contains("2 changes there are not committed"), "{said:?}");
    assert!(!Path::new(&worktree.path).join("new").exists());
    // Nobody is in the way of one that shares its directory with a worktree, but another that does.
    for (op, notice) in [("2", false), ("3", true)] {
        let session = daemon.sessions().create(repository.session(op, "")).await.unwrap();
        let session = session.into_inner();
        assert_eq!(session.worktree, None);
        let said = notices(&history(&daemon, &session.id).await);
        assert_eq!(said.iter().any(|text| text.contains("works in")), notice, "{said:?}");
    }
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_that_can_have_no_worktree_is_refused_and_there_is_no_session() {
    let Some(repository) = Repository::new() else { return };
    let vendor = Vendor::calling().await;
    let home = home(&vendor);
    let daemon = home.start().await;
    let plain = home.root().join("plain");
    fs::create_dir(&plain).unwrap();
    let mut new = repository.session("1", "own");
    new.settings.as_mut().unwrap().workspace = plain.to_str().unwrap().to_owned();
    let error = daemon.sessions().create(new).await.unwrap_err();
    assert!(error.message().contains("is not a git repository"), "{error:?}");
    let listed = daemon.sessions().list(v1::ListSessionsRequest::default()).await.unwrap();
    assert_eq!(listed.into_inner().sessions.len(), 0);
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_commits_in_its_worktree_from_within_the_sandbox() {
    let Some(repository) = Repository::new() else { return };
    if !has_bubblewrap() {
        return;
    }
    let vendor = Vendor::calling().await;
    let home = home(&vendor).env("MOLTIS_SANDBOX__BACKEND", "bubblewrap");
    let daemon = home.start().await;
    let (session, worktree) = begun(&daemon, repository.session("1", "own")).await;
    let steer = format!("{}/.git", repository.root().display());
    let command = format!(
        "echo two >>file; git -c user.name=a -c user.email=b@c commit -qam two; \
         echo evil >>{steer}/config; echo evil >{steer}/hooks/post-commit; echo evil >{steer}/new"
    );
    vendor.calls(&[("exec", json!({ "command": command }))]);
    let sent = daemon.sessions().send(message(&session.id, "go", "go on")).await.unwrap();
    let end = turn_end(&daemon, &session.id, &sent.into_inner().turn).await;
    assert_eq!(end.ending(), v1::Ending::Done, "{end:?}");
    let log = git(&repository.root(), &["log", "--format=%s", &worktree.branch]);
    assert_eq!(log, "two\none\n", "{:?}", history(&daemon, &session.id).await);
    let config = fs::read_to_string(repository.root().join(".git/config")).unwrap();
    assert!(!config.contains("evil"));
    for evil in ["hooks/post-commit", "new"] {
        assert!(!repository.root().join(".git").join(evil).exists(), "{evil}");
    }
    let deleted = run(&home, &["sessions", "delete", &session.id, "--yes"]).await;
    assert!(deleted.stdout.contains("has its commits"), "{deleted:?}");
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_does_not_move_while_a_turn_runs_and_nothing_is_left_of_the_try() {
    let Some(repository) = Repository::new() else { return };
    let vendor = Vendor::start().await;
    vendor.otherwise(|_| Some(Reply::sse("").after(&Gate::new())));
    let home = home(&vendor);
    let daemon = home.start().await;
    let session = daemon.sessions().create(repository.session("1", "")).await.unwrap().into_inner();
    let sent = daemon.sessions().send(message(&session.id, "hangs", "hello")).await.unwrap();
    turn_started(&daemon, &session.id, &sent.into_inner().turn).await;
    let ran = run(&home, &["sessions", "set", &session.id, "--tree", "own"]).await;
    assert!(ran.code != Some(0) && ran.stderr.contains("a turn is running"), "{ran:?}");
    let known = git(&repository.root(), &["worktree", "list", "--porcelain"]);
    assert_eq!(known.matches("worktree ").count(), 1, "{known}");
    assert_eq!(git(&repository.root(), &["branch", "--format=%(refname:short)"]), "main\n");
    daemon.kill().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_moves_into_a_worktree_and_back_and_a_fork_has_one_of_its_own() {
    let Some(repository) = Repository::new() else { return };
    let vendor = Vendor::calling().await;
    let home = home(&vendor);
    let daemon = home.start().await;
    let session = daemon.sessions().create(repository.session("1", "")).await.unwrap().into_inner();
    let set = async |tree: &str| {
        let ran = run(&home, &["sessions", "set", &session.id, "--tree", tree]).await;
        assert_eq!(ran.code, Some(0), "{ran:?}");
        run(&home, &["sessions", "show", &session.id, "--json"]).await.json()["worktree"].clone()
    };
    let worktree = set("own").await;
    let path = PathBuf::from(worktree["path"].as_str().unwrap());
    writes(&vendor, &daemon, &session.id, "in it\n").await;
    git(&path, &["commit", "-qam", "in it"]);

    let fork = run(&home, &["sessions", "fork", &session.id, "--json"]).await.json();
    let forked = PathBuf::from(fork["worktree"]["path"].as_str().unwrap());
    assert!(forked != path && fork["worktree"]["branch"] != worktree["branch"], "{fork}");
    assert_eq!(fs::read_to_string(forked.join("file")).unwrap(), "in it\n");

    // The fork's branch has the commit too.
    assert!(set("shared").await.is_null());
    assert!(!path.exists());
    writes(&vendor, &daemon, &session.id, "outside\n").await;
    assert_eq!(fs::read_to_string(repository.root().join("file")).unwrap(), "outside\n");
    // Put away, with a commit that is nowhere else: it stays, and is said.
    let id = fork["id"].as_str().unwrap().to_owned();
    let archived = run(&home, &["sessions", "archive", &id]).await;
    assert_eq!(archived.code, Some(0), "{archived:?}");
    let said = notices(&history(&daemon, &id).await);
    assert!(forked.exists() && said.last().unwrap().contains("has its commits"), "{said:?}");
    daemon.stop().await;
}
