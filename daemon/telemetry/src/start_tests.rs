use futures_util::StreamExt as _;

use super::*;

fn options(level: &str) -> LogOptions {
    LogOptions { folder: None, level: level.to_owned(), json: false, stderr: false }
}

async fn texts(handle: &LogHandle) -> Vec<String> {
    handle.logs(100, false).map(|line| line.text).collect().await
}

#[tokio::test]
async fn the_level_can_be_changed_while_running() {
    let (subscriber, handle) = build(options("info")).unwrap();
    let _guard = tracing::subscriber::set_default(subscriber);
    tracing::debug!("one");
    handle.set_level("debug").unwrap();
    tracing::debug!("two");
    assert!(matches!(handle.set_level("loud"), Err(Error::Level { .. })));
    tracing::debug!("three");
    assert_eq!(texts(&handle).await, ["two", "three"]);
}

#[test]
fn a_folder_that_can_not_be_made_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    let options = LogOptions { folder: Some(file.join("logs")), ..options("info") };
    let Err(error) = build(options) else { panic!("a log below a file") };
    assert!(error.to_string().contains("file/logs"), "{error}");
}

// The only test that begins the process's own log: it can be done once.
#[tokio::test]
async fn a_panic_is_logged_and_a_second_beginning_refused() {
    let handle = init(LogOptions { stderr: true, ..options("info") }).unwrap();
    assert!(matches!(init(options("info")), Err(Error::Begun)));
    std::thread::spawn(|| panic!("a test's defect")).join().unwrap_err();
    let texts = texts(&handle).await;
    assert!(texts.iter().any(|text| text.contains("a test's defect")), "{texts:?}");
}
