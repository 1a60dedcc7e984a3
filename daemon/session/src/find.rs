//! Finding the session that a person means.

use moltis_core::assistant::Filter;
use moltis_core::error::{Code, Error, Result};
use moltis_core::id::SessionId;
use moltis_core::journal::Journal;
use moltis_core::session::Summary;

/// Characters of an id that may stand for it.
const SHORTEST_PREFIX: usize = 4;

/// Names that are suggested where nothing was found.
const MOST_NEAR: usize = 3;

/// Finds a session by its key, its id, the beginning of its id or its title, in this order.
///
/// # Errors
/// `NotFound` with the nearest names; `Invalid` when several fit equally well.
pub(crate) async fn by_name(journal: &dyn Journal, name: &str) -> Result<Summary> {
    let name = name.trim();
    if let Some(id) = journal.by_key(name).await?
        && let Some(summary) = journal.summary(&id).await?
    {
        return Ok(summary);
    }
    if let Some(summary) = journal.summary(&SessionId::new(name)).await? {
        return Ok(summary);
    }
    let all = journal.list(&Filter { archived: true, limit: 0 }).await?;
    let has_prefix =
        |summary: &&Summary| name.len() >= SHORTEST_PREFIX && summary.id.as_str().starts_with(name);
    let wanted = name.to_lowercase();
    let has_title = |summary: &&Summary| !name.is_empty() && summary.title.to_lowercase() == wanted;
    for found in
        [all.iter().filter(has_prefix).collect::<Vec<_>>(), all.iter().filter(has_title).collect()]
    {
        match found.as_slice() {
            [] => {}
            [one] => return Ok((*one).clone()),
            several => return Err(ambiguous(name, several)),
        }
    }
    Err(unknown(name, &wanted, &all))
}

fn ambiguous(name: &str, several: &[&Summary]) -> Error {
    let ids: Vec<String> =
        several.iter().take(MOST_NEAR).map(|summary| format!("`{}`", summary.id)).collect();
    let message = format!("{} sessions are called `{name}`: {}", several.len(), ids.join(", "));
    Error::new(Code::Invalid, message).with_hint("name it by its id: moltis sessions list")
}

fn unknown(name: &str, wanted: &str, all: &[Summary]) -> Error {
    let error = Error::new(Code::NotFound, format!("there is no session `{name}`"));
    let names = all.iter().flat_map(|summary| {
        let names = [summary.key.as_deref(), Some(summary.title.as_str())];
        names.into_iter().flatten().filter(|name| !name.is_empty())
    });
    let near = nearest(wanted, names);
    if near.is_empty() {
        return error.with_hint("moltis sessions list");
    }
    let names: Vec<String> = near.iter().map(|name| format!("`{name}`")).collect();
    error.with_hint(format!("did you mean {}?", names.join(" or ")))
}

/// The names that are most like the wanted one, the nearest first.
pub(crate) fn nearest<'a>(wanted: &str, names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut near: Vec<(f64, &str)> = names
        .map(|name| (likeness(wanted, name), name))
        .filter(|(likeness, _)| *likeness > 0.75)
        .collect();
    near.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(b.1)));
    near.dedup_by(|a, b| a.1 == b.1);
    near.into_iter().take(MOST_NEAR).map(|(_, name)| name).collect()
}

/// How alike two names are, from 0 to 1; a name that contains the other is nearly it.
fn likeness(wanted: &str, name: &str) -> f64 {
    let name = name.to_lowercase();
    if wanted.chars().count() >= 3 && name.contains(wanted) {
        return 0.99;
    }
    strsim::jaro_winkler(wanted, &name)
}
