use tracing_subscriber::layer::SubscriberExt as _;

use super::*;

/// What some events leave in the file and in the ring.
fn logged(json: bool, events: impl FnOnce()) -> (String, Vec<String>) {
    let folder = tempfile::tempdir().unwrap();
    let ring = Ring::new();
    let file = Some(Sink::new(LogFile::open(folder.path()).unwrap()));
    let lines = Lines { ring: Arc::clone(&ring), file, stderr: false, json };
    tracing::subscriber::with_default(tracing_subscriber::registry().with(lines), events);
    let text = std::fs::read_to_string(folder.path().join("moltisd.log")).unwrap();
    (text, ring.texts())
}

#[test]
fn an_event_is_one_line_in_the_file_and_in_the_ring() {
    let (file, ring) = logged(false, || tracing::info!(session = "s1", "two\nlines"));
    assert_eq!(ring, ["two\\nlines session=s1"]);
    assert_eq!(file.lines().count(), 1);
    assert!(
        file.ends_with("INFO  moltis_telemetry::layer::tests: two\\nlines session=s1\n"),
        "{file}"
    );
}

#[test]
fn json_lines_keep_fields_and_spans_apart() {
    let (file, ring) = logged(true, || {
        let span = tracing::info_span!("turn", session = "s1", model = tracing::field::Empty);
        span.record("model", "p/m");
        let _entered = span.enter();
        tracing::warn!(attempt = 2, slow = true, "retrying");
    });
    let line: Value = serde_json::from_str(&file).unwrap();
    assert_eq!(line["level"], "WARN");
    assert_eq!(line["message"], "retrying");
    assert_eq!(line["fields"], json!({"attempt": 2, "slow": true}));
    assert_eq!(line["spans"], json!({"turn": {"session": "s1", "model": "p/m"}}));
    assert_eq!(ring, ["turn{session=s1 model=p/m}: retrying attempt=2 slow=true"]);
}

#[test]
fn an_error_is_logged_with_its_chain() {
    #[derive(Debug, thiserror::Error)]
    #[error("open the store")]
    struct Outer(#[source] std::io::Error);

    let (_, ring) = logged(false, || {
        let error = Outer(std::io::Error::other("disk on fire"));
        tracing::error!(error = &error as &dyn std::error::Error, "stopped");
    });
    assert_eq!(ring, ["stopped error=\"open the store: disk on fire\""]);
}

#[test]
fn a_log_that_can_not_be_written_is_told_once_and_mends_itself() {
    let folder = tempfile::tempdir().unwrap();
    let logs = folder.path().join("logs");
    let ring = Ring::new();
    let sink = Sink::new(LogFile::open_full_at(&logs, 1).unwrap());
    let lines = Lines {
        ring: Arc::clone(&ring),
        file: Some(Arc::clone(&sink)),
        stderr: false,
        json: false,
    };
    tracing::subscriber::with_default(tracing_subscriber::registry().with(lines), || {
        tracing::info!("one");
        // The next line wants to turn over: its file is moved aside, and there is no folder for
        // the new one.
        std::fs::rename(&logs, folder.path().join("gone")).unwrap();
        std::fs::write(&logs, "in the way").unwrap();
        sink.close();
        tracing::info!("two");
        tracing::info!("three");
        assert!(sink.trouble().unwrap().starts_with("the log file can't be written"));
        std::fs::remove_file(&logs).unwrap();
        std::fs::create_dir(&logs).unwrap();
        tracing::info!("four");
        assert_eq!(sink.trouble(), None);
    });
    let told = ring.texts();
    assert_eq!(told.len(), 5, "{told:?}");
    assert!(told[1].starts_with("the log file can't be written"));
}

impl Sink {
    fn close(&self) {
        self.state.lock().unwrap().file.close();
    }
}
