//! What `moltis send` says: words, standard input, pictures and text files, as parts of a message.
//!
//! What a file is follows from its first bytes, never from its name. Everything has a bound.

use std::fs::File;
use std::io::{self, IsTerminal as _, Read};
use std::path::Path;

use moltis_proto::v1::part::Part as Inner;
use moltis_proto::v1::{Image, Part};

use crate::client::Failure;

/// The largest picture.
const LARGEST_IMAGE: u64 = 20 << 20;
/// The largest text, from a file or standard input.
const LARGEST_TEXT: u64 = 10 << 20;

/// The largest message: the daemon takes 32 MB.
const LARGEST_MESSAGE: usize = 30 << 20;

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
    if parts.iter().map(prost::Message::encoded_len).sum::<usize>() > LARGEST_MESSAGE {
        let most = LARGEST_MESSAGE >> 20;
        return Err(Failure::usage(format!("the message is larger than {most} MB in all")));
    }
    if parts.is_empty() {
        return Err(Failure::usage("there is nothing to say").with_hint("moltis send TEXT"));
    }
    Ok(parts)
}

/// The words; a lone `-` among them stands for standard input, which is read as well when there are
/// neither words nor files.
fn written(words: &[String], bare: bool) -> Result<String, Failure> {
    let piped = words.iter().any(|word| word == "-");
    let words: Vec<&str> = words.iter().map(String::as_str).filter(|word| *word != "-").collect();
    let said = words.join(" ");
    if !(piped || said.is_empty() && bare && !io::stdin().is_terminal()) {
        return Ok(said);
    }
    let bytes = read(io::stdin().lock(), LARGEST_TEXT, "standard input")?;
    let input =
        String::from_utf8(bytes).map_err(|_| Failure::usage("standard input is not UTF-8 text"))?;
    let input = input.trim_end_matches('\n');
    Ok(if said.is_empty() { input.to_owned() } else { format!("{said}\n\n{input}") })
}

fn attachment(path: &Path) -> Result<Part, Failure> {
    let shown = path.display().to_string();
    let file =
        File::open(path).map_err(|error| Failure::io(format!("cannot read `{shown}`"), &error))?;
    let bytes = read(file, LARGEST_IMAGE, &shown)?;
    let name = path.file_name().map_or_else(|| shown.clone(), |n| n.to_string_lossy().into_owned());
    part(&name, bytes).map_err(|why| Failure::usage(format!("`{shown}` {why}")))
}

fn read(from: impl Read, most: u64, name: &str) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    from.take(most + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| Failure::io(format!("cannot read `{name}`"), &error))?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length > most) {
        return Err(Failure::usage(format!("`{name}` is larger than {} MB", most >> 20)));
    }
    Ok(bytes)
}

fn part(name: &str, bytes: Vec<u8>) -> Result<Part, String> {
    if let Some(media_type) = image_type(&bytes) {
        let media_type = media_type.to_owned();
        return Ok(Part { part: Some(Inner::Image(Image { media_type, data: bytes })) });
    }
    if u64::try_from(bytes.len()).is_ok_and(|length| length > LARGEST_TEXT) {
        return Err(format!("is larger than {} MB", LARGEST_TEXT >> 20));
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
    fn words_are_joined() {
        let words = ["hello".to_owned(), "there".to_owned()];
        let parts = parts(&words, &[] as &[&Path]).unwrap();
        assert_eq!(parts, [Part { part: Some(Inner::Text("hello there".to_owned())) }]);
    }
}
