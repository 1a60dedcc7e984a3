//! Which events are logged.

use tracing_subscriber::filter::{LevelFilter, Targets};

use crate::Error;

/// What the target of every event of ours begins with.
const OURS: &str = "moltis";

/// How much libraries may say when only a level was asked for: their debugging is not ours.
const OTHERS: LevelFilter = LevelFilter::WARN;

/// The longest text that is looked at.
const LONGEST: usize = 1024;

/// The filter of a level (`debug`, which is meant for Moltis itself), or of directives
/// (`info,moltis_store=debug,h2=info`).
pub(crate) fn parse(level: &str) -> Result<Targets, Error> {
    let unknown = || Error::Level { level: level.chars().take(80).collect() };
    let text = level.trim();
    if text.is_empty() || text.len() > LONGEST {
        return Err(unknown());
    }
    if let Some(level) = named(text) {
        let others = OTHERS.min(level);
        return Ok(Targets::new().with_target(OURS, level).with_default(others));
    }
    // The library takes a lone unknown word for a target that is wholly on: a typing error.
    let known = |part: &str| part.contains('=') || named(part.trim()).is_some();
    if !text.split(',').all(known) {
        return Err(unknown());
    }
    text.parse().map_err(|_| unknown())
}

fn named(level: &str) -> Option<LevelFilter> {
    Some(match level.to_ascii_lowercase().as_str() {
        "off" => LevelFilter::OFF,
        "error" => LevelFilter::ERROR,
        "warn" => LevelFilter::WARN,
        "info" => LevelFilter::INFO,
        "debug" => LevelFilter::DEBUG,
        "trace" => LevelFilter::TRACE,
        _ => return None,
    })
}

#[cfg(test)]
#[path = "level_tests.rs"]
mod tests;
