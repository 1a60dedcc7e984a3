//! How each meaning looks: the sixteen colors of the terminal, or none.
//!
//! No fixed RGB, no black, no white, no backgrounds but a swap of the two: whatever palette the
//! terminal has, dark or light, holds. Without color (`NO_COLOR`) weight, slant and underline carry
//! what they can, and every state has a sign of its own anyway.

use ratatui::style::{Color, Modifier, Style};

use crate::widget::{Hue, Ink};

/// How meanings look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Theme {
    /// With the terminal's colors.
    Color,
    /// Without.
    Mono,
}

impl Theme {
    /// The look of an ink.
    pub(crate) fn style(self, ink: Ink) -> Style {
        let mut style = match self {
            Self::Color => colored(ink.hue),
            Self::Mono => plain(ink.hue),
        };
        for (set, modifier) in [
            (ink.bold, Modifier::BOLD),
            (ink.italic, Modifier::ITALIC),
            (ink.strike, Modifier::CROSSED_OUT),
            (ink.underline, Modifier::UNDERLINED),
            (ink.reverse, Modifier::REVERSED),
        ] {
            if set {
                style = style.add_modifier(modifier);
            }
        }
        style
    }
}

fn colored(hue: Hue) -> Style {
    let style = Style::new();
    match hue {
        Hue::Text => style,
        Hue::Dim => style.add_modifier(Modifier::DIM),
        Hue::Accent => style.fg(Color::Cyan),
        Hue::Person | Hue::Function | Hue::Link => style.fg(Color::Blue),
        Hue::Good | Hue::Literal => style.fg(Color::Green),
        Hue::Warn | Hue::Number | Hue::Code => style.fg(Color::Yellow),
        Hue::Bad => style.fg(Color::Red),
        Hue::Heading | Hue::Keyword => style.fg(Color::Magenta),
        Hue::Kind => style.fg(Color::Cyan),
        Hue::Quote => style.fg(Color::Cyan).add_modifier(Modifier::DIM),
        Hue::Remark => style.add_modifier(Modifier::DIM | Modifier::ITALIC),
    }
}

fn plain(hue: Hue) -> Style {
    let style = Style::new();
    match hue {
        Hue::Dim | Hue::Quote => style.add_modifier(Modifier::DIM),
        Hue::Remark => style.add_modifier(Modifier::DIM | Modifier::ITALIC),
        Hue::Bad | Hue::Warn | Hue::Keyword | Hue::Accent | Hue::Person => {
            style.add_modifier(Modifier::BOLD)
        }
        _ => style,
    }
}
