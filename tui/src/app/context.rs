//! What the model is told with the next request, and how much room that takes.

use moltis_proto::v1;

use super::cmd::Cmd;
use super::model::{Model, Overlay};
use super::msg::Trouble;
use crate::widget::SafeText;

/// The pane that shows it.
#[derive(Debug)]
pub(crate) struct Told {
    session: String,
    /// The model; empty until the daemon has answered.
    pub(crate) model: SafeText,
    /// What it holds, and whether that is a guess.
    pub(crate) window: u64,
    pub(crate) guessed: bool,
    pub(crate) parts: Vec<Part>,
    /// The numbers rest on a vendor's count.
    pub(crate) counted: bool,
    /// Tokens left for the answer.
    pub(crate) left: u64,
    /// More than this is compacted; 0 is never.
    pub(crate) compact_at: u64,
    /// It is going to be compacted before the next answer.
    pub(crate) due: bool,
    pub(crate) left_out: bool,
}

/// A part of what the model is told.
#[derive(Debug)]
pub(crate) struct Part {
    pub(crate) kind: SafeText,
    /// Which of the kind; may be empty.
    pub(crate) name: SafeText,
    /// Something of it is not told.
    pub(crate) cut: bool,
    pub(crate) count: u64,
    pub(crate) tokens: u64,
}

impl Told {
    /// Tokens of all parts.
    pub(crate) fn tokens(&self) -> u64 {
        self.parts.iter().fold(0, |sum, part| sum.saturating_add(part.tokens))
    }

    fn take(&mut self, told: v1::ContextResponse) {
        self.model = SafeText::one_line(&told.model);
        (self.window, self.guessed) = (told.window, told.guessed);
        (self.left, self.due, self.left_out) = (told.left, told.due, told.left_out);
        self.compact_at = told.compact_at;
        self.counted = told.counted;
        let part = |part: v1::Fragment| Part {
            kind: SafeText::one_line(&part.kind),
            name: SafeText::one_line(&part.name),
            cut: part.cut,
            count: part.count,
            tokens: part.tokens,
        };
        self.parts = told.fragments.into_iter().map(part).collect();
    }
}

pub(super) fn open(model: &mut Model) -> Vec<Cmd> {
    let Some(session) = model.session_id().map(str::to_owned) else { return Vec::new() };
    model.open(Overlay::Told(Box::new(Told {
        session: session.clone(),
        model: SafeText::default(),
        window: 0,
        guessed: false,
        parts: Vec::new(),
        counted: false,
        left: 0,
        compact_at: 0,
        due: false,
        left_out: false,
    })));
    vec![Cmd::Context { session }]
}

pub(super) fn arrived(
    model: &mut Model,
    session: &str,
    result: Result<v1::ContextResponse, Trouble>,
) {
    let pane = model.overlays.iter_mut().find_map(|overlay| match overlay {
        Overlay::Told(told) if told.session == session => Some(told),
        _ => None,
    });
    match (pane, result) {
        (Some(pane), Ok(told)) => pane.take(told),
        (Some(_), Err(trouble)) => {
            model.overlays.retain(|overlay| !matches!(overlay, Overlay::Told(_)));
            model.complain("not known what the model is told", &trouble);
        }
        (None, _) => {}
    }
}
