//! What models are told first of all, on the real daemon: its files, its prompt, what is shown of it.

use std::fs;
use std::os::unix::fs::symlink;

use moltis_proto::v1;
use moltis_testkit::daemon::{Daemon, Home};
use moltis_testkit::vendor::{Recorded, Reply, Vendor, openai_event};
use serde_json::{Value, json};

use crate::client::run;
use crate::spine::{home, main_session, message, turn_end};

/// The session `main`, working in a repository of this home that holds these files.
pub(crate) async fn working(home: &Home, daemon: &Daemon, files: &[(&str, &str)]) -> String {
    let repository = home.root().join("repository");
    fs::create_dir_all(repository.join(".git")).unwrap();
    for (name, text) in files {
        let path = repository.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let session = main_session(daemon).await;
    let workspace = repository.to_str().unwrap().to_owned();
    let settings = v1::Settings { workspace, ..session.settings.unwrap_or_default() };
    let request = v1::ConfigureRequest {
        op_id: "work".to_owned(),
        session: session.id.clone(),
        settings: Some(settings),
    };
    daemon.sessions().configure(request).await.unwrap();
    session.id
}

async fn say(daemon: &Daemon, session: &str, op: &str) {
    let sent = daemon.sessions().send(message(session, op, op)).await.unwrap().into_inner();
    assert_eq!(turn_end(daemon, session, &sent.turn).await.ending(), v1::Ending::Done);
}

/// What the vendor was told first of all, last.
fn system(vendor: &Vendor) -> String {
    let requests = vendor.requests();
    let asked = requests.iter().rfind(|asked| asked.path.ends_with("/chat/completions")).unwrap();
    let content = &asked.json()["messages"][0]["content"];
    content.as_str().map_or_else(|| content.to_string(), str::to_owned)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vendor_is_told_the_projects_files_and_a_person_sees_which() {
    let vendor = Vendor::openai(&["Yes."]).await;
    let home = home(&vendor);
    fs::create_dir_all(home.data_dir().join("agents/main")).unwrap();
    fs::write(home.data_dir().join("agents/main/SOUL.md"), "You are a heron.").unwrap();
    fs::write(home.root().join("secret"), "the secret").unwrap();
    let daemon = home.start().await;
    let long = "word ".repeat(10_000);
    let files = [("AGENTS.md", "Use tabs."), (".claude/rules/long.md", long.as_str())];
    let session = working(&home, &daemon, &files).await;
    symlink("../secret", home.root().join("repository/CLAUDE.md")).unwrap();
    say(&daemon, &session, "first").await;
    let first = system(&vendor);
    assert!(first.contains("You are a heron.") && first.contains("Use tabs."), "{first}");
    assert!(first.contains("[cut here: the file has 50000 bytes]"));
    assert!(!first.contains("the secret"), "a link leads out of the repository");
    let order = ["You are Moltis", "a heron", "path=\"AGENTS.md\"", "rules/long.md", "Today is 2"];
    assert!(order.map(|words| first.find(words)).is_sorted(), "{first}");
    say(&daemon, &session, "second").await;
    assert_eq!(system(&vendor), first, "nothing changed: not a byte differs");
    fs::write(home.root().join("repository/AGENTS.md"), "Use spaces.").unwrap();
    say(&daemon, &session, "third").await;
    assert!(system(&vendor).contains("Use spaces."));

    let shown = run(&home, &["sessions", "context", "main", "--json"]).await.json();
    let row = |one: &Value| (one["name"].as_str().unwrap().to_owned(), one["cut"] == true);
    let rows: Vec<_> = shown["fragments"].as_array().unwrap().iter().map(row).collect();
    let name = |name: &str, cut: bool| (name.to_owned(), cut);
    assert_eq!(
        rows,
        [
            name("intro", false),
            name("SOUL.md", false),
            name("AGENTS.md", false),
            name(".claude/rules/long.md", true),
            name("runtime", false),
            // The tools and the messages.
            name("", false),
            name("", false),
        ]
    );
    assert_eq!(shown["counted"], false, "ten tokens can't be the vendor's count of this");
    let table = run(&home, &["sessions", "context", "main"]).await.stdout;
    assert!(table.contains(".claude/rules/long.md (cut)"), "{table}");
    assert!(table.contains("the tokens are estimated"), "{table}");
}

/// An answer of a vendor that counts a token for every two bytes that it was sent.
fn counting(request: &Recorded) -> Reply {
    let tokens = request.body.len() / 2;
    let usage =
        json!({ "prompt_tokens": tokens, "completion_tokens": 1, "total_tokens": tokens + 1 });
    let last = json!({
        "id": "x", "object": "chat.completion.chunk", "created": 1, "model": "test",
        "choices": [], "usage": usage,
    });
    let said = openai_event(&json!({ "role": "assistant", "content": "Yes." }), None);
    let end = openai_event(&json!({}), Some("stop"));
    Reply::sse(format!("{said}{end}data: {last}\n\ndata: [DONE]\n\n"))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_vendor_counted_weighs_what_is_shown_also_after_a_restart() {
    let vendor = Vendor::start().await;
    vendor.otherwise(|request| Some(counting(request)));
    let home = home(&vendor);
    let daemon = home.start().await;
    let session = working(&home, &daemon, &[("AGENTS.md", &"word ".repeat(1_000))]).await;
    let look = async |daemon: &Daemon| {
        let request = v1::ContextRequest { session: session.clone() };
        daemon.sessions().context(request).await.unwrap().into_inner()
    };
    let tokens =
        |told: &v1::ContextResponse| -> u64 { told.fragments.iter().map(|one| one.tokens).sum() };
    let before = look(&daemon).await;
    assert!(!before.counted && tokens(&before) > 1_250, "{before:?}");
    say(&daemon, &session, "hello").await;
    let after = look(&daemon).await;
    assert!(after.counted && tokens(&after) >= 2 * tokens(&before) - 10, "{after:?}");
    assert_eq!(after.left, after.window - tokens(&after));
    daemon.kill().await;
    let daemon = home.start().await;
    assert_eq!(look(&daemon).await, after, "it follows from the log alone");
}
