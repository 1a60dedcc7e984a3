//! A text to read: what a turn changed in the workspace, or what a command says.
//!
//! Nothing of it is shortened. A diff is broken at the width of the screen, words between words.

use moltis_proto::v1;

use super::cmd::Cmd;
use super::help::turn;
use super::model::{Model, Overlay};
use super::msg::Trouble;
use crate::keymap::Action;
use crate::widget::{Hue, Line, SafeText, Span, chop, wrap};

/// The widest that it becomes.
pub(crate) const WIDEST: u16 = 120;

/// A text to read.
#[derive(Debug, Default)]
pub(crate) struct Pager {
    session: String,
    pub(crate) title: SafeText,
    /// `None` until the daemon has answered.
    text: Option<SafeText>,
    /// It is words, not a diff.
    is_prose: bool,
    pub(crate) rows: Vec<Line>,
    width: usize,
    /// Rows above the screen.
    pub(crate) top: usize,
}

impl Pager {
    /// A text that is there already.
    pub(super) fn of(title: SafeText, text: SafeText) -> Self {
        Self { title, text: Some(text), is_prose: true, ..Self::default() }
    }

    fn lay(&mut self, width: u16) {
        let width = usize::from(width.min(WIDEST)).saturating_sub(4).max(1);
        if self.width == width {
            return;
        }
        self.width = width;
        self.rows = match &self.text {
            None => vec![Line::new("asking …", Hue::Dim)],
            Some(text) if self.is_prose => {
                let words = wrap(&[Span::new(text.trim_end(), Hue::Text)], width);
                words.into_iter().map(Line::from).collect()
            }
            Some(text) => text
                .trim_end_matches('\n')
                .split('\n')
                .flat_map(|line| chop(&[Span::new(line, hue(line))], width))
                .collect(),
        };
    }
}

/// What a line of a diff means.
fn hue(line: &str) -> Hue {
    match line.as_bytes() {
        [b'+', b'+', b'+', ..] | [b'-', b'-', b'-', ..] => Hue::Heading,
        [b'@', b'@', ..] => Hue::Accent,
        [b'+', ..] => Hue::Good,
        [b'-', ..] => Hue::Bad,
        [b' ', ..] | [] => Hue::Text,
        _ => Hue::Dim,
    }
}

fn pane(model: &mut Model) -> Option<&mut Pager> {
    model.overlays.iter_mut().find_map(|overlay| match overlay {
        Overlay::Pager(pager) => Some(&mut **pager),
        _ => None,
    })
}

/// Asks what the last turn changed.
pub(super) fn open(model: &mut Model) -> Vec<Cmd> {
    let Some(session) = model.session_id().map(str::to_owned) else { return Vec::new() };
    let title = "what the last turn changed".into();
    let pager = Pager { session: session.clone(), title, ..Pager::default() };
    model.open(Overlay::Pager(Box::new(pager)));
    vec![Cmd::Diff { session }]
}

pub(super) fn arrived(model: &mut Model, session: &str, result: Result<v1::DiffResponse, Trouble>) {
    let Some(pager) = pane(model).filter(|pager| pager.session == session) else { return };
    match result {
        Ok(diff) => {
            pager.text =
                Some(if diff.text.is_empty() { "nothing".into() } else { diff.text.into() });
            pager.width = 0;
        }
        Err(trouble) => {
            model.overlays.retain(|overlay| !matches!(overlay, Overlay::Pager(_)));
            model.complain("no changes to show", &trouble);
        }
    }
}

/// Lays it anew where the width has changed.
pub(super) fn settle(model: &mut Model) {
    let width = model.width;
    if let Some(pager) = pane(model) {
        pager.lay(width);
    }
}

pub(super) fn act(model: &mut Model, action: Action) {
    let page = usize::from(model.height).saturating_sub(4).max(1);
    let Some(Overlay::Pager(pager)) = model.overlays.last_mut() else { return };
    let last = pager.rows.len().saturating_sub(page);
    match turn(pager.top.min(last), last, page, action) {
        Some(top) => pager.top = top,
        None if action == Action::Leave => model.close(),
        None => {}
    }
}
