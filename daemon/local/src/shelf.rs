//! The models on this machine: `<models_dir>/<name>.gguf`, and a `.json` beside each with what was
//! found out when it was pulled. A model file that a person put there by hand counts as well.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::gguf::{Gguf, Tensors};
use crate::model::Spec;
use crate::text::Tokenizer;
use crate::text::prompt::Template;

const MODEL: &str = "gguf";
const CARD: &str = "json";
const PART: &str = "gguf.part";
const COPY: &str = "gguf.copy";
/// The format of the file beside a model.
const FORMAT: u32 = 1;
const MAX_NAME: usize = 64;
/// The file beside a model has a few hundred bytes.
const MAX_CARD: u64 = 64 << 10;

/// What is known of a model without reading its file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Card {
    pub(crate) format: u32,
    /// The model's own name.
    pub(crate) title: String,
    /// In hexadecimal.
    pub(crate) sha256: String,
    pub(crate) bytes: u64,
    pub(crate) architecture: String,
    /// Tokens that it was trained to hold.
    pub(crate) context: u64,
    pub(crate) license: String,
    /// Whether it can think before it answers.
    pub(crate) reasons: bool,
    /// Where it was had from.
    pub(crate) source: String,
}

impl Card {
    /// Reads a model file far enough to know that it can be run, and says what it is.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let tensors = Tensors::open(path)?;
        let head: &Gguf = tensors.head();
        let spec = Spec::read(head)?;
        let tokenizer = Tokenizer::read(head)?;
        let template = Template::read(head, &tokenizer);
        let text = |key| head.text(key).unwrap_or_default().to_owned();
        Ok(Self {
            format: FORMAT,
            title: text("general.name"),
            sha256: String::new(),
            bytes: fs::metadata(path)?.len(),
            architecture: head.architecture()?.to_owned(),
            context: spec.context as u64,
            license: text("general.license"),
            reasons: template.reasons(),
            source: String::new(),
        })
    }
}

/// The directory of models.
#[derive(Clone, Debug)]
pub(crate) struct Shelf {
    dir: PathBuf,
}

impl Shelf {
    pub(crate) fn new(dir: PathBuf) -> Self {
        Self { dir }
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Where a model's file is, or would be.
    pub(crate) fn model(&self, name: &str) -> PathBuf {
        self.dir.join(format!("{name}.{MODEL}"))
    }

    /// Where what was fetched so far is.
    pub(crate) fn part(&self, name: &str) -> PathBuf {
        self.dir.join(format!("{name}.{PART}"))
    }

    /// Where a copy of a file of the owner's is made.
    pub(crate) fn copy(&self, name: &str) -> PathBuf {
        self.dir.join(format!("{name}.{COPY}"))
    }

    fn card(&self, name: &str) -> PathBuf {
        self.dir.join(format!("{name}.{CARD}"))
    }

    /// The file of a model that is here.
    pub(crate) fn find(&self, name: &str) -> Option<PathBuf> {
        Some(self.model(name)).filter(|path| is_name(name) && path.is_file())
    }

    /// All models with their cards, by name. Files that can't be run are left out, and logged.
    pub(crate) fn list(&self) -> io::Result<Vec<(String, Card)>> {
        let entries = match fs::read_dir(&self.dir) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let mut models = Vec::new();
        for entry in entries {
            let path = entry?.path();
            let name = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
            if path.extension().is_none_or(|extension| extension != MODEL) || !is_name(name) {
                continue;
            }
            match self.read_card(name, &path) {
                Ok(card) => models.push((name.to_owned(), card)),
                Err(error) => {
                    tracing::warn!(model = name, %error, "left a model file out");
                }
            }
        }
        models.sort_by(|a, b| a.0.cmp(&b.0));
        Ok(models)
    }

    fn read_card(&self, name: &str, model: &Path) -> Result<Card> {
        let path = self.card(name);
        let small = fs::metadata(&path).is_ok_and(|metadata| metadata.len() <= MAX_CARD);
        let text = if small { fs::read_to_string(&path).ok() } else { None };
        let card = text.and_then(|text| serde_json::from_str::<Card>(&text).ok());
        // A card of another file than this is worth nothing.
        let bytes = fs::metadata(model)?.len();
        match card.filter(|card| card.format == FORMAT && card.bytes == bytes) {
            Some(card) => Ok(card),
            None => {
                let card = Card::read(model)?;
                // Only to be quicker the next time.
                if let Err(error) = self.write_card(name, &card) {
                    tracing::debug!(model = name, %error, "could not note what a model is");
                }
                Ok(card)
            }
        }
    }

    /// The digest of a model, where it is known without reading it.
    pub(crate) fn known_digest(&self, name: &str) -> Option<String> {
        let card = self.read_card(name, &self.model(name)).ok()?;
        Some(card.sha256).filter(|digest| !digest.is_empty())
    }

    /// Turns what was fetched or copied into a model, all at once.
    pub(crate) fn accept(&self, name: &str, whole: &Path, card: &Card) -> io::Result<()> {
        self.write_card(name, card)?;
        fs::rename(whole, self.model(name))?;
        File::open(&self.dir)?.sync_all()
    }

    fn write_card(&self, name: &str, card: &Card) -> io::Result<()> {
        let path = self.card(name);
        let fresh = path.with_extension("json.new");
        let mut text = serde_json::to_string_pretty(card)?;
        text.push('\n');
        let mut file = File::create(&fresh)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(fresh, path)
    }

    /// Removes a model and all that belongs to it; says whether there was one.
    pub(crate) fn remove(&self, name: &str) -> io::Result<bool> {
        if !is_name(name) {
            return Ok(false);
        }
        let was = remove_file(&self.model(name))?;
        remove_file(&self.card(name))?;
        let begun = remove_file(&self.part(name))? | remove_file(&self.copy(name))?;
        Ok(was || begun)
    }
}

/// Removes a file; says whether there was one.
pub(crate) fn remove_file(path: &Path) -> io::Result<bool> {
    match fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Whether a text can be a model's name, which also is a file's.
pub(crate) fn is_name(text: &str) -> bool {
    let first = text.bytes().next();
    text.len() <= MAX_NAME
        && first.is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
        && text.bytes().all(|byte| {
            byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-_".contains(&byte)
        })
}

/// The name that a file gives to its model.
pub(crate) fn name_of(path: &Path) -> Option<String> {
    let stem = path.file_stem()?.to_str()?.to_ascii_lowercase();
    let name: String = stem
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || ".-_".contains(c) { c } else { '-' })
        .collect();
    let name: String = name.trim_start_matches(['.', '-', '_']).chars().take(MAX_NAME).collect();
    is_name(&name).then_some(name)
}

#[cfg(test)]
#[path = "shelf_tests.rs"]
mod tests;
