//! A conversation that gives way to its summary.

use std::time::Duration;

use expect_test::expect;
use moltis_core::assistant::{Assistant, FragmentKind, StopScope};
use moltis_core::error::Code;
use moltis_core::event::{Answer, Cause, Ending, EventKind, NewEvent, Origin};
use moltis_core::feed::From;
use moltis_core::journal::Journal;
use moltis_core::message::{Part, Usage, text_of};
use moltis_core::models::ModelRef;
use moltis_core::session::QueueMode;
use moltis_testkit::provider::{Gate, Script};

use crate::harness::{Home, owner, soon};
use crate::recovery::{event, said};

/// A session in which so much was said.
async fn talked(home: &Home, turns: usize) {
    for n in 0..turns {
        home.provider.push(Script::answer(&format!("A{n}{}", " word".repeat(150))));
        let said = format!("U{n}{}", " word".repeat(150));
        home.ended(&home.send(&said).await.turn).await;
    }
}

/// A turn that is in the log already.
fn logged(n: usize) -> [NewEvent; 4] {
    let turn = format!("t{n}");
    let model = ModelRef::new("a", "model");
    let answer = Answer {
        model: model.clone(),
        usage: Usage::default(),
        estimated: 0,
        finish: None,
        first_token: None,
        took: Duration::ZERO,
    };
    let (item, parts) = (format!("late{n}").into(), vec![Part::Text(" word".repeat(150))]);
    let answered = EventKind::AssistantMessage { item, parts, answer, partial: false };
    let ended =
        EventKind::TurnEnded { ending: Ending::Done, failure: None, usage: Usage::default() };
    let started = EventKind::TurnStarted { model: Some(model) };
    [
        said(&turn, &" word".repeat(150)),
        event(&turn, started),
        event(&turn, answered),
        event(&turn, ended),
    ]
}

/// The end of the story, without what is long.
fn since(home: &Home, beginning: &str) -> String {
    let story = home.story().replace(&" word".repeat(150), "");
    let at = story.find(beginning).unwrap_or_else(|| panic!("{story}"));
    story[at..].to_owned()
}

fn told(home: &Home) -> String {
    let requests = home.provider.requests();
    let messages = &requests.last().unwrap().messages;
    let told: Vec<String> = messages.iter().map(|message| text_of(&message.parts)).collect();
    told.join(" | ").replace(&" word".repeat(150), "")
}

#[tokio::test(start_paused = true)]
async fn a_conversation_that_does_not_fit_is_summed_up_first() {
    let home = Home::with_window(1_200).await;
    talked(&home, 2).await;
    home.provider.push(Script::new().text("They said words.").usage(900, 5).done());
    home.provider.push(Script::answer("three"));
    let mut view = home.attach(From::Seq(0)).await;
    let receipt = home.send(&format!("U2{}", " word".repeat(150))).await;
    assert_eq!(view.ended(&receipt.turn).await, Ending::Done);
    assert!(
        view.progress.iter().any(|text| text == "compacting 960 tokens"),
        "{:?}",
        view.progress
    );
    expect![[r#"
        user: U2
        started with a/model
        compacted: They said words.
        answer: three
        Done
    "#]]
    .assert_eq(&since(&home, "user: U2"));
    expect![[r#"
        [Summary of the conversation so far]
        They said words.
        [End of the summary]

        U2"#]]
    .assert_eq(&told(&home));
    let compacted = home.log().into_iter().find(|e| matches!(e.kind, EventKind::Compacted { .. }));
    let compacted = compacted.unwrap();
    assert_eq!((&compacted.cause, compacted.origin), (&Cause::Model, Origin::Tool));
    assert_eq!(view.summary().usage.input_tokens, 900, "what the summary cost counts");
}

#[tokio::test(start_paused = true)]
async fn after_a_restart_a_model_is_told_the_summary_too() {
    let mut home = Home::with_window(1_200).await;
    talked(&home, 2).await;
    home.provider.push(Script::answer("They said words."));
    home.ended(&home.compact().await.unwrap().turn).await;
    home.restart();
    home.provider.push(Script::answer("three"));
    home.ended(&home.send("and now?").await.turn).await;
    expect![[r#"
        [Summary of the conversation so far]
        They said words.
        [End of the summary]

        and now?"#]]
    .assert_eq(&told(&home));
}

#[tokio::test(start_paused = true)]
async fn a_short_conversation_is_not_compacted() {
    let home = Home::new().await;
    home.provider.push(Script::answer("hi"));
    home.ended(&home.send("hello").await.turn).await;
    let refused = home.compact().await.unwrap_err();
    assert_eq!(refused.code, Code::Conflict);
    assert_eq!(refused.message, "there is nothing to compact: the conversation is short");
}

#[tokio::test(start_paused = true)]
async fn a_compaction_waits_for_the_turn_before_it_and_messages_wait_for_it() {
    let home = Home::new().await;
    talked(&home, 3).await;
    let gate = Gate::closed();
    home.provider.push(Script::new().gate(&gate).text("A").done());
    home.provider.push(Script::answer("They said words."));
    home.provider.push(Script::answer("B"));
    home.send("first").await;
    let op = home.message("").op;
    let owner = owner();
    let compact = || home.sessions.compact(&owner, op.clone(), &home.session);
    let asked = compact().await.unwrap();
    assert_eq!(compact().await.unwrap(), asked, "the same command is done once");
    let refused = home.compact().await.unwrap_err();
    assert_eq!(refused.message, "the session is being compacted already");
    let after = home.send_as("second", QueueMode::Collect).await;
    gate.open();
    home.ended(&after.turn).await;
    expect![[r#"
        user: first
        started with a/model
        to be compacted
        user: second
        answer: A
        Done
        started with a/model
        compacted: They said words.
        Done
        started with a/model
        answer: B
        Done
    "#]]
    .assert_eq(&since(&home, "user: first"));
}

#[tokio::test(start_paused = true)]
async fn no_message_steers_into_a_compaction() {
    let home = Home::new().await;
    talked(&home, 3).await;
    let gate = Gate::closed();
    home.provider.push(Script::new().gate(&gate).text("They said words.").done());
    home.provider.push(Script::answer("B"));
    let asked = home.compact().await.unwrap();
    home.provider.asked(4).await;
    let steered = home.send_as("now", QueueMode::Steer).await;
    assert_ne!(steered.turn, asked.turn);
    gate.open();
    home.ended(&steered.turn).await;
    expect![[r#"
        [Summary of the conversation so far]
        They said words.
        [End of the summary]

        U2 | A2 | now"#]]
    .assert_eq(&told(&home));
}

#[tokio::test(start_paused = true)]
async fn a_compaction_can_be_stopped_and_leaves_nothing_behind() {
    let home = Home::new().await;
    talked(&home, 3).await;
    home.provider.push(Script::new().text("They sa").hang());
    let asked = home.compact().await.unwrap();
    let mut view = home.attach(From::Seq(0)).await;
    view.until(|view| view.progress.iter().any(|text| text.starts_with("compacting"))).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(view.text(), "", "a summary is not painted");
    assert_eq!(home.journal.draft(&home.session), None, "nor is it a draft");
    let stop =
        soon(home.sessions.stop(&owner(), "stop".into(), &home.session, StopScope::Running)).await;
    assert_eq!(stop.unwrap(), [asked.turn]);
    expect![[r#"
        to be compacted
        started with a/model
        Cancelled
    "#]]
    .assert_eq(&since(&home, "to be compacted"));
}

#[tokio::test(start_paused = true)]
async fn what_a_model_would_be_told_is_told_with_its_weight() {
    let home = Home::with_window(1_200).await;
    talked(&home, 2).await;
    home.provider.push(Script::answer("They said words."));
    home.ended(&home.compact().await.unwrap().turn).await;
    let window = home.sessions.context(&home.session).await.unwrap();
    let parts: Vec<_> =
        window.fragments.iter().map(|part| (part.kind, part.count, part.tokens)).collect();
    assert_eq!(parts[0].0, FragmentKind::Summary);
    let sum: u64 = parts.iter().map(|part| part.2).sum();
    assert_eq!(window.left, 1_200 - sum);
    assert_eq!((window.size, window.compact_at), (1_200, Some(900)));
    let after = home.log().into_iter().find_map(|event| match event.kind {
        EventKind::Compacted { after_tokens, .. } => Some(after_tokens),
        _ => None,
    });
    assert_eq!(Some(sum), after);
}

#[tokio::test(start_paused = true)]
async fn what_is_going_to_be_compacted_is_told_as_it_is() {
    let home = Home::with_window(1_200).await;
    talked(&home, 2).await;
    home.provider.push(Script::answer(&" word".repeat(700)));
    home.ended(&home.send("more").await.turn).await;
    let window = home.sessions.context(&home.session).await.unwrap();
    assert!(window.due && !window.left_out, "{window:?}");
}

#[tokio::test(start_paused = true)]
async fn a_summary_is_told_also_where_what_came_after_it_is_not_read_to_it() {
    let mut home = Home::with_window(1_200).await;
    talked(&home, 2).await;
    home.provider.push(Script::answer("They said words."));
    home.ended(&home.compact().await.unwrap().turn).await;
    let events = (0..100).flat_map(logged);
    let last = home.log().len() as u64;
    home.journal.append(&home.session, last, events.collect()).await.unwrap();
    home.restart();
    let window = home.sessions.context(&home.session).await.unwrap();
    assert_eq!(window.fragments[0].kind, FragmentKind::Summary, "{window:?}");
}
