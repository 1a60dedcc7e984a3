use moltis_core::id::{CallId, ItemId};
use proptest::prelude::*;
use prost::Message;

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
fn a_picture_must_be_of_a_known_kind() {
    let picture = |media_type: &str| {
        let (media_type, data) = (media_type.to_owned(), vec![0; 10]);
        said(v1::part::Part::Image(v1::Image { media_type, data }))
    };
    assert!(picture("image/png").is_ok());
    assert_eq!(picture("image/bmp").unwrap_err().field, "parts[0].image.media_type");
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

/// Bytes that a decoder may meet: noise, and messages of one kind with a byte turned over.
fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let said = v1::SendRequest {
        op_id: "o1".to_owned(),
        session: "s1".to_owned(),
        parts: vec![v1::Part { part: Some(v1::part::Part::Text("hi".to_owned())) }],
        queue: 1,
        model: "p/m".to_owned(),
    };
    let said = said.encode_to_vec();
    let spoiled = (0..said.len(), any::<u8>()).prop_map(move |(at, byte)| {
        let mut said = said.clone();
        said[at] = byte;
        said
    });
    prop_oneof![prop::collection::vec(any::<u8>(), 0..300), spoiled]
}

fn is_id(text: &str) -> bool {
    (1..=LONGEST_ID).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

proptest! {
    #[test]
    fn whatever_the_bytes_are_a_request_is_refused_or_within_its_bounds(bytes in bytes()) {
        if let Ok(request) = v1::SendRequest::decode(&*bytes)
            && let Ok(message) = send_from_wire(request)
        {
            prop_assert!(is_id(message.op.as_str()) && is_id(message.session.as_str()));
        }
        if let Ok(request) = v1::CreateRequest::decode(&*bytes)
            && let Ok(new) = create_from_wire(request)
        {
            prop_assert!(is_id(new.op.as_str()));
            prop_assert!(new.key.is_none_or(|key| (1..=LONGEST_NAME).contains(&key.len())));
        }
        if let Ok(request) = v1::HistoryRequest::decode(&*bytes)
            && let Ok(page) = page_from_wire(&request)
        {
            let (Page::After { limit, .. } | Page::Before { limit, .. }) = page;
            prop_assert!((1..=LARGEST_PAGE).contains(&limit));
        }
        if let Ok(request) = v1::StopRequest::decode(&*bytes)
            && let Ok(StopScope::Turn(turn)) = stop_from_wire(request.all, request.turn)
        {
            prop_assert!(is_id(turn.as_str()));
        }
        if let Ok(request) = v1::AttachRequest::decode(&*bytes) {
            prop_assert_ne!(from_from_wire(&request), From::Tail(0));
        }
    }

    #[test]
    fn a_message_is_what_was_said(
        op in "[!-~]{1,128}",
        session in "[a-z0-9]{1,20}",
        text in "\\PC{0,40}x",
        picture in prop::option::of(prop::collection::vec(any::<u8>(), 1..64)),
    ) {
        let image = |data| Part::Image { media_type: "image/webp".to_owned(), data };
        let mut parts = vec![Part::Text(text)];
        parts.extend(picture.map(|data| image(data.into())));
        let request = v1::SendRequest {
            op_id: op.clone(),
            session: session.clone(),
            parts: crate::part::parts_to_wire(&parts),
            queue: 3,
            model: "a/b/c".to_owned(),
        };
        let read = v1::SendRequest::decode(&*request.encode_to_vec()).unwrap();
        let message = send_from_wire(read).unwrap();
        prop_assert_eq!(message, NewMessage {
            op: op.into(),
            session: session.into(),
            parts,
            queue: Some(moltis_core::session::QueueMode::Steer),
            model: Some(moltis_core::models::ModelRef::new("a", "b/c")),
            sensitive: false,
        });
    }
}
