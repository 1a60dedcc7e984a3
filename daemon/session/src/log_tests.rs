use super::*;

#[test]
fn what_a_tool_gave_weighs_as_much_as_what_was_said() {
    let parts = vec![Part::Text("a long page ".repeat(1_000))];
    let message = EventKind::UserMessage {
        sensitive: false,
        item: "i".into(),
        op: "o".into(),
        parts: parts.clone(),
        queue: Default::default(),
        model: None,
    };
    let result = EventKind::ToolFinished {
        item: "i".into(),
        call: "c".into(),
        tool: "read".to_owned(),
        ending: moltis_core::event::ToolEnding::Done,
        parts,
        sensitive: true,
        took: None,
    };
    assert_eq!(estimate(said(&result)), estimate(said(&message)));
    assert!(estimate(said(&result)) > 1_000);
    assert!(said(&EventKind::CompactionAsked).is_empty());
}
