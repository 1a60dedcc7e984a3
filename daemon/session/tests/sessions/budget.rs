//! What sessions may spend, and what becomes of what would be too much.
//!
//! The scripted model may write 8000 tokens, so that is what a call reserves, and its prompt.

use std::sync::Arc;
use std::time::Duration;

use moltis_core::assistant::{Assistant, NewMessage, NewSession};
use moltis_core::budget::{Limit, Limits, Span, Unit};
use moltis_core::event::{Ending, EventKind};
use moltis_core::feed::From;
use moltis_core::id::{OpId, SessionId, TurnId};
use moltis_core::models::{ModelInfo, Price};
use moltis_core::policy::Mode;
use moltis_core::provider::FailureKind;
use moltis_core::session::{Settings, Titles, TurnRules};
use moltis_session::Hands;
use moltis_testkit::provider::{Gate, Script, ScriptedModels, ScriptedProvider, model_info};
use moltis_testkit::tools::ScriptedTools;

use crate::harness::{Home, View, owner, rules, soon};

/// More than one call reserves, and less than two.
const ONE_CALL: u64 = 12_000;

fn tokens(most: u64) -> Limit {
    Limit { tokens: Some(most), ..Limit::default() }
}

fn calls(most: u64) -> Limit {
    Limit { calls: Some(most), ..Limit::default() }
}

fn day(limit: Limit) -> Limits {
    Limits { day: limit, ..Limits::default() }
}

fn session(limit: Limit) -> Limits {
    Limits { session: limit, ..Limits::default() }
}

fn turn(limit: Limit) -> Limits {
    Limits { turn: limit, ..Limits::default() }
}

fn within(budget: Limits) -> TurnRules {
    TurnRules { budget, approvals: Mode::Auto, ..rules() }
}

/// A daemon with tools, whose model costs a cent for a hundred tokens that it writes.
async fn home(budget: Limits) -> Home {
    home_by(within(budget)).await
}

async fn home_by(rules: TurnRules) -> Home {
    let provider = ScriptedProvider::new("a");
    let models = ScriptedModels::default();
    let price = Some(Price { output: 100_000_000, ..Price::default() });
    models.add(&provider, ModelInfo { price, ..model_info("a/model") });
    let hands = Hands { toolbox: ScriptedTools::new(), ..Hands::none() };
    Home::with_hands(provider, Arc::new(models), rules, hands).await
}

/// An answer that used so many tokens.
fn answer(input: u64, output: u64) -> Script {
    Script::new().text("Yes.").usage(input, output).done()
}

async fn said(home: &Home, text: &str) -> Ending {
    let turn = home.send(text).await.turn;
    home.ended(&turn).await
}

/// A second session, and a message to it.
async fn another(home: &Home) -> (SessionId, TurnId) {
    let (op, title) = (OpId::from("second"), String::new());
    let new = NewSession { op, key: None, title, settings: Settings::default() };
    let session = home.sessions.create(&owner(), new).await.unwrap().id;
    let message = NewMessage { session: session.clone(), ..home.message("and here") };
    let turn = home.try_send(message).await.unwrap().turn;
    (session, turn)
}

async fn ended_in(home: &Home, session: &SessionId, turn: &TurnId) -> Ending {
    View::new(home.sessions.attach(session, From::Seq(0)).await.unwrap()).ended(turn).await
}

/// Which limit stops the second message when the first one used 5000 tokens, or 50 cents.
async fn stopped_by(budget: Limits) -> String {
    let home = home(budget).await;
    home.provider.otherwise(answer(0, 5_000));
    assert_eq!(said(&home, "one").await, Ending::Done);
    assert_eq!(said(&home, "two").await, Ending::Failed);
    assert_eq!(home.provider.requests().len(), 1);
    home.story()
}

#[tokio::test(start_paused = true)]
async fn a_session_that_used_up_its_budget_is_told_so_and_keeps_everything() {
    let story = stopped_by(session(tokens(10_000))).await;
    assert!(story.contains("answer: Yes."), "{story}");
    assert!(
        story.contains(
            "Failed: the session's budget of 10000 tokens is too small for what comes next: \
             5000 tokens are used, and it may take"
        ),
        "{story}"
    );
}

#[tokio::test(start_paused = true)]
async fn money_is_counted_by_the_models_price() {
    let half = Limit { microusd: Some(1_000_000), ..Limit::default() };
    let story = stopped_by(day(half)).await;
    let said = "the day's budget of 1 USD is too small for what comes next: 0.5 USD are used";
    assert!(story.contains(said), "{story}");
}

#[tokio::test(start_paused = true)]
async fn what_has_no_limit_goes_on_for_ever() {
    let home = home(Limits::default()).await;
    home.provider.otherwise(answer(0, 1_000_000));
    for text in ["one", "two", "three"] {
        assert_eq!(said(&home, text).await, Ending::Done);
    }
}

#[tokio::test(start_paused = true)]
async fn what_mends_it_is_said_with_the_failure() {
    let home = home(turn(tokens(10))).await;
    said(&home, "one").await;
    let failure = home.log().into_iter().find_map(|event| match event.kind {
        EventKind::TurnEnded { failure, .. } => failure,
        _ => None,
    });
    let hint = failure.unwrap().hint.unwrap();
    assert_eq!(
        hint,
        "budget.turn_tokens is the limit: moltis config set budget.turn_tokens N (0 is none)"
    );
}

#[tokio::test(start_paused = true)]
async fn a_turn_may_go_on_for_as_long_as_its_budget_holds() {
    let home = home(turn(tokens(20_000))).await;
    for id in ["c1", "c2", "c3"] {
        let call = Script::new().usage(0, 7_000);
        home.provider.push(calling(call, id));
    }
    assert_eq!(said(&home, "look").await, Ending::Failed);
    assert_eq!(home.provider.requests().len(), 2);
    // The next one has its own.
    home.provider.otherwise(answer(0, 1));
    assert_eq!(said(&home, "go on").await, Ending::Done);
}

/// The same script, with a call of `look` at its end.
fn calling(script: Script, id: &str) -> Script {
    use moltis_core::provider::{Chunk, FinishReason};
    let (index, name, fragment) = (0, "look".to_owned(), format!(r#"{{"at":"{id}"}}"#));
    script
        .chunk(Chunk::ToolCallStarted { index, id: id.into(), name })
        .chunk(Chunk::ToolCallArguments { index, fragment })
        .chunk(Chunk::ToolCallEnded { index })
        .chunk(Chunk::Finished(FinishReason::ToolCalls))
}

#[tokio::test(start_paused = true)]
async fn a_call_of_a_tool_that_is_too_many_is_denied_and_the_model_hears_of_it() {
    for limits in [turn(calls(1)), session(calls(1)), day(calls(1))] {
        let home = home(limits).await;
        let wanted = [("c1", "look", r#"{"at":"a"}"#), ("c2", "look", r#"{"at":"b"}"#)];
        home.provider.push(Script::calls(&wanted));
        home.provider.push(Script::answer("I could not look at b."));
        assert_eq!(said(&home, "look").await, Ending::Done);
        let story = home.story();
        assert!(story.contains("look done: did look a"), "{story}");
        assert!(story.contains("look denied: not done: the "), "{story}");
        assert!(story.contains("'s budget of 1 calls is used up: 1 calls"), "{story}");
    }
}

#[tokio::test(start_paused = true)]
async fn turns_side_by_side_do_not_exceed_a_days_limit_together() {
    for (limit, most) in [(Some(ONE_CALL), 1), (None, 2)] {
        let home = home(day(Limit { tokens: limit, ..Limit::default() })).await;
        let gate = Gate::closed();
        home.provider.otherwise(answer(0, 100).after(&gate));
        let first = home.send("one").await.turn;
        home.provider.asked(1).await;
        let (session, second) = another(&home).await;
        if most == 1 {
            // What the first one reserved is not there for the second.
            assert_eq!(ended_in(&home, &session, &second).await, Ending::Failed);
        }
        home.provider.asked(most).await;
        (0..2).for_each(|_| gate.open());
        assert_eq!(home.ended(&first).await, Ending::Done);
        assert_eq!(home.provider.requests().len(), most);
    }
}

#[tokio::test(start_paused = true)]
async fn agents_share_the_budget_of_the_turn_that_began_them() {
    for (limits, ending) in
        [(turn(tokens(30_000)), Ending::Failed), (day(tokens(1_000_000)), Ending::Done)]
    {
        let home = home(limits).await;
        home.provider.push(Script::calls(&[("c1", "spawn_agent", r#"{"task":"much"}"#)]));
        home.provider.push(answer(0, 25_000));
        home.provider.otherwise(answer(0, 1));
        assert_eq!(said(&home, "let it work").await, ending);
        let asked = if ending == Ending::Failed { 2 } else { 3 };
        assert_eq!(home.provider.requests().len(), asked, "{}", home.story());
    }
}

#[tokio::test(start_paused = true)]
async fn what_agents_used_is_their_parents_sessions_also_after_a_restart() {
    let mut home = home(session(tokens(40_000))).await;
    home.provider.push(Script::calls(&[("c1", "spawn_agent", r#"{"task":"much"}"#)]));
    home.provider.push(answer(0, 35_000));
    home.provider.otherwise(answer(0, 1));
    assert_eq!(said(&home, "let it work").await, Ending::Failed);
    home.restart();
    assert_eq!(said(&home, "go on").await, Ending::Failed);
    assert_eq!(home.provider.requests().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_limit_that_is_raised_holds_at_once() {
    let home = home(day(tokens(10_000))).await;
    home.provider.otherwise(answer(0, 5_000));
    assert_eq!(said(&home, "one").await, Ending::Done);
    assert_eq!(said(&home, "two").await, Ending::Failed);
    home.sessions.set_rules(within(day(tokens(20_000))));
    assert_eq!(said(&home, "three").await, Ending::Done);
    home.sessions.set_rules(within(day(tokens(9_999))));
    assert_eq!(said(&home, "four").await, Ending::Failed);
}

#[tokio::test(start_paused = true)]
async fn what_was_spent_is_known_after_a_restart() {
    for limits in [day(tokens(20_000)), session(tokens(20_000))] {
        let mut home = home(limits).await;
        home.provider.otherwise(answer(0, 15_000));
        assert_eq!(said(&home, "one").await, Ending::Done);
        home.restart();
        assert_eq!(said(&home, "two").await, Ending::Failed);
        assert_eq!(home.provider.requests().len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn calls_of_tools_are_known_after_a_restart() {
    for limits in [day(calls(1)), session(calls(1))] {
        let mut home = home(limits).await;
        home.provider.push(Script::calls(&[("c1", "look", r#"{"at":"a"}"#)]));
        home.provider.push(Script::answer("done"));
        assert_eq!(said(&home, "one").await, Ending::Done);
        home.restart();
        home.provider.push(Script::calls(&[("c2", "look", r#"{"at":"b"}"#)]));
        home.provider.push(Script::answer("denied"));
        assert_eq!(said(&home, "two").await, Ending::Done);
        assert!(home.story().contains("look denied: not done"), "{}", home.story());
    }
}

#[tokio::test(start_paused = true)]
async fn a_new_day_begins_with_all_of_its_budget() {
    let home = home(day(tokens(20_000))).await;
    home.provider.otherwise(answer(0, 15_000));
    assert_eq!(said(&home, "one").await, Ending::Done);
    assert_eq!(said(&home, "two").await, Ending::Failed);
    home.env.advance(Duration::from_hours(24));
    assert_eq!(said(&home, "three").await, Ending::Done);
}

#[tokio::test(start_paused = true)]
async fn a_retry_is_paid_as_well_and_what_was_refused_is_not() {
    let home = home(turn(tokens(20_000))).await;
    for _ in 0..2 {
        home.provider.push(Script::refused(FailureKind::Overload, "busy"));
    }
    home.provider.push(answer(0, 100));
    assert_eq!(said(&home, "one").await, Ending::Done);
    // Two that broke off before anything was shown, and had used something.
    for _ in 0..3 {
        let broken = Script::new().usage(0, 9_000).fail(FailureKind::Overload, "busy");
        home.provider.push(broken);
    }
    assert_eq!(said(&home, "two").await, Ending::Failed);
    assert_eq!(home.provider.requests().len(), 5);
    assert!(home.story().contains("budget of 20000 tokens"), "{}", home.story());
}

#[tokio::test(start_paused = true)]
async fn a_vendor_that_says_nothing_of_what_it_used_is_not_free() {
    let home = home(day(tokens(20_000))).await;
    home.provider.otherwise(Script::answer(&"word ".repeat(10_000)));
    assert_eq!(said(&home, "one").await, Ending::Done);
    assert_eq!(said(&home, "two").await, Ending::Failed);
}

#[tokio::test(start_paused = true)]
async fn titles_count() {
    for (used, ending) in [(15_000, Ending::Failed), (1, Ending::Done)] {
        let rules = TurnRules { titles: Titles::Model, ..within(day(tokens(20_000))) };
        let home = home_by(rules).await;
        home.provider.push(answer(0, 10));
        home.provider.push(Script::new().text("A title").usage(0, used).done());
        home.provider.otherwise(answer(0, 10));
        said(&home, "one").await;
        let mut view = home.attach(From::Seq(0)).await;
        view.until(|view| view.caught_up && view.summary().title == "A title").await;
        assert_eq!(said(&home, "two").await, ending);
    }
}

#[tokio::test(start_paused = true)]
async fn a_title_that_can_not_be_paid_is_done_without() {
    let rules = TurnRules { titles: Titles::Model, ..within(session(tokens(9_000))) };
    let home = home_by(rules).await;
    home.provider.push(answer(0, 8_900));
    assert_eq!(said(&home, "one").await, Ending::Done);
    let mut view = home.attach(From::Seq(0)).await;
    view.until(|view| view.caught_up).await;
    assert_eq!(view.summary().title, "one");
    assert_eq!(home.provider.requests().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn summaries_count() {
    for (used, ending) in [(15_000, Ending::Failed), (1, Ending::Done)] {
        let home = home(Limits::default()).await;
        home.provider.otherwise(Script::answer("Yes."));
        for _ in 0..3 {
            said(&home, &"words ".repeat(1_000)).await;
        }
        home.sessions.set_rules(within(Limits::default()));
        let before = home.sessions.budget(Some(&home.session)).await.unwrap();
        assert_eq!(before, []);
        let most = spent(&home).await + 20_000;
        home.sessions.set_rules(within(session(tokens(most))));
        home.provider.push(Script::new().text("It was about words.").usage(0, used).done());
        let turn = home.compact().await.unwrap().turn;
        assert_eq!(home.ended(&turn).await, Ending::Done);
        assert!(home.story().contains("compacted: "), "{}", home.story());
        assert_eq!(said(&home, "go on").await, ending);
    }
}

/// Tokens of the session so far.
async fn spent(home: &Home) -> u64 {
    home.sessions.set_rules(within(session(tokens(u64::MAX))));
    home.sessions.budget(Some(&home.session)).await.unwrap()[0].spent
}

#[tokio::test(start_paused = true)]
async fn a_person_is_warned_once_when_much_of_a_limit_is_used() {
    let home = home(day(tokens(100_000))).await;
    home.provider.push(answer(0, 79_000));
    home.provider.otherwise(answer(0, 2_000));
    for text in ["one", "two", "three"] {
        said(&home, text).await;
    }
    let story = home.story();
    let warning = "notice: 81 % of the day's budget of 100000 tokens are used: 81000 tokens \
                   (budget.day_tokens)\nDone";
    assert_eq!(story.matches("are used").count(), 1, "{story}");
    assert!(story.contains(warning), "{story}");
}

#[tokio::test(start_paused = true)]
async fn the_time_that_turns_run_is_limited() {
    let minutes = |most: u64| Limit { seconds: Some(most * 60), ..Limit::default() };
    for limits in [session(minutes(5)), day(minutes(5))] {
        let home = home(limits).await;
        // It never answers: the turn is stopped after ten minutes.
        home.provider.push(Script::new().hang());
        home.provider.otherwise(answer(0, 1));
        assert_eq!(said(&home, "one").await, Ending::Failed);
        assert_eq!(said(&home, "two").await, Ending::Failed);
        let story = home.story();
        assert!(story.contains("budget of 5 min is used up: 10 min"), "{story}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_left_is_told() {
    let limits = Limits { day: tokens(20_000), session: calls(10), turn: tokens(50_000) };
    let home = home(limits).await;
    let gate = Gate::closed();
    home.provider.push(answer(0, 1_000));
    home.provider.push(answer(0, 1_000).after(&gate));
    said(&home, "one").await;
    let second = home.send("two").await.turn;
    home.provider.asked(2).await;
    let standings = home.sessions.budget(Some(&home.session)).await.unwrap();
    let seen: Vec<_> = standings.iter().map(|one| (one.span, one.unit, one.spent)).collect();
    assert_eq!(
        seen,
        [
            (Span::Turn, Unit::Tokens, 0),
            (Span::Session, Unit::Calls, 0),
            (Span::Day, Unit::Tokens, 1_000)
        ]
    );
    assert!(standings[2].reserved >= 8_000, "{standings:?}");
    assert_eq!(standings[2].left(), 19_000 - standings[2].reserved);
    gate.open();
    home.ended(&second).await;
    // The guards of a call go with its turn.
    soon(async {
        while home.sessions.budget(None).await.unwrap()[0].reserved > 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(home.sessions.budget(None).await.unwrap()[0].spent, 2_000);
}
