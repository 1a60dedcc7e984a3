//! `read`: a file of the workspace as a model can take it in.
//!
//! Text comes with line numbers, pictures as pictures, PDF as the text of its pages; anything else
//! is refused with a sentence. The invariants: no more of a file is held in memory than is told
//! (pictures and PDF: than their caps), and it says what it left out.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Seek as _};
use std::sync::Arc;

use async_trait::async_trait;
use moltis_core::message::Part;
use moltis_core::policy::Authorized;
use moltis_core::provider::ToolSpec;
use moltis_core::tool::{Action, Call, Class, Outcome, Output, Scene, Tool};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{MOST_TEXT, go_on, look, pdf, work};
use crate::jail::{Inside, Jail, Refusal};
use crate::off::{Stop, Workbench};
use crate::schema::{self, schema};

/// Lines that are told unless asked otherwise.
const LINES: u64 = 2_000;

/// Bytes of a line that are told.
const LINE: usize = 2_000;

/// Bytes that are looked at to know what kind of file it is.
const SNIFF: usize = 8 << 10;

/// Bytes of a picture; vendors take about as much.
const PICTURE: u64 = 5 << 20;

/// See the module.
pub(crate) struct Read {
    spec: ToolSpec,
    bench: Arc<Workbench>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Arguments {
    file_path: String,
    offset: Option<u64>,
    limit: Option<u64>,
}

impl Read {
    pub(crate) fn new(bench: Arc<Workbench>) -> Self {
        let spec = ToolSpec {
            name: "read".to_owned(),
            description:
                "Reads a file of the workspace: text with line numbers (2000 lines unless \
                          told otherwise), pictures, PDF."
                    .to_owned(),
            parameters: schema(
                1,
                &[
                    ("file_path", json!({"type": "string"})),
                    (
                        "offset",
                        json!({"type": "integer", "minimum": 1, "description": "First line, or PDF page"}),
                    ),
                    ("limit", json!({"type": "integer", "minimum": 1})),
                ],
            ),
        };
        Self { spec, bench }
    }
}

#[async_trait]
impl Tool for Read {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    fn class(&self) -> Class {
        Class::Read
    }

    fn plan(&self, arguments: &Value, scene: &Scene) -> Result<Action, String> {
        let arguments: Arguments = schema::read(&self.spec, arguments)?;
        look(&arguments.file_path, scene)
    }

    async fn run(&self, call: Authorized<Call>, scene: &Scene, _output: &dyn Output) -> Outcome {
        let arguments: Arguments = match schema::read(&self.spec, &call.what().arguments) {
            Ok(arguments) => arguments,
            Err(wrong) => return Outcome::failed(wrong),
        };
        let images = scene.images;
        let from = arguments.offset.unwrap_or(1);
        let limit = arguments.limit;
        work(&self.bench, &call, scene, move |jail, path, stop| {
            read(jail, path, Want { from, limit, images }, stop)
        })
        .await
    }
}

/// What of a file is wanted.
struct Want {
    /// The first line or page, from 1.
    from: u64,
    limit: Option<u64>,
    images: bool,
}

/// What kind of file it is, by its first bytes.
enum Kind {
    Picture(&'static str),
    Pdf,
    Binary,
    Text,
}

fn kind(head: &[u8]) -> Kind {
    match head {
        [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', ..] => Kind::Picture("image/png"),
        [0xff, 0xd8, 0xff, ..] => Kind::Picture("image/jpeg"),
        [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => Kind::Picture("image/gif"),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => {
            Kind::Picture("image/webp")
        }
        [b'%', b'P', b'D', b'F', b'-', ..] => Kind::Pdf,
        head if head.contains(&0) => Kind::Binary,
        _ => Kind::Text,
    }
}

fn read(jail: &Jail, path: &Inside, want: Want, stop: &Stop) -> Result<Outcome, String> {
    let (mut file, stat) = jail.file(path).map_err(|refusal| refusal.to_string())?;
    let size = u64::try_from(stat.st_size).unwrap_or_default();
    let failed = |error: std::io::Error| format!("`{}`: {error}", path.shown());
    let mut head = Vec::with_capacity(SNIFF);
    (&mut file).take(SNIFF as u64).read_to_end(&mut head).map_err(failed)?;
    file.rewind().map_err(failed)?;
    let shown = path.shown();
    match kind(&head) {
        Kind::Picture(media_type) => picture(file, size, media_type, shown, want.images),
        Kind::Pdf => {
            let bytes = whole(file, pdf::MOST, shown)?;
            let text = pdf::text(&bytes, want.from, want.limit, stop)?;
            Ok(Outcome::said(text).sensitive())
        }
        Kind::Binary => Err(format!(
            "`{shown}` is a binary file of {size} bytes: only text, pictures and PDF can be read"
        )),
        Kind::Text => text(file, shown, &want, stop),
    }
}

fn picture(
    file: File,
    size: u64,
    media_type: &'static str,
    shown: &str,
    images: bool,
) -> Result<Outcome, String> {
    if !images {
        let text = format!(
            "`{shown}` is a picture ({media_type}, {size} bytes), and this model sees none."
        );
        return Ok(Outcome::said(text));
    }
    let data: Arc<[u8]> = whole(file, PICTURE, shown)?.into();
    let mut outcome = Outcome::said(format!("`{shown}` ({media_type}, {} bytes):", data.len()));
    outcome.parts.push(Part::Image { media_type: media_type.to_owned(), data });
    Ok(outcome.sensitive())
}

/// All of a file, if it is no larger than that: it may have grown since it was asked.
pub(super) fn whole(file: File, most: u64, shown: &str) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    file.take(most + 1).read_to_end(&mut bytes).map_err(|error| format!("`{shown}`: {error}"))?;
    if bytes.len() as u64 > most {
        return Err(format!("`{shown}` is larger than {} MiB", most >> 20));
    }
    Ok(bytes)
}

fn text(file: File, shown: &str, want: &Want, stop: &Stop) -> Result<Outcome, String> {
    let mut lines = Lines { reader: BufReader::with_capacity(64 << 10, file), bytes: Vec::new() };
    let (mut number, mut out) = (0_u64, String::new());
    let limit = want.limit.unwrap_or(LINES);
    let (mut odd, mut first) = (false, true);
    while let Some(cut) = lines.next(stop).map_err(|error| format!("`{shown}`: {error}"))? {
        number += 1;
        let bytes = std::mem::replace(&mut first, false)
            .then(|| lines.bytes.strip_prefix(b"\xef\xbb\xbf"))
            .flatten()
            .unwrap_or(&lines.bytes);
        if number < want.from {
            continue;
        }
        if number - want.from >= limit || out.len() >= MOST_TEXT {
            out.push_str(&format!("[more follows: read on with offset {number}]\n"));
            break;
        }
        odd |= std::str::from_utf8(bytes).is_err() && cut == 0;
        out.push_str(&format!("{number}\t{}", String::from_utf8_lossy(bytes)));
        if cut > 0 {
            out.push_str(&format!("… [{cut} bytes of this line left out]"));
        }
        out.push('\n');
    }
    go_on(stop)?;
    if number == 0 {
        return Ok(Outcome::said(format!("`{shown}` is empty.")));
    }
    if number < want.from {
        return Err(format!("`{shown}` has {number} lines only"));
    }
    if odd {
        out.push_str("[it is not UTF-8: what could not be read is shown as \u{fffd}]\n");
    }
    Ok(Outcome::said(out).sensitive())
}

/// Lines of a file, however long they are.
struct Lines {
    reader: BufReader<File>,
    /// The beginning of the last line, without its end.
    bytes: Vec<u8>,
}

impl Lines {
    /// Goes to the next line and tells how many of its bytes were left out; `None` at the end.
    fn next(&mut self, stop: &Stop) -> std::io::Result<Option<usize>> {
        self.bytes.clear();
        let (mut left_out, mut any) = (0, false);
        loop {
            if stop.is_due() {
                return Err(std::io::Error::other(Refusal::Stopped));
            }
            let piece = self.reader.fill_buf()?;
            if piece.is_empty() {
                break;
            }
            any = true;
            let end = piece.iter().position(|byte| *byte == b'\n');
            let line = &piece[..end.unwrap_or(piece.len())];
            let room = LINE.saturating_sub(self.bytes.len()).min(line.len());
            self.bytes.extend_from_slice(&line[..room]);
            left_out += line.len() - room;
            let used = line.len() + usize::from(end.is_some());
            self.reader.consume(used);
            if end.is_some() {
                break;
            }
        }
        if self.bytes.last() == Some(&b'\r') {
            self.bytes.pop();
        }
        Ok(any.then_some(left_out))
    }
}
