//! What this machine and its person mean for containers: who programs are, what they may have, what
//! the engine lacks by its nature.

use rustix::process::{Resource, getgid, getrlimit, getuid};

use super::sockets::{Found, Kind};
use super::spec::Ulimits;
use crate::opening::Openings;

/// Files that a program may have open: what engines accept, and enough.
const FILES: u64 = 16_384;

/// Processes of a user, where an engine's own value would be refused.
const PROCESSES: u64 = 32_768;

/// The user inside where the daemon is root: the first of a usual Linux.
const ORDINARY: (u32, u32) = (1000, 1000);

/// What an engine lacks whatever it runs.
pub(super) fn lacks_by_nature(found: &Found, openings: &Openings) -> Vec<String> {
    let mut lacks = Vec::new();
    if getuid().is_root() {
        let text = "the daemon is root: programs run as user 1000, and what belongs to root they \
                    can't change";
        lacks.push(text.to_owned());
    }
    if found.remapped || (found.rootless && found.kind == Kind::Docker) {
        let text = "the engine's users are others than yours: programs can't change the workspace";
        lacks.push(text.to_owned());
    }
    let text = "programs that go on can make what steers others outside where nothing was, and all can \
                below the root of a workspace: `.git/hooks` and the like of repositories within it";
    lacks.push(text.to_owned());
    let text =
        "in a git worktree, branches and tags can't be deleted and nothing is packed (`git gc`)";
    lacks.push(text.to_owned());
    lacks.extend(openings.why_not().map(str::to_owned));
    lacks
}

/// Who programs are inside: the person, so that files in the workspace are theirs.
pub(super) fn user() -> (u32, u32) {
    let uid = getuid();
    if uid.is_root() { ORDINARY } else { (uid.as_raw(), getgid().as_raw()) }
}

/// No more than this daemon may have: an engine of the same user can't give more.
pub(super) fn ulimits(kind: Kind) -> Ulimits {
    let most = |resource, wanted: u64| {
        let hard = getrlimit(resource).maximum.unwrap_or(u64::MAX);
        i64::try_from(hard.min(wanted)).unwrap_or(i64::MAX)
    };
    Ulimits {
        files: most(Resource::Nofile, FILES),
        // Podman sets one of its own as soon as it is given any, and fails where it may not.
        processes: (kind == Kind::Podman).then(|| most(Resource::Nproc, PROCESSES)),
    }
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
