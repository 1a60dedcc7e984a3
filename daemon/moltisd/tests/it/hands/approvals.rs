//! Questions that wait for a person, and what an answer does.

use std::fs;

use moltis_proto::v1;
use moltis_proto::v1::event::Kind;
use serde_json::json;

use super::Scene;
use crate::client::run;
use crate::spine::{history, turn_end};

const ASKS: &[(&str, &str)] = &[("APPROVALS__MODE", "ask")];

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_waits_survives_a_crash_and_is_made_once_when_it_is_allowed() {
    let mut scene = Scene::new(ASKS).await;
    let file = scene.workspace().join("birds.md");
    scene.vendor.calls(&[("write", json!({"file_path": "birds.md", "content": "A heron."}))]);
    let turn = scene.send("go").await;
    let question = scene.questions(1).await.remove(0);
    assert_eq!((question.tool.as_str(), question.subject.as_str()), ("write", "birds.md"));
    let other = v1::Approval { digest: "0".repeat(64), ..question.clone() };
    scene.answer("wrong", &other, true).await.unwrap_err();
    assert!(!file.exists(), "nobody allowed it");

    scene.daemon.kill().await;
    scene.daemon = scene.home.start().await;
    assert_eq!(scene.waiting().await, std::slice::from_ref(&question));
    assert!(!file.exists(), "nobody allowed it");
    let answered = scene.answer("right", &question, true).await.unwrap();
    let end = turn_end(&scene.daemon, &scene.session, &turn).await;
    assert_eq!(end.ending(), v1::Ending::Done, "{end:?}");
    assert_eq!(fs::read_to_string(&file).unwrap(), "A heron.");
    assert!(scene.told()[0].contains("made `birds.md`"), "{:?}", scene.told());

    fs::remove_file(&file).unwrap();
    let again = scene.answer("right", &question, true).await.unwrap();
    assert_eq!(again, answered, "a retry is the same command");
    scene.answer("more", &question, true).await.unwrap_err();
    assert!(!file.exists(), "it was done once");
    let started = |event: &v1::Event| matches!(event.kind, Some(Kind::ToolStarted(_)));
    let events = history(&scene.daemon, &scene.session).await;
    assert_eq!(events.iter().filter(|event| started(event)).count(), 1);
    assert_eq!(scene.endings("write").await, ["done"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_answers_by_command() {
    let scene = Scene::new(ASKS).await;
    let write = |file: &str| ("write", json!({"file_path": file, "content": "A heron.", }));
    scene.vendor.calls(&[write("first.md"), write("second.md")]);
    let turn = scene.send("go").await;
    scene.questions(2).await;
    let listed = run(&scene.home, &["approvals", "--json"]).await.json();
    let id = |file: &str| {
        let rows = listed.as_array().unwrap();
        let row = rows.iter().find(|row| row["subject"] == file).unwrap();
        row["id"].as_str().unwrap().to_owned()
    };
    let ran = run(&scene.home, &["approve", &id("first.md"), "--digest", &"0".repeat(64)]).await;
    assert_eq!(ran.code, Some(1), "another digest: {ran:?}");
    let ran = run(&scene.home, &["approve", &id("first.md")]).await;
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let ran = run(&scene.home, &["deny", &id("second.md"), "--reason", "No storks."]).await;
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let end = turn_end(&scene.daemon, &scene.session, &turn).await;
    assert_eq!(end.ending(), v1::Ending::Done, "{end:?}");
    assert!(scene.workspace().join("first.md").exists());
    assert!(!scene.workspace().join("second.md").exists());
    let told = scene.told();
    assert!(told[1].contains("No storks."), "the model is told why: {told:?}");
    assert_eq!(scene.endings("write").await.len(), 2);
}
