//! What this machine and its person mean for containers: who programs are, what they may have.

use rustix::process::{Resource, getgid, getrlimit, getuid};

/// Files that a program may have open: what engines accept, and enough.
pub(crate) const FILES: u64 = 16_384;

/// The user inside where the daemon is root: the first of a usual Linux.
const ORDINARY: (u32, u32) = (1000, 1000);

/// What any container lacks on this machine, for this person.
pub(super) fn lacks() -> Vec<String> {
    let mut lacks = Vec::new();
    if getuid().is_root() {
        let text = "the daemon is root: programs run as user 1000, and what belongs to root they \
                    can't change";
        lacks.push(text.to_owned());
    }
    let text = "programs that go on can make what steers others outside where nothing was, and all can \
                below the root of a workspace: `.git/hooks` and the like of repositories within it";
    lacks.push(text.to_owned());
    lacks
}

/// Who programs are inside: the person, so that files in the workspace are theirs.
pub(super) fn user() -> (u32, u32) {
    let uid = getuid();
    if uid.is_root() { ORDINARY } else { (uid.as_raw(), getgid().as_raw()) }
}

/// A limit of this kind: no more than this daemon may have, for an engine of the same user can't give
/// more.
pub(crate) fn most(resource: Resource, wanted: u64) -> i64 {
    let hard = getrlimit(resource).maximum.unwrap_or(u64::MAX);
    i64::try_from(hard.min(wanted)).unwrap_or(i64::MAX)
}

/// The machine's time zone: its name, as `TZ` or the link `/etc/localtime` has it. Blocks on the disk.
pub(super) fn timezone() -> String {
    let is_name = |name: &String| {
        let fits = |letter: char| letter.is_ascii_alphanumeric() || "/_+-".contains(letter);
        !name.is_empty() && name.chars().all(fits)
    };
    let linked = || {
        let link = std::fs::read_link("/etc/localtime").ok()?;
        Some(link.to_str()?.split_once("zoneinfo/")?.1.to_owned())
    };
    let named = std::env::var("TZ").ok().filter(is_name).or_else(linked).filter(is_name);
    named.unwrap_or_else(|| "UTC".to_owned())
}
