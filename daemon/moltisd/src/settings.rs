//! The table of configuration keys, and what a configuration means.
//!
//! Every key of the table is read in this file; whoever adds one says here what it does.

use std::time::Duration;

use moltis_config::{Config, Key, Kind, Preset, Schema, Section};
use moltis_core::models::ModelRef;
use moltis_core::provider::Effort;
use moltis_core::session::{QueueMode, Titles, TurnRules};
use moltis_providers::ProviderConfig;
use secrecy::SecretString;

const MODEL_HINT: &str = "a model is written `provider/model`";

/// All keys, in the order of the file.
pub(crate) const SCHEMA: Schema = Schema {
    title: "Moltis: everything that can be configured, at its default.\n\
            Take the `#` from a line to change it; `moltis config check` checks this file,\n\
            `moltis config show --origin` tells what holds and why.\n\
            A variable such as MOLTIS_CHAT__TIMEOUT_S wins over this file.",
    sections: &[
        Section { path: "chat", doc: "How turns are run.", example: "" },
        Section {
            path: "providers.*",
            doc: "Who is asked. The name before the slash in `work/gpt-5` is yours to choose.\n\
                  Vendors whose key is in the environment (OPENAI_API_KEY, …) need no section.",
            example: "work",
        },
        Section { path: "local", doc: "Models that run in the daemon.", example: "" },
        Section { path: "log", doc: "What the daemon says of itself.", example: "" },
    ],
    keys: &[
        Key {
            example: "default_model = \"openai/gpt-5\"",
            check: Some(is_model),
            ..Key::new(
                "chat.default_model",
                Kind::Text,
                Preset::Text(""),
                "The model of sessions that choose none; empty takes the first that is set up.",
            )
        },
        Key {
            example: "fallbacks = [\"anthropic/claude-sonnet-4-5\"]",
            check: Some(are_models),
            ..Key::new(
                "chat.fallbacks",
                Kind::List,
                Preset::NoList,
                "Models to ask, in order, when the chosen one fails before it said anything.",
            )
        },
        Key::new(
            "chat.effort",
            Kind::Choice(&["", "minimal", "low", "medium", "high"]),
            Preset::Text(""),
            "How hard models think before they answer; empty leaves it to the vendor.",
        ),
        Key::new(
            "chat.queue",
            Kind::Choice(&["followup", "collect", "steer"]),
            Preset::Text("followup"),
            "What becomes of a message that arrives while a turn runs: followup (a turn of its own),\n\
             collect (one turn with the others that wait), steer (into the running turn).",
        ),
        Key::new(
            "chat.timeout_s",
            Kind::Integer { min: 0, max: 86_400 },
            Preset::Integer(600),
            "The longest that a turn may take, in seconds; 0 is for ever.",
        ),
        Key::new(
            "chat.system_prompt",
            Kind::Text,
            Preset::Text(
                "You are Moltis, a helpful assistant. Answer in Markdown, briefly and truthfully.",
            ),
            "What models are told first of all.",
        ),
        Key::new(
            "chat.titles",
            Kind::Choice(&["first-line", "model", "off"]),
            Preset::Text("first-line"),
            "How sessions get a title: first-line (of the first message), model (a short request after\n\
             the first answer; it costs tokens), off.",
        ),
        Key::new(
            "chat.max_queued",
            Kind::Integer { min: 1, max: 1_000_000 },
            Preset::Integer(100),
            "Messages that may wait in one session.",
        ),
        Key::new(
            "chat.compact_at",
            Kind::Integer { min: 0, max: 100 },
            Preset::Integer(95),
            "A conversation that takes more than so many percent of its model's window, or leaves no\n\
             room for the answer, is summed up by the model first; 0 is never: the oldest messages\n\
             are left out.",
        ),
        Key {
            example: "kind = \"openai\"",
            ..Key::new(
                "providers.*.kind",
                Kind::Text,
                Preset::Text(""),
                "A vendor or a dialect: openai, openai-responses, anthropic, gemini, ollama, openrouter, …\n\
                 (`moltis providers list --kinds` shows all). Empty: the vendor of the section's name.",
            )
        },
        Key {
            example: "base_url = \"https://api.openai.com/v1\"",
            check: Some(is_url),
            ..Key::new(
                "providers.*.base_url",
                Kind::Text,
                Preset::Text(""),
                "Where it is; empty takes the vendor's own.",
            )
        },
        Key {
            example: "api_key = \"…\"",
            secret: true,
            ..Key::new(
                "providers.*.api_key",
                Kind::Text,
                Preset::Text(""),
                "Its key. Better: `moltis providers login NAME`, which keeps it encrypted in the vault.",
            )
        },
        Key {
            example: "api_key_env = \"WORK_API_KEY\"",
            ..Key::new(
                "providers.*.api_key_env",
                Kind::Text,
                Preset::Text(""),
                "The environment variable of the daemon that holds its key.",
            )
        },
        Key {
            example: "models = [\"gpt-5\"]",
            ..Key::new(
                "providers.*.models",
                Kind::List,
                Preset::NoList,
                "Its models; empty asks the provider.",
            )
        },
        Key {
            restart: true,
            ..Key::new(
                "local.threads",
                Kind::Integer { min: 0, max: 256 },
                Preset::Integer(0),
                "Threads that compute; 0 takes the processor's cores, at most four.",
            )
        },
        Key {
            restart: true,
            ..Key::new(
                "local.idle_unload_s",
                Kind::Integer { min: 1, max: 86_400 },
                Preset::Integer(300),
                "After so many idle seconds a model's memory is freed.",
            )
        },
        Key {
            restart: true,
            ..Key::new(
                "local.max_context",
                Kind::Integer { min: 256, max: 1_000_000 },
                Preset::Integer(8192),
                "The most tokens that a conversation with a local model may have: they cost memory.",
            )
        },
        Key {
            check: Some(is_level),
            ..Key::new(
                "log.level",
                Kind::Text,
                Preset::Text("info"),
                "error, warn, info, debug or trace; or parts with levels: `info,moltis_store=debug`.",
            )
        },
        Key {
            restart: true,
            ..Key::new("log.json", Kind::Bool, Preset::Bool(false), "Write the log as JSON lines.")
        },
    ],
};

fn is_model(value: &moltis_config::Value) -> Result<(), String> {
    match value {
        moltis_config::Value::Text(text) if text.is_empty() => Ok(()),
        moltis_config::Value::Text(text) => {
            ModelRef::parse(text).map(drop).map_err(|_| MODEL_HINT.to_owned())
        }
        _ => Ok(()),
    }
}

fn are_models(value: &moltis_config::Value) -> Result<(), String> {
    let moltis_config::Value::List(texts) = value else { return Ok(()) };
    let wrong = texts.iter().any(|text| ModelRef::parse(text).is_err());
    if wrong { Err(MODEL_HINT.to_owned()) } else { Ok(()) }
}

fn is_url(value: &moltis_config::Value) -> Result<(), String> {
    match value {
        moltis_config::Value::Text(text)
            if text.is_empty() || text.starts_with("https://") || text.starts_with("http://") =>
        {
            Ok(())
        }
        _ => Err("a URL begins with https:// or http://".to_owned()),
    }
}

fn is_level(value: &moltis_config::Value) -> Result<(), String> {
    match value {
        moltis_config::Value::Text(text) => {
            moltis_telemetry::check_level(text).map_err(|error| error.to_string())
        }
        _ => Ok(()),
    }
}

/// What a configuration means.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// The rules of turns.
    pub(crate) rules: TurnRules,
    /// The model of sessions that choose none.
    pub(crate) default_model: Option<ModelRef>,
    /// Models to ask when one fails.
    pub(crate) fallbacks: Vec<ModelRef>,
    /// Who is asked.
    pub(crate) providers: Vec<ProviderConfig>,
    /// Threads of local models; 0 is automatic.
    pub(crate) local_threads: usize,
    /// When a local model's memory is freed.
    pub(crate) local_idle: Duration,
    /// Tokens of a local conversation.
    pub(crate) local_context: u64,
    /// The log's level.
    pub(crate) log_level: String,
    /// The log as JSON lines.
    pub(crate) log_json: bool,
}

impl Settings {
    /// The meaning of a configuration that has no errors.
    pub(crate) fn of(config: &Config) -> Self {
        let number =
            |path: &str| config.integer(path).and_then(|it| u64::try_from(it).ok()).unwrap_or(0);
        let timeout = number("chat.timeout_s");
        Self {
            rules: TurnRules {
                timeout: (timeout > 0).then(|| Duration::from_secs(timeout)),
                queue: queue(config.text("chat.queue")),
                effort: Effort::parse(config.text("chat.effort")),
                system_prompt: config.text("chat.system_prompt").to_owned(),
                titles: titles(config.text("chat.titles")),
                max_queued: usize::try_from(number("chat.max_queued")).unwrap_or(usize::MAX),
                compact_at: number("chat.compact_at"),
                ..TurnRules::default()
            },
            default_model: ModelRef::parse(config.text("chat.default_model")).ok(),
            fallbacks: config
                .list("chat.fallbacks")
                .iter()
                .filter_map(|text| ModelRef::parse(text).ok())
                .collect(),
            providers: config
                .names("providers")
                .into_iter()
                .map(|name| provider(config, name))
                .collect(),
            local_threads: usize::try_from(number("local.threads")).unwrap_or(0),
            local_idle: Duration::from_secs(number("local.idle_unload_s")),
            local_context: number("local.max_context"),
            log_level: config.text("log.level").to_owned(),
            log_json: config.is_on("log.json"),
        }
    }
}

fn queue(name: &str) -> QueueMode {
    match name {
        "collect" => QueueMode::Collect,
        "steer" => QueueMode::Steer,
        _ => QueueMode::Followup,
    }
}

fn titles(name: &str) -> Titles {
    match name {
        "model" => Titles::Model,
        "off" => Titles::Off,
        _ => Titles::FirstLine,
    }
}

fn provider(config: &Config, name: &str) -> ProviderConfig {
    let text = |key: &str| {
        let text = config.text(&format!("providers.{name}.{key}"));
        (!text.is_empty()).then(|| text.to_owned())
    };
    ProviderConfig {
        name: name.to_owned(),
        kind: text("kind").unwrap_or_default(),
        base_url: text("base_url"),
        api_key: text("api_key").map(SecretString::from),
        api_key_env: text("api_key_env"),
        models: config.list(&format!("providers.{name}.models")).to_vec(),
    }
}
