//! `moltisd`: the daemon of Moltis.
//!
//! This file reads the command line and makes the process what a daemon has to be; `compose` builds the
//! parts and `serve` runs them. It composes and supervises; it decides nothing.

mod admin;
mod compose;
mod configuration;
mod decisions;
mod env;
mod flags;
mod hands;
mod hooks;
#[cfg(test)]
mod man_tests;
mod meaning;
mod offline;
mod outlet;
mod readiness;
mod review;
mod serve;
mod settings;
mod variables;

use std::fs::DirBuilder;
use std::io::Write as _;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use clap::Parser as _;
use moltis_core::{Code, Error, Result};

use configuration::Configuration;
use flags::Flags;
use readiness::Readiness;

/// The exit code of a configuration or a command line that can't be used.
const UNUSABLE: u8 = 2;

fn main() -> ExitCode {
    let begun = Instant::now();
    // Whoever was first stays: there is no second provider in this program.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let flags = Flags::parse();
    let readiness = Readiness::from_env();
    match run(&flags, &readiness, begun) {
        Ok(code) => code,
        Err(error) => {
            readiness.failed(&error);
            report(&error, flags.json);
            ExitCode::from(if error.code == Code::Invalid { UNUSABLE } else { 1 })
        }
    }
}

/// One line for people, and a hint; with `--json` also the document that the command line promises.
fn report(error: &Error, json: bool) {
    let mut text = format!("moltisd: {}\n", error.message);
    if let Some(hint) = &error.hint {
        text.push_str(&format!("hint: {hint}\n"));
    }
    // There is nobody left to tell that stderr is closed.
    let _ = std::io::stderr().write_all(text.as_bytes());
    if json {
        let code = error.code.as_str();
        let detail =
            serde_json::json!({"code": code, "message": error.message, "hint": error.hint});
        let _ = writeln!(std::io::stdout(), "{}", serde_json::json!({ "error": detail }));
    }
}

fn run(flags: &Flags, readiness: &Readiness, begun: Instant) -> Result<ExitCode> {
    if flags.config_template {
        return offline::template();
    }
    if flags.policy_figures {
        return decisions::print_figures(flags.json);
    }
    let config_dir = config_dir(flags)?;
    if flags.check_config {
        let configuration = Configuration::unread(&config_dir, flags.settings());
        return offline::check_config(&configuration, flags.json);
    }
    let data_dir = data_dir(flags)?;
    if flags.fsck {
        return offline::fsck(&data_dir, flags.rebuild, flags.json);
    }
    if let Some(backup) = &flags.restore {
        return offline::restore(backup, &data_dir, flags.json);
    }
    become_daemon(flags, readiness);
    make_private(&data_dir)?;
    let configuration = Configuration::open(&config_dir, flags.settings())?;
    let settings = configuration.settings();
    let log =
        serve::begin_log(&data_dir, &settings.log_level, settings.log_json, flags.foreground)?;
    configuration.write_template();
    serve::serve(configuration, data_dir, log, readiness, begun)?;
    Ok(ExitCode::SUCCESS)
}

fn config_dir(flags: &Flags) -> Result<PathBuf> {
    let env = |name: &str| std::env::var_os(name);
    let dir = moltis_config::config_dir(flags.config_dir.as_deref(), env)
        .map_err(|error| Error::new(Code::Invalid, error.to_string()))?;
    absolute(&dir)
}

fn data_dir(flags: &Flags) -> Result<PathBuf> {
    let home =
        || moltis_config::home_dir(|name| std::env::var_os(name)).map(|home| home.join(".moltis"));
    let dir = flags.data_dir.clone().or_else(home);
    let message = "neither HOME nor a data directory is given";
    absolute(&dir.ok_or_else(|| Error::new(Code::Invalid, message))?)
}

fn absolute(dir: &Path) -> Result<PathBuf> {
    std::path::absolute(dir)
        .map_err(|error| Error::new(Code::Invalid, format!("use `{}`: {error}", dir.display())))
}

/// What is in it is for its owner.
fn make_private(dir: &Path) -> Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(|error| {
        Error::new(Code::Storage, format!("make the folder `{}`: {error}", dir.display()))
    })
}

/// No terminal can take the daemon along, and what is in its memory goes into no core file.
fn become_daemon(flags: &Flags, readiness: &Readiness) {
    let none = rustix::process::Rlimit { current: Some(0), maximum: Some(0) };
    // A system that refuses leaves the owner's own settings in force.
    let _ = rustix::process::setrlimit(rustix::process::Resource::Core, none);
    if !flags.foreground && readiness.is_awaited() {
        // A session of its own: Ctrl-C in the client's terminal is not for the daemon. Fails for the
        // leader of a group, which has no terminal to lose that it did not choose.
        let _ = rustix::process::setsid();
    }
}
