//! Prints the store's figures on this machine: durable appends per second at 1 and 64 writers, the
//! list of 10,000 sessions, and opening a large store after its process was killed, which has a
//! bound.
//!
//! `cargo run --release -p moltis-store --example figures [MEBIBYTES]`; without a size the large
//! store is left out. The store is made in a temporary folder and removed afterwards.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use moltis_core::assistant::{Filter, Page};
use moltis_core::env::Env;
use moltis_core::event::{Cause, EventKind, NewEvent, Origin};
use moltis_core::id::SessionId;
use moltis_core::journal::Journal;
use moltis_core::message::Part;
use moltis_core::session::{QueueMode, Settings};
use moltis_store::Store;

type Result<T = (), E = Box<dyn std::error::Error + Send + Sync>> = std::result::Result<T, E>;

/// What opening a store of 1 GiB may take, after a kill, too.
const OPENS_WITHIN: Duration = Duration::from_millis(150);

#[derive(Default)]
struct WallEnv(AtomicU64);

impl Env for WallEnv {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn fresh_id(&self) -> String {
        format!("{:020}", self.0.fetch_add(1, Ordering::Relaxed))
    }
}

fn new(kind: EventKind) -> NewEvent {
    NewEvent {
        at: Timestamp::now(),
        turn: None,
        cause: Cause::Client("bench".into()),
        origin: Origin::Owner,
        op: None,
        kind,
    }
}

fn created() -> NewEvent {
    new(EventKind::SessionCreated {
        agent: "main".into(),
        key: None,
        settings: Settings::default(),
        spawned: None,
    })
}

fn said(op: &str, bytes: usize) -> NewEvent {
    let text = "the quick brown fox jumps over the lazy dog ";
    new(EventKind::UserMessage {
        item: op.into(),
        op: op.into(),
        parts: vec![Part::Text(text.repeat(bytes / text.len() + 1))],
        queue: QueueMode::Followup,
        model: None,
        sensitive: false,
    })
}

async fn appends(journal: &Arc<dyn Journal>, writers: usize, time: Duration) -> Result<()> {
    let mut running = tokio::task::JoinSet::new();
    let since = Instant::now();
    for writer in 0..writers {
        let journal = Arc::clone(journal);
        running.spawn(async move {
            let id = SessionId::from(format!("w{writers}x{writer}"));
            let mut waits = Vec::new();
            journal.append(&id, 0, vec![created()]).await?;
            let mut last = 1;
            while since.elapsed() < time {
                let begun = Instant::now();
                let event = said(&format!("{writers}x{writer}x{last}"), 512);
                journal.append(&id, last, vec![event]).await?;
                waits.push(begun.elapsed());
                last += 1;
            }
            Ok::<_, moltis_core::Error>(waits)
        });
    }
    let mut waits = Vec::new();
    while let Some(done) = running.join_next().await {
        waits.extend(done??);
    }
    waits.sort();
    let rate = waits.len() as f64 / since.elapsed().as_secs_f64();
    let at = |share: usize| waits.get(waits.len() * share / 100).copied().unwrap_or_default();
    println!(
        "{writers:>3} writers: {rate:>7.0} durable appends/s, p50 {:?}, p99 {:?}",
        at(50),
        at(99)
    );
    Ok(())
}

async fn lists(journal: &Arc<dyn Journal>) -> Result<()> {
    let mut running = tokio::task::JoinSet::new();
    for part in 0..64 {
        let journal = Arc::clone(journal);
        running.spawn(async move {
            for n in 0..157 {
                let id = SessionId::from(format!("list{part}x{n}"));
                journal.append(&id, 0, vec![created()]).await?;
            }
            Ok::<_, moltis_core::Error>(())
        });
    }
    while let Some(done) = running.join_next().await {
        done??;
    }
    for limit in [50, 0] {
        let since = Instant::now();
        let found = journal.list(&Filter { archived: false, limit }).await?.len();
        println!("list of {found} sessions: {:?}", since.elapsed());
    }
    Ok(())
}

/// Fills a store and waits to be killed.
async fn fill(dir: &Path, mebibytes: u64) -> Result<()> {
    let store = Store::open(dir, Arc::new(WallEnv::default()))?;
    let journal = store.journal();
    let mut running = tokio::task::JoinSet::new();
    for part in 0..16 {
        let journal = Arc::clone(&journal);
        running.spawn(async move {
            let id = SessionId::from(format!("big{part}"));
            journal.append(&id, 0, vec![created()]).await?;
            let mut last = 1;
            for _ in 0..mebibytes / 16 {
                let events: Vec<_> =
                    (0..1000).map(|n| said(&format!("{part}x{last}x{n}"), 960)).collect();
                last += events.len() as u64;
                journal.append(&id, last - 1000, events).await?;
            }
            Ok::<_, moltis_core::Error>(())
        });
    }
    while let Some(done) = running.join_next().await {
        done??;
    }
    println!("full");
    std::future::pending().await
}

async fn after_a_kill(dir: &Path, mebibytes: u64) -> Result<()> {
    use std::io::BufRead;
    let mut child = Command::new(std::env::current_exe()?)
        .args([&mebibytes.to_string(), "fill"])
        .arg(dir)
        .stdout(std::process::Stdio::piped())
        .spawn()?;
    let mut line = String::new();
    let output = child.stdout.take().ok_or("the child has no output")?;
    std::io::BufReader::new(output).read_line(&mut line)?;
    child.kill()?;
    child.wait()?;
    let size = std::fs::metadata(dir.join("moltis.redb"))?.len() >> 20;
    let since = Instant::now();
    let store = Store::open(dir, Arc::new(WallEnv::default()))?;
    let took = since.elapsed();
    let verdict = if took < OPENS_WITHIN { "under" } else { "NOT under" };
    println!("a store of {size} MiB opens after a kill in {took:?}: {verdict} {OPENS_WITHIN:?}");
    let since = Instant::now();
    let page = Page::Before { seq: u64::MAX, limit: 10_000 };
    let events = store.journal().read(&"big0".into(), page).await?.len();
    println!("its last {events} events of a session are read in {:?}", since.elapsed());
    drop(store);
    Ok(())
}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let mebibytes = arguments.first().and_then(|text| text.parse().ok());
    if let (Some(mebibytes), [_, verb, dir]) = (mebibytes, arguments.as_slice())
        && verb == "fill"
    {
        return fill(&PathBuf::from(dir), mebibytes).await;
    }
    let dir = tempfile::tempdir()?;
    let store = Store::open(&dir.path().join("small"), Arc::new(WallEnv::default()))?;
    let journal = store.journal();
    appends(&journal, 1, Duration::from_secs(2)).await?;
    appends(&journal, 64, Duration::from_secs(4)).await?;
    lists(&journal).await?;
    let since = Instant::now();
    let hits = journal.search("lazy dog", 20).await?.len();
    println!("a search with {hits} hits: {:?}", since.elapsed());
    store.close().await;
    let since = Instant::now();
    drop(Store::open(&dir.path().join("small"), Arc::new(WallEnv::default()))?);
    println!("opened and closed in {:?}", since.elapsed());
    if let Some(mebibytes) = mebibytes {
        after_a_kill(&dir.path().join("big"), mebibytes).await?;
    }
    Ok(())
}
