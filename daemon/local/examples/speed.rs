//! How fast a model file is here: `cargo run --release -p moltis-local --example speed -- FILE`.
#![expect(clippy::print_stdout, reason = "it prints a table")]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use moltis_core::message::{Message, Part, Role, Usage};
use moltis_core::models::ModelInfo;
use moltis_core::provider::{Chunk, Provider, Request};
use moltis_local::{Local, Options};
use moltis_net::{Client, Purpose};

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

/// What one answer took.
struct Answer {
    text: String,
    usage: Usage,
    first: Duration,
    all: Duration,
}

fn main() -> Outcome<()> {
    let path = std::env::args_os().nth(1).map(PathBuf::from).ok_or("which file?")?;
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(run(&path))
}

async fn run(path: &Path) -> Outcome<()> {
    let dir = tempfile::tempdir()?;
    std::os::unix::fs::symlink(path.canonicalize()?, dir.path().join("model.gguf"))?;
    let options = Options {
        models_dir: dir.path().to_owned(),
        threads: 0,
        idle_unload: Duration::from_millis(200),
        max_context: 4_096,
    };
    let local = Local::new(options, Client::new(Purpose::Download)?);
    println!("memory before          {:>8} MB", resident("VmRSS")?);
    let model = local.models().await?.pop().ok_or("that is no model")?;
    let hello = ask(&local, &model, "a", vec![says(Role::User, "Hi")], 1).await?;
    println!("load and first token   {:>8.2} s", hello.first.as_secs_f64());

    let story = "The fox went over the hill and met seven geese by the river. ".repeat(36);
    let long = ask(&local, &model, "b", vec![says(Role::User, &story)], 1).await?;
    let speed = long.usage.input_tokens as f64 / long.first.as_secs_f64();
    println!("prefill of {:>4}        {speed:>8.1} tokens/s", long.usage.input_tokens);

    let question = "Write a long story about a fox.";
    let mut talk = vec![says(Role::User, question)];
    let tale = ask(&local, &model, "c", talk.clone(), 160).await?;
    let speed = (tale.usage.output_tokens - 1) as f64 / (tale.all - tale.first).as_secs_f64();
    println!("decode of {:>4}         {speed:>8.1} tokens/s", tale.usage.output_tokens);

    talk.push(says(Role::Assistant, &tale.text));
    talk.push(says(Role::User, "How does it end?"));
    let more = ask(&local, &model, "c", talk, 20).await?;
    println!(
        "second turn            {:>8} tokens kept, {} read, first token after {:.2} s",
        more.usage.cache_read_tokens,
        more.usage.input_tokens,
        more.first.as_secs_f64()
    );
    println!("memory while loaded    {:>8} MB", resident("VmRSS")?);
    println!("memory at its peak     {:>8} MB", resident("VmHWM")?);
    tokio::time::sleep(Duration::from_millis(600)).await;
    println!("memory after unloading {:>8} MB", resident("VmRSS")?);
    println!("\n{}\n", tale.text.trim());
    local.shut_down().await;
    Ok(())
}

fn says(role: Role, text: &str) -> Message {
    Message { role, parts: vec![Part::Text(text.to_owned())] }
}

async fn ask(
    local: &Arc<Local>,
    model: &ModelInfo,
    session: &str,
    messages: Vec<Message>,
    most: u64,
) -> Outcome<Answer> {
    let request = Request {
        model: model.clone(),
        session: session.into(),
        system: "You are Moltis, a friendly assistant.".to_owned(),
        messages,
        tools: Vec::new(),
        effort: None,
        max_output: Some(most),
    };
    let began = Instant::now();
    let mut chunks = local.stream(request).await?;
    let first = began.elapsed();
    let (mut text, mut usage) = (String::new(), Usage::default());
    while let Some(chunk) = chunks.next().await {
        match chunk? {
            Chunk::Text(more) | Chunk::Reasoning(more) => text.push_str(&more),
            Chunk::Usage(all) => usage = all,
            _ => {}
        }
    }
    Ok(Answer { text, usage, first, all: began.elapsed() })
}

/// A line of the process's status, in MB; 0 where there is no such file.
fn resident(what: &str) -> Outcome<u64> {
    let Ok(status) = std::fs::read_to_string("/proc/self/status") else { return Ok(0) };
    let line = status.lines().find(|line| line.starts_with(what)).ok_or("no such line")?;
    let kilobytes: u64 = line.split_whitespace().nth(1).ok_or("no number")?.parse()?;
    Ok(kilobytes / 1_024)
}
