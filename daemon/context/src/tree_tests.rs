use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::fs::symlink;
use std::path::Path;

use rustix::fs::{CWD, Mode};

use super::Tree;

fn said(tree: &Tree, path: &str) -> Option<String> {
    let (bytes, _) = tree.read(Path::new(path), 100)?;
    Some(String::from_utf8(bytes).unwrap())
}

/// A project in a place that holds a secret beside it, with every way out that a repository can
/// hold, and the open end of a FIFO.
fn hostile() -> (tempfile::TempDir, File) {
    let place = tempfile::tempdir().unwrap();
    let root = place.path().join("project");
    fs::create_dir_all(root.join("inner")).unwrap();
    fs::write(place.path().join("secret"), "the secret").unwrap();
    fs::write(root.join("inner/real"), "words").unwrap();
    symlink("../secret", root.join("up")).unwrap();
    symlink("inner/../../secret", root.join("around")).unwrap();
    symlink(place.path().join("secret"), root.join("absolute")).unwrap();
    symlink("..", root.join("door")).unwrap();
    symlink("up", root.join("twice")).unwrap();
    rustix::fs::mknodat(CWD, root.join("fifo"), rustix::fs::FileType::Fifo, Mode::RWXU, 0).unwrap();
    let both = fs::OpenOptions::new().read(true).write(true).open(root.join("fifo"));
    let mut fifo = both.unwrap();
    fifo.write_all(b"from the pipe").unwrap();
    (place, fifo)
}

const WAYS_OUT: [&str; 7] =
    ["up", "around", "absolute", "door/secret", "twice", "../secret", "fifo"];

#[test]
fn nothing_leads_out_of_the_tree_and_without_the_guard_everything_does() {
    let (place, _fifo) = hostile();
    let root = place.path().join("project");
    let guarded = Tree::open(&root).unwrap();
    let unguarded = Tree::unguarded(&root).unwrap();
    for way in WAYS_OUT {
        assert_eq!(said(&guarded, way), None, "{way}");
        assert!(said(&unguarded, way).is_some(), "{way} is no way out at all");
    }
}

#[test]
fn links_inside_of_the_tree_are_followed() {
    let (place, _fifo) = hostile();
    let root = place.path().join("project");
    symlink("inner/real", root.join("link")).unwrap();
    symlink("link", root.join("chain")).unwrap();
    symlink("../inner/../inner/real", root.join("inner/winding")).unwrap();
    symlink("inner", root.join("folder")).unwrap();
    let tree = Tree::open(&root).unwrap();
    for way in ["inner/real", "link", "chain", "inner/winding", "folder/real"] {
        assert_eq!(said(&tree, way).as_deref(), Some("words"), "{way}");
    }
}

#[test]
fn links_that_never_end_and_things_that_are_no_files_do_no_harm() {
    let (place, fifo) = hostile();
    drop(fifo);
    let root = place.path().join("project");
    symlink("loop", root.join("loop")).unwrap();
    symlink("pong", root.join("ping")).unwrap();
    symlink("ping", root.join("pong")).unwrap();
    symlink("/dev/zero", root.join("zero")).unwrap();
    let tree = Tree::open(&root).unwrap();
    // The FIFO has nobody at its other end now: whoever opens it without care waits for ever.
    for way in ["loop", "ping", "zero", "fifo", "inner", "", "inner/real/more"] {
        assert_eq!(said(&tree, way), None, "{way}");
    }
    assert!(tree.names(Path::new("fifo")).is_empty());
    assert_eq!(tree.names(Path::new("inner")), ["real"]);
}

#[test]
fn no_more_is_read_than_was_asked_for() {
    let place = tempfile::tempdir().unwrap();
    let huge = File::create(place.path().join("huge")).unwrap();
    huge.set_len(1 << 40).unwrap();
    let tree = Tree::open(place.path()).unwrap();
    let (bytes, size) = tree.read(Path::new("huge"), 10).unwrap();
    assert_eq!((bytes.len(), size), (11, 1 << 40));
}
