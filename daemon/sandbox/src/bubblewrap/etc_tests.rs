use std::collections::BTreeSet;
use std::fs;

use tempfile::TempDir;

use super::{COPIED, LIVE, OWN, make};

#[test]
fn nothing_of_the_machines_folder_is_there_that_is_not_named() {
    let folder = TempDir::new().expect("a folder");
    let words = make(folder.path()).expect("it can be made");
    let own = OWN.iter().map(|(name, _)| *name);
    let named = COPIED.iter().chain(LIVE).copied().chain(own);
    let first = |name: &str| name.split('/').next().map(str::to_owned);
    let named: BTreeSet<String> = named.filter_map(first).collect();
    let there: BTreeSet<String> = fs::read_dir(folder.path())
        .expect("it is there")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .collect();
    assert!(there.is_subset(&named), "{there:?}");
    let path = folder.path().to_string_lossy().into_owned();
    let words: Vec<_> = words.iter().map(|word| word.to_string_lossy()).collect();
    assert_eq!(words[..3], ["--ro-bind", &path, "/etc"]);
    // What is mounted over it finds a place.
    for mount in words[3..].chunks(3) {
        let place = mount[2].trim_start_matches("/etc/");
        assert!(folder.path().join(place).exists(), "{place}");
    }
}

#[test]
fn what_an_earlier_daemon_left_is_replaced() {
    let folder = TempDir::new().expect("a folder");
    let first = make(folder.path()).expect("it can be made");
    fs::write(folder.path().join("hosts"), "6.6.6.6 localhost").expect("it is changed");
    assert_eq!(make(folder.path()).expect("again"), first);
    let hosts = fs::read_to_string(folder.path().join("hosts")).expect("it is there");
    assert!(hosts.starts_with("127.0.0.1 localhost"), "{hosts}");
}
