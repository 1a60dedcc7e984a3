//! `moltis`: the full-screen chat and the scripted commands for the daemon `moltisd`.
//!
//! This file only parses the line, makes the runtime, and turns a failure into an exit code. Nothing
//! is loaded before the line is understood: `moltis --version` starts no runtime.

mod app;
mod cli;
mod client;
mod keymap;
mod output;
mod runtime;
mod term;
mod theme;
mod view;
mod widget;

use std::process::ExitCode;

use clap::Parser as _;

use cli::Cli;
use client::Failure;

fn main() -> ExitCode {
    cli::answer_shell();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return cli::refuse(&error),
    };
    let json = cli.global.json;
    let purpose = cli.command.as_ref().unwrap_or(&cli::Command::default()).purpose();
    match run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) if failure.is_silent() => ExitCode::from(failure.exit),
        Err(failure) => {
            output::report(purpose, &failure, json);
            ExitCode::from(failure.exit)
        }
    }
}

fn run(cli: Cli) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::io("cannot start the runtime", &error))?;
    let ended = runtime.block_on(Box::pin(cli::run(cli)));
    // A thread that waits for a file or a lock must not keep a finished command.
    runtime.shutdown_background();
    ended
}
