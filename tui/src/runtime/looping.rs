//! The loop.

use std::future::poll_fn;
use std::io;
use std::task::Poll;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::Context as _;
use base64::Engine as _;
use crossterm::event::{Event, EventStream};
use futures_util::StreamExt as _;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{mpsc, oneshot};

use super::effects::Effects;
use super::input::translate;
use super::keep;
use super::pace::{Cause, Pace};
use super::trace::Trace;
use crate::app::{Cmd, Model, Moment, Msg, Said, next_wake, update};
use crate::client::Connector;
use crate::term::{self, Screen, Terminal};
use crate::theme::Theme;
use crate::view::{Canvas, draw};

/// Messages of tasks that may wait; a task that has more to say waits itself.
const INBOX: usize = 256;
/// Messages that are taken before a frame is looked at.
const BATCH: usize = 512;
/// What may be put into the clipboard through the terminal: many drop larger ones.
const MAX_CLIPBOARD: usize = 74_000;

/// How the client begins.
#[derive(Clone, Debug, Default)]
pub(crate) struct Start {
    /// The session to show; `main` without one.
    pub(crate) session: Option<String>,
    /// Whether there are colors.
    pub(crate) color: bool,
}

/// Shows the chat until the person leaves. The turn goes on without it.
///
/// # Errors
/// When the terminal cannot be taken over, or is gone.
pub(crate) async fn run(connector: Connector, start: Start) -> anyhow::Result<()> {
    let (width, height) = crossterm::terminal::size().context("asking for the terminal's size")?;
    let mut terminal = Terminal::take().context("taking the terminal over")?;
    let (out, inbox) = mpsc::channel(INBOX);
    let model = Model::new(width, height, seconds_east(), crate::client::op_id());
    let mut client = Looping {
        model,
        screen: Screen::new(width, height),
        effects: Effects::new(connector, out),
        theme: if start.color { Theme::Color } else { Theme::Mono },
        pace: Pace::default(),
        trace: Trace::from_environment(),
        begun: Instant::now(),
        waiting_since: None,
        quit: false,
    };
    client.pace.want(Cause::Input);
    client.paint()?;
    client.effects.read_history();
    for cmd in client.model.begin(start.session) {
        client.effects.begin(cmd);
    }
    let ended = client.run(&mut terminal, inbox).await;
    terminal.release();
    ended
}

/// How far local time is ahead of UTC now.
fn seconds_east() -> i64 {
    let zone = jiff::tz::TimeZone::system();
    i64::from(zone.to_offset(jiff::Timestamp::now()).seconds())
}

struct Looping {
    model: Model,
    screen: Screen,
    effects: Effects,
    theme: Theme,
    pace: Pace,
    trace: Trace,
    begun: Instant,
    /// When the first thing came that no frame has shown.
    waiting_since: Option<Instant>,
    quit: bool,
}

/// What woke the loop.
enum Woken {
    Input(Vec<Event>),
    Said(Said),
    Time,
    Gone,
    Back,
}

impl Looping {
    async fn run(
        &mut self,
        terminal: &mut Terminal,
        mut inbox: mpsc::Receiver<Said>,
    ) -> anyhow::Result<()> {
        let mut events = Some(EventStream::new());
        let mut ending = Ending::new()?;
        let mut resume = signal(SignalKind::from_raw(rustix::process::Signal::CONT.as_raw()))?;
        let mut hangup = Hangup::new();
        while !self.quit {
            let deadline = self.deadline();
            let woken = tokio::select! {
                biased;
                () = ending.came() => Woken::Gone,
                () = hangup.wait() => Woken::Gone,
                () = went_on(&mut resume) => Woken::Back,
                events = next_events(&mut events) => events.map_or(Woken::Gone, Woken::Input),
                said = inbox.recv() => said.map_or(Woken::Gone, Woken::Said),
                () = sleep_until(deadline) => Woken::Time,
            };
            let mut cmds = Vec::new();
            match woken {
                Woken::Gone => return Ok(()),
                Woken::Back => {
                    terminal.retake().context("taking the terminal over again")?;
                    self.screen.forget();
                    self.pace.want(Cause::Input);
                }
                Woken::Input(events) => {
                    for said in translate(events) {
                        cmds.extend(self.take(said, Cause::Input));
                    }
                }
                Woken::Said(said) => {
                    cmds.extend(self.take(said, Cause::Stream));
                    for _ in 0..BATCH {
                        let Ok(said) = inbox.try_recv() else { break };
                        cmds.extend(self.take(said, Cause::Stream));
                    }
                }
                Woken::Time => cmds.extend(self.wake()),
            }
            for cmd in cmds {
                self.do_it(cmd, terminal, &mut events)?;
            }
            self.paint()?;
        }
        Ok(())
    }

    fn now(&self) -> Moment {
        let ms = u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        Moment { ms, unix: i64::try_from(unix).unwrap_or(i64::MAX) }
    }

    fn take(&mut self, said: Said, cause: Cause) -> Vec<Cmd> {
        self.waiting_since.get_or_insert_with(Instant::now);
        if let Said::Resize { width, height } = said {
            self.screen.resize(width, height);
        }
        self.pace.want(cause);
        let at = self.now();
        update(&mut self.model, Msg { at, said })
    }

    /// The time has come that the model or the pace asked for.
    fn wake(&mut self) -> Vec<Cmd> {
        let now = self.now();
        if next_wake(&self.model).is_some_and(|ms| self.model.now.ms + ms <= now.ms) {
            return self.take(Said::Tick, Cause::Wake);
        }
        Vec::new()
    }

    /// When something is to be done though nothing comes; `None`: never.
    fn deadline(&self) -> Option<Instant> {
        let frame = self.pace.due(Instant::now());
        let wake = next_wake(&self.model)
            .map(|ms| self.begun + Duration::from_millis(self.model.now.ms + ms));
        [frame, wake].into_iter().flatten().min()
    }

    /// Paints the frame that is due, if one is.
    fn paint(&mut self) -> io::Result<()> {
        let start = Instant::now();
        let Some(cause) = self.pace.take(start) else { return Ok(()) };
        let (model, theme) = (&self.model, self.theme);
        let bytes = self.screen.frame(|buffer| draw(model, &mut Canvas::new(buffer, theme)))?;
        let build = start.elapsed();
        if !bytes.is_empty() {
            term::write(bytes)?;
        }
        let end = Instant::now();
        let latency = end - self.waiting_since.take().unwrap_or(start);
        self.trace.tell(cause, build, latency, bytes.len());
        self.pace.painted(end, end - start);
        Ok(())
    }

    /// Does what concerns the terminal itself; hands the rest on.
    fn do_it(
        &mut self,
        cmd: Cmd,
        terminal: &mut Terminal,
        events: &mut Option<EventStream>,
    ) -> anyhow::Result<()> {
        match cmd {
            Cmd::Quit => self.quit = true,
            Cmd::Repaint => self.screen.forget(),
            Cmd::Copy(text) => self.copy(&text)?,
            Cmd::Ring => term::write(b"\x07").context("writing to the terminal")?,
            Cmd::Suspend => {
                // The reader must not take what the shell is meant to get.
                *events = None;
                terminal.release();
                let own = rustix::process::getpid();
                rustix::process::kill_process(own, rustix::process::Signal::TSTP)
                    .context("suspending")?;
                self.come_back(terminal, events)?;
            }
            Cmd::Edit(text) => {
                *events = None;
                terminal.release();
                let edited = keep::edit(&text);
                self.come_back(terminal, events)?;
                let cmds = self.take(Said::Edited(edited), Cause::Input);
                for cmd in cmds {
                    self.effects.begin(cmd);
                }
            }
            cmd => self.effects.begin(cmd),
        }
        Ok(())
    }

    fn come_back(
        &mut self,
        terminal: &mut Terminal,
        events: &mut Option<EventStream>,
    ) -> anyhow::Result<()> {
        terminal.retake().context("taking the terminal over again")?;
        *events = Some(EventStream::new());
        self.screen.forget();
        self.pace.want(Cause::Input);
        // The size may have changed while nobody listened.
        if let Ok((width, height)) = crossterm::terminal::size() {
            let cmds = self.take(Said::Resize { width, height }, Cause::Input);
            for cmd in cmds {
                self.effects.begin(cmd);
            }
        }
        Ok(())
    }

    /// Puts text into the clipboard of the machine at which the person sits (OSC 52).
    fn copy(&mut self, text: &str) -> anyhow::Result<()> {
        if text.len() > MAX_CLIPBOARD {
            let cmds = self.take(too_large(text.len()), Cause::Input);
            for cmd in cmds {
                self.effects.begin(cmd);
            }
            return Ok(());
        }
        let encoded = base64::engine::general_purpose::STANDARD.encode(text);
        term::write(format!("\x1b]52;c;{encoded}\x07").as_bytes())
            .context("writing to the terminal")
    }
}

fn too_large(bytes: usize) -> Said {
    let size = crate::app::editor::size(bytes);
    let trouble = crate::app::Trouble {
        code: "invalid".into(),
        message: format!("{size} are too much for a terminal's clipboard"),
        hint: "/export writes a file".into(),
    };
    let asked = crate::app::Wanted::Copy;
    Said::Reply(Box::new(crate::app::Reply::Failed { asked, trouble }))
}

/// All events that are ready; waits for the first one. `None` when there will be no more.
///
/// Polled with the loop's own waker to the end: the stream keeps the first waker that finds it empty.
async fn next_events(events: &mut Option<EventStream>) -> Option<Vec<Event>> {
    let events = events.as_mut()?;
    poll_fn(|context| {
        let mut batch = Vec::new();
        while batch.len() < BATCH {
            match events.poll_next_unpin(context) {
                Poll::Ready(Some(Ok(event))) => batch.push(event),
                Poll::Ready(Some(Err(_)) | None) if batch.is_empty() => return Poll::Ready(None),
                Poll::Pending if batch.is_empty() => return Poll::Pending,
                Poll::Ready(Some(Err(_)) | None) | Poll::Pending => break,
            }
        }
        Poll::Ready(Some(batch))
    })
    .await
}

async fn sleep_until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
        None => std::future::pending().await,
    }
}

/// The signals that end the program.
struct Ending {
    hangup: Signal,
    terminate: Signal,
    interrupt: Signal,
}

impl Ending {
    fn new() -> io::Result<Self> {
        Ok(Self {
            hangup: signal(SignalKind::hangup())?,
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// Waits for one of them.
    async fn came(&mut self) {
        tokio::select! {
            _ = self.hangup.recv() => {}
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// Waits until the program was stopped from outside and goes on.
async fn went_on(resume: &mut Signal) {
    if resume.recv().await.is_none() {
        std::future::pending::<()>().await;
    }
}

/// Notices that the terminal is gone: the decoder of keys would spin on it for ever. A thread waits
/// for the kernel's word; it ends with the program.
struct Hangup(oneshot::Receiver<()>);

impl Hangup {
    fn new() -> Self {
        let (gone, wait) = oneshot::channel();
        tokio::task::spawn_blocking(move || {
            let stdin = io::stdin();
            loop {
                // Nothing is asked for: what is left to be told is that it hung up or broke.
                let mut ends = [PollFd::new(&stdin, PollFlags::empty())];
                match poll(&mut ends, None) {
                    Err(Errno::INTR) => {}
                    // Nobody waits any more when the program is ending.
                    Ok(1..) => {
                        let _ = gone.send(());
                        return;
                    }
                    Ok(0) | Err(_) => return,
                }
            }
        });
        Self(wait)
    }

    /// Waits until the terminal is gone; for ever where that cannot be known.
    async fn wait(&mut self) {
        if self.0.is_terminated() || (&mut self.0).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
