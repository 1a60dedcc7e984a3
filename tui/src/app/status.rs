//! The facts of the status line, most important first.

use super::model::{Link, Model};
use super::models::current;
use super::session::title_or;
use super::transcript::{money, tokens};
use crate::widget::{Hue, SafeText};

/// The steps of the sign that turns while an answer comes.
const SPINNER: [&str; 8] = ["⠋", "⠙", "⠸", "⢰", "⣠", "⣄", "⡆", "⠇"];
/// How long one step stays, in milliseconds.
pub(super) const SPINNER_MS: u64 = 120;

/// What the session is doing, as a sign, a word and a meaning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sign {
    pub(crate) sign: &'static str,
    pub(crate) text: String,
    pub(crate) hue: Hue,
}

/// The status line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Status {
    pub(crate) title: SafeText,
    pub(crate) sign: Sign,
    /// The rest, the most important first; what does not fit is left out.
    pub(crate) facts: Vec<SafeText>,
}

/// What the status line says now.
pub(crate) fn status(model: &Model) -> Status {
    let title = model.session.as_ref().map_or("…", |session| title_or(session, "new session"));
    Status { title: SafeText::one_line(title), sign: sign(model), facts: facts(model) }
}

fn sign(model: &Model) -> Sign {
    let sign = |sign, text: String, hue| Sign { sign, text, hue };
    if model.is_refused() {
        return sign("✗", "no daemon".into(), Hue::Bad);
    }
    match &model.link {
        Link::Connecting => return sign("◌", "connecting".into(), Hue::Dim),
        Link::Down { since, .. } => {
            let seconds = model.now.ms.saturating_sub(*since) / 1_000;
            return sign("⚠", format!("reconnecting {seconds} s"), Hue::Warn);
        }
        Link::Up => {}
    }
    if !model.caught_up {
        return sign("◌", "loading".into(), Hue::Dim);
    }
    if !model.is_running() {
        return sign("○", "idle".into(), Hue::Dim);
    }
    let turning = usize::try_from(model.now.ms / SPINNER_MS).unwrap_or_default() % SPINNER.len();
    let mark = if model.focused { SPINNER[turning] } else { "●" };
    let elapsed = model.turn_since.map(|since| model.now.unix.saturating_sub(since).max(0));
    let text = match elapsed {
        Some(seconds) => format!("running {}:{:02}", seconds / 60, seconds % 60),
        None => "running".into(),
    };
    sign(mark, text, Hue::Good)
}

fn facts(model: &Model) -> Vec<SafeText> {
    let mut facts = Vec::new();
    let Some(session) = &model.session else { return facts };
    let name = current(model);
    let effort = session.settings.as_ref().map_or("", |settings| settings.effort.as_str());
    match (name.is_empty(), effort.is_empty()) {
        (true, _) => facts.push("no model".into()),
        (false, true) => facts.push(SafeText::one_line(&name)),
        (false, false) => facts.push(SafeText::one_line(&format!("{name} · {effort}"))),
    }
    let known = model.models.as_ref().and_then(|list| {
        let answering = if session.last_model.is_empty() { &name } else { &session.last_model };
        list.models.iter().find(|known| known.id == *answering)
    });
    let window = known.map_or(0, |known| known.context_window);
    if session.context_tokens > 0 {
        let fill = (session.context_tokens.saturating_mul(100)).checked_div(window);
        facts.push(match fill {
            Some(percent) => format!("ctx {percent}%").into(),
            None => format!("ctx {} tokens", tokens(session.context_tokens)).into(),
        });
    }
    let usage = session.usage.unwrap_or_default();
    if usage.cost_microusd > 0 {
        facts.push(money(usage.cost_microusd).into());
    } else if usage.output_tokens > 0 {
        facts.push(format!("{} out", tokens(usage.output_tokens)).into());
    }
    if session.archived {
        facts.push("put away".into());
    }
    facts
}
