//! Finding, creating and changing sessions.

use moltis_core::assistant::{Assistant, Change, NewMessage, NewSession, Page, Selector};
use moltis_core::error::{Code, Result};
use moltis_core::id::OpId;
use moltis_core::message::Part;
use moltis_core::session::{Settings, Summary};
use moltis_testkit::provider::Script;

use crate::harness::{Home, owner};

async fn create(home: &Home, op: &str, key: Option<&str>, title: &str) -> Result<Summary> {
    let new = NewSession {
        op: OpId::from(op),
        key: key.map(str::to_owned),
        title: title.to_owned(),
        settings: Settings::default(),
    };
    home.sessions.create(&owner(), new).await
}

async fn find(home: &Home, name: &str) -> Result<Summary> {
    home.sessions.find(&owner(), &Selector::Name(name.to_owned())).await
}

#[tokio::test]
async fn a_session_is_found_by_key_id_prefix_and_title() {
    let home = Home::new().await;
    let work = create(&home, "o1", Some("work"), "Plans for Work").await.unwrap();
    assert_eq!(find(&home, "work").await.unwrap(), work);
    assert_eq!(find(&home, work.id.as_str()).await.unwrap(), work);
    assert_eq!(find(&home, &work.id.as_str()[..4]).await.unwrap(), work);
    assert_eq!(find(&home, "plans FOR work").await.unwrap(), work);
    assert_eq!(find(&home, &work.id.as_str()[..3]).await.unwrap_err().code, Code::NotFound);
}

#[tokio::test]
async fn the_nearest_names_are_told_where_nothing_is_found() {
    let home = Home::new().await;
    create(&home, "o1", Some("work"), "").await.unwrap();
    create(&home, "o2", None, "Holidays in Norway").await.unwrap();
    let hint = |error: moltis_core::Error| error.hint.unwrap_or_default();
    assert_eq!(hint(find(&home, "wrok").await.unwrap_err()), "did you mean `work`?");
    assert_eq!(
        hint(find(&home, "norway").await.unwrap_err()),
        "did you mean `Holidays in Norway`?"
    );
    assert_eq!(hint(find(&home, "zzz").await.unwrap_err()), "moltis sessions list");
}

#[tokio::test]
async fn a_title_that_several_have_names_none() {
    let home = Home::new().await;
    create(&home, "o1", None, "Same").await.unwrap();
    create(&home, "o2", None, "same").await.unwrap();
    assert_eq!(find(&home, "Same").await.unwrap_err().code, Code::Invalid);
}

#[tokio::test]
async fn main_is_there_without_being_created_and_only_once() {
    let home = Home::new().await;
    let (one, two) = tokio::join!(find(&home, "main"), find(&home, "main"));
    assert_eq!(one.unwrap().id, two.unwrap().id);
    assert_eq!(home.journal.sessions().len(), 2);
}

#[tokio::test]
async fn creating_twice_by_the_same_command_or_key_creates_once() {
    let mut home = Home::new().await;
    let one = create(&home, "o1", None, "").await.unwrap();
    let keyed = create(&home, "o2", Some("k"), "").await.unwrap();
    home.restart();
    assert_eq!(create(&home, "o1", None, "").await.unwrap().id, one.id);
    assert_eq!(create(&home, "o3", Some("k"), "").await.unwrap().id, keyed.id);
    assert_ne!(create(&home, "o4", None, "").await.unwrap().id, one.id);
    assert_eq!(one.id.as_str().len(), 20);
}

#[tokio::test]
async fn what_cannot_be_is_refused() {
    let home = Home::new().await;
    let code = |result: Result<Summary>| result.unwrap_err().code;
    assert_eq!(code(create(&home, "o1", Some("no spaces"), "").await), Code::Invalid);
    assert_eq!(code(create(&home, "o1", None, &"x".repeat(201)).await), Code::Invalid);
    for parts in [
        vec![],
        vec![Part::Text(" \n".to_owned())],
        vec![Part::Reasoning { text: "hm".to_owned(), signature: None }],
    ] {
        let message = moltis_core::assistant::NewMessage { parts, ..home.message("") };
        assert_eq!(home.try_send(message).await.unwrap_err().code, Code::Invalid);
    }
    for seq in [0, 99] {
        let fork = home.sessions.fork(&owner(), "f".into(), &home.session, seq).await;
        assert_eq!(code(fork), Code::Invalid);
    }
    let (none, page) = ("none".into(), Page::After { seq: 0, limit: 1 });
    let missing = home.sessions.history(&none, page).await.unwrap_err();
    assert_eq!(missing.code, Code::NotFound);
    assert!(home.sessions.attach(&"none".into(), moltis_core::feed::From::Seq(0)).await.is_err());
}

#[tokio::test]
async fn a_change_that_is_there_already_is_not_written_again() {
    let home = Home::new().await;
    for round in 0..2 {
        for (number, change) in [
            Change::Title("Mine".to_owned()),
            Change::Archived(true),
            Change::Settings(Settings {
                model: Some(moltis_core::models::ModelRef::new("a", "model")),
                ..Settings::default()
            }),
        ]
        .into_iter()
        .enumerate()
        {
            let op = OpId::new(format!("change-{round}-{number}"));
            home.sessions.change(&owner(), op, &home.session, change).await.unwrap();
        }
    }
    assert_eq!(home.log().len(), 4);
}

#[tokio::test]
async fn a_retried_change_does_not_undo_a_later_one() {
    let mut home = Home::new().await;
    let title = |text: &str| Change::Title(text.to_owned());
    for (op, text) in [("first", "One"), ("second", "Two")] {
        home.sessions.change(&owner(), op.into(), &home.session, title(text)).await.unwrap();
    }
    home.restart();
    let again = home.sessions.change(&owner(), "first".into(), &home.session, title("One")).await;
    assert_eq!(again.unwrap().title, "Two");
    let archive = Change::Archived(true);
    let other = home.sessions.change(&owner(), "first".into(), &home.session, archive).await;
    assert_eq!(other.unwrap_err().code, Code::Conflict, "it was another command");
}

#[tokio::test]
async fn a_command_of_one_session_does_not_answer_for_another() {
    let mut home = Home::new().await;
    home.provider.otherwise(Script::answer("A"));
    let message = home.message("U1");
    home.try_send(message.clone()).await.unwrap();
    let new = NewSession {
        op: "other".into(),
        key: None,
        title: String::new(),
        settings: Settings::default(),
    };
    home.session = home.sessions.create(&owner(), new).await.unwrap().id;
    let elsewhere = NewMessage { session: home.session.clone(), ..message };
    assert_eq!(home.try_send(elsewhere).await.unwrap_err().code, Code::Conflict);
}

#[tokio::test]
async fn a_command_that_two_sessions_get_at_once_spoils_no_other_message() {
    let mut home = Home::new().await;
    home.provider.otherwise(Script::answer("A"));
    let shared = home.message("shared");
    let first = home.session.clone();
    home.session = create(&home, "other", None, "").await.unwrap().id;
    let here = NewMessage { session: home.session.clone(), ..shared.clone() };
    let there = NewMessage { session: first, ..shared };
    let others = ["U1", "U2", "U3"].map(|text| home.message(text));
    let all = [there, here].into_iter().chain(others).map(|message| home.try_send(message));
    let answers = futures_util::future::join_all(all).await;
    assert_eq!(answers[..2].iter().filter(|answer| answer.is_ok()).count(), 1);
    assert!(answers[2..].iter().all(|answer| answer.is_ok()), "{answers:?}");
}

#[tokio::test]
async fn a_fork_has_a_name_of_its_own() {
    let home = Home::new().await;
    home.provider.otherwise(Script::answer("A"));
    home.ended(&home.send("hello").await.turn).await;
    let child = home.sessions.fork(&owner(), "f1".into(), &home.session, 5).await.unwrap();
    assert_eq!(child.title, "hello (fork)");
    assert!(!child.title_by_person);
    let grandchild = home.sessions.fork(&owner(), "f2".into(), &child.id, 3).await.unwrap();
    assert_eq!(grandchild.title, "hello (fork)");
}

#[tokio::test]
async fn a_model_of_nobody_is_refused_and_does_not_stay_with_the_session() {
    let home = Home::new().await;
    let nobody = moltis_core::models::ModelRef::new("nobody", "model");
    let message = NewMessage { model: Some(nobody.clone()), ..home.message("hi") };
    assert_eq!(home.try_send(message).await.unwrap_err().code, Code::NotFound);
    let settings = Change::Settings(Settings { model: Some(nobody), ..Settings::default() });
    let changed = home.sessions.change(&owner(), "op".into(), &home.session, settings).await;
    assert_eq!(changed.unwrap_err().code, Code::NotFound);
    assert_eq!(home.log().len(), 1);
}

#[tokio::test]
async fn a_session_whose_provider_has_gone_can_still_be_changed() {
    let home = Home::new().await;
    let model = Some(moltis_core::models::ModelRef::new("nobody", "model"));
    let gone = Settings { model, ..Settings::default() };
    let new =
        NewSession { op: "new".into(), key: None, title: String::new(), settings: gone.clone() };
    let session = home.sessions.create(&owner(), new).await.unwrap().id;
    let effort = Some(moltis_core::provider::Effort::High);
    let change = Change::Settings(Settings { effort, ..gone });
    let changed = home.sessions.change(&owner(), "effort".into(), &session, change).await;
    assert_eq!(changed.unwrap().settings.effort, effort);
}
