//! The files of the client: earlier messages, exports, and the text in an external editor.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::app::{MAX_ENTRIES, MAX_ENTRY};

/// The file of earlier messages is written anew when it has so many times the entries kept.
const SLACK: usize = 2;

/// The file of earlier messages: one JSON string a line, readable by its owner only.
#[derive(Clone, Debug)]
pub(super) struct HistoryFile(PathBuf);

impl HistoryFile {
    /// The file in that data directory.
    pub(super) fn at(data_dir: &Path) -> Self {
        Self(data_dir.join("history.jsonl"))
    }

    /// The entries, oldest first. What cannot be read is left out: it is only a convenience.
    pub(super) fn read(&self) -> Vec<String> {
        let Ok(file) = File::open(&self.0) else { return Vec::new() };
        let lines = BufReader::new(file).lines().map_while(Result::ok);
        let mut entries: Vec<String> =
            lines.filter_map(|line| serde_json::from_str(&line).ok()).collect();
        let too_many = entries.len() > MAX_ENTRIES * SLACK;
        entries.drain(..entries.len().saturating_sub(MAX_ENTRIES));
        entries.retain(|entry| entry.len() <= MAX_ENTRY);
        if too_many {
            // Two clients that do this at once lose at most what the other one has just added.
            drop(self.rewrite(&entries));
        }
        entries
    }

    fn rewrite(&self, entries: &[String]) -> io::Result<()> {
        let fresh = self.0.with_extension("jsonl.new");
        let mut file = private(OpenOptions::new().write(true).create(true).truncate(true), &fresh)?;
        for entry in entries {
            writeln!(file, "{}", serde_json::to_string(entry)?)?;
        }
        fs::rename(fresh, &self.0)
    }

    /// Appends an entry.
    pub(super) fn append(&self, entry: &str) -> io::Result<()> {
        let line = serde_json::to_string(entry)? + "\n";
        let mut file = private(OpenOptions::new().append(true).create(true), &self.0)?;
        file.write_all(line.as_bytes())
    }
}

fn private(options: &mut OpenOptions, path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt as _;
    options.mode(0o600).open(path)
}

/// Lets the person's editor change a text; waits until it is closed. The terminal must be free.
///
/// # Errors
/// In words for a person.
pub(super) fn edit(text: &str) -> Result<String, String> {
    let editor = ["VISUAL", "EDITOR"]
        .iter()
        .find_map(|name| std::env::var(name).ok().filter(|value| !value.trim().is_empty()))
        .unwrap_or_else(|| "vi".to_owned());
    let mut words = editor.split_whitespace();
    let program = words.next().unwrap_or("vi").to_owned();
    let path = scratch(text).map_err(|error| format!("no file for the text: {error}"))?;
    let status = Command::new(&program).args(words).arg(&path).status();
    let edited = match status {
        Ok(status) if status.success() => {
            fs::read_to_string(&path).map_err(|error| format!("the text is lost: {error}"))
        }
        Ok(status) => Err(format!("`{program}` ended with {status}; the text is as before")),
        Err(error) => Err(format!("`{program}` cannot be started: {error}")),
    };
    // Another program may have removed it already.
    drop(fs::remove_file(&path));
    edited
}

/// A new file that only its owner can read, with a text in it.
fn scratch(text: &str) -> io::Result<PathBuf> {
    let name = format!("moltis-{}.md", crate::client::op_id());
    let path = std::env::temp_dir().join(name);
    let mut file = private(OpenOptions::new().write(true).create_new(true), &path)?;
    file.write_all(text.as_bytes())?;
    Ok(path)
}

/// Where an export goes: the path that was asked for, or a name made of the title. An existing file
/// is never replaced.
pub(super) fn export_file(path: &str, title: &str) -> io::Result<(File, PathBuf)> {
    let path =
        if path.is_empty() { PathBuf::from(slug(title) + ".md") } else { PathBuf::from(path) };
    let path = match path.strip_prefix("~").ok().zip(std::env::home_dir()) {
        Some((rest, home)) => home.join(rest),
        None => path,
    };
    let file = private(OpenOptions::new().write(true).create_new(true), &path)?;
    Ok((file, std::path::absolute(&path).unwrap_or(path)))
}

fn slug(title: &str) -> String {
    let words: Vec<String> = title
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect();
    let slug: String = words.join("-").chars().take(60).collect();
    if slug.is_empty() { "session".to_owned() } else { slug }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_appended_is_read_again() {
        let dir = tempfile::tempdir().unwrap();
        let file = HistoryFile::at(dir.path());
        assert!(file.read().is_empty());
        file.append("one").unwrap();
        file.append("two\nlines").unwrap();
        assert_eq!(file.read(), ["one", "two\nlines"]);
    }

    #[test]
    fn the_file_is_bounded_and_a_broken_line_is_left_out() {
        let dir = tempfile::tempdir().unwrap();
        let file = HistoryFile::at(dir.path());
        let lines: String = (0..2_500).map(|number| format!("\"{number}\"\n")).collect();
        fs::write(&file.0, lines + "{broken\n").unwrap();
        let entries = file.read();
        assert_eq!(entries.len(), MAX_ENTRIES);
        assert_eq!(entries.last().map(String::as_str), Some("2499"));
        assert_eq!(fs::read_to_string(&file.0).unwrap().lines().count(), MAX_ENTRIES);
    }

    #[test]
    fn only_the_owner_can_read_what_was_said() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        let file = HistoryFile::at(dir.path());
        file.append("secret plans").unwrap();
        assert_eq!(fs::metadata(&file.0).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn an_export_never_replaces_a_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.md");
        let path = path.to_str().unwrap();
        assert!(export_file(path, "").is_ok());
        assert!(export_file(path, "").is_err());
        assert_eq!(slug("Grüße, Welt! 2"), "grüße-welt-2");
        assert_eq!(slug("///"), "session");
    }
}
