//! `HOOK.md`: the TOML front matter between two `+++` lines, and words for people below it.
//!
//! Only the front matter means anything. The invariant: whatever bytes a file holds, reading it
//! takes time and memory in proportion to [`MAX_BYTES`] at most, and ends in a spec or a sentence.

use toml::Table;

use crate::spec::HookSpec;

/// The largest `HOOK.md`, in bytes.
pub(crate) const MAX_BYTES: u64 = 64 * 1024;

/// Reads the text of a `HOOK.md` in a folder of that name.
///
/// # Errors
/// A sentence for the owner: what is wrong with it.
pub fn manifest(bytes: &[u8], folder: &str) -> Result<HookSpec, String> {
    if bytes.len() as u64 > MAX_BYTES {
        return Err(format!("HOOK.md is larger than {} KiB", MAX_BYTES / 1024));
    }
    let text = std::str::from_utf8(bytes).map_err(|_| "HOOK.md is not UTF-8".to_owned())?;
    let front = front_matter(text.strip_prefix('\u{feff}').unwrap_or(text))?;
    let table: Table = front.parse().map_err(|error: toml::de::Error| {
        format!("its front matter is not TOML: {}", error.message())
    })?;
    // It is the owner's word, and not the author's, that enables a hook.
    if table.contains_key("enabled") {
        return Err("`enabled` does nothing in HOOK.md: `moltis hooks enable` does".to_owned());
    }
    let spec = HookSpec::of(&table, folder)?;
    if spec.name != folder {
        return Err(format!("it calls itself `{}`, but its folder is another", spec.name));
    }
    Ok(spec)
}

fn front_matter(text: &str) -> Result<&str, String> {
    let missing = || "HOOK.md does not begin with a front matter between `+++` lines".to_owned();
    let mut lines = text.split_inclusive('\n');
    let first = lines.next().filter(|line| line.trim_end() == "+++").ok_or_else(missing)?;
    let mut end = first.len();
    for line in lines {
        if line.trim_end() == "+++" {
            return Ok(&text[first.len()..end]);
        }
        end += line.len();
    }
    Err("the front matter of HOOK.md has no second `+++` line".to_owned())
}

#[cfg(test)]
#[path = "manifest_tests.rs"]
mod tests;
