//! Reading a secret: from the terminal without showing it, else from standard input. Never from the
//! command line, where every process of the machine could read it.

use std::fs::File;
use std::io::{self, BufRead as _, IsTerminal as _, Read as _, Write as _};

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

use super::context::is_interactive;
use crate::client::Failure;

/// The longest key.
const LONGEST: usize = 64 << 10;

/// Asks for a secret on the terminal, or reads the first line of standard input; it may be empty.
pub(super) fn secret(question: &str) -> Result<String, Failure> {
    let key = match (io::stdin().is_terminal(), is_interactive()) {
        (true, true) => ask(question)?,
        (true, false) => {
            let failure = Failure::usage("standard output is not a terminal: nothing is asked");
            return Err(failure.with_hint("give the key on standard input"));
        }
        (false, _) => first_line()?,
    };
    let key = key.trim();
    if key.chars().any(char::is_control) {
        return Err(Failure::usage("a key has no control characters"));
    }
    Ok(key.to_owned())
}

fn first_line() -> Result<String, Failure> {
    let mut line = Vec::new();
    let most = u64::try_from(LONGEST).unwrap_or(u64::MAX);
    io::stdin()
        .lock()
        .take(most)
        .read_until(b'\n', &mut line)
        .map_err(|error| Failure::io("cannot read standard input", &error))?;
    String::from_utf8(line).map_err(|_| Failure::usage("a key is UTF-8 text"))
}

fn ask(question: &str) -> Result<String, Failure> {
    let failed = |error: io::Error| Failure::io("cannot use the terminal", &error);
    let mut terminal = File::options().read(true).write(true).open("/dev/tty").map_err(failed)?;
    write!(terminal, "{question}: ").map_err(failed)?;
    let quiet = Quiet::new(&terminal).map_err(failed)?;
    let line = read_keys(&terminal);
    drop(quiet);
    writeln!(terminal).map_err(failed)?;
    line
}

/// Reads keys until Enter; the terminal neither shows them nor acts on them.
#[expect(clippy::unbuffered_bytes, reason = "what follows the line is not ours to read")]
fn read_keys(terminal: &File) -> Result<String, Failure> {
    let mut line = Vec::new();
    for byte in terminal.bytes() {
        let byte = byte.map_err(|error| Failure::io("cannot read the terminal", &error))?;
        match byte {
            b'\r' | b'\n' => break,
            0x03 => return Err(Failure::new("cancelled", "no key was stored")),
            0x04 if line.is_empty() => break,
            0x7f | 0x08 => {
                line.pop();
            }
            // Ctrl-U: begin again.
            0x15 => line.clear(),
            _ if line.len() < LONGEST => line.push(byte),
            _ => return Err(Failure::usage("the key is too long")),
        }
    }
    String::from_utf8(line).map_err(|_| Failure::usage("a key is UTF-8 text"))
}

/// A terminal that neither shows keys nor acts on them, until dropped.
struct Quiet<'a> {
    terminal: &'a File,
    before: Termios,
}

impl<'a> Quiet<'a> {
    fn new(terminal: &'a File) -> io::Result<Self> {
        let before = tcgetattr(terminal)?;
        let mut quiet = before.clone();
        quiet.local_modes.remove(LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG);
        tcsetattr(terminal, OptionalActions::Flush, &quiet)?;
        Ok(Self { terminal, before })
    }
}

impl Drop for Quiet<'_> {
    fn drop(&mut self) {
        // A terminal that is gone has nothing to be put back.
        let _ = tcsetattr(self.terminal, OptionalActions::Flush, &self.before);
    }
}
