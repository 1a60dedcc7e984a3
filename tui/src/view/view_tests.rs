//! Recorded screens: what a person sees, at the sizes where something changes.
//!
//! A screen is its rows, and where the text cursor stands. `UPDATE_EXPECT=1` records them anew;
//! then look at each that changed.

use moltis_proto::v1;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier, Style};

use super::*;
use crate::app::fixture::{Chat, NOON, at, call, models, session, thought, told, trouble, words};
use crate::app::{Cmd, Reply, Said};
use crate::theme::Theme;
use crate::widget::{every_other_word, width_of};

pub(super) const WIDE: (u16, u16) = (120, 40);
pub(super) const USUAL: (u16, u16) = (80, 24);
const SMALL: (u16, u16) = (60, 16);
pub(super) const NARROW: (u16, u16) = (40, 12);
pub(super) const TINY: (u16, u16) = (20, 5);

/// What is drawn, and where the cursor is.
fn drawn(chat: &Chat) -> (Buffer, Option<Position>) {
    let area = Rect::new(0, 0, chat.model.width, chat.model.height);
    let mut buffer = Buffer::empty(area);
    let cursor = draw(&chat.model, &mut Canvas::new(&mut buffer, Theme::Color));
    (buffer, cursor)
}

fn row(buffer: &Buffer, y: u16) -> String {
    let (mut row, mut x) = (String::new(), 0);
    while let Some(cell) = buffer.cell(Position::new(x, y)) {
        row.push_str(cell.symbol());
        x += u16::try_from(width_of(cell.symbol())).unwrap().max(1);
    }
    row.trim_end().to_owned()
}

pub(super) fn rows(chat: &Chat) -> String {
    let (buffer, cursor) = drawn(chat);
    let mut out: String =
        (0..chat.model.height).map(|y| format!("{}\n", row(&buffer, y))).collect();
    out.push_str(&match cursor {
        Some(at) => format!("[cursor at column {}, row {}]\n", at.x, at.y),
        None => "[no cursor]\n".to_owned(),
    });
    out
}

/// The runs of cells of every row that do not look like ordinary text.
pub(super) fn styles(chat: &Chat) -> String {
    let (buffer, _) = drawn(chat);
    let mut out = String::new();
    for y in 0..chat.model.height {
        let mut runs: Vec<(Style, String)> = Vec::new();
        for x in 0..chat.model.width {
            let cell = &buffer[Position::new(x, y)];
            let style = cell.style();
            match runs.last_mut() {
                Some((last, text)) if *last == style => text.push_str(cell.symbol()),
                _ => runs.push((style, cell.symbol().to_owned())),
            }
        }
        for (style, text) in runs {
            let look = look(style);
            let text = text.trim_matches(|c: char| c.is_whitespace() || "│─╭╮╰╯┼".contains(c));
            if !look.is_empty() && !text.is_empty() {
                out.push_str(&format!("{y:>3} {look}: {text}\n"));
            }
        }
    }
    out
}

fn look(style: Style) -> String {
    let color = style.fg.filter(|color| *color != Color::Reset).map(|color| format!("{color:?}"));
    let modifier = (style.add_modifier != Modifier::empty()).then_some(style.add_modifier);
    let modifier = modifier.map(|modifier| format!("{modifier:?}"));
    [color, modifier].into_iter().flatten().collect::<Vec<_>>().join(" ").to_lowercase()
}

pub(super) fn recorded(name: &str, text: &str) {
    let path = format!("../../tests/screens/{name}.txt");
    expect_test::expect_file![path].assert_eq(text);
}

/// The same scene at several sizes.
pub(super) fn shows(name: &str, sizes: &[(u16, u16)], scene: impl Fn(u16, u16) -> Chat) {
    for (width, height) in sizes {
        recorded(&format!("{name}-{width}x{height}"), &rows(&scene(*width, *height)));
    }
}

const MARKDOWN: &str = "# Three days in Prague\n\nIt is *small* and **walkable**; start at the \
    [castle](https://www.hrad.cz/en).\n\n1. Old Town, early\n2. Letná in the evening\n   - beer \
    garden\n   - sunset\n\n> Buy the ticket before you enter the tram.\n\n| Day | Where | Cost \
    |\n|---|:---:|---:|\n| Fri | Old Town 旧市街 | 12 € |\n| Sat | Vyšehrad | 0 € |\n\n```rust\nfn \
    main() {\n    let days = 3; // enough\n    println!(\"{days}\");\n}\n```\n\nThat is all \
    `cargo run` needs. 👩‍👩‍👧 e\u{301}";

fn conversation(width: u16, height: u16) -> Chat {
    let mut chat = Chat::open(width, height);
    chat.person("What should I see in Prague?").answer(MARKDOWN);
    chat
}

/// The screen that the README shows is one that the client draws.
#[test]
fn the_readme_shows_a_recorded_screen() {
    let mut chat = Chat::open(96, 26);
    chat.person("What should I see in Prague?").answer(
        "Three things, in this order:\n\n1. **Old Town** early, before the groups\n2. *Letná* in \
         the evening, for the beer garden\n3. the castle, from outside\n\n| Day | Where | Cost \
         |\n|---|---|---:|\n| Fri | Old Town | 12 € |\n| Sat | Vyšehrad | 0 € |",
    );
    chat.person("And how do I plan it in Rust?");
    let begun = "Like everything else:\n\n```rust\nfn main() {\n    let days = 3;\n";
    chat.streams(v1::Strand::Text, 0, begun);
    chat.waits("t9", "and what if it rains?").after(2_000).types("thanks, that");
    let screen = rows(&chat);
    let screen = screen.split("[cursor").next().unwrap();
    recorded("readme-96x26", screen);
    let readme = include_str!("../../../README.md");
    assert!(readme.contains(screen), "put tui/tests/screens/readme-96x26.txt into README.md");
}

#[test]
fn an_empty_session_says_how_to_begin() {
    shows("empty", &[USUAL, NARROW, TINY], Chat::open);
}

#[test]
fn before_the_daemon_answers_the_screen_says_so() {
    shows("connecting", &[USUAL], Chat::starting);
}

#[test]
fn markdown_is_laid_out_at_every_width() {
    shows("markdown", &[WIDE, USUAL, SMALL, NARROW, TINY], conversation);
}

#[test]
fn an_answer_that_grows_shows_its_thought_and_its_words() {
    shows("streaming", &[USUAL, NARROW], |width, height| {
        let mut chat = Chat::open(width, height);
        chat.person("Sort my mail.");
        chat.streams(v1::Strand::Reasoning, 0, "The person wants the mail sorted by sender.");
        chat.streams(v1::Strand::Text, 0, "I look for **new** mail first");
        chat.streams(v1::Strand::Arguments, 0, "{\"from\": \"bank\"");
        chat.after(42_000);
        chat
    });
}

#[test]
fn a_thought_is_counted_and_can_be_unfolded() {
    let mut chat = Chat::open(80, 24);
    chat.person("Why?").streams(v1::Strand::Reasoning, 0, "First I think.\nThen I go on.");
    recorded("thinking-80x24", &rows(&chat));
    chat.press("C-o");
    recorded("thinking-unfolded-80x24", &rows(&chat));
}

#[test]
fn messages_that_wait_stand_above_the_composer() {
    shows("queue", &[USUAL, SMALL, NARROW], |width, height| {
        let mut chat = Chat::open(width, height);
        chat.person("Sort my mail.").streams(v1::Strand::Text, 0, "One moment.");
        chat.waits("t7", "also check spam, and whatever lies in the folder that nobody reads");
        chat.waits("t8", "then stop");
        chat.send("one more");
        chat.types("a draft").press("Esc");
        chat
    });
}

#[test]
fn a_lost_connection_is_told_and_the_draft_is_kept() {
    shows("disconnected", &[USUAL, NARROW], |width, height| {
        let mut chat = conversation(width, height);
        chat.types("what about ").lose().after(3_000);
        chat
    });
}

#[test]
fn a_turn_that_failed_says_why_and_what_mends_it() {
    shows("failed", &[USUAL, NARROW], |width, height| {
        let mut chat = Chat::open(width, height);
        chat.person("Hello?");
        chat.notice(v1::Level::Warning, "openai did not answer; anthropic is tried");
        chat.fails("anthropic refused the key", "moltis providers login anthropic");
        chat
    });
}

#[test]
fn tool_calls_and_endings_have_signs() {
    let mut chat = Chat::open(80, 24);
    chat.person("Mail?").answers(vec![
        thought("Look first."),
        words("I look."),
        call("mail.search", "{\"from\":\"bank\",\"newer\":\"1d\"}"),
    ]);
    chat.ends(v1::Ending::Cancelled);
    chat.person("And now?").ends(v1::Ending::Interrupted);
    recorded("calls-80x24", &rows(&chat));
}

fn session_list() -> Vec<v1::Session> {
    let mut all = vec![
        session("s1", "Trip to Prague"),
        session("s2", "A title that is longer than any list of sessions has room for in a row"),
        session("s3", ""),
        session("s4", "日本語の勉強"),
    ];
    all[0].messages = 12;
    all[0].last_model = "openai/gpt-5".into();
    all[0].usage =
        Some(v1::Usage { output_tokens: 4_321, cost_microusd: 210_000, ..v1::Usage::default() });
    all[1].open_turns =
        vec![v1::OpenTurn { turn: "t".into(), started: true, ..v1::OpenTurn::default() }];
    all[2].last_ending = v1::Ending::Failed.into();
    all[2].updated_at = Some(at(NOON - 90_000));
    all[3].archived = true;
    all
}

fn listed(width: u16, height: u16) -> Chat {
    let mut chat = conversation(width, height);
    chat.press("C-x l");
    chat.reply(Reply::Sessions(Ok(session_list())));
    let events = chat.events.clone();
    chat.reply(Reply::Peeked { session: "s1".into(), events });
    chat
}

#[test]
fn sessions_are_listed_with_a_preview_where_there_is_room() {
    shows("sessions", &[WIDE, USUAL, NARROW, TINY], listed);
}

#[test]
fn deleting_asks_first_above_the_list() {
    let mut chat = listed(80, 24);
    chat.press("A-d");
    recorded("delete-80x24", &rows(&chat));
}

#[test]
fn renaming_edits_the_title_above_the_list() {
    let mut chat = listed(80, 24);
    chat.press("A-r");
    chat.types(" and Brno");
    recorded("rename-80x24", &rows(&chat));
}

#[test]
fn models_are_listed_with_what_they_can_and_cost() {
    shows("models", &[WIDE, USUAL, NARROW], |width, height| {
        let mut chat = Chat::open(width, height);
        chat.press("C-x m");
        chat.reply(Reply::Models(Ok(models())));
        chat.press("A-.");
        chat
    });
}

#[test]
fn help_shows_every_key() {
    shows("help", &[USUAL, NARROW], |width, height| {
        let mut chat = Chat::open(width, height);
        chat.press("?");
        chat
    });
}

#[test]
fn commands_are_found_by_their_words() {
    let mut chat = Chat::open(80, 24);
    chat.press("C-p");
    chat.types("session");
    recorded("palette-80x24", &rows(&chat));
}

#[test]
fn a_begun_key_sequence_shows_how_it_goes_on() {
    shows("chord", &[USUAL, NARROW], |width, height| {
        let mut chat = Chat::open(width, height);
        chat.press("C-x");
        chat
    });
}

#[test]
fn a_title_takes_what_room_there_is_and_numbers_are_whole_or_absent() {
    let header = |title: &str, width| {
        let mut chat = conversation(width, 24);
        let title = v1::TitleChanged {
            title: title.into(),
            automatic: true,
            ..v1::TitleChanged::default()
        };
        chat.fact(v1::event::Kind::TitleChanged(title));
        row(&drawn(&chat).0, 0) + "\n"
    };
    let mut headers = String::new();
    for width in [120, 80, 60, 40, 20] {
        for title in ["Lunch", "How do I sort yesterday's mail by sender, oldest first?"] {
            headers.push_str(&header(title, width));
        }
    }
    recorded("headers", &headers);
}

#[test]
fn a_long_remark_takes_the_rows_that_it_needs() {
    shows("remark", &[USUAL, NARROW, TINY], |width, height| {
        let mut chat = Chat::open(width, height);
        chat.send("hello");
        chat.reply(Reply::Sent {
            op: "op0001".into(),
            result: Err(crate::app::Trouble {
                hint: "moltis sessions list --archived shows it".into(),
                ..trouble("invalid", "this session was put away by another client")
            }),
        });
        chat
    });
}

#[test]
fn the_chosen_offer_of_the_first_run_is_always_seen() {
    let mut chat = first_run(40, 12);
    chat.press("Down Down Down");
    recorded("first-run-last-40x12", &rows(&chat));
}

#[test]
fn help_moves_at_once_also_from_its_end() {
    let mut chat = Chat::open(80, 24);
    chat.press("? End");
    let end = rows(&chat);
    chat.press("Up");
    assert_ne!(rows(&chat), end);
    chat.press("End Down PageDown");
    assert_eq!(rows(&chat), end);
    assert!(end.contains("C-z"), "the last key is shown: {end}");
}

#[test]
fn a_slash_offers_the_commands() {
    shows("slash", &[USUAL, NARROW], |width, height| {
        let mut chat = conversation(width, height);
        chat.types("/");
        chat
    });
}

#[test]
fn a_long_draft_shows_the_rows_around_the_cursor() {
    let mut chat = conversation(60, 16);
    let lines: Vec<String> = (1..=9).map(|n| format!("line {n} of a long draft")).collect();
    chat.types(&lines.join("\n")).paste(&"x\n".repeat(2_000));
    recorded("composer-60x16", &rows(&chat));
}

/// Nothing is set up: the first run.
fn first_run(width: u16, height: u16) -> Chat {
    let mut chat = Chat::starting(width, height);
    chat.attach(1).caught_up();
    chat.reply(Reply::Models(Ok(v1::ListModelsResponse::default())));
    chat.reply(Reply::Catalog(vec![v1::CatalogModel {
        name: "smollm2-135m".into(),
        description: "a very small model that answers short questions".into(),
        bytes: 90_000_000,
        license: "Apache-2.0".into(),
        starter: true,
        ..v1::CatalogModel::default()
    }]));
    chat.reply(Reply::Servers(vec![v1::FoundServer {
        kind: "ollama".into(),
        base_url: "http://127.0.0.1:11434".into(),
        models: vec!["llama3.2".into(), "qwen3".into()],
    }]));
    let kind = |name: &str| v1::ProviderKind { name: name.into(), needs_key: true };
    chat.reply(Reply::Kinds(vec![kind("anthropic"), kind("gemini"), kind("openai")]));
    chat
}

#[test]
fn the_first_run_offers_what_the_machine_can_do() {
    shows("first-run", &[USUAL, NARROW, TINY], first_run);
}

#[test]
fn a_model_on_its_way_shows_how_far_it_is() {
    let mut chat = first_run(80, 24);
    chat.press("Enter");
    let step = v1::Step {
        phase: "downloading".into(),
        done: 38_000_000,
        total: 90_000_000,
        finished: false,
    };
    chat.reply(Reply::Pulled(Ok(step)));
    recorded("pulling-80x24", &rows(&chat));
}

#[test]
fn a_key_is_never_shown() {
    let mut chat = first_run(80, 24);
    chat.press("Down Down Enter");
    recorded("provider-80x24", &rows(&chat));
    chat.press("Enter");
    chat.paste("sk-not-a-real-key");
    let screen = rows(&chat);
    assert!(!screen.contains("sk-"), "{screen}");
    assert!(!format!("{:?}", chat.press("Enter")).contains("sk-"));
    recorded("key-80x24", &screen);
}

#[test]
fn what_went_wrong_on_the_first_run_is_told_there() {
    let mut chat = first_run(80, 24);
    chat.press("Enter");
    chat.reply(Reply::Pulled(Err(crate::app::Trouble {
        hint: "moltis models pull file:PATH".into(),
        ..trouble("unavailable", "huggingface.co cannot be reached")
    })));
    recorded("first-run-failed-80x24", &rows(&chat));
}

#[test]
fn a_daemon_that_cannot_be_had_is_told_with_the_way_out() {
    let mut chat = Chat::starting(80, 24);
    chat.say(Said::Refused(crate::app::Trouble {
        hint: "moltis daemon restart".into(),
        ..trouble("version_mismatch", "moltisd speaks protocol 2 and this client speaks 1")
    }));
    recorded("refused-80x24", &rows(&chat));
}

#[test]
fn finding_shows_the_find() {
    let mut chat = Chat::open(80, 24);
    chat.exchanges(30);
    chat.press("C-x /");
    chat.types("question 7");
    recorded("find-80x24", &rows(&chat));
}

#[test]
fn an_earlier_message_is_previewed() {
    let mut chat = Chat::open(60, 16);
    chat.say(Said::History(vec!["the first question".into(), "something else".into()]));
    chat.press("C-r");
    chat.types("first");
    recorded("history-60x16", &rows(&chat));
}

#[test]
fn a_selected_message_is_marked_and_new_ones_are_counted() {
    let mut chat = Chat::open(80, 24);
    chat.exchanges(12);
    chat.press("C-x b");
    chat.press("K K K K K K K K K K");
    chat.exchanges(1);
    recorded("browse-80x24", &rows(&chat));
}

#[test]
fn below_the_smallest_size_only_that_is_said() {
    shows("too-small", &[(19, 5), (20, 4), (1, 1)], conversation);
}

/// Gives all code its colors, as the runtime would.
fn color(chat: &mut Chat) {
    for cmd in std::mem::take(&mut chat.asked) {
        if let Cmd::Color { key, text, .. } = cmd {
            let paint = Some(std::sync::Arc::new(every_other_word(&text)));
            chat.say(Said::Colored { key, paint });
        }
    }
}

#[test]
fn every_meaning_has_its_look() {
    let mut chat = conversation(100, 50);
    color(&mut chat);
    recorded("markdown-styles", &styles(&chat));
    let mut chat = listed(100, 30);
    chat.press("Down");
    recorded("sessions-styles", &styles(&chat));
}

fn compacted(width: u16, height: u16) -> Chat {
    let mut chat = Chat::open(width, height);
    chat.person("What should I see in Prague?").answer("The castle, early.");
    chat.person("And where do I eat?");
    chat.fact(v1::event::Kind::Compacted(v1::Compacted {
        item: "c".into(),
        summary: "## Goal\nThree days in Prague.\n\n## Done\n- The castle was advised.".into(),
        before_tokens: 142_000,
        after_tokens: 9_100,
        automatic: true,
        ..v1::Compacted::default()
    }));
    chat.answer("In Letná.");
    chat
}

#[test]
fn a_compaction_is_a_mark_that_unfolds_to_its_summary() {
    shows("compacted", &[USUAL, NARROW], compacted);
    shows("compacted-unfolded", &[USUAL, NARROW], |width, height| {
        let mut chat = compacted(width, height);
        chat.press("C-o");
        chat
    });
}

#[test]
fn what_the_model_is_told_is_shown_with_its_weight() {
    shows("context", &[USUAL, NARROW], |width, height| {
        let mut chat = Chat::open(width, height);
        chat.send("/context");
        let result = Ok(told("anthropic/claude-sonnet-4-5", 200_000));
        chat.reply(Reply::Context { session: "s1".into(), result });
        chat
    });
}

#[test]
fn more_parts_than_fit_are_told_together_and_the_sum_stays_in_sight() {
    shows("context-many", &[NARROW], |width, height| {
        let mut chat = Chat::open(width, height);
        chat.send("/context");
        let mut told = told("anthropic/claude-sonnet-4-5", 200_000);
        let first = told.fragments[0].clone();
        told.fragments.extend(std::iter::repeat_n(first, 40));
        chat.reply(Reply::Context { session: "s1".into(), result: Ok(told) });
        chat
    });
}
