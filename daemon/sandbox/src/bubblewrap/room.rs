//! What there is inside of a sandbox: the command line of bubblewrap.
//!
//! Made of nothing but these lines: programs and libraries of the machine to be read, an `/etc` with
//! a handful of files, three folders in memory, the workspace, the repository that it is a worktree
//! of, and the one socket that leads to single hosts. There is no word here for the machine's network,
//! its processes, its devices or its home folders. Not here: how it is started.
//! The invariant: every command line that this module makes contains as much as any other.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use super::seams::{Lease, Seam};
use crate::linked::Seen;
use crate::opening::{self, Opening};

/// Where the workspace is inside.
pub(super) const WORKSPACE: &str = "/workspace";

/// The home inside; goes with each command.
pub(super) const HOME: &str = "/home/moltis";

/// The user and the group inside.
const USER: &str = "1000";

/// Folders of the root that hold programs and libraries, or are links to such.
const PROGRAMS: &[&str] = &["bin", "sbin", "lib", "lib32", "lib64", "libx32"];

/// The environment inside, before what the owner adds.
const ENVIRONMENT: &[(&str, &str)] = &[
    ("HOME", HOME),
    ("LANG", "C.UTF-8"),
    ("LOGNAME", "moltis"),
    ("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"),
    ("SHELL", "/bin/sh"),
    ("TERM", "dumb"),
    ("TMPDIR", "/tmp"),
    ("USER", "moltis"),
];

/// The workspace, as it is to be seen inside.
pub(super) enum Floor {
    /// Not at all.
    None,
    /// To be read.
    ReadOnly(PathBuf),
    /// To be written, but for its seams.
    ReadWrite(PathBuf, Lease),
}

/// What a sandbox has of this machine while it runs.
pub(super) struct Ground {
    pub(super) floor: Floor,
    /// What it reaches single hosts through.
    pub(super) opening: Option<Opening>,
}

/// The part of the command line that holds the machine's programs and libraries. Looks at the disk.
pub(super) fn programs() -> Vec<OsString> {
    let mut line = Line(Vec::new());
    line.words(&["--ro-bind", "/usr", "/usr"]);
    for name in PROGRAMS {
        let path = Path::new("/").join(name);
        match fs::read_link(&path) {
            Ok(target) => line.paths("--symlink", &target, &path),
            Err(_) if path.is_dir() => line.paths("--ro-bind-try", &path, &path),
            Err(_) => {}
        }
    }
    line.0
}

/// One sandbox.
pub(super) struct Room<'a> {
    /// What [`programs`] said, and the `/etc`.
    pub(super) programs: &'a [OsString],
    /// The folder with an empty folder.
    pub(super) own: &'a Path,
    /// The workspace, and what leads out.
    pub(super) ground: &'a Ground,
    /// What is seen under its own path: the repository that the workspace is a worktree of.
    pub(super) repository: &'a [(PathBuf, Seen)],
    /// Folders that are not to be seen though they are in the workspace: the daemon's own.
    pub(super) hidden: &'a [PathBuf],
    /// Where the command begins.
    pub(super) directory: String,
    /// Bytes in each folder that is held in memory.
    pub(super) folder: u64,
    /// This bubblewrap can forbid further user namespaces.
    pub(super) forbids_namespaces: bool,
    /// The number under which bubblewrap finds the filter of calls, where there is one.
    pub(super) filter: Option<u8>,
}

impl Room<'_> {
    /// The arguments of bubblewrap, up to the command.
    pub(super) fn arguments(&self) -> Vec<OsString> {
        let mut line = Line(Vec::new());
        line.words(&["--unshare-user", "--unshare-pid", "--unshare-net", "--unshare-ipc"]);
        line.words(&["--unshare-uts", "--unshare-cgroup-try", "--die-with-parent"]);
        line.words(&["--new-session", "--cap-drop", "ALL", "--hostname", "moltis"]);
        line.words(&["--uid", USER, "--gid", USER, "--clearenv"]);
        if self.forbids_namespaces {
            line.words(&["--disable-userns"]);
        }
        if let Some(filter) = self.filter {
            line.words(&["--seccomp", &filter.to_string()]);
        }
        for (name, value) in ENVIRONMENT {
            line.words(&["--setenv", name, value]);
        }
        if self.ground.opening.is_some() {
            for (name, value) in opening::ENVIRONMENT {
                line.words(&["--setenv", name, value]);
            }
        }
        self.machine(&mut line);
        let size = self.folder.to_string();
        for folder in ["/tmp", HOME] {
            line.words(&["--perms", "0700", "--size", &size, "--tmpfs", folder]);
        }
        self.workspace(&mut line);
        self.repository(&mut line);
        // What could be written still is the root itself, which is in memory without a bound.
        line.words(&["--remount-ro", "/", "--chdir", &self.directory]);
        line.0
    }

    fn machine(&self, line: &mut Line) {
        line.0.extend_from_slice(self.programs);
        // Read-only, for the kernel takes the user who owns its switches for root without asking for
        // a capability, and inside that may be the user who runs the daemon.
        line.words(&["--proc", "/proc", "--remount-ro", "/proc"]);
        line.words(&["--dev", "/dev", "--perms", "1777", "--size", &self.folder.to_string()]);
        line.words(&["--tmpfs", "/dev/shm", "--remount-ro", "/dev"]);
        // For the socket of a program that goes on.
        line.words(&["--perms", "0700", "--size", "1000000", "--tmpfs", "/run"]);
        if let Some(opening) = &self.ground.opening {
            line.paths("--ro-bind", opening.folder(), Path::new(opening::INSIDE));
        }
    }

    fn repository(&self, line: &mut Line) {
        for (path, seen) in self.repository {
            match seen {
                Seen::Memory => {
                    line.words(&["--perms", "0700", "--size", &self.folder.to_string()]);
                    line.words(&["--tmpfs"]);
                    line.0.push(path.into());
                }
                Seen::Writable => line.paths("--bind", path, path),
                Seen::ReadOnly => line.paths("--ro-bind", path, path),
            }
        }
    }

    fn workspace(&self, line: &mut Line) {
        let root = Path::new(WORKSPACE);
        let (workspace, lease) = match &self.ground.floor {
            Floor::None => return,
            Floor::ReadOnly(workspace) => (workspace, None),
            Floor::ReadWrite(workspace, lease) => (workspace, Some(lease)),
        };
        let bind = if lease.is_some() { "--bind" } else { "--ro-bind" };
        line.paths(bind, workspace, root);
        let hidden: Vec<&Path> =
            self.hidden.iter().filter_map(|path| path.strip_prefix(workspace).ok()).collect();
        if let Some(lease) = lease {
            // Nor can the folders above what is hidden be put aside, and others put in their place.
            for above in hidden.iter().flat_map(|path| above(path)) {
                line.paths("--bind", &workspace.join(above), &root.join(above));
            }
            for (place, seam) in &lease.places {
                let (out, inside) = (workspace.join(place), root.join(place));
                match seam {
                    Seam::Pinned => line.paths("--bind", &out, &inside),
                    Seam::Fixed => line.paths("--ro-bind", &out, &inside),
                    Seam::Here => line.paths("--ro-bind", &self.own.join("here"), &inside),
                    Seam::Absent => line.paths("--ro-bind", &self.own.join("empty"), &inside),
                }
            }
        }
        for place in hidden {
            line.paths("--ro-bind", &self.own.join("empty"), &root.join(place));
        }
    }
}

/// The folders above a relative path, the highest first.
fn above(path: &Path) -> Vec<&Path> {
    let mut above: Vec<&Path> =
        path.ancestors().skip(1).filter(|path| *path != Path::new("")).collect();
    above.reverse();
    above
}

struct Line(Vec<OsString>);

impl Line {
    fn words(&mut self, words: &[&str]) {
        self.0.extend(words.iter().map(OsString::from));
    }

    fn paths(&mut self, option: &str, from: &Path, to: &Path) {
        self.0.extend([option.into(), from.into(), to.into()]);
    }
}
