//! The command line: one file for each command, all in the same shape.
//!
//! A command parses its words into meaning, asks the daemon, and prints through
//! [`crate::output::Output`]; what it can't do is a [`Failure`]. `CLI.md`'s names, JSON shapes and
//! exit codes are a contract: they change only by adding.

mod acts;
mod answer;
mod approvals;
mod asking;
mod attach;
mod backup;
mod bench;
mod changes;
mod compaction;
mod complete;
mod completions;
mod config;
mod context;
mod daemon;
mod doctor;
mod files;
mod follow;
mod fsck;
mod hooks;
mod login;
mod models;
mod offline;
mod providers;
mod question;
mod refuse;
mod restore;
mod sandbox;
mod send;
mod sessions;
mod settings;
mod shape;
mod show;
mod stop;
mod tail;
mod transcript;
mod trust;
mod typed;
mod usage;
mod variables;
mod vault;

use std::path::PathBuf;

use clap::builder::{OsStringValueParser, TypedValueParser};
use clap::{Args, Parser, Subcommand, ValueEnum, ValueHint};

use crate::client::Failure;
use context::Context;

pub(crate) use complete::answer_shell;
pub(crate) use refuse::refuse;

/// Talk to models from a terminal, through a daemon that forgets nothing.
///
/// Without a command it is the full-screen chat. Starts moltisd when none runs.
#[derive(Debug, Parser)]
#[command(name = "moltis", version, about, disable_help_subcommand = true, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: GlobalFlags,
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

/// Flags that every command takes.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Global options")]
pub(crate) struct GlobalFlags {
    /// Where `moltis.toml` is [default: ~/.config/moltis]
    #[arg(long, global = true, env = "MOLTIS_CONFIG_DIR", value_parser = path(), value_name = "DIR", value_hint = ValueHint::DirPath, hide_env_values = true)]
    pub(crate) config_dir: Option<PathBuf>,
    /// Where the data is [default: ~/.moltis]
    #[arg(long, global = true, env = "MOLTIS_DATA_DIR", value_parser = path(), value_name = "DIR", value_hint = ValueHint::DirPath, hide_env_values = true)]
    pub(crate) data_dir: Option<PathBuf>,
    /// The daemon's socket, when it is not in the data directory; nothing is started then
    #[arg(long, global = true, env = "MOLTIS_SOCKET", value_parser = path(), value_name = "PATH", value_hint = ValueHint::FilePath, hide_env_values = true)]
    pub(crate) socket: Option<PathBuf>,
    /// Print JSON: a document for a query, a line for each thing of a stream
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Do not start moltisd when none runs
    #[arg(long, global = true)]
    pub(crate) no_autostart: bool,
    /// How chatty the log of a moltisd that is started is
    #[arg(long, global = true, value_name = "LEVEL")]
    pub(crate) log_level: Option<LogLevel>,
    /// When to use colors
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub(crate) color: Color,
}

/// A path; an empty one, of a variable that is set to nothing, counts as none.
fn path() -> impl TypedValueParser<Value = PathBuf> {
    OsStringValueParser::new().map(PathBuf::from)
}

/// How chatty a log is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogLevel {
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

impl LogLevel {
    /// Its name for the daemon.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

/// When to use colors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    /// On a terminal, unless `NO_COLOR` is set.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

impl Color {
    /// Whether colors are used on that kind of output.
    pub(crate) fn holds(self, terminal: bool) -> bool {
        let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        match self {
            Self::Auto => {
                terminal && !set("NO_COLOR") && std::env::var("TERM").as_deref() != Ok("dumb")
            }
            Self::Always => true,
            Self::Never => false,
        }
    }
}

/// What can be done.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Open the full-screen chat in a session
    Attach(attach::AttachArgs),
    /// Say something and print the answer as it comes
    Send(send::SendArgs),
    /// Follow what happens in a session
    Tail(tail::TailArgs),
    /// Stop the running turn of a session
    Stop(stop::StopArgs),
    /// List what waits for an answer
    Approvals(approvals::ApprovalsArgs),
    /// Allow a call that waits for an answer
    Approve(approvals::ApproveArgs),
    /// Deny a call that waits for an answer
    Deny(approvals::DenyArgs),
    /// List, read, and look after sessions
    #[command(subcommand)]
    Sessions(sessions::SessionsCommand),
    /// List and choose models, and bring them onto this machine
    #[command(subcommand)]
    Models(models::ModelsCommand),
    /// Set up who is asked, and with which key
    #[command(subcommand)]
    Providers(providers::ProvidersCommand),
    /// Read and change the configuration
    #[command(subcommand)]
    Config(config::ConfigCommand),
    /// Look after hooks: programs that are told what happens
    #[command(subcommand)]
    Hooks(hooks::HooksCommand),
    /// Look after the place where programs run, and its images
    #[command(subcommand)]
    Sandbox(sandbox::SandboxCommand),
    /// List and take back what is allowed without being asked
    #[command(subcommand)]
    Trust(trust::TrustCommand),
    /// Check that everything is in order, and say what mends it
    Doctor,
    /// Start, stop, and look after moltisd
    #[command(subcommand)]
    Daemon(daemon::DaemonCommand),
    /// Show what was used, by day and model
    Usage(usage::UsageArgs),
    /// Write a complete copy of all sessions and secrets, while running
    Backup(backup::BackupArgs),
    /// Replace all sessions and secrets by those of a backup
    Restore(restore::RestoreArgs),
    /// Check the store, event by event
    Fsck(fsck::FsckArgs),
    /// Look after the stored secrets
    #[command(subcommand)]
    Vault(vault::VaultCommand),
    /// Measure this machine against a mock provider that is built in
    Bench(bench::Args),
    /// Print the completion script of a shell
    Completions(completions::CompletionsArgs),
}

impl Default for Command {
    fn default() -> Self {
        Self::Attach(attach::AttachArgs::default())
    }
}

impl Command {
    /// What could not be done when this command fails.
    pub(crate) fn purpose(&self) -> &'static str {
        match self {
            Self::Attach(_) => "cannot open the chat",
            Self::Send(_) => "cannot get an answer",
            Self::Tail(_) => "cannot follow the session",
            Self::Stop(_) => "cannot stop the turn",
            Self::Approvals(_) => "cannot list what waits",
            Self::Approve(_) => "cannot approve",
            Self::Deny(_) => "cannot deny",
            Self::Sessions(command) => command.purpose(),
            Self::Models(command) => command.purpose(),
            Self::Providers(command) => command.purpose(),
            Self::Config(command) => command.purpose(),
            Self::Hooks(command) => command.purpose(),
            Self::Sandbox(command) => command.purpose(),
            Self::Trust(command) => command.purpose(),
            Self::Doctor => "not everything is in order",
            Self::Daemon(command) => command.purpose(),
            Self::Usage(_) => "cannot show the usage",
            Self::Backup(_) => "cannot write the backup",
            Self::Restore(_) => "cannot restore the backup",
            Self::Fsck(_) => "cannot check the store",
            Self::Vault(_) => "cannot renew the vault's key",
            Self::Bench(_) => "cannot measure",
            Self::Completions(_) => "cannot print the completions",
        }
    }
}

/// Does what was asked.
///
/// # Errors
/// A failure whose exit code is the process's.
pub(crate) async fn run(cli: Cli) -> Result<(), Failure> {
    let Cli { global, command } = cli;
    let command = command.unwrap_or_default();
    let context = Context::new(&global);
    match command {
        Command::Attach(args) => Box::pin(attach::run(&global, args)).await,
        Command::Send(args) => Box::pin(send::run(&context, args)).await,
        Command::Tail(args) => Box::pin(tail::run(&context, args)).await,
        Command::Stop(args) => stop::run(&context, args).await,
        Command::Approvals(args) => approvals::list(&context, args).await,
        Command::Approve(args) => Box::pin(approvals::approve(&context, args)).await,
        Command::Deny(args) => Box::pin(approvals::deny(&context, args)).await,
        Command::Sessions(command) => Box::pin(sessions::run(&context, command)).await,
        Command::Models(command) => Box::pin(models::run(&context, command)).await,
        Command::Providers(command) => Box::pin(providers::run(&context, command)).await,
        Command::Config(command) => Box::pin(config::run(&context, command)).await,
        Command::Hooks(command) => Box::pin(hooks::run(&context, command)).await,
        Command::Sandbox(command) => Box::pin(sandbox::run(&context, command)).await,
        Command::Trust(command) => Box::pin(trust::run(&context, command)).await,
        Command::Doctor => Box::pin(doctor::run(&context)).await,
        Command::Daemon(command) => Box::pin(daemon::run(&context, command)).await,
        Command::Usage(args) => usage::run(&context, args).await,
        Command::Backup(args) => backup::run(&context, args).await,
        Command::Restore(args) => Box::pin(restore::run(&context, args)).await,
        Command::Fsck(args) => fsck::run(&context, args).await,
        Command::Vault(command) => vault::run(&context, command).await,
        Command::Bench(args) => {
            Box::pin(bench::run(&args, &context.output)).await.map_err(|error| {
                let failed = |error| Failure::new("internal", format!("{error:#}"));
                error.downcast::<Failure>().unwrap_or_else(failed)
            })
        }
        Command::Completions(args) => completions::run(&context, &args),
    }
}

#[cfg(test)]
#[path = "man_tests.rs"]
mod man_tests;
