//! The full-screen client in a real pseudo-terminal: first frame, keys, idleness.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use moltis_proto::v1::{QueueMode, StopRequest};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::figure::{Figure, Target};
use super::load::LAST_WORD;
use super::rig::{Process, Rig};
use super::start::milliseconds;
use super::talk;

/// Letters that neither the mock's text nor the screen's own words contain.
const LETTERS: &str = "абвгдежзиклмнопрстуфхцчшщэюя";

/// How long a frame may take before the bench gives up.
const PATIENCE: Duration = Duration::from_secs(10);

/// `moltis attach` in a pseudo-terminal of 120 by 50 cells.
struct Screen {
    client: tokio::process::Child,
    keys: File,
    output: mpsc::Receiver<(Instant, Vec<u8>)>,
    begun: Instant,
}

impl Screen {
    fn open(rig: &Rig, session: &str) -> anyhow::Result<Self> {
        let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY)?;
        grantpt(&terminal)?;
        unlockpt(&terminal)?;
        let name = ptsname(&terminal, Vec::new())?;
        tcsetwinsize(&terminal, Winsize { ws_row: 50, ws_col: 120, ws_xpixel: 0, ws_ypixel: 0 })?;
        let inner = File::options().read(true).write(true).open(name.to_str()?)?;
        let program = std::env::current_exe().context("finding this program")?;
        let mut command = rig.home().command(&program);
        command
            .args(["attach", session])
            .env("TERM", "xterm-256color")
            .stdin(Stdio::from(inner.try_clone()?))
            .stdout(Stdio::from(inner.try_clone()?))
            .stderr(Stdio::from(inner));
        let begun = Instant::now();
        let client = command.spawn()?;
        let mut reader = File::from(terminal.try_clone()?);
        let (sender, output) = mpsc::channel(4096);
        // Reading blocks; the thread ends with the pseudo-terminal.
        std::thread::spawn(move || {
            let mut buffer = vec![0; 65536];
            while let Ok(count @ 1..) = reader.read(&mut buffer) {
                if sender.blocking_send((Instant::now(), buffer[..count].to_vec())).is_err() {
                    return;
                }
            }
        });
        Ok(Self { client, keys: File::from(terminal), output, begun })
    }

    /// When the text was first written to the screen. The mock runs on this thread: it is not
    /// blocked.
    async fn wait_for(&mut self, text: &str) -> anyhow::Result<Instant> {
        let mut seen: Vec<u8> = Vec::new();
        let search = async {
            while let Some((at, bytes)) = self.output.recv().await {
                seen.extend_from_slice(&bytes);
                if seen.windows(text.len()).any(|window| window == text.as_bytes()) {
                    return Ok(at);
                }
                let keep = seen.len().min(text.len() - 1);
                seen.drain(..seen.len() - keep);
            }
            bail!("the client ended")
        };
        let found = timeout(PATIENCE, search).await;
        found.with_context(|| format!("`{text}` never came to the screen"))?
    }

    fn drain(&mut self) {
        while self.output.try_recv().is_ok() {}
    }

    async fn press(&mut self, key: char) -> anyhow::Result<Duration> {
        self.drain();
        let begun = Instant::now();
        let mut bytes = [0; 4];
        self.keys.write_all(key.encode_utf8(&mut bytes).as_bytes())?;
        let shown = self.wait_for(key.encode_utf8(&mut bytes)).await?;
        Ok(shown.saturating_duration_since(begun))
    }
}

/// From exec of `moltis attach` to a frame that shows the end of a long session; then the
/// processor time that the client uses while nothing happens.
pub(crate) async fn first_frame(
    rig: &Rig,
    session: &str,
    times: usize,
    watched: Duration,
) -> anyhow::Result<Vec<Figure>> {
    let mut samples = Vec::with_capacity(times);
    for _ in 0..times {
        let mut screen = Screen::open(rig, session)?;
        let shown = screen.wait_for(LAST_WORD).await?;
        samples.push(milliseconds(shown.saturating_duration_since(screen.begun)));
    }
    let mut screen = Screen::open(rig, session)?;
    screen.wait_for(LAST_WORD).await?;
    let process = Process::of(screen.client.id().context("the client is gone")?);
    // What is still coloured and remembered after the first frame is not idleness.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let before = process.cpu_us()?;
    tokio::time::sleep(watched).await;
    let idle = (process.cpu_us()? - before) / watched.as_secs_f64() / 1e4;
    Ok(vec![
        Figure::of("client: exec to frame, 10,000 messages", "ms", samples)
            .reach(Target::AtMost(80.0)),
        Figure::once("client: idle CPU", "%", idle).reach(Target::AtMost(0.05)),
        Figure::once("client: memory, 10,000 messages", "MB", process.resident_mb()?),
    ])
}

/// From a key to the frame that shows it, while an answer streams at 200 deltas a second.
pub(crate) async fn key_to_frame(rig: &Rig, presses: usize) -> anyhow::Result<Figure> {
    let mut client = rig.client().await?;
    let session = talk::session(&mut client).await?;
    let mut screen = Screen::open(rig, &session)?;
    screen.wait_for("❯").await?;
    talk::say(&mut client, &session, "stream 1000000 5000", QueueMode::Followup).await?;
    screen.wait_for("00200").await?;
    let mut samples = Vec::with_capacity(presses);
    let letters: Vec<char> = LETTERS.chars().collect();
    for index in 0..presses {
        samples.push(milliseconds(screen.press(letters[index % letters.len()]).await?));
        // Keys come when they come, not in step with the stream's deltas.
        tokio::time::sleep(Duration::from_millis(7)).await;
    }
    let all =
        StopRequest { op_id: crate::client::op_id(), session, all: true, turn: String::new() };
    client.caller.call(&crate::client::call::STOP, &all).await?;
    Ok(Figure::of("client: key to frame, 200 deltas/s", "ms", samples)
        .reach(Target::P99AtMost(8.0)))
}
