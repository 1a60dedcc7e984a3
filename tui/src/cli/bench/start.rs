//! Starting: the daemon, and the commands that people wait for.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context as _;

use super::figure::{Figure, Target};
use super::mock::Mock;
use super::rig::{self, Home, Rig};

/// From exec to a socket that accepts, with a store that exists already.
pub(crate) async fn exec_to_ready(times: usize) -> anyhow::Result<Figure> {
    let mock = Mock::start().await?;
    let home = Home::new(mock.base_url())?;
    let (first, _) = home.start_daemon().await?;
    rig::stop(first).await?;
    let mut samples = Vec::with_capacity(times);
    for _ in 0..times {
        let (daemon, took) = home.start_daemon().await?;
        samples.push(milliseconds(took));
        rig::stop(daemon).await?;
    }
    Ok(Figure::of("daemon: exec to ready", "ms", samples).reach(Target::AtMost(10.0)))
}

/// Memory and wake-ups of a daemon that has nothing to do.
pub(crate) async fn idle(rig: &Rig, watched: Duration) -> anyhow::Result<Vec<Figure>> {
    let process = rig.process()?;
    // A daemon is idle once its last command is over; the pause lets that one's tail pass.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let before = process.wakeups()?;
    tokio::time::sleep(watched).await;
    let woken = process.wakeups()? - before;
    Ok(vec![
        Figure::once("daemon: idle memory", "MB", process.resident_mb()?)
            .reach(Target::AtMost(20.0)),
        Figure::once(format!("daemon: wake-ups in {} idle s", watched.as_secs()), "", woken)
            .reach(Target::AtMost(0.0)),
    ])
}

/// A scripted command, from exec to its end.
pub(crate) async fn command(
    rig: &Rig,
    arguments: &[&str],
    limit_ms: f64,
    times: usize,
) -> anyhow::Result<Figure> {
    let program = std::env::current_exe().context("finding this program")?;
    let mut samples = Vec::with_capacity(times);
    for _ in 0..times {
        samples.push(milliseconds(run(rig, &program, arguments).await?));
    }
    Ok(Figure::of(format!("moltis {}", arguments.join(" ")), "ms", samples)
        .reach(Target::AtMost(limit_ms)))
}

async fn run(rig: &Rig, program: &Path, arguments: &[&str]) -> anyhow::Result<Duration> {
    let mut command = rig.home().command(program);
    command.args(arguments).arg("--no-autostart");
    if arguments == ["--version"] {
        command = rig.home().command(program);
        command.arg("--version");
    }
    let begun = Instant::now();
    let output = command.output().await?;
    let took = begun.elapsed();
    anyhow::ensure!(
        output.status.success(),
        "`moltis {}` failed: {}",
        arguments.join(" "),
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(took)
}

/// A duration in milliseconds.
pub(crate) fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}
