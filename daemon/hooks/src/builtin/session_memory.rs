//! `session-memory`: when a person puts a session away or begins it anew, what was said last is
//! written down.
//!
//! The files are plain Markdown in the memory's directory, where the memory finds them. The
//! invariants: an existing file is never touched, and no fact becomes a path.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use moltis_core::hook::Occasion;
use tokio::task::spawn_blocking;

use super::{BuiltIns, Said, fact, private_dirs, session};

/// The commands after which a session is not gone on with as it was.
const ANEW: [&str; 4] = ["archive", "new", "clear", "reset"];

/// How many messages are written down, and how many bytes at most.
const MESSAGES: usize = 30;
const MAX_BYTES: usize = 256 * 1024;

/// The most letters of the subject in a file's name.
const SLUG: usize = 40;

/// So many sessions of one day may have the same subject.
const SAME_NAME: u32 = 100;

pub(super) async fn call(built_ins: &BuiltIns, occasion: &Occasion) -> Result<(), String> {
    let action = fact(occasion, "action").unwrap_or_default();
    if !ANEW.contains(&action.trim_start_matches('/')) {
        return Ok(());
    }
    let (Some(transcripts), Some(session)) = (&built_ins.transcripts, session(occasion)) else {
        return Err("the facts name no session".to_owned());
    };
    let said = transcripts.last(session, MESSAGES).await.map_err(|error| error.to_string())?;
    if said.is_empty() {
        return Ok(());
    }
    let now = built_ins.env.now().to_string();
    let text = page(&said, session, &now);
    let date = now.split('T').next().unwrap_or_default();
    let stem = format!("{date}-{}", slug(&said, session));
    let dir = built_ins.data_dir.join("memory").join("sessions");
    spawn_blocking(move || write(&dir, &stem, &text))
        .await
        .map_err(|error| error.to_string())?
        .map_err(|error| format!("can't write it down: {error}"))
}

/// The session's last messages as a page.
fn page(said: &[Said], session: &str, now: &str) -> String {
    let mut page = format!("# Session {session}\n\nWritten down {now}.\n");
    for said in said {
        let piece = format!("\n## {}\n\n{}\n", said.who, said.text.trim());
        if page.len() + piece.len() > MAX_BYTES {
            page.push_str("\n(the rest is left out: it is too long)\n");
            break;
        }
        page.push_str(&piece);
    }
    page
}

/// A few words of what it was about, fit for a file's name.
fn slug(said: &[Said], session: &str) -> String {
    let about = said.iter().find(|said| said.who == "user").map(|said| said.text.as_str());
    let words = words(about.unwrap_or_default());
    let words = if words.is_empty() { self::words(session) } else { words };
    if words.is_empty() { "session".to_owned() } else { words }
}

fn words(text: &str) -> String {
    let mut slug = String::new();
    for c in text.chars().take(400) {
        if slug.len() >= SLUG {
            break;
        }
        if c.is_ascii_alphanumeric() {
            slug.push(c.to_ascii_lowercase());
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
    }
    slug.trim_end_matches('-').to_owned()
}

fn write(dir: &Path, stem: &str, text: &str) -> io::Result<()> {
    private_dirs(dir)?;
    for number in 1..=SAME_NAME {
        let name = if number == 1 { format!("{stem}.md") } else { format!("{stem}-{number}.md") };
        let opened =
            OpenOptions::new().write(true).create_new(true).mode(0o600).open(dir.join(name));
        match opened {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
            Ok(mut file) => return file.write_all(text.as_bytes()),
        }
    }
    Err(io::Error::other(format!("there are {SAME_NAME} of that name today")))
}
