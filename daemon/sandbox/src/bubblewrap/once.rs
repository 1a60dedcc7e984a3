//! A program that runs to its end.
//!
//! Not here: the way into the sandbox, and what is kept of the output. The invariant: when an exit is
//! told, nothing that the program started runs any more.

use std::time::Duration;

use moltis_core::error::{Code, Error, Result};
use moltis_core::sandbox::{Exit, Place};
use moltis_core::tool::{Output, Run};
use tokio::io::AsyncReadExt as _;
use tokio::time::{Instant, timeout};

use super::Bubblewrap;
use super::enter::{Telling, argument};
use super::wards::{Ward, code};
use crate::output::Collector;

/// Bytes that are read at once.
const CHUNK: usize = 64 * 1024;

/// The longest that an ended program's output may take to end.
const GRACE: Duration = Duration::from_secs(2);

/// The exit code of a program that was ended.
const KILLED: i64 = 137;

impl Bubblewrap {
    pub(super) async fn run(&self, place: &Place, run: &Run, output: &dyn Output) -> Result<Exit> {
        let began = Instant::now();
        let script = format!("exec /bin/sh -c {} </dev/null", argument(&run.command)?);
        let mut ward = self.enter(place, run, &script, Telling::Once).await?;
        let mut collector = Collector::new(output);
        let ended = timeout(run.timeout, follow(&mut ward, &mut collector)).await;
        let (code, ended_by) = match ended {
            Ok(code) => (code?, None),
            Err(_) => {
                ward.kill();
                // What it printed last is told if it comes; how it ended is known.
                let _ = timeout(GRACE, follow(&mut ward, &mut collector)).await;
                (KILLED, Some("timeout".to_owned()))
            }
        };
        let (stdout, stderr) = collector.finish();
        Ok(Exit { code, stdout, stderr, ended_by, took: began.elapsed() })
    }
}

/// Takes what it prints until it ends.
async fn follow(ward: &mut Ward, collector: &mut Collector<'_>) -> Result<i64> {
    let (mut out, mut err) = (Vec::with_capacity(CHUNK), Vec::with_capacity(CHUNK));
    while ward.stdout.is_some() || ward.stderr.is_some() {
        tokio::select! {
            read = read(&mut ward.stdout, &mut out) => {
                if read { collector.stdout(&out) } else { ward.stdout = None }
                out.clear();
            }
            read = read(&mut ward.stderr, &mut err) => {
                if read { collector.stderr(&err) } else { ward.stderr = None }
                err.clear();
            }
        }
    }
    let lost = |error: String| Error::new(Code::Internal, format!("its end was missed: {error}"));
    let exit = (&mut ward.exit).await.map_err(|error| lost(error.to_string()))?;
    exit.map(code).map_err(|error| lost(error.to_string()))
}

/// Whether more came; never answers for a stream that has ended.
async fn read<T: tokio::io::AsyncRead + Unpin>(from: &mut Option<T>, into: &mut Vec<u8>) -> bool {
    match from {
        Some(stream) => stream.read_buf(into).await.is_ok_and(|read| read > 0),
        None => std::future::pending().await,
    }
}
