use std::time::Duration;

use expect_test::expect;
use moltis_core::event::{Answer, ToolEnding};
use moltis_core::message::Usage;
use moltis_core::models::ModelRef;
use moltis_core::tool::Class;

use super::*;
use crate::fakes::{event, summary, user_message};

fn answered(seq: u64, parts: Vec<Part>, partial: bool) -> Event {
    let answer = Answer {
        model: ModelRef::new("openai", "gpt-5"),
        usage: Usage::default(),
        estimated: 0,
        finish: None,
        first_token: None,
        took: Duration::ZERO,
    };
    event(seq, EventKind::AssistantMessage { item: "i2".into(), parts, answer, partial })
}

fn ended(ending: Ending, message: &str) -> Event {
    let message = message.to_owned();
    let failure = Some(TurnFailure { kind: None, message, hint: None });
    let failure = failure.filter(|failure| !failure.message.is_empty());
    event(9, EventKind::TurnEnded { ending, failure, usage: Usage::default() })
}

fn notice(level: Level, text: &str) -> Event {
    event(4, EventKind::Notice { item: "n".into(), level, text: text.to_owned() })
}

#[test]
fn a_conversation_reads_well() {
    let picture = Part::Image { media_type: "image/png".to_owned(), data: vec![0; 3_000].into() };
    let thought = Part::Reasoning { text: "hm </details> hm\n".to_owned(), signature: None };
    let call = Part::ToolCall {
        id: "c".into(),
        name: "exec".to_owned(),
        arguments: "{\"cmd\":\"```\"}".to_owned(),
    };
    let result = Part::ToolResult { id: "c".into(), text: "no\n".to_owned(), failed: true };
    let mut summary = summary();
    summary.parent = Some(("s0".into(), 12));
    let mut text = head(&summary);
    for event in [
        user_message(1, vec![Part::Text("What is this?\n\n".to_owned()), picture]),
        answered(2, vec![thought, Part::Text("A **cat**.\n".to_owned()), call, result], true),
        notice(Level::Warning, "the provider\nfailed"),
        ended(Ending::Failed, "no more"),
        ended(Ending::Cancelled, ""),
        ended(Ending::Done, ""),
    ] {
        write(&event, &mut text);
    }
    expect![[r#"
        # Cats

        Session `s1`, begun 1970-01-01 00:00:00 UTC, forked from `s0` at 12.

        ## You (tui) · 2026-01-01 00:00:00 UTC

        What is this?

        *[image/png, 3 KiB]*

        ## openai/gpt-5 · 2026-01-01 00:00:00 UTC

        <details><summary>Reasoning</summary>

        hm &lt;/details> hm

        </details>

        A **cat**.

        *calls `exec`*

        ````json
        {"cmd":"```"}
        ````

        *which failed*

        ```
        no
        ```

        *The answer broke off here.*

        > **Warning:** the provider failed

        > **Turn failed**: no more

        > **Turn cancelled**
    "#]]
    .assert_eq(&text);
}

#[test]
fn a_session_without_a_title_is_named_by_its_id() {
    let head = head(&Summary::empty("s7".into()));
    assert!(head.starts_with("# Session s7\n"), "{head}");
}

#[test]
fn a_summary_is_folded_away_under_what_it_saved() {
    let kind = EventKind::Compacted {
        item: "c".into(),
        summary: "Cats </details> only.\n".to_owned(),
        upto: 4,
        since: 5,
        before_tokens: 90_000,
        after_tokens: 4_000,
        automatic: true,
        model: None,
        usage: Usage::default(),
    };
    let mut text = String::new();
    write(&event(5, kind), &mut text);
    expect![[r#"

        <details><summary>Compacted from 90000 to 4000 tokens</summary>

        Cats &lt;/details> only.

        </details>
    "#]]
    .assert_eq(&text);
}

#[test]
fn calls_and_results_stand_as_they_are_and_break_out_of_nothing() {
    let started = EventKind::ToolStarted {
        item: "i".into(),
        call: "c".into(),
        tool: "exec".to_owned(),
        arguments: r#"{"command":"echo `date`"}"#.to_owned(),
        class: Class::Once,
        why: "the owner allowed it".to_owned(),
    };
    let finished = |said: &str| EventKind::ToolFinished {
        item: "i".into(),
        call: "c".into(),
        tool: "exec".to_owned(),
        ending: ToolEnding::Done,
        parts: vec![Part::Text(said.to_owned())],
        sensitive: false,
        took: None,
    };
    let mut text = String::new();
    for kind in [started, finished("# today\n```\n</details>\n"), finished("")] {
        write(&event(5, kind), &mut text);
    }
    expect![[r#"

        **exec**

        ```json
        {"command":"echo `date`"}
        ```

        <details><summary>exec · done</summary>

        ````
        # today
        ```
        </details>
        ````

        </details>

        *exec · done*
    "#]]
    .assert_eq(&text);
}
