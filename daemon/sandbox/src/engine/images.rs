//! Images on an engine: made, listed, removed. Only those that Moltis labelled are ever touched.

use std::collections::HashMap;
use std::time::Duration;

use bollard::Docker;
use bollard::models::{BuildInfo, CreateImageInfo, ProgressDetail};
use bollard::query_parameters::{
    BuildImageOptions, CreateImageOptions, ListImagesOptions, RemoveImageOptions,
};
use bytes::Bytes;
use futures_util::stream::{self, BoxStream, Stream, StreamExt as _};
use moltis_core::admin::Step;
use moltis_core::error::{Code, Error, Result};
use moltis_core::sandbox::Image;
use tokio::time::timeout;

use super::container::{status, told};
use crate::image::{LABEL, REPOSITORY, Recipe};

/// The longest that an engine may be silent while it makes an image.
const SILENT: Duration = Duration::from_secs(300);

/// What is kept of a line that a build prints.
const LINE: usize = 200;

/// The image is there.
pub(super) async fn is_there(docker: &Docker, tag: &str) -> Result<bool> {
    match docker.inspect_image(tag).await {
        Ok(_) => Ok(true),
        Err(error) if status(&error) == Some(404) => Ok(false),
        Err(error) => Err(told("the engine does not say whether it has the image", &error)),
    }
}

/// Makes the image, or fetches the base where nothing is added to it. Steps carry what the engine
/// says; the last one is finished, or an error.
pub(super) fn make(docker: Docker, recipe: Recipe) -> BoxStream<'static, Result<Step>> {
    let (sender, receiver) = tokio::sync::mpsc::channel(16);
    // Polled together with what it feeds: dropping the steps ends it.
    let making = async move {
        let last = match run(&docker, &recipe, &sender).await {
            Ok(()) => Ok(Step { phase: "done".to_owned(), done: 0, total: 0, finished: true }),
            Err(error) => Err(error),
        };
        let _ = sender.send(last).await;
    };
    let making = stream::once(making).filter_map(|()| async { None });
    stream::select(making, tokio_stream::wrappers::ReceiverStream::new(receiver)).boxed()
}

type Sender = tokio::sync::mpsc::Sender<Result<Step>>;

async fn run(docker: &Docker, recipe: &Recipe, sender: &Sender) -> Result<()> {
    if recipe.is_plain() {
        return fetch(docker, &recipe.base, sender).await;
    }
    let options = BuildImageOptions {
        dockerfile: "Dockerfile".to_owned(),
        t: Some(recipe.tag()),
        rm: true,
        forcerm: true,
        labels: Some(HashMap::from([(LABEL.to_owned(), recipe.base.clone())])),
        // Packages come from the network; nothing of a model's runs here.
        networkmode: Some("host".to_owned()),
        ..BuildImageOptions::default()
    };
    let archive = bollard::body_full(Bytes::from(recipe.archive()));
    let mut lines = Box::pin(docker.build_image(options, None, Some(archive)));
    let mut last = String::new();
    while let Some(info) = next(&mut lines).await? {
        let BuildInfo { stream, status, error_detail, progress_detail, .. } =
            info.map_err(|error| failed(&error, &last))?;
        if let Some(detail) = error_detail {
            let text = format!("the image can't be built: {}", detail.message.unwrap_or_default());
            return Err(Error::new(Code::Unavailable, joined(&text, &last)));
        }
        let text = stream.or(status).unwrap_or_default();
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
            last = line.chars().take(LINE).collect();
            say(sender, &last, progress_detail.as_ref()).await;
        }
    }
    Ok(())
}

/// Fetches an image from its registry.
async fn fetch(docker: &Docker, base: &str, sender: &Sender) -> Result<()> {
    let options =
        CreateImageOptions { from_image: Some(base.to_owned()), ..CreateImageOptions::default() };
    let mut lines = Box::pin(docker.create_image(Some(options), None, None));
    while let Some(info) = next(&mut lines).await? {
        let CreateImageInfo { status, error_detail, progress_detail, .. } =
            info.map_err(|error| told(&format!("the image `{base}` can't be fetched"), &error))?;
        if let Some(detail) = error_detail {
            let said = detail.message.unwrap_or_default();
            let text = format!("the image `{base}` can't be fetched: {said}");
            return Err(Error::new(Code::Unavailable, text));
        }
        say(sender, status.as_deref().unwrap_or("fetching"), progress_detail.as_ref()).await;
    }
    Ok(())
}

async fn next<T>(lines: &mut (impl Stream<Item = T> + Unpin)) -> Result<Option<T>> {
    timeout(SILENT, lines.next()).await.map_err(|_| {
        let text = format!("the engine has said nothing for {} s", SILENT.as_secs());
        Error::new(Code::Unavailable, text)
    })
}

async fn say(sender: &Sender, phase: &str, progress: Option<&ProgressDetail>) {
    let units = |units: Option<i64>| units.and_then(|units| u64::try_from(units).ok()).unwrap_or(0);
    let (done, total) = progress.map_or((0, 0), |at| (units(at.current), units(at.total)));
    let step = Step { phase: phase.to_owned(), done, total, finished: false };
    // Nobody listens any more: then this is dropped with them.
    let _ = sender.send(Ok(step)).await;
}

fn failed(error: &bollard::errors::Error, last: &str) -> Error {
    let mut told = told("the image can't be built", error);
    told.message = joined(&told.message, last);
    told.with_hint("check the base image and the names of the packages")
}

fn joined(text: &str, last: &str) -> String {
    if last.is_empty() { text.to_owned() } else { format!("{text} (the last line was: {last})") }
}

/// The images that Moltis made.
pub(super) async fn list(docker: &Docker, current: &str) -> Result<Vec<Image>> {
    let options = ListImagesOptions {
        filters: Some(HashMap::from([("label".to_owned(), vec![LABEL.to_owned()])])),
        ..ListImagesOptions::default()
    };
    let found = docker.list_images(Some(options)).await;
    let found = found.map_err(|error| told("the engine does not list its images", &error))?;
    let mut images = Vec::new();
    for image in found {
        // Podman puts a registry before it.
        let ours = image.repo_tags.iter().find_map(|tag| {
            let at = tag.find(REPOSITORY)?;
            (at == 0 || tag[..at].ends_with('/')).then(|| tag[at..].to_owned())
        });
        let Some(tag) = ours else { continue };
        images.push(Image {
            current: tag == current,
            tag,
            created: jiff::Timestamp::from_second(image.created).unwrap_or_default(),
            size: u64::try_from(image.size).unwrap_or(0),
        });
    }
    images.sort_by(|one, other| other.created.cmp(&one.created).then(one.tag.cmp(&other.tag)));
    Ok(images)
}

/// Removes one.
pub(super) async fn remove(docker: &Docker, tag: &str) -> Result<()> {
    let options = RemoveImageOptions { force: false, ..RemoveImageOptions::default() };
    let gone = docker.remove_image(tag, Some(options), None).await;
    gone.map(drop).map_err(|error| told(&format!("`{tag}` can't be removed"), &error))
}
