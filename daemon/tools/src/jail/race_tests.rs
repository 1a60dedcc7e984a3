//! Someone moves directories about while files are read and written.
//!
//! The same runs against a program that looks where a path leads and then opens it: it does get
//! out, so the race is real.

use std::io::Read as _;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::fs::RenameFlags;

use super::{Inside, Jail, Parents, Way};

/// How long each race runs.
const RACE: Duration = Duration::from_secs(1);

/// Makes `work/d` a directory, and `work/f` a file, and both links out of the workspace by turns
/// until told to stop.
fn swap(base: &Path, stop: &AtomicBool) {
    let work = std::fs::File::open(base.join("work")).unwrap();
    while !stop.load(Ordering::Relaxed) {
        for (name, link) in [("d", "link"), ("f", "f-link")] {
            rustix::fs::renameat_with(&work, name, &work, link, RenameFlags::EXCHANGE).unwrap();
        }
    }
}

/// Runs `work` in a workspace where `d/file` and `f` are inside and outside by turns. Tells where
/// that was, too: beside `work/` there is `outside/`.
pub(crate) fn race<T>(work: impl FnOnce(&Path) -> T) -> (tempfile::TempDir, T) {
    let base = tempfile::tempdir().unwrap();
    for (dir, text) in [("work/d", "inside"), ("outside", "secret"), ("work/.git/hooks", "hook")] {
        std::fs::create_dir_all(base.path().join(dir)).unwrap();
        std::fs::write(base.path().join(dir).join("file"), text).unwrap();
    }
    std::fs::write(base.path().join("work/f"), "inside").unwrap();
    symlink("../outside", base.path().join("work/link")).unwrap();
    symlink("../outside/file", base.path().join("work/f-link")).unwrap();
    let result = beside_swapping(base.path(), work);
    (base, result)
}

fn beside_swapping<T>(base: &Path, work: impl FnOnce(&Path) -> T) -> T {
    /// Also when the work ends in a panic: the swapping is waited for.
    struct Stopping<'a>(&'a AtomicBool);
    impl Drop for Stopping<'_> {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let _stopping = Stopping(&stop);
        scope.spawn(|| swap(base, &stop));
        work(&base.join("work"))
    })
}

/// How often what was asked for was had, and how often it was refused.
#[derive(Debug, Default)]
struct Tally {
    had: u64,
    refused: u64,
}

fn reads(workspace: &Path, way: Way) -> Tally {
    let paths = ["d/file", "f"].map(|path| Inside::parse(path, None).unwrap());
    let mut tally = Tally::default();
    let until = Instant::now() + RACE;
    for path in paths.iter().cycle() {
        if Instant::now() > until && tally.had > 0 {
            break;
        }
        let jail = Jail { way, ..Jail::open(workspace).unwrap() };
        let Ok((mut file, _)) = jail.file(path) else {
            tally.refused += 1;
            continue;
        };
        let mut text = String::new();
        file.read_to_string(&mut text).unwrap();
        assert_eq!(text, "inside", "{way:?}");
        tally.had += 1;
    }
    tally
}

#[test]
fn nothing_outside_is_read_while_directories_turn_into_links() {
    for way in [Way::Kernel, Way::Walk] {
        let (_base, tally) = race(|workspace| reads(workspace, way));
        assert!(tally.had > 0 && tally.refused > 0, "there was a race: {tally:?}");
    }
}

/// Writes `d/file` and makes files below `d` for a while.
fn writes(workspace: &Path) -> Tally {
    let mut tally = Tally::default();
    let until = Instant::now() + RACE;
    while Instant::now() < until || tally.had == 0 {
        let jail = Jail::open(workspace).unwrap();
        for name in ["d/file", "d/new/deep/file", "f"] {
            let target = jail.target(&Inside::parse(name, None).unwrap(), Parents::Made);
            let written = target.and_then(|target| {
                if let Some((mut file, _)) = target.read()? {
                    let mut text = String::new();
                    file.read_to_string(&mut text).unwrap();
                    assert_eq!(text, "inside");
                }
                target.replace(b"inside", None)
            });
            match written {
                Ok(()) => tally.had += 1,
                Err(_) => tally.refused += 1,
            }
        }
    }
    tally
}

fn is_untouched(directory: &Path, text: &str) -> bool {
    std::fs::read_to_string(directory.join("file")).unwrap() == text
        && std::fs::read_dir(directory).unwrap().count() == 1
}

#[test]
fn nothing_outside_is_written_while_directories_turn_into_links() {
    let (base, tally) = race(writes);
    assert!(tally.had > 0 && tally.refused > 0, "there was a race: {tally:?}");
    assert!(is_untouched(&base.path().join("outside"), "secret"));
}

#[test]
fn no_hook_is_written_while_directories_turn_into_links_to_them() {
    let (base, ()) = race(|_| ());
    let link = base.path().join("work/link");
    let link = if link.is_symlink() { link } else { base.path().join("work/d") };
    std::fs::remove_file(&link).unwrap();
    symlink(".git/hooks", &link).unwrap();
    let tally = beside_swapping(base.path(), writes);
    assert!(tally.had > 0 && tally.refused > 0, "there was a race: {tally:?}");
    assert!(is_untouched(&base.path().join("work/.git/hooks"), "hook"));
}

/// A program that looks where a path leads, and opens it if that looks fine.
fn naive(workspace: &Path, open: impl Fn(&Path) -> bool) -> bool {
    let most = Instant::now() + Duration::from_secs(60);
    let (root, path) = (workspace.canonicalize().unwrap(), workspace.join("d/file"));
    while Instant::now() < most {
        if path.canonicalize().is_ok_and(|real| real.starts_with(&root)) && open(&path) {
            return true;
        }
    }
    false
}

#[test]
fn looking_where_a_path_leads_and_then_reading_it_does_get_out() {
    let reads_a_secret =
        |path: &Path| std::fs::read_to_string(path).is_ok_and(|text| text == "secret");
    let (_base, got_out) = race(|workspace| naive(workspace, reads_a_secret));
    assert!(got_out, "the race that the jail is tested with is no race");
}

#[test]
fn looking_where_a_path_leads_and_then_writing_it_does_get_out() {
    let (_base, got_out) = race(|workspace| {
        let outside = workspace.with_file_name("outside");
        naive(workspace, |path| {
            std::fs::write(path, "changed").ok();
            !is_untouched(&outside, "secret")
        })
    });
    assert!(got_out, "the race that the jail is tested with is no race");
}
