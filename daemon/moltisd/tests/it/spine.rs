//! From a message to its answer and back out of the store, as a client sees it.

use moltis_proto::v1;
use moltis_proto::v1::attach_response::Feed;
use moltis_proto::v1::event::Kind;
use moltis_testkit::daemon::{Daemon, Home};
use moltis_testkit::vendor::{Gate, Reply, Vendor};

/// A home whose daemon asks this vendor, and looks for no sandbox: which tools there are does not
/// depend on the machine.
pub(crate) fn home(vendor: &Vendor) -> Home {
    Home::new(env!("CARGO_BIN_EXE_moltisd"))
        .vendor(&format!("{}/v1", vendor.url()))
        .env("MOLTIS_SANDBOX__BACKEND", "none")
}

/// The session `main`.
pub(crate) async fn main_session(daemon: &Daemon) -> v1::Session {
    let name = "main".to_owned();
    daemon.sessions().find(v1::FindRequest { name }).await.unwrap().into_inner()
}

/// A message for a session.
pub(crate) fn message(session: &str, op: &str, text: &str) -> v1::SendRequest {
    let part = v1::part::Part::Text(text.to_owned());
    v1::SendRequest {
        op_id: op.to_owned(),
        session: session.to_owned(),
        parts: vec![v1::Part { part: Some(part) }],
        ..v1::SendRequest::default()
    }
}

/// Waits until a turn's start is on disk.
pub(crate) async fn turn_started(daemon: &Daemon, session: &str, turn: &str) {
    let request = v1::AttachRequest { session: session.to_owned(), after_seq: Some(0), tail: 0 };
    let mut feed = daemon.sessions().attach(request).await.unwrap().into_inner();
    while let Some(next) = feed.message().await.unwrap() {
        if let Some(Feed::Event(event)) = next.feed
            && event.turn == turn
            && matches!(event.kind, Some(Kind::TurnStarted(_)))
        {
            return;
        }
    }
    panic!("the feed ended before the turn began");
}

/// All events of a session.
pub(crate) async fn history(daemon: &Daemon, session: &str) -> Vec<v1::Event> {
    let mut all: Vec<v1::Event> = Vec::new();
    loop {
        let request = v1::HistoryRequest {
            session: session.to_owned(),
            after_seq: Some(all.last().map_or(0, |event| event.seq)),
            before_seq: None,
            limit: 1000,
        };
        let page = daemon.sessions().history(request).await.unwrap().into_inner().events;
        if page.is_empty() {
            return all;
        }
        all.extend(page);
    }
}

/// Follows the session until a turn has ended, and says how.
pub(crate) async fn turn_end(daemon: &Daemon, session: &str, turn: &str) -> v1::TurnEnded {
    let request = v1::AttachRequest { session: session.to_owned(), after_seq: Some(0), tail: 0 };
    let mut feed = daemon.sessions().attach(request).await.unwrap().into_inner();
    while let Some(next) = feed.message().await.unwrap() {
        if let Some(Feed::Event(event)) = next.feed
            && event.turn == turn
            && let Some(Kind::TurnEnded(end)) = event.kind
        {
            return end;
        }
    }
    panic!("the feed ended before the turn");
}

/// The text of every answer.
pub(crate) fn answer_of(events: &[v1::Event]) -> Vec<String> {
    let texts = events.iter().filter_map(|event| match &event.kind {
        Some(Kind::AssistantMessage(message)) => Some(
            message
                .parts
                .iter()
                .filter_map(|part| match &part.part {
                    Some(v1::part::Part::Text(text)) => Some(text.as_str()),
                    _ => None,
                })
                .collect(),
        ),
        _ => None,
    });
    texts.collect()
}

/// The code that a failed call carries.
fn code_of(status: &tonic::Status) -> String {
    use prost::Message as _;
    let bytes = status.metadata().get_bin(moltis_proto::ERROR_DETAIL_KEY).unwrap();
    v1::ErrorDetail::decode(bytes.to_bytes().unwrap()).unwrap().code
}

#[tokio::test]
async fn a_message_is_answered_and_survives_a_restart() {
    let vendor = Vendor::openai(&["Forty", "-two."]).await;
    let home = home(&vendor);
    let daemon = home.start().await;
    let session = main_session(&daemon).await.id;
    let sent =
        daemon.sessions().send(message(&session, "op-1", "what?")).await.unwrap().into_inner();
    let end = turn_end(&daemon, &session, &sent.turn).await;
    assert_eq!(end.ending(), v1::Ending::Done);
    let before = history(&daemon, &session).await;
    assert_eq!(answer_of(&before), ["Forty-two."]);
    assert_eq!(daemon.stop().await, Some(0));

    let daemon = home.start().await;
    assert_eq!(history(&daemon, &session).await, before);
    let again =
        daemon.sessions().send(message(&session, "op-1", "what?")).await.unwrap().into_inner();
    assert_eq!((again.turn, again.seq), (sent.turn, sent.seq), "a retry is the same command");
    let hits = daemon
        .sessions()
        .search(v1::SearchRequest { query: "forty".to_owned(), limit: 5 })
        .await
        .unwrap()
        .into_inner()
        .hits;
    assert_eq!(hits.first().map(|hit| hit.session.as_str()), Some(session.as_str()));
}

#[tokio::test]
async fn a_retried_rename_does_not_undo_a_later_one_after_a_restart() {
    let vendor = Vendor::start().await;
    let home = home(&vendor);
    let daemon = home.start().await;
    let session = main_session(&daemon).await.id;
    let rename = |op: &str, title: &str| v1::RenameRequest {
        op_id: op.to_owned(),
        session: session.clone(),
        title: title.to_owned(),
    };
    daemon.sessions().rename(rename("first", "One")).await.unwrap();
    daemon.sessions().rename(rename("second", "Two")).await.unwrap();
    assert_eq!(daemon.stop().await, Some(0));
    let daemon = home.start().await;
    let again = daemon.sessions().rename(rename("first", "One")).await.unwrap().into_inner();
    assert_eq!(again.title, "Two");
    let check = async || daemon.system().check(v1::CheckRequest {}).await.unwrap().into_inner();
    assert_eq!(check().await.problems, Vec::<String>::new());
    let delete = v1::DeleteRequest { op_id: "delete".to_owned(), session: session.clone() };
    daemon.sessions().delete(delete).await.unwrap();
    assert_eq!(check().await.problems, Vec::<String>::new(), "its commands are gone with it");
}

#[tokio::test]
async fn a_killed_daemon_keeps_what_was_said_and_tells_of_it() {
    let vendor = Vendor::start().await;
    let gate = Gate::new();
    vendor.on("/v1/chat/completions", Reply::sse("").after(&gate));
    let home = home(&vendor);
    let daemon = home.start().await;
    let session = main_session(&daemon).await.id;
    let sent = daemon.sessions().send(message(&session, "op", "hello")).await.unwrap().into_inner();
    vendor.requested(1).await;
    turn_started(&daemon, &session, &sent.turn).await;
    daemon.kill().await;

    let daemon = home.start().await;
    let end = turn_end(&daemon, &session, &sent.turn).await;
    assert_eq!(end.ending(), v1::Ending::Interrupted);
    let events = history(&daemon, &session).await;
    assert!(events.iter().any(|event| matches!(event.kind, Some(Kind::Notice(_)))), "{events:?}");
}

#[tokio::test]
async fn a_turn_that_is_stopped_is_cancelled_before_the_answer_comes() {
    let vendor = Vendor::start().await;
    let gate = Gate::new();
    vendor.on("/v1/chat/completions", Reply::sse("").after(&gate));
    let home = home(&vendor);
    let daemon = home.start().await;
    let session = main_session(&daemon).await.id;
    let sent = daemon.sessions().send(message(&session, "op", "hello")).await.unwrap().into_inner();
    vendor.requested(1).await;
    let stop = v1::StopRequest {
        op_id: "stop".to_owned(),
        session: session.clone(),
        ..v1::StopRequest::default()
    };
    let stopped = daemon.sessions().stop(stop).await.unwrap().into_inner().turns;
    assert_eq!(stopped, std::slice::from_ref(&sent.turn));
    assert_eq!(turn_end(&daemon, &session, &sent.turn).await.ending(), v1::Ending::Cancelled);
}

#[tokio::test]
async fn a_fork_has_the_same_past_and_its_own_future() {
    let vendor = Vendor::openai(&["Yes."]).await;
    let home = home(&vendor);
    let daemon = home.start().await;
    let session = main_session(&daemon).await.id;
    let sent = daemon.sessions().send(message(&session, "op", "one")).await.unwrap().into_inner();
    turn_end(&daemon, &session, &sent.turn).await;
    let fork =
        v1::ForkRequest { op_id: "fork".to_owned(), session: session.clone(), seq: sent.seq };
    let child = daemon.sessions().fork(fork).await.unwrap().into_inner();
    assert_eq!((child.parent.as_str(), child.parent_seq), (session.as_str(), sent.seq));
    let copied = |events: Vec<v1::Event>| -> Vec<_> {
        let past = events.into_iter().filter(|event| event.seq <= sent.seq);
        past.map(|event| (event.seq, event.turn, event.kind)).collect()
    };
    assert_eq!(copied(history(&daemon, &child.id).await), copied(history(&daemon, &session).await));
}

#[tokio::test]
async fn a_key_is_kept_nowhere_but_in_the_vault() {
    const KEY: &str = "sk-canary-4f8e2a91c07d";
    let vendor = Vendor::openai(&["Hi."]).await;
    let home = Home::new(env!("CARGO_BIN_EXE_moltisd"));
    let daemon = home.start().await;
    let login = v1::LoginRequest {
        name: "work".to_owned(),
        kind: "openai".to_owned(),
        base_url: format!("{}/v1", vendor.url()),
        key: KEY.to_owned(),
    };
    daemon.providers().login(login).await.unwrap();
    let default = v1::SetDefaultRequest { model: "work/test".to_owned() };
    daemon.models().set_default(default).await.unwrap();
    let session = main_session(&daemon).await.id;
    let sent = daemon.sessions().send(message(&session, "op", "hello")).await.unwrap().into_inner();
    assert_eq!(turn_end(&daemon, &session, &sent.turn).await.ending(), v1::Ending::Done);
    let asked = vendor.requests();
    let used = asked.iter().find(|request| request.path.ends_with("/chat/completions")).unwrap();
    assert_eq!(used.header("authorization"), Some(format!("Bearer {KEY}").as_str()));
    daemon.stop().await;

    crate::client::assert_nowhere(home.root(), KEY);
}

#[tokio::test]
async fn a_login_outlives_the_variable_that_was_there_first() {
    let home = Home::new(env!("CARGO_BIN_EXE_moltisd")).env("OPENAI_API_KEY", "sk-of-the-shell");
    let daemon = home.start().await;
    let login = v1::LoginRequest {
        name: "openai".to_owned(),
        key: "sk-of-the-vault".to_owned(),
        ..v1::LoginRequest::default()
    };
    daemon.providers().login(login).await.unwrap();
    daemon.stop().await;
    let home = home.env("OPENAI_API_KEY", "");
    let daemon = home.start().await;
    let list = daemon.providers().list(v1::ListProvidersRequest {}).await.unwrap().into_inner();
    let openai = list.providers.iter().find(|provider| provider.name == "openai").unwrap();
    assert_eq!((openai.key_source.as_str(), openai.ready), ("vault", true));
}

#[tokio::test]
async fn without_a_provider_the_error_names_the_command_that_mends_it() {
    let home = Home::new(env!("CARGO_BIN_EXE_moltisd"));
    let daemon = home.start().await;
    let session = main_session(&daemon).await.id;
    let sent = daemon.sessions().send(message(&session, "op", "hello")).await;
    let told = match sent {
        Err(status) => {
            assert_eq!(code_of(&status), "not_configured");
            use prost::Message as _;
            let bytes = status.metadata().get_bin(moltis_proto::ERROR_DETAIL_KEY).unwrap();
            v1::ErrorDetail::decode(bytes.to_bytes().unwrap()).unwrap().hint
        }
        Ok(sent) => {
            let end = turn_end(&daemon, &session, &sent.into_inner().turn).await;
            assert_eq!(end.ending(), v1::Ending::Failed);
            end.failure.unwrap().hint
        }
    };
    assert!(told.contains("moltis models pull smollm2-135m"), "{told}");
}

#[tokio::test]
async fn a_configuration_with_an_unknown_key_keeps_the_daemon_from_starting() {
    let home = Home::new(env!("CARGO_BIN_EXE_moltisd"));
    std::fs::write(home.config_file(), "[chat]\ntimeout = 5\n").unwrap();
    let said = home.try_start().await.err().unwrap();
    assert!(said.contains("failed") && said.contains("chat.timeout_s"), "{said}");
}

#[tokio::test]
async fn a_changed_key_holds_at_once_and_comments_stay() {
    let vendor = Vendor::openai(&["Hi."]).await;
    let home = home(&vendor);
    let daemon = home.start().await;
    let set = |key: &str, value: &str| v1::SetConfigRequest {
        key: key.to_owned(),
        value: value.to_owned(),
    };
    let before = std::fs::read_to_string(home.config_file()).unwrap();
    daemon.config().set(set("chat.timeout_s", "5")).await.unwrap();
    let wrong = daemon.config().set(set("chat.timeout", "5")).await.unwrap_err();
    assert_eq!(code_of(&wrong), "invalid");
    let after = std::fs::read_to_string(home.config_file()).unwrap();
    let comments = |text: &str| {
        text.lines().filter(|line| line.starts_with("# ") && !line.contains("timeout_s")).count()
    };
    assert_eq!(comments(&before), comments(&after));
    let values =
        daemon.config().show(v1::ShowConfigRequest::default()).await.unwrap().into_inner().values;
    let timeout = values.iter().find(|value| value.key == "chat.timeout_s").unwrap();
    assert_eq!((timeout.value.as_str(), timeout.origin.as_str()), ("5", "file"));
}

#[tokio::test]
async fn a_second_daemon_is_told_who_was_first() {
    let home = Home::new(env!("CARGO_BIN_EXE_moltisd"));
    let daemon = home.start().await;
    let said = home.try_start().await.err().unwrap();
    assert!(said.contains(&daemon.pid().to_string()), "{said}");
}
