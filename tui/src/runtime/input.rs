//! From the terminal's events to the model's.
//!
//! The wheel arrives as arrow keys (DECSET 1007), so that the terminal keeps its own selection. A
//! turn of the wheel is several arrows in one read; a finger sends one at a time.

use crossterm::event::{Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use crate::app::Said;
use crate::keymap::{Code, Key};

/// So many arrows in one read are the wheel.
const WHEEL: isize = 2;

/// What a batch of events says.
pub(super) fn translate(events: Vec<Event>) -> Vec<Said> {
    let mut out: Vec<Said> = Vec::new();
    let mut arrows = 0_isize;
    for event in events {
        let arrow: isize = match &event {
            Event::Key(key) if is_plain_press(*key, KeyCode::Up) => -1,
            Event::Key(key) if is_plain_press(*key, KeyCode::Down) => 1,
            _ => 0,
        };
        if arrow == 0 || arrow.signum() != arrows.signum() {
            flush(&mut arrows, &mut out);
        }
        if arrow != 0 {
            arrows += arrow;
        } else if let Some(said) = one(event) {
            out.push(said);
        }
    }
    flush(&mut arrows, &mut out);
    out
}

fn flush(arrows: &mut isize, out: &mut Vec<Said>) {
    match std::mem::take(arrows) {
        0 => {}
        rows if rows.abs() >= WHEEL => out.push(Said::Wheel(rows)),
        -1 => out.push(Said::Key(Key::plain(Code::Up))),
        _ => out.push(Said::Key(Key::plain(Code::Down))),
    }
}

fn is_plain_press(key: KeyEvent, code: KeyCode) -> bool {
    key.code == code && key.modifiers.is_empty() && key.kind != KeyEventKind::Release
}

fn one(event: Event) -> Option<Said> {
    match event {
        Event::Key(event) if event.kind == KeyEventKind::Release => None,
        Event::Key(event) => key(event).map(Said::Key),
        Event::Paste(text) => Some(Said::Paste(text)),
        Event::Resize(width, height) => Some(Said::Resize { width, height }),
        Event::FocusGained => Some(Said::Focus(true)),
        Event::FocusLost => Some(Said::Focus(false)),
        Event::Mouse(_) => None,
    }
}

fn key(event: KeyEvent) -> Option<Key> {
    let ctrl = event.modifiers.contains(KeyModifiers::CONTROL);
    let alt = event.modifiers.contains(KeyModifiers::ALT);
    let mut shift = event.modifiers.contains(KeyModifiers::SHIFT);
    let code = match event.code {
        // The decoder names the controls after the digits that some keyboards make them with.
        KeyCode::Char(digit @ '4'..='7') if ctrl => match digit {
            '4' => Code::Char('\\'),
            '5' => Code::Char(']'),
            '6' => Code::Char('^'),
            _ => Code::Char('_'),
        },
        KeyCode::Char(c) => {
            // A shifted letter is its own; with control, terminals do not agree on the case.
            let c = if ctrl { c.to_ascii_lowercase() } else { c };
            shift = false;
            Code::Char(c)
        }
        KeyCode::Enter => Code::Enter,
        KeyCode::Esc => Code::Escape,
        KeyCode::Tab => Code::Tab,
        KeyCode::BackTab => {
            shift = true;
            Code::Tab
        }
        KeyCode::Backspace => Code::Backspace,
        KeyCode::Delete => Code::Delete,
        KeyCode::Up => Code::Up,
        KeyCode::Down => Code::Down,
        KeyCode::Left => Code::Left,
        KeyCode::Right => Code::Right,
        KeyCode::Home => Code::Home,
        KeyCode::End => Code::End,
        KeyCode::PageUp => Code::PageUp,
        KeyCode::PageDown => Code::PageDown,
        KeyCode::F(number) => Code::Function(number),
        _ => return None,
    };
    Some(Key { code, ctrl, alt, shift })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn press(code: KeyCode, modifiers: KeyModifiers) -> Event {
        Event::Key(KeyEvent::new(code, modifiers))
    }

    fn keys(events: Vec<Event>) -> Vec<String> {
        translate(events)
            .into_iter()
            .map(|said| match said {
                Said::Key(key) => key.to_string(),
                Said::Wheel(rows) => format!("wheel {rows}"),
                other => format!("{other:?}"),
            })
            .collect()
    }

    #[test]
    fn keys_have_the_names_of_the_table() {
        let events = vec![
            press(KeyCode::Char('x'), KeyModifiers::CONTROL),
            press(KeyCode::Char('7'), KeyModifiers::CONTROL),
            press(KeyCode::Char('Ä'), KeyModifiers::SHIFT),
            press(KeyCode::Enter, KeyModifiers::ALT),
            press(KeyCode::BackTab, KeyModifiers::SHIFT),
            press(KeyCode::Char(' '), KeyModifiers::NONE),
            press(KeyCode::Media(crossterm::event::MediaKeyCode::Play), KeyModifiers::NONE),
        ];
        assert_eq!(keys(events), ["C-x", "C-_", "Ä", "A-Enter", "S-Tab", "Space"]);
    }

    #[test]
    fn several_arrows_in_one_read_are_the_wheel() {
        let up = || press(KeyCode::Up, KeyModifiers::NONE);
        let down = || press(KeyCode::Down, KeyModifiers::NONE);
        assert_eq!(keys(vec![up()]), ["Up"]);
        assert_eq!(keys(vec![up(), up(), up()]), ["wheel -3"]);
        assert_eq!(keys(vec![up(), up(), down()]), ["wheel -2", "Down"]);
        let letter = press(KeyCode::Char('a'), KeyModifiers::NONE);
        assert_eq!(keys(vec![down(), letter, down()]), ["Down", "a", "Down"]);
    }

    #[test]
    fn a_key_that_is_let_go_says_nothing() {
        let mut event = KeyEvent::new(KeyCode::Up, KeyModifiers::NONE);
        event.kind = KeyEventKind::Release;
        assert!(translate(vec![Event::Key(event)]).is_empty());
    }
}
