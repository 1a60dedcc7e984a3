//! Programs that go on: each a sandbox of its own, with tmux inside that keeps its screen.
//!
//! The shell inside takes line after line on its standard input and answers between marks; it ends
//! when that input ends, and everything with it. tmux listens on a socket that only this sandbox has.
//! Not here: who may start them. The invariant: an answer belongs to the question whose mark it
//! carries, whatever the program does to the shell's streams, and has a bound in size and in time.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;
use moltis_core::error::{Code, Error, Result};
use moltis_core::id::SessionId;
use moltis_core::sandbox::{Place, Process};
use moltis_core::tool::Run;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{ChildStdin, ChildStdout};
use tokio::time::timeout;

use super::Bubblewrap;
use super::enter::{Telling, argument};
use super::tree::Tree;
use super::wards::Ward;

/// Programs that go on at once in a session.
const MOST: usize = 16;

/// The longest that an answer may take.
const ANSWER: Duration = Duration::from_secs(5);

/// The longest that ending one may take.
const GRACE: Duration = Duration::from_secs(2);

/// Bytes of the longest answer.
const LONGEST: usize = 2_000_000;

/// Lines that can be asked for of what scrolled off.
const LINES: u32 = 10_000;

/// The longest name.
const NAME: usize = 32;

/// The exit code of a program whose sandbox was ended.
const KILLED: i64 = 137;

/// How long until tmux is asked again for the code of a program that has ended, and how often.
const CODE: Duration = Duration::from_millis(20);
const CODE_ASKED: u32 = 100;

/// The programs of all sessions, by session and name.
#[derive(Default)]
pub(super) struct Keep(Mutex<HashMap<SessionId, BTreeMap<String, Arc<Kept>>>>);

/// One of them.
struct Kept {
    command: String,
    /// Ends it, also while it is talked with.
    tree: Arc<Tree>,
    talk: tokio::sync::Mutex<Talk>,
}

/// The talk with its shell.
struct Talk {
    ward: Ward,
    stdin: ChildStdin,
    stdout: ChildStdout,
    asked: u64,
    unread: Vec<u8>,
}

impl Bubblewrap {
    pub(super) async fn keep(&self, place: &Place, name: &str, run: &Run) -> Result<()> {
        check(name)?;
        let Some(tmux) = &self.tmux else {
            return Err(Error::new(Code::NotConfigured, "tmux is not on this machine")
                .with_hint("install tmux"));
        };
        let script = format!(
            "exec 2>/dev/null\nexport TERM=xterm-256color\n{tmux} -S /run/tmux -f /dev/null \
             start-server \\; set -g exit-empty off \\; set -g status off \\; \
             set -g default-shell /bin/sh \\; set -g history-limit {LINES} \\; \
             set -g remain-on-exit on \\; set -gq remain-on-exit-format '' \\; \
             new-session -d -s kept -x 120 -y 40 {command} </dev/null",
            tmux = tmux.display(),
            command = word(&run.command)?,
        );
        self.keep.room(&place.session, name)?;
        let mut ward = self.enter(place, run, &script, Telling::Lines).await?;
        let lost = || Error::new(Code::Internal, "a sandbox was started without its streams");
        let stdin = ward.stdin.take().ok_or_else(lost)?;
        let stdout = ward.stdout.take().ok_or_else(lost)?;
        ward.stderr = None;
        let mut talk = Talk { ward, stdin, stdout, asked: 0, unread: Vec::new() };
        let (there, _) = talk.ask("tmux -S /run/tmux has-session -t kept").await?;
        if there != 0 {
            return Err(Error::new(Code::Unavailable, "tmux does not start in the sandbox"));
        }
        let tree = talk.ward.tree();
        let kept = Kept { command: run.command.clone(), tree, talk: tokio::sync::Mutex::new(talk) };
        self.keep.put(&place.session, name, kept)
    }

    pub(super) async fn type_into(
        &self,
        place: &Place,
        name: &str,
        text: &str,
        keys: bool,
    ) -> Result<()> {
        let kept = self.keep.get(&place.session, name)?;
        let mut words = String::from("tmux -S /run/tmux send-keys -t kept");
        if keys {
            words.push_str(" --");
            for key in text.split_whitespace() {
                words.push(' ');
                words.push_str(&word(key)?);
            }
        } else {
            // What the key Enter sends is not what ends a line.
            words.push_str(" -l -- ");
            words.push_str(&word(&text.replace('\n', "\r"))?);
        }
        match kept.talk.lock().await.ask(&words).await? {
            (0, _) => Ok(()),
            _ => Err(Error::new(Code::Conflict, format!("`{name}` takes no keys: it has ended"))),
        }
    }

    pub(super) async fn look(
        &self,
        place: &Place,
        name: &str,
        lines: u32,
    ) -> Result<(Process, String)> {
        let kept = self.keep.get(&place.session, name)?;
        let mut talk = kept.talk.lock().await;
        let lines = lines.min(LINES);
        let (_, screen) =
            talk.ask(&format!("tmux -S /run/tmux capture-pane -p -t kept -S -{lines}")).await?;
        let process = kept.process(name, &mut talk).await;
        Ok((process, screen.trim_end().to_owned()))
    }

    pub(super) async fn list(&self, place: &Place) -> Vec<Process> {
        let all = self.keep.all(&place.session);
        join_all(all.iter().map(async |(name, kept)| {
            let mut talk = kept.talk.lock().await;
            kept.process(name, &mut talk).await
        }))
        .await
    }

    pub(super) async fn end(&self, place: &Place, name: &str) -> Result<()> {
        let kept = self.keep.remove(&place.session, name)?;
        kept.tree.kill();
        let ended = timeout(GRACE, async { (&mut kept.talk.lock().await.ward.exit).await });
        match ended.await {
            Ok(_) => Ok(()),
            Err(_) => Err(Error::new(Code::Internal, format!("`{name}` does not end"))),
        }
    }
}

/// A word for tmux, to which a `;` at the end of one means that its command ends.
fn word(text: &str) -> Result<String> {
    match text.strip_suffix(';') {
        Some(text) => argument(&format!("{text}\\;")),
        None => argument(text),
    }
}

impl Kept {
    async fn process(&self, name: &str, talk: &mut Talk) -> Process {
        let exit = Self::exit(talk).await;
        Process { name: name.to_owned(), command: self.command.clone(), exit }
    }

    /// How it ended, if it has. tmux sees an end a moment before it has the code: it is asked again.
    async fn exit(talk: &mut Talk) -> Option<i64> {
        let format = "'#{pane_dead} #{pane_dead_status} #{pane_dead_signal}'";
        for asked in 0..CODE_ASKED {
            // It may have missed that there is one, until a process of its own ends as well.
            let first = if asked == 0 { "" } else { "run-shell true \\; " };
            let ask = format!("tmux -S /run/tmux {first}display-message -p -t kept {format}");
            let Ok((0, said)) = talk.ask(&ask).await else { return Some(KILLED) };
            let code = code(said.trim_end_matches('\n').strip_prefix("1 ")?);
            if code.is_some() {
                return code;
            }
            tokio::time::sleep(CODE).await;
        }
        Some(KILLED)
    }
}

/// What tmux says of an end: `CODE SIGNAL`, one of the two empty; both before it knows, and where an
/// old one knows no signals.
fn code(said: &str) -> Option<i64> {
    let (code, signal) = said.split_once(' ')?;
    code.parse().ok().or_else(|| signal.parse::<i64>().ok().map(|signal| 128 + signal))
}

impl Talk {
    /// Lets the shell run this; how it ended and what it printed.
    async fn ask(&mut self, line: &str) -> Result<(i64, String)> {
        let gone = |why: String| Error::new(Code::Unavailable, format!("its sandbox ended: {why}"));
        self.asked += 1;
        let mark = self.asked;
        let line = format!(
            "printf '\\036{mark}\\036'; {line} </dev/null; printf '\\036{mark} %s\\036' $?\n"
        );
        let answer = async {
            self.stdin.write_all(line.as_bytes()).await.map_err(|error| gone(error.to_string()))?;
            loop {
                if let Some(answer) = answer(&self.unread, mark) {
                    self.unread.clear();
                    return Ok(answer);
                }
                if self.unread.len() > LONGEST {
                    self.unread.clear();
                    return Err(Error::new(Code::Busy, "its screen is too large"));
                }
                match self.stdout.read_buf(&mut self.unread).await {
                    Ok(0) => return Err(gone("its output is closed".to_owned())),
                    Ok(_) => {}
                    Err(error) => return Err(gone(error.to_string())),
                }
            }
        };
        timeout(ANSWER, answer)
            .await
            .map_err(|_| Error::new(Code::Busy, "its sandbox does not answer"))?
    }
}

/// What stands between the two marks of a question, once both have come.
fn answer(unread: &[u8], mark: u64) -> Option<(i64, String)> {
    let text = String::from_utf8_lossy(unread);
    let (_, rest) = text.split_once(&format!("\u{1e}{mark}\u{1e}"))?;
    let (said, rest) = rest.rsplit_once(&format!("\u{1e}{mark} "))?;
    let (code, _) = rest.split_once('\u{1e}')?;
    Some((code.parse().ok()?, said.to_owned()))
}

impl Keep {
    /// Whether there is room for one more, of this name.
    fn room(&self, session: &SessionId, name: &str) -> Result<()> {
        self.lock().get(session).map_or(Ok(()), |kept| room(kept, name))
    }

    fn put(&self, session: &SessionId, name: &str, kept: Kept) -> Result<()> {
        let mut sessions = self.lock();
        let all = sessions.entry(session.clone()).or_default();
        // Meanwhile another may have taken the name.
        room(all, name)?;
        all.insert(name.to_owned(), Arc::new(kept));
        Ok(())
    }

    fn get(&self, session: &SessionId, name: &str) -> Result<Arc<Kept>> {
        let sessions = self.lock();
        let kept = sessions.get(session).and_then(|kept| kept.get(name));
        kept.cloned().ok_or_else(|| unknown(name))
    }

    fn all(&self, session: &SessionId) -> Vec<(String, Arc<Kept>)> {
        let sessions = self.lock();
        let all = sessions.get(session).into_iter().flatten();
        all.map(|(name, kept)| (name.clone(), Arc::clone(kept))).collect()
    }

    fn remove(&self, session: &SessionId, name: &str) -> Result<Arc<Kept>> {
        let mut sessions = self.lock();
        let kept = sessions.get_mut(session).ok_or_else(|| unknown(name))?;
        let removed = kept.remove(name).ok_or_else(|| unknown(name))?;
        if kept.is_empty() {
            sessions.remove(session);
        }
        Ok(removed)
    }

    /// Forgets those of a session; it is for the caller to have ended them.
    pub(super) fn forget(&self, session: &SessionId) {
        self.lock().remove(session);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<SessionId, BTreeMap<String, Arc<Kept>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn room(kept: &BTreeMap<String, Arc<Kept>>, name: &str) -> Result<()> {
    if kept.contains_key(name) {
        return Err(Error::new(Code::Conflict, format!("there is a `{name}` already"))
            .with_hint("end it first, or take another name"));
    }
    if kept.len() >= MOST {
        return Err(Error::new(Code::Busy, format!("{MOST} programs go on in this session"))
            .with_hint("end one of them"));
    }
    Ok(())
}

fn unknown(name: &str) -> Error {
    Error::new(Code::NotFound, format!("no program `{name}` goes on in this session"))
}

/// A name goes to the model and back; nothing is made of it.
fn check(name: &str) -> Result<()> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    if (1..=NAME).contains(&name.len()) && name.bytes().all(plain) && !name.starts_with('-') {
        return Ok(());
    }
    Err(Error::new(Code::Invalid, format!("`{name}` is no name for a program"))
        .with_hint(format!("up to {NAME} letters, digits, `-` and `_`")))
}
