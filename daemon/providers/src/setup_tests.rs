use std::sync::Arc;

use expect_test::{Expect, expect};
use futures_util::FutureExt;
use moltis_core::vault::Vault;
use secrecy::SecretString;

use super::{ProviderConfig, Setup, Sources, endpoints};
use crate::endpoint::EnvVar;
use crate::testing::MemoryVault;

fn config(name: &str, kind: &str) -> ProviderConfig {
    ProviderConfig { name: name.to_owned(), kind: kind.to_owned(), ..ProviderConfig::default() }
}

fn at(name: &str, kind: &str, base_url: &str) -> ProviderConfig {
    ProviderConfig { base_url: Some(base_url.to_owned()), ..config(name, kind) }
}

fn sources(env_var: EnvVar) -> Sources {
    let vault = MemoryVault::default();
    vault.put("provider/in-vault", SecretString::from("k")).now_or_never().unwrap().unwrap();
    Sources { vault: Arc::new(vault), env_var }
}

fn check(providers: Vec<ProviderConfig>, env_var: EnvVar, expected: &Expect) {
    let setup = Setup {
        providers,
        default_model: None,
        fallbacks: Vec::new(),
        extra: Vec::new(),
        cache_dir: "unused".into(),
    };
    let shown = match endpoints(&setup, &sources(env_var)) {
        Ok(list) => list
            .iter()
            .map(|endpoint| {
                let found = endpoint.keys.find().now_or_never().unwrap().unwrap();
                format!(
                    "{} = {} {:?} {} [{}]",
                    endpoint.name,
                    endpoint.vendor.name,
                    endpoint.dialect,
                    endpoint.base_url,
                    found.source
                )
            })
            .collect::<Vec<_>>()
            .join("\n"),
        Err(error) => error.to_string(),
    };
    expected.assert_eq(&shown);
}

fn no_env(_: &str) -> Option<String> {
    None
}

#[test]
fn a_key_in_the_environment_is_a_provider() {
    let env: EnvVar = |name| match name {
        "OPENROUTER_API_KEY" | "ANTHROPIC_API_KEY" | "GOOGLE_API_KEY" => Some("k".to_owned()),
        "MISTRAL_API_KEY" => Some("  ".to_owned()),
        "ANTHROPIC_BASE_URL" => Some("http://127.0.0.1:9/v1/".to_owned()),
        "OLLAMA_BASE_URL" => Some("http://10.0.0.2:11434/v1".to_owned()),
        _ => None,
    };
    check(
        Vec::new(),
        env,
        &expect![[r#"
        anthropic = anthropic Anthropic http://127.0.0.1:9 [env ANTHROPIC_API_KEY]
        gemini = gemini Gemini https://generativelanguage.googleapis.com/v1beta [env GOOGLE_API_KEY]
        openrouter = openrouter OpenAi https://openrouter.ai/api/v1 [env OPENROUTER_API_KEY]
        ollama = ollama Ollama http://10.0.0.2:11434 [none needed]"#]],
    );
    check(Vec::new(), no_env, &expect![[""]]);
}

#[test]
fn a_container_needs_three_variables() {
    let env: EnvVar = |name| match name {
        "MOLTIS_PROVIDER" => Some("openai".to_owned()),
        "MOLTIS_API_KEY" | "GROQ_API_KEY" => Some("k".to_owned()),
        "MOLTIS_BASE_URL" => Some("http://models.internal:8000".to_owned()),
        _ => None,
    };
    check(
        Vec::new(),
        env,
        &expect![[r#"
        openai = openai OpenAi http://models.internal:8000/v1 [env MOLTIS_API_KEY]
        groq = groq OpenAi https://api.groq.com/openai/v1 [env GROQ_API_KEY]"#]],
    );
    let env: EnvVar = |name| (name == "MOLTIS_PROVIDER").then(|| "opnai".to_owned());
    check(
        Vec::new(),
        env,
        &expect!["the provider `opnai` has the unknown kind `opnai`; `openai` is near"],
    );
}

#[test]
fn keys_are_looked_for_in_order() {
    let env: EnvVar = |name| match name {
        "OPENAI_API_KEY" | "MY_KEY" => Some("k".to_owned()),
        _ => None,
    };
    let mut written = config("written", "openai");
    written.api_key = Some(SecretString::from("k"));
    written.api_key_env = Some("MY_KEY".to_owned());
    let mut named = config("named", "openai");
    named.api_key_env = Some("MY_KEY".to_owned());
    let mut unset = config("in-vault", "openai");
    unset.api_key_env = Some("UNSET".to_owned());
    let usual = config("openai", "");
    check(
        vec![written, named, unset, usual],
        env,
        &expect![[r#"
        written = openai OpenAi https://api.openai.com/v1 [config]
        named = openai OpenAi https://api.openai.com/v1 [env MY_KEY]
        in-vault = openai OpenAi https://api.openai.com/v1 [vault]
        openai = openai OpenAi https://api.openai.com/v1 [env OPENAI_API_KEY]"#]],
    );
    check(
        vec![config("work", "anthropic"), config("ollama", "")],
        no_env,
        &expect![[r#"
        work = anthropic Anthropic https://api.anthropic.com [missing]
        ollama = ollama Ollama http://127.0.0.1:11434 [none needed]"#]],
    );
}

#[test]
fn a_usual_key_goes_to_its_vendor_only() {
    let env: EnvVar = |name| match name {
        "OPENAI_API_KEY" | "DEEPSEEK_API_KEY" => Some("k".to_owned()),
        _ => None,
    };
    let providers = vec![
        at("proxy", "openai", "https://proxy.example"),
        at("lan", "openai", "http://192.168.1.2:8000/v1/"),
        at("deep", "openai", "https://api.deepseek.com"),
        at("clear", "openai", "http://api.openai.com/v1"),
        at("port", "openai", "https://api.openai.com:8443/v1"),
        at("resp", "openai-responses", "https://api.openai.com/v1"),
    ];
    check(
        providers,
        env,
        &expect![[r#"
        proxy = openai OpenAi https://proxy.example/v1 [none needed]
        lan = openai OpenAi http://192.168.1.2:8000/v1 [none needed]
        deep = deepseek OpenAi https://api.deepseek.com/v1 [env DEEPSEEK_API_KEY]
        clear = openai OpenAi http://api.openai.com/v1 [none needed]
        port = openai OpenAi https://api.openai.com:8443/v1 [none needed]
        resp = openai-responses Responses https://api.openai.com/v1 [env OPENAI_API_KEY]
        openai = openai OpenAi https://api.openai.com/v1 [env OPENAI_API_KEY]
        deepseek = deepseek OpenAi https://api.deepseek.com/v1 [env DEEPSEEK_API_KEY]"#]],
    );
}

#[test]
fn what_makes_no_sense_is_refused() {
    check(
        vec![config("work", "antropic")],
        no_env,
        &expect!["the provider `work` has the unknown kind `antropic`; `anthropic` is near"],
    );
    check(
        vec![config("work", "zzz")],
        no_env,
        &expect!["the provider `work` has the unknown kind `zzz`"],
    );
    check(
        vec![config("wo/rk", "openai")],
        no_env,
        &expect!["`wo/rk` can't name a provider: letters, digits, `-`, `_` and `.` can"],
    );
    check(
        vec![config("../x", "openai")],
        no_env,
        &expect!["`../x` can't name a provider: letters, digits, `-`, `_` and `.` can"],
    );
    check(
        vec![config("openai", ""), config("openai", "")],
        no_env,
        &expect!["there are two providers named `openai`"],
    );
    check(
        vec![at("work", "openai", "localhost:80")],
        no_env,
        &expect!["the base URL `localhost:80` of the provider `work` is not an http or https URL"],
    );
}

#[test]
fn a_proxy_is_not_expected_to_know_openais_own_fields() {
    let setup = Setup {
        providers: vec![at("proxy", "openai", "https://proxy.example/v1"), config("openai", "")],
        default_model: None,
        fallbacks: Vec::new(),
        extra: Vec::new(),
        cache_dir: "unused".into(),
    };
    let list = endpoints(&setup, &sources(no_env)).unwrap();
    let own: Vec<bool> = list.iter().map(|endpoint| endpoint.quirks.prompt_cache_key).collect();
    assert_eq!(own, [false, true]);
}
