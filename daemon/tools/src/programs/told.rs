//! What a program did, as a model is told it.

use moltis_core::sandbox::Exit;

/// Bytes of what a program printed, to its standard output and to its standard error.
const OUTPUT: usize = 32_000;
const ERRORS: usize = 12_000;

/// How a program ended and what it printed.
pub(super) fn exit(exit: &Exit) -> String {
    let took = exit.took.as_millis();
    let mut text = match &exit.ended_by {
        Some(why) => format!("[ended by {why} after {took} ms, exit code {}]\n", exit.code),
        None => format!("[exit code {}, {took} ms]\n", exit.code),
    };
    if exit.stdout.is_empty() && exit.stderr.is_empty() {
        text.push_str("[it printed nothing]\n");
    }
    text.push_str(&cut(&exit.stdout, OUTPUT));
    if !exit.stderr.is_empty() {
        if !text.ends_with('\n') {
            text.push('\n');
        }
        text.push_str("[standard error]\n");
        text.push_str(&cut(&exit.stderr, ERRORS));
    }
    text
}

/// A text's head and tail, with what was left out named between them.
pub(super) fn cut(text: &str, most: usize) -> String {
    if text.len() <= most {
        return text.to_owned();
    }
    let head = &text[..text.floor_char_boundary(most / 2)];
    let tail = &text[text.ceil_char_boundary(text.len() - most / 2)..];
    let left_out = text.len() - head.len() - tail.len();
    format!("{head}\n[… {left_out} of {} bytes left out …]\n{tail}", text.len())
}
