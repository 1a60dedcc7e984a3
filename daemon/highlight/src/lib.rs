//! What the pieces of some code are: keywords, names, texts, remarks.
//!
//! One place for all clients, so that the terminal and the browser color alike and neither carries
//! two hundred grammars (`docs/adr/0007-code-is-highlighted-in-the-daemon.md`). It knows no colors.
//! The invariants: what is asked runs off the reactor, one at a time, on bounded input; the grammars
//! are read when they are first needed and dropped when nobody has asked for a while.

mod parse;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use moltis_core::code::{Highlighter, Pieces};
use syntect::parsing::SyntaxSet;
use tokio::sync::Semaphore;
use tokio::task::{JoinSet, spawn_blocking};

/// The grammars are dropped when nobody has asked for so long.
const IDLE: Duration = Duration::from_secs(300);

/// Knows the languages that `two-face` has grammars for.
pub struct Highlight {
    grammars: Arc<Grammars>,
    /// One at a time: a client asks for what is on its screen, which is little.
    turn: Semaphore,
    /// The one task that drops the grammars when its time comes.
    idle: Mutex<JoinSet<()>>,
}

/// The grammars, while they are loaded.
#[derive(Default)]
struct Grammars(Mutex<Option<Arc<SyntaxSet>>>);

impl Grammars {
    fn get(&self) -> Arc<SyntaxSet> {
        let mut loaded = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(loaded.get_or_insert_with(|| Arc::new(two_face::syntax::extra_newlines())))
    }

    fn forget(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

impl Highlight {
    /// Nothing is loaded yet.
    pub fn new() -> Arc<Self> {
        Arc::new(Self { grammars: Arc::default(), turn: Semaphore::new(1), idle: Mutex::default() })
    }

    /// Drops the grammars in a while; a use in between begins the while anew.
    fn forget_later(&self) {
        let grammars = Arc::clone(&self.grammars);
        let mut later = JoinSet::new();
        later.spawn(async move {
            tokio::time::sleep(IDLE).await;
            grammars.forget();
        });
        *self.idle.lock().unwrap_or_else(PoisonError::into_inner) = later;
    }
}

#[async_trait]
impl Highlighter for Highlight {
    async fn highlight(&self, language: String, text: String) -> Option<Pieces> {
        if !parse::is_small_enough(&text) {
            return None;
        }
        let _turn = self.turn.acquire().await.ok()?;
        let grammars = Arc::clone(&self.grammars);
        let parsing = spawn_blocking(move || parse::pieces(&grammars.get(), &language, &text));
        self.forget_later();
        // A panic in a grammar was logged where it happened; the code stays plain.
        parsing.await.ok().flatten()
    }
}
