//! The real daemon with a real model in its process: nothing in between is played by a test.

use std::path::{Path, PathBuf};

use moltis_proto::v1;
use moltis_proto::v1::attach_response::Feed;
use moltis_proto::v1::event::Kind;
use moltis_testkit::daemon::{Daemon, Home};

use crate::spine::{answer_of, history, main_session, message, turn_end};

/// Brings the model into the daemon and makes it the default.
async fn pull(daemon: &Daemon, path: &Path) {
    let name = format!("file:{}", path.display());
    let mut steps = daemon.models().pull(v1::PullRequest { name }).await.unwrap().into_inner();
    let mut finished = false;
    while let Some(step) = steps.message().await.unwrap() {
        finished = step.finished;
    }
    assert!(finished, "the pull ended before its last step");
    let list = v1::ListModelsRequest { refresh: true };
    let models = daemon.models().list(list).await.unwrap().into_inner().models;
    let model = models.into_iter().find(|model| model.local).unwrap().id;
    daemon.models().set_default(v1::SetDefaultRequest { model }).await.unwrap();
}

/// Says something and waits for the end of its turn.
async fn ask(daemon: &Daemon, session: &str, op: &str, text: &str) -> v1::Usage {
    let said = message(session, op, text);
    let turn = daemon.sessions().send(said).await.unwrap().into_inner().turn;
    let end = turn_end(daemon, session, &turn).await;
    assert_eq!(end.ending(), v1::Ending::Done, "{end:?}");
    end.usage.unwrap()
}

/// The model's file is named by `MOLTIS_TEST_SMOLLM2`; without it the tests say so and pass, but
/// never where CI runs them.
fn model_file() -> Option<PathBuf> {
    let path = std::env::var_os("MOLTIS_TEST_SMOLLM2");
    if path.is_none() {
        assert!(std::env::var_os("CI").is_none(), "MOLTIS_TEST_SMOLLM2 is not set");
        eprintln!("skipped: MOLTIS_TEST_SMOLLM2 names no model file");
    }
    path.map(PathBuf::from)
}

#[tokio::test]
async fn what_a_model_on_this_machine_can_not_hold_is_summed_up_by_it_or_without_it() {
    let Some(path) = model_file() else { return };
    let home = Home::new(env!("CARGO_BIN_EXE_moltisd")).env("MOLTIS_LOCAL__MAX_CONTEXT", "1024");
    let daemon = home.start().await;
    pull(&daemon, &path).await;
    let session = main_session(&daemon).await.id;
    let text = format!("{} Say yes.", "A heron stands in the water. ".repeat(85));
    ask(&daemon, &session, "one", &text).await;
    let sent = daemon.sessions().send(message(&session, "two", &text)).await.unwrap().into_inner();
    let request = v1::AttachRequest { session, after_seq: Some(sent.seq), tail: 0 };
    let mut feed = daemon.sessions().attach(request).await.unwrap().into_inner();
    while let Some(fed) = feed.message().await.unwrap() {
        let Some(Feed::Event(event)) = fed.feed else { continue };
        assert!(!matches!(event.kind, Some(Kind::TurnEnded(_))), "it ended before: {event:?}");
        if matches!(event.kind, Some(Kind::Compacted(_))) {
            return;
        }
    }
    panic!("the feed ended before the summary");
}

#[tokio::test]
async fn a_model_on_this_machine_answers_remembers_and_survives_a_restart() {
    let Some(path) = model_file() else { return };
    let home = Home::new(env!("CARGO_BIN_EXE_moltisd"));
    let daemon = home.start().await;
    pull(&daemon, &path).await;
    let session = main_session(&daemon).await.id;
    let first = ask(&daemon, &session, "one", "What is the capital of France?").await;
    assert!(first.input_tokens > 0 && first.output_tokens > 0, "{first:?}");
    assert_eq!(first.cache_read_tokens, 0);
    let second = ask(&daemon, &session, "two", "Thank you. And of Italy?").await;
    assert!(second.cache_read_tokens > first.input_tokens, "the first turn is known: {second:?}");

    let before = history(&daemon, &session).await;
    let answers = answer_of(&before);
    assert!(
        answers.len() == 2 && answers.iter().all(|text| !text.trim().is_empty()),
        "{answers:?}"
    );
    assert_eq!(daemon.stop().await, Some(0));
    let daemon = home.start().await;
    assert_eq!(history(&daemon, &session).await, before);
    let third = ask(&daemon, &session, "three", "And of Spain?").await;
    assert!(third.input_tokens > second.input_tokens, "it is told all again: {third:?}");
}
