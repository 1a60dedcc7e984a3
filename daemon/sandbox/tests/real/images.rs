//! Images: made once, told of, removed.

use futures_util::StreamExt as _;
use moltis_core::sandbox::Sandbox as _;

use crate::support::{Scene, Shown, engines, run};

#[tokio::test]
async fn an_image_with_packages_is_made_when_it_is_first_needed() {
    for engine in engines() {
        let package = format!("tool{}", std::process::id());
        let scene = Scene::with(&engine, |options| options.packages = vec![package.clone()]);
        let before = scene.sandbox.probe().await;
        assert!(!before.image_ready && before.image.starts_with("moltis-sandbox:"), "{before:?}");
        let shown = Shown::default();
        let place = &scene.place;
        let exit = scene.sandbox.exec(place, run(place, &package, 30), &shown).await.unwrap();
        assert_eq!(exit.stdout, format!("this is {package}\n"));
        assert!(shown.0.lock().unwrap().contains("making the image moltis-sandbox:"));
        assert!(scene.sandbox.status().image_ready);
        let images = scene.sandbox.images().await.unwrap();
        let ours = images.iter().find(|image| image.tag == before.image).unwrap();
        assert!(ours.current && ours.size > 0, "{ours:?}");
        scene.sandbox.stop(&scene.place.session).await;
        let removed = scene.sandbox.remove_images(Some(&before.image)).await.unwrap();
        assert_eq!(removed, std::slice::from_ref(&before.image));
        assert!(!scene.sandbox.status().image_ready);
        scene.end().await;
    }
}

#[tokio::test]
async fn a_package_that_is_not_there_fails_with_what_the_build_said() {
    for engine in engines() {
        let wanted = vec!["no-such-package".to_owned()];
        let scene = Scene::with(&engine, |options| options.packages = wanted);
        let mut steps = scene.sandbox.build().await.unwrap();
        let mut last = None;
        while let Some(step) = steps.next().await {
            last = Some(step);
        }
        let error = last.unwrap().unwrap_err();
        assert!(error.message.contains("can't be built"), "{error}");
        scene.end().await;
    }
}

#[tokio::test]
async fn an_image_that_moltis_did_not_make_is_not_touched() {
    for engine in engines() {
        let scene = Scene::new(&engine);
        let listed = scene.sandbox.images().await.unwrap();
        assert!(listed.iter().all(|image| image.tag != crate::support::IMAGE));
        let error = scene.sandbox.remove_images(Some(crate::support::IMAGE)).await.unwrap_err();
        assert_eq!(error.code.as_str(), "not_found");
        assert_eq!(scene.exec("echo there").await.stdout, "there\n");
        scene.end().await;
    }
}
