//! The model as cells: `&Model → Buffer`, never a change of the model.
//!
//! Only lines and spans are painted, and those hold only safe text. Everything clips at its area:
//! no size, down to nothing at all, is an error. Where the text cursor belongs is told to the
//! terminal, so that input methods and screen readers find it.

mod canvas;
mod card;
mod chat;
mod composer;
mod context;
mod footer;
mod help;
mod lists;
mod models;
mod pager;
mod prompt;
mod sessions;
mod welcome;

pub(crate) use canvas::Canvas;

use ratatui::layout::Position;

use crate::app::{Model, Overlay, SMALLEST};
use crate::widget::{Hue, Line};

/// Draws the model; gives the place of the text cursor, if there is one.
pub(crate) fn draw(model: &Model, canvas: &mut Canvas<'_>) -> Option<Position> {
    let area = canvas.area();
    if model.is_too_small() {
        let (width, height) = SMALLEST;
        let text = format!("needs {width}×{height}");
        canvas.line(area.x, area.y, &Line::new(text, Hue::Warn), area.width);
        return None;
    }
    let cursor = chat::draw(model, canvas);
    let Some(overlay) = model.overlays.last() else { return cursor };
    // A question stands above the list that it is about.
    if let [.., Overlay::Sessions(below), Overlay::Prompt(_) | Overlay::Confirm(_)] =
        model.overlays.as_slice()
    {
        sessions::draw(model, below, canvas);
    }
    match overlay {
        Overlay::Help(help) => help::draw(help, canvas),
        Overlay::Palette(palette) => lists::draw_palette(palette, canvas),
        Overlay::Sessions(sessions) => sessions::draw(model, sessions, canvas),
        Overlay::Models(models) => models::draw(models, canvas),
        Overlay::Told(told) => context::draw(told, canvas),
        Overlay::Pager(pager) => pager::draw(pager, canvas),
        Overlay::Asked(asked) => card::draw_list(model, asked, canvas),
        Overlay::Prompt(prompt) => prompt::draw(prompt, canvas),
        Overlay::Confirm(confirm) => prompt::draw_question(confirm, canvas),
        Overlay::Welcome(welcome) => welcome::draw(welcome, canvas),
        Overlay::Refused(trouble) => prompt::draw_refused(trouble, canvas),
    }
}

#[cfg(test)]
#[path = "acting_tests.rs"]
mod acting;
#[cfg(test)]
#[path = "anything_tests.rs"]
mod anything;
#[cfg(test)]
#[path = "view_tests.rs"]
mod tests;
