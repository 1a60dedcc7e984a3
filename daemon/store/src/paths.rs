//! Where things are below the data directory.

use std::fmt::Write as _;

/// The database.
pub(crate) const DATABASE: &str = "moltis.redb";
/// The lock, with the holder's process id in it.
pub(crate) const LOCK: &str = "moltis.lock";
/// The vault's key.
pub(crate) const KEY: &str = "vault.key";
/// The vault's next key, while it is being changed.
pub(crate) const NEW_KEY: &str = "vault.key.new";
/// The agents' folders.
pub(crate) const AGENTS: &str = "agents";
/// The folder of transcripts in an agent's folder.
pub(crate) const SESSIONS: &str = "sessions";

/// The transcript of a session, below the data directory.
pub(crate) fn transcript(agent: &str, session: &str) -> String {
    let agent = if agent.is_empty() { "main" } else { agent };
    format!("{AGENTS}/{}/{SESSIONS}/{}.jsonl", file_name(agent), file_name(session))
}

/// A name that is safe for a file, whatever the text is, and another one for another text.
pub(crate) fn file_name(text: &str) -> String {
    let mut name = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_' {
            name.push(char::from(byte));
        } else {
            // Writing to a string can't fail.
            _ = write!(name, "%{byte:02X}");
        }
    }
    name
}
