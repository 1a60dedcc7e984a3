//! The card of a question that waits for a person, and how it is answered.
//!
//! It must not be possible to answer by accident. So the composer keeps the keys when a question comes
//! in: whoever is typing "yes" goes on typing. Letters answer only after the card was given the keys on
//! purpose (`Tab` when nothing is written, `C-x a` at any time), not before it stood there for
//! [`ARM_MS`], and a yes not before its last row was on the screen. A question that is answered
//! elsewhere takes the keys away again, so that a letter meant for it cannot answer the next one. The
//! answer echoes the digest of what was laid out here.

use moltis_proto::v1;

use super::cmd::Cmd;
use super::editor::Editor;
use super::help::turn;
use super::model::{Link, Model};
use super::msg::Trouble;
use super::transcript::said;
use super::{Mode, question};
use crate::keymap::Action;
use crate::widget::{Line, SafeText};

/// How long a question stands before a letter answers it, in milliseconds.
const ARM_MS: u64 = 400;

/// The card.
#[derive(Debug, Default)]
pub(crate) struct Card {
    /// The question that it shows; empty when none waits.
    id: String,
    /// Of what it shows.
    digest: String,
    tainted: bool,
    width: usize,
    /// What it says.
    pub(crate) rows: Vec<Line>,
    /// Rows above the first one that is seen.
    pub(crate) top: usize,
    /// Since when it stands there, in milliseconds.
    since: u64,
    /// Its last row was on the screen.
    pub(crate) seen: bool,
    /// It is put off: one row says that something waits.
    pub(crate) collapsed: bool,
    /// Why not, while that is written.
    pub(crate) reason: Option<Editor>,
    /// The answer that is on its way.
    sent: Option<String>,
    left: Option<u64>,
}

impl Card {
    /// Whether an answer is on its way.
    pub(crate) fn is_sent(&self) -> bool {
        self.sent.is_some()
    }

    /// What was on its way over another connection is not answered any more.
    pub(super) fn forget_sent(&mut self) {
        self.sent = None;
    }

    /// Whether it was put off just now.
    pub(super) fn was_left(&self, now: u64) -> bool {
        self.left.is_some_and(|left| now.saturating_sub(left) < 2 * ARM_MS)
    }
}

impl Model {
    /// The question that the card shows, and its place among those that wait.
    pub(crate) fn question(&self) -> Option<(usize, &v1::Approval)> {
        self.pending().iter().enumerate().find(|(_, asked)| asked.id == self.card.id)
    }

    /// Rows of the card on a screen with so many for it; its frame takes two of them.
    pub(crate) fn card_height(&self, room: u16) -> u16 {
        if self.card.id.is_empty() {
            return 0;
        }
        let focused = matches!(self.mode, Mode::Card);
        let least = if focused { 2 } else { 5 };
        if self.card.collapsed || room < least {
            return room.min(1);
        }
        let reason = u16::from(self.card.reason.is_some());
        let wanted =
            u16::try_from(self.card.rows.len()).unwrap_or(u16::MAX).saturating_add(2 + reason);
        // The words before the question stay in sight where there is room for both.
        let most = if focused { room - room / 4 } else { room / 2 };
        wanted.min(most.max(least))
    }

    /// Rows of the card's words in a card of that height.
    pub(crate) fn card_body(&self, height: u16) -> usize {
        usize::from(height.saturating_sub(2 + u16::from(self.card.reason.is_some())))
    }
}

/// Chooses and lays the question that is shown.
pub(super) fn settle(model: &mut Model) {
    let pending = model.pending();
    let shown = pending.iter().find(|asked| asked.id == model.card.id).or(pending.first());
    let Some(asked) = shown.cloned() else {
        if matches!(model.mode, Mode::Card) {
            model.mode = Mode::Write;
        }
        model.card = Card { left: model.card.left, ..Card::default() };
        return;
    };
    let width = usize::from(model.width).saturating_sub(2).max(1);
    let card = &model.card;
    let another = card.id != asked.id || card.digest != asked.digest;
    if another {
        let collapsed = card.collapsed && !card.id.is_empty();
        let (left, since) = (card.left, model.now.ms);
        model.card = Card { collapsed, left, since, ..Card::default() };
    }
    if another || model.card.width != width || model.card.tainted != asked.tainted {
        let settings = model.session.as_ref().and_then(|session| session.settings.clone());
        let rows = question::rows(&asked, &settings.unwrap_or_default(), width);
        let card = &mut model.card;
        (card.id, card.digest, card.tainted) = (asked.id, asked.digest, asked.tainted);
        (card.width, card.rows, card.seen) = (width, rows, false);
    }
    if !model.overlays.is_empty() {
        model.card.since = model.now.ms;
        return;
    }
    let height = model.areas().card;
    let body = model.card_body(height);
    let last = model.card.rows.len().saturating_sub(body);
    model.card.top = model.card.top.min(last);
    let whole = body > 0 && height > 1 && model.card.top == last;
    model.card.seen |= whole && !model.card.collapsed;
}

/// Gives the card the keys.
pub(super) fn focus(model: &mut Model) {
    if model.pending().is_empty() {
        model.say("no question waits here; /approvals lists those of all sessions");
        return;
    }
    model.card.collapsed = false;
    model.mode = Mode::Card;
}

/// Shows that question.
pub(super) fn show(model: &mut Model, id: &str) {
    id.clone_into(&mut model.card.id);
    model.card.digest.clear();
    focus(model);
}

pub(super) fn act(model: &mut Model, action: Action) -> Vec<Cmd> {
    if model.card.reason.is_some() {
        return write_reason(model, action);
    }
    match action {
        Action::AllowOnce => return answer(model, true, "once", String::new()),
        Action::AllowSession => return answer(model, true, "session", String::new()),
        Action::AllowAlways => return answer(model, true, "always", String::new()),
        Action::Deny => return answer(model, false, "once", String::new()),
        Action::DenyWhy => model.card.reason = Some(Editor::default()),
        Action::QuestionNext => step(model, 1),
        Action::QuestionBefore => step(model, model.pending().len().saturating_sub(1)),
        Action::Leave => {
            model.mode = Mode::Write;
            model.card.collapsed = true;
            model.card.left = Some(model.now.ms);
        }
        _ => {
            let body = model.card_body(model.areas().card).max(1);
            let last = model.card.rows.len().saturating_sub(body);
            if let Some(top) = turn(model.card.top.min(last), last, body, action) {
                model.card.top = top;
            }
        }
    }
    Vec::new()
}

fn write_reason(model: &mut Model, action: Action) -> Vec<Cmd> {
    match action {
        Action::Leave => model.card.reason = None,
        Action::Accept => {
            let words = model.card.reason.as_ref().map(Editor::expanded).unwrap_or_default();
            return answer(model, false, "once", words.trim().to_owned());
        }
        _ => {}
    }
    Vec::new()
}

fn step(model: &mut Model, by: usize) {
    let count = model.pending().len();
    let Some((at, _)) = model.question() else { return };
    let next = model.pending().get((at + by) % count.max(1)).map(|asked| asked.id.clone());
    if let Some(next) = next.filter(|_| count > 1) {
        show(model, &next);
    }
}

fn answer(model: &mut Model, allow: bool, reach: &str, reason: String) -> Vec<Cmd> {
    let Some((_, asked)) = model.question() else { return Vec::new() };
    let (session, pattern) = (asked.session.clone(), asked.pattern.is_empty());
    let card = &model.card;
    let hindrance = if model.link != Link::Up {
        "not connected: nothing was answered"
    } else if card.is_sent() {
        "the answer is on its way"
    } else if model.now.ms.saturating_sub(card.since) < ARM_MS {
        "it came up just now: press it again"
    } else if allow && !card.seen {
        "read it to its end first: PageDown, End"
    } else if allow && reach != "once" && pattern {
        "only this one call can be allowed: y"
    } else {
        let op_id = model.ops.next();
        model.card.sent = Some(op_id.clone());
        return vec![Cmd::Answer(Box::new(v1::AnswerRequest {
            op_id,
            approval: model.card.id.clone(),
            allow,
            digest: model.card.digest.clone(),
            reach: reach.to_owned(),
            reason,
            session,
        }))];
    };
    model.say(hindrance);
    Vec::new()
}

/// The daemon took the answer, or did not. What was written stays until the question is gone.
pub(super) fn replied(model: &mut Model, op: &str, result: Result<String, Trouble>) {
    let mine = model.card.sent.as_deref() == Some(op);
    match result {
        Ok(pattern) if pattern.is_empty() => {}
        Ok(pattern) => model.say(SafeText::one_line(&format!("allowed from now on: {pattern}"))),
        Err(trouble) => {
            if mine {
                model.card.sent = None;
            }
            model.complain("not answered", &trouble);
        }
    }
}

/// A question came in.
pub(super) fn asked(model: &Model) -> Vec<Cmd> {
    if model.caught_up && !model.focused { vec![Cmd::Ring] } else { Vec::new() }
}

/// A question is answered: here, elsewhere, or by the clock.
pub(super) fn answered(model: &mut Model, event: &v1::Event, told: &v1::ApprovalAnswered) {
    let shown = model.card.id == told.approval;
    if shown && model.card.is_sent() {
        return;
    }
    if shown && matches!(model.mode, Mode::Card) {
        model.mode = Mode::Write;
    }
    if model.caught_up {
        let by = event.cause.as_ref().map_or("", |cause| cause.name.as_str());
        let words = said(told);
        let text = match by {
            "" => words.as_str().to_owned(),
            by => format!("answered by {by}: {}", &*words),
        };
        model.say(SafeText::one_line(&text));
    }
}
