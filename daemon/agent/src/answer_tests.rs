use std::time::Duration;

use moltis_core::feed::Strand;
use moltis_core::id::CallId;
use moltis_core::message::{Part, text_of};
use moltis_core::provider::{Chunk, FinishReason};
use proptest::prelude::*;

use super::{Growing, MOST_BYTES, Taken};
use crate::turn::Wish;

fn grown(chunks: impl IntoIterator<Item = Chunk>) -> Growing {
    let mut growing = Growing::default();
    for chunk in chunks {
        let taken = growing.take(chunk, Duration::from_millis(5));
        assert!(!matches!(taken, Taken::Refused(_)), "{taken:?}");
    }
    growing
}

fn started(index: u32) -> Chunk {
    Chunk::ToolCallStarted { index, id: CallId::new(format!("c{index}")), name: "look".to_owned() }
}

fn arguments(index: u32, fragment: &str) -> Chunk {
    Chunk::ToolCallArguments { index, fragment: fragment.to_owned() }
}

#[test]
fn runs_of_text_and_reasoning_become_parts() {
    let growing = grown([
        Chunk::Reasoning("hm".to_owned()),
        Chunk::Reasoning("m".to_owned()),
        Chunk::ReasoningSignature("proof".to_owned()),
        Chunk::Text("Hel".to_owned()),
        Chunk::Text("lo".to_owned()),
        Chunk::Reasoning("again".to_owned()),
    ]);
    assert_eq!(
        growing.parts(),
        [
            Part::Reasoning { text: "hmm".to_owned(), signature: Some("proof".to_owned()) },
            Part::Text("Hello".to_owned()),
            Part::Reasoning { text: "again".to_owned(), signature: None },
        ]
    );
    assert_eq!(growing.first_token(), Some(Duration::from_millis(5)));
}

#[test]
fn hidden_reasoning_is_a_proof_without_text() {
    let growing = grown([
        Chunk::ReasoningSignature("one".to_owned()),
        Chunk::ReasoningSignature("two".to_owned()),
    ]);
    assert_eq!(growing.parts().len(), 2);
}

#[test]
fn a_call_exists_only_when_it_and_the_stream_ended_properly() {
    let open = [started(0), arguments(0, "{\"a\""), started(1), arguments(0, ":1}")];
    let mut growing = grown(open);
    growing.take(Chunk::ToolCallEnded { index: 0 }, Duration::ZERO);
    assert_eq!(growing.calls(), []);
    growing.take(Chunk::Finished(FinishReason::ToolCalls), Duration::ZERO);
    assert_eq!(
        growing.calls(),
        [Wish {
            id: CallId::from("c0"),
            tool: "look".to_owned(),
            arguments: "{\"a\":1}".to_owned()
        }]
    );
}

#[test]
fn what_belongs_to_no_open_call_is_refused() {
    for chunk in [arguments(3, "{}"), Chunk::ToolCallEnded { index: 3 }] {
        let taken = grown([started(0)]).take(chunk, Duration::ZERO);
        assert!(matches!(taken, Taken::Refused(_)));
    }
    let twice = grown([started(0)]).take(started(0), Duration::ZERO);
    assert!(matches!(twice, Taken::Refused(_)));
}

#[test]
fn an_answer_does_not_grow_for_ever() {
    let mut growing = grown([Chunk::Text("x".repeat(MOST_BYTES))]);
    assert!(matches!(growing.take(Chunk::Text("y".to_owned()), Duration::ZERO), Taken::Refused(_)));
}

proptest! {
    #[test]
    fn what_is_painted_is_what_is_kept(
        pieces in prop::collection::vec((0_u8..3, ".{0,8}"), 0..40)
    ) {
        let mut growing = Growing::default();
        let (mut text, mut reasoning) = (String::new(), String::new());
        for (which, piece) in pieces {
            let chunk = match which {
                0 => Chunk::Text(piece),
                1 => Chunk::Reasoning(piece),
                _ => Chunk::ReasoningSignature(piece),
            };
            match growing.take(chunk, Duration::ZERO) {
                Taken::Painted(Strand::Text, piece) => text.push_str(&piece),
                Taken::Painted(Strand::Reasoning, piece) => reasoning.push_str(&piece),
                other => prop_assert_eq!(other, Taken::Silent),
            }
        }
        let parts = growing.parts();
        let kept: String = parts
            .iter()
            .filter_map(|part| match part {
                Part::Reasoning { text, .. } => Some(text.as_str()),
                _ => None,
            })
            .collect();
        prop_assert_eq!(text_of(&parts), text);
        prop_assert_eq!(kept, reasoning);
    }
}
