use expect_test::{Expect, expect};
use proptest::prelude::*;

use super::{Decoder, Event};

fn decode(pieces: &[&[u8]]) -> Vec<Event> {
    let mut decoder = Decoder::default();
    let mut events = Vec::new();
    for piece in pieces {
        decoder.push(piece, |event| events.push(event)).unwrap();
    }
    events
}

fn check(stream: &str, expected: &Expect) {
    let shown: Vec<String> = decode(&[stream.as_bytes()])
        .iter()
        .map(|event| format!("{}|{}", event.name, event.data.escape_debug()))
        .collect();
    expected.assert_eq(&shown.join("\n"));
}

#[test]
fn the_standards_examples_read_as_it_says() {
    check("data: YHOO\ndata: +2\ndata: 10\n\n", &expect![[r"|YHOO\n+2\n10"]]);
    check(
        ": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n\n",
        &expect![[r#"
            |first event
            |second event
            | third event"#]],
    );
    check(
        "data\n\ndata\ndata\n\ndata:",
        &expect![[r"
        |
        |\n"]],
    );
    check(
        "data:test\n\ndata: test\n\n",
        &expect![[r#"
        |test
        |test"#]],
    );
}

#[test]
fn every_line_ending_and_a_byte_order_mark_are_understood() {
    check(
        "\u{feff}event: a\rdata: 1\r\rdata: 2\r\n\r\nevent: b\ndata: 3\n\n",
        &expect![[r#"
        a|1
        |2
        b|3"#]],
    );
}

#[test]
fn a_name_without_data_is_no_event_and_does_not_stick() {
    check("event: lonely\n\ndata: x\n\n", &expect!["|x"]);
}

#[test]
fn an_event_that_the_end_cuts_off_is_none() {
    check("data: whole\n\ndata: half\n", &expect!["|whole"]);
}

#[test]
fn bytes_that_are_not_utf8_are_replaced() {
    assert_eq!(decode(&[b"data: \xff\n\n"]).first().unwrap().data, "\u{fffd}");
}

#[test]
fn an_event_beyond_the_bound_is_refused() {
    let mut decoder = Decoder::new(16);
    assert!(decoder.push(b"data: 123456\n\n", |_| {}).is_ok());
    assert!(decoder.push(b"data: 123\ndata: 123\n", |_| {}).is_ok());
    assert_eq!(decoder.push(b"data: 12345678\n", |_| {}).unwrap_err().limit, 16);
    assert!(Decoder::new(16).push(&[b'x'; 17], |_| {}).is_err());
}

/// What the decoder does, said as a reader of a whole text would: the model for the property.
fn model(text: &str) -> Vec<Event> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let mut events = Vec::new();
    let (mut name, mut data) = (String::new(), Vec::new());
    let mut lines: Vec<&str> = text.split('\n').collect();
    lines.pop();
    for line in lines {
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match (line, field) {
            ("", _) => {
                if !data.is_empty() {
                    events.push(Event { name: name.clone(), data: data.join("\n") });
                }
                name.clear();
                data.clear();
            }
            (_, "event") => value.clone_into(&mut name),
            (_, "data") => data.push(value),
            _ => {}
        }
    }
    events
}

proptest! {
    #[test]
    fn any_cuts_give_the_events_of_the_whole(
        pieces in proptest::collection::vec("(data|event|id)?:? ?[a-zé\u{feff}]{0,3}(\r|\n|\r\n|\n\n){0,2}", 0..12),
        cuts in proptest::collection::vec(0_usize..120, 0..4),
    ) {
        let text = pieces.concat();
        let bytes = text.as_bytes();
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
        cuts.extend([0, bytes.len()]);
        cuts.sort_unstable();
        let cut: Vec<&[u8]> = cuts.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect();
        let single: Vec<&[u8]> = bytes.chunks(1).collect();
        let expected = model(&text);
        prop_assert_eq!(&decode(&[bytes]), &expected);
        prop_assert_eq!(&decode(&cut), &expected);
        prop_assert_eq!(&decode(&single), &expected);
    }

    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        decode(&[&bytes]);
    }
}
