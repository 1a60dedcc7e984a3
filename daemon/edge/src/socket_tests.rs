use std::os::unix::fs::symlink;

use super::*;

fn mode(path: &Path) -> u32 {
    path.metadata().unwrap().permissions().mode() & 0o7777
}

#[test]
fn only_the_owner_can_reach_the_socket() {
    let home = tempfile::tempdir().unwrap();
    let bound = bind(home.path()).unwrap();
    assert_eq!(mode(bound.path()), 0o600);
    assert_eq!(mode(&home.path().join("run")), 0o700);
    assert_eq!(mode(&home.path().join("run/moltisd.lock")), 0o600);
}

#[test]
fn a_second_daemon_is_told_the_pid_of_the_first() {
    let home = tempfile::tempdir().unwrap();
    let first = bind(home.path()).unwrap();
    let error = bind(home.path()).unwrap_err();
    let expected = format!(
        "another moltisd (pid {}) has the data directory `{}`",
        std::process::id(),
        home.path().display()
    );
    assert_eq!(error.to_string(), expected);
    assert!(UnixStream::connect(first.path()).is_ok(), "the first one is not disturbed");
}

#[test]
fn the_lock_outlives_the_socket_for_those_who_hold_it() {
    let home = tempfile::tempdir().unwrap();
    let bound = bind(home.path()).unwrap();
    let lock = bound.lock();
    drop(bound);
    assert!(matches!(bind(home.path()), Err(Error::Held { .. })));
    drop(lock);
    bind(home.path()).unwrap();
}

#[test]
fn what_a_dead_daemon_left_is_taken_over() {
    let home = tempfile::tempdir().unwrap();
    let run = home.path().join("run");
    folder::make_private(&run).unwrap();
    drop(UnixListener::bind(run.join("moltisd.sock")).unwrap());
    std::fs::write(run.join("moltisd.lock"), "4194304\n").unwrap();
    let bound = bind(home.path()).unwrap();
    assert!(UnixStream::connect(bound.path()).is_ok());
    let pid = std::fs::read_to_string(run.join("moltisd.lock")).unwrap();
    assert_eq!(pid.trim(), std::process::id().to_string());
}

#[test]
fn a_socket_that_somebody_serves_is_left_alone() {
    let home = tempfile::tempdir().unwrap();
    let run = home.path().join("run");
    folder::make_private(&run).unwrap();
    let _other = UnixListener::bind(run.join("moltisd.sock")).unwrap();
    assert!(matches!(bind(home.path()), Err(Error::Listening { .. })));
    assert!(UnixStream::connect(run.join("moltisd.sock")).is_ok());
}

#[test]
fn a_clean_end_removes_the_socket_but_never_another_one() {
    let home = tempfile::tempdir().unwrap();
    let bound = bind(home.path()).unwrap();
    let path = bound.path().to_owned();
    drop(bound);
    assert!(!path.exists());

    let bound = bind(home.path()).unwrap();
    std::fs::rename(&path, path.with_extension("aside")).unwrap();
    let _other = UnixListener::bind(&path).unwrap();
    drop(bound);
    assert!(path.exists());
}

#[test]
fn a_file_in_the_way_is_not_removed() {
    let home = tempfile::tempdir().unwrap();
    let run = home.path().join("run");
    folder::make_private(&run).unwrap();
    std::fs::write(run.join("moltisd.sock"), "mine").unwrap();
    assert!(matches!(bind(home.path()), Err(Error::Unsafe { .. })));
    assert_eq!(std::fs::read_to_string(run.join("moltisd.sock")).unwrap(), "mine");
}

#[test]
fn an_open_folder_is_closed_and_a_link_refused() {
    let home = tempfile::tempdir().unwrap();
    let run = home.path().join("run");
    std::fs::create_dir(&run).unwrap();
    std::fs::set_permissions(&run, Permissions::from_mode(0o777)).unwrap();
    let _bound = bind(home.path()).unwrap();
    assert_eq!(mode(&run), 0o700);

    let other = tempfile::tempdir().unwrap();
    symlink(&run, other.path().join("run")).unwrap();
    assert!(matches!(bind(other.path()), Err(Error::Unsafe { .. })));
}

#[test]
fn a_lock_that_is_a_link_is_refused() {
    let home = tempfile::tempdir().unwrap();
    let run = home.path().join("run");
    folder::make_private(&run).unwrap();
    let elsewhere = home.path().join("precious");
    std::fs::write(&elsewhere, "data").unwrap();
    symlink(&elsewhere, run.join("moltisd.lock")).unwrap();
    assert!(matches!(bind(home.path()), Err(Error::Io { what: "open", .. })));
    assert_eq!(std::fs::read_to_string(&elsewhere).unwrap(), "data");
}

#[test]
fn a_long_path_moves_to_the_runtime_directory() {
    let home = tempfile::tempdir().unwrap();
    let deep = home.path().join("deep/".repeat(20));
    let runtime = tempfile::tempdir().unwrap();
    let bound = bind_in(&deep, runtime.path()).unwrap();
    let folder = runtime.path().join(format!("moltis-{}", own_uid()));
    assert!(bound.path().starts_with(&folder), "{}", bound.path().display());
    assert_eq!((mode(&folder), mode(bound.path())), (0o700, 0o600));
    assert!(UnixStream::connect(bound.path()).is_ok());
    assert!(matches!(bind_in(&deep, runtime.path()), Err(Error::Held { .. })));
}

#[test]
fn clients_find_the_socket_by_this_rule() {
    let runtime = Path::new("/run/user/7");
    let short = path_in(Path::new("/home/me/.moltis"), runtime, 7);
    assert_eq!(short, Path::new("/home/me/.moltis/run/moltisd.sock"));
    let long = path_in(Path::new(&format!("/{}", "d".repeat(99))), runtime, 7);
    assert_eq!(long, Path::new("/run/user/7/moltis-7/4dfbfc445cffc93b.sock"));
}
