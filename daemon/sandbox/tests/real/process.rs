//! Programs that go on.

use std::sync::Arc;

use async_trait::async_trait;
use moltis_core::error::Result;
use moltis_core::sandbox::{ProcessAsk, Sandbox as _};
use moltis_sandbox::Variables;
use secrecy::SecretString;

use crate::support::{Scene, engines, on_machine, run};

async fn send(scene: &Scene, name: &str, text: &str, keys: bool) {
    let ask = ProcessAsk::SendKeys { name: name.to_owned(), keys };
    scene.sandbox.process(&scene.place, run(&scene.place, text, 5), ask).await.unwrap();
}

#[tokio::test]
async fn a_program_goes_on_and_can_be_typed_into() {
    for engine in engines() {
        let scene = Scene::new(&engine);
        scene.start("chat", "while read line; do echo \"<$line>\"; done").await;
        send(&scene, "chat", "grüße; 'und' \"$HOME\";", false).await;
        send(&scene, "chat", "Enter", true).await;
        let screen = scene.until_screen("chat", "<grüße; 'und' \"$HOME\";>").await;
        assert!(screen.contains("<grüße"), "{screen}");
        send(&scene, "chat", "C-d", true).await;
        let ended = loop {
            let running = scene.sandbox.processes(&scene.place).await.unwrap();
            if running[0].exit.is_some() {
                break running;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        };
        assert_eq!((ended[0].name.as_str(), ended[0].exit), ("chat", Some(0)));
        assert!(ended[0].command.starts_with("while read"));
        // What it showed can still be read.
        assert!(scene.screen("chat").await.contains("<grüße"));
        scene.sandbox.kill(&scene.place, "chat").await.unwrap();
        assert!(scene.sandbox.processes(&scene.place).await.unwrap().is_empty());
        scene.end().await;
    }
}

#[tokio::test]
async fn killing_one_ends_all_that_it_began_and_no_other() {
    for (n, engine) in engines().into_iter().enumerate() {
        let scene = Scene::new(&engine);
        let (one, other) = (75_100 + n, 75_200 + n);
        scene
            .start("one", &format!("setsid sleep {one} & (setsid sleep {one} &) ; echo up; read x"))
            .await;
        scene.start("other", &format!("echo up; exec sleep {other}")).await;
        scene.until_screen("one", "up").await;
        scene.until_screen("other", "up").await;
        scene.sandbox.kill(&scene.place, "one").await.unwrap();
        assert!(!on_machine(&format!("sleep {one}")), "what it began runs on");
        assert!(on_machine(&format!("sleep {other}")), "the other was ended as well");
        let running = scene.sandbox.processes(&scene.place).await.unwrap();
        assert_eq!(running.len(), 1);
        assert_eq!((running[0].name.as_str(), running[0].exit), ("other", None));
        let error = scene.sandbox.kill(&scene.place, "one").await.unwrap_err();
        assert_eq!(error.code.as_str(), "not_found");
        scene.end().await;
    }
}

#[tokio::test]
async fn a_name_is_taken_once_and_must_be_one() {
    for engine in engines() {
        let scene = Scene::new(&engine);
        scene.start("one", "sleep 1000").await;
        for (name, code) in
            [("one", "conflict"), ("a b", "invalid"), ("", "invalid"), ("-t", "invalid")]
        {
            let ask = ProcessAsk::Start { name: name.to_owned() };
            let started = scene.sandbox.process(&scene.place, run(&scene.place, "x", 5), ask).await;
            assert_eq!(started.unwrap_err().code.as_str(), code, "{name}");
        }
        scene.end().await;
    }
}

struct Given;

#[async_trait]
impl Variables for Given {
    async fn variables(&self) -> Result<Vec<(String, SecretString)>> {
        let token = ("TOKEN".to_owned(), SecretString::from("s3cret value"));
        Ok(vec![token, ("not a name".to_owned(), SecretString::from("x"))])
    }
}

#[tokio::test]
async fn variables_of_the_owner_are_there_and_in_no_argument() {
    for engine in engines() {
        let scene = Scene::with(&engine, |options| options.variables = Arc::new(Given));
        assert_eq!(scene.exec("echo \"$TOKEN\"").await.stdout, "s3cret value\n");
        scene
            .start("one", "echo \"[$TOKEN]\"; cat /proc/[0-9]*/cmdline 2>/dev/null | grep -c s3[c]ret; read x")
            .await;
        let screen = scene.until_screen("one", "[s3cret value]\n").await;
        assert!(screen.contains("[s3cret value]\n0"), "{screen}");
        scene.end().await;
    }
}
