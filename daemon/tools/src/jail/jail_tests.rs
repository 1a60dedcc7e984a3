use std::io::Read as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::PathBuf;

use expect_test::expect;
use rustix::fs::{CWD, FileType, Mode, mknodat};

use super::{Inside, Jail, Parents, Refusal, Way};

const WAYS: &[Way] = &[
    #[cfg(target_os = "linux")]
    Way::Kernel,
    Way::Walk,
];

/// A workspace with a file beside it that must not be reached.
struct Yard {
    base: tempfile::TempDir,
}

impl Yard {
    fn new() -> Self {
        let base = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(base.path().join("work/sub")).unwrap();
        std::fs::create_dir_all(base.path().join("outside")).unwrap();
        std::fs::write(base.path().join("outside/secret"), "secret").unwrap();
        std::fs::write(base.path().join("work/sub/file"), "inside").unwrap();
        Self { base }
    }

    fn work(&self) -> PathBuf {
        self.base.path().join("work")
    }

    fn jail(&self, way: Way) -> Jail {
        Jail { way, ..Jail::open(&self.work()).unwrap() }
    }
}

fn inside(path: &str) -> Inside {
    Inside::parse(path, None).unwrap()
}

fn read(jail: &Jail, path: &str) -> Result<String, Refusal> {
    let mut text = String::new();
    jail.file(&inside(path))?.0.read_to_string(&mut text).unwrap();
    Ok(text)
}

fn write(jail: &Jail, path: &str, text: &str) -> Result<(), Refusal> {
    let target = jail.target(&inside(path), Parents::Made)?;
    let before = target.read()?.map(|(_, stat)| stat);
    target.replace(text.as_bytes(), before.as_ref())
}

#[test]
fn a_link_that_stays_inside_is_followed() {
    for way in WAYS {
        let yard = Yard::new();
        symlink("sub", yard.work().join("dir")).unwrap();
        symlink("sub/../dir/file", yard.work().join("file")).unwrap();
        let jail = yard.jail(*way);
        assert_eq!(read(&jail, "dir/file").as_deref(), Ok("inside"), "{way:?}");
        assert_eq!(read(&jail, "file").as_deref(), Ok("inside"), "{way:?}");
        assert_eq!(jail.is_directory(&inside("dir")), Ok(true), "{way:?}");
        assert_eq!(write(&jail, "file", "new"), Ok(()));
        assert_eq!(std::fs::read_to_string(yard.work().join("sub/file")).unwrap(), "new");
        assert!(yard.work().join("file").is_symlink(), "the link is still one");
    }
}

/// Every way out that a link can be, and what a program that trusts paths would do with it.
#[test]
fn a_link_that_leads_out_is_refused_whatever_it_looks_like() {
    let yard = Yard::new();
    let outside = yard.base.path().join("outside");
    let links: &[(&str, PathBuf)] = &[
        ("absolute", outside.join("secret")),
        ("relative", "../outside/secret".into()),
        ("winding", "sub/../../outside/secret".into()),
        ("chain", "relative".into()),
        ("proc", format!("/proc/self/root{}", outside.join("secret").display()).into()),
    ];
    for (name, target) in links {
        symlink(target, yard.work().join(name)).unwrap();
    }
    symlink("../outside", yard.work().join("dir")).unwrap();
    symlink(&outside, yard.work().join("abs-dir")).unwrap();
    let paths =
        ["absolute", "relative", "winding", "chain", "proc", "dir/secret", "abs-dir/secret"];
    for path in paths {
        // The counterpart: without the jail each of them does lead out.
        assert_eq!(std::fs::read_to_string(yard.work().join(path)).unwrap(), "secret", "{path}");
        for way in WAYS {
            let jail = yard.jail(*way);
            let refused = Err(Refusal::Outside(path.to_owned()));
            assert_eq!(read(&jail, path), refused, "{way:?}");
            assert_eq!(write(&jail, path, "changed").err(), refused.err(), "{way:?}");
        }
    }
    for way in WAYS {
        let jail = yard.jail(*way);
        assert!(matches!(jail.directory(&inside("dir")), Err(Refusal::Outside(_))), "{way:?}");
        assert!(matches!(write(&jail, "dir/new", "x"), Err(Refusal::Outside(_))), "{way:?}");
        assert!(matches!(write(&jail, "abs-dir/a/b", "x"), Err(Refusal::Outside(_))), "{way:?}");
    }
    assert_eq!(std::fs::read_dir(&outside).unwrap().count(), 1);
    assert_eq!(std::fs::read_to_string(outside.join("secret")).unwrap(), "secret");
}

#[test]
fn what_would_block_or_is_a_device_is_refused_at_once() {
    let yard = Yard::new();
    mknodat(CWD, yard.work().join("pipe"), FileType::Fifo, Mode::RWXU, 0).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(yard.work().join("socket")).unwrap();
    for way in WAYS {
        let jail = yard.jail(*way);
        for path in ["pipe", "socket"] {
            let refused = Refusal::Special(path.to_owned());
            assert_eq!(read(&jail, path).unwrap_err(), refused, "{way:?}");
            assert_eq!(write(&jail, path, "x").unwrap_err(), refused, "{way:?}");
        }
        assert_eq!(read(&jail, "sub").unwrap_err(), Refusal::Directory("sub".to_owned()));
        assert_eq!(write(&jail, "sub", "x").unwrap_err(), Refusal::Directory("sub".to_owned()));
    }
}

#[test]
fn links_in_a_circle_end() {
    let yard = Yard::new();
    symlink("b", yard.work().join("a")).unwrap();
    symlink("a", yard.work().join("b")).unwrap();
    for way in WAYS {
        let jail = yard.jail(*way);
        for path in ["a", "a/x"] {
            assert!(read(&jail, path).is_err(), "{way:?}");
            assert!(write(&jail, path, "x").is_err(), "{way:?}");
        }
    }
}

#[test]
fn a_link_to_what_steers_is_changed_only_by_its_own_name() {
    let yard = Yard::new();
    std::fs::create_dir_all(yard.work().join(".git/hooks")).unwrap();
    std::fs::write(yard.work().join(".git/config"), "old").unwrap();
    symlink(".git", yard.work().join("x")).unwrap();
    symlink(".git/config", yard.work().join("plain.txt")).unwrap();
    symlink("../.git/hooks", yard.work().join("sub/hooks")).unwrap();
    let jail = yard.jail(Way::Walk);
    let refused: Vec<String> =
        ["x/hooks/pre-commit", "x/config", "plain.txt", "sub/hooks/pre-push", "x/modules/m/config"]
            .into_iter()
            .map(|path| write(&jail, path, "evil").unwrap_err().to_string())
            .collect();
    expect![[r#"
        `x/hooks/pre-commit` is really `.git/hooks/pre-commit`, which steers programs outside of the sandbox: to change it, name it by that path
        `x/config` is really `.git/config`, which steers programs outside of the sandbox: to change it, name it by that path
        `plain.txt` is really `.git/config`, which steers programs outside of the sandbox: to change it, name it by that path
        `sub/hooks/pre-push` is really `.git/hooks/pre-push`, which steers programs outside of the sandbox: to change it, name it by that path
        `x/modules/m/config` is really `.git/modules/m/config`, which steers programs outside of the sandbox: to change it, name it by that path"#]]
    .assert_eq(&refused.join("\n"));
    assert!(!yard.work().join(".git/modules").exists(), "not even a directory was made");
    // The counterpart: these names steer nothing, so policy lets them pass, and they do lead there.
    assert!(!moltis_core::policy::is_steering("x/hooks/pre-commit"));
    std::fs::write(yard.work().join("plain.txt"), "evil").unwrap();
    assert_eq!(std::fs::read_to_string(yard.work().join(".git/config")).unwrap(), "evil");
    // By its own name it is what a person was asked about.
    assert_eq!(write(&jail, ".git/config", "new"), Ok(()));
    assert!(write(&jail, "x/description", "whatever").is_err(), "all of a repository's own folder");
}

#[test]
fn a_change_keeps_the_permissions_and_leaves_hard_links_alone() {
    let yard = Yard::new();
    let file = yard.work().join("sub/file");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o4750)).unwrap();
    std::fs::hard_link(&file, yard.base.path().join("outside/hard")).unwrap();
    let jail = yard.jail(Way::Walk);
    write(&jail, "sub/file", "new").unwrap();
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o7777, 0o750);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "new");
    let hard = yard.base.path().join("outside/hard");
    assert_eq!(std::fs::read_to_string(hard).unwrap(), "inside");
    assert_eq!(std::fs::read_dir(yard.work().join("sub")).unwrap().count(), 1, "no draft is left");
}

#[test]
fn missing_directories_are_made() {
    let yard = Yard::new();
    symlink("sub", yard.work().join("dir")).unwrap();
    let jail = yard.jail(Way::Walk);
    assert_eq!(write(&jail, "dir/a/b/c.txt", "deep"), Ok(()));
    assert_eq!(std::fs::read_to_string(yard.work().join("sub/a/b/c.txt")).unwrap(), "deep");
    let through_a_file = write(&jail, "sub/file/x", "x").unwrap_err();
    assert_eq!(through_a_file, Refusal::NotDirectory("sub/file/x".to_owned()));
}
