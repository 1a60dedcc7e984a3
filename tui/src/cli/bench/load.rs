//! Load: durable messages, long sessions, many turns.

use std::time::{Duration, Instant};

use moltis_proto::v1::attach_response::Feed;
use moltis_proto::v1::{AttachRequest, QueueMode, StopRequest};
use tokio::task::JoinSet;

use super::figure::{Figure, Target};
use super::rig::Rig;
use super::start::milliseconds;
use super::talk;
use crate::client::{self, Client, call};

/// Messages acknowledged in a second by `writers` writers that each wait for their answer. Every
/// writer has a session of its own, in which a turn is held: its messages queue behind it, so that
/// nothing but messages is written.
pub(crate) async fn durable(rig: &Rig, writers: usize, span: Duration) -> anyhow::Result<Figure> {
    let mut tasks = JoinSet::new();
    for _ in 0..writers {
        let mut client = rig.client().await?;
        let session = held(&mut client).await?;
        tasks.spawn(async move { write_for(client, session, span).await });
    }
    let mut rate = 0.0;
    let mut sessions = Vec::new();
    while let Some(done) = tasks.join_next().await {
        let (session, each) = done??;
        rate += each;
        sessions.push(session);
    }
    release(rig, &sessions).await?;
    let figure = Figure::once(format!("durable messages, {writers} writers"), "1/s", rate);
    Ok(if writers >= 64 { figure.reach(Target::AtLeast(10_000.0)) } else { figure })
}

/// A session whose turn hangs at the provider.
async fn held(client: &mut Client) -> anyhow::Result<String> {
    let session = talk::session(client).await?;
    talk::say(client, &session, "hold", QueueMode::Followup).await?;
    Ok(session)
}

async fn write_for(
    mut client: Client,
    session: String,
    span: Duration,
) -> anyhow::Result<(String, f64)> {
    let text = "x".repeat(512);
    let begun = Instant::now();
    let mut count = 0.0;
    while begun.elapsed() < span {
        talk::say(&mut client, &session, &text, QueueMode::Collect).await?;
        count += 1.0;
    }
    Ok((session, count / begun.elapsed().as_secs_f64()))
}

async fn release(rig: &Rig, sessions: &[String]) -> anyhow::Result<()> {
    let mut client = rig.client().await?;
    for session in sessions {
        let all = StopRequest {
            op_id: client::op_id(),
            session: session.clone(),
            all: true,
            turn: String::new(),
        };
        client.caller.call(&call::STOP, &all).await?;
    }
    Ok(())
}

/// The end of a long session: what a screen shows when it is there.
pub(crate) const LAST_WORD: &str = "the-last-of-all";

/// A session of so many messages, and [`LAST_WORD`].
pub(crate) async fn long_session(rig: &Rig, messages: usize) -> anyhow::Result<String> {
    let mut client = rig.client().await?;
    let session = held(&mut client).await?;
    let mut writers = JoinSet::new();
    for writer in 0..64 {
        let (mut client, session) = (client.clone(), session.clone());
        writers.spawn(async move {
            for number in (writer..messages).step_by(64) {
                let text = format!("message {number}: **bold**, `code` and a few words of text");
                talk::say(&mut client, &session, &text, QueueMode::Collect).await?;
            }
            anyhow::Ok(())
        });
    }
    while let Some(done) = writers.join_next().await {
        done??;
    }
    talk::say(&mut client, &session, LAST_WORD, QueueMode::Collect).await?;
    release(rig, std::slice::from_ref(&session)).await?;
    Ok(session)
}

/// From `Attach` to a long session until everything that a first frame needs is there.
pub(crate) async fn attach(rig: &Rig, session: &str, times: usize) -> anyhow::Result<Figure> {
    let mut client = rig.client().await?;
    let mut samples = Vec::with_capacity(times);
    for _ in 0..times {
        let request = AttachRequest { session: session.to_owned(), after_seq: None, tail: 0 };
        let begun = Instant::now();
        let mut feed = client.sessions.attach(request).await?.into_inner();
        while let Some(next) = feed.message().await? {
            if matches!(next.feed, Some(Feed::CaughtUp(_))) {
                break;
            }
        }
        samples.push(milliseconds(begun.elapsed()));
    }
    Ok(Figure::of("attach to 10,000 messages, caught up", "ms", samples))
}

/// How the daemon's memory grows over many short turns, in kilobytes for a thousand.
pub(crate) async fn memory_slope(rig: &Rig, turns: usize) -> anyhow::Result<Vec<Figure>> {
    let process = rig.process()?;
    // The first tenth fills caches and pools; the slope is that of the rest.
    run_turns(rig, turns / 10).await?;
    let before = process.resident_mb()?;
    let begun = Instant::now();
    run_turns(rig, turns - turns / 10).await?;
    let rest = f64::from(u32::try_from(turns - turns / 10)?);
    let rate = rest / begun.elapsed().as_secs_f64();
    let slope = (process.resident_mb()? - before) * 1e3 / (rest / 1e3);
    Ok(vec![
        Figure::once(format!("memory for 1,000 more turns, over {turns}"), "kB", slope),
        Figure::once("turns through the whole loop", "1/s", rate),
    ])
}

/// Runs short turns, 16 sessions at a time, 50 turns in each.
async fn run_turns(rig: &Rig, turns: usize) -> anyhow::Result<()> {
    const SIDE_BY_SIDE: usize = 16;
    const EACH: usize = 50;
    let mut tasks = JoinSet::new();
    for index in 0..turns.div_ceil(EACH) {
        if index >= SIDE_BY_SIDE
            && let Some(done) = tasks.join_next().await
        {
            done??;
        }
        let mut client = rig.client().await?;
        tasks.spawn(async move {
            let session = talk::session(&mut client).await?;
            let mut feed = talk::follow(&mut client, &session).await?;
            for _ in 0..EACH {
                talk::say(&mut client, &session, "hello", QueueMode::Followup).await?;
                talk::turn_end(&mut feed).await?;
            }
            anyhow::Ok(())
        });
    }
    while let Some(done) = tasks.join_next().await {
        done??;
    }
    Ok(())
}
