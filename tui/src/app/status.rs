//! The facts of the status line, most important first.

use moltis_proto::v1;

use super::model::{Link, Model};
use super::models::current;
use super::session::title_or;
use super::transcript::{money, tokens};
use crate::keymap::{Action, key_of};
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
    if model.waits_for_person() {
        return sign("?", "waiting for you".into(), Hue::Warn);
    }
    let text = match model.turn_since {
        Some(since) => format!("running {}", elapsed(model.now.unix, since)),
        None => "running".into(),
    };
    sign(turning(model), text, Hue::Good)
}

/// The sign that turns; still while nobody looks.
pub(crate) fn turning(model: &Model) -> &'static str {
    let step = usize::try_from(model.now.ms / SPINNER_MS).unwrap_or_default() % SPINNER.len();
    if model.focused { SPINNER[step] } else { "●" }
}

/// The time until a second: `4:59 left`, `3 h left`.
pub(crate) fn remaining(now: i64, until: i64) -> String {
    match until.saturating_sub(now) {
        ..=0 => "over".into(),
        seconds @ 1..7_200 => format!("{} left", elapsed(seconds, 0)),
        seconds => format!("{} h left", seconds / 3_600),
    }
}

/// The time since a second: `0:42`.
pub(crate) fn elapsed(now: i64, since: i64) -> String {
    let seconds = now.saturating_sub(since).max(0);
    format!("{}:{:02}", seconds / 60, seconds % 60)
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
    if session.spawned.is_some() {
        let key = key_of(Action::ToParent).unwrap_or_default();
        facts.insert(0, SafeText::one_line(&format!("agent · {key} back")));
    }
    facts.extend(unusual(session));
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

/// What is not as configured about the kind of agent, asking and the sandbox.
fn unusual(session: &v1::Session) -> Option<SafeText> {
    let settings = session.settings.as_ref()?;
    let asks = &settings.approvals;
    let mut said = if asks.is_empty() { Vec::new() } else { vec![asks.clone()] };
    if !settings.preset.is_empty() {
        said.insert(0, format!("as {}", settings.preset));
    }
    for (name, value) in [("net", &settings.network), ("mount", &settings.mount)] {
        if !value.is_empty() {
            said.push(format!("{name} {value}"));
        }
    }
    (!said.is_empty()).then(|| SafeText::one_line(&said.join(" ")))
}
