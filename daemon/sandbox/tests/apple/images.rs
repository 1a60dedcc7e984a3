//! Images: built, fetched, listed, removed.

use futures_util::StreamExt as _;
use moltis_core::error::Code;
use moltis_core::sandbox::Sandbox as _;

use crate::support::{IMAGE, Scene, VERSIONS, missing};

#[tokio::test]
async fn an_image_with_packages_is_built_listed_and_removed() {
    if missing() {
        return;
    }
    for version in VERSIONS {
        let scene = Scene::with(version, |options| options.packages = vec!["hello".to_owned()]);
        assert!(!scene.sandbox.probe().await.image_ready, "{version}");
        let mut steps = scene.sandbox.build().await.unwrap();
        let mut said = Vec::new();
        while let Some(step) = steps.next().await {
            said.push(step.unwrap().phase);
        }
        assert!(said.iter().any(|line| line.contains("install -y -q")), "{said:?}");
        assert_eq!(said.last().map(String::as_str), Some("done"));
        let images = scene.sandbox.images().await.unwrap();
        let tag = images[0].tag.clone();
        assert!(tag.starts_with("moltis-sandbox:") && images[0].current, "{images:?}");
        // The base is not ours.
        assert_eq!(images.len(), 1, "{images:?}");
        let status = scene.sandbox.probe().await;
        assert!(status.image_ready, "{}", status.detail);
        assert_eq!(scene.sandbox.remove_images(Some(&tag)).await.unwrap(), [tag]);
        assert!(scene.sandbox.images().await.unwrap().is_empty());
        assert_eq!(
            scene.sandbox.remove_images(Some(IMAGE)).await.unwrap_err().code,
            Code::NotFound
        );
    }
}

#[tokio::test]
async fn a_package_that_does_not_exist_is_told_with_what_the_build_said() {
    if missing() {
        return;
    }
    let packages = vec!["no-such-package".to_owned()];
    let scene = Scene::with("1.2.2", |options| options.packages = packages);
    let error = scene.try_exec("true").await.unwrap_err();
    assert!(error.message.contains("exit code: 100"), "{error}");
    let left = scene.data().join("sandbox/build");
    assert_eq!(std::fs::read_dir(left).unwrap().count(), 0, "what it was built from is gone");
}

#[tokio::test]
async fn a_base_that_is_not_there_is_fetched_and_one_that_does_not_exist_is_told() {
    if missing() {
        return;
    }
    let scene = Scene::with("1.2.2", |options| options.base_image = "there:1".to_owned());
    assert_eq!(scene.exec("echo here").await.stdout, "here\n");
    let scene = Scene::with("0.12.3", |options| options.base_image = "nowhere:1".to_owned());
    let error = scene.try_exec("true").await.unwrap_err();
    assert!(error.message.contains("`nowhere:1` can't be fetched"), "{error}");
}
