//! A conversation that grows too long, on the real daemon with a vendor that is played.

use moltis_proto::v1;
use moltis_proto::v1::event::Kind;
use moltis_testkit::daemon::{Daemon, Home};
use moltis_testkit::vendor::{Gate, Recorded, Reply, Vendor};
use serde_json::json;

use crate::client::run;
use crate::spine::{history, home, main_session, message, turn_end};

/// What a request for a summary says.
const ASK: &str = "Summarize the conversation above";

fn asks_for_summary(request: &Recorded) -> bool {
    String::from_utf8_lossy(&request.body).contains(ASK)
}

/// A vendor that sums up when it is asked to, after these replies to such requests.
async fn vendor(summaries: Vec<Reply>) -> Vendor {
    let vendor = Vendor::start().await;
    let models = json!({"object": "list", "data": [{"id": "test", "object": "model"}]});
    vendor.on("/v1/models", Reply::json(200, &models));
    let summaries = std::sync::Mutex::new(summaries);
    vendor.otherwise(move |request| {
        if !asks_for_summary(request) {
            return Some(Reply::openai_chat(&["Yes."]));
        }
        let first = summaries.lock().unwrap().pop();
        Some(first.unwrap_or_else(|| Reply::openai_chat(&["They spoke ", "of herons."])))
    });
    vendor
}

/// A daemon that compacts above 3,840 tokens, of which the tools take a third: three in a hundred of a
/// window that nobody knows.
fn small(vendor: &Vendor) -> Home {
    home(vendor).env("MOLTIS_CHAT__COMPACT_AT", "3")
}

/// A message of 900 tokens and its whole turn.
async fn say(daemon: &Daemon, session: &str, op: &str) -> v1::TurnEnded {
    let text = format!("{op}{}", " heron".repeat(600));
    let sent = daemon.sessions().send(message(session, op, &text)).await.unwrap().into_inner();
    turn_end(daemon, session, &sent.turn).await
}

fn compactions(events: &[v1::Event]) -> Vec<v1::Compacted> {
    let compacted = events.iter().filter_map(|event| match &event.kind {
        Some(Kind::Compacted(compacted)) => Some(compacted.clone()),
        _ => None,
    });
    compacted.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn at_the_threshold_the_vendor_is_told_the_summary_and_not_the_old_text() {
    let vendor = vendor(Vec::new()).await;
    let home = small(&vendor);
    let daemon = home.start().await;
    let session = main_session(&daemon).await.id;
    for op in ["first", "second", "third"] {
        assert_eq!(say(&daemon, &session, op).await.ending(), v1::Ending::Done);
    }
    let asked = vendor.requests();
    let last = String::from_utf8_lossy(&asked.last().unwrap().body).into_owned();
    assert!(last.contains("They spoke of herons."), "{last}");
    assert!(last.contains("third heron") && !last.contains("first heron"), "{last}");
    let summed = asked.iter().filter(|request| asks_for_summary(request)).count();
    assert_eq!(summed, 1);
    let events = history(&daemon, &session).await;
    let done = compactions(&events);
    assert_eq!(done.len(), 1);
    assert!(done[0].automatic && done[0].model == "test/test");
    assert!(done[0].before_tokens > 3_840 && done[0].after_tokens < 3_840, "{done:?}");
    let said = events.iter().filter(|e| matches!(e.kind, Some(Kind::UserMessage(_)))).count();
    assert_eq!(said, 3, "the log has everything still");
    daemon.stop().await;
    let daemon = home.start().await;
    say(&daemon, &session, "fourth").await;
    let asked = vendor.requests();
    let last = String::from_utf8_lossy(&asked.last().unwrap().body).into_owned();
    assert!(last.contains("They spoke of herons.") && !last.contains("first heron"), "{last}");
}

/// Waits until the vendor is asked for a summary.
async fn summary_requested(vendor: &Vendor) {
    let mut requests = vendor.requests();
    while !requests.iter().any(asks_for_summary) {
        requests = vendor.requested(requests.len() + 1).await;
    }
}

/// Begins a turn that compacts, and never gets its summary.
async fn begin_to_compact(daemon: &Daemon, session: &str, by_hand: bool) -> String {
    if by_hand {
        let asked = v1::CompactRequest { op_id: "compact".into(), session: session.to_owned() };
        return daemon.sessions().compact(asked).await.unwrap().into_inner().turn;
    }
    let text = "heron ".repeat(600);
    daemon.sessions().send(message(session, "cut-off", &text)).await.unwrap().into_inner().turn
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_killed_while_it_compacts_closes_the_turn_and_compacts_the_next_time() {
    for by_hand in [true, false] {
        let vendor = vendor(vec![Reply::sse("").wait(&Gate::new())]).await;
        let home = small(&vendor);
        let daemon = home.start().await;
        let session = main_session(&daemon).await.id;
        for op in ["first", "second"] {
            say(&daemon, &session, op).await;
        }
        let turn = begin_to_compact(&daemon, &session, by_hand).await;
        summary_requested(&vendor).await;
        daemon.kill().await;
        let daemon = home.start().await;
        assert_eq!(turn_end(&daemon, &session, &turn).await.ending(), v1::Ending::Interrupted);
        if by_hand {
            let again = begin_to_compact(&daemon, &session, true).await;
            assert_eq!(again, turn, "the same command is not carried out twice");
        }
        say(&daemon, &session, "third").await;
        let events = history(&daemon, &session).await;
        assert_eq!(compactions(&events).len(), 1);
        let of_turn = events.iter().filter(|event| event.turn == turn);
        let ends = of_turn.filter(|event| matches!(event.kind, Some(Kind::TurnEnded(_)))).count();
        assert_eq!(ends, 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn scripts_compact_a_session_and_see_what_its_model_is_told() {
    let vendor = vendor(Vec::new()).await;
    let home = home(&vendor);
    let daemon = home.start().await;
    let session = main_session(&daemon).await.id;
    let refused = run(&home, &["sessions", "compact", "main", "--json"]).await;
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.stderr.contains("there is nothing to compact"), "{refused:?}");
    for op in ["first", "second"] {
        say(&daemon, &session, op).await;
    }
    let before = run(&home, &["sessions", "context", "main", "--json"]).await.json();
    let done = run(&home, &["sessions", "compact", "main", "--json"]).await;
    assert_eq!(done.code, Some(0), "{done:?}");
    let done = done.json();
    assert_eq!(done["before_tokens"], before["tokens"]);
    assert_eq!(done["summary"], "They spoke of herons.");
    let after = run(&home, &["sessions", "context", "main", "--json"]).await.json();
    assert_eq!(done["after_tokens"], after["tokens"]);
    let kinds: Vec<_> =
        after["fragments"].as_array().unwrap().iter().map(|it| &it["kind"]).collect();
    assert_eq!(kinds, ["system", "system", "tools", "summary", "messages"]);
    assert_eq!((&after["window"], &after["guessed"]), (&json!(128_000), &json!(true)));
    let shown = run(&home, &["sessions", "context", "main"]).await.stdout;
    assert!(shown.contains("test/test holds 128000 tokens, which is a guess"), "{shown}");
    let said = run(&home, &["sessions", "history", "main"]).await.stdout;
    assert!(said.contains("[compacted: "), "{said}");
    let exported = run(&home, &["sessions", "export", "main"]).await.stdout;
    assert!(exported.contains("<summary>Compacted from "), "{exported}");
}
