use proptest::prelude::*;

use super::*;
use crate::models::{ModelRef, Price};

fn turn(name: &str) -> Vec<Scope> {
    let session = SessionId::from(name);
    let turn = Scope::Turn(session.clone(), TurnId::from("t"));
    vec![turn, Scope::Session(session), Scope::Day]
}

/// An agent that the turn of `turn(above)` began.
fn child(name: &str, above: &str) -> Vec<Scope> {
    let mut scopes = turn(name);
    scopes.extend(turn(above).into_iter().take(2));
    scopes
}

fn tokens(tokens: u64) -> Amount {
    Amount { tokens, ..Amount::default() }
}

fn limit(tokens: u64) -> Limit {
    Limit { tokens: Some(tokens), ..Limit::default() }
}

fn refused(ledger: &mut Ledger, scopes: &[Scope], limits: &Limits, wanted: Amount) -> String {
    ledger.reserve(scopes, limits, wanted).unwrap_err().to_string()
}

#[test]
fn each_limit_stops_what_would_exceed_it_and_says_which() {
    let microusd = |amount| Amount { microusd: amount, ..Amount::default() };
    let limit = Limit {
        tokens: Some(1_000),
        microusd: Some(5_000_000),
        seconds: Some(3_600),
        calls: Some(200),
    };
    let day = Limits { day: limit, ..Limits::default() };
    let rows = [
        (microusd(5_020_000), "the day's budget of 5 USD is used up: 5.02 USD"),
        (tokens(1_000), "the day's budget of 1000 tokens is used up: 1000 tokens"),
        (Amount::time(3_725), "the day's budget of 60 min is used up: 62 min"),
        (
            Amount { calls: 200, ..Amount::default() },
            "the day's budget of 200 calls is used up: 200 calls",
        ),
    ];
    for (spent, said) in rows {
        let mut ledger = Ledger::new();
        ledger.spend(&turn("a"), spent);
        let one = Amount { tokens: 1, microusd: 1, seconds: 1, calls: 1 };
        assert_eq!(refused(&mut ledger, &turn("b"), &day, one), said);
        // Without the limit it gets through, and so does what costs nothing of the kind.
        let _held = ledger.reserve(&turn("b"), &Limits::default(), one).unwrap();
        let _held = ledger.reserve(&turn("b"), &day, Amount::default()).unwrap();
    }
}

#[test]
fn every_limit_has_its_key() {
    let all = Limit { tokens: Some(1), microusd: Some(1), seconds: Some(1), calls: Some(1) };
    let limits = Limits { turn: all, session: all, day: all };
    let keys: Vec<String> =
        Ledger::new().standings(&turn("a"), &limits).iter().map(Standing::key).collect();
    assert_eq!(keys.len(), 12);
    assert_eq!(keys[..2], ["budget.turn_tokens", "budget.turn_cents"]);
    assert_eq!(keys[6..8], ["budget.session_minutes", "budget.session_calls"]);
}

#[test]
fn what_is_reserved_counts_as_spent_until_it_is_settled() {
    let limits = Limits { day: limit(1_000), ..Limits::default() };
    let mut ledger = Ledger::new();
    let held = ledger.reserve(&turn("a"), &limits, tokens(600)).unwrap();
    assert_eq!(
        refused(&mut ledger, &turn("b"), &limits, tokens(600)),
        "the day's budget of 1000 tokens is too small for what comes next: 0 tokens are used, \
         600 tokens reserved by what runs beside, and it may take 600 tokens"
    );
    ledger.settle(held, tokens(100));
    let held = ledger.reserve(&turn("b"), &limits, tokens(600)).unwrap();
    ledger.release(held);
    let _held = ledger.reserve(&turn("b"), &limits, tokens(900)).unwrap();
}

#[test]
fn a_refusal_reserves_nothing_anywhere() {
    let limits = Limits { day: limit(10), ..Limits::default() };
    let mut ledger = Ledger::new();
    refused(&mut ledger, &turn("a"), &limits, tokens(11));
    let reserved = ledger.accounts.values().map(|account| account.reserved.tokens).sum::<u64>();
    assert_eq!(reserved, 0);
}

#[test]
fn agents_share_the_budget_of_the_turn_above_them() {
    let limits = Limits { turn: limit(1_000), ..Limits::default() };
    let mut ledger = Ledger::new();
    let _one = ledger.reserve(&child("b", "a"), &limits, tokens(600)).unwrap();
    ledger.reserve(&child("c", "a"), &limits, tokens(600)).unwrap_err();
    // A turn of its own has its own.
    let _other = ledger.reserve(&turn("c"), &limits, tokens(600)).unwrap();
}

#[test]
fn a_turns_budget_goes_with_the_last_that_counts_in_it() {
    let limits = Limits { turn: limit(1_000), ..Limits::default() };
    let mut ledger = Ledger::new();
    ledger.open(&turn("a"));
    ledger.open(&child("b", "a"));
    ledger.spend(&turn("a"), tokens(1_000));
    ledger.close(&turn("a"));
    ledger.reserve(&child("b", "a"), &limits, tokens(1)).unwrap_err();
    ledger.close(&child("b", "a"));
    assert!(ledger.accounts.keys().all(|scope| scope.span() != Span::Turn));
}

#[test]
fn a_new_day_begins_with_nothing_and_a_clock_set_back_gives_nothing_back() {
    let limits = Limits { day: limit(100), ..Limits::default() };
    let mut ledger = Ledger::new();
    ledger.on_day(20_000);
    ledger.spend(&turn("a"), tokens(100));
    ledger.on_day(19_999);
    ledger.reserve(&turn("a"), &limits, tokens(1)).unwrap_err();
    let over_midnight = ledger.reserve(&turn("a"), &Limits::default(), tokens(60)).unwrap();
    ledger.on_day(20_001);
    ledger.reserve(&turn("a"), &limits, tokens(60)).unwrap_err();
    ledger.settle(over_midnight, tokens(10));
    let _held = ledger.reserve(&turn("a"), &limits, tokens(90)).unwrap();
}

#[test]
fn a_limit_is_warned_of_once_and_again_when_it_was_changed() {
    let limits = |day| Limits { day: limit(day), ..Limits::default() };
    let mut ledger = Ledger::new();
    ledger.spend(&turn("a"), tokens(799));
    assert_eq!(ledger.warnings(&turn("a"), &limits(1_000)), []);
    ledger.spend(&turn("a"), tokens(1));
    let said: Vec<String> =
        ledger.warnings(&turn("a"), &limits(1_000)).iter().map(Standing::warning).collect();
    assert_eq!(
        said,
        ["80 % of the day's budget of 1000 tokens are used: 800 tokens (budget.day_tokens)"]
    );
    assert_eq!(ledger.warnings(&turn("b"), &limits(1_000)), []);
    assert_eq!(ledger.warnings(&turn("b"), &limits(900)).len(), 1);
}

#[test]
fn what_the_log_says_is_not_counted_twice() {
    let mut ledger = Ledger::new();
    ledger.spend(&[Scope::Day], tokens(50));
    ledger.fill(&Scope::Day, tokens(80));
    ledger.fill(&Scope::Day, tokens(70));
    assert_eq!(ledger.accounts[&Scope::Day].spent, tokens(80));
}

#[test]
fn what_nothing_runs_in_is_forgotten_when_there_is_too_much_of_it() {
    let mut ledger = Ledger::new();
    ledger.open(&turn("held"));
    for n in 0..2 * MOST_SCOPES {
        let scopes = turn(&n.to_string());
        ledger.open(&scopes);
        ledger.close(&scopes);
    }
    assert!(ledger.accounts.len() <= MOST_SCOPES + 3);
    assert!(ledger.accounts.contains_key(&turn("held")[0]));
}

#[test]
fn the_estimate_is_the_dearest_that_a_call_may_be() {
    let price =
        Price { input: 1_000_000, output: 5_000_000, cache_read: 100_000, cache_write: 1_250_000 };
    let model = ModelInfo {
        id: ModelRef::new("a", "m"),
        name: "m".to_owned(),
        context_window: None,
        output_limit: None,
        images: false,
        tools: false,
        reasoning: false,
        price: Some(price),
        local: false,
    };
    let estimate = Amount::estimate(&model, 10_000, None);
    assert_eq!(estimate.tokens, 10_000 + MOST_RESERVED);
    assert_eq!(estimate.microusd, 12_500 + 5 * MOST_RESERVED);
    let short = Amount::estimate(&model, 0, Some(100));
    assert_eq!((short.tokens, short.microusd), (100, 500));
    let unknown = ModelInfo { price: None, output_limit: Some(50), ..model };
    let estimate = Amount::estimate(&unknown, 10, None);
    assert_eq!((estimate.tokens, estimate.microusd), (60, 0));
}

#[test]
fn money_is_said_without_needless_zeros() {
    let said: Vec<String> =
        [0, 1, 50_000, 5_000_000, 5_020_000, 999_999].map(|n| Unit::Microusd.said(n)).into();
    assert_eq!(said, ["0 USD", "0.0001 USD", "0.05 USD", "5 USD", "5.02 USD", "1 USD"]);
}

/// What happens next: somebody asks for so much, or the oldest call ends having cost so much.
#[derive(Clone, Debug)]
enum Step {
    Ask(usize, u64),
    End(u64),
    Release,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (0..4_usize, 1..400_u64).prop_map(|(who, wanted)| Step::Ask(who, wanted)),
        2 => (0..500_u64).prop_map(Step::End),
        1 => Just(Step::Release),
    ]
}

/// Runs the steps; gives what was settled in the day and by how much estimates were exceeded.
fn played(steps: Vec<Step>, limits: &Limits) -> (u64, u64) {
    let who = [turn("a"), turn("b"), child("c", "a"), child("d", "a")];
    let mut ledger = Ledger::new();
    let (mut running, mut settled, mut overrun) = (Vec::new(), 0, 0);
    for step in steps {
        match step {
            Step::Ask(at, wanted) => {
                running.extend(ledger.reserve(&who[at], limits, tokens(wanted)));
            }
            Step::End(actual) if !running.is_empty() => {
                let held = running.remove(0);
                overrun += actual.saturating_sub(held.amount.tokens);
                settled += actual;
                ledger.settle(held, tokens(actual));
            }
            Step::Release if !running.is_empty() => ledger.release(running.remove(0)),
            Step::End(_) | Step::Release => {}
        }
    }
    for held in running {
        settled += held.amount.tokens;
    }
    (settled, overrun)
}

proptest! {
    #[test]
    fn however_calls_interleave_a_limit_is_exceeded_by_estimates_alone(
        steps in proptest::collection::vec(step(), 0..60),
    ) {
        let limits = Limits { day: limit(1_000), ..Limits::default() };
        let (settled, overrun) = played(steps, &limits);
        prop_assert!(settled <= 1_000 + overrun, "{settled} with {overrun} over");
    }
}

#[test]
fn without_reservations_it_would_be_exceeded() {
    // The counterpart of the property: the same steps with nothing limited get through.
    let steps = vec![Step::Ask(0, 399), Step::Ask(1, 399), Step::Ask(2, 399)];
    let day = Limits { day: limit(1_000), ..Limits::default() };
    assert_eq!(played(steps.clone(), &Limits::default()), (1_197, 0));
    assert_eq!(played(steps, &day), (798, 0));
}
