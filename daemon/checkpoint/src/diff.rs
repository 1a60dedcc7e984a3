//! What differs, as text for a person.
//!
//! Not a patch to be applied: a mode, a symlink and a file that is no text are told in words. The
//! invariants: it is never longer than was asked for, and it says so when something is left out.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use similar::TextDiff;

use crate::compare::Change;
use crate::manifest::Entry;
use crate::skipped::shown;
use crate::store::Store;

/// Larger files are named only.
const MAX_FILE: u64 = 1 << 20;

/// When so much time went into it, the rest is compared coarsely.
const PATIENCE: Duration = Duration::from_secs(2);

/// Room that is kept for saying what is left out.
const NOTICE: usize = 100;

/// One side of a difference.
enum Side {
    Nothing,
    Text(String),
    /// It can't be shown, and why.
    Opaque(&'static str),
}

/// The differences as a unified diff of at most `limit` bytes.
pub(crate) fn unified(store: &Store, changes: &[Change<'_>], limit: usize) -> String {
    let deadline = Instant::now() + PATIENCE;
    let mut text = String::new();
    for (index, change) in changes.iter().enumerate() {
        let part = section(store, change, deadline);
        let is_last = index + 1 == changes.len();
        let most = if is_last { limit } else { limit.saturating_sub(NOTICE) };
        if text.len() + part.len() <= most {
            text.push_str(&part);
            continue;
        }
        push_lines(&mut text, &part, limit.saturating_sub(NOTICE));
        let left = changes.len() - index;
        let notice =
            format!("… cut at {limit} bytes: {left} of {} not shown in full\n", changes.len());
        push_start(&mut text, &notice, limit);
        break;
    }
    text
}

/// Adds the lines that fit.
fn push_lines(text: &mut String, part: &str, limit: usize) {
    for line in part.split_inclusive('\n') {
        if text.len() + line.len() > limit {
            return;
        }
        text.push_str(line);
    }
}

/// Adds as much as fits.
fn push_start(text: &mut String, part: &str, limit: usize) {
    for character in part.chars() {
        if text.len() + character.len_utf8() > limit {
            return;
        }
        text.push(character);
    }
}

fn section(store: &Store, change: &Change<'_>, deadline: Instant) -> String {
    let name = change.name();
    let mut out = String::new();
    if let (Some(was), Some(is)) = (mode(change.before), mode(change.after))
        && was != is
    {
        let _ = writeln!(out, "mode of {name}: {was:o} -> {is:o}");
    }
    match (side(store, change.before), side(store, change.after)) {
        (Side::Opaque(why), _) | (_, Side::Opaque(why)) => {
            let what = match (change.before, change.after) {
                (None, _) => "created",
                (_, None) => "deleted",
                (Some(was), Some(is)) if was.size() == is.size() && is_content_same(was, is) => {
                    return out;
                }
                _ => "modified",
            };
            let _ = writeln!(out, "{what} {name}: {why}");
        }
        (Side::Nothing, Side::Nothing) => {}
        (Side::Nothing, Side::Text(text)) if text.is_empty() => {
            let _ = writeln!(out, "created {name}: empty");
        }
        (Side::Text(text), Side::Nothing) if text.is_empty() => {
            let _ = writeln!(out, "deleted {name}: empty");
        }
        (was, is) => {
            let (was, old) = headed("a/", &name, was);
            let (is, new) = headed("b/", &name, is);
            let diff = TextDiff::configure().deadline(deadline).diff_lines(&was, &is);
            let _ = write!(out, "{}", diff.unified_diff().context_radius(3).header(&old, &new));
        }
    }
    out
}

fn headed(prefix: &str, name: &str, side: Side) -> (String, String) {
    match side {
        Side::Text(text) => (text, format!("{prefix}{name}")),
        Side::Nothing | Side::Opaque(_) => (String::new(), "/dev/null".to_owned()),
    }
}

fn is_content_same(one: &Entry, other: &Entry) -> bool {
    match (one, other) {
        (Entry::File { hash, .. }, Entry::File { hash: other, .. }) => hash == other,
        (Entry::Directory { .. }, Entry::Directory { .. }) => true,
        _ => false,
    }
}

fn mode(entry: Option<&Entry>) -> Option<u16> {
    match entry? {
        Entry::File { mode, .. } | Entry::Directory { mode } => Some(*mode),
        Entry::Link { .. } => None,
    }
}

fn side(store: &Store, entry: Option<&Entry>) -> Side {
    match entry {
        None => Side::Nothing,
        Some(Entry::Directory { .. }) => Side::Opaque("a directory"),
        Some(Entry::Link { target }) => Side::Text(format!("symlink to {}\n", shown(target))),
        Some(Entry::File { size, .. }) if *size > MAX_FILE => Side::Opaque("too large to be shown"),
        Some(Entry::File { hash, .. }) => match store.get(hash).map(String::from_utf8) {
            None => Side::Opaque("its content was damaged in the store"),
            Some(Ok(text)) if !text.contains('\0') => Side::Text(text),
            Some(_) => Side::Opaque("not text"),
        },
    }
}
