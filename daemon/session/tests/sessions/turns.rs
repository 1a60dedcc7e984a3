//! What a turn does, from the message to its end.

use std::time::Duration;

use expect_test::expect;
use moltis_core::assistant::{Assistant, StopScope};
use moltis_core::error::{Code, Error};
use moltis_core::event::{Cause, Ending, EventKind};
use moltis_core::feed::From;
use moltis_core::id::OpId;
use moltis_core::provider::{Chunk, FailureKind};
use moltis_core::session::{Titles, TurnRules};
use moltis_testkit::provider::{Gate, Script, ScriptedModels, ScriptedProvider};

use crate::harness::{Home, half_answered, owner, rules, soon};

#[tokio::test(start_paused = true)]
async fn a_message_is_on_disk_before_it_is_acknowledged_and_then_answered() {
    let home = Home::new().await;
    home.provider.push(Script::new().text("Hel").text("lo").usage(3, 2).done());
    let receipt = home.send("hi").await;
    assert_eq!(receipt.seq, 2);
    assert_eq!(home.log()[1].seq, 2);
    assert_eq!(home.ended(&receipt.turn).await, Ending::Done);
    expect![[r#"
        created
        user: hi
        title "hi", automatic
        started with a/model
        answer: Hello
        Done
    "#]]
    .assert_eq(&home.story());
}

#[tokio::test(start_paused = true)]
async fn the_conversation_is_told_again_with_every_turn() {
    let home = Home::new().await;
    home.provider.push(Script::answer("one"));
    home.provider.push(Script::answer("two"));
    home.ended(&home.send("first").await.turn).await;
    home.ended(&home.send("second").await.turn).await;
    let messages = &home.provider.requests()[1].messages;
    let texts: Vec<String> =
        messages.iter().map(|message| moltis_core::message::text_of(&message.parts)).collect();
    assert_eq!(texts, ["first", "one", "second"]);
}

#[tokio::test(start_paused = true)]
async fn a_turn_is_stopped_with_its_text_and_acknowledged_after_its_end_is_on_disk() {
    let (home, receipt, _view) = half_answered().await;
    let stopped =
        soon(home.sessions.stop(&owner(), "stop".into(), &home.session, StopScope::Running)).await;
    assert_eq!(stopped.unwrap(), [receipt.turn]);
    let log = home.log();
    let last = log.last().unwrap();
    assert!(matches!(last.kind, EventKind::TurnEnded { ending: Ending::Cancelled, .. }));
    assert_eq!(last.cause, owner().cause);
    assert!(home.story().contains("partial: Hal"));
    assert_eq!(home.sessions.activity().running_turns, 0);
}

#[tokio::test(start_paused = true)]
async fn a_stop_ends_the_stream_before_the_store_answers() {
    let (home, receipt, _view) = half_answered().await;
    let gate = Gate::closed();
    home.journal.hold_appends(&gate);
    let stop = async {
        home.sessions.stop(&owner(), "stop".into(), &home.session, StopScope::Running).await
    };
    let ended = async {
        home.provider.streaming(0).await;
        gate.open();
    };
    let (stopped, ()) = soon(futures_util::future::join(stop, ended)).await;
    assert_eq!(stopped.unwrap(), [receipt.turn]);
}

#[tokio::test(start_paused = true)]
async fn a_refused_stream_does_not_go_on_beside_its_retry() {
    let home = Home::new().await;
    home.provider.push(Script::new().chunk(Chunk::ToolCallEnded { index: 9 }).hang());
    let gate = Gate::closed();
    home.provider.push(Script::new().gate(&gate).text("A").done());
    let receipt = home.send("hi").await;
    soon(home.provider.asked(2)).await;
    soon(home.provider.streaming(1)).await;
    gate.open();
    assert_eq!(home.ended(&receipt.turn).await, Ending::Done);
}

#[tokio::test(start_paused = true)]
async fn a_turn_can_be_stopped_wherever_it_is() {
    let (choosing, asking) = (Gate::closed(), Gate::closed());
    for step in 0..3 {
        let home = Home::new().await;
        match step {
            0 => home.models.set_gate(&choosing),
            1 => home.provider.push(Script::answer("late").after(&asking)),
            _ => home.provider.push(Script::refused(FailureKind::Overload, "busy")),
        }
        let receipt = home.send("hi").await;
        if step > 0 {
            home.provider.asked(1).await;
        }
        let stopped =
            soon(home.sessions.stop(&owner(), "stop".into(), &home.session, StopScope::All)).await;
        assert_eq!(stopped.unwrap(), std::slice::from_ref(&receipt.turn), "step {step}");
        assert_eq!(home.ended(&receipt.turn).await, Ending::Cancelled);
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_to_stop_is_no_error() {
    let home = Home::new().await;
    let stopped = home.sessions.stop(&owner(), "stop".into(), &home.session, StopScope::All).await;
    assert_eq!(stopped.unwrap(), []);
}

#[tokio::test(start_paused = true)]
async fn a_turn_that_takes_too_long_fails_with_its_text_kept() {
    let home = Home::new().await;
    home.provider.push(Script::new().text("Hal").hang());
    let receipt = home.send("hi").await;
    assert_eq!(home.ended(&receipt.turn).await, Ending::Failed);
    assert!(home.story().ends_with("partial: Hal\nFailed: the turn took longer than 600 s\n"));
}

#[tokio::test(start_paused = true)]
async fn a_retry_waits_and_then_succeeds() {
    let home = Home::new().await;
    home.provider.push(Script::refused(FailureKind::Overload, "too busy"));
    home.provider.push(Script::new().fail(FailureKind::Transport, "gone"));
    home.provider.push(Script::answer("Hello"));
    let mut view = home.attach(From::Seq(0)).await;
    let receipt = home.send("hi").await;
    assert_eq!(view.ended(&receipt.turn).await, Ending::Done);
    assert!(view.progress.iter().any(|text| text.contains("too busy")), "{:?}", view.progress);
    assert_eq!(view.progress.last().map(String::as_str), Some(""));
    let reports: Vec<_> = home.models.reports().into_iter().map(|(_, how)| how).collect();
    assert_eq!(reports, [Some(FailureKind::Overload), Some(FailureKind::Transport), None]);
}

#[tokio::test(start_paused = true)]
async fn another_model_answers_when_the_first_has_no_money() {
    let (first, second) = (ScriptedProvider::new("a"), ScriptedProvider::new("b"));
    let models = ScriptedModels::new(&[first.clone(), second.clone()]);
    let home = Home::with(first.clone(), models, rules()).await;
    first.push(Script::refused(FailureKind::Billing, "no money"));
    second.push(Script::answer("Hello"));
    assert_eq!(home.ended(&home.send("hi").await.turn).await, Ending::Done);
    expect![[r#"
        created
        user: hi
        title "hi", automatic
        started with a/model
        notice: a/model failed (no money); asking b/model
        answer: Hello
        Done
    "#]]
    .assert_eq(&home.story());
    let reports: Vec<_> =
        home.models.reports().into_iter().map(|(model, how)| (model.to_string(), how)).collect();
    let expected =
        [("a/model".to_owned(), Some(FailureKind::Billing)), ("b/model".to_owned(), None)];
    assert_eq!(reports, expected);
}

#[tokio::test(start_paused = true)]
async fn what_was_shown_is_never_asked_for_again() {
    let home = Home::new().await;
    home.provider.push(Script::new().text("Hal").fail(FailureKind::Transport, "gone"));
    assert_eq!(home.ended(&home.send("hi").await.turn).await, Ending::Failed);
    assert_eq!(home.provider.requests().len(), 1);
    assert!(home.story().ends_with("partial: Hal\nFailed: gone\n"));
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_panics_fails_its_turn_and_nothing_else() {
    let home = Home::new().await;
    home.provider.push(Script::new().text("Hal").panic());
    home.provider.push(Script::answer("Hello"));
    assert_eq!(home.ended(&home.send("hi").await.turn).await, Ending::Failed);
    assert_eq!(home.ended(&home.send("again").await.turn).await, Ending::Done);
    assert!(home.story().contains("partial: Hal"));
}

#[tokio::test(start_paused = true)]
async fn without_a_provider_a_turn_fails_with_the_command_that_mends_it() {
    let home = Home::new().await;
    let trouble = Error::new(Code::NotConfigured, "no provider is set up").with_hint("mend it");
    home.models.set_trouble(Some(trouble));
    assert_eq!(home.ended(&home.send("hi").await.turn).await, Ending::Failed);
    home.models.set_trouble(None);
    home.provider.push(Script::answer("Hello"));
    home.ended(&home.send("again").await.turn).await;
    let told = &home.provider.requests()[0].messages;
    assert_eq!(moltis_core::message::text_of(&told[0].parts), "hi\n\nagain");
}

#[tokio::test(start_paused = true)]
async fn the_same_command_twice_is_one_message() {
    let mut home = Home::new().await;
    home.provider.otherwise(Script::answer("Hello"));
    let message = home.message("hi");
    let first = home.try_send(message.clone()).await.unwrap();
    assert_eq!(home.try_send(message.clone()).await.unwrap(), first);
    home.ended(&first.turn).await;
    home.restart();
    assert_eq!(home.try_send(message).await.unwrap(), first);
    assert_eq!(home.story().matches("user: hi").count(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_same_command_twice_at_once_is_one_message() {
    let home = Home::new().await;
    home.provider.otherwise(Script::answer("Hello"));
    let message = home.message("hi");
    let (one, two) = tokio::join!(home.try_send(message.clone()), home.try_send(message));
    assert_eq!(one.unwrap(), two.unwrap());
    assert_eq!(home.story().matches("user: hi").count(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_long_answer_is_saved_on_the_way_without_waiting_for_the_disk() {
    let home = Home::new().await;
    let gate = Gate::closed();
    home.provider.push(Script::new().text("Hal").gate(&gate).text("lo").done());
    let receipt = home.send("hi").await;
    let mut view = home.attach(From::Seq(0)).await;
    view.until(|view| view.text() == "Hal").await;
    assert_eq!(home.journal.checkpoints(), 0);
    tokio::time::advance(Duration::from_millis(251)).await;
    soon(home.journal.checkpointed()).await;
    assert_eq!(home.journal.draft(&home.session).unwrap().turn, receipt.turn);
    gate.open();
    home.ended(&receipt.turn).await;
    assert_eq!(home.journal.draft(&home.session), None);
    assert_eq!(home.journal.checkpoints(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_model_finds_a_title_after_the_first_answer() {
    let home = Home::with_rules(TurnRules { titles: Titles::Model, ..rules() }).await;
    home.provider.push(Script::answer("Because of Rayleigh scattering."));
    home.provider.push(Script::new().text("\"Blue skies\"").usage(30, 4).done());
    home.provider.push(Script::answer("Yes."));
    home.ended(&home.send("why is the sky blue?").await.turn).await;
    let mut view = home.attach(From::Seq(0)).await;
    view.until(|view| view.caught_up && view.summary().title == "Blue skies").await;
    assert_eq!(view.summary().usage.input_tokens, 30, "a title is not free");
    home.ended(&home.send("really?").await.turn).await;
    assert_eq!(home.provider.requests().len(), 3, "a title is asked for once");
    let titles: Vec<Cause> = home
        .log()
        .into_iter()
        .filter(|event| matches!(event.kind, EventKind::TitleChanged { .. }))
        .map(|event| event.cause)
        .collect();
    assert_eq!(titles, [Cause::Daemon, Cause::Model]);
}

#[tokio::test(start_paused = true)]
async fn a_persons_title_is_never_replaced() {
    let home = Home::with_rules(TurnRules { titles: Titles::Model, ..rules() }).await;
    let gate = Gate::closed();
    home.provider.push(Script::answer("Hello"));
    home.provider.push(Script::answer("Greetings").after(&gate));
    home.provider.push(Script::answer("Yes"));
    home.ended(&home.send("hi").await.turn).await;
    home.provider.asked(2).await;
    let change = moltis_core::assistant::Change::Title("  Mine \n all mine".to_owned());
    let op = OpId::from("rename");
    let summary = home.sessions.change(&owner(), op, &home.session, change).await.unwrap();
    assert_eq!(summary.title, "Mine all mine");
    gate.open();
    home.ended(&home.send("again").await.turn).await;
    assert!(!home.story().contains("Greetings"));
}
