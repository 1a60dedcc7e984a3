//! The table of vendors: one row each, and nothing of a vendor anywhere else.
//!
//! To add one: a row here. A vendor that speaks a dialect in its own way gets a quirk, which is a
//! field that the dialect reads, never a `match` on the vendor's name.

use crate::dialect::Dialect;

/// A vendor, or a kind of model server.
#[derive(Debug)]
pub struct Vendor {
    /// Its `kind` in the configuration, and its provider's name when only its key is given.
    pub name: &'static str,
    /// What it speaks.
    pub dialect: Dialect,
    /// Where it is.
    pub base_url: &'static str,
    /// The variable that says it is elsewhere.
    pub base_url_env: &'static str,
    /// The variables that hold its key.
    pub key_envs: &'static [&'static str],
    /// Whether it wants a key.
    pub needs_key: bool,
    /// Whether its key, or its base URL, in the environment is enough to set it up.
    pub from_env: bool,
    /// Whether it usually runs on this machine.
    pub local: bool,
    /// The models to begin with, best first: the first one that the vendor has.
    pub preferred: &'static [&'static str],
    /// Where it differs.
    pub quirks: Quirks,
}

/// Where a vendor differs from its dialect. [`COMPATIBLE`] is the cautious middle.
#[derive(Clone, Copy, Debug)]
pub struct Quirks {
    /// The field of the output limit: `max_completion_tokens` rather than `max_tokens`.
    pub max_completion_tokens: bool,
    /// How effort is said.
    pub effort: EffortStyle,
    /// What ids of calls may look like.
    pub call_ids: CallIds,
    /// The session is sent as `prompt_cache_key`.
    pub prompt_cache_key: bool,
    /// Anthropic's `cache_control` is understood for Anthropic's models.
    pub cache_control: bool,
    /// Usage is only sent when asked for with `stream_options`.
    pub stream_options: bool,
    /// Usage with its cost is sent when asked for with `usage`.
    pub usage_cost: bool,
    /// How reasoning is given back while calls are being answered.
    pub replay: Replay,
    /// The system prompt goes into the first message of the user.
    pub system_in_user: bool,
    /// Reasoning may come as `<think>…</think>` at the beginning of the text.
    pub think_tags: bool,
    /// It lists its models.
    pub lists_models: bool,
    /// Its list does not say which models see: they are shown pictures and may refuse.
    pub sight_untold: bool,
    /// A list that tells more than the usual one, by its path on the host.
    pub richer_list: Option<&'static str>,
}

/// How a vendor wants effort to be said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EffortStyle {
    /// `reasoning_effort`.
    Plain,
    /// `reasoning_effort`, in the words that each of xAI's models takes, if it takes any.
    Grok,
    /// `reasoning_effort`, which is only `none` or `default` for Qwen's models.
    QwenSwitch,
    /// `reasoning: {effort}`.
    Object,
    /// `thinking: {type: enabled | disabled}`.
    Switch,
    /// Not at all.
    Never,
}

/// What a vendor takes for the id of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallIds {
    /// At most 40 characters.
    Forty,
    /// Exactly nine letters and digits.
    Nine,
}

/// How reasoning is given back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replay {
    /// It is not.
    Never,
    /// As `reasoning_content`, while calls are being answered.
    Content,
    /// As `reasoning_details`, with the vendor's proofs.
    Details,
}

/// What goes with most imitations of OpenAI.
pub const COMPATIBLE: Quirks = Quirks {
    max_completion_tokens: false,
    effort: EffortStyle::Plain,
    call_ids: CallIds::Forty,
    prompt_cache_key: false,
    cache_control: false,
    stream_options: true,
    usage_cost: false,
    replay: Replay::Never,
    system_in_user: false,
    think_tags: true,
    lists_models: true,
    sight_untold: false,
    richer_list: None,
};

const OPENAI: Quirks =
    Quirks { max_completion_tokens: true, prompt_cache_key: true, think_tags: false, ..COMPATIBLE };

const CLOUD: Vendor = Vendor {
    name: "",
    dialect: Dialect::OpenAi,
    base_url: "",
    base_url_env: "",
    key_envs: &[],
    needs_key: true,
    from_env: true,
    local: false,
    preferred: &[],
    quirks: COMPATIBLE,
};

/// The vendors, in the order in which one is chosen when nothing else says which.
pub static VENDORS: &[Vendor] = &[
    Vendor {
        name: "anthropic",
        dialect: Dialect::Anthropic,
        base_url: "https://api.anthropic.com",
        base_url_env: "ANTHROPIC_BASE_URL",
        key_envs: &["ANTHROPIC_API_KEY"],
        preferred: &["claude-sonnet-5", "claude-sonnet-4-6", "claude-sonnet-4-5"],
        ..CLOUD
    },
    Vendor {
        name: "openai",
        base_url: "https://api.openai.com/v1",
        base_url_env: "OPENAI_BASE_URL",
        key_envs: &["OPENAI_API_KEY"],
        preferred: &["gpt-5.5", "gpt-5.4", "gpt-5.2", "gpt-5"],
        quirks: OPENAI,
        ..CLOUD
    },
    Vendor {
        name: "openai-responses",
        dialect: Dialect::Responses,
        base_url: "https://api.openai.com/v1",
        base_url_env: "OPENAI_BASE_URL",
        key_envs: &["OPENAI_API_KEY"],
        from_env: false,
        preferred: &["gpt-5.5", "gpt-5.4", "gpt-5.2", "gpt-5"],
        quirks: OPENAI,
        ..CLOUD
    },
    Vendor {
        name: "gemini",
        dialect: Dialect::Gemini,
        base_url: "https://generativelanguage.googleapis.com/v1beta",
        base_url_env: "GEMINI_BASE_URL",
        key_envs: &["GEMINI_API_KEY", "GOOGLE_API_KEY"],
        preferred: &["gemini-3.5-flash", "gemini-3-flash-preview", "gemini-2.5-flash"],
        ..CLOUD
    },
    Vendor {
        name: "openrouter",
        base_url: "https://openrouter.ai/api/v1",
        base_url_env: "OPENROUTER_BASE_URL",
        key_envs: &["OPENROUTER_API_KEY"],
        preferred: &["anthropic/claude-sonnet-5", "anthropic/claude-sonnet-4.6", "openrouter/auto"],
        quirks: Quirks {
            effort: EffortStyle::Object,
            cache_control: true,
            usage_cost: true,
            replay: Replay::Details,
            think_tags: false,
            ..COMPATIBLE
        },
        ..CLOUD
    },
    Vendor {
        name: "xai",
        base_url: "https://api.x.ai/v1",
        base_url_env: "XAI_BASE_URL",
        key_envs: &["XAI_API_KEY"],
        preferred: &["grok-4.3", "grok-4", "grok-3"],
        quirks: Quirks { effort: EffortStyle::Grok, think_tags: false, ..COMPATIBLE },
        ..CLOUD
    },
    Vendor {
        name: "deepseek",
        base_url: "https://api.deepseek.com/v1",
        base_url_env: "DEEPSEEK_BASE_URL",
        key_envs: &["DEEPSEEK_API_KEY"],
        preferred: &["deepseek-v4-flash", "deepseek-chat"],
        quirks: Quirks {
            effort: EffortStyle::Switch,
            replay: Replay::Content,
            think_tags: false,
            ..COMPATIBLE
        },
        ..CLOUD
    },
    Vendor {
        name: "groq",
        base_url: "https://api.groq.com/openai/v1",
        base_url_env: "GROQ_BASE_URL",
        key_envs: &["GROQ_API_KEY"],
        preferred: &["openai/gpt-oss-120b", "llama-3.3-70b-versatile"],
        quirks: Quirks { effort: EffortStyle::QwenSwitch, ..COMPATIBLE },
        ..CLOUD
    },
    Vendor {
        name: "mistral",
        base_url: "https://api.mistral.ai/v1",
        base_url_env: "MISTRAL_BASE_URL",
        key_envs: &["MISTRAL_API_KEY"],
        preferred: &["mistral-medium-latest", "mistral-large-latest"],
        quirks: Quirks {
            effort: EffortStyle::Never,
            call_ids: CallIds::Nine,
            stream_options: false,
            think_tags: false,
            ..COMPATIBLE
        },
        ..CLOUD
    },
    Vendor {
        name: "cerebras",
        base_url: "https://api.cerebras.ai/v1",
        base_url_env: "CEREBRAS_BASE_URL",
        key_envs: &["CEREBRAS_API_KEY"],
        preferred: &["gpt-oss-120b", "llama-3.3-70b"],
        ..CLOUD
    },
    Vendor {
        name: "moonshot",
        base_url: "https://api.moonshot.ai/v1",
        base_url_env: "MOONSHOT_BASE_URL",
        key_envs: &["MOONSHOT_API_KEY"],
        preferred: &["kimi-k2.6", "kimi-k2.5", "kimi-k2-0905-preview"],
        quirks: Quirks {
            effort: EffortStyle::Switch,
            replay: Replay::Content,
            think_tags: false,
            ..COMPATIBLE
        },
        ..CLOUD
    },
    Vendor {
        name: "zai",
        base_url: "https://api.z.ai/api/paas/v4",
        base_url_env: "Z_BASE_URL",
        key_envs: &["Z_API_KEY", "ZAI_API_KEY"],
        preferred: &["glm-5.1", "glm-5", "glm-4.7"],
        quirks: Quirks {
            effort: EffortStyle::Switch,
            replay: Replay::Content,
            think_tags: false,
            ..COMPATIBLE
        },
        ..CLOUD
    },
    Vendor {
        name: "zai-code",
        base_url: "https://api.z.ai/api/coding/paas/v4",
        base_url_env: "Z_CODE_BASE_URL",
        key_envs: &["Z_CODE_API_KEY"],
        preferred: &["glm-5.1", "glm-5", "glm-4.7"],
        quirks: Quirks {
            effort: EffortStyle::Switch,
            replay: Replay::Content,
            think_tags: false,
            ..COMPATIBLE
        },
        ..CLOUD
    },
    Vendor {
        name: "minimax",
        base_url: "https://api.minimax.io/v1",
        base_url_env: "MINIMAX_BASE_URL",
        key_envs: &["MINIMAX_API_KEY"],
        preferred: &["MiniMax-M2.7", "MiniMax-M2.5", "MiniMax-M2"],
        quirks: Quirks {
            effort: EffortStyle::Never,
            system_in_user: true,
            lists_models: false,
            ..COMPATIBLE
        },
        ..CLOUD
    },
    Vendor {
        name: "venice",
        base_url: "https://api.venice.ai/api/v1",
        base_url_env: "VENICE_BASE_URL",
        key_envs: &["VENICE_API_KEY"],
        preferred: &["llama-3.3-70b"],
        ..CLOUD
    },
    Vendor {
        name: "fireworks",
        base_url: "https://api.fireworks.ai/inference/v1",
        base_url_env: "FIREWORKS_BASE_URL",
        key_envs: &["FIREWORKS_API_KEY"],
        preferred: &["accounts/fireworks/models/gpt-oss-120b"],
        ..CLOUD
    },
    Vendor {
        name: "deepinfra",
        base_url: "https://api.deepinfra.com/v1/openai",
        base_url_env: "DEEPINFRA_BASE_URL",
        key_envs: &["DEEPINFRA_API_KEY", "DEEPINFRA_TOKEN"],
        preferred: &["openai/gpt-oss-120b"],
        ..CLOUD
    },
    Vendor {
        name: "together",
        base_url: "https://api.together.xyz/v1",
        base_url_env: "TOGETHER_BASE_URL",
        key_envs: &["TOGETHER_API_KEY"],
        preferred: &["openai/gpt-oss-120b"],
        ..CLOUD
    },
    Vendor {
        name: "nearai",
        base_url: "https://cloud-api.near.ai/v1",
        base_url_env: "NEARAI_BASE_URL",
        key_envs: &["NEARAI_API_KEY"],
        ..CLOUD
    },
    Vendor {
        name: "alibaba-coding",
        base_url: "https://coding-intl.dashscope.aliyuncs.com/v1",
        base_url_env: "ALIBABA_CODING_BASE_URL",
        key_envs: &["ALIBABA_CODING_API_KEY"],
        preferred: &["qwen3-coder-plus"],
        quirks: Quirks { effort: EffortStyle::Never, ..COMPATIBLE },
        ..CLOUD
    },
    Vendor {
        name: "opencode-zen",
        base_url: "https://opencode.ai/zen/v1",
        base_url_env: "OPENCODE_ZEN_BASE_URL",
        key_envs: &["OPENCODE_ZEN_API_KEY", "OPENCODE_API_KEY"],
        ..CLOUD
    },
    Vendor {
        name: "ollama",
        dialect: Dialect::Ollama,
        base_url: "http://127.0.0.1:11434",
        base_url_env: "OLLAMA_BASE_URL",
        key_envs: &["OLLAMA_API_KEY"],
        needs_key: false,
        local: true,
        ..CLOUD
    },
    Vendor {
        name: "lmstudio",
        base_url: "http://127.0.0.1:1234/v1",
        base_url_env: "LMSTUDIO_BASE_URL",
        key_envs: &["LMSTUDIO_API_KEY"],
        needs_key: false,
        local: true,
        quirks: Quirks { richer_list: Some("/api/v0/models"), ..COMPATIBLE },
        ..CLOUD
    },
    Vendor {
        name: "llama-server",
        base_url: "http://127.0.0.1:8080/v1",
        base_url_env: "LLAMA_SERVER_BASE_URL",
        key_envs: &["LLAMA_API_KEY"],
        needs_key: false,
        local: true,
        ..CLOUD
    },
    Vendor {
        name: "vllm",
        base_url: "http://127.0.0.1:8000/v1",
        base_url_env: "VLLM_BASE_URL",
        key_envs: &["VLLM_API_KEY"],
        needs_key: false,
        local: true,
        quirks: Quirks { sight_untold: true, ..COMPATIBLE },
        ..CLOUD
    },
];

/// The vendor of that name.
pub fn find(name: &str) -> Option<&'static Vendor> {
    VENDORS.iter().find(|vendor| vendor.name == name)
}

/// The vendor of that name, where there is one that is spelled nearly so.
pub fn nearest(name: &str) -> Option<&'static str> {
    nearest_of(name, VENDORS.iter().map(|vendor| vendor.name))
}

/// The one of `names` that is spelled most like `name`, if any is.
pub(crate) fn nearest_of<'a>(name: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let name = name.to_lowercase();
    names
        .map(|other| (strsim::jaro_winkler(&name, &other.to_lowercase()), other))
        .filter(|(likeness, _)| *likeness > 0.75)
        .max_by(|one, other| one.0.total_cmp(&other.0))
        .map(|(_, other)| other)
}

/// The vendor at that address: `kind = "openai"` with DeepSeek's URL is still DeepSeek.
pub(crate) fn at_address(base_url: &str) -> Option<&'static Vendor> {
    VENDORS.iter().filter(|vendor| !vendor.local).find(|vendor| is_at_home(vendor, base_url))
}

/// Whether that is the vendor's own place: host, port and scheme, so that a key does not go out in
/// clear.
pub(crate) fn is_at_home(vendor: &Vendor, base_url: &str) -> bool {
    match (url::Url::parse(vendor.base_url), url::Url::parse(base_url)) {
        (Ok(own), Ok(given)) => own.origin() == given.origin(),
        _ => false,
    }
}

#[cfg(test)]
#[path = "vendors_tests.rs"]
mod tests;
