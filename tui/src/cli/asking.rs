//! Asking a person on the terminal whether calls may be made, while the turn's feed goes on.
//!
//! A terminal can only be read by waiting for it, and Ctrl-C and other clients' answers must be
//! heard meanwhile: a thread reads a line each time that one is wanted. It ends with the process.
//! The invariant: what was typed before a question was shown does not answer it.

use std::collections::VecDeque;
use std::io;
use std::sync::mpsc::{SyncSender, sync_channel};

use moltis_proto::v1::Approval;
use rustix::termios::{QueueSelector, tcflush};
use tokio::sync::mpsc;

use super::question;
use crate::client::Failure;
use crate::output::Output;

/// Questions that a person is asked, one after the other.
pub(super) struct Asking<'a> {
    output: &'a Output,
    questions: VecDeque<Approval>,
    typed: Option<Typed>,
}

impl<'a> Asking<'a> {
    /// Nothing is asked yet.
    pub(super) fn new(output: &'a Output) -> Self {
        Self { output, questions: VecDeque::new(), typed: None }
    }

    /// Asks those that are not asked already.
    pub(super) fn add(&mut self, questions: Vec<Approval>) -> Result<(), Failure> {
        let idle = self.questions.is_empty();
        for question in questions {
            if self.questions.iter().all(|known| known.id != question.id) {
                self.questions.push_back(question);
            }
        }
        if idle { self.show() } else { Ok(()) }
    }

    /// The question that is asked.
    pub(super) fn current(&self) -> Option<&Approval> {
        self.questions.front()
    }

    /// Whether a person is being asked.
    pub(super) fn asks(&self) -> bool {
        !self.questions.is_empty()
    }

    /// Whether that question is among those that are asked.
    pub(super) fn knows(&self, id: &str) -> bool {
        self.questions.iter().any(|question| question.id == id)
    }

    /// Takes a question away that has its answer; shows the next one.
    pub(super) fn answered(&mut self, id: &str) -> Result<(), Failure> {
        let Some(at) = self.questions.iter().position(|question| question.id == id) else {
            return Ok(());
        };
        self.questions.remove(at);
        if at == 0 { self.show() } else { Ok(()) }
    }

    /// The questions that are still asked.
    pub(super) fn left(&mut self) -> Vec<Approval> {
        self.questions.drain(..).collect()
    }

    /// Shows the question that is asked now.
    fn show(&mut self) -> Result<(), Failure> {
        let Some(question) = self.questions.front() else { return Ok(()) };
        self.output.tell(&question::text(question));
        self.ask()
    }

    /// Asks for a word.
    pub(super) fn ask(&mut self) -> Result<(), Failure> {
        let Some(question) = self.questions.front() else { return Ok(()) };
        let typed = match self.typed.take() {
            Some(typed) => typed,
            None => Typed::start()?,
        };
        self.typed.insert(typed).want();
        let wide = if question.pattern.is_empty() { "" } else { ", (s)ession, (a)lways" };
        self.output.prompt(&format!("Allow it? (y)es{wide}, (n)o: "));
        Ok(())
    }

    /// The next line that is typed: `None` when nothing can be typed any more. Waits for ever while
    /// none is wanted.
    pub(super) async fn line(&mut self) -> Option<String> {
        match &mut self.typed {
            // What is typed while nothing is asked is nobody's answer.
            Some(typed) => typed.line().await,
            None => std::future::pending().await,
        }
    }
}

/// Lines of standard input, each read when it is wanted.
struct Typed {
    wants: SyncSender<()>,
    lines: mpsc::Receiver<Option<String>>,
    wanted: bool,
}

impl Typed {
    fn start() -> Result<Self, Failure> {
        let (wants, wanted) = sync_channel(1);
        let (give, lines) = mpsc::channel(1);
        let read = move || {
            while wanted.recv().is_ok() {
                let mut line = String::new();
                let read = io::stdin().read_line(&mut line).unwrap_or(0);
                let line = Some(line).filter(|_| read > 0);
                if give.blocking_send(line).is_err() {
                    return;
                }
            }
        };
        std::thread::Builder::new()
            .name("answers".to_owned())
            .spawn(read)
            .map_err(|error| Failure::io("cannot ask", &error))?;
        Ok(Self { wants, lines, wanted: false })
    }

    /// Wants a line, and forgets what was typed before.
    fn want(&mut self) {
        // What is no terminal has nothing that could be forgotten.
        let _ = tcflush(io::stdin(), QueueSelector::IFlush);
        if !self.wanted {
            self.wanted = self.wants.try_send(()).is_ok();
        }
    }

    async fn line(&mut self) -> Option<String> {
        if !self.wanted {
            return std::future::pending().await;
        }
        let line = self.lines.recv().await.flatten();
        self.wanted = false;
        line
    }
}
