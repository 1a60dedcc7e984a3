//! Whatever trees there are and whoever edits what: after an undo nothing is left of what the
//! agent did and the person did not touch since, and everything is there that the person did.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;

use moltis_core::checkpoint::Checkpoints;
use proptest::prelude::*;

use crate::rig::Rig;

/// What a path is. Directories are there where something is in them.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Thing {
    File(String, u32),
    Link(String),
}

/// A workspace: paths of two levels, so that a file and a directory often want the same name.
type Tree = BTreeMap<String, Thing>;

/// An edit: something is put at a path, or taken away.
type Edit = (String, Option<Thing>);

fn path() -> impl Strategy<Value = String> {
    prop_oneof!["[a-c]", "[a-c]/[a-c]", "[a-c]/[a-c]/[a-c]"]
}

fn thing() -> impl Strategy<Value = Thing> {
    prop_oneof![
        4 => ("[xyz\r\n]{0,3}", prop_oneof![Just(0o644), Just(0o755)])
            .prop_map(|(content, mode)| Thing::File(content, mode)),
        1 => "[a-c]".prop_map(Thing::Link),
    ]
}

fn edits(most: usize) -> impl Strategy<Value = Vec<Edit>> {
    proptest::collection::vec((path(), proptest::option::weighted(0.7, thing())), 0..most)
}

fn clear(path: &Path) {
    match path.symlink_metadata() {
        Ok(found) if found.is_dir() => fs::remove_dir_all(path).unwrap(),
        Ok(_) => fs::remove_file(path).unwrap(),
        Err(_) => {}
    }
}

fn apply(workspace: &Path, (path, thing): &Edit) {
    let mut at = workspace.to_owned();
    let (parents, name) = path.rsplit_once('/').unwrap_or(("", path));
    for parent in parents.split('/').filter(|parent| !parent.is_empty()) {
        at.push(parent);
        if !at.symlink_metadata().is_ok_and(|found| found.is_dir()) {
            if thing.is_none() {
                return;
            }
            clear(&at);
            fs::create_dir(&at).unwrap();
        }
    }
    at.push(name);
    clear(&at);
    match thing {
        Some(Thing::File(content, mode)) => {
            fs::write(&at, content).unwrap();
            fs::set_permissions(&at, fs::Permissions::from_mode(*mode)).unwrap();
        }
        Some(Thing::Link(target)) => symlink(target, &at).unwrap(),
        None => {}
    }
}

fn tree(workspace: &Path) -> Tree {
    crate::rig::files_below(workspace)
        .into_iter()
        .map(|path| {
            let found = path.symlink_metadata().unwrap();
            let thing = if found.is_symlink() {
                Thing::Link(fs::read_link(&path).unwrap().to_str().unwrap().to_owned())
            } else {
                Thing::File(fs::read_to_string(&path).unwrap(), found.mode() & 0o777)
            };
            (path.strip_prefix(workspace).unwrap().to_str().unwrap().to_owned(), thing)
        })
        .collect()
}

/// Something of the tree is where the path needs a directory, or is below it.
fn is_in_the_way(tree: &Tree, path: &str) -> bool {
    let is_above =
        |one: &str, other: &str| other.strip_prefix(one).is_some_and(|rest| rest.starts_with('/'));
    tree.keys().any(|other| is_above(other, path) || is_above(path, other))
}

fn check(first: &[Edit], agent: &[Edit], person: &[Edit]) -> Result<(), TestCaseError> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let rig = Rig::new();
        let all = |edits: &[Edit]| {
            for edit in edits {
                apply(&rig.workspace, edit);
            }
            tree(&rig.workspace)
        };
        let was = all(first);
        let before = rig.take().await;
        let left = all(agent);
        let after = rig.take().await;
        let found = all(person);
        let undone = rig.checkpoints.undo(&rig.workspace, &before, &after).await.unwrap();
        let now = tree(&rig.workspace);
        let is_named =
            |path: &str| undone.kept.iter().any(|kept| kept.path.trim_end_matches('/') == path);
        for path in was.keys().chain(left.keys()).chain(found.keys()).chain(now.keys()) {
            let is_persons = left.get(path) != found.get(path);
            let is_agents = was.get(path) != left.get(path);
            if is_persons || !is_agents {
                prop_assert_eq!(now.get(path), found.get(path), "the person's {}", path);
            } else if was.contains_key(path) && is_in_the_way(&found, path) {
                let is_back = now.get(path) == was.get(path);
                prop_assert!(is_back || is_named(path), "{} is not back and not named", path);
            } else {
                prop_assert_eq!(now.get(path), was.get(path), "the agent's {}", path);
            }
            if is_persons && is_agents && found.get(path) != was.get(path) {
                prop_assert!(is_named(path), "{} was kept and is not named", path);
            }
        }
        if person.is_empty() {
            prop_assert!(undone.kept.is_empty(), "{:?}", undone.kept);
            prop_assert_eq!(rig.changes(&before, &rig.take().await).await, "");
        }
        Ok(())
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn an_undo_takes_back_the_agents_changes_and_none_of_the_persons(
        first in edits(12), agent in edits(8), person in edits(5),
    ) {
        check(&first, &agent, &person)?;
    }

    #[test]
    fn an_undo_that_nobody_meddles_with_takes_back_everything(
        first in edits(12), agent in edits(12),
    ) {
        check(&first, &agent, &[])?;
    }
}
