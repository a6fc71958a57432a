//! Colours, markers and symbols. Nothing is told by colour alone, so that every choice here may fall away.

use ratatui::style::{Color, Modifier, Style};
use ratatui::symbols::{Marker, border};
use ratatui::text::Line;
use ratatui::widgets::{Block, BorderType};

/// What a piece of the screen is, from which its colour follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Ordinary text.
    Plain,
    /// Borders, axes, what may be overlooked.
    Quiet,
    /// Headings and the numbers that matter most.
    Strong,
    /// As it should be.
    Good,
    /// Deserves a look.
    Warn,
    /// Needs a person now.
    Alarm,
    /// EEG traces.
    Eeg,
    /// Spectrum.
    Power,
    /// Aperiodic line and peaks.
    Fit,
    /// Current.
    Current,
}

/// How the screen looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Theme {
    /// Whether colours are used. The sixteen of the terminal's own palette only.
    pub colour: bool,
    /// Whether only ASCII is used.
    pub ascii: bool,
}

impl Theme {
    /// The colour of a role; the terminal's own without colour.
    #[must_use]
    pub fn colour_of(self, role: Role) -> Color {
        if !self.colour {
            return Color::Reset;
        }
        match role {
            Role::Plain | Role::Strong => Color::Reset,
            Role::Quiet => Color::DarkGray,
            Role::Good | Role::Power => Color::Green,
            Role::Warn | Role::Fit => Color::Yellow,
            Role::Alarm => Color::Red,
            Role::Eeg => Color::Cyan,
            Role::Current => Color::Magenta,
        }
    }

    /// The style of a role. Without colour, weight tells what matters.
    #[must_use]
    pub fn style(self, role: Role) -> Style {
        let style = Style::new().fg(self.colour_of(role));
        match role {
            Role::Strong | Role::Warn => style.add_modifier(Modifier::BOLD),
            Role::Alarm => style.add_modifier(Modifier::BOLD | Modifier::REVERSED),
            _ => style,
        }
    }

    /// A style for a word that stands out from a line: the state.
    #[must_use]
    pub fn badge(self, role: Role) -> Style {
        self.style(role).add_modifier(Modifier::BOLD | Modifier::REVERSED)
    }

    /// What curves are drawn with.
    #[must_use]
    pub fn marker(self) -> Marker {
        if self.ascii { Marker::Custom('*') } else { Marker::Braille }
    }

    /// What straight lines are drawn with, where a curve may cross them.
    #[must_use]
    pub fn line_marker(self) -> Marker {
        if self.ascii { Marker::Custom('-') } else { Marker::Braille }
    }

    /// Points that [`Theme::marker`] has in a cell, side by side.
    #[must_use]
    pub fn points_per_cell(self) -> usize {
        if self.ascii { 1 } else { 2 }
    }

    /// `unicode`, or what stands for it in ASCII.
    #[must_use]
    pub fn symbol(self, unicode: &'static str, ascii: &'static str) -> &'static str {
        if self.ascii { ascii } else { unicode }
    }

    /// The frame of a panel.
    #[must_use]
    pub fn panel<'a>(self, title: impl Into<Line<'a>>) -> Block<'a> {
        let block = Block::bordered().border_style(self.style(Role::Quiet)).title(title);
        if self.ascii {
            block.border_set(border::Set {
                top_left: "+",
                top_right: "+",
                bottom_left: "+",
                bottom_right: "+",
                vertical_left: "|",
                vertical_right: "|",
                horizontal_top: "-",
                horizontal_bottom: "-",
            })
        } else {
            block.border_type(BorderType::Rounded)
        }
    }
}
