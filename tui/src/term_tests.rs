use super::*;

fn frame(screen: &mut Screen, text: &str) -> String {
    let bytes = screen.frame(|buffer| {
        buffer.set_string(0, 0, text, ratatui::style::Style::new());
        None
    });
    String::from_utf8(bytes.unwrap().to_vec()).unwrap()
}

#[test]
fn a_frame_without_a_change_writes_nothing() {
    let mut screen = Screen::new(10, 2);
    assert!(frame(&mut screen, "hello").contains("hello"));
    assert_eq!(frame(&mut screen, "hello"), "");
}

#[test]
fn a_frame_is_only_what_changed_between_the_markers() {
    let mut screen = Screen::new(10, 2);
    frame(&mut screen, "hello");
    let bytes = frame(&mut screen, "hallo");
    assert!(bytes.starts_with("\x1b[?2026h") && bytes.ends_with("\x1b[?2026l"));
    assert!(bytes.contains('a') && !bytes.contains("llo"));
}

#[test]
fn the_screen_is_cleared_only_when_it_is_not_known() {
    let mut screen = Screen::new(10, 2);
    assert!(frame(&mut screen, "a").contains("\x1b[J"));
    assert!(!frame(&mut screen, "b").contains("\x1b[J"));
    screen.resize(12, 3);
    let bytes = frame(&mut screen, "b");
    assert!(bytes.contains("\x1b[J") && bytes.contains('b') && !bytes.contains("\x1b[2J"));
    screen.forget();
    assert!(frame(&mut screen, "b").contains('b'));
}

#[test]
fn the_cursor_moves_without_repainting() {
    let mut screen = Screen::new(10, 2);
    let at = |x| move |_: &mut Buffer| Some(Position::new(x, 0));
    screen.frame(at(1)).unwrap();
    let bytes = String::from_utf8(screen.frame(at(2)).unwrap().to_vec()).unwrap();
    assert_eq!(bytes, "\x1b[?2026h\x1b[1;3H\x1b[?25h\x1b[?2026l");
}
