use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

fn file(content: &[u8]) -> Entry {
    let stamp = Stamp { modified: (1, 2), changed: (3, 4), inode: 5 };
    let size = u64::try_from(content.len()).unwrap();
    Entry::File { mode: 0o644, size, hash: hash(content), stamp }
}

fn manifest() -> Manifest {
    let entries = BTreeMap::from([
        (b"a".to_vec(), file(b"x")),
        (b"d".to_vec(), Entry::Directory { mode: 0o755 }),
        (b"d/\xff\n".to_vec(), Entry::Link { target: b"../..".to_vec() }),
        (b"d-e".to_vec(), file(b"")),
    ]);
    let left_out = BTreeSet::from([b"target".to_vec()]);
    let unnamed = BTreeSet::from([b"objects".to_vec()]);
    Manifest { taken: -1, workspace: b"/home/me".to_vec(), entries, left_out, unnamed }
}

/// Bytes that end in their sum, so that only what is before it can be wrong.
fn sealed(mut body: Vec<u8>) -> Vec<u8> {
    let sum = hash(&body);
    body.extend(sum);
    body
}

#[test]
fn a_manifest_is_read_as_it_was_written() {
    assert_eq!(Manifest::parse(&manifest().write()), Ok(manifest()));
}

#[test]
fn a_manifest_that_is_cut_or_has_a_wrong_bit_is_damaged() {
    let whole = manifest().write();
    for length in 0..whole.len() {
        assert_eq!(Manifest::parse(&whole[..length]), Err(Damaged), "cut at {length}");
        let mut wrong = whole.clone();
        wrong[length] ^= 1;
        assert_eq!(Manifest::parse(&wrong), Err(Damaged), "byte {length}");
    }
}

#[test]
fn a_path_that_leads_out_is_damage() {
    let paths: [&[u8]; 10] =
        [b"", b"/etc", b"..", b"d/../../x", b"d//x", b"d/", b".", b"d/.", b"x\0y", b"none/x"];
    for path in paths {
        let mut manifest = manifest();
        manifest.entries.insert(path.to_vec(), file(b"x"));
        let shown = String::from_utf8_lossy(path).into_owned();
        assert_eq!(Manifest::parse(&manifest.write()), Err(Damaged), "{shown:?}");
    }
}

#[test]
fn a_file_is_in_no_file_and_in_no_symlink() {
    for path in [&b"a/x"[..], b"d/\xff\n/x"] {
        let mut manifest = manifest();
        manifest.entries.insert(path.to_vec(), file(b"x"));
        assert_eq!(Manifest::parse(&manifest.write()), Err(Damaged));
    }
}

#[test]
fn what_is_below_something_left_out_is_left_out() {
    let manifest = manifest();
    assert!(manifest.leaves_out(b"target") && manifest.leaves_out(b"target/debug/x"));
    assert!(!manifest.leaves_out(b"target-x") && !manifest.leaves_out(b"x/target"));
    let nothing = Manifest { left_out: BTreeSet::from([Vec::new()]), ..Manifest::default() };
    assert!(nothing.leaves_out(b"anything/at/all"));
    assert!(manifest.may_have_had(b"objects/x") && manifest.may_have_had(b"target/x"));
    assert!(!manifest.leaves_out(b"objects/x") && !manifest.may_have_had(b"x"));
}

#[test]
fn a_name_between_a_directory_and_what_is_in_it_does_not_part_them() {
    assert!(manifest().has_below(b"d") && !manifest().has_below(b"d-e"));
}

proptest! {
    #[test]
    fn any_bytes_are_a_manifest_or_damage(body in proptest::collection::vec(any::<u8>(), 0..200)) {
        let mut whole = MAGIC.to_vec();
        whole.extend(body);
        let whole = sealed(whole);
        if let Ok(manifest) = Manifest::parse(&whole) {
            prop_assert_eq!(manifest.write(), whole);
        }
    }

    #[test]
    fn a_manifest_with_some_bytes_changed_is_one_or_damage(
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut body = manifest().write();
        body.truncate(body.len() - 32);
        for (place, byte) in changes {
            let place = place.index(body.len());
            body[place] = byte;
        }
        let whole = sealed(body);
        if let Ok(manifest) = Manifest::parse(&whole) {
            prop_assert_eq!(manifest.write(), whole);
        }
    }
}
