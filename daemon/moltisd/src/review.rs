//! What the configuration's keys say together: what the daemon could not start from, and what is
//! probably not as meant.
//!
//! Not the keys one by one: those the schema judges. The invariant: a configuration without an error
//! here is one that the daemon starts from, because both ask the same function of the providers.

use moltis_config::{Config, Place, Problem, Setting};
use moltis_core::models::ModelRef;
use moltis_providers::Error;

use crate::meaning::Settings;

/// The provider of the models of this machine; it is always there.
const LOCAL: &str = "local";

/// A lookup of the environment's variables.
pub(crate) type Vars<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Everything that is wrong or questionable, for a file of these permission bits.
pub(crate) fn review(config: &Config, file_mode: Option<u32>, vars: Vars<'_>) -> Vec<Problem> {
    let settings = Settings::of(config);
    let mut names = vec![LOCAL.to_owned()];
    let mut found = Vec::new();
    for provider in moltis_providers::examine(&settings.providers, &[LOCAL], vars) {
        match provider {
            Ok(name) => names.push(name),
            Err(error) => found.push(refused(config, &error)),
        }
    }
    for name in config.names("providers") {
        found.extend(key_problems(config, name, file_mode, vars));
        found.extend(unencrypted(config, name));
    }
    found.extend(crate::hooks::review(config));
    found.extend(absent(config, "chat.default_model", settings.default_model.as_slice(), &names));
    found.extend(absent(config, "chat.fallbacks", &settings.fallbacks, &names));
    found
}

fn place(config: &Config, path: &str) -> Place {
    config.get(path).map_or(Place::Whole, Setting::place)
}

/// A provider that can't be set up, at the key that says so.
fn refused(config: &Config, error: &Error) -> Problem {
    let (name, key, variable) = match error {
        Error::Name { name } | Error::Twice { name } => (name, "kind", "MOLTIS_PROVIDER"),
        Error::Kind { name, .. } => (name, "kind", "MOLTIS_PROVIDER"),
        Error::BaseUrl { name, .. } => (name, "base_url", "*_BASE_URL"),
        Error::Net(_) => return Problem::error("providers", Place::Whole, error.to_string()),
    };
    let path = format!("providers.{name}.{key}");
    // What the file does not have is the environment's.
    let place = match config.get(&path) {
        Some(setting) if key == "kind" || !setting.value.is_empty() => setting.place(),
        _ => Place::Env(variable.to_owned()),
    };
    let problem = Problem::error(path, place, error.to_string());
    match error {
        Error::Kind { .. } => problem.with_hint("moltis providers list --kinds"),
        _ => problem,
    }
}

/// What is odd about where a provider's key lies.
fn key_problems(
    config: &Config,
    name: &str,
    file_mode: Option<u32>,
    vars: Vars<'_>,
) -> Vec<Problem> {
    let mut found = Vec::new();
    let (key, variable) =
        (format!("providers.{name}.api_key"), format!("providers.{name}.api_key_env"));
    let is_set = |name: &str| vars(name).is_some_and(|value| !value.trim().is_empty());
    let named = config.text(&variable);
    if !named.is_empty() {
        let mut warn = |message: String| {
            found.push(Problem::warning(&variable, place(config, &variable), message));
        };
        if !config.text(&key).is_empty() {
            warn(format!("`{name}` has an api_key too, and that one is used"));
        } else if !is_set(named) {
            warn(format!("the variable {named} is not set for the daemon"));
        }
    }
    let at = place(config, &key);
    if config.text(&key).is_empty() || !matches!(at, Place::File { .. }) {
        return found;
    }
    let message = format!("the key of `{name}` lies in the file as plain text");
    let hint = format!("moltis providers login {name}");
    found.push(Problem::warning(&key, at, message).with_hint(hint));
    if file_mode.is_some_and(|mode| mode & 0o077 != 0) {
        let message = "others on this machine can read this file, and it holds a key";
        found.push(Problem::warning(key, Place::Whole, message).with_hint("chmod 600 the file"));
    }
    found
}

fn unencrypted(config: &Config, name: &str) -> Option<Problem> {
    let path = format!("providers.{name}.base_url");
    let url = config.text(&path);
    if !url.starts_with("http://") || is_loopback(url) {
        return None;
    }
    let message = format!("`{name}` is asked without encryption, key included");
    Some(Problem::warning(&path, place(config, &path), message).with_hint("use https://"))
}

/// Models of providers that are not set up.
fn absent(config: &Config, path: &str, models: &[ModelRef], names: &[String]) -> Vec<Problem> {
    let missing = |model: &&ModelRef| !names.iter().any(|name| **name == *model.provider);
    let warn = |model: &ModelRef| {
        let message = format!("the provider of `{model}` is not set up");
        let hint = format!("moltis providers login {}", model.provider);
        Problem::warning(path, place(config, path), message).with_hint(hint)
    };
    models.iter().filter(missing).map(warn).collect()
}

fn is_loopback(url: &str) -> bool {
    let rest = url.trim_start_matches("http://");
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit('@').next().unwrap_or_default();
    let host = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, _)) => address,
        None => host.split(':').next().unwrap_or_default(),
    };
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
#[path = "review_tests.rs"]
mod tests;
