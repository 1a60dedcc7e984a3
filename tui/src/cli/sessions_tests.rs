//! Sessions as scripts and people see them.

use expect_test::expect;
use moltis_proto::v1::{self, Approval, OpenTurn, Usage};

use super::*;

fn stamp(text: &str) -> Option<prost_types::Timestamp> {
    let at: Timestamp = text.parse().unwrap();
    Some(prost_types::Timestamp { seconds: at.as_second(), nanos: at.subsec_nanosecond() })
}

fn session() -> Session {
    Session {
        id: "01abcdefghjkmnpqrstv".to_owned(),
        key: "main".to_owned(),
        title: "Planning \u{1b}[31mthe trip".to_owned(),
        agent: "moltis".to_owned(),
        last_model: "work/gpt-5".to_owned(),
        created_at: stamp("2026-11-23T10:00:00Z"),
        updated_at: stamp("2026-11-24T11:30:00.25Z"),
        messages: 4,
        last_seq: 12,
        usage: Some(Usage {
            input_tokens: 12_000,
            output_tokens: 345,
            cost_microusd: 12_300,
            ..Usage::default()
        }),
        open_turns: vec![OpenTurn { turn: "t1".to_owned(), started: true, ..OpenTurn::default() }],
        ..Session::default()
    }
}

#[test]
fn the_json_of_a_session_is_the_contract() {
    expect![[r#"
        {
          "agent": "moltis",
          "approvals": [],
          "archived": false,
          "context_tokens": 0,
          "cost_usd": 0.0123,
          "created_at": "2026-11-23T10:00:00.000Z",
          "grants": [],
          "id": "01abcdefghjkmnpqrstv",
          "key": "main",
          "last_seq": 12,
          "last_turn": null,
          "messages": 4,
          "model": "work/gpt-5",
          "parent": null,
          "parent_seq": null,
          "sensitive": false,
          "settings": {
            "approvals": null,
            "effort": null,
            "model": null,
            "mount": null,
            "network": null,
            "preset": null,
            "queue": null,
            "tree": null,
            "workspace": null
          },
          "spawned": null,
          "state": "running",
          "taint": null,
          "title": "Planning \u001b[31mthe trip",
          "tokens": {
            "input": 12000,
            "output": 345
          },
          "turns": [
            {
              "state": "running",
              "turn": "t1"
            }
          ],
          "unread": null,
          "updated_at": "2026-11-24T11:30:00.250Z",
          "waiting_for": null,
          "worktree": null
        }"#]]
    .assert_eq(&format!("{:#}", shape::session(&session())));
}

#[test]
fn a_session_that_asks_is_waiting_and_names_its_question() {
    let question = Approval { id: "a1".to_owned(), ..Approval::default() };
    let asking = Session { pending: vec![question], ..session() };
    let value = shape::session(&asking);
    assert_eq!((&value["state"], &value["waiting_for"]), (&json!("waiting"), &json!("a1")));
    assert_eq!(value["approvals"][0]["id"], "a1");
}

#[test]
fn a_list_for_people_has_no_escape_sequences() {
    let table = table(&tree(vec![session()]), "2026-11-24T12:00:00Z".parse().unwrap());
    expect![[r#"
        SESSION  TITLE              STATE    CHANGED  MESSAGES  TOKENS     COST  MODEL
        main     Planning the trip  running  29m ago         4   12.3k  $0.0123  work/gpt-5
    "#]]
    .assert_eq(&table.lay(usize::MAX, false));
}

#[test]
fn agents_stand_under_the_session_that_began_them() {
    let agent = |id: &str, parent: &str| Session {
        id: id.to_owned(),
        title: format!("task {id}"),
        spawned: Some(v1::Spawned { parent: parent.to_owned(), ..v1::Spawned::default() }),
        ..Session::default()
    };
    let other = Session { id: "other".to_owned(), title: "Another".to_owned(), ..session() };
    let parent = session().id;
    let sessions =
        vec![agent("b", "a"), other, session(), agent("a", &parent), agent("lost", "nobody")];
    let lines: Vec<String> =
        tree(sessions).iter().map(|(depth, one)| format!("{depth} {}", one.id)).collect();
    let expected = ["0 other", "0 01abcdefghjkmnpqrstv", "1 a", "2 b", "0 lost"];
    assert_eq!(lines, expected);
}

#[test]
fn the_json_of_a_find() {
    let hit = SearchHit {
        session: "01".to_owned(),
        title: "T".to_owned(),
        seq: 3,
        at: stamp("2026-11-24T12:00:00Z"),
        by_person: true,
        snippet: "…a find…".to_owned(),
        score: 1.5,
    };
    assert_eq!(
        hit_json(&hit).to_string(),
        r#"{"at":"2026-11-24T12:00:00.000Z","by":"user","score":1.5,"seq":3,"session":"01","snippet":"…a find…","title":"T"}"#
    );
}
