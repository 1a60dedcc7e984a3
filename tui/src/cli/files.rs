//! What `moltis send` says: words, standard input, pictures and text files, as parts of a message.
//!
//! What a file is follows from its first bytes, never from its name. Everything has a bound.

use std::fs::File;
use std::io::{self, IsTerminal as _, Read};
use std::path::Path;

use moltis_proto::v1::part::Part as Inner;
use moltis_proto::v1::{Image, Part};

use crate::client::Failure;

/// The most that pictures may weigh, one or all of a message. With the text it is what the daemon
/// takes.
const LARGEST_IMAGES: usize = 12 << 20;
/// The longest text, one or all of a message: the daemon takes no more.
const LONGEST_TEXT: usize = 4 << 20;

/// The parts of a message: what was written, then the files in order.
pub(super) fn parts(words: &[String], files: &[impl AsRef<Path>]) -> Result<Vec<Part>, Failure> {
    let mut parts = Vec::new();
    let text = written(words, files.is_empty())?;
    if !text.trim().is_empty() {
        parts.push(Part { part: Some(Inner::Text(text)) });
    }
    for file in files {
        parts.push(attachment(file.as_ref())?);
    }
    let (mut text, mut images) = (0, 0);
    for part in &parts {
        match &part.part {
            Some(Inner::Text(said)) => text += said.len(),
            Some(Inner::Image(image)) => images += image.data.len(),
            // Nothing else is made here.
            _ => {}
        }
    }
    for (what, weight, most) in [("text", text, LONGEST_TEXT), ("pictures", images, LARGEST_IMAGES)]
    {
        if weight > most {
            let message = format!("the message has more than {} MiB of {what}", most >> 20);
            return Err(Failure::usage(message));
        }
    }
    if parts.is_empty() {
        return Err(Failure::usage("there is nothing to say").with_hint("moltis send TEXT"));
    }
    Ok(parts)
}

/// The words; a lone `-` before or after them stands for standard input, which is read as well when there are
/// neither words nor files.
fn written(words: &[String], bare: bool) -> Result<String, Failure> {
    let (words, piped) = match words {
        [first, rest @ ..] if first == "-" => (rest, true),
        [rest @ .., last] if last == "-" => (rest, true),
        words => (words, false),
    };
    let said = words.join(" ");
    if !(piped || said.is_empty() && bare && !io::stdin().is_terminal()) {
        return Ok(said);
    }
    let bytes = read(io::stdin().lock(), LONGEST_TEXT, "standard input")?;
    let input =
        String::from_utf8(bytes).map_err(|_| Failure::usage("standard input is not UTF-8 text"))?;
    let input = input.trim_end_matches('\n');
    Ok(if said.is_empty() { input.to_owned() } else { format!("{said}\n\n{input}") })
}

fn attachment(path: &Path) -> Result<Part, Failure> {
    let shown = path.display().to_string();
    let file =
        File::open(path).map_err(|error| Failure::io(format!("cannot read `{shown}`"), &error))?;
    let bytes = read(file, LARGEST_IMAGES, &shown)?;
    let name = path.file_name().map_or_else(|| shown.clone(), |n| n.to_string_lossy().into_owned());
    part(&name, bytes).map_err(|why| Failure::usage(format!("`{shown}` {why}")))
}

fn read(from: impl Read, most: usize, name: &str) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    from.take(u64::try_from(most).unwrap_or(u64::MAX).saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(|error| Failure::io(format!("cannot read `{name}`"), &error))?;
    if bytes.len() > most {
        return Err(Failure::usage(format!("`{name}` is larger than {} MiB", most >> 20)));
    }
    Ok(bytes)
}

fn part(name: &str, bytes: Vec<u8>) -> Result<Part, String> {
    if let Some(media_type) = image_type(&bytes) {
        let media_type = media_type.to_owned();
        return Ok(Part { part: Some(Inner::Image(Image { media_type, data: bytes })) });
    }
    if bytes.len() > LONGEST_TEXT {
        return Err(format!("is larger than {} MiB", LONGEST_TEXT >> 20));
    }
    match String::from_utf8(bytes) {
        Ok(text) if !text.contains('\0') => {
            Ok(Part { part: Some(Inner::Text(fenced(name, &text))) })
        }
        _ => Err("is neither a picture (png, jpeg, gif, webp) nor UTF-8 text".to_owned()),
    }
}

/// The type of a picture, from its first bytes.
fn image_type(bytes: &[u8]) -> Option<&'static str> {
    match bytes {
        [0x89, b'P', b'N', b'G', 0x0d, 0x0a, 0x1a, 0x0a, ..] => Some("image/png"),
        [0xff, 0xd8, 0xff, ..] => Some("image/jpeg"),
        [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => Some("image/gif"),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some("image/webp"),
        _ => None,
    }
}

/// A text file inside of a fence that nothing in it can close.
fn fenced(name: &str, text: &str) -> String {
    let mut longest = 0;
    let mut run = 0;
    for letter in text.chars() {
        run = if letter == '`' { run + 1 } else { 0 };
        longest = longest.max(run);
    }
    let fence = "`".repeat((longest + 1).max(3));
    let language = Path::new(name).extension().and_then(|e| e.to_str()).unwrap_or_default();
    let end = if text.ends_with('\n') || text.is_empty() { "" } else { "\n" };
    format!("{name}:\n{fence}{language}\n{text}{end}{fence}\n")
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn the_first_bytes_decide_what_a_file_is() {
        let png = b"\x89PNG\r\n\x1a\nrest".to_vec();
        let Some(Inner::Image(image)) = part("a.txt", png).unwrap().part else {
            panic!("no image")
        };
        assert_eq!(image.media_type, "image/png");
        assert_eq!(image_type(b"\xff\xd8\xff\xe0"), Some("image/jpeg"));
        assert_eq!(image_type(b"GIF89a"), Some("image/gif"));
        assert_eq!(image_type(b"RIFF\0\0\0\0WEBPVP8 "), Some("image/webp"));
        assert!(part("a.png", vec![0xfe, 0xfe]).is_err());
        assert!(part("a.txt", b"a\0b".to_vec()).is_err());
    }

    #[test]
    fn a_text_file_can_not_close_its_fence() {
        expect![[r#"
            notes.md:
            ````md
            ```
            code
            ```
            ````
        "#]]
        .assert_eq(&fenced("notes.md", "```\ncode\n```"));
    }

    #[test]
    fn words_are_joined_and_a_minus_between_them_is_one() {
        let words = ["7", "-", "3"].map(str::to_owned);
        let parts = parts(&words, &[] as &[&Path]).unwrap();
        assert_eq!(parts, [Part { part: Some(Inner::Text("7 - 3".to_owned())) }]);
    }

    #[test]
    fn what_the_daemon_would_refuse_is_not_sent() {
        let dir = tempfile::tempdir().unwrap();
        let file = |name: &str, bytes: Vec<u8>| {
            let path = dir.path().join(name);
            std::fs::write(&path, bytes).unwrap();
            path
        };
        let picture = [b"GIF89a".to_vec(), vec![0; 7 << 20]].concat();
        let pictures = [file("a", picture.clone()), file("b", picture)];
        assert!(parts(&[], &pictures[..1]).is_ok());
        let failure = parts(&[], &pictures).unwrap_err();
        assert_eq!(failure.message, "the message has more than 12 MiB of pictures");
        let text = vec![b'a'; 3 << 20];
        let failure = parts(&[], &[file("c", text.clone()), file("d", text)]).unwrap_err();
        assert_eq!((failure.exit, failure.message.contains("4 MiB of text")), (2, true));
    }
}
