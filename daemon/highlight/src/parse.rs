//! From code to its pieces, by the scopes of its grammar.

use moltis_core::code::{Piece, Pieces, Token};
use syntect::parsing::{ParseState, Scope, ScopeStack, SyntaxSet};

/// Code over this size in bytes stays plain.
const MAX_CODE: usize = 512 * 1024;
/// Code with a line over this size stays plain: grammars are slow on long lines.
const MAX_LINE: usize = 8 * 1024;

/// Whether it can be parsed in a bounded time.
pub(crate) fn is_small_enough(text: &str) -> bool {
    text.len() <= MAX_CODE && text.split('\n').all(|line| line.len() <= MAX_LINE)
}

/// The pieces of small enough code; `None` when no grammar knows the language or it fails. Slow.
pub(crate) fn pieces(grammars: &SyntaxSet, language: &str, text: &str) -> Option<Pieces> {
    let syntax = grammars.find_syntax_by_token(&language.to_lowercase())?;
    let tokens = Tokens::new();
    let mut state = ParseState::new(syntax);
    let mut stack = ScopeStack::new();
    let mut lines = Pieces::new();
    for line in text.split_inclusive('\n') {
        let operations = state.parse_line(line, grammars).ok()?;
        let shown = line.strip_suffix('\n').unwrap_or(line).len();
        let mut pieces = Vec::new();
        let mut from = 0;
        for (at, operation) in &operations {
            let at = (*at).min(shown);
            add(&mut pieces, at.saturating_sub(from), tokens.of(&stack));
            from = at;
            stack.apply(operation).ok()?;
        }
        add(&mut pieces, shown.saturating_sub(from), tokens.of(&stack));
        lines.push(pieces);
    }
    Some(lines)
}

fn add(pieces: &mut Vec<Piece>, length: usize, token: Token) {
    let Ok(length) = u32::try_from(length) else { return };
    match pieces.last_mut() {
        _ if length == 0 => {}
        Some(last) if last.token == token => last.length += length,
        _ => pieces.push(Piece { length, token }),
    }
}

/// Which scopes are what; the innermost that says something decides.
struct Tokens(Vec<(Scope, Token)>);

impl Tokens {
    fn new() -> Self {
        const TABLE: [(&str, Token); 17] = [
            ("comment", Token::Comment),
            ("string", Token::String),
            ("constant", Token::Number),
            ("keyword.operator", Token::Plain),
            ("keyword", Token::Keyword),
            ("storage.type.function", Token::Keyword),
            ("storage", Token::Keyword),
            ("entity.name.function", Token::Function),
            ("support.function", Token::Function),
            ("variable.function", Token::Function),
            ("entity.name", Token::Type),
            ("entity.other.attribute-name", Token::Function),
            ("support.type", Token::Type),
            ("support.class", Token::Type),
            ("markup.inserted", Token::Inserted),
            ("markup.deleted", Token::Deleted),
            ("variable.language", Token::Keyword),
        ];
        let table = TABLE.iter();
        Self(table.filter_map(|(name, token)| Some((Scope::new(name).ok()?, *token))).collect())
    }

    fn of(&self, stack: &ScopeStack) -> Token {
        let innermost = stack.as_slice().iter().rev().find_map(|scope| {
            self.0.iter().find(|(prefix, _)| prefix.is_prefix_of(*scope)).map(|(_, token)| *token)
        });
        innermost.unwrap_or_default()
    }
}

#[cfg(test)]
#[path = "parse_tests.rs"]
mod tests;
