//! What of the workspace is seen, and what of it can be changed.

use moltis_core::sandbox::Mount;
use moltis_core::sandbox::Sandbox as _;

use crate::support::{Scene, engines, open_to_all, run, run_in};

#[tokio::test]
async fn a_workspace_is_written_read_or_not_there() {
    for engine in engines() {
        let mut scene = Scene::new(&engine);
        std::fs::write(scene.workspace().join("file"), "mine").unwrap();
        assert_eq!(scene.exec("pwd; cat file; echo new > made").await.stdout, "/workspace\nmine");
        let made = std::fs::read_to_string(scene.workspace().join("made"));
        assert_eq!(made.unwrap(), "new\n");
        scene.place.mount = Mount::ReadOnly;
        assert_eq!(scene.exec("cat file").await.stdout, "mine");
        assert_ne!(scene.exec("echo more > file2").await.code, 0);
        scene.place.mount = Mount::None;
        assert_ne!(scene.exec("ls /workspace/file").await.code, 0);
        assert_eq!(scene.exec("pwd").await.stdout, "/home/moltis\n");
        scene.end().await;
    }
}

#[tokio::test]
async fn what_steers_other_programs_can_not_be_changed() {
    for engine in engines() {
        let scene = Scene::new(&engine);
        let git = scene.workspace().join(".git");
        std::fs::create_dir_all(git.join("hooks")).unwrap();
        std::fs::write(git.join("config"), "[core]\n").unwrap();
        std::fs::write(git.join("index"), "index").unwrap();
        std::fs::create_dir(scene.workspace().join(".vscode")).unwrap();
        for folder in [".git", ".git/hooks", ".vscode"] {
            open_to_all(&scene.workspace().join(folder));
        }
        for refused in [
            "echo x > .git/hooks/pre-commit",
            "echo x >> .git/config",
            "rm -rf .git/config",
            "mv .git/hooks .git/old",
            "mv .git old",
            "rm -rf .git; mkdir .git 2>/dev/null && mkdir .git/hooks",
            "echo x > .vscode/tasks.json",
            "mv .vscode old",
            "ln -sf /tmp .git/hooks",
        ] {
            let exit = scene.exec(&format!("( {refused} ) && test -w .git/hooks")).await;
            assert_ne!(exit.code, 0, "{refused}");
        }
        // The counterpart: under names that steer nothing all of it is done.
        let plain = scene.workspace().join("git");
        std::fs::create_dir_all(plain.join("hooks")).unwrap();
        open_to_all(&plain);
        open_to_all(&plain.join("hooks"));
        for done in ["echo x > git/hooks/pre-commit", "mv git/hooks git/old", "mv git old"] {
            assert_eq!(scene.exec(done).await.code, 0, "{done}");
        }
        // The rest of what git does goes on.
        assert_eq!(scene.exec("echo x > .git/HEAD && mv .git/HEAD .git/ORIG").await.code, 0);
        // Nor is it said that the configuration is elsewhere.
        let exit = scene.exec("echo ../evil > .git/commondir").await;
        assert!(exit.stderr.contains("`.git/commondir.from-sandbox`"), "{}", exit.stderr);
        assert!(!git.join("commondir").exists());
        assert_eq!(std::fs::read_dir(git.join("hooks")).unwrap().count(), 0);
        assert_eq!(std::fs::read_to_string(git.join("config")).unwrap(), "[core]\n");
        scene.end().await;
    }
}

#[tokio::test]
async fn what_steers_other_programs_and_was_not_there_is_set_aside() {
    for engine in engines() {
        let scene = Scene::new(&engine);
        std::fs::write(scene.workspace().join(".mcp.json"), "mine").unwrap();
        let make = "mkdir -p .git/hooks && echo evil > .git/hooks/pre-commit && echo evil > .envrc";
        let exit = scene.exec(make).await;
        assert_eq!(exit.code, 0, "{}", exit.stderr);
        assert!(exit.stderr.contains("`.git.from-sandbox`"), "{}", exit.stderr);
        assert!(exit.stderr.contains("`.envrc.from-sandbox`"), "{}", exit.stderr);
        for gone in [".git", ".envrc"] {
            assert!(!scene.workspace().join(gone).exists(), "{gone}");
        }
        let read = |path: &str| std::fs::read_to_string(scene.workspace().join(path)).unwrap();
        assert_eq!(read(".git.from-sandbox/hooks/pre-commit"), "evil\n");
        assert_eq!(read(".mcp.json"), "mine");
        // What the person puts there later stays, whatever runs.
        std::fs::write(scene.workspace().join(".envrc"), "mine").unwrap();
        assert_eq!(scene.exec("true").await.stderr, "");
        assert_eq!(read(".envrc"), "mine");
        // A program that is stopped has had its way no longer than until then.
        {
            let mut running = std::pin::pin!(scene.exec("mkdir .vscode && sleep 60"));
            let made = async {
                while !scene.workspace().join(".vscode").exists() {
                    tokio::time::sleep(std::time::Duration::from_millis(10)).await;
                }
            };
            tokio::select! { _ = &mut running => panic!("it ended"), () = made => {} }
        }
        scene.sandbox.stop(&scene.place.session).await;
        assert!(!scene.workspace().join(".vscode").exists());
        assert!(scene.workspace().join(".vscode.from-sandbox").exists());
        scene.end().await;
    }
}

#[tokio::test]
async fn a_link_that_steers_elsewhere_is_refused() {
    for engine in engines() {
        let scene = Scene::new(&engine);
        std::os::unix::fs::symlink("/etc", scene.workspace().join(".vscode")).unwrap();
        let error = scene.try_exec(run(&scene.place, "ls .vscode/", 5)).await.unwrap_err();
        assert_eq!(error.code.as_str(), "denied");
        scene.end().await;
    }
}

#[tokio::test]
async fn a_workspace_that_holds_the_daemons_data_is_refused() {
    for engine in engines() {
        let mut scene = Scene::new(&engine);
        for folder in [scene.folder().to_owned(), "/".into()] {
            scene.place.workspace = Some(folder);
            let error = scene.try_exec(run(&scene.place, "ls", 5)).await.unwrap_err();
            assert_eq!(error.code.as_str(), "denied", "{error}");
        }
        scene.end().await;
    }
}

#[tokio::test]
async fn a_directory_is_below_the_workspace() {
    for engine in engines() {
        let scene = Scene::new(&engine);
        std::fs::create_dir_all(scene.workspace().join("a/b")).unwrap();
        open_to_all(&scene.workspace().join("a"));
        let exit = scene.try_exec(run_in(&scene.place, "pwd", "a/./b", 5)).await.unwrap();
        assert_eq!(exit.stdout, "/workspace/a/b\n");
        for outside in ["..", "a/../..", "/etc"] {
            let error = scene.try_exec(run_in(&scene.place, "pwd", outside, 5)).await.unwrap_err();
            assert_eq!(error.code.as_str(), "invalid", "{outside}");
        }
        let exit = scene.try_exec(run_in(&scene.place, "pwd", "missing", 5)).await.unwrap();
        assert_ne!(exit.code, 0);
        scene.end().await;
    }
}

#[tokio::test]
async fn a_home_is_kept_only_where_that_is_wanted() {
    for engine in engines() {
        for kept in [false, true] {
            let scene = Scene::with(&engine, |options| options.home_persistence = kept);
            scene.exec("echo kept > ~/file").await;
            moltis_core::sandbox::Sandbox::stop(&*scene.sandbox, &scene.place.session).await;
            assert_eq!(scene.exec("cat ~/file").await.stdout == "kept\n", kept);
            scene.end().await;
        }
    }
}

/// A repository and a worktree of it that user 1000 may write, or `None` without git.
fn worktree(scene: &Scene) -> Option<std::path::PathBuf> {
    let repository = scene.folder().join("the repository");
    let git = |words: &[&str]| {
        let mut command = std::process::Command::new("git");
        command.args(["-c", "user.name=a", "-c", "user.email=b@c", "-C"]).arg(&repository);
        command.args(words).output().is_ok_and(|output| output.status.success())
    };
    std::fs::create_dir(&repository).unwrap();
    if !git(&["init", "-q", "-b", "main"]) {
        assert!(std::env::var_os("CI").is_none(), "CI must have git");
        eprintln!("git is not installed: not tested");
        return None;
    }
    let workspace = scene.workspace().to_str().unwrap().to_owned();
    assert!(git(&["commit", "-q", "--allow-empty", "-m", "one"]));
    assert!(git(&["worktree", "add", "-q", "--lock", "-b", "side", &workspace]));
    // Programs are another user than who runs the tests, if that is root.
    if rustix::process::getuid().is_root() {
        for folder in [&repository, &scene.workspace()] {
            let mut chown = std::process::Command::new("chown");
            assert!(chown.args(["-R", "1000"]).arg(folder).status().unwrap().success());
        }
    }
    Some(repository.join(".git").canonicalize().unwrap())
}

/// What git outside says, whoever's the repository is.
fn log_of(common: &std::path::Path, words: &[&str]) -> String {
    let mut command = std::process::Command::new("git");
    command.args(["-c", "safe.directory=*", "--git-dir"]).arg(common).args(words);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn log(common: &std::path::Path, branch: &str) -> String {
    log_of(common, &["log", "--format=%s", branch])
}

#[tokio::test]
async fn a_worktree_is_committed_in_and_what_steers_its_repository_is_not_changed() {
    for engine in engines() {
        let scene = Scene::new(&engine);
        let Some(common) = worktree(&scene) else { return };
        let own = std::fs::read_dir(common.join("worktrees")).unwrap().next().unwrap().unwrap();
        let (at, own) = (common.display(), own.path());
        for refused in [
            format!("echo x >'{at}/hooks/post-commit'"),
            format!("echo x >>'{at}/config'"),
            format!("mv '{at}/hooks' '{at}/old'"),
            format!("echo x >'{}/commondir'", own.display()),
            format!("rm -f '{}/gitdir'", own.display()),
            "echo x >.git".to_owned(),
            "rm -f .git".to_owned(),
            "mv .git old".to_owned(),
        ] {
            assert_ne!(scene.exec(&refused).await.code, 0, "{refused}");
        }
        let commit = "echo text >'a file' && git add . && \
                      git -c user.name=a -c user.email=b@c commit -qm two && git log --format=%s";
        let exit = scene.exec(commit).await;
        assert_eq!(exit.stdout, "two\none\n", "{}", exit.stderr);
        assert_eq!(log(&common, "side"), "two\none\n");
        // Git outside packs the branches: they are found where they are now.
        assert!(log_of(&common, &["pack-refs", "--all", "--prune"]).is_empty());
        assert_eq!(scene.exec("git log --format=%s").await.stdout, "two\none\n");
        // What is put beside that is in memory, and so is not outside.
        assert_eq!(scene.exec(&format!("echo x >'{at}/commondir2'")).await.code, 0);
        assert!(!common.join("commondir2").exists() && !common.join("hooks/post-commit").exists());
        assert!(scene.workspace().join(".git").is_file());
        scene.end().await;
    }
}
