//! Programs that go on running, each in a tmux session inside the container.
//!
//! The daemon keeps what each was started with: a container never outlives it, so nothing has to be
//! found again. Names and keys come from a model, so both are checked, and tmux is told where words
//! begin and end.

use std::sync::PoisonError;
use std::time::Duration;

use moltis_core::error::{Code, Error, Result};
use moltis_core::sandbox::Process;
use moltis_core::tool::Run;

use super::exec::{directory, end_marked};
use super::held::{Container, Going, MARK};
use super::proof::NO_TMUX;
use super::runtime::fresh;

/// Programs that may go on in one container.
const MOST: usize = 16;

/// What may be typed at once.
const TYPED: usize = 64 * 1024;

/// Lines that are kept of what scrolled off.
const SCROLLED: &str = "5000";

/// The exit code that stands for a signal.
const KILLED: i64 = 128 + 9;

/// How long until tmux is asked again for the code of a program that has ended, and how often: an
/// old tmux never has that of one that a signal ended.
const CODE: Duration = Duration::from_millis(100);
const CODE_ASKED: u32 = 10;

/// The size of a screen.
const COLUMNS: &str = "160";
const ROWS: &str = "48";

/// Starts a program.
pub(super) async fn start(
    container: &Container,
    name: &str,
    run: &Run,
    workspace: bool,
    variables: Vec<String>,
) -> Result<()> {
    let directory = directory(&run.directory, workspace)?;
    serve(container).await?;
    let mark = fresh()?;
    enter(container, name, &run.command, &mark)?;
    let begun = begin(container, name, (&run.command, &directory), (&mark, variables)).await;
    if begun.is_err() {
        forget(container, name);
    }
    begun
}

/// Has the server of tmux run, under a mark of its own: it serves all of them.
async fn serve(container: &Container) -> Result<()> {
    let mark = container.server_mark()?;
    let words = ["start-server", ";", "set-option", "-g", "exit-empty", "off"];
    tmux(container, &mark, &words, Vec::new()).await.map(drop)
}

/// Takes a name for a program that is about to start, if it is free.
fn enter(container: &Container, name: &str, command: &str, mark: &str) -> Result<()> {
    let mut going = container.going.lock().unwrap_or_else(PoisonError::into_inner);
    if going.contains_key(name) {
        let text = format!("`{name}` is there already");
        return Err(Error::new(Code::Conflict, text).with_hint("end it, or take another name"));
    }
    if going.len() >= MOST {
        let text = format!("{MOST} programs go on in this session, and more may not");
        return Err(Error::new(Code::Busy, text).with_hint("end one first"));
    }
    going.insert(name.to_owned(), Going { command: command.to_owned(), mark: mark.to_owned() });
    container.remember_mark(mark);
    Ok(())
}

fn forget(container: &Container, name: &str) {
    let gone = container.going.lock().unwrap_or_else(PoisonError::into_inner).remove(name);
    if let Some(gone) = gone {
        container.forget_mark(&gone.mark);
    }
}

async fn begin(
    container: &Container,
    name: &str,
    (command, directory): (&str, &str),
    (mark, variables): (&str, Vec<String>),
) -> Result<()> {
    // Their values go by way of the client's environment, where no argument shows them.
    let names = variables.iter().filter_map(|line| line.split_once('=')).map(|(name, _)| name);
    let names: Vec<&str> = names.chain([MARK]).collect();
    let (names, command) = (names.join(" "), escaped(command));
    let options = [
        ["set-option", "-g", "remain-on-exit", "on", ";"],
        ["set-option", "-g", "history-limit", SCROLLED, ";"],
        ["set-option", "-g", "update-environment", &names, ";"],
    ];
    let session = ["new-session", "-d", "-s", name, "-x", COLUMNS, "-y", ROWS, "-c", directory];
    let words = [options.concat(), session.to_vec(), vec!["/bin/sh", "-c", &command]].concat();
    tmux(container, mark, &words, variables).await.map(drop)
}

/// Types into a program.
pub(super) async fn send(container: &Container, name: &str, text: &str, keys: bool) -> Result<()> {
    if text.len() > TYPED {
        let text = format!("{} bytes are too many to type at once", text.len());
        return Err(Error::new(Code::Invalid, text).with_hint(format!("at most {TYPED}")));
    }
    let pane = format!("={name}:");
    let mut words = vec!["send-keys", "-t", &pane];
    let literal = escaped(text);
    if keys {
        words.push("--");
        words.extend(text.split_whitespace());
        if words.iter().any(|word| word.ends_with(';')) {
            return Err(Error::new(Code::Invalid, "`;` is text, no key"));
        }
    } else {
        words.extend(["-l", "--", &literal]);
    }
    ask(container, &words).await.map(drop)
}

/// What a program shows, with so many lines of what scrolled off.
pub(super) async fn screen(
    container: &Container,
    name: &str,
    lines: u32,
) -> Result<(Process, String)> {
    let all = list(container).await?;
    let Some((process, _)) = all.into_iter().find(|(process, _)| process.name == name) else {
        return Err(Error::new(Code::NotFound, format!("no program `{name}` goes on")));
    };
    let (pane, from) = (format!("={name}:"), format!("-{lines}"));
    let shown = ask(container, &["capture-pane", "-p", "-t", &pane, "-S", &from]).await?;
    Ok((process, shown.trim_end().to_owned()))
}

/// The programs that go on, with the pid of each inside.
pub(super) async fn list(container: &Container) -> Result<Vec<(Process, String)>> {
    if container.going.lock().unwrap_or_else(PoisonError::into_inner).is_empty() {
        return Ok(Vec::new());
    }
    let format = "#{session_name}\t#{pane_pid}\t#{pane_dead}\t#{pane_dead_status}#{?pane_dead_signal,signal,}";
    let words = ["list-panes", "-a", "-F", format];
    let mut said = ask(container, &words).await?;
    for _ in 0..CODE_ASKED {
        // tmux sees the end of a program a moment before it has its code, and now and then misses that
        // there is one, until a process of its own ends as well.
        if !said.lines().any(|line| line.ends_with("\t1\t")) {
            break;
        }
        tokio::time::sleep(CODE).await;
        said = ask(container, &[&["run-shell", "true", ";"], &words[..]].concat()).await?;
    }
    let going = container.going.lock().unwrap_or_else(PoisonError::into_inner);
    let listed = said.lines().filter_map(|line| {
        let mut fields = line.split('\t');
        let (name, pid) = (fields.next()?, fields.next()?);
        let dead = fields.next()? == "1";
        // A program that a signal ended has no code.
        let exit = dead.then(|| fields.next().unwrap_or("").parse().unwrap_or(KILLED));
        let command = going.get(name)?.command.clone();
        Some((Process { name: name.to_owned(), command, exit }, pid.to_owned()))
    });
    Ok(listed.collect())
}

/// Ends a program with all that it began.
pub(super) async fn kill(container: &Container, name: &str) -> Result<()> {
    let all = list(container).await?;
    let Some(mark) = mark_of(container, name) else {
        return Err(Error::new(Code::NotFound, format!("no program `{name}` goes on")));
    };
    // The pid of one that has ended may be another's by now.
    let found = all.iter().find(|(process, _)| process.name == name && process.exit.is_none());
    end_marked(container, &mark, found.map_or("", |(_, pid)| pid)).await?;
    forget(container, name);
    if all.iter().any(|(process, _)| process.name == name) {
        ask(container, &["kill-session", "-t", &format!("={name}")]).await?;
    }
    Ok(())
}

fn mark_of(container: &Container, name: &str) -> Option<String> {
    let going = container.going.lock().unwrap_or_else(PoisonError::into_inner);
    going.get(name).map(|going| going.mark.clone())
}

async fn ask(container: &Container, words: &[&str]) -> Result<String> {
    let live = container.mark()?;
    tmux(container, &live.mark, words, Vec::new()).await
}

/// Asks tmux for something.
async fn tmux(
    container: &Container,
    mark: &str,
    words: &[&str],
    variables: Vec<String>,
) -> Result<String> {
    if !container.proof.has("tmux") {
        let hint = "add `tmux` to the packages of the sandbox";
        return Err(Error::new(Code::NotConfigured, NO_TMUX).with_hint(hint));
    }
    let mut command = vec!["tmux", "-u", "-L", "moltis", "-f", "/dev/null"];
    command.extend_from_slice(words);
    match container.ask_as(mark, &command, variables).await? {
        (0, said) => Ok(said),
        (_, said) => Err(Error::new(Code::Unavailable, format!("tmux failed: {}", said.trim()))),
    }
}

/// tmux takes a last `;` for the end of a command.
fn escaped(text: &str) -> String {
    match text.strip_suffix(';') {
        Some(before) => format!("{before}\\;"),
        None => text.to_owned(),
    }
}

/// Checks a name that a model chose.
pub(super) fn check_name(name: &str) -> Result<()> {
    let fits = |letter: char| letter.is_ascii_alphanumeric() || "-_".contains(letter);
    if (1..=32).contains(&name.len()) && name.chars().all(fits) && !name.starts_with('-') {
        return Ok(());
    }
    let text = format!("`{name}` is no name for a program");
    Err(Error::new(Code::Invalid, text).with_hint("up to 32 letters, digits, `-` and `_`"))
}

#[cfg(test)]
#[path = "process_tests.rs"]
mod tests;
