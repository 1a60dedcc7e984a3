//! Acting: what calls of tools cost on their way through the whole loop, and what they may not cost.
//!
//! Programs run in whatever sandbox the daemon finds. Where it finds none, the figures that need one
//! say so and have no number.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use moltis_proto::v1::attach_response::Feed;
use moltis_proto::v1::event::Kind;
use moltis_proto::v1::{
    AttachRequest, AttachResponse, QueueMode, SandboxProbeRequest, ToolFinished,
};
use serde::Deserialize;
use serde_json::json;
use tonic::Streaming;

use super::figure::{Figure, Target};
use super::rig::Rig;
use super::start::milliseconds;
use super::talk;
use crate::client::{self, Client, call};

/// Rounds of calls that are made in one turn: one fewer than a turn may have by default.
const ROUNDS: usize = 24;

/// Calls that are in flight at once; the daemon takes 128 of an answer.
const SIDE_BY_SIDE: usize = 100;

/// All figures of acting; a program prints so many `bytes`.
pub(crate) async fn figures(rig: &Rig, bytes: u64) -> anyhow::Result<Vec<Figure>> {
    let mut figures = vec![decision(rig).await?];
    figures.extend(side_by_side(rig).await?);
    let mut client = rig.client().await?;
    let probe = client.caller.call(&call::PROBE, &SandboxProbeRequest {}).await;
    let backend = probe.map_err(|failure| anyhow::anyhow!("{}", failure.message))?.backend;
    let flood = format!("{} GB printed, one never reads: memory", bytes / 1_000_000_000);
    if backend.is_empty() {
        let missing = ["exec of `true`, the whole loop", &flood];
        figures.extend(missing.map(|name| Figure::without(name, "no sandbox")));
        return Ok(figures);
    }
    figures.extend(exec(rig, &backend).await?);
    figures.push(slow_consumer(rig, flood, bytes).await?);
    Ok(figures)
}

/// The dearest of the decisions that the daemon's program times.
async fn decision(rig: &Rig) -> anyhow::Result<Figure> {
    let mut daemon = rig.home().command(&client::daemon_program()?);
    let output = daemon.args(["--policy-figures", "--json"]).output().await?;
    let document: Decisions = serde_json::from_slice(&output.stdout)
        .context("reading what `moltisd --policy-figures` says")?;
    let dearest = document.decisions.iter().map(|decision| decision.ns).fold(0.0, f64::max);
    let name = format!("policy: the dearest of {} decisions", document.decisions.len());
    ensure!(dearest > 0.0, "`moltisd --policy-figures` timed nothing");
    Ok(Figure::once(name, "us", dearest / 1e3).reach(Target::AtMost(5.0)))
}

/// What `moltisd --policy-figures` prints.
#[derive(Deserialize)]
struct Decisions {
    decisions: Vec<Decision>,
}

#[derive(Deserialize)]
struct Decision {
    /// Nanoseconds.
    ns: f64,
}

/// A warm `true` through the whole loop, and where that can be had here, what it takes without it.
async fn exec(rig: &Rig, backend: &str) -> anyhow::Result<Vec<Figure>> {
    let mut turns = Turns::begin(rig).await?;
    let order = |rounds: usize| format!("calls {rounds} 1 exec {}", json!({"command": "true"}));
    // The first makes the sandbox.
    turns.calls(&order(1), 1).await?;
    let finished = turns.calls(&order(ROUNDS), ROUNDS).await?;
    let took = finished.iter().map(took).collect::<anyhow::Result<Vec<f64>>>()?;
    let ours = Figure::of(format!("exec of `true` ({backend}), the whole loop"), "ms", took);
    if backend != "bubblewrap" {
        return Ok(vec![ours]);
    }
    let mut samples = Vec::with_capacity(ROUNDS);
    for _ in 0..ROUNDS {
        samples.push(milliseconds(bubblewrap().await?));
    }
    let own = Figure::of("bubblewrap's own `true`, for comparison", "ms", samples);
    let limit = own.p50.map(|floor| Target::AtMost(1.5 * floor));
    Ok(vec![limit.into_iter().fold(ours, Figure::reach), own])
}

/// The least that a contained `true` takes: every namespace new, the machine's files to be read.
async fn bubblewrap() -> anyhow::Result<Duration> {
    let mut command = tokio::process::Command::new("bwrap");
    command
        .args(["--unshare-all", "--die-with-parent", "--ro-bind", "/", "/", "--proc", "/proc"])
        .args(["--dev", "/dev", "sh", "-c", "true"]);
    let begun = Instant::now();
    let output = command.output().await.context("starting bubblewrap")?;
    let took = begun.elapsed();
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "bubblewrap failed: {}", said.trim());
    Ok(took)
}

/// A hundred calls of one answer: until the turn has ended, and by how much the daemon grew at most.
async fn side_by_side(rig: &Rig) -> anyhow::Result<Vec<Figure>> {
    let folder = rig.home().data_dir().join("workspace");
    std::fs::create_dir_all(&folder).context("making a workspace")?;
    let line = "A line of a file that is read from its beginning to its end.\n";
    std::fs::write(folder.join("large.txt"), line.repeat(1_000_000 / line.len()))?;
    let mut turns = Turns::begin(rig).await?;
    let order = |each| format!("calls 1 {each} read {}", json!({"file_path": "large.txt"}));
    turns.calls(&order(1), 1).await?;
    let process = rig.process()?;
    let before = process.resident_mb()?;
    process.forget_peak()?;
    let begun = Instant::now();
    turns.calls(&order(SIDE_BY_SIDE), SIDE_BY_SIDE).await?;
    let took = milliseconds(begun.elapsed());
    let grown = process.peak_mb()? - before;
    Ok(vec![
        Figure::once("100 calls of read side by side, whole turn", "ms", took),
        Figure::once("100 calls of read side by side: memory", "MB", grown),
    ])
}

/// By how much the daemon grows at most while a program prints without end and one of the clients
/// that follow it reads nothing.
async fn slow_consumer(rig: &Rig, name: String, bytes: u64) -> anyhow::Result<Figure> {
    let mut turns = Turns::begin(rig).await?;
    let order = |bytes: u64| {
        let command = format!("head -c {bytes} /dev/zero");
        format!("calls 1 1 exec {}", json!({"command": command, "timeout": 1_800}))
    };
    turns.calls(&order(1_000), 1).await?;
    let mut other = rig.client().await?;
    let request = AttachRequest { session: turns.session.clone(), after_seq: None, tail: 1 };
    let unread = other.sessions.attach(request).await?.into_inner();
    let process = rig.process()?;
    let before = process.resident_mb()?;
    process.forget_peak()?;
    turns.calls(&order(bytes), 1).await?;
    let grown = process.peak_mb()? - before;
    drop(unread);
    Ok(Figure::once(name, "MB", grown).reach(Target::AtMost(8.0)))
}

/// A session whose turns make calls.
struct Turns {
    client: Client,
    session: String,
    feed: Streaming<AttachResponse>,
}

impl Turns {
    async fn begin(rig: &Rig) -> anyhow::Result<Self> {
        let mut client = rig.client().await?;
        let session = talk::session(&mut client).await?;
        let feed = talk::follow(&mut client, &session).await?;
        Ok(Self { client, session, feed })
    }

    /// Gives the mock an order and returns its calls when the turn has ended; all of them must have
    /// been made, and well.
    async fn calls(&mut self, order: &str, count: usize) -> anyhow::Result<Vec<ToolFinished>> {
        talk::say(&mut self.client, &self.session, order, QueueMode::Followup).await?;
        let mut calls = Vec::with_capacity(count);
        while let Some(next) = self.feed.message().await? {
            let Some(Feed::Event(event)) = next.feed else { continue };
            match event.kind {
                Some(Kind::ToolFinished(call)) => {
                    ensure!(
                        call.ending == "done",
                        "`{}` {}: {:?}",
                        call.tool,
                        call.ending,
                        call.parts
                    );
                    calls.push(call);
                }
                Some(Kind::TurnEnded(end)) => {
                    ensure!(end.failure.is_none(), "a turn failed: {:?}", end.failure);
                    ensure!(calls.len() == count, "{} calls were made, not {count}", calls.len());
                    return Ok(calls);
                }
                _ => {}
            }
        }
        anyhow::bail!("the feed ended before the turn")
    }
}

/// From a call's being on disk to its end, in milliseconds.
fn took(call: &ToolFinished) -> anyhow::Result<f64> {
    let took = call.took.context("a call was made that took no time")?;
    Ok(milliseconds(Duration::try_from(took)?))
}
