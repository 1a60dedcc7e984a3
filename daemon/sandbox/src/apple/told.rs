//! What `container` answers, in JSON and in a line.
//!
//! Only what is needed is read, and where 0.x and 1.x differ, both are: state is a text in the one
//! and an object in the other, and who reads only one of them takes running containers for lost.
//! Not here: how it is asked. The invariant: an answer that can't be read is an error, never an empty
//! one.

use moltis_core::error::{Code, Error, Result};
use moltis_core::sandbox;
use serde_json::Value;

use crate::container::spec::{INSTANCE, SESSION};
use crate::image::REPOSITORY;

/// A container.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Container {
    pub(super) id: String,
    pub(super) runs: bool,
    instance: Option<String>,
    session: Option<String>,
}

impl Container {
    pub(super) fn is_of(&self, instance: &str, session: Option<&str>) -> bool {
        self.instance.as_deref() == Some(instance)
            && session.is_none_or(|session| self.session.as_deref() == Some(session))
    }
}

/// An image.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Image {
    /// With its registry.
    name: String,
    created: jiff::Timestamp,
    /// Bytes; 0 where it is not said as a number.
    size: u64,
}

impl Image {
    /// Whether a name without a registry means it.
    pub(super) fn is_called(&self, tag: &str) -> bool {
        self.name == tag || self.name.strip_suffix(tag).is_some_and(|before| before.ends_with('/'))
    }
}

/// The version out of `container CLI version 1.2.2 (build: release, commit: 0a1b2c3)`
/// (`ReleaseVersion.swift` and `Application.swift`, 0.12.3 and 1.2.2).
pub(super) fn version(said: &str) -> Option<(u64, u64, u64)> {
    let (_, after) = said.split_once("container CLI version ")?;
    let word = after.split_whitespace().next()?;
    let mut numbers = word.split(['.', '-', '+']).map(|number| number.parse().ok());
    Some((numbers.next()??, numbers.next()??, numbers.next()??))
}

/// Whether the service runs: `{"status":"running","appRoot":…}` (`SystemStatus.swift`, 0.12.3 and
/// 1.2.2; the others are `unregistered` and `not running`).
pub(super) fn runs(said: &str) -> bool {
    let status = serde_json::from_str::<Value>(said).ok();
    status.is_some_and(|status| status["status"] == "running")
}

/// Containers. 0.x: `[{"status":"running","configuration":{"id":…,"labels":{…}},…}]`
/// (`PrintableContainer` in `ContainerList.swift`, 0.12.3). 1.x:
/// `[{"id":…,"configuration":{…},"status":{"state":"running",…}}]` (`ManagedContainer.swift` and
/// `ContainerStatus.swift`, 1.0.0 and 1.2.2). States are `unknown`, `stopped`, `running`, `stopping`
/// (`RuntimeStatus.swift`).
pub(super) fn containers(said: &str) -> Result<Vec<Container>> {
    list(said)?.iter().map(container).collect()
}

fn container(value: &Value) -> Result<Container> {
    let configuration = &value["configuration"];
    let state = match &value["status"] {
        Value::Object(status) => status.get("state").and_then(Value::as_str),
        status => status.as_str(),
    };
    let (Some(id), Some(state)) = (configuration["id"].as_str(), state) else {
        return Err(strange("a container without an id or a state"));
    };
    let label = |name: &str| configuration["labels"][name].as_str().map(str::to_owned);
    Ok(Container {
        id: id.to_owned(),
        runs: state == "running",
        instance: label(INSTANCE),
        session: label(SESSION),
    })
}

/// Images. 0.x: `[{"reference":…,"fullSize":"8.3 MB","descriptor":{…}}]` (`PrintableImage` in
/// `ImageList.swift`, 0.12.3): no date, and a size for people. 1.x:
/// `[{"id":…,"configuration":{"creationDate":…,"name":…,"descriptor":{…}},"variants":[{"size":…}]}]`
/// (`ImageResource.swift`, 1.2.2), dates as ISO 8601 (`OutputRendering.swift`, 1.2.2).
pub(super) fn images(said: &str) -> Result<Vec<Image>> {
    list(said)?.iter().map(image).collect()
}

fn image(value: &Value) -> Result<Image> {
    let configuration = &value["configuration"];
    let name = value["reference"].as_str().or_else(|| configuration["name"].as_str());
    let Some(name) = name else { return Err(strange("an image without a name")) };
    let created = configuration["creationDate"].as_str().and_then(|date| date.parse().ok());
    let variants = value["variants"].as_array().map_or(&[][..], Vec::as_slice);
    Ok(Image {
        name: name.to_owned(),
        created: created.unwrap_or_default(),
        size: variants.iter().filter_map(|variant| variant["size"].as_u64()).sum(),
    })
}

fn list(said: &str) -> Result<Vec<Value>> {
    // Nothing at all is what it prints for an empty text, and never for an empty list.
    match serde_json::from_str(said) {
        Ok(Value::Array(list)) => Ok(list),
        Ok(_) => Err(strange("no list")),
        Err(error) => Err(strange(&error.to_string())),
    }
}

fn strange(what: &str) -> Error {
    let text = format!("the answer of Apple's `container` can't be read: {what}");
    Error::new(Code::Unavailable, text).with_hint("this version of it may be newer than Moltis")
}

/// Those of them that Moltis made, newest first. Their labels are not in the lists of 0.x, so it is
/// their name that says it.
pub(super) fn ours(images: Vec<Image>, current: &str) -> Vec<sandbox::Image> {
    let mut ours: Vec<_> = images
        .into_iter()
        .filter_map(|image| {
            let at = image.name.find(&format!("{REPOSITORY}:"))?;
            let tag = image.name.get(at..)?.to_owned();
            let whole = at == 0 || image.name[..at].ends_with('/');
            let made = sandbox::Image {
                current: tag == current,
                tag,
                created: image.created,
                size: image.size,
            };
            whole.then_some(made)
        })
        .collect();
    ours.sort_by(|one, other| other.created.cmp(&one.created).then(one.tag.cmp(&other.tag)));
    ours
}

#[cfg(test)]
#[path = "told_tests.rs"]
mod tests;
