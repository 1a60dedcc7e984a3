//! The one way in which the model changes.

use super::chat::load_older;
use super::cmd::Cmd;
use super::model::{Link, Model};
use super::msg::{Msg, Said};
use super::status::SPINNER_MS;
use super::transcript::Setting;
use super::{agents, card, keys, net, pager};

/// Cells that stand left and right of the transcript's text.
const MARGIN: usize = 3;
/// Blocks of code that wait for their colors at once.
const MAX_COLORING: usize = 8;

/// Takes a message into the model, and tells what is to be done.
pub(crate) fn update(model: &mut Model, msg: Msg) -> Vec<Cmd> {
    model.now = msg.at;
    if model.toast.as_ref().is_some_and(|toast| toast.until <= msg.at.ms) {
        model.toast = None;
    }
    let mut cmds = match msg.said {
        Said::Key(key) => keys::press(model, key),
        Said::Paste(text) => keys::paste(model, &text),
        Said::Wheel(rows) => keys::wheel(model, rows),
        Said::Resize { width, height } => {
            (model.width, model.height) = (width, height);
            Vec::new()
        }
        Said::Focus(focused) => {
            model.focused = focused;
            Vec::new()
        }
        Said::Tick => Vec::new(),
        Said::Up { build } => net::up(model, build),
        Said::Down(trouble) => net::down(model, trouble),
        Said::Refused(trouble) => net::refused(model, trouble),
        Said::Opened { epoch, session } => net::opened(model, epoch, *session),
        Said::Lost { epoch, trouble } => net::lost(model, epoch, &trouble),
        Said::Fed { epoch, feed } if epoch == model.epoch => net::fed(model, *feed),
        Said::Fed { .. } => Vec::new(),
        Said::Reply(reply) => net::reply(model, *reply),
        Said::History(entries) => {
            model.history.load(entries);
            Vec::new()
        }
        Said::Edited(Ok(text)) => {
            model.composer.set(text.trim_end_matches('\n'));
            Vec::new()
        }
        Said::Edited(Err(why)) => {
            model.say(format!("the editor: {why}"));
            Vec::new()
        }
        Said::Colored { key, paint } => {
            model.coloring.remove(&key);
            let paint = paint.unwrap_or_default();
            model.transcript.repaint(key, &paint);
            model.highlights.insert(key, paint);
            Vec::new()
        }
    };
    cmds.extend(agents::passed(model));
    cmds.extend(settle(model));
    cmds
}

/// Lays what is on the screen, and asks for what is missing there.
pub(super) fn settle(model: &mut Model) -> Vec<Cmd> {
    card::settle(model);
    pager::settle(model);
    let setting = Setting {
        width: transcript_width(model.width),
        height: model.transcript_height(),
        east: model.east,
        highlights: &model.highlights,
    };
    model.transcript.settle(&setting);
    let mut cmds = Vec::new();
    for slot in model.transcript.uncolored(&setting) {
        if model.coloring.len() < MAX_COLORING && model.coloring.insert(slot.key) {
            cmds.push(Cmd::Color {
                key: slot.key,
                language: slot.language.to_string(),
                text: slot.text.to_string(),
            });
        }
    }
    if model.caught_up && model.transcript.wants_older() {
        cmds.extend(load_older(model, 0));
    }
    cmds
}

/// Cells of the transcript's rows on a screen of that width.
pub(crate) fn transcript_width(width: u16) -> usize {
    usize::from(width).saturating_sub(MARGIN).max(1)
}

/// In how many milliseconds something on the screen changes by itself; `None` while nothing does.
pub(crate) fn next_wake(model: &Model) -> Option<u64> {
    let toast = model.toast.as_ref().map(|toast| toast.until.saturating_sub(model.now.ms));
    let clock = match &model.link {
        Link::Down { since, .. } => Some(1_000 - model.now.ms.saturating_sub(*since) % 1_000),
        Link::Up if model.is_running() && model.caught_up => {
            let turns = model.focused && !model.waits_for_person();
            let step = if turns { SPINNER_MS } else { 1_000 };
            Some(step - model.now.ms % step)
        }
        Link::Up | Link::Connecting => None,
    };
    [toast, clock].into_iter().flatten().min()
}
