use moltis_core::provider::{Chunk, FinishReason};
use tokio::sync::mpsc;

use super::sampler::Sampling;
use super::*;
use crate::fixture::Fixture;
use crate::text::prompt::Turn;

const HOUR: Duration = Duration::from_secs(3_600);

struct Bench {
    dir: tempfile::TempDir,
    engine: Engine,
}

type Chunks = mpsc::Receiver<Result<Chunk, Failure>>;

impl Bench {
    fn new(idle: Duration) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let settings = Settings { threads: 2, idle, max_context: 1_000 };
        let bench = Self { dir, engine: Engine::new(settings) };
        Fixture::new("llama").write(&bench.path("tiny"));
        bench
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(format!("{name}.gguf"))
    }

    fn ask(&self, name: &str, text: &str, max: u64) -> Result<Chunks, Failure> {
        let (out, chunks) = mpsc::channel(4);
        let job = Job {
            session: "s".into(),
            turns: vec![Turn::new("user", text)],
            think: true,
            max_output: Some(max),
            out,
        };
        self.engine.answer(self.path(name), job)?;
        Ok(chunks)
    }
}

/// All chunks to the end.
async fn all(mut chunks: Chunks) -> Vec<Result<Chunk, Failure>> {
    let mut seen = Vec::new();
    while let Some(chunk) = chunks.recv().await {
        seen.push(chunk);
    }
    seen
}

fn failure(seen: &[Result<Chunk, Failure>]) -> &Failure {
    seen.last().unwrap().as_ref().unwrap_err()
}

#[tokio::test]
async fn an_answer_ends_with_what_it_used_and_why_it_ended() {
    let bench = Bench::new(HOUR);
    let seen = all(bench.ask("tiny", "hello", 5).unwrap()).await;
    let [.., usage, end] = seen.as_slice() else { panic!("{seen:?}") };
    assert_eq!(*end, Ok(Chunk::Finished(FinishReason::Length)));
    let Ok(Chunk::Usage(usage)) = usage else { panic!("{usage:?}") };
    assert_eq!((usage.output_tokens, usage.cache_read_tokens), (5, 0));
    assert!(usage.input_tokens > 10);

    let seen = all(bench.ask("tiny", "hello", 5).unwrap()).await;
    let Some(Ok(Chunk::Usage(again))) = seen.iter().rev().nth(1) else { panic!("{seen:?}") };
    assert_eq!(again.prompt_tokens(), usage.prompt_tokens());
    assert_eq!(again.input_tokens, 1);
    bench.engine.shut_down().await;
}

#[tokio::test]
async fn the_same_question_gets_the_same_answer_from_kept_and_from_fresh_state() {
    let bench = Bench::new(HOUR);
    let first = all(bench.ask("tiny", "hello", 20).unwrap()).await;
    let second = all(bench.ask("tiny", "hello", 20).unwrap()).await;
    let text = |seen: &[Result<Chunk, Failure>]| -> String {
        seen.iter()
            .map(|c| if let Ok(Chunk::Text(t)) = c { t.clone() } else { String::new() })
            .collect()
    };
    assert!(!text(&first).is_empty());
    assert_eq!(text(&first), text(&second));
}

#[tokio::test]
async fn a_conversation_that_does_not_fit_is_an_overflow() {
    let bench = Bench::new(HOUR);
    let seen = all(bench.ask("tiny", &"x".repeat(300), 5).unwrap()).await;
    assert_eq!(failure(&seen).kind, FailureKind::ContextOverflow);
    assert_eq!(
        failure(&seen).message,
        "the conversation has 319 tokens and the model's context holds 256"
    );
}

#[tokio::test]
async fn a_prompt_that_leaves_hardly_any_room_is_an_overflow_unless_little_is_asked_for() {
    let bench = Bench::new(HOUR);
    let seen = all(bench.ask("tiny", &"x".repeat(215), 100).unwrap()).await;
    assert_eq!(failure(&seen).kind, FailureKind::ContextOverflow);
    let seen = all(bench.ask("tiny", &"x".repeat(215), 5).unwrap()).await;
    assert!(seen.last().unwrap().is_ok());
}

#[tokio::test]
async fn an_answer_ends_where_the_context_does() {
    let bench = Bench::new(HOUR);
    let seen = all(bench.ask("tiny", &"x".repeat(200), 10_000).unwrap()).await;
    let Some(Ok(Chunk::Usage(usage))) = seen.iter().rev().nth(1) else { panic!("{seen:?}") };
    assert_eq!(usage.prompt_tokens() + usage.output_tokens, 256);
}

#[tokio::test]
async fn a_listener_that_goes_ends_the_answer_and_the_next_is_served() {
    let bench = Bench::new(HOUR);
    let mut chunks = bench.ask("tiny", "hello", 10_000).unwrap();
    assert!(chunks.recv().await.unwrap().is_ok());
    drop(chunks);
    let seen = all(bench.ask("tiny", "hello", 1).unwrap()).await;
    assert_eq!(seen.last(), Some(&Ok(Chunk::Finished(FinishReason::Length))));
}

#[tokio::test]
async fn a_broken_or_missing_file_is_told_and_the_next_is_served() {
    let bench = Bench::new(HOUR);
    std::fs::write(bench.path("broken"), b"GGUF\x03\0\0\0").unwrap();
    let seen = all(bench.ask("broken", "hello", 5).unwrap()).await;
    assert_eq!(failure(&seen).kind, FailureKind::BadRequest);
    assert_eq!(
        failure(&seen).message,
        "the GGUF file is malformed: it ends in the middle of its head"
    );
    let seen = all(bench.ask("missing", "hello", 5).unwrap()).await;
    assert!(failure(&seen).message.starts_with("read the model file: "));
    let seen = all(bench.ask("tiny", "hello", 1).unwrap()).await;
    assert!(seen.last().unwrap().is_ok());
}

#[tokio::test]
async fn the_thread_goes_when_it_idles_and_comes_back_when_asked() {
    let bench = Bench::new(Duration::from_millis(1));
    for _ in 0..3 {
        let seen = all(bench.ask("tiny", "hello", 1).unwrap()).await;
        assert!(seen.last().unwrap().is_ok());
        while bench.engine.is_running() {
            tokio::task::yield_now().await;
        }
    }
}

#[tokio::test]
async fn more_requests_than_may_wait_are_refused() {
    let bench = Bench::new(HOUR);
    // The first one blocks the thread: nobody reads its chunks.
    let mut first = bench.ask("tiny", "hello", 10_000).unwrap();
    assert!(first.recv().await.unwrap().is_ok());
    let mut waiting = Vec::new();
    let refused = loop {
        match bench.ask("tiny", "hello", 1) {
            Ok(chunks) => waiting.push(chunks),
            Err(failure) => break failure,
        }
    };
    assert_eq!(refused.kind, FailureKind::Overload);
    assert_eq!(waiting.len(), QUEUE);
    drop(first);
    for chunks in waiting {
        assert!(all(chunks).await.last().unwrap().is_ok());
    }
}

#[tokio::test]
async fn shutting_down_ends_the_running_answer_and_refuses_new_ones() {
    let bench = Bench::new(HOUR);
    let mut chunks = bench.ask("tiny", "hello", 10_000).unwrap();
    assert!(chunks.recv().await.unwrap().is_ok());
    let (seen, ()) = tokio::join!(all(chunks), bench.engine.shut_down());
    assert!(!seen.contains(&Ok(Chunk::Finished(FinishReason::Stop))));
    assert!(!bench.engine.is_running());
    let refused = bench.ask("tiny", "hello", 1).unwrap_err();
    assert_eq!(refused.message, "the daemon is stopping");
}

#[tokio::test]
async fn a_file_that_was_replaced_is_read_again() {
    let bench = Bench::new(HOUR);
    assert!(all(bench.ask("tiny", "hello", 1).unwrap()).await.last().unwrap().is_ok());
    std::fs::write(bench.path("tiny"), "other").unwrap();
    let seen = all(bench.ask("tiny", "hello", 1).unwrap()).await;
    assert!(failure(&seen).message.contains("does not begin with `GGUF`"));
}

#[test]
fn sampling_may_come_from_the_file() {
    use candle_core::quantized::gguf_file::Value;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("tiny.gguf");
    let mut fixture = Fixture::new("llama");
    fixture.set("general.sampling.temp", Value::F32(0.5));
    fixture.set("general.sampling.top_k", Value::I32(7));
    fixture.write(&path);
    let loaded = Loaded::load(&path, 100, &|| false).unwrap();
    let wanted = Sampling { temperature: 0.5, top_k: 7, ..Sampling::for_size(0) };
    assert_eq!(loaded.sampling(), wanted);
}
