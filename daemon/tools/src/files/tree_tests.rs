use std::io::Read as _;
use std::path::Path;
use std::time::{Duration, Instant};

use super::{Passed, Then, Walk};
use crate::jail::race_tests::race;
use crate::jail::{Inside, Jail, entry};
use crate::off::Stop;

/// What the files of the workspace hold, as a search comes by them.
fn contents(workspace: &Path) -> Vec<String> {
    let top = Inside::parse("", None).unwrap();
    let dir = Jail::open(workspace).unwrap().directory(&top).unwrap();
    let (stop, mut found) = (Stop::after(Duration::from_secs(60)), Vec::new());
    let read = |file: Passed<'_>| {
        if let Ok((mut opened, _)) = entry(file.dir, file.name, &top) {
            let mut text = String::new();
            opened.read_to_string(&mut text).unwrap();
            found.push(text);
        }
        Then::GoOn
    };
    Walk::through(dir, &top, &stop, read);
    found
}

#[test]
fn no_search_gets_out_while_names_turn_into_links() {
    let (_base, seen) = race(|workspace| {
        let until = Instant::now() + Duration::from_secs(2);
        let mut seen = 0;
        while Instant::now() < until || seen == 0 {
            let found = contents(workspace);
            assert!(found.iter().all(|text| text == "inside"), "{found:?}");
            seen += found.len();
        }
        seen
    });
    assert!(seen > 0);
}

#[test]
fn a_search_by_paths_does_get_out() {
    let most = Instant::now() + Duration::from_secs(60);
    let (_base, got_out) = race(|workspace| {
        while Instant::now() < most {
            for entry in std::fs::read_dir(workspace).unwrap().flatten() {
                let below = entry.path().join("file");
                if entry.file_type().is_ok_and(|kind| kind.is_dir())
                    && std::fs::read_to_string(below).is_ok_and(|text| text == "secret")
                {
                    return true;
                }
            }
        }
        false
    });
    assert!(got_out, "the race that a search is tested with is no race");
}
