//! The daemon's command line.

use std::path::PathBuf;

use clap::Parser;
use moltis_config::{Flag, Value};

/// The daemon of Moltis: providers, sessions and the store.
#[derive(Debug, Parser)]
#[command(name = "moltisd", version, about)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub(crate) struct Flags {
    /// Where `moltis.toml` is [default: ~/.config/moltis]
    #[arg(long, value_name = "DIR", env = "MOLTIS_CONFIG_DIR", hide_env_values = true)]
    pub(crate) config_dir: Option<PathBuf>,
    /// Where the data is [default: ~/.moltis]
    #[arg(long, value_name = "DIR", env = "MOLTIS_DATA_DIR", hide_env_values = true)]
    pub(crate) data_dir: Option<PathBuf>,
    /// How chatty the log is: error, warn, info, debug or trace
    #[arg(long, value_name = "LEVEL")]
    log_level: Option<String>,
    /// Write the log as JSON lines
    #[arg(long)]
    json_logs: bool,
    /// Stay in the foreground and log to stderr too
    #[arg(long)]
    pub(crate) foreground: bool,
    /// Check the configuration and exit: 0 usable, 1 not
    #[arg(long, group = "verb")]
    pub(crate) check_config: bool,
    /// Print a complete, commented configuration file and exit
    #[arg(long, group = "verb")]
    pub(crate) config_template: bool,
    /// Check the store hash by hash and exit: 0 sound, 1 not
    #[arg(long, group = "verb")]
    pub(crate) fsck: bool,
    /// Before that, make anew all that follows from the events: lists, sums, the search index
    #[arg(long, requires = "fsck")]
    pub(crate) rebuild: bool,
    /// Replace the store by a backup and exit; the old store is kept beside it
    #[arg(long, group = "verb", value_name = "FILE")]
    pub(crate) restore: Option<PathBuf>,
    /// Measure decisions of the policy and exit
    #[arg(long, group = "verb")]
    pub(crate) policy_figures: bool,
    /// Print one JSON document (with the verbs above)
    #[arg(long, requires = "verb")]
    pub(crate) json: bool,
}

impl Flags {
    /// The flags that set configuration keys.
    pub(crate) fn settings(&self) -> Vec<Flag> {
        let mut flags = Vec::new();
        if let Some(level) = &self.log_level {
            let value = Value::Text(level.clone());
            flags.push(Flag { name: "--log-level", path: "log.level", value });
        }
        if self.json_logs {
            flags.push(Flag { name: "--json-logs", path: "log.json", value: Value::Bool(true) });
        }
        flags
    }
}
