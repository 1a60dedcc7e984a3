//! How long snapshots take: `cargo run --release -p moltis-checkpoint --example checkpoint_figures`.
//!
//! 10,000 files of 4 KB in 100 directories, in the system's temporary folder.

use std::fs;
use std::time::{Duration, Instant};

use moltis_checkpoint::Checkpointer;
use moltis_core::SessionId;
use moltis_core::checkpoint::Checkpoints;

const DIRECTORIES: usize = 100;
const FILES: usize = 100;

/// Files that changed within the last two seconds are always read again.
const SETTLED: Duration = Duration::from_millis(3100);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let workspace = folder.path().join("workspace");
    for directory in 0..DIRECTORIES {
        let directory_path = workspace.join(format!("d{directory}"));
        fs::create_dir_all(&directory_path)?;
        for file in 0..FILES {
            let line = format!("{directory} {file}\n");
            fs::write(directory_path.join(file.to_string()), line.repeat(4096 / line.len()))?;
        }
    }
    fs::write(workspace.join(".gitignore"), "target/\n*.log\n")?;
    let session = SessionId::from("figures");
    let checkpoints = Checkpointer::open(&folder.path().join("data/checkpoints"), 2 << 30)?;
    let take = async |what: &str| -> Result<String, moltis_core::Error> {
        let start = Instant::now();
        let taken = checkpoints.take(&session, &workspace).await?;
        println!("{what:<44} {:>7.1} ms", start.elapsed().as_secs_f64() * 1000.0);
        Ok(taken.name)
    };
    let before = take("first snapshot of 10,000 files").await?;
    take("again at once, all files read again").await?;
    tokio::time::sleep(SETTLED).await;
    take("again later, all files read again").await?;
    take("again, nothing changed").await?;
    take("again, nothing changed").await?;
    for file in 0..FILES {
        fs::write(workspace.join("d0").join(file.to_string()), "changed\n")?;
    }
    let after = take("again, 100 files changed").await?;
    let start = Instant::now();
    let changes = checkpoints.changes(&before, &after).await?.len();
    println!(
        "{:<44} {:>7.1} ms",
        format!("{changes} changes"),
        start.elapsed().as_secs_f64() * 1000.0
    );
    let start = Instant::now();
    let undone = checkpoints.undo(&workspace, &before, &after).await?.restored.len();
    println!(
        "{:<44} {:>7.1} ms",
        format!("{undone} undone"),
        start.elapsed().as_secs_f64() * 1000.0
    );
    Ok(())
}
