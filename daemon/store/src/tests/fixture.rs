//! The store that must open for ever: one of everything that format 1 can hold.

use std::fmt::Write as _;
use std::os::unix::fs::PermissionsExt;

use expect_test::expect_file;
use moltis_core::assistant::Filter;
use moltis_core::event::{Level, TurnFailure};
use moltis_core::policy::Label;
use moltis_core::provider::{Effort, FailureKind};
use moltis_core::session::Summary;
use secrecy::{ExposeSecret, SecretString};

use super::*;
use crate::{check_offline, paths, restore};

/// A vault key that guards nothing but the fixture's secret.
const KEY: &str = include_str!("../../tests/fixtures/format-1.key");

fn put_key(dir: &Path) {
    let path = dir.join(paths::KEY);
    std::fs::write(&path, KEY).expect("written");
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).expect("set");
}

fn settings() -> Settings {
    Settings {
        model: Some(model()),
        effort: Some(Effort::High),
        queue: Some(QueueMode::Collect),
        ..Settings::default()
    }
}

/// An event of a turn, from somewhere.
fn from(seconds: i64, origin: Origin, cause: Cause, kind: EventKind) -> NewEvent {
    NewEvent { at: at(seconds), turn: Some("turn".into()), cause, origin, op: None, kind }
}

fn answer(parts: Vec<Part>, finish: Option<FinishReason>, partial: bool) -> EventKind {
    let usage = Usage {
        input_tokens: 1,
        output_tokens: 2,
        cache_read_tokens: 3,
        cache_write_tokens: 4,
        cost_microusd: 5,
    };
    let took = Duration::from_micros(345_678);
    let first_token = finish.map(|_| Duration::from_millis(12));
    let answer = Answer { model: model(), usage, estimated: 0, finish, first_token, took };
    EventKind::AssistantMessage { item: "answer".into(), parts, answer, partial }
}

fn message(op: &str, parts: Vec<Part>, queue: QueueMode) -> EventKind {
    let model = Some(model());
    EventKind::UserMessage {
        item: format!("item-{op}").into(),
        op: op.into(),
        parts,
        queue,
        model,
        sensitive: false,
    }
}

/// Every kind of event, part, origin, cause and end.
fn everything() -> Vec<NewEvent> {
    let text = |text: &str| Part::Text(text.into());
    let picture =
        Part::Image { media_type: "image/png".into(), data: vec![137, 80, 78, 71].into() };
    let thought = Part::Reasoning { text: "six?".into(), signature: Some("signed".into()) };
    let call = Part::ToolCall { id: "call".into(), name: "count".into(), arguments: "{}".into() };
    let result = Part::ToolResult { id: "call".into(), text: "none".into(), failed: true };
    let failure = TurnFailure {
        kind: Some(FailureKind::RateLimit),
        message: "too many questions".into(),
        hint: Some("wait".into()),
    };
    let client = || Cause::Client("cli".into());
    let ended = |ending, failure| EventKind::TurnEnded { ending, failure, usage: Usage::default() };
    let created = EventKind::SessionCreated {
        agent: "main".into(),
        key: Some("main".into()),
        settings: settings(),
        spawned: None,
    };
    let asked = message("op", vec![text("ants of the garden"), picture], QueueMode::Steer);
    let called = answer(
        vec![thought, text("ants have six legs"), call],
        Some(FinishReason::ToolCalls),
        false,
    );
    let counted = message("op2", vec![result], QueueMode::Followup);
    let notice =
        EventKind::Notice { item: "notice".into(), level: Level::Warning, text: "hot".into() };
    let usage = Usage { output_tokens: 6, ..Usage::default() };
    let title = EventKind::TitleChanged { title: "Ants".into(), automatic: true, usage };
    let asked_for = event(12, None, EventKind::CompactionAsked);
    let compacted = EventKind::Compacted {
        item: "summary".into(),
        summary: "ants were counted".into(),
        upto: 4,
        since: 2,
        before_tokens: 90,
        after_tokens: 30,
        automatic: true,
        model: Some(model()),
        usage,
    };
    let archived = event(11, None, EventKind::ArchivedChanged { archived: true });
    vec![
        event(0, None, created),
        from(1, Origin::Owner, client(), asked),
        from(2, Origin::Config, Cause::Daemon, EventKind::TurnStarted { model: Some(model()) }),
        from(3, Origin::Web, Cause::Model, called),
        from(4, Origin::Tool, Cause::Daemon, counted),
        from(5, Origin::Peer, Cause::Model, answer(vec![text("ants, of c")], None, true)),
        from(6, Origin::Workspace, Cause::Daemon, notice),
        from(7, Origin::Owner, Cause::Daemon, ended(Ending::Failed, Some(failure))),
        from(8, Origin::Owner, client(), ended(Ending::Cancelled, None)),
        event(9, None, title),
        event(10, None, EventKind::SettingsChanged { settings: Settings::default() }),
        NewEvent { op: Some("op4".into()), ..archived },
        NewEvent { op: Some("op5".into()), turn: Some("turn-op5".into()), ..asked_for },
        from(13, Origin::Tool, Cause::Model, compacted),
    ]
}

async fn fill(store: &Store) {
    let journal = store.journal();
    journal.append(&"fixture".into(), 0, everything()).await.expect("written");
    let fork = vec![forked(20, "fixture", 4), said(21, "op3", "and bees?")];
    journal.fork(&"fixture".into(), 4, &"child".into(), fork).await.expect("forked");
    let started = event(22, Some("turn-op3"), EventKind::TurnStarted { model: Some(model()) });
    journal.append(&"child".into(), 6, vec![started]).await.expect("written");
    journal.checkpoint(&"child".into(), draft("op3", "bees ha")).await.expect("kept");
    conversation(&*journal, "deleted", "wasps").await;
    journal.delete(&"deleted".into()).await.expect("removed");
    let secret = SecretString::from("sk-fixture");
    store.vault().put("provider/openai", secret).await.expect("put");
}

/// Everything that a store answers.
async fn told(store: &Store) -> String {
    let journal = store.journal();
    let mut told = String::new();
    for id in ["fixture", "child"] {
        for event in history(&*journal, id).await {
            writeln!(told, "{event:?}").expect("ok");
        }
    }
    for summary in journal.list(&Filter { archived: true, limit: 0 }).await.expect("listed") {
        // A store of the first version says nothing of how far its sessions can be trusted.
        let summary = Summary { label: Label::CLEAN, ..summary };
        writeln!(told, "{summary:?}").expect("ok");
    }
    let open: Vec<_> = journal.unfinished().await.expect("read");
    writeln!(told, "open: {:?}", open.iter().map(|summary| &summary.id).collect::<Vec<_>>())
        .expect("ok");
    writeln!(told, "{:?}", journal.drafts().await.expect("read")).expect("ok");
    writeln!(told, "{:?}", journal.usage(at(0)).await.expect("read")).expect("ok");
    writeln!(told, "main: {:?}", journal.by_key("main").await.expect("read")).expect("ok");
    for op in ["op", "op2", "op3", "op4", "op5"] {
        let event = journal.by_op(&op.into()).await.expect("read").expect("there");
        writeln!(told, "{op}: {} {}", event.session, event.seq).expect("ok");
    }
    for hit in journal.search("ants", 10).await.expect("searched") {
        writeln!(told, "found: {} {} {}", hit.session, hit.seq, hit.snippet).expect("ok");
    }
    let secret = store.vault().get("provider/openai").await.expect("read").expect("there");
    writeln!(told, "secret: {}", secret.expose_secret()).expect("ok");
    told
}

#[tokio::test]
async fn a_store_of_format_1_opens_for_ever() {
    let dir = tempfile::tempdir().expect("a folder");
    let fixture = include_bytes!("../../tests/fixtures/format-1.redb");
    std::fs::write(dir.path().join(paths::DATABASE), fixture).expect("written");
    put_key(dir.path());
    assert_eq!(check_offline(dir.path()).expect("checked").problems, Vec::<String>::new());
    let store = open(dir.path());
    expect_file!["../../tests/fixtures/format-1.txt"].assert_eq(&told(&store).await);
    let journal = store.journal();
    journal.append(&"fixture".into(), 14, vec![said(99, "new", "hello")]).await.expect("written");
    journal.delete(&"child".into()).await.expect("removed");
    assert_eq!(journal.check().await.expect("checked").problems, Vec::<String>::new());
}

/// Also writes the fixture, with `MOLTIS_WRITE_FIXTURE=1`: once per format, never again.
#[tokio::test]
async fn what_this_version_writes_is_told_as_the_fixture_is() {
    let dir = tempfile::tempdir().expect("a folder");
    put_key(dir.path());
    let store = open(dir.path());
    fill(&store).await;
    let backup = dir.path().join("backup");
    store.journal().backup(&backup).await.expect("written");
    store.close().await;
    if std::env::var_os("MOLTIS_WRITE_FIXTURE").is_some() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
        std::fs::copy(&backup, folder.join("format-1.redb")).expect("written");
    }
    let elsewhere = tempfile::tempdir().expect("a folder");
    restore(&backup, elsewhere.path()).expect("restored");
    put_key(elsewhere.path());
    let told = told(&open(elsewhere.path())).await;
    expect_file!["../../tests/fixtures/format-1.txt"].assert_eq(&told);
}
