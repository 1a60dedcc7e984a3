//! Which files of a project are told, and how much of each.
//!
//! A project is the workspace and the directories above it, up to the root of its repository or the
//! home directory, whichever comes first; without either it is the workspace alone. A directory
//! above that others may write to ends the way up: what anybody on the machine can put into `/tmp`
//! is no project's. The invariant: what does not fit is what is farthest from the workspace, and
//! how many files that are is told.

use std::ffi::OsStr;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use moltis_core::context::{SystemFragment, SystemKind};
use moltis_core::event::Origin;

use crate::tree::Tree;
use crate::{MOST_OF_FILE, MOST_OF_PROJECT, note_of, text};

/// Directories above a workspace.
const MOST_ABOVE: usize = 32;

/// Files that are told at most.
const MOST_FILES: usize = 64;

/// Where less than this many bytes are left, nothing more is told.
const LEAST: usize = 256;

/// What is told of each directory, in order, by the names that tools for working on code have given
/// these files. A folder stands for its files with one of the endings.
const NAMES: [(&str, &[&str]); 6] = [
    ("AGENTS.md", &[]),
    ("CLAUDE.md", &[]),
    ("CLAUDE.local.md", &[]),
    (".claude/rules", &["md"]),
    (".cursorrules", &[]),
    (".cursor/rules", &["md", "mdc"]),
];

/// What is told of the workspace's own directory only, after all others.
const TOOLS: &str = "TOOLS.md";

/// What a person keeps for themselves.
const PERSONAL: &str = "CLAUDE.local.md";

/// A file that may be told.
struct Candidate {
    /// Relative to the top.
    path: PathBuf,
    /// Relative to the workspace.
    name: String,
}

/// The project's files, from the outermost directory inward. The workspace's path has no links.
pub(crate) fn fragments(workspace: &Path, home: Option<&Path>) -> Vec<SystemFragment> {
    let above = above(workspace, home);
    let Some(top) = workspace.ancestors().nth(above) else { return Vec::new() };
    let Ok(tree) = Tree::open(top) else { return Vec::new() };
    let inner = workspace.strip_prefix(top).unwrap_or(Path::new(""));
    let mut directories: Vec<&Path> = inner.ancestors().collect();
    directories.reverse();
    let groups: Vec<Vec<Candidate>> = directories
        .iter()
        .enumerate()
        .map(|(depth, directory)| candidates(&tree, directory, above - depth))
        .collect();
    told(&tree, &groups)
}

/// How many directories above a workspace belong to its project.
fn above(workspace: &Path, home: Option<&Path>) -> usize {
    let home = home.and_then(|home| home.canonicalize().ok());
    for (above, directory) in workspace.ancestors().take(MOST_ABOVE + 1).enumerate() {
        if above > 0 && !directory.symlink_metadata().is_ok_and(|found| is_mine(&found)) {
            break;
        }
        let is_root = directory.join(".git").symlink_metadata().is_ok();
        if is_root || Some(directory) == home.as_deref() {
            return above;
        }
    }
    0
}

/// Whether nobody but the person writes to a directory.
fn is_mine(found: &Metadata) -> bool {
    found.uid() == rustix::process::geteuid().as_raw() && found.mode() & 0o002 == 0
}

/// The files of a directory that stands so many above the workspace.
fn candidates(tree: &Tree, directory: &Path, above: usize) -> Vec<Candidate> {
    let up = "../".repeat(above);
    let candidate = |path: PathBuf, inner: &str| {
        let name = text::name(&format!("{up}{inner}"));
        Candidate { path, name }
    };
    let mut found = Vec::new();
    let own: &[(&str, &[&str])] = if above == 0 { &[(TOOLS, &[])] } else { &[] };
    for (name, endings) in NAMES.iter().chain(own) {
        let path = directory.join(name);
        if endings.is_empty() {
            if tree.has(&path) {
                found.push(candidate(path, name));
            }
            continue;
        }
        for file in tree.names(&path) {
            let ending = Path::new(&file).extension().and_then(OsStr::to_str);
            if ending.is_some_and(|ending| endings.contains(&ending)) {
                let inner = format!("{name}/{}", file.to_string_lossy());
                found.push(candidate(path.join(file), &inner));
            }
        }
    }
    found
}

/// What is told of these files: those next to the workspace have their room first.
fn told(tree: &Tree, groups: &[Vec<Candidate>]) -> Vec<SystemFragment> {
    let (mut room, mut left_out) = (MOST_OF_PROJECT, 0_usize);
    let mut seen: Vec<Vec<SystemFragment>> = Vec::new();
    let mut texts: Vec<String> = Vec::new();
    for group in groups.iter().rev() {
        let mut fragments = Vec::new();
        for candidate in group {
            if room < LEAST || texts.len() >= MOST_FILES {
                left_out += 1;
                continue;
            }
            let Some((bytes, size)) = tree.read(&candidate.path, MOST_OF_FILE) else { continue };
            let Some(told) = text::of(&bytes, size, room.min(MOST_OF_FILE)) else { continue };
            // The same words by two names, as many projects have them, are told once.
            if texts.contains(&told.text) {
                continue;
            }
            room -= told.text.len();
            texts.push(told.text.clone());
            let name = candidate.name.as_str();
            let (kind, origin) = (SystemKind::Project, Origin::Workspace);
            let fragment = SystemFragment::new(name, kind, told.text, origin);
            let sensitive = name.ends_with(PERSONAL);
            fragments.push(SystemFragment { sensitive, truncated: told.is_cut, ..fragment });
        }
        seen.push(fragments);
    }
    let note = (left_out > 0).then(|| {
        note_of(format!("[{left_out} more files of the project are not told: they do not fit]"))
    });
    note.into_iter().chain(seen.into_iter().rev().flatten()).collect()
}

#[cfg(test)]
#[path = "project_tests.rs"]
mod tests;
