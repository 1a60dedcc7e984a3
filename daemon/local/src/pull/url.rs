//! A model straight from the web, going on where an earlier pull stopped.

use std::io::SeekFrom;
use std::time::Duration;

use futures_util::StreamExt;
use moltis_net::{Request, Response, Timeouts};
use tokio::fs::{File, OpenOptions};
use tokio::io::{AsyncSeekExt, AsyncWriteExt};

use super::steps::Progress;
use super::{Miss, Puller, room_for, storage, verify};
use crate::catalog::Entry;

const TIMEOUTS: Timeouts =
    Timeouts { first_byte: Duration::from_secs(20), idle: Duration::from_secs(30) };

/// How often a connection that breaks is made again, while each brings more.
const MOST_RESUMES: u32 = 3;

/// Fetches the part and verifies it; gives where it came from.
pub(super) async fn fetch(
    puller: &Puller,
    entry: &'static Entry,
    url: &str,
    progress: &Progress,
) -> Result<String, Miss> {
    let disk = |error: std::io::Error| Miss::Final(storage("write the model", &error));
    let path = puller.shelf.part(entry.name);
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path)
        .await
        .map_err(disk)?;
    let mut have = file.metadata().await.map_err(disk)?.len();
    if have > entry.bytes {
        file.set_len(0).await.map_err(disk)?;
        have = 0;
    }
    room_for(&puller.shelf, entry.bytes - have).map_err(Miss::Final)?;
    let mut resumes = 0;
    while have < entry.bytes {
        let response = ask(puller, entry, url, have).await?;
        let start = response.starts_at().filter(|start| *start <= have).ok_or_else(|| {
            Miss::Elsewhere(format!("{} sent another part than was asked for", response.host()))
        })?;
        file.set_len(start).await.map_err(disk)?;
        file.seek(SeekFrom::Start(start)).await.map_err(disk)?;
        let result = receive(response, &mut file, start, entry, progress).await;
        // What arrived before a failure is what is gone on from, now or by the next pull.
        file.flush().await.map_err(disk)?;
        let before = std::mem::replace(&mut have, file.metadata().await.map_err(disk)?.len());
        match result {
            Err(Miss::Elsewhere(reason)) if have > before && resumes < MOST_RESUMES => {
                tracing::info!(model = entry.name, reason, have, "a download goes on");
                resumes += 1;
            }
            result => result?,
        }
    }
    file.sync_all().await.map_err(disk)?;
    drop(file);
    verify(&puller.shelf, entry, progress).await?;
    Ok(url.to_owned())
}

async fn ask(puller: &Puller, entry: &Entry, url: &str, have: u64) -> Result<Response, Miss> {
    let mut request = Request::get(url).timeouts(TIMEOUTS).body_cap(entry.bytes);
    if have > 0 {
        request = request.range_from(have);
    }
    let response =
        puller.client.send(request).await.map_err(|error| Miss::Elsewhere(error.to_string()))?;
    if !response.is_success() {
        let (host, status) = (response.host(), response.status());
        return Err(Miss::Elsewhere(format!("{host} answered with HTTP {status}")));
    }
    let start = response.starts_at().unwrap_or(0);
    if response.content_length().is_some_and(|length| start + length != entry.bytes) {
        let host = response.host();
        return Err(Miss::Elsewhere(format!("{host} has a file of another size")));
    }
    Ok(response)
}

async fn receive(
    response: Response,
    file: &mut File,
    start: u64,
    entry: &Entry,
    progress: &Progress,
) -> Result<(), Miss> {
    let host = response.host().to_owned();
    let mut body = response.into_body();
    let mut have = start;
    progress.report("downloading", have, entry.bytes);
    while let Some(piece) = body.next().await {
        let piece = piece.map_err(|error| Miss::Elsewhere(error.to_string()))?;
        have += piece.len() as u64;
        if have > entry.bytes {
            return Err(Miss::Elsewhere(format!("{host} sent more than the model has")));
        }
        file.write_all(&piece)
            .await
            .map_err(|error| Miss::Final(storage("write the model", &error)))?;
        progress.report("downloading", have, entry.bytes);
    }
    if have < entry.bytes {
        return Err(Miss::Elsewhere(format!("{host} ended in the middle of the model")));
    }
    Ok(())
}
