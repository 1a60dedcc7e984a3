//! The table of configuration keys.
//!
//! Every key of the table is read in [`crate::meaning`]; whoever adds one says here what it does.

use moltis_config::{Key, Kind, Preset, Schema, Section};
use moltis_core::models::ModelRef;
use moltis_core::policy::Pattern;

/// An amount of a budget.
const MANY: Kind = Kind::Integer { min: 0, max: 1_000_000_000_000 };

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
        Section {
            path: "budget",
            doc: "What may be spent; 0 is any amount. A call reserves the most that it may cost before it is\n\
                  made, so that what runs side by side stays within it. A day is one of UTC. A model whose\n\
                  price is not known costs no cents: limit its tokens.",
            example: "",
        },
        Section {
            path: "approvals",
            doc: "What agents do without asking. A pattern is `tool: beginning`: `exec: cargo test` allows\n\
                  that command and what follows it, `web_fetch: https://docs.rs` that host, `exec:`\n\
                  every command. A command with `;`, `|`, `$` and the like is never covered by a beginning.",
            example: "",
        },
        Section { path: "workspace", doc: "The directory that agents work on.", example: "" },
        Section {
            path: "sandbox",
            doc: "Where programs run that agents want run: never on the machine itself.",
            example: "",
        },
        Section { path: "web", doc: "What agents read of the web.", example: "" },
        Section {
            path: "hook",
            doc: "How hooks are run; the hooks themselves are at the end of this file.",
            example: "",
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
                Preset::List(&[]),
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
            "What models are told first of all, before `agents/main/IDENTITY.md`, `SOUL.md` and `USER.md`\n\
             of the data directory, where there are such files.",
        ),
        Key::new(
            "chat.project_files",
            Kind::Bool,
            Preset::Bool(true),
            "Tell models the files that say how a project is worked on: AGENTS.md, CLAUDE.md,\n\
             CLAUDE.local.md, .claude/rules, .cursorrules and .cursor/rules, from the root of the\n\
             repository to the workspace, and TOOLS.md of the workspace.",
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
        Key::new(
            "chat.max_rounds",
            Kind::Integer { min: 1, max: 1_000 },
            Preset::Integer(25),
            "How often in a turn a model may call tools and be told what came of it.",
        ),
        Key::new(
            "budget.turn_tokens",
            MANY,
            Preset::Integer(0),
            "Tokens of a turn, told and written, with the agents that it begins.",
        ),
        Key::new("budget.turn_cents", MANY, Preset::Integer(0), "US cents of a turn."),
        Key::new("budget.turn_calls", MANY, Preset::Integer(200), "Calls of tools of a turn."),
        Key::new("budget.session_tokens", MANY, Preset::Integer(0), "Tokens of a session."),
        Key::new("budget.session_cents", MANY, Preset::Integer(0), "US cents of a session."),
        Key::new(
            "budget.session_minutes",
            MANY,
            Preset::Integer(0),
            "Minutes that the turns of a session run, without what they wait for you.",
        ),
        Key::new("budget.session_calls", MANY, Preset::Integer(0), "Calls of tools of a session."),
        Key::new("budget.day_tokens", MANY, Preset::Integer(0), "Tokens of a day."),
        Key::new("budget.day_cents", MANY, Preset::Integer(0), "US cents of a day."),
        Key::new(
            "budget.day_minutes",
            MANY,
            Preset::Integer(0),
            "Minutes that all turns of a day run, each counted for itself.",
        ),
        Key::new("budget.day_calls", MANY, Preset::Integer(0), "Calls of tools of a day."),
        Key::new(
            "approvals.mode",
            Kind::Choice(&["ask", "on-miss", "auto"]),
            Preset::Text("auto"),
            "ask: everything but looking is asked. on-miss: what `allow` names is done. auto: also\n\
             whatever stays in the sandbox and the workspace, where it can be undone.",
        ),
        Key {
            check: Some(are_patterns),
            ..Key::new(
                "approvals.allow",
                Kind::List,
                Preset::List(&["web_search:", "web_fetch:"]),
                "Patterns of calls that are allowed. Where an agent knows things of yours and has read\n\
                 words of others, only a pattern that names where something goes allows to send it.\n\
                 `exec: git` covers whatever `git ...` can be made to do inside the sandbox: by its\n\
                 arguments, and by files that the agent wrote; never another program.",
            )
        },
        Key {
            example: "deny = [\"exec: git push\"]",
            check: Some(are_patterns),
            ..Key::new(
                "approvals.deny",
                Kind::List,
                Preset::List(&[]),
                "Patterns of calls that are forbidden: here the words may stand anywhere. A net for\n\
                 accidents: what holds a program that wants to get around it is the sandbox.",
            )
        },
        Key::new(
            "approvals.wait_s",
            Kind::Integer { min: 1, max: 2_592_000 },
            Preset::Integer(86_400),
            "How long a question waits for an answer, in seconds; then it is denied.",
        ),
        Key {
            check: Some(is_directory),
            ..Key::new(
                "workspace.path",
                Kind::Text,
                Preset::Text(""),
                "Where sessions work that name no directory of their own; empty is `workspace` in the\n\
                 data directory.",
            )
        },
        Key::new(
            "workspace.worktree",
            Kind::Bool,
            Preset::Bool(false),
            "Sessions that are bound to a git repository work in a worktree of their own, on a branch of\n\
             their own, if they say nothing else.",
        ),
        restarts(Key {
            check: Some(is_branch),
            ..Key::new(
                "workspace.branch_prefix",
                Kind::Text,
                Preset::Text("moltis"),
                "What the branches of worktrees begin with: `moltis` makes `moltis/0k3j9x2a`.",
            )
        }),
        restarts(Key::new(
            "workspace.checkpoints_mb",
            Kind::Integer { min: 1, max: 1_000_000 },
            Preset::Integer(2_048),
            "Megabytes that snapshots of workspaces may have, for /diff and /undo: the oldest go first.",
        )),
        restarts(Key::new(
            "sandbox.backend",
            Kind::Choice(&["auto", "docker", "podman", "apple-container", "bubblewrap", "none"]),
            Preset::Text("auto"),
            "auto takes the first that proves that it contains what runs in it; on a Mac Apple's\n\
             `container` is asked first.",
        )),
        restarts(Key {
            example: "socket = \"/run/podman/podman.sock\"",
            ..Key::new(
                "sandbox.socket",
                Kind::Text,
                Preset::Text(""),
                "The socket of the container engine; empty looks at the usual places.",
            )
        }),
        restarts(Key::new(
            "sandbox.image",
            Kind::Text,
            Preset::Text("ubuntu:25.10"),
            "The image that containers are made of.",
        )),
        restarts(Key::new(
            "sandbox.packages",
            Kind::List,
            Preset::List(&[
                "ca-certificates",
                "curl",
                "git",
                "jq",
                "python3",
                "ripgrep",
                "socat",
                "tmux",
            ]),
            "What is added to it: built when it is first needed, or by `moltis sandbox build`.",
        )),
        Key::new(
            "sandbox.mount",
            Kind::Choice(&["none", "ro", "rw"]),
            Preset::Text("rw"),
            "How programs see the workspace, in sessions that say nothing else.",
        ),
        Key::new(
            "sandbox.network",
            Kind::Choice(&["none", "listed", "open"]),
            Preset::Text("none"),
            "What programs can reach, in sessions that say nothing else: nothing, the hosts that\n\
             allow_hosts lists, or everything.",
        ),
        Key {
            example: "allow_hosts = [\"crates.io\", \"*.crates.io\", \"git.example.org:8443\"]",
            check: Some(are_hosts),
            ..Key::new(
                "sandbox.allow_hosts",
                Kind::List,
                Preset::List(&[]),
                "The hosts of a network that is `listed`, by way of Moltis: a host, or all below a name;\n\
                 on the ports 80 and 443, or on its own. Programs can send them anything. What has a\n\
                 private address must be in web.allow, too.",
            )
        },
        restarts(Key::new(
            "sandbox.memory_mb",
            Kind::Integer { min: 64, max: 1_000_000 },
            Preset::Integer(2_048),
            "Memory of all of a session's programs together, in megabytes.",
        )),
        restarts(Key::new(
            "sandbox.cpu_percent",
            Kind::Integer { min: 10, max: 10_000 },
            Preset::Integer(200),
            "Processors that they have together, in hundredths: 200 is two.",
        )),
        restarts(Key::new(
            "sandbox.pids",
            Kind::Integer { min: 16, max: 100_000 },
            Preset::Integer(256),
            "Processes and threads that they may have.",
        )),
        restarts(Key::new(
            "sandbox.tmp_mb",
            Kind::Integer { min: 1, max: 1_000_000 },
            Preset::Integer(256),
            "Megabytes that /tmp and the home hold, each, in memory.",
        )),
        restarts(Key::new(
            "sandbox.keep_home",
            Kind::Bool,
            Preset::Bool(false),
            "Keep the home of a session's programs on the disk (containers only).",
        )),
        restarts(Key::new(
            "chat.tools_bytes",
            Kind::Integer { min: 1_000, max: 10_000_000 },
            Preset::Integer(16_000),
            "Where the tools' descriptions are longer, a model is offered a search for them.",
        )),
        restarts(Key {
            example: "allow = [\"wiki.home:8080\"]",
            ..Key::new(
                "web.allow",
                Kind::List,
                Preset::List(&[]),
                "Hosts, exactly, that may be fetched although their addresses are private.",
            )
        }),
        restarts(Key::new(
            "web.timeout_s",
            Kind::Integer { min: 1, max: 600 },
            Preset::Integer(20),
            "The longest that a page may take, in seconds.",
        )),
        restarts(Key::new(
            "web.max_chars",
            Kind::Integer { min: 1_000, max: 200_000 },
            Preset::Integer(50_000),
            "Characters of a page that a model is told.",
        )),
        restarts(Key::new(
            "web.cache_s",
            Kind::Integer { min: 0, max: 86_400 },
            Preset::Integer(900),
            "How long pages and results are kept, in seconds.",
        )),
        restarts(Key::new(
            "web.search",
            Kind::Choice(&["duckduckgo", "brave", "perplexity"]),
            Preset::Text("duckduckgo"),
            "Who is asked for `web_search`; duckduckgo needs no key.",
        )),
        restarts(Key {
            example: "search_key = \"…\"",
            secret: true,
            ..Key::new(
                "web.search_key",
                Kind::Text,
                Preset::Text(""),
                "Its key. Better: `moltis providers login brave --kind search`, which keeps it in the vault.",
            )
        }),
        restarts(Key {
            example: "search_url = \"https://search.example\"",
            check: Some(is_url),
            ..Key::new(
                "web.search_url",
                Kind::Text,
                Preset::Text(""),
                "Where it is; empty takes the service's own address.",
            )
        }),
        restarts(Key::new(
            "web.search_results",
            Kind::Integer { min: 1, max: 10 },
            Preset::Integer(5),
            "Results that a model is told if it does not say how many.",
        )),
        Key::new(
            "hook.dry_run",
            Kind::Bool,
            Preset::Bool(false),
            "Hooks are called, and what they say is logged and not followed.",
        ),
        Key {
            example: "disabled = [\"command-logger\"]",
            ..Key::new(
                "hook.disabled",
                Kind::List,
                Preset::List(&[]),
                "Names of hooks, wherever they come from, that do not run.",
            )
        },
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
                Preset::List(&[]),
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
    rows: &[crate::hooks::ROWS],
};

/// A key that is read at the start only.
const fn restarts(key: Key) -> Key {
    Key { restart: true, ..key }
}

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

fn are_patterns(value: &moltis_config::Value) -> Result<(), String> {
    let moltis_config::Value::List(lines) = value else { return Ok(()) };
    lines.iter().try_for_each(|line| Pattern::parse(line).map(drop))
}

fn are_hosts(value: &moltis_config::Value) -> Result<(), String> {
    let moltis_config::Value::List(hosts) = value else { return Ok(()) };
    hosts
        .iter()
        .try_for_each(|host| moltis_net::proxy::check(host).map_err(|error| error.to_string()))
}

fn is_directory(value: &moltis_config::Value) -> Result<(), String> {
    match value {
        moltis_config::Value::Text(text) if text.is_empty() || text.starts_with('/') => Ok(()),
        _ => Err("a directory is an absolute path".to_owned()),
    }
}

/// Part of what git takes for the name of a branch; plain everywhere.
fn is_branch(value: &moltis_config::Value) -> Result<(), String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let is_step = |step: &str| {
        let sound = !step.starts_with(['.', '-']) && !step.ends_with('.') && !step.contains("..");
        !step.is_empty() && sound && !step.ends_with(".lock") && step.chars().all(plain)
    };
    match value {
        moltis_config::Value::Text(text) if text.len() <= 100 && text.split('/').all(is_step) => {
            Ok(())
        }
        _ => Err("a branch begins with letters, digits, `-`, `_`, `.`, and `/` between".to_owned()),
    }
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
