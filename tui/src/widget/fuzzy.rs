//! Which entries of a list fit what was typed, best first.

use nucleo_matcher::pattern::{CaseMatching, Normalization, Pattern};
use nucleo_matcher::{Config, Matcher, Utf32Str};

/// A query, ready to be compared with many texts.
pub(crate) struct Fuzzy {
    pattern: Pattern,
    matcher: Matcher,
    buffer: Vec<char>,
}

impl Fuzzy {
    /// The query as it was typed; words may come in any order.
    pub(crate) fn new(query: &str) -> Self {
        Self {
            pattern: Pattern::parse(query, CaseMatching::Smart, Normalization::Smart),
            matcher: Matcher::new(Config::DEFAULT),
            buffer: Vec::new(),
        }
    }

    /// How well a text fits; `None` when it does not. An empty query fits everything alike.
    pub(crate) fn score(&mut self, text: &str) -> Option<u32> {
        let text = Utf32Str::new(text, &mut self.buffer);
        self.pattern.score(text, &mut self.matcher)
    }

    /// The indexes of the texts that fit, best first, equals in their order.
    pub(crate) fn rank<'a>(query: &str, texts: impl Iterator<Item = &'a str>) -> Vec<usize> {
        let mut fuzzy = Self::new(query);
        let mut fits: Vec<(u32, usize)> = texts
            .enumerate()
            .filter_map(|(index, text)| Some((fuzzy.score(text)?, index)))
            .collect();
        fits.sort_by_key(|(score, index)| (std::cmp::Reverse(*score), *index));
        fits.into_iter().map(|(_, index)| index).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::Fuzzy;

    #[test]
    fn the_best_fit_comes_first_and_misfits_are_left_out() {
        let texts = ["garden notes", "deploy box", "inbox triage"];
        assert_eq!(Fuzzy::rank("box", texts.into_iter()).len(), 2);
        assert_eq!(Fuzzy::rank("dplbx", texts.into_iter()), [1]);
        assert_eq!(Fuzzy::rank("", texts.into_iter()), [0, 1, 2]);
        assert!(Fuzzy::rank("zzz", texts.into_iter()).is_empty());
    }
}
