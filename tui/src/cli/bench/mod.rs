//! `moltis bench`: measures this machine against a mock provider built into this program.
//!
//! It starts a `moltisd` of its own in a temporary home and never touches the person's. It prints
//! what it measured and what was to be reached; missing a target is not an error, since the machine may
//! be busy or small.

mod figure;
mod hands;
mod load;
mod mock;
mod rig;
mod screen;
mod start;
mod talk;

use std::time::Duration;

use figure::Figure;
use rig::Rig;

use crate::output::Output;

/// Measures this machine against a built-in mock provider.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Fewer samples and a tenth of the turns: about 20 seconds.
    #[arg(long)]
    quick: bool,
}

/// How much is measured.
struct Scale {
    starts: usize,
    commands: usize,
    presses: usize,
    sends: usize,
    deltas: u32,
    clients: usize,
    span: Duration,
    turns: usize,
    watched: Duration,
    printed: u64,
}

const FULL: Scale = Scale {
    starts: 30,
    commands: 30,
    presses: 500,
    sends: 200,
    deltas: 20_000,
    clients: 64,
    span: Duration::from_secs(5),
    turns: 10_000,
    watched: Duration::from_secs(5),
    printed: 10_000_000_000,
};

const QUICK: Scale = Scale {
    starts: 10,
    commands: 10,
    presses: 100,
    sends: 50,
    deltas: 5_000,
    clients: 16,
    span: Duration::from_secs(1),
    turns: 1_000,
    watched: Duration::from_secs(2),
    printed: 2_000_000_000,
};

/// Measures everything; prints each figure as soon as it is known.
pub(crate) async fn run(args: &Args, output: &Output) -> anyhow::Result<()> {
    let scale = if args.quick { QUICK } else { FULL };
    let mut table = Table { output, figures: Vec::new() };
    table.begin()?;
    measure(&scale, &mut table).await?;
    table.end()
}

async fn measure(scale: &Scale, table: &mut Table<'_>) -> anyhow::Result<()> {
    table.add(start::exec_to_ready(scale.starts).await?)?;
    let rig = Rig::start().await?;
    for figure in start::idle(&rig, scale.watched).await? {
        table.add(figure)?;
    }
    table.add(start::command(&rig, &["--version"], 5.0, scale.commands).await?)?;
    table.add(start::command(&rig, &["sessions", "list"], 20.0, scale.commands).await?)?;
    table.add(talk::send_to_request(&rig, scale.sends).await?)?;
    let pause = Duration::from_micros(500);
    table.add(
        talk::cpu_per_delta(&rig, "as fast as they come", scale.deltas, Duration::ZERO).await?,
    )?;
    table.add(talk::cpu_per_delta(&rig, "2,000/s", scale.deltas / 4, pause).await?)?;
    table.add(talk::fan_out(&rig, scale.clients, 100).await?)?;
    table.add(load::durable(&rig, 1, scale.span).await?)?;
    table.add(load::durable(&rig, 64, scale.span).await?)?;
    let session = load::long_session(&rig, 10_000).await?;
    table.add(load::attach(&rig, &session, scale.commands).await?)?;
    for figure in screen::first_frame(&rig, &session, scale.commands, scale.watched).await? {
        table.add(figure)?;
    }
    table.add(screen::key_to_frame(&rig, scale.presses).await?)?;
    for figure in hands::figures(&rig, scale.printed).await? {
        table.add(figure)?;
    }
    for figure in load::memory_slope(&rig, scale.turns).await? {
        table.add(figure)?;
    }
    rig.end().await
}

/// What is printed: a table as it grows, or one JSON document at the end.
struct Table<'a> {
    output: &'a Output,
    figures: Vec<Figure>,
}

impl Table<'_> {
    fn begin(&self) -> anyhow::Result<()> {
        if !self.output.json {
            self.output.line(&figure::head())?;
        }
        Ok(())
    }

    fn add(&mut self, figure: Figure) -> anyhow::Result<()> {
        if !self.output.json {
            self.output.line(&figure.line())?;
        }
        self.figures.push(figure);
        Ok(())
    }

    fn end(&self) -> anyhow::Result<()> {
        if self.output.json {
            self.output.json(&serde_json::json!({ "figures": self.figures }))?;
        }
        Ok(())
    }
}
