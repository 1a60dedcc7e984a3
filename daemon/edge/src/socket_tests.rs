use std::os::unix::fs::{PermissionsExt as _, symlink};

use super::*;

fn mode(path: &Path) -> u32 {
    path.metadata().unwrap().permissions().mode() & 0o777
}

#[tokio::test]
async fn only_the_owner_can_reach_the_socket() {
    let home = tempfile::tempdir().unwrap();
    let bound = bind(home.path()).unwrap();
    assert_eq!(mode(bound.path()), 0o600);
    assert_eq!(mode(bound.path().parent().unwrap()), 0o700);
}

#[tokio::test]
async fn a_second_daemon_is_told_the_pid_of_the_first() {
    let home = tempfile::tempdir().unwrap();
    let _first = bind(home.path()).unwrap();
    let Err(Error::Taken { pid, .. }) = bind(home.path()) else { panic!("taken twice") };
    assert_eq!(pid, std::process::id().to_string());
}

#[tokio::test]
async fn what_a_dead_daemon_left_is_taken_over() {
    let home = tempfile::tempdir().unwrap();
    let first = bind(home.path()).unwrap();
    let path = first.path().to_owned();
    let left = path.with_extension("left");
    std::fs::rename(&path, &left).unwrap();
    drop(first);
    std::fs::rename(&left, &path).unwrap();
    let second = bind(home.path()).unwrap();
    assert!(std::os::unix::net::UnixStream::connect(second.path()).is_ok());
}

#[tokio::test]
async fn a_clean_end_removes_the_socket_but_never_another_ones() {
    let home = tempfile::tempdir().unwrap();
    let bound = bind(home.path()).unwrap();
    let path = bound.path().to_owned();
    drop(bound);
    assert!(!path.exists());

    let bound = bind(home.path()).unwrap();
    std::fs::rename(&path, path.with_extension("aside")).unwrap();
    std::fs::write(&path, "another one").unwrap();
    drop(bound);
    assert!(path.exists());
}

#[tokio::test]
async fn a_file_in_the_way_is_not_removed() {
    let home = tempfile::tempdir().unwrap();
    let path = path(home.path());
    make_folder(path.parent().unwrap()).unwrap();
    std::fs::write(&path, "mine").unwrap();
    assert!(matches!(bind(home.path()), Err(Error::Unsafe { .. })));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "mine");
}

#[tokio::test]
async fn an_open_folder_or_a_link_is_refused() {
    let home = tempfile::tempdir().unwrap();
    let run = home.path().join("run");
    std::fs::create_dir(&run).unwrap();
    std::fs::set_permissions(&run, std::fs::Permissions::from_mode(0o755)).unwrap();
    assert!(matches!(bind(home.path()), Err(Error::Unsafe { .. })));

    let other = tempfile::tempdir().unwrap();
    symlink(home.path(), other.path().join("run")).unwrap();
    assert!(matches!(bind(other.path()), Err(Error::Unsafe { .. })));
}

#[test]
fn a_long_path_moves_to_the_runtime_directory() {
    let short = path(Path::new("/home/me/.moltis"));
    assert_eq!(short, Path::new("/home/me/.moltis/run/moltisd.sock"));
    let deep = PathBuf::from(format!("/{}", "deep/".repeat(30)));
    let moved = path(&deep);
    assert!(moved.as_os_str().len() <= LONGEST_PATH, "{}", moved.display());
    assert_eq!(moved, path(&deep), "clients find the same one");
}
