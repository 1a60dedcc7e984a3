//! `docs/security-tests.md` is true: the tests that it names are there, each row has a counterpart,
//! and no counterpart is left out.

use std::fs;
use std::path::{Path, PathBuf};

/// What a row says where a test has its counterpart in it.
const SAME: &str = "the same";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The rows of the table: what holds, what shows it, and what happens without the guard.
fn rows(page: &str) -> Vec<[&str; 3]> {
    fn cells(line: &str) -> [&str; 3] {
        let cells = line.trim().trim_matches('|').split('|').map(str::trim);
        cells.collect::<Vec<_>>().try_into().expect("three cells")
    }
    page.lines().filter(|line| line.contains("::")).map(cells).collect()
}

/// The tests that a cell names: a file and a function.
fn named(cell: &str) -> Vec<(&str, &str)> {
    let names = cell.split('`').skip(1).step_by(2);
    names.map(|name| name.split_once("::").unwrap_or((name, ""))).collect()
}

/// The functions of a file that are tests.
fn tests_of(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut is_test = false;
    for line in text.lines().map(str::trim) {
        let function = line.trim_start_matches("pub(crate) ").trim_start_matches("async ");
        match function.strip_prefix("fn ") {
            Some(rest) if is_test => {
                found.extend(rest.split(['(', '<']).next());
                is_test = false;
            }
            Some(_) => {}
            // Attributes and comments stand between.
            None if line.starts_with("#[") => is_test |= line.contains("test"),
            None if line.starts_with("//") => {}
            None => is_test = false,
        }
    }
    found
}

fn sources(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if entry.file_type().unwrap().is_dir() {
            sources(&path, into);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            into.push(path);
        }
    }
}

#[test]
fn every_test_of_security_is_there_and_has_a_counterpart() {
    let page = fs::read_to_string(root().join("docs/security-tests.md")).unwrap();
    let rows = rows(&page);
    assert!(rows.len() > 20, "the table is read");
    for [what, shown, without] in rows {
        assert!(!named(shown).is_empty(), "nothing shows it: {what}");
        assert!(without == SAME || !named(without).is_empty(), "no counterpart: {what}");
        for (file, test) in [shown, without].into_iter().flat_map(named) {
            let text = fs::read_to_string(root().join(file)).unwrap_or_default();
            assert!(tests_of(&text).contains(&test), "`{file}` has no test `{test}`");
        }
    }
}

#[test]
fn no_counterpart_is_left_out_of_the_page() {
    let page = fs::read_to_string(root().join("docs/security-tests.md")).unwrap();
    let mut files = Vec::new();
    sources(&root().join("daemon"), &mut files);
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        let counterparts =
            tests_of(&text).into_iter().filter(|test| test.starts_with("without_the_guard"));
        for test in counterparts {
            assert!(page.contains(&format!("::{test}`")), "{}: {test}", file.display());
        }
    }
}

#[test]
fn a_function_that_is_no_test_proves_nothing() {
    let text =
        "#[test]\n// Why.\nfn one() {}\nfn two() {}\n    #[tokio::test]\n    async fn three() {}";
    assert_eq!(tests_of(text), ["one", "three"]);
}
