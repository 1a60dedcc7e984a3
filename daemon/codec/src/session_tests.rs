use moltis_core::id::{CallId, ItemId};

use super::*;

fn said(part: v1::part::Part) -> Result<NewMessage> {
    send_from_wire(v1::SendRequest {
        op_id: "o".to_owned(),
        session: "s".to_owned(),
        parts: vec![v1::Part { part: Some(part) }],
        ..v1::SendRequest::default()
    })
}

#[test]
fn a_message_must_say_something() {
    let error = said(v1::part::Part::Text(String::new())).unwrap_err();
    assert_eq!(error.field, "parts");
    assert!(said(v1::part::Part::Text(" \n".to_owned())).is_err());
    assert!(said(v1::part::Part::Text("hi".to_owned())).is_ok());
    assert!(said(v1::part::Part::Text("a".repeat(LONGEST_TEXT + 1))).is_err());
}

#[test]
fn a_picture_must_be_of_a_known_kind_and_size() {
    let picture = |media_type: &str, bytes: usize| {
        said(v1::part::Part::Image(v1::Image {
            media_type: media_type.to_owned(),
            data: vec![0; bytes],
        }))
    };
    assert!(picture("image/png", 10).is_ok());
    assert_eq!(picture("image/bmp", 10).unwrap_err().field, "parts[0].image.media_type");
    assert_eq!(picture("image/png", 0).unwrap_err().field, "parts[0].image.data");
    assert!(picture("image/png", LARGEST_IMAGES + 1).is_err());
}

#[test]
fn people_do_not_answer_tool_calls() {
    let result = v1::ToolResult { id: "c".to_owned(), ..v1::ToolResult::default() };
    assert!(said(v1::part::Part::ToolResult(result)).is_err());
}

#[test]
fn ids_are_bounded() {
    assert!(id_from_wire("x", String::new()).is_err());
    assert!(id_from_wire("x", "a".repeat(LONGEST_ID)).is_ok());
    assert!(id_from_wire("x", "a".repeat(LONGEST_ID + 1)).is_err());
    assert!(id_from_wire("x", "a\nb".to_owned()).is_err());
}

#[test]
fn a_page_has_one_end_and_a_bound() {
    let mut request = v1::HistoryRequest { limit: 5_000, ..v1::HistoryRequest::default() };
    assert_eq!(page_from_wire(&request), Ok(Page::Before { seq: u64::MAX, limit: 1_000 }));
    request.after_seq = Some(3);
    assert_eq!(page_from_wire(&request), Ok(Page::After { seq: 3, limit: 1_000 }));
    request.before_seq = Some(9);
    assert!(page_from_wire(&request).is_err());
}

#[test]
fn stopping_is_one_of_three_things() {
    assert_eq!(stop_from_wire(false, String::new()), Ok(StopScope::Running));
    assert_eq!(stop_from_wire(true, String::new()), Ok(StopScope::All));
    assert_eq!(stop_from_wire(false, "t".to_owned()), Ok(StopScope::Turn("t".into())));
    assert!(stop_from_wire(true, "t".to_owned()).is_err());
}

#[test]
fn a_delta_names_its_call() {
    let delta = Delta {
        session: "s".into(),
        turn: "t".into(),
        item: ItemId::from("i"),
        strand: Strand::Arguments { call: CallId::from("c"), name: "exec".to_owned() },
        offset: 7,
        text: "{".to_owned(),
    };
    let Some(v1::attach_response::Feed::Delta(wire)) = feed_to_wire(Feed::Delta(delta)).feed else {
        panic!("a delta stays a delta");
    };
    assert_eq!(
        (wire.strand(), wire.call.as_str(), wire.tool.as_str(), wire.offset),
        (v1::Strand::Arguments, "c", "exec", 7)
    );
}
