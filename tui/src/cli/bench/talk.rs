//! Talking: what a message and a delta cost on their way through the daemon.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use moltis_proto::v1::attach_response::Feed;
use moltis_proto::v1::event::Kind;
use moltis_proto::v1::part::Part as PartKind;
use moltis_proto::v1::{
    AttachRequest, AttachResponse, CreateRequest, Part, QueueMode, SendRequest, Strand,
};
use tokio::task::JoinSet;
use tonic::Streaming;

use super::figure::{Figure, Target};
use super::rig::Rig;
use super::start::milliseconds;
use crate::client::{self, Client, call};

/// A new session.
pub(crate) async fn session(client: &mut Client) -> anyhow::Result<String> {
    let request = CreateRequest { op_id: client::op_id(), ..CreateRequest::default() };
    Ok(client.caller.call(&call::CREATE, &request).await?.id)
}

/// Says something; returns when it is on disk.
pub(crate) async fn say(
    client: &mut Client,
    session: &str,
    text: &str,
    queue: QueueMode,
) -> anyhow::Result<()> {
    let part = Part { part: Some(PartKind::Text(text.to_owned())) };
    let request = SendRequest {
        op_id: client::op_id(),
        session: session.to_owned(),
        parts: vec![part],
        queue: queue.into(),
        model: String::new(),
    };
    client.caller.call(&call::SEND, &request).await?;
    Ok(())
}

/// Follows a session from its present end.
pub(crate) async fn follow(
    client: &mut Client,
    session: &str,
) -> anyhow::Result<Streaming<AttachResponse>> {
    let request = AttachRequest { session: session.to_owned(), after_seq: None, tail: 1 };
    let mut feed = client.sessions.attach(request).await?.into_inner();
    while let Some(next) = feed.message().await? {
        if matches!(next.feed, Some(Feed::CaughtUp(_))) {
            return Ok(feed);
        }
    }
    anyhow::bail!("the feed ended before it had caught up")
}

/// Reads on until a turn has ended.
pub(crate) async fn turn_end(feed: &mut Streaming<AttachResponse>) -> anyhow::Result<()> {
    while let Some(next) = feed.message().await? {
        if let Some(Feed::Event(event)) = next.feed
            && let Some(Kind::TurnEnded(end)) = event.kind
        {
            anyhow::ensure!(end.failure.is_none(), "a turn failed: {:?}", end.failure);
            return Ok(());
        }
    }
    anyhow::bail!("the feed ended before the turn")
}

/// From the call of `Send` to the request's arrival at the provider.
pub(crate) async fn send_to_request(rig: &Rig, times: usize) -> anyhow::Result<Figure> {
    let mut client = rig.client().await?;
    let session = session(&mut client).await?;
    let mut feed = follow(&mut client, &session).await?;
    let mut samples = Vec::with_capacity(times);
    for round in 0..times + 5 {
        rig.mock.take_requests();
        let begun = Instant::now();
        say(&mut client, &session, "hello", QueueMode::Followup).await?;
        turn_end(&mut feed).await?;
        let arrived = *rig.mock.take_requests().first().context("no request came")?;
        if round >= 5 {
            samples.push(milliseconds(arrived.saturating_duration_since(begun)));
        }
    }
    Ok(Figure::of("send to request at the provider", "ms", samples).reach(Target::AtMost(10.0)))
}

/// The daemon's processor time for each delta, one client attached.
pub(crate) async fn cpu_per_delta(
    rig: &Rig,
    name: &str,
    count: u32,
    pause: Duration,
) -> anyhow::Result<Figure> {
    let mut client = rig.client().await?;
    let session = session(&mut client).await?;
    let mut feed = follow(&mut client, &session).await?;
    let process = rig.process()?;
    let before = process.cpu_us()?;
    let order = format!("stream {count} {}", pause.as_micros());
    say(&mut client, &session, &order, QueueMode::Followup).await?;
    turn_end(&mut feed).await?;
    let each = (process.cpu_us()? - before) / f64::from(count);
    Ok(Figure::once(format!("daemon CPU per delta, {name}"), "us", each)
        .reach(Target::AtMost(10.0)))
}

/// From a delta's leaving the provider to its arrival at each of `clients` clients.
pub(crate) async fn fan_out(rig: &Rig, clients: usize, deltas: usize) -> anyhow::Result<Figure> {
    let mut client = rig.client().await?;
    let session = session(&mut client).await?;
    rig.mock.take_deltas();
    let mut readers = JoinSet::new();
    for _ in 0..clients {
        let mut own = rig.client().await?;
        let mut feed = follow(&mut own, &session).await?;
        readers.spawn(async move { arrivals(&mut feed, deltas).await });
    }
    say(&mut client, &session, &format!("stream {deltas} 20000"), QueueMode::Followup).await?;
    let mut all = Vec::with_capacity(clients);
    while let Some(times) = readers.join_next().await {
        all.push(times??);
    }
    let sent = rig.mock.take_deltas();
    let samples = all
        .iter()
        .flat_map(|times| times.iter().zip(&sent))
        .map(|(arrived, sent)| milliseconds(arrived.saturating_duration_since(*sent)))
        .collect();
    Ok(Figure::of(format!("fan-out of a delta to {clients} clients"), "ms", samples))
}

/// When each of the first `deltas` six-byte deltas had arrived. Deltas may come joined together.
async fn arrivals(
    feed: &mut Streaming<AttachResponse>,
    deltas: usize,
) -> anyhow::Result<Vec<Instant>> {
    let mut times = Vec::with_capacity(deltas);
    let mut bytes = 0;
    while let Some(next) = feed.message().await? {
        match next.feed {
            Some(Feed::Delta(delta)) if delta.strand() == Strand::Text => {
                bytes += delta.text.len();
                times.resize(bytes / 6, Instant::now());
            }
            Some(Feed::Event(event)) if matches!(event.kind, Some(Kind::TurnEnded(_))) => {
                return Ok(times);
            }
            _ => {}
        }
    }
    anyhow::bail!("the feed ended before the turn")
}
