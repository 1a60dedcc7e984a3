use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use expect_test::expect;
use moltis_core::context::SystemFragment;
use proptest::prelude::*;

use super::{MOST_OF_FILE, MOST_OF_PROJECT, fragments};

/// A place of one's own: a home in it, nothing above it that is looked at.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, path: &str) -> PathBuf {
        self.0.path().canonicalize().unwrap().join(path)
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn told(&self, workspace: &str) -> Vec<SystemFragment> {
        fragments(&self.path(workspace), Some(&self.path("home")))
    }
}

/// Their names, cut ones marked, and what the short ones say.
fn shown(fragments: &[SystemFragment]) -> String {
    let line = |one: &SystemFragment| {
        let cut = if one.truncated { " (cut)" } else { "" };
        let text = if one.text.len() < 80 { one.text.as_str() } else { "…" };
        format!("{}{cut}: {text}\n", one.name)
    };
    fragments.iter().map(line).collect()
}

#[test]
fn files_are_told_from_the_repositorys_root_inward() {
    let place = Place::new();
    place.write("home/AGENTS.md", "of the home");
    place.write("home/repo/.git/HEAD", "");
    place.write("home/repo/AGENTS.md", "of the root");
    place.write("home/repo/CLAUDE.local.md", "mine");
    place.write("home/repo/.claude/rules/b.md", "rule b");
    place.write("home/repo/.claude/rules/a.md", "rule a");
    place.write("home/repo/.claude/rules/a.txt", "no rule");
    place.write("home/repo/TOOLS.md", "not told: not the workspace's");
    place.write("home/repo/sub/.cursorrules", "cursor");
    place.write("home/repo/sub/.cursor/rules/c.mdc", "rule c");
    place.write("home/repo/sub/CLAUDE.md", "of the part");
    place.write("home/repo/sub/TOOLS.md", "tools");
    let told = place.told("home/repo/sub");
    expect![[r#"
        ../AGENTS.md: of the root
        ../CLAUDE.local.md: mine
        ../.claude/rules/a.md: rule a
        ../.claude/rules/b.md: rule b
        CLAUDE.md: of the part
        .cursorrules: cursor
        .cursor/rules/c.mdc: rule c
        TOOLS.md: tools
    "#]]
    .assert_eq(&shown(&told));
    let personal = told.iter().filter(|one| one.sensitive).map(|one| one.name.as_str());
    assert_eq!(personal.collect::<Vec<_>>(), ["../CLAUDE.local.md"]);
}

#[test]
fn without_a_repository_a_project_ends_at_home_and_elsewhere_at_the_workspace() {
    let place = Place::new();
    place.write("AGENTS.md", "above the home");
    place.write("home/AGENTS.md", "of the home");
    place.write("home/notes/AGENTS.md", "of the notes");
    place.write("elsewhere/AGENTS.md", "not asked for");
    place.write("elsewhere/work/AGENTS.md", "of the work");
    assert_eq!(
        shown(&place.told("home/notes")),
        "../AGENTS.md: of the home\nAGENTS.md: of the notes\n"
    );
    assert_eq!(shown(&place.told("elsewhere/work")), "AGENTS.md: of the work\n");
}

#[test]
fn a_directory_that_others_write_to_is_no_part_of_a_project() {
    let place = Place::new();
    place.write("shared/.git/HEAD", "");
    place.write("shared/AGENTS.md", "by anybody");
    place.write("shared/work/AGENTS.md", "mine");
    let shared = place.path("shared");
    assert_eq!(shown(&place.told("shared/work")), "../AGENTS.md: by anybody\nAGENTS.md: mine\n");
    fs::set_permissions(&shared, fs::Permissions::from_mode(0o777)).unwrap();
    assert_eq!(shown(&place.told("shared/work")), "AGENTS.md: mine\n");
}

#[test]
fn the_same_words_by_two_names_are_told_once() {
    let place = Place::new();
    place.write("home/repo/AGENTS.md", "the same");
    symlink("AGENTS.md", place.path("home/repo/CLAUDE.md")).unwrap();
    assert_eq!(shown(&place.told("home/repo")), "AGENTS.md: the same\n");
}

#[test]
fn what_is_farthest_from_the_workspace_gives_way_and_that_is_told() {
    let place = Place::new();
    let long = |name: &str| format!("{name} {}", "long ".repeat(8_000));
    for directory in ["home/repo", "home/repo/a", "home/repo/a/b", "home/repo/a/b/c"] {
        place.write(&format!("{directory}/AGENTS.md"), &long(directory));
    }
    place.write("home/repo/.git/HEAD", "");
    let told = place.told("home/repo/a/b/c");
    expect![[r#"
        … (cut): [1 more files of the project are not told: they do not fit]
        ../../AGENTS.md (cut): …
        ../AGENTS.md (cut): …
        AGENTS.md (cut): …
    "#]]
    .assert_eq(&shown(&told));
}

#[test]
fn a_hostile_repository_costs_little_and_gives_nothing_away() {
    let place = Place::new();
    place.write("secret.md", "the secret");
    place.write("home/repo/.git/HEAD", "");
    let rules = "home/repo/.cursor/rules";
    fs::create_dir_all(place.path(rules)).unwrap();
    for number in 0..2_000 {
        symlink("../../../../secret.md", place.path(&format!("{rules}/{number}.md"))).unwrap();
    }
    symlink("../../secret.md", place.path("home/repo/AGENTS.md")).unwrap();
    symlink("/dev/zero", place.path("home/repo/.cursorrules")).unwrap();
    symlink("/", place.path("home/repo/.claude")).unwrap();
    place.write("home/repo/CLAUDE.md", "\u{fffd}kept\0");
    fs::write(place.path("home/repo/TOOLS.md"), b"\xff\xfe not text \xc3").unwrap();
    expect![[r#"
        CLAUDE.md: �kept
        TOOLS.md: �� not text �
    "#]]
    .assert_eq(&shown(&place.told("home/repo")));
}

/// A tree of a repository of some directories in one another: for each file its depth, which of the
/// names it has, and how long it is.
fn files() -> impl Strategy<Value = Vec<(usize, usize, usize)>> {
    prop::collection::vec((0_usize..4, 0_usize..7, 0_usize..30_000), 0..20)
}

const PLACES: [&str; 7] = [
    "AGENTS.md",
    "CLAUDE.md",
    "CLAUDE.local.md",
    ".claude/rules/x.md",
    ".cursorrules",
    ".cursor/rules/y.mdc",
    "TOOLS.md",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn whatever_is_there_the_order_is_the_same_and_the_bounds_hold(files in files()) {
        let place = Place::new();
        place.write("home/repo/.git/HEAD", "");
        fs::create_dir_all(place.path("home/repo/d/d/d")).unwrap();
        for (number, (depth, name, length)) in files.iter().enumerate() {
            let path = format!("home/repo/{}{}", "d/".repeat(*depth), PLACES[*name]);
            place.write(&path, &format!("{number} {}", "x".repeat(*length)));
        }
        let told = place.told("home/repo/d/d/d");
        prop_assert_eq!(&told, &place.told("home/repo/d/d/d"));
        let files: Vec<_> = told.iter().filter(|one| one.name != "…").collect();
        prop_assert!(files.iter().all(|one| one.text.len() <= MOST_OF_FILE));
        let all: usize = files.iter().map(|one| one.text.len()).sum();
        prop_assert!(all <= MOST_OF_PROJECT);
        let ups = |one: &&SystemFragment| one.name.matches("../").count();
        prop_assert!(files.iter().map(ups).is_sorted_by(|outer, inner| outer >= inner));
        let rank = |one: &&&SystemFragment| {
            PLACES.iter().position(|place| one.name.ends_with(place))
        };
        for depth in 0..4 {
            let here = files.iter().filter(|one| ups(one) == depth);
            prop_assert!(here.map(|one| rank(&one)).is_sorted());
        }
    }
}

#[test]
fn a_workspace_that_is_not_there_has_no_files() {
    assert!(fragments(Path::new("/nowhere/at/all"), None).is_empty());
}
