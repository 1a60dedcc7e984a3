//! Every configuration key has an effect that can be seen from outside: a row each.
//!
//! What the keys of `local` do needs a model, and what the limits of the sandbox do needs an engine:
//! that is tested there; their rows show that they are known to be read at the start only.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use moltis_proto::v1;
use moltis_testkit::daemon::{Daemon, Home};
use moltis_testkit::vendor::{Gate, Recorded, Reply, Vendor, openai_event};
use serde_json::json;

use crate::context::working;
use crate::spine::{history, home, main_session, message, turn_end};
use crate::worktrees::Repository;

/// What is done with a daemon that has the key set.
#[derive(Clone, Copy)]
enum Act {
    /// A message is sent and its turn ends.
    Talk,
    /// The same, in a repository with an `AGENTS.md`.
    Work,
    /// The same, with a model that calls two tools first.
    Acts,
    /// The same, with a vendor that never answers.
    TalkInVain,
    /// Messages pile up behind one that is never answered.
    Pile,
    /// The same, with a hook of the configuration, `no`, that blocks every message.
    Hook,
    /// Models are listed.
    List,
    /// The key is set again, to this value.
    Set(&'static str),
    /// A message is sent, the model makes these calls, and its turn ends.
    Call(&'static [(&'static str, &'static str)]),
    /// The sandbox is looked for.
    Probe,
    /// A session is begun in a git repository.
    Tree,
}

/// A model whose price is known: an answer may cost more than a cent.
const DEAR: (&str, &str) = ("CHAT__DEFAULT_MODEL", "test/gpt-5");

/// The key, what it and others are set to, what is done, and what must be seen then. `{vendor}` is
/// host and port of the vendor.
type Row = (&'static str, &'static [(&'static str, &'static str)], Act, &'static str);

/// A search service in the place of the vendor.
const SEARCH: &[(&str, &str)] = &[
    ("WEB__ALLOW", "{vendor}"),
    ("WEB__SEARCH", "brave"),
    ("WEB__SEARCH_KEY", "mine"),
    ("WEB__SEARCH_URL", "http://{vendor}"),
    ("WEB__SEARCH_RESULTS", "3"),
];
const SEARCHES: Act = Act::Call(&[("web_search", r#"{"query": "heron"}"#)]);

const ROWS: &[Row] = &[
    (
        "chat.default_model",
        &[("CHAT__DEFAULT_MODEL", "test/other")],
        Act::Talk,
        r#""model":"other""#,
    ),
    (
        "chat.fallbacks",
        &[
            ("PROVIDERS__DEAD__KIND", "openai"),
            ("PROVIDERS__DEAD__BASE_URL", "http://[::1]:1"),
            ("CHAT__DEFAULT_MODEL", "dead/x"),
            ("CHAT__FALLBACKS", "test/spare"),
        ],
        Act::Talk,
        r#""model":"spare""#,
    ),
    (
        "chat.effort",
        &[("CHAT__EFFORT", "low"), ("CHAT__DEFAULT_MODEL", "test/gpt-5")],
        Act::Talk,
        r#""reasoning_effort":"low""#,
    ),
    ("chat.queue", &[("CHAT__QUEUE", "collect")], Act::Talk, "queue: Collect"),
    ("chat.timeout_s", &[("CHAT__TIMEOUT_S", "1")], Act::TalkInVain, "ending: Failed"),
    ("chat.system_prompt", &[("CHAT__SYSTEM_PROMPT", "Be a cat.")], Act::Talk, "Be a cat."),
    (
        "chat.project_files",
        &[("CHAT__PROJECT_FILES", "false")],
        Act::Work,
        "told of the project: false",
    ),
    ("chat.titles", &[("CHAT__TITLES", "off")], Act::Talk, r#"title: """#),
    ("chat.max_queued", &[("CHAT__MAX_QUEUED", "1")], Act::Pile, "ResourceExhausted"),
    ("chat.compact_at", &[("CHAT__COMPACT_AT", "1")], Act::Talk, "compact_at: 1280"),
    (
        "budget.turn_tokens",
        &[("BUDGET__TURN_TOKENS", "7")],
        Act::Talk,
        "the turn's budget of 7 tokens is too small",
    ),
    (
        "budget.turn_cents",
        &[("BUDGET__TURN_CENTS", "1"), DEAR],
        Act::Talk,
        "the turn's budget of 0.01 USD is too small",
    ),
    (
        "budget.turn_calls",
        &[("BUDGET__TURN_CALLS", "1")],
        Act::Acts,
        "not done: the turn's budget of 1 calls is used up",
    ),
    (
        "budget.session_tokens",
        &[("BUDGET__SESSION_TOKENS", "7")],
        Act::Talk,
        "the session's budget of 7 tokens is too small",
    ),
    (
        "budget.session_cents",
        &[("BUDGET__SESSION_CENTS", "1"), DEAR],
        Act::Talk,
        "the session's budget of 0.01 USD is too small",
    ),
    (
        "budget.session_calls",
        &[("BUDGET__SESSION_CALLS", "1")],
        Act::Acts,
        "not done: the session's budget of 1 calls is used up",
    ),
    (
        "budget.session_minutes",
        &[("BUDGET__SESSION_MINUTES", "7")],
        Act::Talk,
        r#"span: "session", unit: "seconds", limit: 420"#,
    ),
    (
        "budget.day_tokens",
        &[("BUDGET__DAY_TOKENS", "7")],
        Act::Talk,
        "the day's budget of 7 tokens is too small",
    ),
    (
        "budget.day_cents",
        &[("BUDGET__DAY_CENTS", "1"), DEAR],
        Act::Talk,
        "the day's budget of 0.01 USD is too small",
    ),
    (
        "budget.day_calls",
        &[("BUDGET__DAY_CALLS", "1")],
        Act::Acts,
        "not done: the day's budget of 1 calls is used up",
    ),
    (
        "budget.day_minutes",
        &[("BUDGET__DAY_MINUTES", "7")],
        Act::Talk,
        r#"span: "day", unit: "seconds", limit: 420"#,
    ),
    (
        "chat.max_rounds",
        &[("CHAT__MAX_ROUNDS", "1")],
        Act::Call(&[("glob", r#"{"pattern": "*"}"#)]),
        "it went through 1 rounds of calls",
    ),
    ("chat.tools_bytes", &[("CHAT__TOOLS_BYTES", "1000")], Act::Talk, r#""tool_search""#),
    (
        "approvals.mode",
        &[("APPROVALS__MODE", "ask"), ("APPROVALS__WAIT_S", "1")],
        Act::Call(&[("write", r#"{"file_path": "a", "content": "b"}"#)]),
        "everything but looking is asked",
    ),
    (
        "approvals.allow",
        &[("APPROVALS__MODE", "on-miss"), ("APPROVALS__ALLOW", "write: a")],
        Act::Call(&[("write", r#"{"file_path": "a", "content": "b"}"#)]),
        "allowed by `write: a`",
    ),
    (
        "approvals.deny",
        &[("APPROVALS__DENY", "write: a")],
        Act::Call(&[("write", r#"{"file_path": "a", "content": "b"}"#)]),
        "the configuration forbids it: `write: a`",
    ),
    (
        "approvals.wait_s",
        &[("APPROVALS__MODE", "ask"), ("APPROVALS__WAIT_S", "1")],
        Act::Call(&[("write", r#"{"file_path": "a", "content": "b"}"#)]),
        "allowed: false",
    ),
    (
        "workspace.path",
        &[("WORKSPACE__PATH", "/etc")],
        Act::Call(&[("read", r#"{"file_path": "passwd"}"#)]),
        "root:x:0:",
    ),
    ("workspace.worktree", &[("WORKSPACE__WORKTREE", "true")], Act::Tree, "branch: \"moltis/"),
    (
        "workspace.branch_prefix",
        &[("WORKSPACE__WORKTREE", "true"), ("WORKSPACE__BRANCH_PREFIX", "agents/mine")],
        Act::Tree,
        "branch: \"agents/mine/",
    ),
    ("workspace.checkpoints_mb", &[], Act::Set("3"), "needs_restart: true"),
    (
        "sandbox.backend",
        &[("SANDBOX__BACKEND", "podman"), ("SANDBOX__SOCKET", "/nowhere")],
        Act::Probe,
        "no socket of podman",
    ),
    (
        "sandbox.backend",
        &[("SANDBOX__BACKEND", "apple-container")],
        Act::Probe,
        "Apple's `container` is not on this machine",
    ),
    ("sandbox.socket", &[], Act::Set("/run/engine.sock"), "needs_restart: true"),
    ("sandbox.image", &[], Act::Set("debian:13"), "needs_restart: true"),
    ("sandbox.packages", &[], Act::Set("git"), "needs_restart: true"),
    ("sandbox.mount", &[("SANDBOX__MOUNT", "ro")], Act::Talk, "workspace ro"),
    ("sandbox.network", &[("SANDBOX__NETWORK", "open")], Act::Talk, "network open"),
    (
        "sandbox.allow_hosts",
        &[("SANDBOX__ALLOW_HOSTS", "crates.io"), ("SANDBOX__NETWORK", "listed")],
        Act::Talk,
        "network by HTTP proxy (set in the environment) to crates.io",
    ),
    ("sandbox.memory_mb", &[], Act::Set("64"), "needs_restart: true"),
    ("sandbox.cpu_percent", &[], Act::Set("50"), "needs_restart: true"),
    ("sandbox.pids", &[], Act::Set("32"), "needs_restart: true"),
    ("sandbox.tmp_mb", &[], Act::Set("8"), "needs_restart: true"),
    ("sandbox.keep_home", &[], Act::Set("true"), "needs_restart: true"),
    (
        "web.allow",
        &[("WEB__ALLOW", "{vendor}")],
        Act::Call(&[("web_fetch", r#"{"url": "http://{vendor}/page"}"#)]),
        "A heron stands.",
    ),
    (
        "web.timeout_s",
        &[("WEB__ALLOW", "{vendor}"), ("WEB__TIMEOUT_S", "1")],
        Act::Call(&[("web_fetch", r#"{"url": "http://{vendor}/never"}"#)]),
        "took longer than 1 s",
    ),
    (
        "web.max_chars",
        &[("WEB__ALLOW", "{vendor}"), ("WEB__MAX_CHARS", "1000")],
        Act::Call(&[("web_fetch", r#"{"url": "http://{vendor}/page"}"#)]),
        "cut after 1000 characters",
    ),
    ("web.cache_s", &[], Act::Set("3"), "needs_restart: true"),
    ("web.search", SEARCH, SEARCHES, "/res/v1/web/search?q=heron"),
    ("web.search_key", SEARCH, SEARCHES, r#"("x-subscription-token", "mine")"#),
    ("web.search_url", SEARCH, SEARCHES, "/res/v1/web/search?q=heron"),
    ("web.search_results", SEARCH, SEARCHES, "count=3"),
    ("providers.*.kind", &[("PROVIDERS__TEST__KIND", "anthropic")], Act::Talk, "/messages"),
    (
        "providers.*.base_url",
        &[("PROVIDERS__TEST__BASE_URL", "http://[::1]:1/elsewhere")],
        Act::List,
        "[::1]:1/elsewhere",
    ),
    ("providers.*.api_key", &[("PROVIDERS__TEST__API_KEY", "mine")], Act::Talk, "Bearer mine"),
    (
        "providers.*.api_key_env",
        &[
            ("PROVIDERS__TEST__API_KEY", ""),
            ("PROVIDERS__TEST__API_KEY_ENV", "MOLTIS_MINE"),
            ("MINE", "of-env"),
        ],
        Act::Talk,
        "Bearer of-env",
    ),
    ("providers.*.models", &[("PROVIDERS__TEST__MODELS", "only")], Act::List, "test/only"),
    ("hook.dry_run", &[("HOOK__DRY_RUN", "true")], Act::Hook, "dry run: would block"),
    (
        "hook.disabled",
        &[("HOOK__DISABLED", "no")],
        Act::Hook,
        r#"reason: "it is disabled in the configuration""#,
    ),
    ("local.threads", &[], Act::Set("3"), "needs_restart: true"),
    ("local.idle_unload_s", &[], Act::Set("3"), "needs_restart: true"),
    ("local.max_context", &[], Act::Set("512"), "needs_restart: true"),
    ("log.level", &[("LOG__LEVEL", "debug")], Act::Talk, "DEBUG"),
    ("log.json", &[("LOG__JSON", "true")], Act::List, r#""level":"INFO""#),
];

/// A daemon with that row's settings, and everything that can be seen of what it does.
async fn seen(row: &Row) -> String {
    let (key, settings, act, _) = row;
    let vendor = match act {
        Act::TalkInVain | Act::Pile => {
            let vendor = Vendor::start().await;
            vendor.otherwise(|_| Some(Reply::sse("").after(&Gate::new())));
            vendor
        }
        Act::Talk | Act::Work | Act::Hook | Act::List | Act::Set(_) | Act::Probe | Act::Tree => {
            Vendor::openai(&["Yes."]).await
        }
        Act::Acts => {
            let vendor = Vendor::start().await;
            let models = json!({ "object": "list", "data": [{ "id": "test", "object": "model" }] });
            vendor.on("/v1/models", Reply::json(200, &models));
            vendor.script(two_calls());
            vendor.otherwise(|_| Some(Reply::openai_chat(&["Yes."])));
            vendor
        }
        Act::Call(calls) => calling(calls).await,
    };
    let address = vendor.address();
    let set = |home: Home, (name, value): &(&str, &str)| {
        home.env(&format!("MOLTIS_{name}"), &value.replace("{vendor}", &address))
    };
    let home = settings.iter().fold(home(&vendor), set);
    if matches!(act, Act::Hook) {
        let no = "[[hooks]]\nname = 'no'\nevents = ['MessageReceived']\ncommand = 'exit 1'\n";
        std::fs::write(home.config_file(), no).unwrap();
    }
    let daemon = home.start().await;
    let mut seen = String::new();
    match act {
        Act::Talk | Act::Acts | Act::TalkInVain | Act::Call(_) => talk(&daemon, &mut seen).await,
        Act::Hook => {
            talk(&daemon, &mut seen).await;
            let hooks = daemon.hooks().list(v1::ListHooksRequest::default()).await.unwrap();
            write!(seen, "{:?}", hooks.into_inner()).unwrap();
        }
        Act::Work => {
            working(&home, &daemon, &[("AGENTS.md", "Herons only.")]).await;
            talk(&daemon, &mut seen).await;
            let told =
                |asked: &Recorded| String::from_utf8_lossy(&asked.body).contains("Herons only.");
            let told = vendor.requests().iter().any(told);
            write!(seen, "told of the project: {told}").unwrap();
        }
        Act::Pile => {
            let session = main_session(&daemon).await.id;
            for op in ["1", "2", "3", "4"] {
                let sent = daemon.sessions().send(message(&session, op, "hello")).await;
                write!(seen, "{sent:?}").unwrap();
            }
        }
        Act::List => {
            let providers = daemon.providers().list(v1::ListProvidersRequest {}).await.unwrap();
            let models = daemon.models().list(v1::ListModelsRequest { refresh: false }).await;
            write!(seen, "{:?} {:?}", providers.into_inner(), models.unwrap()).unwrap();
        }
        Act::Set(value) => {
            let (key, value) = ((*key).to_owned(), (*value).to_owned());
            let change = daemon.config().set(v1::SetConfigRequest { key, value }).await.unwrap();
            write!(seen, "{:?}", change.into_inner()).unwrap();
        }
        Act::Tree => {
            // Its absence was said.
            let Some(repository) = Repository::new() else { return row.3.to_owned() };
            let new = repository.session("tree", "");
            write!(seen, "{:?}", daemon.sessions().create(new).await.unwrap()).unwrap();
        }
        Act::Probe => {
            let status = daemon.sandbox().probe(v1::SandboxProbeRequest {}).await.unwrap();
            write!(seen, "{:?}", status.into_inner()).unwrap();
        }
    }
    let asked = |Recorded { path, headers, body, .. }: &Recorded| {
        format!("\n{path} {headers:?} {}", String::from_utf8_lossy(body))
    };
    seen.extend(vendor.requests().iter().map(asked));
    seen.push_str(&std::fs::read_to_string(home.data_dir().join("logs/moltisd.log")).unwrap());
    seen
}

/// An answer that lists what the session keeps, twice.
fn two_calls() -> Reply {
    let call = |index: u32| {
        let function = json!({ "name": "session_state", "arguments": r#"{"operation":"list"}"# });
        json!({ "index": index, "id": format!("c{index}"), "type": "function", "function": function })
    };
    let calls = openai_event(&json!({ "tool_calls": [call(0), call(1)] }), None);
    let end = openai_event(&json!({}), Some("tool_calls"));
    Reply::sse(format!("{calls}{end}data: [DONE]\n\n"))
}

/// A vendor whose model makes these calls; it has pages too.
async fn calling(calls: &[(&'static str, &'static str)]) -> Vendor {
    let vendor = Vendor::calling().await;
    let page = format!("A heron stands. {}", "It waits. ".repeat(200));
    vendor.on("/page", Reply::body(200, "text/plain", page));
    vendor.on("/never", Reply::sse("").after(&Gate::new()));
    vendor.on("/res/v1/web/search", Reply::json(200, &serde_json::json!({})));
    let address = vendor.address();
    let call = |(tool, arguments): &(&'static str, &'static str)| {
        let arguments = arguments.replace("{vendor}", &address);
        (*tool, serde_json::from_str(&arguments).unwrap())
    };
    vendor.calls(&calls.iter().map(call).collect::<Vec<_>>());
    vendor
}

async fn talk(daemon: &Daemon, seen: &mut String) {
    let session = main_session(daemon).await.id;
    let sent = daemon.sessions().send(message(&session, "op", "hello")).await.unwrap().into_inner();
    turn_end(daemon, &session, &sent.turn).await;
    let protocol = v1::ProtocolVersion { major: moltis_proto::PROTOCOL_MAJOR, minor: 0 };
    let hello = v1::HelloRequest { protocol: Some(protocol), ..v1::HelloRequest::default() };
    daemon.system().hello(hello).await.unwrap();
    let context = v1::ContextRequest { session: session.clone() };
    let context = daemon.sessions().context(context).await;
    write!(seen, "{context:?}").unwrap();
    let budget = v1::BudgetRequest { session: session.clone() };
    write!(seen, "{:?}", daemon.system().read_budget(budget).await).unwrap();
    write!(seen, "{:?} {:?}", history(daemon, &session).await, main_session(daemon).await).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn every_key_has_an_effect() {
    let mut without = String::new();
    for row in ROWS {
        let seen = seen(row).await;
        if !seen.contains(row.3) {
            writeln!(without, "{} shows no {}: {seen}", row.0, row.3).unwrap();
        }
    }
    assert!(without.is_empty(), "{without}");
}

#[tokio::test]
async fn every_key_has_a_row() {
    let vendor = Vendor::openai(&[]).await;
    let daemon = home(&vendor).start().await;
    let shown = daemon.config().show(v1::ShowConfigRequest::default()).await.unwrap().into_inner();
    let known = shown.values.into_iter().map(|value| value.key.replace(".test.", ".*."));
    let known: BTreeSet<String> = known.collect();
    let rows: BTreeSet<String> = ROWS.iter().map(|row| row.0.to_owned()).collect();
    assert_eq!(known, rows);
}
