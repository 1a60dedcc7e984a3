use super::*;
use std::collections::HashSet;

/// The contexts that apply together, as the screens ask for them.
const TOGETHER: [&[Context]; 10] = [
    &[Context::Chat, Context::Editing, Context::Anywhere],
    &[Context::Browse, Context::Anywhere],
    &[Context::Find, Context::Editing, Context::Anywhere],
    &[Context::History, Context::Editing, Context::Anywhere],
    &[Context::Sessions, Context::List, Context::Editing, Context::Anywhere],
    &[Context::Models, Context::List, Context::Editing, Context::Anywhere],
    &[Context::Card, Context::Anywhere],
    &[Context::Prompt, Context::Editing, Context::Anywhere],
    &[Context::Help, Context::Anywhere],
    &[Context::Welcome, Context::Anywhere],
];

fn keys(text: &str) -> Vec<Key> {
    text.split(' ').map(|key| Key::parse(key).unwrap()).collect()
}

#[test]
fn every_key_of_the_table_reads_back_as_it_is_written() {
    for binding in table() {
        for text in binding.keys {
            for key in text.split(' ') {
                let parsed = Key::parse(key).unwrap_or_else(|| panic!("`{key}` is no key"));
                assert_eq!(parsed.to_string(), key);
            }
        }
    }
}

#[test]
fn no_context_binds_a_key_twice_and_none_hides_a_longer_one() {
    let mut seen = HashSet::new();
    for binding in table() {
        for text in binding.keys {
            assert!(seen.insert((binding.context, *text)), "{:?} {text}", binding.context);
        }
    }
    for contexts in TOGETHER {
        for binding in table().iter().filter(|binding| contexts.contains(&binding.context)) {
            for text in binding.keys {
                let sequence = keys(text);
                for length in 1..sequence.len() {
                    let meaning = resolve(contexts, &sequence[..length]);
                    assert_eq!(meaning, Meaning::Prefix, "{text} in {contexts:?}");
                }
            }
        }
    }
}

#[test]
fn a_sequence_is_a_prefix_until_it_is_an_action() {
    let chat = TOGETHER[0];
    assert_eq!(resolve(chat, &keys("C-x")), Meaning::Prefix);
    assert_eq!(resolve(chat, &keys("C-x l")), Meaning::Action(Action::OpenSessions));
    assert_eq!(resolve(chat, &keys("C-x z")), Meaning::Nothing);
    assert_eq!(resolve(chat, &keys("a")), Meaning::Nothing);
}

#[test]
fn the_first_context_wins() {
    assert_eq!(resolve(TOGETHER[4], &keys("A-d")), Meaning::Action(Action::SessionDelete));
    assert_eq!(resolve(TOGETHER[0], &keys("A-d")), Meaning::Action(Action::KillWord));
}

#[test]
fn a_started_sequence_tells_how_it_may_go_on() {
    let hints = continuations(TOGETHER[0], &keys("C-x"));
    assert!(hints.contains(&("m".to_owned(), "choose the model")));
    assert!(hints.contains(&("?".to_owned(), "show the keys")));
}

#[test]
fn the_prefixes_of_terminal_multiplexers_are_left_alone() {
    for binding in table() {
        assert!(!binding.keys.iter().any(|key| key.starts_with("C-b") || key.starts_with("C-q")));
    }
}

#[test]
fn every_context_has_a_place_in_the_help() {
    for binding in table() {
        assert!(Context::ALL.contains(&binding.context));
        assert!(!binding.help.is_empty() && !binding.help.ends_with('.'));
    }
}
