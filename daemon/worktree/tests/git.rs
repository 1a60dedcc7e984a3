//! Worktrees by the real git, of repositories that are as they should be, and of others.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use moltis_core::error::Error;
use moltis_core::id::SessionId;
use moltis_core::worktree::{Left, Made, Worktrees as _};
use moltis_worktree::GitWorktrees;

/// A repository, and worktrees in a folder of their own.
struct Rig {
    folder: tempfile::TempDir,
    worktrees: GitWorktrees,
}

impl Rig {
    /// `None` where there is no git, which is said, and fails in CI.
    fn new() -> Option<Self> {
        if Command::new("git").arg("version").output().is_err() {
            assert!(std::env::var_os("CI").is_none_or(|ci| ci != "true"), "CI must have git");
            eprintln!("skipped: git is not installed");
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let worktrees = GitWorktrees::open(&folder.path().join("worktrees"), "moltis").unwrap();
        let rig = Self { folder, worktrees };
        fs::create_dir(rig.root()).unwrap();
        rig.git(&["init", "-q", "-b", "main"]);
        rig.commit("file", "one\n");
        Some(rig)
    }

    fn root(&self) -> PathBuf {
        self.folder.path().canonicalize().unwrap().join("repository")
    }

    fn git(&self, words: &[&str]) -> String {
        git(&self.root(), words)
    }

    fn commit(&self, file: &str, text: &str) {
        fs::write(self.root().join(file), text).unwrap();
        self.git(&["add", "."]);
        self.git(&["commit", "-qm", file]);
    }

    async fn make(&self, session: &str) -> Result<Made, Error> {
        self.worktrees.make(&SessionId::new(session), &self.root(), None).await
    }

    /// Makes one and gives its directory.
    async fn made(&self, session: &str) -> (Made, PathBuf) {
        let made = self.make(session).await.unwrap();
        let path = PathBuf::from(&made.worktree.path);
        (made, path)
    }

    /// What git and the disk have of worktrees.
    fn held(&self) -> String {
        let kept = fs::read_dir(self.folder.path().join("worktrees")).unwrap();
        let names = kept.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned());
        let names: Vec<String> = names.collect();
        let branches = self.git(&["branch", "--format=%(refname:short)"]);
        let known = self.git(&["worktree", "list", "--porcelain"]);
        format!("{} worktrees, branches {branches}in {names:?}", known.matches("worktree ").count())
    }
}

/// Runs git as the person does, with all that a repository says.
fn git(directory: &Path, words: &[&str]) -> String {
    let mut command = Command::new("git");
    command.args(["-c", "user.name=a", "-c", "user.email=b@c"]).args(words);
    let output = command.current_dir(directory).output().unwrap();
    assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

const NOTHING: &str = "1 worktrees, branches main\nin []";

#[tokio::test]
async fn a_worktree_has_the_files_of_the_commit_and_git_works_in_it() {
    let Some(rig) = Rig::new() else { return };
    fs::create_dir(rig.root().join("a folder")).unwrap();
    fs::write(rig.root().join("a folder/run"), "#!/bin/sh\n").unwrap();
    let runs = fs::Permissions::from_mode(0o755);
    fs::set_permissions(rig.root().join("a folder/run"), runs).unwrap();
    std::os::unix::fs::symlink("file", rig.root().join("link")).unwrap();
    rig.commit(".gitignore", "out\n");
    fs::write(rig.root().join("out"), "").unwrap();
    let (made, path) = rig.made("0123456789").await;
    assert_eq!((made.left_out, made.submodules), (0, false));
    assert_eq!(made.worktree.branch, "moltis/01234567");
    assert_eq!(made.worktree.base, rig.git(&["rev-parse", "HEAD"]).trim());
    assert_eq!(made.worktree.repository, rig.root().to_str().unwrap());
    assert_eq!(git(&path, &["status", "--porcelain", "--branch"]), "## moltis/01234567\n");
    assert_eq!(fs::read_to_string(path.join("link")).unwrap(), "one\n");
    let mode = fs::metadata(path.join("a folder/run")).unwrap().permissions().mode();
    assert_eq!(mode & 0o111, 0o111);
    git(&path, &["commit", "-q", "--allow-empty", "-m", "two"]);
    // It is there: asked for again, it is the same, with what was done in it.
    let (again, _) = rig.made("0123456789").await;
    assert_eq!(again, made);
    assert_eq!(rig.git(&["log", "-1", "--format=%s", "moltis/01234567"]), "two\n");
}

#[tokio::test]
async fn what_is_in_a_worktree_and_nowhere_else_is_not_removed() {
    let Some(rig) = Rig::new() else { return };
    let (made, path) = rig.made("new").await;
    assert_eq!(rig.worktrees.leave(&made.worktree).await, Left::Removed);
    assert_eq!(rig.held(), NOTHING);
    let kept = async |made: &Made, why: &str| {
        let Left::Kept(said) = rig.worktrees.leave(&made.worktree).await else {
            panic!("it was removed, although {why}");
        };
        assert!(said.contains(why), "{said}");
        assert!(Path::new(&made.worktree.path).join("file").exists());
    };
    let (made, _) = rig.made("new").await;
    fs::write(path.join("file"), "two\n").unwrap();
    kept(&made, "a change in it is not committed").await;
    // Git is told to pass over it: it is there all the same.
    git(&path, &["update-index", "--assume-unchanged", "file"]);
    kept(&made, "a change in it is not committed").await;
    git(&path, &["update-index", "--no-assume-unchanged", "file"]);
    git(&path, &["checkout", "-q", "file"]);
    fs::write(path.join("untracked"), "").unwrap();
    kept(&made, "a change in it is not committed").await;
    git(&path, &["add", "."]);
    git(&path, &["commit", "-qm", "two"]);
    kept(&made, "no branch but moltis/new has its commits").await;
    // Nor may the branch have been left behind for a commit of no branch.
    git(&path, &["checkout", "-q", "--detach"]);
    git(&path, &["commit", "-q", "--allow-empty", "-m", "three"]);
    rig.git(&["merge", "-q", "moltis/new"]);
    kept(&made, "no branch but moltis/new has its commits").await;
    git(&path, &["checkout", "-q", "moltis/new"]);
    assert_eq!(rig.worktrees.leave(&made.worktree).await, Left::Removed);
    assert_eq!(rig.held(), NOTHING);
}

#[tokio::test]
async fn a_lost_directory_is_made_again_with_what_was_committed() {
    let Some(rig) = Rig::new() else { return };
    let (made, path) = rig.made("new").await;
    fs::write(path.join("file"), "two\n").unwrap();
    git(&path, &["commit", "-qam", "two"]);
    fs::remove_dir_all(&path).unwrap();
    let Left::Kept(said) = rig.worktrees.leave(&made.worktree).await else { panic!("it is gone") };
    assert!(said.contains("has its commits"), "{said}");
    let (again, _) = rig.made("new").await;
    assert_eq!(again.worktree.branch, made.worktree.branch);
    assert_eq!(fs::read_to_string(path.join("file")).unwrap(), "two\n");
    assert_eq!(git(&path, &["status", "--porcelain"]), "");
}

#[tokio::test]
async fn a_directory_that_can_have_none_says_why_and_nothing_is_left() {
    let Some(rig) = Rig::new() else { return };
    let folder = rig.folder.path().canonicalize().unwrap();
    let place = |name: &str| {
        let path = folder.join(name);
        fs::create_dir_all(&path).unwrap();
        path
    };
    let (plain, bare, unborn) = (place("plain"), place("bare"), place("unborn"));
    git(&bare, &["init", "-q", "--bare"]);
    git(&unborn, &["init", "-q"]);
    let within = rig.root().join("within");
    fs::create_dir(&within).unwrap();
    let source = rig.root().to_str().unwrap().to_owned();
    let outer = place("outer");
    git(&outer, &["init", "-q"]);
    git(&outer, &["-c", "protocol.file.allow=always", "submodule", "add", "-q", &source, "part"]);
    for (directory, why) in [
        (plain, "is not a git repository"),
        (bare, "a repository without files (bare)"),
        (unborn, "has no commit yet"),
        (within, "is a folder within the repository"),
        (outer.join("part"), "is a submodule of another repository"),
        (folder.join("missing"), "can't be opened"),
    ] {
        let error = rig.worktrees.make(&SessionId::new("new"), &directory, None).await.unwrap_err();
        assert!(error.message.contains(why), "{why}: {error}");
        assert!(!rig.worktrees.suits(&directory).await, "{why}");
    }
    assert_eq!(rig.held(), NOTHING);
    assert!(rig.worktrees.suits(&rig.root()).await);
    // Of a worktree that the person made there may be one too.
    let other = folder.join("other");
    rig.git(&["worktree", "add", "-q", "-b", "other", other.to_str().unwrap()]);
    let made = rig.worktrees.make(&SessionId::new("new"), &other, None).await.unwrap();
    assert_eq!(rig.worktrees.leave(&made.worktree).await, Left::Removed);
}

#[tokio::test]
async fn a_branch_that_can_not_be_made_is_told_and_nothing_is_left() {
    let Some(rig) = Rig::new() else { return };
    // A file where a folder is needed, as git keeps branches.
    rig.git(&["branch", "moltis"]);
    let error = rig.make("new").await.unwrap_err();
    assert!(error.message.contains("moltis/new") && error.hint.is_some(), "{error:?}");
    assert_eq!(rig.held(), "1 worktrees, branches main\nmoltis\nin []");
}

#[tokio::test]
async fn files_that_can_not_be_written_leave_nothing_behind() {
    let Some(rig) = Rig::new() else { return };
    // An object that is missing: half of the files are written by then.
    for name in ["a", "b", "c"] {
        rig.commit(name, name);
    }
    let object = rig.git(&["rev-parse", "HEAD:b"]);
    let (folder, file) = object.trim().split_at(2);
    fs::remove_file(rig.root().join(".git/objects").join(folder).join(file)).unwrap();
    let error = rig.make("new").await.unwrap_err();
    assert!(error.message.contains("can't be written"), "{error}");
    assert_eq!(rig.held(), NOTHING);
}

#[tokio::test]
async fn what_is_not_committed_and_submodules_are_told_as_missing() {
    let Some(rig) = Rig::new() else { return };
    rig.commit(".gitmodules", "[submodule \"part\"]\n\tpath = part\n\turl = ../part\n");
    fs::write(rig.root().join("file"), "changed\n").unwrap();
    fs::write(rig.root().join("new"), "").unwrap();
    fs::write(rig.root().join(".git/info/exclude"), "mine\n").unwrap();
    fs::write(rig.root().join("mine"), "").unwrap();
    let (made, _) = rig.made("new").await;
    assert_eq!((made.left_out, made.submodules), (2, true));
}

#[tokio::test]
async fn one_that_nobody_waits_for_any_more_is_taken_back() {
    let Some(rig) = Rig::new() else { return };
    for number in 0..200 {
        fs::write(rig.root().join(format!("file-{number}")), number.to_string()).unwrap();
    }
    rig.commit("last", "");
    {
        let mut making = std::pin::pin!(rig.make("new"));
        let begun = async {
            while !rig.root().join(".git/worktrees").exists() {
                tokio::task::yield_now().await;
            }
        };
        tokio::select! { biased; _ = &mut making => panic!("it was made"), () = begun => {} }
    }
    // Another one waits until nothing is done to this one any more.
    let (made, _) = rig.made("other").await;
    rig.worktrees.leave(&made.worktree).await;
    assert_eq!(rig.held(), NOTHING);
}

/// Makes everything in a repository that git can be told to run leave its name in a folder.
fn poison(rig: &Rig, ran: &Path) {
    let program = |name: &str| {
        let path = rig.folder.path().join(name);
        let body = format!("#!/bin/sh\ntouch '{}/{name}'\ncat\n", ran.display());
        fs::write(&path, body).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path.to_str().unwrap().to_owned()
    };
    fs::create_dir_all(ran).unwrap();
    rig.commit("data.bin", "data\n");
    rig.commit(".gitattributes", "*.bin filter=evil\nfile filter=late\n");
    for hook in ["post-checkout", "reference-transaction", "post-index-change"] {
        let path = rig.root().join(".git/hooks").join(hook);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::copy(program(hook), path).unwrap();
    }
    // Named where a file includes another only as a worktree of this branch is written.
    let late = rig.folder.path().join("late.config");
    fs::write(&late, format!("[filter \"late\"]\n\tsmudge = {}\n", program("late"))).unwrap();
    for (key, value) in [
        ("filter.evil.smudge", program("smudge")),
        ("filter.evil.clean", program("clean")),
        ("filter.evil.required", "true".to_owned()),
        ("core.fsmonitor", program("fsmonitor")),
        ("core.sshCommand", program("ssh")),
        ("includeIf.onbranch:moltis/**.path", late.to_str().unwrap().to_owned()),
    ] {
        rig.git(&["config", key, &value]);
    }
    for entry in fs::read_dir(ran).unwrap() {
        fs::remove_file(entry.unwrap().path()).unwrap();
    }
}

fn names(folder: &Path) -> Vec<String> {
    let all = fs::read_dir(folder).unwrap();
    let mut names: Vec<String> =
        all.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[tokio::test]
async fn nothing_that_a_repository_names_is_run() {
    let Some(rig) = Rig::new() else { return };
    let ran = rig.folder.path().join("ran");
    poison(&rig, &ran);
    fs::write(rig.root().join("data.bin"), "next\n").unwrap();
    let (made, path) = rig.made("new").await;
    assert_eq!(made.left_out, 1);
    assert_eq!(fs::read_to_string(path.join("data.bin")).unwrap(), "data\n");
    assert_eq!(rig.worktrees.leave(&made.worktree).await, Left::Removed);
    assert_eq!(names(&ran), Vec::<String>::new());
}

/// The same by git alone.
#[tokio::test]
async fn git_alone_runs_what_a_repository_names() {
    let Some(rig) = Rig::new() else { return };
    let ran = rig.folder.path().join("ran");
    poison(&rig, &ran);
    fs::write(rig.root().join("data.bin"), "next\n").unwrap();
    let path = rig.folder.path().join("plain");
    rig.git(&["status", "--short"]);
    rig.git(&["worktree", "add", "-q", "-b", "moltis/plain", path.to_str().unwrap()]);
    let ran = names(&ran);
    for name in ["post-checkout", "reference-transaction", "smudge", "late", "clean", "fsmonitor"] {
        assert!(ran.iter().any(|one| one == name), "{name}: {ran:?}");
    }
}
