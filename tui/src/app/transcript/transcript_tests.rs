//! What the transcript shows, and that it shows it at the right place and at a small cost.

use expect_test::{Expect, expect};
use moltis_proto::v1::{self, Ending, Level, Strand, event::Kind as Fact};

use crate::app::fixture::{Chat, answer, call, call_of, thought, user, words};
use crate::app::{Cmd, Reply};

/// The rows on the screen.
fn rows(chat: &Chat) -> Vec<String> {
    let height = chat.model.transcript_height();
    chat.model.transcript.visible(height).map(|row| row.line.text()).collect()
}

fn check(chat: &Chat, expected: &Expect) {
    let rows: String = rows(chat).iter().map(|row| format!("{}\n", row.trim_end())).collect();
    expected.assert_eq(&rows);
}

#[test]
fn a_turn_reads_from_question_to_end() {
    let mut chat = Chat::open(60, 40);
    chat.person("Why?").notice(Level::Info, "another model is tried");
    chat.answers(vec![thought("Hm."), words("Because."), call("mail.search", "{}")]);
    chat.fails("the key was refused", "moltis providers login openai");
    check(
        &chat,
        &expect![[r#"
            you 14:02
            Why?

            · another model is tried

            moltis 14:02
            ◌ thought, 3 characters ▸ C-o
            Because.
            openai/gpt-5 · 1.2k in · 340 out · $0.0042 · first word
            0.4 s · 3.1 s

            · mail.search  not made

            ✗ failed: the key was refused
              hint: moltis providers login openai

        "#]],
    );
}

#[test]
fn changes_of_the_session_leave_marks() {
    let mut chat = Chat::open(60, 40);
    chat.person("hi").answer("ho");
    chat.fact(Fact::SessionForked(v1::SessionForked::default()));
    let settings = v1::Settings {
        model: "openai/gpt-5".into(),
        effort: "high".into(),
        ..v1::Settings::default()
    };
    chat.fact(Fact::SettingsChanged(v1::SettingsChanged { settings: Some(settings) }));
    let rows = rows(&chat);
    assert!(rows.contains(&"─ forked here; above is a copy".to_owned()), "{rows:#?}");
    assert!(rows.contains(&"─ from here on: model openai/gpt-5, effort high".to_owned()));
}

#[test]
fn a_waiting_message_stands_where_its_turn_starts() {
    let mut chat = Chat::open(60, 40);
    chat.person("first").waits("t9", "second").waits("t10", "third");
    assert_eq!(chat.model.transcript.waiting().len(), 2);
    chat.answer("one").starts("t9").answer("two");
    let texts: Vec<&str> = chat.model.transcript.blocks().iter().map(|b| b.text()).collect();
    assert_eq!(texts, ["first", "one", "second", "two"]);
    // The third is dropped: it is shown with what became of it.
    let cancelled = v1::TurnEnded { ending: Ending::Cancelled.into(), ..v1::TurnEnded::default() };
    chat.fact_of("t10", Fact::TurnEnded(cancelled));
    assert!(chat.model.transcript.waiting().is_empty());
    assert!(rows(&chat).ends_with(&["third".into(), String::new(), "■ stopped".into(), "".into()]));
}

/// What a growing answer says.
fn growing(chat: &Chat) -> &str {
    chat.model.transcript.blocks().back().map_or("", |block| block.text())
}

#[test]
fn deltas_join_whatever_overlaps_and_wait_for_nothing_that_is_missing() {
    let mut chat = Chat::open(60, 20);
    chat.person("go").streams(Strand::Text, 0, "Hello");
    chat.streams(Strand::Text, 0, "Hel").streams(Strand::Text, 3, "lo wor");
    assert_eq!(growing(&chat), "Hello wor");
    chat.streams(Strand::Text, 12, "a piece after a gap");
    assert_eq!(growing(&chat), "Hello wor", "what cannot be placed is left out");
    chat.streams(Strand::Text, 0, "Hello world é");
    assert_eq!(growing(&chat), "Hello world é", "the daemon gives all of it again");
    chat.answers(vec![words("Hello world, whole.")]);
    assert_eq!(growing(&chat), "Hello world, whole.");
    let before = chat.model.transcript.blocks().len();
    chat.model.transcript.paint(v1::Delta {
        item: "i1".into(),
        strand: Strand::Text.into(),
        text: "late".into(),
        ..v1::Delta::default()
    });
    assert_eq!(chat.model.transcript.blocks().len(), before, "a late piece is not a new answer");
}

#[test]
fn what_is_said_during_an_answer_comes_before_it_as_on_replay() {
    let mut live = Chat::open(60, 40);
    live.person("go").streams(Strand::Text, 0, "One mo");
    live.notice(Level::Warning, "slow today");
    live.streams(Strand::Text, 6, "ment.").answers(vec![words("One moment.")]);
    live.ends(Ending::Done);
    assert_eq!(rows(&live), rows(&live.replay()));
    let texts: Vec<&str> = live.model.transcript.blocks().iter().map(|b| b.text()).collect();
    assert_eq!(texts, ["go", "slow today", "One moment."]);
}

#[test]
fn an_answer_that_never_finished_leaves_nothing_behind() {
    let mut chat = Chat::open(60, 40);
    chat.person("go").streams(Strand::Text, 0, "half an ans").ends(Ending::Cancelled);
    assert_eq!(rows(&chat), ["you 14:02", "go", "", "■ stopped", ""]);
}

#[test]
fn a_long_message_of_the_person_is_folded_until_asked_for() {
    let mut chat = Chat::open(60, 60);
    let text: Vec<String> = (1..=40).map(|n| format!("row {n}")).collect();
    chat.person(&text.join("\n"));
    let folded = rows(&chat);
    assert_eq!(folded[13], "… 28 more rows ▸ C-o");
    chat.press("C-o");
    assert_eq!(rows(&chat)[40], "row 40");
    chat.press("C-o");
    assert_eq!(rows(&chat), folded);
}

#[test]
fn the_screen_follows_the_end_until_one_scrolls_and_again_at_the_end() {
    let mut chat = Chat::open(60, 20);
    chat.exchanges(20);
    assert!(rows(&chat).contains(&"answer 20".to_owned()));
    chat.press("PageUp");
    let held = rows(&chat);
    chat.exchanges(3);
    assert_eq!(rows(&chat), held, "what is read does not move");
    assert!(chat.model.transcript.scroll.unseen() >= 6);
    chat.press("C-End");
    assert!(chat.model.transcript.scroll.follow && chat.model.transcript.scroll.unseen() == 0);
    chat.press("C-Up");
    chat.press("C-Down");
    assert!(chat.model.transcript.scroll.follow, "at the last row it follows again");
}

/// A session of so many messages of which only the last 100 events are loaded.
fn tail(width: u16, height: u16, messages: u64) -> Chat {
    let mut chat = Chat::starting(width, height);
    for number in 1..=messages {
        let text = format!("message {number} has some words that wrap at a narrow width");
        let fact = if number % 2 == 1 {
            user(&text)
        } else {
            answer(&format!("i{number}"), vec![words(&text)])
        };
        chat.record("t", fact);
    }
    let from = messages.saturating_sub(100);
    chat.attach(from + 1);
    chat.give(usize::try_from(from).unwrap()).caught_up();
    chat
}

/// Answers every wish for older messages; says how many there were.
fn read_older(chat: &mut Chat) -> usize {
    let mut pages = 0;
    while let Some(at) = chat.asked.iter().position(|cmd| matches!(cmd, Cmd::History { .. })) {
        let Cmd::History { epoch, before, limit, .. } = chat.asked.remove(at) else { continue };
        let from = before.saturating_sub(u64::from(limit) + 1);
        let range = usize::try_from(from).unwrap()..usize::try_from(before - 1).unwrap();
        let events = chat.events[range].to_vec();
        chat.reply(Reply::Page { epoch, result: Ok(events) });
        pages += 1;
    }
    pages
}

#[test]
fn older_messages_come_in_above_without_moving_what_is_read() {
    let mut chat = tail(60, 20, 1_000);
    chat.press("C-Home");
    let held = rows(&chat);
    assert!(held[1].starts_with("message 901"), "{held:#?}");
    assert_eq!(read_older(&mut chat), 1, "one page at a time, not the whole session");
    assert_eq!(rows(&chat), held);
    chat.press("C-Up C-Up C-Up");
    let above = rows(&chat);
    assert_eq!(above[3..], held[..held.len() - 3]);
    while chat.model.transcript.has_older() {
        chat.press("C-Home");
        read_older(&mut chat);
    }
    chat.press("C-Home");
    assert!(rows(&chat)[1].starts_with("message 1 "));
}

#[test]
fn another_size_keeps_the_message_at_the_top() {
    let mut chat = tail(80, 20, 400);
    chat.press("PageUp PageUp PageUp");
    let top = |chat: &Chat| {
        chat.model.transcript.visible(1).next().map(|row| row.block.id).unwrap_or_default()
    };
    let before = top(&chat);
    for (width, height) in [(40, 12), (30, 30), (120, 10), (0, 0), (80, 20)] {
        chat.resize(width, height);
        assert_eq!(top(&chat), before, "at {width}x{height}");
    }
}

#[test]
fn a_long_session_costs_no_more_than_its_screen() {
    let mut chat = tail(80, 24, 10_000);
    let mut pages = 0;
    while chat.model.transcript.has_older() {
        chat.press("C-Home");
        pages += read_older(&mut chat);
    }
    assert!(pages >= 49, "{pages}");
    assert_eq!(chat.model.transcript.blocks().len(), 10_000);
    chat.press("C-End");
    let laid = |chat: &Chat| chat.model.transcript.laid_count;
    let before = laid(&chat);
    chat.resize(60, 24);
    assert!(laid(&chat) - before < 24, "laid {} for another width", laid(&chat) - before);
    let before = laid(&chat);
    chat.press("PageUp");
    assert!(laid(&chat) - before < 48, "laid {} for a page", laid(&chat) - before);
    let before = laid(&chat);
    chat.press("C-Home");
    assert!(laid(&chat) - before < 24, "laid {} for the other end", laid(&chat) - before);
    chat.press("C-End");
    chat.person("go");
    let before = laid(&chat);
    for at in 0..100 {
        chat.streams(Strand::Text, at * 5, "word ");
    }
    assert!(laid(&chat) - before <= 101, "each piece lays its own block");
}

#[test]
fn what_was_streamed_weighs_as_much_as_what_was_replayed() {
    let mut live = Chat::open(60, 20);
    live.person("go");
    for at in 0..200 {
        live.streams(Strand::Text, at * 5, "word ");
    }
    live.answers(vec![words(&"word ".repeat(200))]).ends(Ending::Done);
    assert_eq!(live.model.transcript.bytes(), live.replay().model.transcript.bytes());
}

#[test]
fn a_call_tells_how_far_it_is_and_its_result_takes_the_place_of_what_it_printed() {
    let mut chat = Chat::open(60, 40);
    chat.person("go").answers(vec![call_of("a", "exec", r#"{"command":"make"}"#)]);
    let line = |chat: &Chat| rows(chat)[7..].to_vec();
    assert_eq!(line(&chat)[0], "◌ exec  make  prepared");
    chat.asks("a", "exec", "make", "");
    assert_eq!(line(&chat)[0], "? exec  make  waits for you");
    chat.answered("a", true, "once", "web").begins("a", "exec", r#"{"command":"make all"}"#);
    chat.prints("a", 0, "one\ntwo\n").prints("a", 4, "two\nthree\n");
    assert_eq!(line(&chat), ["● exec  make all", "│ one", "│ two", "│ three", ""]);
    chat.finishes("a", "exec", "done", "the end");
    assert_eq!(line(&chat), ["✓ exec  make all  1.2 s", "│ the end", ""]);
    chat.prints("a", 14, "late");
    assert_eq!(line(&chat)[1], "│ the end");
}

#[test]
fn a_call_of_which_nothing_came_is_not_left_waiting() {
    let mut chat = Chat::open(60, 40);
    chat.person("go").answers(vec![call_of("a", "exec", "{}")]).asks("a", "exec", "make", "");
    chat.ends(Ending::Cancelled);
    assert!(rows(&chat).contains(&"· exec  make  not made".to_owned()));
}

#[test]
fn an_id_that_a_vendor_uses_twice_names_the_call_that_is_open() {
    let mut chat = Chat::open(60, 40);
    chat.person("go");
    for result in ["first", "second"] {
        chat.answers(vec![call_of("call_0", "exec", "{}")]).begins("call_0", "exec", "{}");
        chat.finishes("call_0", "exec", "done", result);
    }
    let rows = rows(&chat);
    let place = |text: &str| rows.iter().position(|row| row == text).unwrap();
    assert!(place("│ first") < place("│ second"), "{rows:#?}");
}

/// A turn of many calls, two at a time, that end in the other order.
fn busy(chat: &mut Chat) {
    chat.person("go");
    for number in 0..20 {
        let (a, b) = (format!("a{number}"), format!("b{number}"));
        let wish = |id: &str| call_of(id, "exec", r#"{"command":"make"}"#);
        chat.answers(vec![wish(&a), wish(&b)]);
        chat.begins(&b, "exec", r#"{"command":"make b"}"#).asks(&a, "exec", "make a", "");
        chat.finishes(&b, "exec", "done", "b is done").finishes(&a, "exec", "denied", "no");
    }
}

#[test]
fn a_call_whose_answer_is_read_later_joins_it() {
    let mut whole = Chat::open(60, 400);
    busy(&mut whole);
    // From every place, in the midst of calls too.
    for cut in [3, 40, 41, 42, 43, 44, 45, 46, 47, 80] {
        let mut part = Chat::starting(60, 400);
        part.events.clone_from(&whole.events);
        part.session.last_seq = whole.session.last_seq;
        let open = v1::OpenTurn { turn: "t0".into(), started: true, ..v1::OpenTurn::default() };
        part.session.open_turns = vec![open];
        part.attach(cut + 1);
        part.give(usize::try_from(cut).unwrap()).caught_up();
        // In small pages, which part calls from their answers once more.
        while part.model.transcript.has_older() {
            let before = usize::try_from(part.model.transcript.first_seq()).unwrap() - 1;
            let events = part.events[before.saturating_sub(3)..before].to_vec();
            let epoch = part.model.epoch;
            part.reply(Reply::Page { epoch, result: Ok(events) });
        }
        assert_eq!(rows(&part), rows(&whole), "cut at {cut}");
        assert_eq!(part.model.transcript.bytes(), whole.model.transcript.bytes());
    }
}

#[test]
fn a_turn_that_began_before_what_was_given_is_known_to_run() {
    let mut chat = Chat::starting(60, 40);
    busy(&mut chat);
    let open = v1::OpenTurn { turn: "t0".into(), started: true, ..v1::OpenTurn::default() };
    chat.session.open_turns = vec![open];
    chat.attach(50);
    chat.give(49).caught_up();
    assert!(chat.model.is_running());
    chat.ends(Ending::Done);
    assert!(!chat.model.is_running());
}

#[test]
fn what_a_tool_prints_costs_no_more_when_it_printed_much() {
    let mut chat = Chat::open(60, 20);
    chat.person("go").answers(vec![call_of("a", "exec", "{}")]).begins("a", "exec", "{}");
    let line = "a line of output\n";
    for number in 0..40_000_u64 {
        chat.model.transcript.paint(v1::Delta {
            item: "item-a".into(),
            strand: Strand::Output.into(),
            offset: number * line.len() as u64,
            text: line.into(),
            ..v1::Delta::default()
        });
    }
    chat.after(1_000);
    assert_eq!(rows(&chat).iter().filter(|row| row.contains("output")).count(), 5);
    chat.press("C-o");
    let all: usize = chat.model.transcript.blocks().iter().map(super::Block::rows).sum();
    assert!(all < 1_200, "{all} rows of a running tool");
}

#[test]
fn finding_and_copying_know_what_a_tool_said() {
    let mut chat = Chat::open(60, 20);
    chat.person("go").answers(vec![call_of("a", "exec", "{}")]).begins("a", "exec", "{}");
    chat.finishes("a", "exec", "done", "a needle in it").ends(Ending::Done);
    chat.press("C-x /");
    chat.types("needle").press("Enter");
    assert!(matches!(chat.press("y").as_slice(), [Cmd::Copy(text)] if text == "a needle in it"));
}
