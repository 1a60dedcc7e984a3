//! Whether this machine has what a hook can't do without.
//!
//! Trust is another question. The invariant: the reason names the first thing that is missing.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::spec::HookSpec;

/// The variables of the daemon, as it was started with them.
pub(crate) type Environment = BTreeMap<String, String>;

/// What is missing, if something is.
pub(crate) fn missing(spec: &HookSpec, environment: &Environment) -> Option<String> {
    let requires = &spec.requires;
    let here = match std::env::consts::OS {
        "macos" => "darwin",
        other => other,
    };
    let named = |os: &String| os == here || (os == "macos" && here == "darwin");
    if !requires.os.is_empty() && !requires.os.iter().any(named) {
        return Some(format!("it is for {}, and this is {here}", requires.os.join(", ")));
    }
    // It runs with its own `PATH` if it has one.
    let path = spec.env.0.get("PATH").or_else(|| environment.get("PATH"));
    let path = path.map_or("", String::as_str);
    if let Some(bin) = requires.bins.iter().find(|bin| !on_path(bin, path)) {
        return Some(format!("it needs the program `{bin}`, which is not installed"));
    }
    let set = |name: &String| spec.env.0.contains_key(name) || environment.contains_key(name);
    let unset = requires.env.iter().find(|name| !set(name))?;
    Some(format!("it needs the variable `{unset}`, which is not set"))
}

fn on_path(bin: &str, path: &str) -> bool {
    path.split(':').filter(|dir| !dir.is_empty()).any(|dir| {
        let about = std::fs::metadata(Path::new(dir).join(bin));
        about.is_ok_and(|about| about.is_file() && about.permissions().mode() & 0o111 != 0)
    })
}
