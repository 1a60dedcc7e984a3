//! Earlier messages: going through them with the arrows, and searching in them.
//!
//! The draft is set aside while an earlier message stands in its place and comes back when one goes
//! past the newest. The runtime keeps the entries in a file; here they are only a bounded list.

use std::collections::VecDeque;

use super::editor::{Draft, Editor};

/// Entries that are kept.
pub(crate) const MAX_ENTRIES: usize = 1_000;
/// An entry over this size is not kept.
pub(crate) const MAX_ENTRY: usize = 16 * 1024;

/// Earlier messages, oldest first.
#[derive(Clone, Debug, Default)]
pub(crate) struct History {
    entries: VecDeque<String>,
    /// The entry that stands in the composer, and the draft that it hides.
    shown: Option<(usize, Draft)>,
    search: Option<Search>,
}

/// A search that is going on.
#[derive(Clone, Debug)]
pub(crate) struct Search {
    /// What is looked for.
    pub(crate) query: Editor,
    /// The entry that was found.
    pub(crate) found: Option<usize>,
}

impl History {
    /// Takes up the entries of earlier runs.
    pub(crate) fn load(&mut self, entries: Vec<String>) {
        let newer = std::mem::take(&mut self.entries);
        for entry in entries.into_iter().chain(newer) {
            self.append(entry);
        }
    }

    /// Remembers a message that was sent; says whether it is worth keeping.
    pub(crate) fn add(&mut self, text: &str) -> bool {
        self.shown = None;
        let worth = !text.trim().is_empty()
            && text.len() <= MAX_ENTRY
            && self.entries.back().is_none_or(|last| last != text);
        if worth {
            self.append(text.to_owned());
        }
        worth
    }

    fn append(&mut self, entry: String) {
        self.entries.push_back(entry);
        while self.entries.len() > MAX_ENTRIES {
            self.entries.pop_front();
        }
    }

    /// Puts the entry before the shown one into the composer; false when there is none.
    pub(crate) fn back(&mut self, composer: &mut Editor) -> bool {
        let at = self.shown.as_ref().map_or(self.entries.len(), |(at, _)| *at);
        let Some(entry) = at.checked_sub(1).and_then(|at| self.entries.get(at)) else {
            return false;
        };
        let draft = match self.shown.take() {
            Some((_, draft)) => draft,
            None => composer.stash(),
        };
        *composer = Editor::with(entry);
        self.shown = Some((at - 1, draft));
        true
    }

    /// Puts the entry after the shown one, or the draft, into the composer.
    pub(crate) fn forward(&mut self, composer: &mut Editor) -> bool {
        let Some((at, draft)) = self.shown.take() else { return false };
        match self.entries.get(at + 1) {
            Some(entry) => {
                *composer = Editor::with(entry);
                self.shown = Some((at + 1, draft));
            }
            None => composer.restore(draft),
        }
        true
    }

    /// The composer was changed by hand: what stands in it is now the draft.
    pub(crate) fn forget_place(&mut self) {
        self.shown = None;
    }

    /// The search that is going on.
    pub(crate) fn search(&self) -> Option<&Search> {
        self.search.as_ref()
    }

    /// The field of the search.
    pub(crate) fn query(&mut self) -> Option<&mut Editor> {
        self.search.as_mut().map(|search| &mut search.query)
    }

    /// Begins a search.
    pub(crate) fn start_search(&mut self) {
        self.search = Some(Search { query: Editor::default(), found: None });
        self.search_again();
    }

    /// Ends the search and gives what it found.
    pub(crate) fn end_search(&mut self) -> Option<String> {
        let found = self.search.take()?.found?;
        self.entries.get(found).cloned()
    }

    /// Looks from the newest entry on, after the query was changed.
    pub(crate) fn search_again(&mut self) {
        let end = self.entries.len();
        if let Some(search) = &mut self.search {
            search.found = find(&self.entries, search.query.text(), (0..end).rev());
        }
    }

    /// Goes on to the next older find, or to the next newer one.
    pub(crate) fn search_on(&mut self, older: bool) {
        let end = self.entries.len();
        let Some(search) = &mut self.search else { return };
        let at = search.found.unwrap_or(end);
        let found = if older {
            find(&self.entries, search.query.text(), (0..at.min(end)).rev())
        } else {
            find(&self.entries, search.query.text(), at + 1..end)
        };
        search.found = found.or(search.found);
    }

    /// The entry that the search found.
    pub(crate) fn found(&self) -> Option<&str> {
        let found = self.search.as_ref()?.found?;
        self.entries.get(found).map(String::as_str)
    }
}

fn find(
    entries: &VecDeque<String>,
    query: &str,
    mut range: impl Iterator<Item = usize>,
) -> Option<usize> {
    let query = query.to_lowercase();
    range.find(|at| entries.get(*at).is_some_and(|entry| entry.to_lowercase().contains(&query)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn history() -> History {
        let mut history = History::default();
        history.load(vec!["one".into(), "two words".into(), "three".into()]);
        history
    }

    #[test]
    fn the_draft_comes_back_after_the_newest_entry() {
        let (mut history, mut composer) = (history(), Editor::with("draft"));
        assert!(history.back(&mut composer) && history.back(&mut composer));
        assert_eq!(composer.text(), "two words");
        assert!(history.forward(&mut composer) && history.forward(&mut composer));
        assert_eq!(composer.text(), "draft");
        assert!(!history.forward(&mut composer));
    }

    #[test]
    fn the_oldest_entry_is_the_end() {
        let (mut history, mut composer) = (history(), Editor::default());
        while history.back(&mut composer) {}
        assert_eq!(composer.text(), "one");
    }

    #[test]
    fn a_search_goes_back_and_forth() {
        let mut history = history();
        history.start_search();
        history.query().unwrap().insert("O");
        history.search_again();
        assert_eq!(history.found(), Some("two words"));
        history.search_on(true);
        assert_eq!(history.found(), Some("one"));
        history.search_on(true);
        assert_eq!(history.found(), Some("one"));
        history.search_on(false);
        assert_eq!(history.end_search().as_deref(), Some("two words"));
    }

    #[test]
    fn the_same_message_twice_and_a_huge_one_are_not_kept() {
        let mut history = history();
        assert!(!history.add("three"));
        assert!(!history.add(&"x".repeat(MAX_ENTRY + 1)));
        assert!(history.add("four"));
        for number in 0..2_000 {
            history.add(&format!("{number}"));
        }
        assert_eq!(history.entries.len(), MAX_ENTRIES);
    }
}
