use std::os::unix::fs::symlink;

use super::*;

fn home() -> (tempfile::TempDir, File) {
    let dir = tempfile::tempdir().unwrap();
    let file = File::new(dir.path());
    (dir, file)
}

#[test]
fn an_edit_keeps_mode_and_link_and_leaves_no_draft() {
    let (dir, file) = home();
    let real = dir.path().join("real.toml");
    fs::write(&real, "a = 1\n").unwrap();
    fs::set_permissions(&real, fs::Permissions::from_mode(0o640)).unwrap();
    symlink(&real, file.path()).unwrap();
    file.edit(|old| Ok::<_, FileError>(format!("{old}b = 2\n"))).unwrap();
    assert_eq!(fs::read_to_string(&real).unwrap(), "a = 1\nb = 2\n");
    assert_eq!(file.mode(), Some(0o640));
    assert!(fs::symlink_metadata(file.path()).unwrap().is_symlink());
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2);
}

#[test]
fn an_edit_begins_anew_when_the_file_changed_under_it() {
    let (_dir, file) = home();
    assert!(file.create("a\n").unwrap());
    let mut asked = 0;
    file.edit(|old| {
        asked += 1;
        if asked == 1 {
            fs::write(file.path(), "theirs\n").unwrap();
        }
        Ok::<_, FileError>(format!("{old}mine\n"))
    })
    .unwrap();
    assert_eq!(file.read().unwrap().unwrap(), "theirs\nmine\n");
}

#[test]
fn an_edit_gives_up_when_the_file_never_rests() {
    let (dir, file) = home();
    file.create("0").unwrap();
    let mut count = 0;
    let outcome = file.edit(|_| {
        count += 1;
        fs::write(file.path(), count.to_string()).unwrap();
        Ok::<_, FileError>("mine".to_owned())
    });
    assert!(matches!(outcome, Err(FileError::Contended(_))));
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
}

#[test]
fn a_new_file_is_for_the_owner_only_and_an_existing_one_is_left() {
    let (_dir, file) = home();
    assert!(file.create("one").unwrap());
    assert_eq!(file.mode(), Some(0o600));
    assert!(!file.create("two").unwrap());
    assert_eq!(file.read().unwrap().unwrap(), "one");
}

#[test]
fn the_directory_is_the_flag_else_the_variable_else_in_the_home() {
    let env = |name: &str| match name {
        "MOLTIS_CONFIG_DIR" => Some(OsString::from("/v")),
        "HOME" => Some(OsString::from("/h")),
        _ => None,
    };
    assert_eq!(config_dir(Some(Path::new("/f")), env).unwrap(), Path::new("/f"));
    assert_eq!(config_dir(None, env).unwrap(), Path::new("/v"));
    let only_home = |name: &str| env(name).filter(|_| name == "HOME");
    assert_eq!(config_dir(None, only_home).unwrap(), Path::new("/h/.config/moltis"));
    assert!(matches!(config_dir(None, |_| None), Err(FileError::NoHome)));
}

#[test]
fn a_file_that_is_there_needs_no_room_beside_it() {
    let (dir, file) = home();
    assert!(file.create("a = 1\n").unwrap());
    // A folder that no draft could replace: as good as a directory that can't be written.
    let draft = file.path().with_extension(format!("toml.{}.tmp", std::process::id()));
    fs::create_dir_all(draft.join("x")).unwrap();
    assert!(!file.create("b = 2\n").unwrap());
    assert_eq!(file.read().unwrap().unwrap(), "a = 1\n");
    drop(dir);
}
