//! What the log says about hooks.

use std::fmt::{Debug, Write};
use std::sync::{Arc, Mutex};

use expect_test::{Expect, expect};
use moltis_core::hook::Point;
use serde_json::json;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use crate::home::{Home, say};

/// Keeps what this crate logs, a line for each event.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<String>>);

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        write!(self.0, " {}={value:?}", field.name()).unwrap();
    }
}

impl Subscriber for Kept {
    fn enabled(&self, about: &Metadata<'_>) -> bool {
        about.target().starts_with("moltis_hooks")
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = Line(event.metadata().level().to_string());
        event.record(&mut line);
        self.0.lock().unwrap().push_str(&(line.0 + "\n"));
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// What is logged when this command judges a tool call.
async fn check(command: &str, dry_run: bool, expect: Expect) {
    let mut home = Home::new();
    home.configure(&format!("name = 'it'\nevents = ['BeforeToolCall']\ncommand = '''{command}'''"));
    home.settings.dry_run = dry_run;
    let hookery = home.open();
    let kept = Kept::default();
    let guard = tracing::subscriber::set_default(kept.clone());
    let facts = json!({ "tool_name": "exec", "arguments": { "command": "secret" } });
    say(&hookery, Point::BeforeToolCall, facts).await;
    drop(guard);
    expect.assert_eq(&kept.0.lock().unwrap());
}

const CHANGES: &str = r#"echo '{"action":"modify","data":{"arguments":{}}}'"#;

#[tokio::test]
async fn a_dry_run_says_what_would_be_changed_or_blocked_and_no_fact() {
    check(
        "echo not here >&2; exit 1",
        true,
        expect![[r#"
        INFO message=dry run: would block hook=it event="BeforeToolCall" reason=not here
    "#]],
    )
    .await;
    check(
        CHANGES,
        true,
        expect![[r#"
        INFO message=dry run: would change hook=it event="BeforeToolCall" keys="arguments"
    "#]],
    )
    .await;
    check(CHANGES, false, expect![[r#""#]]).await;
}

#[tokio::test]
async fn a_hook_that_is_passed_over_says_so() {
    check("echo oh >&2; exit 2", false, expect![[r#"
        WARN message=a hook failed hook=it event="BeforeToolCall" why=it ended with code 2: oh left_alone=false
    "#]]).await;
}
