//! `moltis doctor`: is everything in order, and what mends it.
//!
//! Works without a daemon and starts none. A check never fails the others; the command fails when
//! one of them has.

mod hands;

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::Duration;

use moltis_proto::v1::{
    CatalogRequest, CheckRequest, HealthRequest, ListModelsRequest, ListProvidersRequest,
};
use serde_json::{Value, json};
use tokio::time::timeout;

use super::context::Context;
use super::offline;
use crate::client::{Client, Failure, call, daemon_program};
use crate::output::{Tint, bytes};

/// How long one question to the daemon may take: vendors may be asked for their models.
const PATIENCE: Duration = Duration::from_secs(10);
/// Less room than this is worth a word.
const LITTLE_ROOM: u64 = 1 << 30;
/// With less room than this nothing can be stored soon.
const NO_ROOM: u64 = 64 << 20;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Ok,
    Warn,
    Fail,
}

impl State {
    fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "fail",
        }
    }
}

/// What one check found.
#[derive(Debug)]
struct Finding {
    check: &'static str,
    state: State,
    detail: String,
    hint: Option<String>,
}

impl Finding {
    fn ok(check: &'static str, detail: impl Into<String>) -> Self {
        Self { check, state: State::Ok, detail: detail.into(), hint: None }
    }

    fn warn(check: &'static str, detail: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { check, state: State::Warn, detail: detail.into(), hint: Some(hint.into()) }
    }

    fn fail(check: &'static str, detail: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { check, state: State::Fail, detail: detail.into(), hint: Some(hint.into()) }
    }

    fn failed(check: &'static str, failure: Failure) -> Self {
        Self { check, state: State::Fail, detail: failure.message, hint: failure.hint }
    }

    fn json(&self) -> Value {
        json!({
            "check": self.check,
            "state": self.state.name(),
            "detail": self.detail,
            "hint": self.hint,
        })
    }
}

/// Checks everything, prints each finding as soon as it is there.
pub(super) async fn run(context: &Context) -> Result<(), Failure> {
    let mut report = Report { context, findings: Vec::new() };
    let connector = &context.connector;
    report.add(directory("data", connector.data_dir(), "moltis daemon start"))?;
    report.add(directory("config", connector.config_dir(), "moltis daemon start"))?;
    for finding in configuration(context).await {
        report.add(finding)?;
    }
    report.add(room(connector.data_dir()))?;
    report.add(match daemon_program() {
        Ok(program) => Finding::ok("program", program.display().to_string()),
        Err(failure) => Finding::failed("program", failure),
    })?;
    match connector.running().await {
        Ok(Some(client)) => Box::pin(with_daemon(&mut report, client)).await?,
        Ok(None) => {
            let detail = format!("not running at `{}`", connector.socket().display());
            report.add(Finding::warn("daemon", detail, "moltis daemon start"))?;
            report.add(stored(connector.data_dir()))?;
        }
        Err(failure) => report.add(Finding::failed("daemon", failure))?,
    }
    for finding in terminal() {
        report.add(finding)?;
    }
    report.end()
}

struct Report<'a> {
    context: &'a Context,
    findings: Vec<Finding>,
}

impl Report<'_> {
    fn add(&mut self, finding: Finding) -> Result<(), Failure> {
        let output = &self.context.output;
        if !output.json {
            let tint = match finding.state {
                State::Ok => Tint::Good,
                State::Warn => Tint::Careful,
                State::Fail => Tint::Bad,
            };
            let mark = output.tint(&format!("{:4}", finding.state.name()), tint);
            output.raw(&format!("{mark}  "))?;
            output.line(&format!("{:10} {}", finding.check, finding.detail))?;
            if let Some(hint) = &finding.hint {
                output.line(&format!("      hint: {hint}"))?;
            }
        }
        self.findings.push(finding);
        Ok(())
    }

    fn end(self) -> Result<(), Failure> {
        if self.context.output.json {
            let all = self.findings.iter().map(Finding::json).collect();
            self.context.output.json(&Value::Array(all))?;
        }
        let failed = self.findings.iter().any(|finding| finding.state == State::Fail);
        // Each finding has its own hint: there is no more to say.
        if failed { Err(Failure::silent(1)) } else { Ok(()) }
    }
}

fn directory(check: &'static str, path: &Path, hint: &str) -> Finding {
    let shown = path.display();
    match std::fs::metadata(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            Finding::warn(check, format!("`{shown}` is not there yet"), hint)
        }
        Err(error) => Finding::failed(check, Failure::io(format!("`{shown}`"), &error)),
        Ok(metadata) if !metadata.is_dir() => {
            Finding::fail(check, format!("`{shown}` is not a directory"), "move it away")
        }
        Ok(metadata) if metadata.uid() != rustix::process::geteuid().as_raw() => Finding::fail(
            check,
            format!("`{shown}` belongs to user {}", metadata.uid()),
            format!("chown it to you, or use --{check}-dir"),
        ),
        Ok(metadata) if check == "data" && metadata.mode() & 0o077 != 0 => Finding::warn(
            check,
            format!("`{shown}` can be read by others (mode {:03o})", metadata.mode() & 0o777),
            format!("chmod 700 {shown}"),
        ),
        Ok(metadata) if metadata.mode() & 0o022 != 0 => Finding::warn(
            check,
            format!("`{shown}` can be written by others (mode {:03o})", metadata.mode() & 0o777),
            format!("chmod go-w {shown}"),
        ),
        Ok(_) => Finding::ok(check, shown.to_string()),
    }
}

async fn configuration(context: &Context) -> Vec<Finding> {
    let checked = match offline::check_config(&context.connector).await {
        Ok(checked) => checked,
        Err(failure) => return vec![Finding::failed("settings", failure)],
    };
    if checked.problems.is_empty() {
        let path = context.connector.config_dir().join("moltis.toml");
        return vec![if path.exists() {
            Finding::ok("settings", path.display().to_string())
        } else {
            Finding::ok("settings", "no file: the defaults and the environment hold")
        }];
    }
    let finding = |problem: &offline::Problem| {
        let hint = problem.hint().unwrap_or("moltis config edit");
        let as_bad = if problem.is_error() { Finding::fail } else { Finding::warn };
        as_bad("settings", problem.line(), hint.to_owned())
    };
    checked.problems.iter().map(finding).collect()
}

fn room(data_dir: &Path) -> Finding {
    let existing = data_dir.ancestors().find(|path| path.exists()).unwrap_or(Path::new("/"));
    let free = match rustix::fs::statvfs(existing) {
        Ok(numbers) => numbers.f_bavail.saturating_mul(numbers.f_frsize),
        Err(error) => {
            let error = Failure::io("cannot see how much room there is", &error.into());
            return Finding::failed("disk", error);
        }
    };
    let detail = format!("{} free", bytes(free));
    match free {
        ..NO_ROOM => Finding::fail("disk", detail, "make room: nothing can be stored soon"),
        NO_ROOM..LITTLE_ROOM => Finding::warn("disk", detail, "make room"),
        _ => Finding::ok("disk", detail),
    }
}

fn stored(data_dir: &Path) -> Finding {
    let path = data_dir.join("moltis.redb");
    match std::fs::metadata(&path) {
        Ok(metadata) => {
            Finding::ok("store", format!("{} (`moltis fsck` checks it)", bytes(metadata.len())))
        }
        Err(_) => Finding::ok("store", "none yet"),
    }
}

async fn with_daemon(report: &mut Report<'_>, mut client: Client) -> Result<(), Failure> {
    let (build, own) = (client.hello.build.clone(), env!("CARGO_PKG_VERSION"));
    let detail = format!("{build} (pid {})", client.hello.pid);
    report.add(if build == own {
        Finding::ok("daemon", detail)
    } else {
        let detail = format!("{detail}, but this moltis is {own}");
        Finding::warn("daemon", detail, "moltis daemon restart")
    })?;
    match client.caller.call(&call::HEALTH, &HealthRequest {}).await {
        Ok(health) => {
            for trouble in health.troubles {
                report.add(Finding::warn("trouble", trouble, "moltis daemon logs"))?;
            }
        }
        Err(failure) => report.add(Finding::failed("daemon", failure))?,
    }
    report.add(providers(&mut client).await)?;
    report.add(default_model(&mut client).await)?;
    report.add(local_model(&mut client).await)?;
    for finding in hands::sandbox(&mut client).await {
        report.add(finding)?;
    }
    for finding in hands::hooks(&mut client).await {
        report.add(finding)?;
    }
    report.add(store(&mut client).await)
}

async fn providers(client: &mut Client) -> Finding {
    let list = match client.caller.call(&call::PROVIDERS, &ListProvidersRequest {}).await {
        Ok(list) => list.providers,
        Err(failure) => return Finding::failed("providers", failure),
    };
    let ready: Vec<&str> = list.iter().filter(|p| p.ready).map(|p| p.name.as_str()).collect();
    let troubled = list.iter().find(|provider| !provider.trouble.is_empty());
    match (ready.as_slice(), troubled) {
        ([], _) => Finding::warn(
            "providers",
            "none is set up",
            "moltis providers login NAME, or moltis models list --catalog",
        ),
        (_, Some(troubled)) => {
            let detail = format!("{}: {}", troubled.name, troubled.trouble);
            Finding::warn("providers", detail, "moltis providers status")
        }
        (ready, None) => Finding::ok("providers", ready.join(" ")),
    }
}

async fn default_model(client: &mut Client) -> Finding {
    let request = ListModelsRequest { refresh: false };
    match timeout(PATIENCE, client.caller.call(&call::MODELS, &request)).await {
        Err(_) => Finding::warn("model", "the vendors take long to list theirs", "try again"),
        Ok(Err(failure)) => Finding::failed("model", failure),
        Ok(Ok(list)) => match list.failures.first() {
            _ if list.default.is_empty() => {
                Finding::warn("model", "none is chosen", "moltis models default MODEL")
            }
            Some(failure) => Finding::warn(
                "model",
                format!("{} does not list its models: {}", failure.provider, failure.reason),
                "moltis providers status",
            ),
            None => Finding::ok("model", list.default),
        },
    }
}

async fn local_model(client: &mut Client) -> Finding {
    match client.caller.call(&call::CATALOG, &CatalogRequest {}).await {
        Err(failure) => Finding::failed("local", failure),
        Ok(catalog) => {
            let catalog = catalog.models;
            let here: Vec<&str> =
                catalog.iter().filter(|m| m.installed).map(|m| m.name.as_str()).collect();
            let starter = catalog.iter().find(|model| model.starter);
            match (here.as_slice(), starter) {
                ([], Some(starter)) => Finding::ok(
                    "local",
                    format!("no model on this machine (`moltis models pull {}`)", starter.name),
                ),
                ([], None) => Finding::ok("local", "no model on this machine"),
                (here, _) => Finding::ok("local", here.join(" ")),
            }
        }
    }
}

async fn store(client: &mut Client) -> Finding {
    match timeout(PATIENCE, client.caller.call(&call::CHECK, &CheckRequest {})).await {
        Err(_) => Finding::warn("store", "too large to be checked at once", "moltis fsck"),
        Ok(Err(failure)) => Finding::failed("store", failure),
        Ok(Ok(report)) => match report.problems.first() {
            Some(problem) => Finding::fail("store", problem, "moltis fsck"),
            None => Finding::ok(
                "store",
                format!("{} sessions, {} events", report.sessions, report.events),
            ),
        },
    }
}

fn terminal() -> Vec<Finding> {
    let get = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let mut findings = Vec::new();
    findings.push(match get("TERM").as_deref() {
        None | Some("dumb") => {
            let detail = "TERM is not set: the full-screen chat can't be shown";
            Finding::warn("terminal", detail, "use a terminal, or `moltis send`")
        }
        Some(term) => Finding::ok("terminal", format!("{term}, {}", colors(term, &get))),
    });
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].iter().find_map(|name| get(name));
    let locale = locale.unwrap_or_default();
    let utf8 = locale.to_lowercase().replace('-', "").contains("utf8");
    findings.push(if utf8 {
        Finding::ok("locale", locale)
    } else {
        let shown = if locale.is_empty() { "not set".to_owned() } else { locale };
        Finding::warn("locale", format!("{shown}: not UTF-8"), "export LANG=C.UTF-8")
    });
    if get("TMUX").is_some() {
        findings.push(match get("TERM").as_deref() {
            Some(term) if term.starts_with("tmux") || term.starts_with("screen") => {
                Finding::ok("tmux", "inside tmux")
            }
            _ => Finding::warn(
                "tmux",
                "inside tmux, but TERM is not tmux's",
                "in tmux.conf: set -g default-terminal tmux-256color",
            ),
        });
    }
    findings
}

fn colors(term: &str, get: &impl Fn(&str) -> Option<String>) -> &'static str {
    let truecolor = get("COLORTERM").is_some_and(|it| it == "truecolor" || it == "24bit");
    if get("NO_COLOR").is_some() {
        "colors switched off by NO_COLOR"
    } else if truecolor || term.ends_with("-direct") {
        "16 million colors"
    } else if term.contains("256color") {
        "256 colors"
    } else {
        "16 colors"
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_directory_that_others_read_is_worth_a_word() {
        let dir = tempfile::tempdir().unwrap();
        let mode = |mode| std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(dir.path(), mode(0o700)).unwrap();
        assert_eq!(directory("data", dir.path(), "").state, State::Ok);
        std::fs::set_permissions(dir.path(), mode(0o755)).unwrap();
        let finding = directory("data", dir.path(), "");
        assert_eq!(finding.state, State::Warn);
        assert!(finding.hint.unwrap().starts_with("chmod 700 "));
        assert_eq!(directory("data", &dir.path().join("no"), "x").state, State::Warn);
    }
}
