//! Keys in, actions out.

use ratatui::crossterm::event::{Event, KeyCode, KeyEventKind, KeyModifiers};

/// What a person asks of the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Stop stimulation at once.
    StopStimulation,
    /// Ramp down, close the files, end; asked again, do not wait for the ramp.
    Quit,
    /// The stream that has come back from another host is the right one.
    TakeUp,
    /// The same, because nobody can see the screen any more.
    TerminalGone,
}

/// What a key does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// For the runtime.
    Runtime(Action),
    /// Shows or hides the help.
    Help,
    /// Freezes the curves on screen, and nothing else.
    Pause,
    /// The next time span of a monitor's history.
    Span,
    /// Moves through the channels by so many.
    Scroll(isize),
    /// Closes what is open.
    Close,
}

/// What `event` means, if anything. Stopping needs no other key first, whatever is on the screen.
#[must_use]
pub fn key_of(event: &Event) -> Option<Key> {
    let Event::Key(key) = event else { return None };
    if key.kind == KeyEventKind::Release {
        return None;
    }
    let control = key.modifiers.contains(KeyModifiers::CONTROL);
    match key.code {
        KeyCode::Char('c' | 'C' | 'd' | 'D') if control => Some(Key::Runtime(Action::Quit)),
        KeyCode::Char(' ') => Some(Key::Runtime(Action::StopStimulation)),
        _ if control => None,
        KeyCode::Char('q' | 'Q') => Some(Key::Runtime(Action::Quit)),
        KeyCode::Char('y' | 'Y') => Some(Key::Runtime(Action::TakeUp)),
        KeyCode::Char('?' | 'h' | 'H') | KeyCode::F(1) => Some(Key::Help),
        KeyCode::Char('p' | 'P') => Some(Key::Pause),
        KeyCode::Char('t' | 'T') => Some(Key::Span),
        KeyCode::Up | KeyCode::Char('k') => Some(Key::Scroll(-1)),
        KeyCode::Down | KeyCode::Char('j') => Some(Key::Scroll(1)),
        KeyCode::PageUp => Some(Key::Scroll(-8)),
        KeyCode::PageDown => Some(Key::Scroll(8)),
        KeyCode::Esc => Some(Key::Close),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use ratatui::crossterm::event::KeyEvent;

    use super::*;

    fn pressed(code: KeyCode, modifiers: KeyModifiers) -> Option<Key> {
        key_of(&Event::Key(KeyEvent::new(code, modifiers)))
    }

    #[test]
    fn space_stops_with_any_modifier_and_control_c_quits() {
        for modifiers in [KeyModifiers::NONE, KeyModifiers::SHIFT, KeyModifiers::CONTROL, KeyModifiers::ALT] {
            assert_eq!(pressed(KeyCode::Char(' '), modifiers), Some(Key::Runtime(Action::StopStimulation)));
        }
        assert_eq!(pressed(KeyCode::Char('c'), KeyModifiers::CONTROL), Some(Key::Runtime(Action::Quit)));
        assert_eq!(pressed(KeyCode::Char('q'), KeyModifiers::NONE), Some(Key::Runtime(Action::Quit)));
        assert_eq!(pressed(KeyCode::Char('c'), KeyModifiers::NONE), None);
    }

    #[test]
    fn a_released_key_does_nothing() {
        let mut key = KeyEvent::new(KeyCode::Char('q'), KeyModifiers::NONE);
        key.kind = KeyEventKind::Release;
        assert_eq!(key_of(&Event::Key(key)), None);
    }
}
