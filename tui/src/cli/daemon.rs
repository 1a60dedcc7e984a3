//! `moltis daemon`: start, stop, and look after moltisd.

use std::io::{Read as _, Seek as _, SeekFrom};
use std::time::Duration;

use clap::Subcommand;
use moltis_proto::v1::system_client::SystemClient;
use moltis_proto::v1::{HealthRequest, HealthResponse, LogLine, LogsRequest, ShutdownRequest};
use serde_json::{Value, json};
use tokio::time::timeout;
use tonic::{Response, Streaming};

use super::context::{Context, interrupts, time};
use super::shape;
use crate::client::{Client, EXIT_UNREACHABLE, Failure, Unit, Watch, Wire, call, daemon_program};
use crate::output::bytes;

/// How long the daemon may take to stop: its turns are ended in order.
const STOP: Duration = Duration::from_secs(30);
/// How long it may take to say that it will.
const ANSWER: Duration = Duration::from_secs(5);
/// How much of the log's file is read when the daemon does not run.
const LOG_TAIL: u64 = 1 << 20;

/// Words of `moltis daemon`.
#[derive(Clone, Copy, Debug, Subcommand)]
pub(crate) enum DaemonCommand {
    /// Start moltisd if none runs
    Start,
    /// Stop moltisd; running turns are interrupted, their text is kept
    Stop,
    /// Stop moltisd and start it again
    Restart,
    /// Say whether moltisd runs, and how it is
    Status,
    /// Print the log
    Logs {
        /// Go on with what is logged from now on
        #[arg(long, short)]
        follow: bool,
        /// Past lines
        #[arg(long, short = 'n', value_name = "N", default_value_t = 100)]
        last: u32,
    },
    /// Have systemd start moltisd at every login
    Install,
    /// Take that back
    Uninstall,
}

impl DaemonCommand {
    /// What could not be done when this fails.
    pub(super) fn purpose(&self) -> &'static str {
        match self {
            Self::Start => "cannot start moltisd",
            Self::Stop => "cannot stop moltisd",
            Self::Restart => "cannot restart moltisd",
            Self::Status => "cannot say how moltisd is",
            Self::Logs { .. } => "cannot show the log",
            Self::Install => "cannot install moltisd",
            Self::Uninstall => "cannot uninstall moltisd",
        }
    }
}

/// Does what was asked.
pub(super) async fn run(context: &Context, command: DaemonCommand) -> Result<(), Failure> {
    match command {
        DaemonCommand::Start => {
            context.connector.is_own("moltis daemon start")?;
            let client = context.connector.start().await?;
            running(context, &client)
        }
        DaemonCommand::Stop => {
            let ran = stop(context).await?;
            let line = if ran { "moltisd has stopped" } else { "moltisd was not running" };
            context.output.either(&json!({ "running": false, "was_running": ran }), line)
        }
        DaemonCommand::Restart => {
            context.connector.is_own("moltis daemon restart")?;
            stop(context).await?;
            let client = context.connector.start().await?;
            running(context, &client)
        }
        DaemonCommand::Status => status(context).await,
        DaemonCommand::Logs { follow, last } => logs(context, last, follow).await,
        DaemonCommand::Install => install(context).await,
        DaemonCommand::Uninstall => uninstall(context).await,
    }
}

fn running(context: &Context, client: &Client) -> Result<(), Failure> {
    let hello = &client.hello;
    let document = json!({
        "running": true,
        "pid": hello.pid,
        "build": hello.build,
        "socket": context.connector.socket().display().to_string(),
    });
    let line = format!("moltisd {} is running (pid {})", hello.build, hello.pid);
    context.output.either(&document, &line)
}

/// Stops a running daemon of any version and waits for its end; says whether one ran. One that does
/// not answer is sent a signal, where its process is known.
pub(super) async fn stop(context: &Context) -> Result<bool, Failure> {
    context.output.taking("moltisd is stopping", stop_in_silence(context)).await
}

async fn stop_in_silence(context: &Context) -> Result<bool, Failure> {
    let Some((mut system, pid)) = context.connector.stopper().await? else { return Ok(false) };
    let watch = pid.and_then(Watch::of);
    let hang_up = if watch.is_none() { hang_up(&mut system).await } else { None };
    match timeout(ANSWER, system.shutdown(ShutdownRequest {})).await {
        Ok(Ok(_)) => {}
        Ok(Err(status)) => {
            let failure = Failure::from(status);
            // It hung up before it had answered: it stops.
            if !failure.is_unavailable() {
                return Err(failure);
            }
        }
        Err(_) => terminate(pid)?,
    }
    let ended = match (watch, hang_up) {
        (Some(watch), _) => watch.ended(STOP).await,
        (None, Some(mut lines)) => {
            let ended = async { while let Ok(Some(_)) = lines.message().await {} };
            timeout(STOP, ended).await.is_ok()
        }
        (None, None) => true,
    };
    if ended {
        return Ok(true);
    }
    let seconds = STOP.as_secs();
    let failure = Failure::new("busy", format!("moltisd is still running after {seconds} s"));
    Err(match pid {
        Some(pid) => failure.with_hint(format!("kill -9 {pid}")),
        None => failure,
    })
}

/// A stream that ends when the daemon hangs up: for one whose process can't be watched.
async fn hang_up(system: &mut SystemClient<Wire>) -> Option<Streaming<LogLine>> {
    let lines = system.logs(LogsRequest { last: 1, follow: true });
    timeout(ANSWER, lines).await.ok()?.ok().map(Response::into_inner)
}

fn terminate(pid: Option<u32>) -> Result<(), Failure> {
    use rustix::process::{Pid, Signal, kill_process};
    let stuck = Failure::unavailable("moltisd accepts but does not answer");
    let pid = pid.and_then(|pid| i32::try_from(pid).ok()).and_then(Pid::from_raw).ok_or(stuck)?;
    let raw = pid.as_raw_nonzero();
    kill_process(pid, Signal::TERM)
        .map_err(|error| Failure::io(format!("cannot end moltisd (pid {raw})"), &error.into()))
}

async fn status(context: &Context) -> Result<(), Failure> {
    let output = &context.output;
    let socket = context.connector.socket().display().to_string();
    let Some(mut client) = context.connector.running().await? else {
        let document = json!({ "running": false, "socket": socket });
        output.either(&document, "moltisd is not running")?;
        return Err(Failure::silent(EXIT_UNREACHABLE));
    };
    let health = client.caller.call(&call::HEALTH, &HealthRequest {}).await?;
    if output.json {
        return output.json(&status_json(&health, &client.hello.build, &socket));
    }
    let fields = [
        ("moltisd", format!("{}, running", client.hello.build)),
        ("pid", health.pid.to_string()),
        ("up", duration(health.uptime_s)),
        ("memory", bytes(health.resident_bytes)),
        ("turns", format!("{} running", health.running_turns)),
        ("clients", format!("{} attached", health.attached)),
        ("socket", socket),
        ("data", health.data_dir),
        ("config", health.config_dir),
    ];
    for (name, value) in fields {
        output.line(&format!("{name:8} {value}"))?;
    }
    for trouble in health.troubles {
        output.line(&format!("trouble  {trouble}"))?;
    }
    Ok(())
}

fn status_json(health: &HealthResponse, build: &str, socket: &str) -> Value {
    json!({
        "running": true,
        "pid": health.pid,
        "build": build,
        "uptime_s": health.uptime_s,
        "resident_bytes": health.resident_bytes,
        "running_turns": health.running_turns,
        "attached": health.attached,
        "troubles": health.troubles,
        "socket": socket,
        "data_dir": health.data_dir,
        "config_dir": health.config_dir,
    })
}

fn duration(seconds: u64) -> String {
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds}s"),
        (0, 0, _) => format!("{minutes}m {}s", seconds % 60),
        (0, ..) => format!("{hours}h {minutes}m"),
        _ => format!("{days}d {hours}h"),
    }
}

async fn logs(context: &Context, last: u32, follow: bool) -> Result<(), Failure> {
    let Some(mut client) = context.connector.running().await? else {
        if follow || context.connector.is_own("moltis daemon logs").is_err() {
            return Err(
                Failure::unavailable("moltisd is not running").with_hint("moltis daemon start")
            );
        }
        return stored_logs(context, last);
    };
    let request = LogsRequest { last, follow };
    let mut lines = client.system.logs(request).await?.into_inner();
    let mut interrupt = interrupts()?;
    loop {
        let line = tokio::select! {
            line = lines.message() => line?,
            _ = interrupt.recv() => return Ok(()),
        };
        let Some(line) = line else { return Ok(()) };
        show_line(context, &line)?;
    }
}

fn show_line(context: &Context, line: &LogLine) -> Result<(), Failure> {
    let document = json!({
        "at": shape::at(line.at),
        "level": line.level,
        "target": line.target,
        "text": line.text,
    });
    let text = format!("{:.3} {:5} {}: {}", time(line.at), line.level, line.target, line.text);
    context.output.either(&document, &text)
}

/// The end of the log's file, for when nobody can be asked.
fn stored_logs(context: &Context, last: u32) -> Result<(), Failure> {
    let path = context.connector.data_dir().join("logs").join("moltisd.log");
    let failed =
        |error: std::io::Error| Failure::io(format!("cannot read `{}`", path.display()), &error);
    let mut file = std::fs::File::open(&path).map_err(failed)?;
    let length = file.metadata().map_err(failed)?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(LOG_TAIL))).map_err(failed)?;
    let mut bytes = Vec::new();
    file.take(LOG_TAIL).read_to_end(&mut bytes).map_err(failed)?;
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().collect();
    let last = usize::try_from(last).unwrap_or(usize::MAX);
    for line in lines.iter().skip(lines.len().saturating_sub(last)) {
        if context.output.json {
            context.output.json(&stored_line(line))?;
        } else {
            context.output.line(line)?;
        }
    }
    Ok(())
}

/// A line of the file, which is text or JSON, in the shape of those that the daemon tells.
fn stored_line(line: &str) -> Value {
    let shape = |at: &str, level: &str, target: &str, text: &str| json!({ "at": at, "level": level, "target": target, "text": text });
    if let Ok(Value::Object(said)) = serde_json::from_str(line) {
        let field = |name: &str| said.get(name).and_then(Value::as_str).unwrap_or_default();
        let fields = said.get("fields").map(Value::to_string).unwrap_or_default();
        let text = format!("{} {fields}", field("message"));
        return shape(field("at"), field("level"), field("target"), text.trim_end());
    }
    let parts = line.split_once(' ').and_then(|(at, rest)| {
        let (level, rest) = rest.trim_start().split_once(' ')?;
        let (target, text) = rest.trim_start().split_once(": ")?;
        Some(shape(at, level, target, text))
    });
    parts.unwrap_or_else(|| shape("", "", "", line))
}

async fn install(context: &Context) -> Result<(), Failure> {
    if !cfg!(target_os = "linux") {
        return Err(Failure::new("failed", "only systemd is supported")
            .with_hint("`moltis` starts moltisd whenever it needs it"));
    }
    context.connector.is_own("moltis daemon install")?;
    let program = daemon_program().map_err(|failure| failure.with_exit(1))?;
    let unit = Unit::of(&program, &context.connector);
    unit.is_free()?;
    unit.write()?;
    if let Err(failure) = enable(context, &unit).await {
        unit.remove()?;
        return Err(failure.with_hint("`moltis` starts moltisd whenever it needs it"));
    }
    let path = unit.path().display().to_string();
    let line = format!("{path} is enabled: moltisd starts at every login");
    context.output.either(&json!({ "unit": path, "enabled": true }), &line)?;
    context.output.note("`loginctl enable-linger` lets it run while nobody is logged in");
    let unseen: Vec<String> =
        std::env::vars_os().filter_map(|(name, _)| name.into_string().ok()).collect();
    let unseen: Vec<&str> = unseen.iter().map(String::as_str).filter(is_for_daemon).collect();
    if !unseen.is_empty() {
        let names = unseen.join(" ");
        context.output.note(&format!(
            "systemd's moltisd does not see {names} of this shell; \
             `moltis providers login NAME` stores a key"
        ));
    }
    Ok(())
}

/// Hands the daemon over to systemd. Two can't hold one directory, so the one that runs makes room;
/// when systemd then does not take it, it comes back.
async fn enable(context: &Context, unit: &Unit) -> Result<(), Failure> {
    // Without systemd this fails first, while the daemon still runs.
    unit.reload().await?;
    let ran = stop(context).await?;
    let enabled = unit.enable().await;
    if enabled.is_err() && ran {
        unit.remove()?;
        context.connector.start().await?;
    }
    enabled
}

/// Whether the daemon reads a variable of that name: a vendor's key or address, or one of ours.
fn is_for_daemon(name: &&str) -> bool {
    let places = ["MOLTIS_CONFIG_DIR", "MOLTIS_DATA_DIR", "MOLTIS_SOCKET"];
    name.ends_with("_API_KEY")
        || name.ends_with("_BASE_URL")
        || name.starts_with("MOLTIS_") && !places.contains(name)
}

async fn uninstall(context: &Context) -> Result<(), Failure> {
    context.connector.is_own("moltis daemon uninstall")?;
    let program = daemon_program().unwrap_or_else(|_| "moltisd".into());
    let unit = Unit::of(&program, &context.connector);
    let path = unit.path().display().to_string();
    if unit.path().exists() {
        if !unit.is_ours() {
            let failure = Failure::new("conflict", format!("`{path}` is not of moltis' making"));
            return Err(failure.with_hint("remove it by hand"));
        }
        if let Err(failure) = unit.disable().await {
            context.output.note(&failure.message);
        }
    }
    let removed = unit.remove()?;
    if removed && let Err(failure) = unit.reload().await {
        context.output.note(&failure.message);
    }
    let line =
        if removed { format!("{path} is removed") } else { "nothing was installed".to_owned() };
    context.output.either(&json!({ "unit": path, "removed": removed }), &line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stored_line_has_the_shape_of_a_told_one() {
        let expected = json!({ "at": "2026-11-26T16:00:00Z", "level": "INFO", "target": "moltisd", "text": "ready pid=3" });
        assert_eq!(stored_line("2026-11-26T16:00:00Z INFO  moltisd: ready pid=3"), expected);
        let told = json!({ "at": "2026-11-26T16:00:00Z", "level": "INFO", "target": "moltisd", "message": "ready", "fields": { "pid": 3 } });
        assert_eq!(stored_line(&told.to_string())["text"], "ready {\"pid\":3}");
        assert_eq!(stored_line("half a")["text"], "half a");
    }

    #[test]
    fn spans_have_two_units_at_most() {
        assert_eq!([5, 65, 3_700, 90_000].map(duration), ["5s", "1m 5s", "1h 1m", "1d 1h"]);
    }
}
